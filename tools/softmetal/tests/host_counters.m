/* Counters as an unchanged host gets them: labels and debug markers in, a file out. */
#include "host.h"

static NSString *const source =
    @"#include <metal_stdlib>\n"
    @"using namespace metal;\n"
    @"kernel void add(device const float *weights [[buffer(0)]],\n"
    @"                device const float *x [[buffer(1)]], device float *y [[buffer(2)]],\n"
    @"                constant float &scale [[buffer(3)]], uint i [[thread_position_in_grid]])\n"
    @"{\n"
    @"    y[i] = weights[i] * scale + x[i % 32];\n"
    @"}\n";

enum { PAGE = 16384, COUNT = 256, OFFSET = 1024 };

static NSString *counters_path(void)
{
    const char *build = getenv("BUILD");
    return [NSString stringWithFormat:@"%s/tmp/softmetal_counters.%%p.jsonl", build ?: "build"];
}

/* The objects of the file, and no file. */
static NSArray *read_counters(void)
{
    NSString *path = [counters_path()
        stringByReplacingOccurrencesOfString:@"%p"
                                  withString:[NSString stringWithFormat:@"%d", getpid()]];
    NSData *data = [NSData dataWithContentsOfFile:path];
    CHECK(data, "no file %s", [path UTF8String]);
    NSString *text = [[[NSString alloc] initWithData:data
                                            encoding:NSUTF8StringEncoding] autorelease];
    NSMutableArray *objects = [NSMutableArray array];
    for (NSString *line in [text componentsSeparatedByString:@"\n"]) {
        if ([line length] > 0) {
            id object = [NSJSONSerialization
                JSONObjectWithData:[line dataUsingEncoding:NSUTF8StringEncoding]
                           options:0
                             error:NULL];
            CHECK(object, "no JSON: %s", [line UTF8String]);
            [objects addObject:object ?: [NSNull null]];
        }
    }
    unlink([path UTF8String]);
    return objects;
}

static NSDictionary *named(NSArray *list, NSString *key, NSString *name)
{
    for (NSDictionary *each in list) {
        if ([[each objectForKey:key] isEqual:name]) {
            return each;
        }
    }
    CHECK(false, "no %s", [name UTF8String]);
    return nil;
}

static long number(NSDictionary *object, NSString *path)
{
    id at = object;
    for (NSString *key in [path componentsSeparatedByString:@"."]) {
        at = [at objectForKey:key];
    }
    CHECK(at, "no %s", [path UTF8String]);
    return [at longValue];
}

static id<MTLCommandBuffer> encode(struct host *h, id<MTLBuffer> weights, id<MTLBuffer> x,
                                   id<MTLBuffer> y)
{
    const float scale = 2;
    id<MTLComputePipelineState> state = host_pipeline(h, @"add");
    id<MTLCommandBuffer> work = [h->queue commandBuffer];
    id<MTLBlitCommandEncoder> blit = [work blitCommandEncoder];
    [blit fillBuffer:x range:NSMakeRange(0, 128) value:0];
    [blit copyFromBuffer:x sourceOffset:0 toBuffer:y destinationOffset:0 size:64];
    [blit endEncoding];
    id<MTLComputeCommandEncoder> encoder = [work computeCommandEncoder];
    [encoder setComputePipelineState:state];
    [encoder setBuffer:weights offset:OFFSET atIndex:0];
    [encoder setBuffer:x offset:0 atIndex:1];
    [encoder setBuffer:y offset:0 atIndex:2];
    [encoder setBytes:&scale length:sizeof scale atIndex:3];
    for (int i = 0; i < 2; i++) {
        [encoder dispatchThreads:MTLSizeMake(COUNT, 1, 1)
            threadsPerThreadgroup:MTLSizeMake(64, 1, 1)];
    }
    [encoder endEncoding];
    [state release];
    return work;
}

static void run_and_wait(id<MTLCommandBuffer> work)
{
    [work commit];
    [work waitUntilCompleted];
    CHECK([work status] == MTLCommandBufferStatusCompleted, "%s",
          [[[work error] localizedDescription] UTF8String]);
}

static void check_step(NSDictionary *step)
{
    CHECK(number(step, @"launches") == 2 && number(step, @"threadgroups") == 8, "launches");
    CHECK(number(step, @"copies") == 1 && number(step, @"copied_bytes") == 64, "copies");
    CHECK(number(step, @"fills") == 1 && number(step, @"filled_bytes") == 128, "fills");
    NSArray *ranges = [step objectForKey:@"ranges"];
    /* Of the 1024 bytes that are read from byte 1024 on, the first 512 are the norm's, and the last
     * 256 were named once more. */
    NSDictionary *norm = named(ranges, @"name", @"norm");
    NSDictionary *expert = named(ranges, @"name", @"expert \"1\"");
    CHECK([ranges count] == 3, "%lu ranges", (unsigned long)[ranges count]);
    CHECK(number(norm, @"bytes") == 1536, "norm: %ld", number(norm, @"bytes"));
    CHECK(number(norm, @"loads.distinct_threadgroup") == 1024, "norm");
    CHECK(number(norm, @"loads.distinct_command_buffer") == 512, "norm");
    CHECK(number(norm, @"loads.lines") == 8, "norm: %ld", number(norm, @"loads.lines"));
    CHECK(number(expert, @"loads.distinct_command_buffer") == 256, "expert");
    NSArray *buffers = [step objectForKey:@"buffers"];
    CHECK(number(named(buffers, @"label", @"weights"), @"loads.bytes") == 2048, "weights");
    NSDictionary *x = named(buffers, @"label", @"x");
    CHECK(number(x, @"loads.bytes") == 2048, "x");
    CHECK(number(x, @"loads.distinct_threadgroup") == 1024, "x");
    CHECK(number(x, @"loads.distinct_launch") == 256, "x");
    CHECK(number(x, @"loads.distinct_command_buffer") == 128, "x");
    CHECK(number(named(buffers, @"label", @"y"), @"stores.bytes") == 2048, "y");
    CHECK(number(named(buffers, @"label", @""), @"loads.distinct_launch") == 8, "setBytes");
    NSArray *dispatches = [step objectForKey:@"dispatches"];
    CHECK([dispatches count] == 2, "%lu dispatches", (unsigned long)[dispatches count]);
}

/* Weights that the host owns, an input in private storage, and two command buffers. */
static void labels_and_markers(void)
{
    setenv("SOFTMETAL_COUNTERS", [counters_path() UTF8String], 1);
    struct host h = host_open(source);
    void *memory = NULL;
    CHECK(posix_memalign(&memory, PAGE, PAGE) == 0, "no memory");
    memset(memory, 0, PAGE);
    id<MTLBuffer> weights = [h.device newBufferWithBytesNoCopy:memory
                                                        length:PAGE
                                                       options:MTLResourceStorageModeShared
                                                   deallocator:nil];
    id<MTLBuffer> x = [h.device newBufferWithLength:128 options:MTLResourceStorageModePrivate];
    id<MTLBuffer> y = host_buffer(&h, COUNT * sizeof(float));
    [weights setLabel:@"weights"];
    [x setLabel:@"x"];
    [y setLabel:@"y"];
    [weights addDebugMarker:@"norm" range:NSMakeRange(0, OFFSET + 512)];
    [weights addDebugMarker:@"experts" range:NSMakeRange(OFFSET + 512, 4096)];
    [weights addDebugMarker:@"expert \"1\"" range:NSMakeRange(OFFSET + 768, 256)];
    id<MTLCommandBuffer> step = encode(&h, weights, x, y);
    [step setLabel:@"decode"];
    run_and_wait(step);
    [weights removeAllDebugMarkers];
    run_and_wait(encode(&h, weights, x, y));

    NSArray *lines = read_counters();
    CHECK([lines count] == 2, "%lu lines", (unsigned long)[lines count]);
    NSDictionary *second = [lines lastObject];
    check_step(named(lines, @"label", @"decode"));
    CHECK(number(second, @"sequence") == 2, "sequence");
    CHECK([[second objectForKey:@"ranges"] count] == 0, "ranges after removeAllDebugMarkers");
    [weights release];
    [x release];
    [y release];
    host_close(&h);
    free(memory);
}

/* What a command buffer did before it failed is told, and that it failed. */
static void failed(void)
{
    setenv("SOFTMETAL_COUNTERS", [counters_path() UTF8String], 1);
    struct host h = host_open(source);
    id<MTLBuffer> buffer = host_buffer(&h, PAGE), y = host_buffer(&h, PAGE);
    id<MTLCommandBuffer> work = encode(&h, buffer, buffer, y);
    [work commit];
    [work waitUntilCompleted];
    CHECK([work status] == MTLCommandBufferStatusError, "must fail");
    NSDictionary *line = [read_counters() lastObject];
    CHECK([[line objectForKey:@"completed"] boolValue] == NO, "completed");
    CHECK(number(line, @"fills") == 1 && number(line, @"launches") == 0, "half of it");
    [buffer release];
    [y release];
    host_close(&h);
}

static void unwritable(void)
{
    id<MTLDevice> device = MTLCreateSystemDefaultDevice();
    CHECK(!device, "a device whose counters go nowhere");
    abort(); /* so that the message is compared */
}

static void outside(void)
{
    struct host h = host_open(nil);
    id<MTLBuffer> buffer = host_buffer(&h, 64);
    [buffer addDebugMarker:@"all" range:NSMakeRange(0, 64)];
    [buffer addDebugMarker:@"too long" range:NSMakeRange(32, 64)];
    [buffer release];
    host_close(&h);
}

static const struct host_case cases[] = {
    {"labels_and_markers", labels_and_markers, true, NULL, NULL},
    {"labels_and_markers", labels_and_markers, true, "SOFTMETAL_MODE=check", NULL},
    {"failed", failed, true, "SOFTMETAL_FAULT=timeout", NULL},
    {"unwritable", unwritable, true, "SOFTMETAL_COUNTERS=build/no/folder/counters",
     "build/no/folder/counters: the file of the counters cannot be written: No such file"},
    {"outside", outside, true, "SOFTMETAL_VALIDATE=1", "'too long', 64 bytes at 32 of a buffer"},
};

HOST_MAIN(cases)
