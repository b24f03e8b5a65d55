/* Compute encoders: what reaches a kernel, and the limits. */
#include "host.h"

static NSString *const source =
    @"#include <metal_stdlib>\n"
    @"using namespace metal;\n"
    @"struct params { uint first; uint words[1023]; };\n"
    @"kernel void add_all(device uint *out [[buffer(0)]], constant params &p [[buffer(1)]],\n"
    @"                    uint i [[thread_position_in_grid]])\n"
    @"{\n"
    @"    out[i] = p.first + p.words[1022];\n"
    @"}\n"
    @"kernel void where(device uint *out [[buffer(0)]], uint2 at [[thread_position_in_grid]],\n"
    @"                  uint2 grid [[threads_per_grid]],\n"
    @"                  uint2 size [[threads_per_threadgroup]])\n"
    @"{\n"
    @"    out[at.y * grid.x + at.x] += 1 + size.x * 100 + size.y * 10000;\n"
    @"}\n"
    @"kernel void reverse(device uint *x [[buffer(0)]], threadgroup uint *t [[threadgroup(0)]],\n"
    @"                    threadgroup uint *u [[threadgroup(1)]],\n"
    @"                    uint i [[thread_position_in_threadgroup]],\n"
    @"                    uint n [[threads_per_threadgroup]])\n"
    @"{\n"
    @"    t[i] = x[i];\n"
    @"    u[i] = 1000;\n"
    @"    threadgroup_barrier(mem_flags::mem_threadgroup);\n"
    @"    x[i] = t[n - 1 - i] + u[n - 1 - i];\n"
    @"}\n"
    @"kernel void advance(device uint *x [[buffer(0)]], constant uint &a [[buffer(1)]],\n"
    @"                 constant uint &b [[buffer(2)]], uint i [[thread_position_in_grid]])\n"
    @"{\n"
    @"    x[i] = x[i] * a + b;\n"
    @"}\n"
    @"kernel void sum(device uint *out [[buffer(0)]], uint i [[thread_position_in_grid]])\n"
    @"{\n"
    @"    uint s = simd_sum(i);\n"
    @"    if (i == 0) out[0] = s;\n"
    @"}\n";

static const MTLSize one = {1, 1, 1};

static void wait_good(id<MTLCommandBuffer> work)
{
    [work commit];
    [work waitUntilCompleted];
    CHECK([work status] == MTLCommandBufferStatusCompleted, "status %lu: %s",
          (unsigned long)[work status], [[[work error] localizedDescription] UTF8String]);
}

/* The probe that says whether the device can be trusted at all. */
static void known_answer(void)
{
    struct host h = host_open(source);
    id<MTLComputePipelineState> state = host_pipeline(&h, @"sum");
    id<MTLBuffer> out = host_buffer(&h, 16);
    id<MTLCommandBuffer> work = [h.queue commandBuffer];
    id<MTLComputeCommandEncoder> encoder = [work computeCommandEncoder];
    [encoder setComputePipelineState:state];
    [encoder setBuffer:out offset:0 atIndex:0];
    [encoder dispatchThreads:MTLSizeMake(32, 1, 1) threadsPerThreadgroup:MTLSizeMake(32, 1, 1)];
    [encoder endEncoding];
    wait_good(work);
    CHECK(*(const uint32_t *)[out contents] == 496, "%u", *(const uint32_t *)[out contents]);
    [out release];
    [state release];
    host_close(&h);
}

static void set_bytes(void)
{
    struct host h = host_open(source);
    id<MTLComputePipelineState> state = host_pipeline(&h, @"add_all");
    id<MTLBuffer> out = host_buffer(&h, 64);
    uint32_t words[1024] = {1};
    id<MTLCommandBuffer> work = [h.queue commandBuffer];
    id<MTLComputeCommandEncoder> encoder = [work computeCommandEncoder];
    [encoder setComputePipelineState:state];
    for (uint32_t i = 0; i < 4; i++) {
        words[1023] = 10 * i;
        [encoder setBuffer:out offset:i * 16 atIndex:0];
        [encoder setBytes:words length:sizeof words atIndex:1];
        [encoder dispatchThreads:one threadsPerThreadgroup:one];
    }
    /* They were copied when they were set. */
    words[0] = 99;
    [encoder endEncoding];
    wait_good(work);
    for (uint32_t i = 0; i < 4; i++) {
        uint32_t value = ((const uint32_t *)[out contents])[i * 4];
        CHECK(value == 1 + 10 * i, "%u: %u", i, value);
    }
    [out release];
    [state release];
    host_close(&h);
}

static void uneven_grid(void)
{
    struct host h = host_open(source);
    id<MTLComputePipelineState> state = host_pipeline(&h, @"where");
    enum { WIDTH = 37, HEIGHT = 5 };
    id<MTLBuffer> out = host_buffer(&h, (WIDTH * HEIGHT + 64) * 4);
    id<MTLCommandBuffer> work = [h.queue commandBuffer];
    id<MTLComputeCommandEncoder> encoder = [work computeCommandEncoder];
    [encoder setComputePipelineState:state];
    [encoder setBuffer:out offset:0 atIndex:0];
    [encoder dispatchThreads:MTLSizeMake(WIDTH, HEIGHT, 1)
        threadsPerThreadgroup:MTLSizeMake(16, 2, 1)];
    [encoder endEncoding];
    wait_good(work);
    const uint32_t *counts = [out contents];
    for (uint32_t y = 0; y < HEIGHT; y++) {
        for (uint32_t x = 0; x < WIDTH; x++) {
            uint32_t wide = x < 32 ? 16 : 5, high = y < 4 ? 2 : 1;
            uint32_t expected = 1 + wide * 100 + high * 10000;
            CHECK(counts[y * WIDTH + x] == expected, "%u %u: %u, not %u", x, y,
                  counts[y * WIDTH + x], expected);
        }
    }
    for (uint32_t i = WIDTH * HEIGHT; i < WIDTH * HEIGHT + 64; i++) {
        CHECK(counts[i] == 0, "a thread outside of the grid: %u", i);
    }
    [out release];
    [state release];
    host_close(&h);
}

static void threadgroup_memory(void)
{
    struct host h = host_open(source);
    id<MTLComputePipelineState> state = host_pipeline(&h, @"reverse");
    id<MTLBuffer> x = host_buffer(&h, 1024 * 4);
    uint32_t *values = [x contents];
    for (uint32_t n = 32; n <= 256; n *= 2) {
        for (uint32_t i = 0; i < n; i++) {
            values[i] = i;
        }
        id<MTLCommandBuffer> work = [h.queue commandBuffer];
        id<MTLComputeCommandEncoder> encoder = [work computeCommandEncoder];
        [encoder setComputePipelineState:state];
        [encoder setBuffer:x offset:0 atIndex:0];
        [encoder setThreadgroupMemoryLength:n * 4 atIndex:0];
        [encoder setThreadgroupMemoryLength:n * 4 atIndex:1];
        [encoder dispatchThreadgroups:one threadsPerThreadgroup:MTLSizeMake(n, 1, 1)];
        [encoder endEncoding];
        wait_good(work);
        for (uint32_t i = 0; i < n; i++) {
            CHECK(values[i] == 1000 + n - 1 - i, "%u of %u: %u", i, n, values[i]);
        }
    }
    [x release];
    [state release];
    host_close(&h);
}

/* x = (x + 3) * 2 in two dispatches of a concurrent encoder. */
static uint32_t concurrent(struct host *h, bool barrier, bool resources)
{
    id<MTLComputePipelineState> state = host_pipeline(h, @"advance");
    id<MTLBuffer> x = host_buffer(h, 16);
    id<MTLCommandBuffer> work = [h->queue commandBuffer];
    id<MTLComputeCommandEncoder> encoder =
        [work computeCommandEncoderWithDispatchType:MTLDispatchTypeConcurrent];
    CHECK([encoder dispatchType] == MTLDispatchTypeConcurrent, "type");
    const uint32_t factor[2] = {1, 2}, add[2] = {3, 0};
    [encoder setComputePipelineState:state];
    [encoder setBuffer:x offset:0 atIndex:0];
    for (int i = 0; i < 2; i++) {
        [encoder setBytes:&factor[i] length:4 atIndex:1];
        [encoder setBytes:&add[i] length:4 atIndex:2];
        [encoder dispatchThreads:one threadsPerThreadgroup:one];
        if (i == 0 && barrier && resources) {
            [encoder memoryBarrierWithResources:(const id<MTLResource>[]){x} count:1];
        } else if (i == 0 && barrier) {
            [encoder memoryBarrierWithScope:MTLBarrierScopeBuffers];
        }
    }
    [encoder endEncoding];
    wait_good(work);
    uint32_t result = *(const uint32_t *)[x contents];
    [x release];
    [state release];
    return result;
}

static void barriers(void)
{
    struct host h = host_open(source);
    for (int i = 0; i < 10; i++) {
        CHECK(concurrent(&h, true, false) == 6, "with a barrier");
        CHECK(concurrent(&h, true, true) == 6, "with a barrier for the buffer");
    }
    host_close(&h);
}

static void missing_barrier(void)
{
    struct host h = host_open(source);
    CHECK(concurrent(&h, false, false) == 3, "the missing barrier does not show");
    host_close(&h);
}

static void indirect(void)
{
    struct host h = host_open(source);
    id<MTLComputePipelineState> state = host_pipeline(&h, @"advance");
    id<MTLBuffer> x = host_buffer(&h, 256), size = host_buffer(&h, 64);
    /* The device writes the size, and the second dispatch reads it: 3 threadgroups of 4. */
    const uint32_t zero = 0, three = 3, one_word = 1;
    uint32_t *arguments = [size contents];
    arguments[4] = arguments[5] = 1;
    id<MTLCommandBuffer> work = [h.queue commandBuffer];
    id<MTLComputeCommandEncoder> encoder = [work computeCommandEncoder];
    [encoder setComputePipelineState:state];
    [encoder setBuffer:size offset:12 atIndex:0];
    [encoder setBytes:&zero length:4 atIndex:1];
    [encoder setBytes:&three length:4 atIndex:2];
    [encoder dispatchThreads:one threadsPerThreadgroup:one];
    [encoder setBuffer:x offset:0 atIndex:0];
    [encoder setBytes:&one_word length:4 atIndex:2];
    [encoder dispatchThreadgroupsWithIndirectBuffer:size
                               indirectBufferOffset:12
                              threadsPerThreadgroup:MTLSizeMake(4, 1, 1)];
    [encoder endEncoding];
    wait_good(work);
    for (int i = 0; i < 64; i++) {
        CHECK(((const uint32_t *)[x contents])[i] == (i < 12), "%d", i);
    }
    [x release];
    [size release];
    [state release];
    host_close(&h);
}

static void timestamps(void)
{
    struct host h = host_open(source);
    id<MTLCounterSet> set = nil;
    for (id<MTLCounterSet> candidate in [h.device counterSets]) {
        if ([[candidate name] isEqualToString:MTLCommonCounterSetTimestamp]) {
            set = candidate;
        }
    }
    CHECK(set && [h.device supportsCounterSampling:MTLCounterSamplingPointAtStageBoundary],
          "no timestamps");
    MTLCounterSampleBufferDescriptor *descriptor =
        [[MTLCounterSampleBufferDescriptor new] autorelease];
    [descriptor setCounterSet:set];
    [descriptor setSampleCount:2];
    [descriptor setStorageMode:MTLStorageModeShared];
    NSError *error = nil;
    id<MTLCounterSampleBuffer> samples = [h.device newCounterSampleBufferWithDescriptor:descriptor
                                                                                  error:&error];
    CHECK(samples, "%s", [[error localizedDescription] UTF8String]);
    MTLComputePassDescriptor *pass = [MTLComputePassDescriptor computePassDescriptor];
    MTLComputePassSampleBufferAttachmentDescriptor *attachment =
        [pass.sampleBufferAttachments objectAtIndexedSubscript:0];
    attachment.sampleBuffer = samples;
    attachment.startOfEncoderSampleIndex = 0;
    attachment.endOfEncoderSampleIndex = 1;

    id<MTLComputePipelineState> state = host_pipeline(&h, @"sum");
    id<MTLBuffer> out = host_buffer(&h, 16);
    id<MTLCommandBuffer> work = [h.queue commandBuffer];
    id<MTLComputeCommandEncoder> encoder = [work computeCommandEncoderWithDescriptor:pass];
    [encoder setComputePipelineState:state];
    [encoder setBuffer:out offset:0 atIndex:0];
    [encoder dispatchThreads:MTLSizeMake(32, 1, 1) threadsPerThreadgroup:MTLSizeMake(32, 1, 1)];
    [encoder endEncoding];
    wait_good(work);
    NSData *data = [samples resolveCounterRange:NSMakeRange(0, 2)];
    const MTLCounterResultTimestamp *times = [data bytes];
    CHECK([data length] == sizeof *times * 2, "%lu bytes", (unsigned long)[data length]);
    CHECK(times[0].timestamp != MTLCounterErrorValue && times[0].timestamp > 0, "no start");
    CHECK(times[1].timestamp > times[0].timestamp, "no end");
    [out release];
    [state release];
    [samples release];
    host_close(&h);
}

/* How a host asks for what macOS 15 brought. */
static void system_version(bool new_enough)
{
    struct host h = host_open(nil);
    NSOperatingSystemVersion fifteen = {15, 0, 0};
    CHECK([[NSProcessInfo processInfo] isOperatingSystemAtLeastVersion:fifteen] == new_enough,
          "version");
    CHECK([h.device respondsToSelector:@selector(newResidencySetWithDescriptor:
                                                                         error:)] == new_enough,
          "device");
    CHECK([h.queue respondsToSelector:@selector(addResidencySet:)] == new_enough, "queue");
    CHECK([[h.queue commandBuffer] respondsToSelector:@selector(useResidencySet:)] == new_enough,
          "command buffer");
    CHECK([MTLCompileOptions instancesRespondToSelector:@selector(setFastMathEnabled:)],
          "compile options");
    CHECK([h.queue respondsToSelector:@selector(commandBuffer)], "what was always there");
    host_close(&h);
}

static void system_14(void)
{
    system_version(false);
}

static void system_15(void)
{
    system_version(true);
}

#define VALIDATE "SOFTMETAL_VALIDATE=1"

static const struct host_case cases[] = {
    {"known_answer", known_answer, false, NULL, NULL},
    {"set_bytes", set_bytes, false, VALIDATE, NULL},
    {"uneven_grid", uneven_grid, false, VALIDATE, NULL},
    {"threadgroup_memory", threadgroup_memory, false, VALIDATE, NULL},
    {"barriers", barriers, false, VALIDATE, NULL},
    {"barriers", barriers, true, "SOFTMETAL_SEED=7", NULL},
    {"missing_barrier", missing_barrier, true, NULL, NULL},
    {"indirect", indirect, false, VALIDATE, NULL},
    {"timestamps", timestamps, false, VALIDATE, NULL},
    {"system_14", system_14, true, "SOFTMETAL_OS=14.6", NULL},
    {"system_15", system_15, true, "SOFTMETAL_OS=15.0", NULL},
    {"system_15", system_15, true, NULL, NULL},
};

HOST_MAIN(cases)
