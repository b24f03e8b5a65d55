#ifndef SOFTMETAL_MTL_HEAP_H
#define SOFTMETAL_MTL_HEAP_H

#import <Metal/MTLBuffer.h>

typedef NS_ENUM(NSInteger, MTLHeapType) {
    MTLHeapTypeAutomatic = 0,
    MTLHeapTypePlacement = 1,
};

@interface MTLHeapDescriptor : NSObject <NSCopying> {
  @private
    NSUInteger size_;
    MTLResourceOptions resourceOptions_;
    MTLHeapType type_;
}
@property(nonatomic) NSUInteger size;
@property(nonatomic) MTLResourceOptions resourceOptions;
@property(nonatomic) MTLStorageMode storageMode;
@property(nonatomic) MTLCPUCacheMode cpuCacheMode;
@property(nonatomic) MTLHazardTrackingMode hazardTrackingMode;
@property(nonatomic) MTLHeapType type;
@end

/* Buffers only. What a buffer had is free again when the buffer is gone. */
@protocol MTLHeap <MTLAllocation>
@property(copy, atomic) NSString *label;
@property(readonly) id<MTLDevice> device;
@property(readonly) MTLStorageMode storageMode;
@property(readonly) MTLCPUCacheMode cpuCacheMode;
@property(readonly) MTLHazardTrackingMode hazardTrackingMode;
@property(readonly) MTLResourceOptions resourceOptions;
@property(readonly) MTLHeapType type;
@property(readonly) NSUInteger size;
@property(readonly) NSUInteger usedSize;
@property(readonly) NSUInteger currentAllocatedSize;
- (NSUInteger)maxAvailableSizeWithAlignment:(NSUInteger)alignment;
/* nil when there is no room; contents are what was there before. */
- (id<MTLBuffer>)newBufferWithLength:(NSUInteger)length
                             options:(MTLResourceOptions)options NS_RETURNS_RETAINED;
/* For MTLHeapTypePlacement: buffers may overlap. */
- (id<MTLBuffer>)newBufferWithLength:(NSUInteger)length
                             options:(MTLResourceOptions)options
                              offset:(NSUInteger)offset NS_RETURNS_RETAINED;
- (MTLPurgeableState)setPurgeableState:(MTLPurgeableState)state;
@end

#endif
