/* Buffers and the memory behind them. */
#import "objects.h"
#include <stdlib.h>
#include <string.h>

static _Atomic uint64_t total;

uint64_t smo_memory_total(void)
{
    return total;
}

struct smo_memory *smo_memory_wrap(void *bytes, size_t length,
                                   void (^deallocator)(void *, NSUInteger))
{
    struct smo_memory *memory = calloc(1, sizeof *memory);
    if (!memory) {
        return NULL;
    }
    memory->references = 1;
    memory->bytes = bytes;
    memory->length = length;
    memory->deallocator = deallocator ? Block_copy(deallocator) : NULL;
    total += length;
    return memory;
}

struct smo_memory *smo_memory_map(struct sm_device *runtime, size_t length)
{
    size_t mapped = (length + SMO_PAGE - 1) / SMO_PAGE * SMO_PAGE;
    char *bytes = sm_memory_allocate(runtime, mapped);
    struct smo_memory *memory = bytes ? smo_memory_wrap(bytes, length, NULL) : NULL;
    if (memory) {
        memory->mapped = mapped;
        memory->runtime = runtime;
    } else if (bytes) {
        sm_memory_free(runtime, bytes, mapped);
    }
    return memory;
}

struct smo_memory *smo_memory_slice(struct smo_memory *parent, size_t offset, size_t length)
{
    struct smo_memory *memory = calloc(1, sizeof *memory);
    if (memory) {
        memory->references = 1;
        memory->bytes = parent->bytes + offset;
        memory->length = length;
        memory->parent = parent;
        smo_memory_retain(parent);
    }
    return memory;
}

void smo_memory_retain(struct smo_memory *memory)
{
    memory->references++;
}

void smo_memory_release(struct smo_memory *memory)
{
    if (--memory->references > 0) {
        return;
    }
    if (memory->parent) {
        smo_memory_release(memory->parent);
    } else {
        total -= memory->length;
    }
    smo_watch_forget(memory);
    if (memory->mapped) {
        sm_memory_free(memory->runtime, memory->bytes, memory->mapped);
    }
    if (memory->deallocator) {
        memory->deallocator(memory->bytes, memory->length);
        Block_release(memory->deallocator);
    }
    free(memory);
}

@implementation SMBuffer

- (instancetype)initWithDevice:(SMDevice *)device
                        memory:(struct smo_memory *)memory
                       options:(MTLResourceOptions)options
{
    if ((self = [super initWithDevice:device])) {
        memory_ = memory;
        options_ = options;
        purgeable_ = MTLPurgeableStateNonVolatile;
    }
    return self;
}

/* A command buffer that keeps references holds this object until it has completed. */
- (void)dealloc
{
    if (memory_->in_flight > 0) {
        smo_misuse(@"buffer '%@' was released while a command buffer uses it",
                   label_ ? label_ : @"");
    }
    [self removeAllDebugMarkers];
    sm_name_buffer(device_->runtime_, self, NULL, 0, NULL);
    [heap_ give:NSMakeRange(heap_offset_, memory_->length)];
    smo_memory_release(memory_);
    [heap_ release];
    [super dealloc];
}

- (NSUInteger)length
{
    return memory_->length;
}

- (NSUInteger)allocatedSize
{
    return memory_->mapped ? memory_->mapped : memory_->length;
}

- (id<MTLHeap>)heap
{
    return heap_;
}

- (NSUInteger)heapOffset
{
    return heap_offset_;
}

- (uint64_t)gpuAddress
{
    return (uint64_t)(uintptr_t)memory_->bytes;
}

- (void *)contents
{
    return [self storageMode] == MTLStorageModePrivate ? NULL : memory_->bytes;
}

- (void)didModifyRange:(NSRange)range
{
    if ([self storageMode] != MTLStorageModeManaged) {
        smo_misuse(@"didModifyRange: is for managed storage only");
    } else if (range.location > memory_->length ||
               range.length > memory_->length - range.location) {
        smo_misuse(@"didModifyRange: %lu bytes at %lu leave a buffer of %zu bytes",
                   (unsigned long)range.length, (unsigned long)range.location, memory_->length);
    }
}

/* The names of the counters: of buffers, and of byte ranges in them. */
- (void)setLabel:(NSString *)label
{
    [super setLabel:label];
    sm_name_buffer(device_->runtime_, self, memory_->bytes, memory_->length, [label UTF8String]);
}

- (void)addDebugMarker:(NSString *)marker range:(NSRange)range
{
    if (!marker || range.location > memory_->length ||
        range.length > memory_->length - range.location) {
        smo_misuse(@"addDebugMarker: '%@', %lu bytes at %lu of a buffer of %zu: must have a name "
                   @"and be inside",
                   marker ?: @"", (unsigned long)range.length, (unsigned long)range.location,
                   memory_->length);
        return;
    }
    sm_name_range(device_->runtime_, self, memory_->bytes + range.location, range.length,
                  [marker UTF8String]);
}

- (void)removeAllDebugMarkers
{
    sm_forget_ranges(device_->runtime_, self);
}

- (MTLCPUCacheMode)cpuCacheMode
{
    return (MTLCPUCacheMode)(options_ & 15);
}

- (MTLStorageMode)storageMode
{
    return (MTLStorageMode)(options_ >> MTLResourceStorageModeShift & 15);
}

- (MTLHazardTrackingMode)hazardTrackingMode
{
    NSUInteger mode = options_ >> MTLResourceHazardTrackingModeShift & 3;
    return mode == MTLHazardTrackingModeDefault ? MTLHazardTrackingModeTracked
                                                : (MTLHazardTrackingMode)mode;
}

- (MTLResourceOptions)resourceOptions
{
    return options_;
}

- (MTLPurgeableState)setPurgeableState:(MTLPurgeableState)state
{
    @synchronized(self) {
        MTLPurgeableState before = purgeable_;
        if (state != MTLPurgeableStateKeepCurrent) {
            purgeable_ = state;
        }
        return before;
    }
}

@end
