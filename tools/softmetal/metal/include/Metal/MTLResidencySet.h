#ifndef SOFTMETAL_MTL_RESIDENCY_SET_H
#define SOFTMETAL_MTL_RESIDENCY_SET_H

#import <Metal/MTLAllocation.h>

@protocol MTLDevice;

/* macOS 15. */
@interface MTLResidencySetDescriptor : NSObject <NSCopying> {
  @private
    NSString *label_;
    NSUInteger initialCapacity_;
}
@property(copy, nonatomic) NSString *label;
@property(nonatomic) NSUInteger initialCapacity;
@end

/* Additions and removals take effect at commit. */
@protocol MTLResidencySet <NSObject>
@property(readonly) id<MTLDevice> device;
@property(readonly) NSString *label;
@property(readonly) uint64_t allocatedSize;
@property(readonly) NSArray *allAllocations;
@property(readonly) NSUInteger allocationCount;
- (void)requestResidency;
- (void)endResidency;
- (void)addAllocation:(id<MTLAllocation>)allocation;
- (void)addAllocations:(const id<MTLAllocation>[])allocations count:(NSUInteger)count;
- (void)removeAllocation:(id<MTLAllocation>)allocation;
- (void)removeAllocations:(const id<MTLAllocation>[])allocations count:(NSUInteger)count;
- (void)removeAllAllocations;
- (BOOL)containsAllocation:(id<MTLAllocation>)allocation;
- (void)commit;
@end

#endif
