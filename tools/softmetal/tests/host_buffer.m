/* Buffers: lengths, storage, memory of the host's own, and blits. */
#include "host.h"
#include <sys/mman.h>

static NSString *const source =
    @"#include <metal_stdlib>\n"
    @"using namespace metal;\n"
    @"kernel void increment(device uint *x [[buffer(0)]], uint i [[thread_position_in_grid]])\n"
    @"{\n"
    @"    x[i] += 1;\n"
    @"}\n";

enum { PAGE = 16384 };

/* Host memory that newBufferWithBytesNoCopy takes on every system. */
static void *aligned(size_t bytes)
{
    void *memory = NULL;
    CHECK(posix_memalign(&memory, PAGE, bytes) == 0, "no memory");
    return memory;
}

static id<MTLCommandBuffer> increment(struct host *h, id<MTLBuffer> x, NSUInteger offset,
                                      NSUInteger count)
{
    id<MTLComputePipelineState> state = host_pipeline(h, @"increment");
    id<MTLCommandBuffer> buffer = [h->queue commandBuffer];
    id<MTLComputeCommandEncoder> encoder = [buffer computeCommandEncoder];
    [encoder setComputePipelineState:state];
    [encoder setBuffer:x offset:offset atIndex:0];
    [encoder dispatchThreads:MTLSizeMake(count, 1, 1) threadsPerThreadgroup:MTLSizeMake(32, 1, 1)];
    [encoder endEncoding];
    [state release];
    return buffer;
}

static void lengths_and_contents(void)
{
    struct host h = host_open(source);
    id<MTLBuffer> buffer = host_buffer(&h, 4000);
    CHECK([buffer length] == 4000, "%lu", (unsigned long)[buffer length]);
    CHECK([buffer allocatedSize] >= 4000, "%lu", (unsigned long)[buffer allocatedSize]);
    CHECK([buffer storageMode] == MTLStorageModeShared, "storage");
    CHECK([buffer gpuAddress] != 0, "no address");
    [buffer setLabel:@"named"];
    CHECK([[buffer label] isEqualToString:@"named"], "label");
    uint32_t *words = [buffer contents];
    for (int i = 0; i < 1000; i++) {
        CHECK(words[i] == 0, "word %d of a new buffer is %u", i, words[i]);
    }
    id<MTLCommandBuffer> work = increment(&h, buffer, 400, 100);
    [work commit];
    [work waitUntilCompleted];
    for (uint32_t i = 0; i < 1000; i++) {
        uint32_t expected = i >= 100 && i < 200;
        CHECK(words[i] == expected, "word %u is %u", i, words[i]);
    }
    [buffer release];

    const uint32_t seven[4] = {7, 8, 9, 10};
    buffer = [h.device newBufferWithBytes:seven
                                   length:sizeof seven
                                  options:MTLResourceStorageModeShared];
    CHECK(memcmp([buffer contents], seven, sizeof seven) == 0, "bytes");
    CHECK([buffer contents] != (const void *)seven, "not copied");
    [buffer release];
    CHECK([h.device maxBufferLength] >= 1u << 28, "%lu", (unsigned long)[h.device maxBufferLength]);
    CHECK([h.device recommendedMaxWorkingSetSize] >= 1u << 28, "working set");
    CHECK([h.device maxThreadgroupMemoryLength] >= 32768, "threadgroup memory");
    CHECK([h.device hasUnifiedMemory], "unified");
    host_close(&h);
}

static int freed;
static void *freed_pointer;
static NSUInteger freed_length;

static void no_copy(void)
{
    struct host h = host_open(source);
    uint32_t *memory = aligned(2 * PAGE);
    memset(memory, 0, 2 * PAGE);
    id<MTLBuffer> buffer = [h.device newBufferWithBytesNoCopy:memory
                                                       length:2 * PAGE
                                                      options:MTLResourceStorageModeShared
                                                  deallocator:^(void *pointer, NSUInteger length) {
                                                    freed++;
                                                    freed_pointer = pointer;
                                                    freed_length = length;
                                                  }];
    CHECK(buffer, "no buffer");
    CHECK([buffer contents] == memory, "copied");
    @autoreleasepool {
        id<MTLCommandBuffer> work = increment(&h, buffer, 0, 2 * PAGE / 4);
        [work commit];
        /* The command buffer holds it now. */
        [buffer release];
        CHECK(freed == 0, "freed while the device uses it");
        [work waitUntilCompleted];
        for (int i = 0; i < 2 * PAGE / 4; i++) {
            CHECK(memory[i] == 1, "word %d is %u", i, memory[i]);
        }
    }
    for (int i = 0; i < 2000 && freed == 0; i++) {
        usleep(1000);
    }
    CHECK(freed == 1, "freed %d times", freed);
    CHECK(freed_pointer == memory && freed_length == 2 * PAGE, "with other arguments");
    free(memory);
    host_close(&h);
}

static void no_copy_without_deallocator(void)
{
    struct host h = host_open(source);
    uint32_t *memory = aligned(PAGE);
    memory[0] = 5;
    id<MTLBuffer> buffer = [h.device newBufferWithBytesNoCopy:memory
                                                       length:PAGE
                                                      options:MTLResourceStorageModeShared
                                                  deallocator:nil];
    @autoreleasepool {
        id<MTLCommandBuffer> work = increment(&h, buffer, 0, 1);
        [work commit];
        [work waitUntilCompleted];
    }
    [buffer release];
    CHECK(memory[0] == 6, "%u", memory[0]);
    free(memory);
    host_close(&h);
}

static void misaligned(void)
{
    struct host h = host_open(nil);
    char *memory = aligned(2 * PAGE);
    CHECK(![h.device newBufferWithBytesNoCopy:memory + 4096
                                       length:PAGE
                                      options:MTLResourceStorageModeShared
                                  deallocator:nil],
          "an address that is no multiple of 16384");
    CHECK(![h.device newBufferWithBytesNoCopy:memory
                                       length:PAGE + 4096
                                      options:MTLResourceStorageModeShared
                                  deallocator:nil],
          "a length that is no multiple of 16384");
    free(memory);
    host_close(&h);
}

static void too_long(void)
{
    struct host h = host_open(nil);
    CHECK(![h.device newBufferWithLength:[h.device maxBufferLength] + 1
                                 options:MTLResourceStorageModeShared],
          "more than maxBufferLength");
    CHECK(![h.device newBufferWithLength:0 options:MTLResourceStorageModeShared], "nothing");
    host_close(&h);
}

static void private_and_blit(void)
{
    struct host h = host_open(source);
    id<MTLBuffer> shared = host_buffer(&h, 4096), back = host_buffer(&h, 4096);
    id<MTLBuffer> hidden = [h.device newBufferWithLength:4096
                                                 options:MTLResourceStorageModePrivate];
    CHECK([hidden storageMode] == MTLStorageModePrivate, "storage");
#ifndef __APPLE__
    CHECK([hidden contents] == NULL, "a private buffer has contents");
#endif
    uint32_t *in = [shared contents];
    for (uint32_t i = 0; i < 1024; i++) {
        in[i] = i;
    }
    id<MTLCommandBuffer> work = [h.queue commandBuffer];
    id<MTLBlitCommandEncoder> blit = [work blitCommandEncoder];
    [blit setLabel:@"in"];
    [blit copyFromBuffer:shared sourceOffset:0 toBuffer:hidden destinationOffset:0 size:4096];
    [blit endEncoding];
    id<MTLComputePipelineState> state = host_pipeline(&h, @"increment");
    id<MTLComputeCommandEncoder> compute = [work computeCommandEncoder];
    [compute setComputePipelineState:state];
    [compute setBuffer:hidden offset:0 atIndex:0];
    [compute dispatchThreadgroups:MTLSizeMake(32, 1, 1)
            threadsPerThreadgroup:MTLSizeMake(32, 1, 1)];
    [compute endEncoding];
    blit = [work blitCommandEncoder];
    [blit copyFromBuffer:hidden sourceOffset:2048 toBuffer:back destinationOffset:0 size:2048];
    [blit fillBuffer:back range:NSMakeRange(2048, 1024) value:0xab];
    [blit endEncoding];
    [work commit];
    [work waitUntilCompleted];
    CHECK([work status] == MTLCommandBufferStatusCompleted, "status");
    const uint32_t *out = [back contents];
    for (uint32_t i = 0; i < 1024; i++) {
        uint32_t expected = i < 512 ? i + 513 : i < 768 ? 0xabababab : 0;
        CHECK(out[i] == expected, "word %u is %u, not %u", i, out[i], expected);
    }
    [state release];
    [shared release];
    [hidden release];
    [back release];
    host_close(&h);
}

/* Runs one wrong call and expects the command buffer to end in an error that says `part`. */
static void expect_refusal(struct host *h, void (^encode)(id<MTLBlitCommandEncoder>),
                           NSString *part)
{
    id<MTLCommandBuffer> work = [h->queue commandBuffer];
    id<MTLBlitCommandEncoder> blit = [work blitCommandEncoder];
    encode(blit);
    [blit endEncoding];
    [work commit];
    [work waitUntilCompleted];
    CHECK([work status] == MTLCommandBufferStatusError, "status %lu", (unsigned long)[work status]);
    CHECK_TEXT([[work error] localizedDescription], part);
}

static void wrong_blits(void)
{
    struct host h = host_open(nil);
    id<MTLBuffer> a = host_buffer(&h, 256), b = host_buffer(&h, 128);
    expect_refusal(
        &h,
        ^(id<MTLBlitCommandEncoder> blit) {
          [blit copyFromBuffer:a sourceOffset:0 toBuffer:b destinationOffset:0 size:132];
        },
        @"destination");
    expect_refusal(
        &h,
        ^(id<MTLBlitCommandEncoder> blit) {
          [blit copyFromBuffer:a sourceOffset:2 toBuffer:b destinationOffset:0 size:4];
        },
        @"multiples of 4");
    expect_refusal(
        &h,
        ^(id<MTLBlitCommandEncoder> blit) {
          [blit copyFromBuffer:a sourceOffset:0 toBuffer:a destinationOffset:64 size:128];
        },
        @"overlap");
    expect_refusal(
        &h,
        ^(id<MTLBlitCommandEncoder> blit) {
          [blit fillBuffer:b range:NSMakeRange(124, 8) value:0];
        },
        @"fillBuffer");
    [a release];
    [b release];
    host_close(&h);
}

static void fake_working_set(void)
{
    struct host h = host_open(source);
    CHECK([h.device recommendedMaxWorkingSetSize] == 1u << 20, "%llu",
          (unsigned long long)[h.device recommendedMaxWorkingSetSize]);
    CHECK([h.device maxBufferLength] == 3u << 18, "%lu", (unsigned long)[h.device maxBufferLength]);
    id<MTLBuffer> a = host_buffer(&h, 3u << 18), b = host_buffer(&h, 3u << 18);
    id<MTLCommandBuffer> work = [h.queue commandBuffer];
    id<MTLBlitCommandEncoder> blit = [work blitCommandEncoder];
    [blit copyFromBuffer:a sourceOffset:0 toBuffer:b destinationOffset:0 size:16];
    [blit endEncoding];
    [work commit];
    [work waitUntilCompleted];
    CHECK([work status] == MTLCommandBufferStatusError, "1.5 MiB in a working set of 1");
    CHECK([[work error] code] == MTLCommandBufferErrorOutOfMemory, "code %ld",
          (long)[[work error] code]);

    work = increment(&h, a, 0, 4);
    [work commit];
    [work waitUntilCompleted];
    CHECK([work status] == MTLCommandBufferStatusCompleted, "0.75 MiB in a working set of 1");

    /* A residency set counts too. */
    NSError *error = nil;
    MTLResidencySetDescriptor *descriptor = [[MTLResidencySetDescriptor new] autorelease];
    id<MTLResidencySet> set = [h.device newResidencySetWithDescriptor:descriptor error:&error];
    CHECK(set, "%s", [[error localizedDescription] UTF8String]);
    [set addAllocation:b];
    [set commit];
    [set requestResidency];
    CHECK([set allocationCount] == 1 && [set allocatedSize] == 3u << 18, "set");
    [h.queue addResidencySet:set];
    work = increment(&h, a, 0, 4);
    [work commit];
    [work waitUntilCompleted];
    CHECK([work status] == MTLCommandBufferStatusError, "with a set of 0.75 MiB more");
    [h.queue removeResidencySet:set];
    work = increment(&h, a, 0, 4);
    [work commit];
    [work waitUntilCompleted];
    CHECK([work status] == MTLCommandBufferStatusCompleted, "without the set");
    [set release];
    [a release];
    [b release];
    host_close(&h);
}

/* References that the command buffer does not keep. */
static void released_in_flight(void)
{
    struct host h = host_open(source);
    id<MTLBuffer> x = host_buffer(&h, 128);
    id<MTLCommandBuffer> work = [h.queue commandBufferWithUnretainedReferences];
    id<MTLBlitCommandEncoder> blit = [work blitCommandEncoder];
    [blit fillBuffer:x range:NSMakeRange(0, 128) value:1];
    [blit endEncoding];
    [work commit];
    [x release];
    [work waitUntilCompleted];
    host_close(&h);
}

static void kept_until_completed(void)
{
    struct host h = host_open(source);
    id<MTLBuffer> x = host_buffer(&h, 128);
    id<MTLCommandBuffer> work = [h.queue commandBufferWithUnretainedReferences];
    CHECK(![work retainedReferences], "retained");
    id<MTLBlitCommandEncoder> blit = [work blitCommandEncoder];
    [blit fillBuffer:x range:NSMakeRange(0, 128) value:1];
    [blit endEncoding];
    [work commit];
    [work waitUntilCompleted];
    CHECK(*(const char *)[x contents] == 1, "not filled");
    [x release];
    host_close(&h);
}

static id<MTLHeap> make_heap(struct host *h, NSUInteger size, MTLHeapType type)
{
    MTLHeapDescriptor *descriptor = [[MTLHeapDescriptor new] autorelease];
    [descriptor setSize:size];
    [descriptor setStorageMode:MTLStorageModeShared];
    [descriptor setType:type];
    id<MTLHeap> heap = [h->device newHeapWithDescriptor:descriptor];
    CHECK(heap && [heap size] >= size && [heap storageMode] == MTLStorageModeShared, "heap");
    return heap;
}

static void heaps(void)
{
    struct host h = host_open(source);
    id<MTLHeap> heap = make_heap(&h, 4 * PAGE, MTLHeapTypeAutomatic);
    MTLSizeAndAlign need = [h.device heapBufferSizeAndAlignWithLength:PAGE + 4
                                                              options:MTLResourceStorageModeShared];
    CHECK(need.size >= PAGE + 4 && need.align > 0 && need.size % need.align == 0, "size");
    id<MTLBuffer> a = [heap newBufferWithLength:PAGE options:MTLResourceStorageModeShared];
    id<MTLBuffer> b = [heap newBufferWithLength:2 * PAGE options:MTLResourceStorageModeShared];
    CHECK(a && b && [a heap] == heap, "buffers");
    CHECK([heap usedSize] >= 3 * PAGE, "%lu", (unsigned long)[heap usedSize]);
    CHECK(![heap newBufferWithLength:2 * PAGE options:MTLResourceStorageModeShared], "no room");
    uint32_t *in_a = [a contents], *in_b = [b contents];
    memset(in_a, 0, PAGE);
    memset(in_b, 0, 2 * PAGE);
    id<MTLCommandBuffer> work = increment(&h, b, 0, 2 * PAGE / 4);
    [work commit];
    [work waitUntilCompleted];
    CHECK([work status] == MTLCommandBufferStatusCompleted, "status");
    CHECK(in_b[0] == 1 && in_b[2 * PAGE / 4 - 1] == 1, "inside");
    CHECK(in_a[0] == 0 && in_a[PAGE / 4 - 1] == 0, "the neighbour was written");

    /* The gap in front serves again, and no larger one does. */
    [a release];
    CHECK([heap maxAvailableSizeWithAlignment:256] >= PAGE, "gap");
    a = [heap newBufferWithLength:PAGE options:MTLResourceStorageModeShared];
    CHECK(a && ([a contents] < [b contents] || [a contents] >= (void *)(in_b + 2 * PAGE / 4)),
          "overlap");
    [heap release];
    in_b[0] = 7;
    CHECK(in_b[0] == 7, "the buffers keep the heap");
    [a release];
    [b release];

    heap = make_heap(&h, 4 * PAGE, MTLHeapTypePlacement);
    a = [heap newBufferWithLength:PAGE options:MTLResourceStorageModeShared offset:PAGE];
    b = [heap newBufferWithLength:PAGE options:MTLResourceStorageModeShared offset:PAGE];
    CHECK(a && [a contents] == [b contents] && [a heapOffset] == PAGE, "alias");
    [a release];
    [b release];
    CHECK([heap usedSize] == 0, "%lu", (unsigned long)[heap usedSize]);
    [heap release];
    host_close(&h);
}

static const struct host_case cases[] = {
    {"heaps", heaps, false, NULL, NULL},
    {"lengths_and_contents", lengths_and_contents, false, NULL, NULL},
    {"no_copy", no_copy, false, NULL, NULL},
    {"no_copy_without_deallocator", no_copy_without_deallocator, false, NULL, NULL},
    {"private_and_blit", private_and_blit, false, NULL, NULL},
    {"kept_until_completed", kept_until_completed, false, "SOFTMETAL_VALIDATE=1", NULL},
    {"misaligned", misaligned, true, NULL, NULL},
    {"too_long", too_long, true, NULL, NULL},
    {"wrong_blits", wrong_blits, true, NULL, NULL},
    {"fake_working_set", fake_working_set, true, "SOFTMETAL_WORKING_SET=1M", NULL},
    {"misaligned", misaligned, true, "SOFTMETAL_VALIDATE=1", "multiples of 16384"},
    {"too_long", too_long, true, "SOFTMETAL_VALIDATE=1", "maxBufferLength"},
    {"wrong_blits", wrong_blits, true, "SOFTMETAL_VALIDATE=1", "copyFromBuffer"},
    {"released_in_flight", released_in_flight, true, NULL, NULL},
    {"released_in_flight", released_in_flight, true, "SOFTMETAL_VALIDATE=1",
     "released while a command buffer uses it"},
};

HOST_MAIN(cases)
