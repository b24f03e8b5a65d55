#ifndef SOFTMETAL_MTL_BUFFER_H
#define SOFTMETAL_MTL_BUFFER_H

#import <Metal/MTLResource.h>

@protocol MTLHeap;

@protocol MTLBuffer <MTLResource>
/* nil and 0 for a buffer of its own. */
@property(readonly) id<MTLHeap> heap;
@property(readonly) NSUInteger heapOffset;
@property(readonly) NSUInteger length;
/* The address that kernels see too, in every storage mode. */
@property(readonly) uint64_t gpuAddress;
/* NULL for private storage. */
- (void *)contents NS_RETURNS_INNER_POINTER;
- (void)didModifyRange:(NSRange)range;
/* Names byte ranges for the counters of ../../../README.md. */
- (void)addDebugMarker:(NSString *)marker range:(NSRange)range;
- (void)removeAllDebugMarkers;
@end

#endif
