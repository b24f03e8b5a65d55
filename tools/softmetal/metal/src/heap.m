/* Heaps: memory from which buffers are cut, first fit. */
#import "objects.h"
#include <stdlib.h>
#include <string.h>

/* As Apple's GPUs want buffers in heaps. */
enum { ALIGNMENT = 256 };

@implementation MTLHeapDescriptor

@synthesize size = size_, resourceOptions = resourceOptions_, type = type_;

- (instancetype)init
{
    if ((self = [super init])) {
        resourceOptions_ = MTLResourceStorageModePrivate;
    }
    return self;
}

- (id)copyWithZone:(NSZone *)zone
{
    MTLHeapDescriptor *copy = [[MTLHeapDescriptor allocWithZone:zone] init];
    [copy setSize:size_];
    [copy setResourceOptions:resourceOptions_];
    [copy setType:type_];
    return copy;
}

- (void)set:(NSUInteger)value shift:(unsigned)shift
{
    resourceOptions_ = (resourceOptions_ & ~((NSUInteger)15 << shift)) | value << shift;
}

- (MTLStorageMode)storageMode
{
    return (MTLStorageMode)(resourceOptions_ >> MTLResourceStorageModeShift & 15);
}

- (void)setStorageMode:(MTLStorageMode)mode
{
    [self set:mode shift:MTLResourceStorageModeShift];
}

- (MTLCPUCacheMode)cpuCacheMode
{
    return (MTLCPUCacheMode)(resourceOptions_ & 15);
}

- (void)setCpuCacheMode:(MTLCPUCacheMode)mode
{
    [self set:mode shift:MTLResourceCPUCacheModeShift];
}

- (MTLHazardTrackingMode)hazardTrackingMode
{
    return (MTLHazardTrackingMode)(resourceOptions_ >> MTLResourceHazardTrackingModeShift & 15);
}

- (void)setHazardTrackingMode:(MTLHazardTrackingMode)mode
{
    [self set:mode shift:MTLResourceHazardTrackingModeShift];
}

@end

@implementation SMHeap

- (instancetype)initWithDevice:(SMDevice *)device
                        memory:(struct smo_memory *)memory
                    descriptor:(MTLHeapDescriptor *)descriptor
{
    if ((self = [super initWithDevice:device])) {
        memory_ = memory;
        options_ = [descriptor resourceOptions];
        type_ = [descriptor type];
    }
    return self;
}

- (void)dealloc
{
    smo_memory_release(memory_);
    free(ranges_);
    [super dealloc];
}

/* The first gap of at least `length`, or the largest if that is null. */
- (bool)findGap:(NSUInteger)length offset:(NSUInteger *)offset largest:(NSUInteger *)largest
{
    NSUInteger at = 0, most = 0;
    for (size_t i = 0; i <= count_; i++) {
        NSUInteger end = i < count_ ? ranges_[i].location : memory_->length;
        NSUInteger gap = end > at ? end - at : 0;
        if (offset && gap >= length) {
            *offset = at;
            return true;
        }
        most = gap > most ? gap : most;
        if (i < count_) {
            at = (NSMaxRange(ranges_[i]) + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
        }
    }
    if (largest) {
        *largest = most;
    }
    return false;
}

/* Keeps the ranges in order. */
- (bool)take:(NSRange)range
{
    NSRange *grown = realloc(ranges_, (count_ + 1) * sizeof *ranges_);
    if (!grown) {
        return false;
    }
    ranges_ = grown;
    size_t at = count_++;
    for (; at > 0 && ranges_[at - 1].location > range.location; at--) {
        ranges_[at] = ranges_[at - 1];
    }
    ranges_[at] = range;
    return true;
}

- (void)give:(NSRange)range
{
    @synchronized(self) {
        for (size_t i = 0; i < count_; i++) {
            if (NSEqualRanges(ranges_[i], range)) {
                memmove(&ranges_[i], &ranges_[i + 1], (count_ - i - 1) * sizeof *ranges_);
                count_--;
                return;
            }
        }
    }
}

- (id<MTLBuffer>)cut:(NSRange)range options:(MTLResourceOptions)options NS_RETURNS_RETAINED
{
    struct smo_memory *memory = smo_memory_slice(memory_, range.location, range.length);
    if (!memory) {
        return nil;
    }
    if (![self take:range]) {
        smo_memory_release(memory);
        return nil;
    }
    SMBuffer *buffer = [[SMBuffer alloc] initWithDevice:device_ memory:memory options:options];
    buffer->heap_ = [self retain];
    buffer->heap_offset_ = range.location;
    return buffer;
}

- (bool)check:(MTLResourceOptions)options length:(NSUInteger)length type:(MTLHeapType)type
{
    NSUInteger mine = options_ >> MTLResourceStorageModeShift & 15;
    if (length == 0 || type != type_ || (options >> MTLResourceStorageModeShift & 15) != mine) {
        smo_misuse(@"a buffer of %lu bytes from heap '%@': empty, of another storage mode, or the "
                   @"method of the other heap type",
                   (unsigned long)length, [self label] ?: @"");
        return false;
    }
    return true;
}

- (id<MTLBuffer>)newBufferWithLength:(NSUInteger)length options:(MTLResourceOptions)options
{
    if (![self check:options length:length type:MTLHeapTypeAutomatic]) {
        return nil;
    }
    @synchronized(self) {
        NSUInteger offset = 0;
        bool found = [self findGap:length offset:&offset largest:NULL];
        return found ? [self cut:NSMakeRange(offset, length) options:options] : nil;
    }
}

- (id<MTLBuffer>)newBufferWithLength:(NSUInteger)length
                             options:(MTLResourceOptions)options
                              offset:(NSUInteger)offset
{
    if (![self check:options length:length type:MTLHeapTypePlacement]) {
        return nil;
    }
    if (offset % ALIGNMENT != 0 || offset > memory_->length || memory_->length - offset < length) {
        smo_misuse(@"a buffer of %lu bytes at %lu of a heap of %zu: must be inside, and aligned to "
                   @"%d",
                   (unsigned long)length, (unsigned long)offset, memory_->length, ALIGNMENT);
        return nil;
    }
    @synchronized(self) {
        return [self cut:NSMakeRange(offset, length) options:options];
    }
}

- (NSUInteger)maxAvailableSizeWithAlignment:(NSUInteger)alignment
{
    (void)alignment;
    @synchronized(self) {
        NSUInteger largest = 0;
        [self findGap:0 offset:NULL largest:&largest];
        return largest;
    }
}

- (NSUInteger)usedSize
{
    @synchronized(self) {
        NSUInteger bytes = 0;
        for (size_t i = 0; i < count_; i++) {
            bytes += ranges_[i].length;
        }
        return bytes;
    }
}

- (NSUInteger)size
{
    return memory_->length;
}

- (NSUInteger)allocatedSize
{
    return memory_->mapped;
}

- (NSUInteger)currentAllocatedSize
{
    return memory_->mapped;
}

- (MTLHeapType)type
{
    return type_;
}

- (MTLStorageMode)storageMode
{
    return (MTLStorageMode)(options_ >> MTLResourceStorageModeShift & 15);
}

- (MTLCPUCacheMode)cpuCacheMode
{
    return (MTLCPUCacheMode)(options_ & 15);
}

/* Heaps are untracked unless asked. */
- (MTLHazardTrackingMode)hazardTrackingMode
{
    NSUInteger mode = options_ >> MTLResourceHazardTrackingModeShift & 3;
    return mode == MTLHazardTrackingModeTracked ? MTLHazardTrackingModeTracked
                                                : MTLHazardTrackingModeUntracked;
}

- (MTLResourceOptions)resourceOptions
{
    return options_;
}

- (MTLPurgeableState)setPurgeableState:(MTLPurgeableState)state
{
    (void)state;
    return MTLPurgeableStateNonVolatile;
}

@end

MTLSizeAndAlign smo_heap_size(NSUInteger length)
{
    return (MTLSizeAndAlign){(length + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT, ALIGNMENT};
}
