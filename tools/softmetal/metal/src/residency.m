/* Residency sets. All memory is always resident here; a set counts against the working set of a
 * command buffer that uses it. */
#import "objects.h"

@implementation SMResidencySet

- (instancetype)initWithDevice:(SMDevice *)device
{
    if ((self = [super initWithDevice:device])) {
        pending_ = [NSMutableSet new];
        current_ = [NSMutableSet new];
    }
    return self;
}

- (void)dealloc
{
    [pending_ release];
    [current_ release];
    [super dealloc];
}

- (uint64_t)allocatedSize
{
    uint64_t bytes = 0;
    @synchronized(self) {
        for (id<MTLAllocation> allocation in current_) {
            bytes += [allocation allocatedSize];
        }
    }
    return bytes;
}

- (NSArray *)allAllocations
{
    @synchronized(self) {
        return [pending_ allObjects];
    }
}

- (NSUInteger)allocationCount
{
    @synchronized(self) {
        return [pending_ count];
    }
}

- (void)requestResidency
{
}

- (void)endResidency
{
}

- (void)addAllocation:(id<MTLAllocation>)allocation
{
    [self addAllocations:&allocation count:1];
}

- (void)addAllocations:(const id<MTLAllocation>[])allocations count:(NSUInteger)count
{
    @synchronized(self) {
        for (NSUInteger i = 0; i < count; i++) {
            if (allocations[i]) {
                [pending_ addObject:allocations[i]];
            } else {
                smo_misuse(@"addAllocation: nil");
            }
        }
    }
}

- (void)removeAllocation:(id<MTLAllocation>)allocation
{
    [self removeAllocations:&allocation count:1];
}

- (void)removeAllocations:(const id<MTLAllocation>[])allocations count:(NSUInteger)count
{
    @synchronized(self) {
        for (NSUInteger i = 0; i < count; i++) {
            if (allocations[i]) {
                [pending_ removeObject:allocations[i]];
            }
        }
    }
}

- (void)removeAllAllocations
{
    @synchronized(self) {
        [pending_ removeAllObjects];
    }
}

- (BOOL)containsAllocation:(id<MTLAllocation>)allocation
{
    @synchronized(self) {
        return allocation && [pending_ containsObject:allocation];
    }
}

- (void)commit
{
    @synchronized(self) {
        [current_ setSet:pending_];
    }
}

@end
