/* The checking mode's watch over the host: reads before completion and writes to what pending work
 * uses are reported at their line; the same programs with the wait stay silent. */
#include "host.h"
#include <pthread.h>
#include <setjmp.h>
#include <sys/mman.h>

static NSString *const source =
    @"#include <metal_stdlib>\n"
    @"using namespace metal;\n"
    @"kernel void twice(device const uint *in [[buffer(0)]], device uint *out [[buffer(1)]],\n"
    @"                  uint i [[thread_position_in_grid]])\n"
    @"{\n"
    @"    out[i] = in[i] * 2;\n"
    @"}\n"
    @"struct table { device uint *to; };\n"
    @"kernel void through(constant table &t [[buffer(0)]]) { t.to[0] = 7; }\n";

enum { COUNT = 64, BYTES = 65536 };

struct work {
    struct host h;
    id<MTLComputePipelineState> state;
    id<MTLBuffer> in, out;
    id<MTLCommandBuffer> buffer;
    volatile uint32_t *from, *to;
};

static volatile uint32_t sink;

static struct work prepare(void)
{
    struct work w = {.h = host_open(source)};
    w.state = host_pipeline(&w.h, @"twice");
    w.in = host_buffer(&w.h, BYTES);
    w.out = host_buffer(&w.h, BYTES);
    [w.in setLabel:@"input"];
    [w.out setLabel:@"result"];
    w.from = [w.in contents];
    w.to = [w.out contents];
    for (uint32_t i = 0; i < COUNT; i++) {
        w.from[i] = i + 1;
    }
    return w;
}

static void encode(struct work *w, id<MTLBuffer> in, id<MTLBuffer> out)
{
    id<MTLComputeCommandEncoder> encoder = [w->buffer computeCommandEncoder];
    [encoder setComputePipelineState:w->state];
    [encoder setBuffer:in offset:0 atIndex:0];
    [encoder setBuffer:out offset:0 atIndex:1];
    [encoder dispatchThreadgroups:MTLSizeMake(1, 1, 1)
            threadsPerThreadgroup:MTLSizeMake(COUNT, 1, 1)];
    [encoder endEncoding];
}

static struct work commit(void)
{
    struct work w = prepare();
    w.buffer = [w.h.queue commandBuffer];
    [w.buffer setLabel:@"work"];
    encode(&w, w.in, w.out);
    [w.buffer commit];
    return w;
}

static void finish(struct work *w)
{
    [w->buffer waitUntilCompleted];
    CHECK(w->to[COUNT - 1] == 2 * COUNT, "%u", w->to[COUNT - 1]);
    [w->in release];
    [w->out release];
    [w->state release];
    host_close(&w->h);
}

/* ---- faults ------------------------------------------------------------------------------------*/

static void missing_wait(void)
{
    struct work w = commit();
    for (int i = 0; i < 4; i++) {
        sink = w.to[i]; /* FAULT missing_wait */
    }
}

static void wait_after(void)
{
    struct work w = commit();
    sink = w.to[5]; /* FAULT wait_after */
    finish(&w);
}

static void copied(void)
{
    struct work w = commit();
    static uint32_t copy[BYTES / 4];
    memcpy(copy, (const void *)w.to, BYTES); /* FAULT copied */
    sink = copy[1];
    finish(&w);
}

static void overwritten(void)
{
    struct work w = commit();
    w.from[0] = 1; /* FAULT overwritten */
    finish(&w);
}

static void result_overwritten(void)
{
    struct work w = commit();
    w.to[3] = 0; /* FAULT result_overwritten */
    finish(&w);
}

static void *read_it(void *to)
{
    sink = *(volatile uint32_t *)to; /* FAULT threads */
    return NULL;
}

static void threads(void)
{
    struct work w = commit();
    pthread_t thread;
    CHECK(pthread_create(&thread, NULL, read_it, (void *)w.to) == 0, "no thread");
    pthread_join(thread, NULL);
    finish(&w);
}

static void only_scheduled(void)
{
    struct work w = commit();
    [w.buffer waitUntilScheduled];
    sink = w.to[0]; /* FAULT only_scheduled */
    finish(&w);
}

static void other_buffer(void)
{
    struct work w = commit();
    id<MTLCommandQueue> queue = [w.h.device newCommandQueue];
    id<MTLCommandBuffer> other = [queue commandBuffer];
    [other commit];
    [other waitUntilCompleted];
    sink = w.to[0]; /* FAULT other_buffer */
    [queue release];
    finish(&w);
}

static void blit(void)
{
    struct work w = prepare();
    w.buffer = [w.h.queue commandBuffer];
    id<MTLBlitCommandEncoder> encoder = [w.buffer blitCommandEncoder];
    [encoder copyFromBuffer:w.in sourceOffset:0 toBuffer:w.out destinationOffset:4 size:4 * COUNT];
    [encoder endEncoding];
    [w.buffer commit];
    sink = w.to[1]; /* FAULT blit */
    [w.buffer waitUntilCompleted];
    CHECK(w.to[COUNT] == COUNT, "%u", w.to[COUNT]);
}

static void no_copy(void)
{
    struct work w = prepare();
    char *all = mmap(NULL, 2 * BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANON, -1, 0);
    char *at = all + (16384 - (uintptr_t)all % 16384) % 16384;
    id<MTLBuffer> mine = [w.h.device newBufferWithBytesNoCopy:at
                                                       length:BYTES
                                                      options:MTLResourceStorageModeShared
                                                  deallocator:nil];
    w.buffer = [w.h.queue commandBuffer];
    encode(&w, w.in, mine);
    [w.buffer commit];
    sink = *(volatile uint32_t *)at; /* FAULT no_copy */
    [w.buffer waitUntilCompleted];
    CHECK(*(uint32_t *)at == 2, "no result");
    [mine release];
    munmap(all, 2 * BYTES);
}

static void pointer(void)
{
    struct work w = prepare();
    id<MTLComputePipelineState> state = host_pipeline(&w.h, @"through");
    uint64_t address = [w.out gpuAddress];
    id<MTLCommandBuffer> buffer = [w.h.queue commandBuffer];
    id<MTLComputeCommandEncoder> encoder = [buffer computeCommandEncoder];
    [encoder setComputePipelineState:state];
    [encoder setBytes:&address length:sizeof address atIndex:0];
    [encoder useResource:w.out usage:MTLResourceUsageWrite];
    [encoder dispatchThreadgroups:MTLSizeMake(1, 1, 1) threadsPerThreadgroup:MTLSizeMake(1, 1, 1)];
    [encoder endEncoding];
    [buffer commit];
    sink = w.to[0]; /* FAULT pointer */
    [buffer waitUntilCompleted];
    CHECK(w.to[0] == 7, "%u", w.to[0]);
}

/* ---- no faults ---------------------------------------------------------------------------------*/

static void waited(void)
{
    struct work w = commit();
    [w.buffer waitUntilCompleted];
    for (int i = 0; i < COUNT; i++) {
        w.from[i] = sink = w.to[i];
    }
    finish(&w);
}

/* Reads of inputs, and all of the same pages that the kernel does not use. */
static void elsewhere(void)
{
    struct work w = commit();
    sink = w.from[0];
    sink = w.to[COUNT];
    w.to[COUNT + 1] = w.from[COUNT + 1] = 3;
    w.to[BYTES / 4 - 1] = 4;
    finish(&w);
    CHECK(sink == 0, "%u", sink);
}

static void in_handler(void)
{
    struct work w = prepare();
    w.buffer = [w.h.queue commandBuffer];
    encode(&w, w.in, w.out);
    __block bool called = false;
    volatile uint32_t *to = w.to;
    [w.buffer addCompletedHandler:^(id<MTLCommandBuffer> done) {
      (void)done;
      sink = to[0];
      called = true;
    }];
    [w.buffer commit];
    finish(&w);
    CHECK(called, "no handler");
}

/* Work behind an event that the host signals uses what was written before the signal. */
static void event(void)
{
    struct work w = prepare();
    id<MTLSharedEvent> go = [w.h.device newSharedEvent], done = [w.h.device newSharedEvent];
    w.buffer = [w.h.queue commandBuffer];
    [w.buffer encodeWaitForEvent:go value:1];
    encode(&w, w.in, w.out);
    [w.buffer encodeSignalEvent:done value:1];
    [w.buffer commit];
    w.from[0] = 50;
    w.to[0] = 0;
    [go setSignaledValue:1];
    CHECK([done waitUntilSignaledValue:1 timeoutMS:10000], "no signal");
    CHECK(w.to[0] == 100, "%u", w.to[0]);
    finish(&w);
    [go release];
    [done release];
}

/* The same, through work of another queue that was committed after the write. */
static void event_of_another(void)
{
    struct work w = prepare();
    id<MTLCommandQueue> queue = [w.h.device newCommandQueue];
    id<MTLEvent> go = [w.h.device newEvent];
    w.buffer = [w.h.queue commandBuffer];
    [w.buffer encodeWaitForEvent:go value:1];
    encode(&w, w.in, w.out);
    [w.buffer commit];
    w.from[0] = 50;
    id<MTLCommandBuffer> other = [queue commandBuffer];
    [other encodeSignalEvent:go value:1];
    [other commit];
    [other waitUntilCompleted];
    finish(&w);
    [go release];
    [queue release];
}

static sigjmp_buf back;

static void own_handler(int number)
{
    (void)number;
    siglongjmp(back, 1);
}

/* A fault that is the host's own affair reaches the handler that was there before. */
static void chained(void)
{
    signal(SIGSEGV, own_handler);
    struct work w = commit();
    volatile uint32_t *nowhere = (uint32_t *)16;
    if (sigsetjmp(back, 1) == 0) {
        sink = *nowhere;
        CHECK(false, "no fault");
    }
    finish(&w);
}

#define MODE "SOFTMETAL_MODE=check"
#define EARLY(name, text)                                                                          \
    {                                                                                              \
#name, name, true, MODE, NULL, text, __FILE__                                              \
    }
#define SILENT(name)                                                                               \
    {                                                                                              \
#name, name, true, MODE, NULL, NULL, NULL                                                  \
    }
#define READ(byte)                                                                                 \
    "host read before completion: buffer 'result' at byte " #byte                                  \
    ", which kernel 'twice' of command buffer 'work' writes"
#define WRITE(label, byte)                                                                         \
    "host write before completion: buffer '" label "' at byte " #byte                              \
    ", which kernel 'twice' of command buffer 'work' uses"

static const struct host_case cases[] = {
    EARLY(missing_wait, READ(0)),
    EARLY(wait_after, READ(20)),
    EARLY(copied, READ(0)),
    EARLY(overwritten, WRITE("input", 0)),
    EARLY(result_overwritten, WRITE("result", 12)),
    EARLY(threads, READ(0)),
    EARLY(only_scheduled, READ(0)),
    EARLY(other_buffer, READ(0)),
    EARLY(blit, "host read before completion: buffer 'result' at byte 4, which a blit of"),
    EARLY(no_copy, "host read before completion: buffer '' at byte 0, which kernel 'twice'"),
    EARLY(pointer, "host read before completion: buffer 'result' at byte 0, which kernel "),
    SILENT(waited),
    SILENT(elsewhere),
    SILENT(in_handler),
    SILENT(event),
    SILENT(event_of_another),
    SILENT(chained),
};

HOST_MAIN(cases)
