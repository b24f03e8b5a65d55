/* The limits of compute encoders: an error of the command buffer, or with validation an abort. */
#include "host.h"

static NSString *const source =
    @"#include <metal_stdlib>\n"
    @"using namespace metal;\n"
    @"kernel void add(device uint *out [[buffer(0)]], constant uint &p [[buffer(1)]],\n"
    @"                uint i [[thread_position_in_grid]])\n"
    @"{\n"
    @"    out[i] += p;\n"
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
    @"kernel void sum(device uint *out [[buffer(0)]], uint i [[thread_position_in_grid]])\n"
    @"{\n"
    @"    uint s = simd_sum(i);\n"
    @"    if (i == 0) out[0] = s;\n"
    @"}\n";

/* The kernels whose sizes are known before they run. */
static NSString *const sized =
    @"#include <metal_stdlib>\n"
    @"using namespace metal;\n"
    @"struct args { uint a, b; uint4 c; };\n"
    @"kernel void take(device uint *out [[buffer(0)]], constant args &p [[buffer(1)]])\n"
    @"{\n"
    @"    threadgroup uint s[6000];\n"
    @"    s[0] = p.c.w;\n"
    @"    out[0] += s[0];\n"
    @"}\n"
    @"[[max_total_threads_per_threadgroup(96)]]\n"
    @"kernel void few(device uint *out [[buffer(0)]], threadgroup uint *t [[threadgroup(0)]])\n"
    @"{\n"
    @"    threadgroup uint s[4096];\n"
    @"    s[0] = t[0] = 1;\n"
    @"    out[0] = s[0] + t[0];\n"
    @"}\n"
    @"kernel void large(device uint *out [[buffer(0)]])\n"
    @"{\n"
    @"    threadgroup uint s[8196];\n"
    @"    s[0] = 1;\n"
    @"    out[0] = s[0];\n"
    @"}\n";

static const MTLSize one = {1, 1, 1};

/* The command buffer ends in an error that says `part`. */
static void refused_of(NSString *text, NSString *kernel,
                       void (^encode)(id<MTLComputeCommandEncoder>, id<MTLBuffer>), NSString *part)
{
    struct host h = host_open(text);
    id<MTLComputePipelineState> state = host_pipeline(&h, kernel);
    id<MTLBuffer> x = host_buffer(&h, 4096);
    id<MTLCommandBuffer> work = [h.queue commandBuffer];
    id<MTLComputeCommandEncoder> encoder = [work computeCommandEncoder];
    [encoder setComputePipelineState:state];
    [encoder setBuffer:x offset:0 atIndex:0];
    encode(encoder, x);
    [encoder endEncoding];
    [work commit];
    [work waitUntilCompleted];
    CHECK([work status] == MTLCommandBufferStatusError, "status %lu", (unsigned long)[work status]);
    CHECK_TEXT([[work error] localizedDescription], part);
    CHECK(*(const uint32_t *)[x contents] == 0, "something ran");
    [x release];
    [state release];
    host_close(&h);
}

static void refused(NSString *kernel, void (^encode)(id<MTLComputeCommandEncoder>, id<MTLBuffer>),
                    NSString *part)
{
    refused_of(source, kernel, encode, part);
}

static void short_buffer(void)
{
    refused_of(
        sized, @"take",
        ^(id<MTLComputeCommandEncoder> encoder, id<MTLBuffer> x) {
          [encoder setBuffer:x offset:4096 - 16 atIndex:1];
          [encoder dispatchThreadgroups:one threadsPerThreadgroup:one];
        },
        @"buffer 1 has 16 bytes from its offset on");
}

static void short_bytes(void)
{
    refused_of(
        sized, @"take",
        ^(id<MTLComputeCommandEncoder> encoder, id<MTLBuffer> x) {
          (void)x;
          char bytes[31] = {0};
          [encoder setBytes:bytes length:sizeof bytes atIndex:1];
          [encoder dispatchThreadgroups:one threadsPerThreadgroup:one];
        },
        @"needs 32");
}

static void static_and_dynamic(void)
{
    refused_of(
        sized, @"few",
        ^(id<MTLComputeCommandEncoder> encoder, id<MTLBuffer> x) {
          (void)x;
          [encoder setThreadgroupMemoryLength:16400 atIndex:0];
          [encoder dispatchThreadgroups:one threadsPerThreadgroup:one];
        },
        @"32784 bytes of threadgroup memory");
}

static void known_sizes(void)
{
    struct host h = host_open(sized);
    id<MTLComputePipelineState> take = host_pipeline(&h, @"take"), few = host_pipeline(&h, @"few");
    CHECK([take staticThreadgroupMemoryLength] == 24000, "%lu",
          (unsigned long)[take staticThreadgroupMemoryLength]);
    CHECK([few staticThreadgroupMemoryLength] == 16384, "%lu",
          (unsigned long)[few staticThreadgroupMemoryLength]);
    CHECK([few maxTotalThreadsPerThreadgroup] == 96, "%lu",
          (unsigned long)[few maxTotalThreadsPerThreadgroup]);
    NSError *error = nil;
    id<MTLFunction> large = [h.library newFunctionWithName:@"large"];
    CHECK(large, "no function");
    CHECK(![h.device newComputePipelineStateWithFunction:large error:&error] && error,
          "a pipeline state of 32784 bytes of threadgroup memory");
    CHECK_TEXT([error localizedDescription], @"32784");

    /* As long as the structure and no longer. */
    id<MTLBuffer> x = host_buffer(&h, 32);
    uint32_t values[8] = {0, 0, 0, 0, 0, 0, 0, 7};
    id<MTLCommandBuffer> work = [h.queue commandBuffer];
    id<MTLComputeCommandEncoder> encoder = [work computeCommandEncoder];
    [encoder setComputePipelineState:take];
    [encoder setBuffer:x offset:0 atIndex:0];
    [encoder setBytes:values length:sizeof values atIndex:1];
    [encoder dispatchThreadgroups:one threadsPerThreadgroup:one];
    [encoder endEncoding];
    [work commit];
    [work waitUntilCompleted];
    CHECK([work status] == MTLCommandBufferStatusCompleted, "%s",
          [[[work error] localizedDescription] UTF8String]);
    CHECK(*(const uint32_t *)[x contents] == 7, "%u", *(const uint32_t *)[x contents]);
    [x release];
    [large release];
    [take release];
    [few release];
    host_close(&h);
}

static void long_bytes(void)
{
    refused(
        @"add",
        ^(id<MTLComputeCommandEncoder> encoder, id<MTLBuffer> x) {
          (void)x;
          char bytes[4100] = {0};
          [encoder setBytes:bytes length:sizeof bytes atIndex:1];
        },
        @"setBytes");
}

static void odd_threadgroup_memory(void)
{
    refused(
        @"reverse",
        ^(id<MTLComputeCommandEncoder> encoder, id<MTLBuffer> x) {
          (void)x;
          [encoder setThreadgroupMemoryLength:40 atIndex:0];
        },
        @"multiple of 16");
}

static void much_threadgroup_memory(void)
{
    refused(
        @"reverse",
        ^(id<MTLComputeCommandEncoder> encoder, id<MTLBuffer> x) {
          (void)x;
          [encoder setThreadgroupMemoryLength:32768 atIndex:0];
          [encoder setThreadgroupMemoryLength:16 atIndex:1];
          [encoder dispatchThreadgroups:one threadsPerThreadgroup:one];
        },
        @"32784 bytes of threadgroup memory");
}

static void offset_outside(void)
{
    refused(
        @"sum",
        ^(id<MTLComputeCommandEncoder> encoder, id<MTLBuffer> x) {
          [encoder setBuffer:x offset:4096 atIndex:0];
        },
        @"offset 4096");
}

static void index_outside(void)
{
    refused(
        @"sum",
        ^(id<MTLComputeCommandEncoder> encoder, id<MTLBuffer> x) {
          [encoder setBuffer:x offset:0 atIndex:31];
        },
        @"below 31");
}

static void too_many_threads(void)
{
    refused(
        @"sum",
        ^(id<MTLComputeCommandEncoder> encoder, id<MTLBuffer> x) {
          (void)x;
          [encoder dispatchThreadgroups:one threadsPerThreadgroup:MTLSizeMake(513, 1, 1)];
        },
        @"1 to 512");
}

static void nothing_bound(void)
{
    refused(
        @"add",
        ^(id<MTLComputeCommandEncoder> encoder, id<MTLBuffer> x) {
          (void)x;
          [encoder dispatchThreads:one threadsPerThreadgroup:one];
        },
        @"buffer index 1");
}

static void empty_grid(void)
{
    refused(
        @"sum",
        ^(id<MTLComputeCommandEncoder> encoder, id<MTLBuffer> x) {
          (void)x;
          [encoder dispatchThreadgroups:MTLSizeMake(0, 1, 1)
                  threadsPerThreadgroup:MTLSizeMake(32, 1, 1)];
        },
        @"empty");
}

static void after_end(void)
{
    struct host h = host_open(source);
    id<MTLBuffer> x = host_buffer(&h, 64);
    id<MTLCommandBuffer> work = [h.queue commandBuffer];
    id<MTLComputeCommandEncoder> encoder = [work computeCommandEncoder];
    [encoder endEncoding];
    [encoder setBuffer:x offset:0 atIndex:0];
    [work commit];
    [work waitUntilCompleted];
    CHECK([work status] == MTLCommandBufferStatusError, "status");
    CHECK_TEXT([[work error] localizedDescription], @"after endEncoding");
    [x release];
    host_close(&h);
}

static void never_ended(void)
{
    struct host h = host_open(source);
    id<MTLCommandBuffer> work = [h.queue commandBuffer];
    @autoreleasepool {
        id<MTLComputeCommandEncoder> encoder = [work computeCommandEncoder];
        [encoder setLabel:@"forgetful"];
    }
    [work commit];
    [work waitUntilCompleted];
    CHECK([work status] == MTLCommandBufferStatusError, "status");
    CHECK_TEXT([[work error] localizedDescription], @"forgetful");
    host_close(&h);
}

static void broken_promise(void)
{
    struct host h = host_open(source);
    MTLComputePipelineDescriptor *descriptor = [[MTLComputePipelineDescriptor new] autorelease];
    id<MTLFunction> function = [[h.library newFunctionWithName:@"sum"] autorelease];
    [descriptor setComputeFunction:function];
    [descriptor setThreadGroupSizeIsMultipleOfThreadExecutionWidth:YES];
    NSError *error = nil;
    id<MTLComputePipelineState> state =
        [h.device newComputePipelineStateWithDescriptor:descriptor
                                                options:MTLPipelineOptionNone
                                             reflection:NULL
                                                  error:&error];
    id<MTLBuffer> x = host_buffer(&h, 64);
    id<MTLCommandBuffer> work = [h.queue commandBuffer];
    id<MTLComputeCommandEncoder> encoder = [work computeCommandEncoder];
    [encoder setComputePipelineState:state];
    [encoder setBuffer:x offset:0 atIndex:0];
    [encoder dispatchThreadgroups:one threadsPerThreadgroup:MTLSizeMake(48, 1, 1)];
    [encoder endEncoding];
    [work commit];
    [work waitUntilCompleted];
    CHECK([work status] == MTLCommandBufferStatusError, "48 threads");
    [x release];
    [state release];
    host_close(&h);
}

#define VALIDATE "SOFTMETAL_VALIDATE=1"

static const struct host_case cases[] = {
    {"known_sizes", known_sizes, false, NULL, NULL},
    {"short_buffer", short_buffer, true, NULL, NULL},
    {"short_buffer", short_buffer, true, VALIDATE, "buffer 1 has 16 bytes"},
    {"short_bytes", short_bytes, true, NULL, NULL},
    {"short_bytes", short_bytes, true, VALIDATE, "needs 32"},
    {"static_and_dynamic", static_and_dynamic, true, NULL, NULL},
    {"static_and_dynamic", static_and_dynamic, true, VALIDATE, "at most 32768"},
    {"long_bytes", long_bytes, true, NULL, NULL},
    {"long_bytes", long_bytes, true, VALIDATE, "4100 bytes for buffer 1"},
    {"odd_threadgroup_memory", odd_threadgroup_memory, true, NULL, NULL},
    {"odd_threadgroup_memory", odd_threadgroup_memory, true, VALIDATE, "multiple of 16"},
    {"much_threadgroup_memory", much_threadgroup_memory, true, NULL, NULL},
    {"much_threadgroup_memory", much_threadgroup_memory, true, VALIDATE, "at most 32768"},
    {"offset_outside", offset_outside, true, NULL, NULL},
    {"offset_outside", offset_outside, true, VALIDATE, "offset 4096 must be below"},
    {"index_outside", index_outside, true, NULL, NULL},
    {"index_outside", index_outside, true, VALIDATE, "below 31"},
    {"too_many_threads", too_many_threads, true, "SOFTMETAL_MAX_THREADS=512", NULL},
    {"too_many_threads", too_many_threads, true, VALIDATE " SOFTMETAL_MAX_THREADS=512",
     "maxTotalThreadsPerThreadgroup"},
    {"nothing_bound", nothing_bound, true, NULL, NULL},
    {"nothing_bound", nothing_bound, true, VALIDATE, "nothing is bound at buffer index 1"},
    {"empty_grid", empty_grid, true, NULL, NULL},
    {"empty_grid", empty_grid, true, VALIDATE, "must not be empty"},
    {"after_end", after_end, true, NULL, NULL},
    {"after_end", after_end, true, VALIDATE, "after endEncoding"},
    {"never_ended", never_ended, true, NULL, NULL},
    {"never_ended", never_ended, true, VALIDATE, "released without endEncoding"},
    {"broken_promise", broken_promise, true, NULL, NULL},
    {"broken_promise", broken_promise, true, VALIDATE, "was promised"},
};

HOST_MAIN(cases)
