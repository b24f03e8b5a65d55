/* The device: what it says of itself, and what it makes. */
#import "objects.h"
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* Apple's default is about three quarters of the memory. */
static uint64_t default_working_set(void)
{
    long pages = sysconf(_SC_PHYS_PAGES), bytes = sysconf(_SC_PAGESIZE);
    return pages > 0 && bytes > 0 ? (uint64_t)pages * (uint64_t)bytes / 4 * 3 : (uint64_t)1 << 32;
}

id<MTLDevice> MTLCreateSystemDefaultDevice(void)
{
    static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    static SMDevice *device;
    pthread_mutex_lock(&lock);
    if (!device) {
        struct sm_device *runtime = NULL;
        struct sm_error error = {.message = ""};
        if (sm_device_open(NULL, &runtime, &error)) {
            device = [SMDevice new];
            device->runtime_ = runtime;
        } else {
            fprintf(stderr, "softmetal: %s\n", error.message);
        }
    }
    pthread_mutex_unlock(&lock);
    return [device retain];
}

NSArray *MTLCopyAllDevices(void)
{
    id<MTLDevice> device = MTLCreateSystemDefaultDevice();
    NSArray *all = device ? [[NSArray alloc] initWithObjects:device, nil] : [NSArray new];
    [device release];
    return all;
}

/* The one device lives as long as the process. */
@implementation SMDevice

- (instancetype)init
{
    if ((self = [super init])) {
        uint64_t faked = smo_settings()->working_set;
        working_set_ = faked ? faked : default_working_set();
        counterSets_ = smo_counter_sets();
    }
    return self;
}

- (void)dealloc
{
    sm_device_close(runtime_);
    [counterSets_ release];
    [super dealloc];
}

- (BOOL)respondsToSelector:(SEL)selector
{
    return !smo_hidden(selector) && [super respondsToSelector:selector];
}

/* ---- what it says ------------------------------------------------------------------------------*/

- (NSString *)name
{
    return @"Softmetal CPU";
}

- (uint64_t)registryID
{
    return 1;
}

- (MTLSize)maxThreadsPerThreadgroup
{
    return MTLSizeMake(SM_MAX_THREADS, SM_MAX_THREADS, SM_MAX_THREADS);
}

- (BOOL)isLowPower
{
    return NO;
}

- (BOOL)isHeadless
{
    return YES;
}

- (BOOL)isRemovable
{
    return NO;
}

- (BOOL)hasUnifiedMemory
{
    return YES;
}

- (uint64_t)recommendedMaxWorkingSetSize
{
    return working_set_;
}

- (MTLDeviceLocation)location
{
    return MTLDeviceLocationBuiltIn;
}

- (uint64_t)maxTransferRate
{
    return 0;
}

- (MTLReadWriteTextureTier)readWriteTextureSupport
{
    return MTLReadWriteTextureTierNone;
}

- (MTLArgumentBuffersTier)argumentBuffersSupport
{
    return MTLArgumentBuffersTier2;
}

- (NSUInteger)currentAllocatedSize
{
    return smo_memory_total();
}

- (NSUInteger)maxThreadgroupMemoryLength
{
    return SM_THREADGROUP_BYTES;
}

- (NSUInteger)maxBufferLength
{
    return working_set_ / 4 * 3;
}

- (NSArray *)counterSets
{
    return counterSets_;
}

- (BOOL)supportsFunctionPointers
{
    return NO;
}

- (BOOL)supportsDynamicLibraries
{
    return NO;
}

- (BOOL)supportsRaytracing
{
    return NO;
}

- (BOOL)supports32BitFloatFiltering
{
    return NO;
}

- (BOOL)supports32BitMSAA
{
    return NO;
}

/* Those with simdgroup matrices and bfloat, as an M1 and later; Apple9 is claimed by M3 and later. */
- (BOOL)supportsFamily:(MTLGPUFamily)family
{
    return (family >= MTLGPUFamilyApple1 && family <= MTLGPUFamilyApple8) ||
           (family >= MTLGPUFamilyCommon1 && family <= MTLGPUFamilyCommon3) ||
           family == MTLGPUFamilyMac1 || family == MTLGPUFamilyMac2 || family == MTLGPUFamilyMetal3;
}

- (BOOL)supportsCounterSampling:(MTLCounterSamplingPoint)point
{
    return point == MTLCounterSamplingPointAtStageBoundary;
}

- (void)sampleTimestamps:(MTLTimestamp *)cpu gpuTimestamp:(MTLTimestamp *)gpu
{
    *cpu = smo_nanoseconds();
    *gpu = *cpu;
}

/* ---- buffers -----------------------------------------------------------------------------------*/

- (bool)checkLength:(NSUInteger)length options:(MTLResourceOptions)options
{
    if (length == 0 || length > [self maxBufferLength]) {
        smo_misuse(@"a buffer of %lu bytes, must be 1 to %lu (maxBufferLength)",
                   (unsigned long)length, (unsigned long)[self maxBufferLength]);
        return false;
    }
    if ((options >> MTLResourceStorageModeShift & 15) > MTLStorageModePrivate) {
        smo_misuse(@"buffers have shared, managed or private storage, options are 0x%lx",
                   (unsigned long)options);
        return false;
    }
    return true;
}

- (id<MTLBuffer>)newBufferWithLength:(NSUInteger)length options:(MTLResourceOptions)options
{
    if (![self checkLength:length options:options]) {
        return nil;
    }
    struct smo_memory *memory = smo_memory_map(runtime_, length);
    return memory ? [[SMBuffer alloc] initWithDevice:self memory:memory options:options] : nil;
}

- (id<MTLBuffer>)newBufferWithBytes:(const void *)bytes
                             length:(NSUInteger)length
                            options:(MTLResourceOptions)options
{
    if (!bytes || (options >> MTLResourceStorageModeShift & 15) == MTLStorageModePrivate) {
        smo_misuse(@"newBufferWithBytes: no bytes, or private storage");
        return nil;
    }
    SMBuffer *buffer = [self newBufferWithLength:length options:options];
    if (buffer) {
        memcpy(buffer->memory_->bytes, bytes, length);
    }
    return buffer;
}

- (id<MTLBuffer>)newBufferWithBytesNoCopy:(void *)bytes
                                   length:(NSUInteger)length
                                  options:(MTLResourceOptions)options
                              deallocator:(void (^)(void *pointer, NSUInteger length))deallocator
{
    if (![self checkLength:length options:options]) {
        return nil;
    }
    if (!bytes || (uintptr_t)bytes % SMO_PAGE != 0 || length % SMO_PAGE != 0 ||
        (options >> MTLResourceStorageModeShift & 15) == MTLStorageModePrivate) {
        smo_misuse(@"newBufferWithBytesNoCopy: %lu bytes at %p: address and length must be "
                   @"multiples of %d, storage not private",
                   (unsigned long)length, bytes, SMO_PAGE);
        return nil;
    }
    struct smo_memory *memory = smo_memory_wrap(bytes, length, deallocator);
    return memory ? [[SMBuffer alloc] initWithDevice:self memory:memory options:options] : nil;
}

- (id<MTLHeap>)newHeapWithDescriptor:(MTLHeapDescriptor *)descriptor
{
    if (![self checkLength:[descriptor size] options:[descriptor resourceOptions]]) {
        return nil;
    }
    struct smo_memory *memory = smo_memory_map(runtime_, [descriptor size]);
    return memory ? [[SMHeap alloc] initWithDevice:self memory:memory descriptor:descriptor] : nil;
}

- (MTLSizeAndAlign)heapBufferSizeAndAlignWithLength:(NSUInteger)length
                                            options:(MTLResourceOptions)options
{
    (void)options;
    return smo_heap_size(length);
}

/* ---- queues, events and the rest ---------------------------------------------------------------*/

- (id<MTLCommandQueue>)newCommandQueue
{
    return [self newCommandQueueWithMaxCommandBufferCount:SMO_DEFAULT_QUEUE];
}

- (id<MTLCommandQueue>)newCommandQueueWithMaxCommandBufferCount:(NSUInteger)count
{
    if (count == 0) {
        smo_misuse(@"a queue for no command buffers");
        return nil;
    }
    return [[SMCommandQueue alloc] initWithDevice:self limit:count];
}

- (id<MTLEvent>)newEvent
{
    return [[SMEvent alloc] initWithDevice:self];
}

- (id<MTLSharedEvent>)newSharedEvent
{
    return [[SMSharedEvent alloc] initWithDevice:self];
}

- (id<MTLFence>)newFence
{
    return [[SMFence alloc] initWithDevice:self];
}

- (id<MTLCounterSampleBuffer>)newCounterSampleBufferWithDescriptor:
                                  (MTLCounterSampleBufferDescriptor *)descriptor
                                                             error:(NSError **)error
{
    NSUInteger count = [descriptor sampleCount];
    NSString *problem = nil;
    if ([descriptor counterSet] != [counterSets_ objectAtIndex:0]) {
        problem = @"the counter set is not one of the device's counterSets";
    } else if (count == 0 || count > 4096) {
        problem = [NSString stringWithFormat:@"a counter sample buffer of %lu samples, must be 1 "
                                             @"to 4096 (32 KiB)",
                                             (unsigned long)count];
    }
    uint64_t *samples = problem ? NULL : malloc(count * sizeof *samples);
    if (!samples) {
        if (error) {
            *error = smo_error(MTLCounterErrorDomain, MTLCounterSampleBufferErrorInvalid,
                               problem ?: @"out of memory");
        }
        return nil;
    }
    memset(samples, 0xff, count * sizeof *samples);
    SMCounterSampleBuffer *buffer = [[SMCounterSampleBuffer alloc] initWithDevice:self];
    buffer->samples_ = samples;
    buffer->count_ = count;
    buffer->storage_ = [descriptor storageMode];
    [buffer setLabel:[descriptor label]];
    return buffer;
}

- (id<MTLResidencySet>)newResidencySetWithDescriptor:(MTLResidencySetDescriptor *)descriptor
                                               error:(NSError **)error
{
    (void)error;
    if (smo_hidden(_cmd)) {
        [self doesNotRecognizeSelector:_cmd];
    }
    SMResidencySet *set = [[SMResidencySet alloc] initWithDevice:self];
    [set setLabel:[descriptor label]];
    return set;
}

@end
