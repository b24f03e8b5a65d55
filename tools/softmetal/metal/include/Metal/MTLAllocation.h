#ifndef SOFTMETAL_MTL_ALLOCATION_H
#define SOFTMETAL_MTL_ALLOCATION_H

#import <Metal/MTLDefines.h>

/* What a residency set holds. macOS 15. */
@protocol MTLAllocation <NSObject>
@property(readonly) NSUInteger allocatedSize;
@end

#endif
