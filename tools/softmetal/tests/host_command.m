/* Command buffers: when results are there, in which order handlers are called, several queues and
 * events, errors. */
#include "host.h"
#include <pthread.h>
#include <stdatomic.h>

static NSString *const source =
    @"#include <metal_stdlib>\n"
    @"using namespace metal;\n"
    @"kernel void advance(device uint *x [[buffer(0)]], constant uint &a [[buffer(1)]],\n"
    @"                 constant uint &b [[buffer(2)]], uint i [[thread_position_in_grid]])\n"
    @"{\n"
    @"    x[i] = x[i] * a + b;\n"
    @"}\n";

enum { COUNT = 64 };

/* A command buffer that does x = x * a + b. */
static id<MTLCommandBuffer> step(const struct host *h, id<MTLCommandQueue> queue, id<MTLBuffer> x,
                                 uint32_t a, uint32_t b)
{
    id<MTLComputePipelineState> state = host_pipeline(h, @"advance");
    id<MTLCommandBuffer> buffer = [queue commandBuffer];
    id<MTLComputeCommandEncoder> encoder = [buffer computeCommandEncoder];
    [encoder setComputePipelineState:state];
    [encoder setBuffer:x offset:0 atIndex:0];
    [encoder setBytes:&a length:sizeof a atIndex:1];
    [encoder setBytes:&b length:sizeof b atIndex:2];
    [encoder dispatchThreads:MTLSizeMake(COUNT, 1, 1)
        threadsPerThreadgroup:MTLSizeMake(COUNT, 1, 1)];
    [encoder endEncoding];
    [state release];
    return buffer;
}

static void waited(void)
{
    struct host h = host_open(source);
    id<MTLBuffer> x = host_buffer(&h, COUNT * 4);
    id<MTLCommandBuffer> work = step(&h, h.queue, x, 1, 5);
    [work setLabel:@"five"];
    CHECK([work status] == MTLCommandBufferStatusNotEnqueued, "before");
    CHECK([work GPUStartTime] == 0, "a time before it ran");
    [work enqueue];
    CHECK([work status] == MTLCommandBufferStatusEnqueued, "enqueued");
    [work commit];
    [work waitUntilScheduled];
    CHECK([work status] >= MTLCommandBufferStatusScheduled, "scheduled");
    [work waitUntilCompleted];
    CHECK([work status] == MTLCommandBufferStatusCompleted, "%lu", (unsigned long)[work status]);
    CHECK(![work error], "an error");
    CHECK([work GPUEndTime] >= [work GPUStartTime] && [work GPUStartTime] > 0, "times");
    CHECK(((const uint32_t *)[x contents])[COUNT - 1] == 5, "result");
    CHECK([[work label] isEqualToString:@"five"], "label");
    [x release];
    host_close(&h);
}

/* The bug that these results must make visible: reading without waiting. Twenty times, each with
 * something else that is no wait. */
static void missing_wait(void)
{
    struct host h = host_open(source);
    for (int i = 0; i < 20; i++) {
        @autoreleasepool {
            id<MTLBuffer> x = host_buffer(&h, COUNT * 4);
            const volatile uint32_t *out = [x contents];
            id<MTLCommandBuffer> work = step(&h, h.queue, x, 1, 5);
            [work commit];
            if (i % 4 == 1) {
                [work waitUntilScheduled];
            } else if (i % 4 == 2) {
                usleep(20000);
            } else if (i % 4 == 3) {
                id<MTLCommandBuffer> other = step(&h, h.queue, x, 1, 1);
                [other commit];
            }
            CHECK(out[0] == 0, "case %d: results without a wait", i);
            [work waitUntilCompleted];
            CHECK(out[0] == 5, "case %d: %u after the wait", i, out[0]);
            [x release];
        }
    }
    host_close(&h);
}

/* Waiting for the first of two does not run the second; and an input that the host overwrites too
 * early is seen to be overwritten. */
static void waited_for_another(void)
{
    struct host h = host_open(source);
    id<MTLBuffer> x = host_buffer(&h, COUNT * 4), y = host_buffer(&h, COUNT * 4);
    uint32_t *in_x = [x contents], *in_y = [y contents];
    in_y[0] = 3;
    id<MTLCommandBuffer> first = step(&h, h.queue, x, 1, 5);
    id<MTLCommandBuffer> second = step(&h, h.queue, y, 10, 0);
    [first commit];
    [second commit];
    [first waitUntilCompleted];
    CHECK(in_x[0] == 5, "%u", in_x[0]);
    CHECK(in_y[0] == 3, "the second ran too: %u", in_y[0]);
    in_y[0] = 4;
    [second waitUntilCompleted];
    CHECK(in_y[0] == 40, "the early write is not seen: %u", in_y[0]);
    [x release];
    [y release];
    host_close(&h);
}

static void status_poll(void)
{
    struct host h = host_open(source);
    id<MTLBuffer> x = host_buffer(&h, COUNT * 4);
    id<MTLCommandBuffer> work = step(&h, h.queue, x, 1, 5);
    [work commit];
    int polls = 0;
    while ([work status] < MTLCommandBufferStatusCompleted && polls < 20000) {
        polls++;
        usleep(100);
    }
    CHECK([work status] == MTLCommandBufferStatusCompleted, "never");
    CHECK(((const uint32_t *)[x contents])[0] == 5, "result");
    [x release];
    host_close(&h);
}

/* Nobody asks, and yet it gets done: as a GPU would. */
static void forgotten(void)
{
    struct host h = host_open(source);
    id<MTLBuffer> x = host_buffer(&h, COUNT * 4);
    id<MTLCommandBuffer> work = step(&h, h.queue, x, 1, 5);
    [work commit];
    const volatile uint32_t *out = [x contents];
    for (int i = 0; i < 10000 && out[0] == 0; i++) {
        usleep(1000);
    }
    CHECK(out[0] == 5, "%u", out[0]);
    [work waitUntilCompleted];
    [x release];
    host_close(&h);
}

static _Atomic int calls;
static _Atomic int order[16];

static void note(int what)
{
    order[calls++ & 15] = what;
}

static void handlers_in_order(void)
{
    struct host h = host_open(source);
    id<MTLBuffer> x = host_buffer(&h, COUNT * 4);
    const uint32_t *out = [x contents];
    pthread_t main_thread = pthread_self();
    id<MTLCommandBuffer> first = step(&h, h.queue, x, 1, 5), second = step(&h, h.queue, x, 2, 0);
    [first addScheduledHandler:^(id<MTLCommandBuffer> b) {
      CHECK(b == first && [b status] < MTLCommandBufferStatusCompleted, "scheduled");
      note(1);
    }];
    [first addCompletedHandler:^(id<MTLCommandBuffer> b) {
      CHECK(b == first && [b status] == MTLCommandBufferStatusCompleted, "completed");
      CHECK(!pthread_equal(main_thread, pthread_self()), "on the thread of the host");
      CHECK(out[0] == 5, "no result yet: %u", out[0]);
      note(2);
    }];
    [first addCompletedHandler:^(id<MTLCommandBuffer> b) {
      (void)b;
      note(3);
    }];
    [second addCompletedHandler:^(id<MTLCommandBuffer> b) {
      (void)b;
      note(4);
    }];
    [first commit];
    [second commit];
    [second waitUntilCompleted];
    CHECK(calls == 4, "%d handlers of 4 were called before the wait returned", calls);
    for (int i = 0; i < 4; i++) {
        CHECK(order[i] == i + 1, "call %d was handler %d", i, order[i]);
    }
    CHECK(out[0] == 10, "%u", out[0]);
    [x release];
    host_close(&h);
}

/* Handlers are called though nobody waits, and may use Foundation and keep objects. */
static void handler_without_wait(void)
{
    struct host h = host_open(source);
    id<MTLBuffer> x = host_buffer(&h, COUNT * 4);
    static _Atomic int done;
    @autoreleasepool {
        NSMutableArray *kept = [NSMutableArray arrayWithObject:@"kept by the block alone"];
        id<MTLCommandBuffer> work = step(&h, h.queue, x, 1, 5);
        [work addCompletedHandler:^(id<MTLCommandBuffer> b) {
          NSString *text = [NSString
              stringWithFormat:@"%@ %lu", [kept objectAtIndex:0], (unsigned long)[b status]];
          CHECK([text isEqualToString:@"kept by the block alone 4"], "%s", [text UTF8String]);
          done = 1;
        }];
        [work commit];
    }
    for (int i = 0; i < 10000 && !done; i++) {
        usleep(1000);
    }
    CHECK(done, "the handler was never called");
    CHECK(((const uint32_t *)[x contents])[0] == 5, "result");
    [x release];
    host_close(&h);
}

static void enqueue_decides(void)
{
    struct host h = host_open(source);
    id<MTLBuffer> x = host_buffer(&h, COUNT * 4);
    id<MTLCommandBuffer> add = step(&h, h.queue, x, 1, 5), twice = step(&h, h.queue, x, 2, 0);
    [add enqueue];
    [twice enqueue];
    [twice commit];
    usleep(20000);
    [add commit];
    [twice waitUntilCompleted];
    uint32_t result = ((const uint32_t *)[x contents])[0];
    CHECK(result == 10, "(0 + 5) * 2 is %u", result);
    [x release];
    host_close(&h);
}

static void two_queues(void)
{
    struct host h = host_open(source);
    id<MTLCommandQueue> other = [h.device newCommandQueue];
    id<MTLBuffer> x = host_buffer(&h, COUNT * 4);
    id<MTLEvent> event = [h.device newEvent];
    uint32_t expected = 0;
    for (uint64_t i = 1; i <= 10; i++) {
        @autoreleasepool {
            /* The second is committed first, and still runs second. */
            id<MTLCommandBuffer> second = [other commandBuffer];
            [second encodeWaitForEvent:event value:i];
            [second commit];
            id<MTLCommandBuffer> twice = step(&h, other, x, 2, 0);
            [twice commit];
            id<MTLCommandBuffer> first = step(&h, h.queue, x, 1, 3);
            [first encodeSignalEvent:event value:i];
            [first commit];
            [twice waitUntilCompleted];
            expected = (expected + 3) * 2;
            uint32_t result = ((const uint32_t *)[x contents])[0];
            CHECK(result == expected, "round %d: %u, not %u", (int)i, result, expected);
        }
    }
    [event release];
    [x release];
    [other release];
    host_close(&h);
}

static void shared_events(void)
{
    struct host h = host_open(source);
    id<MTLBuffer> x = host_buffer(&h, COUNT * 4);
    id<MTLSharedEvent> event = [h.device newSharedEvent];
    MTLSharedEventListener *listener = [MTLSharedEventListener new];
    static _Atomic uint64_t notified;
    [event notifyListener:listener
                  atValue:2
                    block:^(id<MTLSharedEvent> e, uint64_t value) {
                      CHECK(e == event, "another event");
                      notified = value;
                    }];
    id<MTLCommandBuffer> work = [h.queue commandBuffer];
    [work encodeWaitForEvent:event value:1];
    [work commit];
    id<MTLCommandBuffer> add = step(&h, h.queue, x, 1, 5);
    [add encodeSignalEvent:event value:2];
    [add commit];
    CHECK(![event waitUntilSignaledValue:2 timeoutMS:50], "the host has not signaled 1");
    CHECK([event signaledValue] == 0, "%llu", (unsigned long long)[event signaledValue]);
    [event setSignaledValue:1];
    CHECK([event waitUntilSignaledValue:2 timeoutMS:20000], "never 2");
    CHECK(((const uint32_t *)[x contents])[0] == 5, "result");
    for (int i = 0; i < 10000 && notified == 0; i++) {
        usleep(1000);
    }
    CHECK(notified == 2, "notified of %llu", (unsigned long long)notified);
    [listener release];
    [event release];
    [x release];
    host_close(&h);
}

static void many_in_flight(void)
{
    struct host h = host_open(source);
    id<MTLCommandQueue> queue = [h.device newCommandQueueWithMaxCommandBufferCount:4];
    id<MTLBuffer> x = host_buffer(&h, COUNT * 4);
    for (int i = 0; i < 40; i++) {
        @autoreleasepool {
            [step(&h, queue, x, 1, 1) commit];
        }
    }
    id<MTLCommandBuffer> last = [queue commandBuffer];
    [last commit];
    [last waitUntilCompleted];
    CHECK(((const uint32_t *)[x contents])[0] == 40, "%u", ((const uint32_t *)[x contents])[0]);
    [x release];
    [queue release];
    host_close(&h);
}

static void *committer(void *argument)
{
    const struct host *h = argument;
    id<MTLBuffer> x = host_buffer(h, COUNT * 4);
    for (int i = 0; i < 25; i++) {
        @autoreleasepool {
            id<MTLCommandBuffer> work = step(h, h->queue, x, 1, 1);
            [work commit];
            if (i % 5 == 4) {
                [work waitUntilCompleted];
            }
        }
    }
    CHECK(((const uint32_t *)[x contents])[0] == 25, "%u", ((const uint32_t *)[x contents])[0]);
    [x release];
    return NULL;
}

static void many_threads(void)
{
    struct host h = host_open(source);
    pthread_t threads[4];
    for (int i = 0; i < 4; i++) {
        pthread_create(&threads[i], NULL, committer, &h);
    }
    for (int i = 0; i < 4; i++) {
        pthread_join(threads[i], NULL);
    }
    host_close(&h);
}

static void committed_twice(void)
{
    struct host h = host_open(source);
    id<MTLBuffer> x = host_buffer(&h, COUNT * 4);
    id<MTLCommandBuffer> work = step(&h, h.queue, x, 1, 5);
    [work commit];
    [work commit];
    [work waitUntilCompleted];
    CHECK([work status] == MTLCommandBufferStatusError, "status");
    CHECK_TEXT([[work error] localizedDescription], @"commit");
    [x release];
    host_close(&h);
}

static void handler_after_commit(void)
{
    struct host h = host_open(source);
    id<MTLCommandBuffer> work = [h.queue commandBuffer];
    [work commit];
    [work addCompletedHandler:^(id<MTLCommandBuffer> b) {
      (void)b;
      CHECK(false, "called");
    }];
    [work waitUntilCompleted];
    host_close(&h);
}

static void open_encoder(void)
{
    struct host h = host_open(source);
    id<MTLCommandBuffer> work = [h.queue commandBuffer];
    id<MTLBlitCommandEncoder> blit = [work blitCommandEncoder];
    CHECK(![work computeCommandEncoder], "two encoders at once");
    [work commit];
    [work waitUntilCompleted];
    CHECK([work status] == MTLCommandBufferStatusError, "status");
    [blit endEncoding];
    host_close(&h);
}

static void wait_before_commit(void)
{
    struct host h = host_open(source);
    id<MTLCommandBuffer> work = [h.queue commandBuffer];
    [work waitUntilCompleted];
    host_close(&h);
}

static void expect_fault(MTLCommandBufferError code, bool first)
{
    struct host h = host_open(source);
    id<MTLBuffer> x = host_buffer(&h, COUNT * 4);
    static _Atomic int called;
    for (int i = 0; i < 3; i++) {
        MTLCommandBufferDescriptor *descriptor = [[MTLCommandBufferDescriptor new] autorelease];
        [descriptor setErrorOptions:MTLCommandBufferErrorOptionEncoderExecutionStatus];
        id<MTLCommandBuffer> work = [h.queue commandBufferWithDescriptor:descriptor];
        id<MTLBlitCommandEncoder> blit = [work blitCommandEncoder];
        [blit setLabel:@"filler"];
        [blit fillBuffer:x range:NSMakeRange(0, 4) value:1];
        [blit fillBuffer:x range:NSMakeRange(4, 4) value:1];
        [blit endEncoding];
        [work addCompletedHandler:^(id<MTLCommandBuffer> b) {
          called += [b status] == MTLCommandBufferStatusError;
        }];
        [work commit];
        [work waitUntilCompleted];
        bool fails = first || i == 1;
        CHECK([work status] ==
                  (fails ? MTLCommandBufferStatusError : MTLCommandBufferStatusCompleted),
              "%d: status %lu", i, (unsigned long)[work status]);
        CHECK((bool)[work error] == fails, "%d: error", i);
        if (fails) {
            NSArray *infos =
                [[[work error] userInfo] objectForKey:MTLCommandBufferEncoderInfoErrorKey];
            CHECK([[[work error] domain] isEqualToString:MTLCommandBufferErrorDomain], "domain");
            CHECK([[work error] code] == (NSInteger)code, "%d: code %ld", i,
                  (long)[[work error] code]);
            CHECK([infos count] == 1, "encoder infos");
            id<MTLCommandBufferEncoderInfo> info = [infos objectAtIndex:0];
            CHECK([[info label] isEqualToString:@"filler"], "label");
            CHECK([info errorState] == MTLCommandEncoderErrorStateFaulted, "state");
        }
    }
    CHECK(called == (first ? 3 : 1), "%d handlers saw an error", called);
    [x release];
    host_close(&h);
}

static void every_timeout(void)
{
    /* The other queue is not left waiting. */
    struct host h = host_open(nil);
    id<MTLCommandQueue> other = [h.device newCommandQueue];
    id<MTLEvent> event = [h.device newEvent];
    id<MTLCommandBuffer> wait = [other commandBuffer];
    [wait encodeWaitForEvent:event value:1];
    [wait commit];
    id<MTLCommandBuffer> fails = [h.queue commandBuffer];
    [fails encodeSignalEvent:event value:1];
    [fails commit];
    [wait waitUntilCompleted];
    [fails waitUntilCompleted];
    CHECK([fails status] == MTLCommandBufferStatusError, "no fault");
    [event release];
    [other release];
    host_close(&h);
    expect_fault(MTLCommandBufferErrorTimeout, true);
}

static void second_memory(void)
{
    expect_fault(MTLCommandBufferErrorOutOfMemory, false);
}

static const struct host_case cases[] = {
    {"waited", waited, false, NULL, NULL},
    {"missing_wait", missing_wait, true, NULL, NULL},
    {"waited_for_another", waited_for_another, true, NULL, NULL},
    {"status_poll", status_poll, false, NULL, NULL},
    {"forgotten", forgotten, false, NULL, NULL},
    {"handlers_in_order", handlers_in_order, false, NULL, NULL},
    {"handler_without_wait", handler_without_wait, false, NULL, NULL},
    {"enqueue_decides", enqueue_decides, false, NULL, NULL},
    {"two_queues", two_queues, false, NULL, NULL},
    {"shared_events", shared_events, false, NULL, NULL},
    {"many_in_flight", many_in_flight, false, NULL, NULL},
    {"many_threads", many_threads, false, NULL, NULL},
    {"waited", waited, true, "SOFTMETAL_START=eager SOFTMETAL_VALIDATE=1", NULL},
    {"two_queues", two_queues, true, "SOFTMETAL_START=eager SOFTMETAL_VALIDATE=1", NULL},
    {"many_threads", many_threads, true, "SOFTMETAL_START=eager SOFTMETAL_VALIDATE=1", NULL},
    {"committed_twice", committed_twice, true, NULL, NULL},
    {"handler_after_commit", handler_after_commit, true, NULL, NULL},
    {"open_encoder", open_encoder, true, NULL, NULL},
    {"wait_before_commit", wait_before_commit, true, NULL, NULL},
    {"committed_twice", committed_twice, true, "SOFTMETAL_VALIDATE=1", "commit"},
    {"handler_after_commit", handler_after_commit, true, "SOFTMETAL_VALIDATE=1", "handler"},
    {"open_encoder", open_encoder, true, "SOFTMETAL_VALIDATE=1", "has not ended"},
    {"wait_before_commit", wait_before_commit, true, "SOFTMETAL_VALIDATE=1", "before commit"},
    {"every_timeout", every_timeout, true, "SOFTMETAL_FAULT=timeout", NULL},
    {"second_memory", second_memory, true, "SOFTMETAL_FAULT=memory:2", NULL},
};

HOST_MAIN(cases)
