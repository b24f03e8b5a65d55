/* Command queues: each has a thread that schedules what is committed at once, in order, and runs it
 * as late as the rules allow.
 *
 * A command buffer may run once its gate is open: when the host waits for its completion or asks
 * for its status, or for that of a later one of the queue; when anybody waits for an event; a
 * little later if a completed handler wants to be called or a listener waits; much later if nobody
 * asks. So results that a host reads without waiting are reliably not there yet. */
#import "objects.h"
#include <stdlib.h>

static uint64_t last_sequence, demanded_sequence;

void smo_demand_everything(void)
{
    if (demanded_sequence != last_sequence) {
        demanded_sequence = last_sequence;
        pthread_cond_broadcast(&smo_changed);
    }
}

uint64_t smo_next_sequence(void)
{
    return ++last_sequence;
}

/* ---- the thread, with the lock held unless said ------------------------------------------------*/

static bool is_committed(const SMCommandBuffer *buffer)
{
    return buffer->status_ >= MTLCommandBufferStatusCommitted;
}

static uint64_t due_time(const SMCommandBuffer *buffer)
{
    unsigned soon = buffer->completed_.count > 0 || smo_listeners > 0;
    return buffer->committed_at_ +
           (uint64_t)(soon ? SMO_HANDLER_DELAY : SMO_FORGOTTEN_DELAY) * 1000000u;
}

/* Whether the first may run; otherwise when to look again, 0 for never. */
static bool gate_is_open(const struct smo_queue *queue, uint64_t *look_again)
{
    *look_again = 0;
    SMCommandBuffer *first = [queue->order count] ? [queue->order objectAtIndex:0] : nil;
    if (!first || !first->scheduled_done_) {
        return false;
    }
    if (smo_settings()->eager || smo_event_waiters > 0) {
        return true;
    }
    uint64_t now = smo_nanoseconds();
    for (SMCommandBuffer *buffer in queue->order) {
        if (!is_committed(buffer)) {
            break;
        }
        uint64_t due = due_time(buffer);
        if (buffer->demanded_ || buffer->sequence_ <= demanded_sequence || due <= now) {
            return true;
        }
        *look_again = *look_again == 0 || due < *look_again ? due : *look_again;
    }
    return false;
}

static SMCommandBuffer *next_to_schedule(const struct smo_queue *queue)
{
    for (SMCommandBuffer *buffer in queue->order) {
        if (!is_committed(buffer)) {
            return nil;
        }
        if (!buffer->scheduled_done_) {
            return buffer;
        }
    }
    return nil;
}

static void call_handlers(SMCommandBuffer *buffer, struct smo_handlers *handlers)
{
    for (size_t i = 0; i < handlers->count; i++) {
        handlers->blocks[i](buffer);
        Block_release(handlers->blocks[i]);
    }
    free(handlers->blocks);
    handlers->blocks = NULL;
}

static void schedule(SMCommandBuffer *buffer)
{
    double now = (double)smo_nanoseconds() * 1e-9;
    buffer->kernel_start_ = now;
    buffer->kernel_end_ = now;
    buffer->status_ = MTLCommandBufferStatusScheduled;
    pthread_mutex_unlock(&smo_lock);
    call_handlers(buffer, &buffer->scheduled_);
    pthread_mutex_lock(&smo_lock);
    buffer->scheduled_done_ = true;
    pthread_cond_broadcast(&smo_changed);
}

/* The references go before those who wait return: they may own what was used. */
static void run(struct smo_queue *queue, SMCommandBuffer *buffer)
{
    [[buffer retain] autorelease];
    pthread_mutex_unlock(&smo_lock);
    double start = (double)smo_nanoseconds() * 1e-9;
    smo_watch_begin(buffer);
    NSError *error = [smo_execute(buffer) retain];
    smo_watch_end(buffer);
    double end = (double)smo_nanoseconds() * 1e-9;

    pthread_mutex_lock(&smo_lock);
    buffer->gpu_start_ = start;
    buffer->gpu_end_ = end;
    buffer->error_ = error;
    queue->alive--;
    buffer->status_ = error ? MTLCommandBufferStatusError : MTLCommandBufferStatusCompleted;
    pthread_mutex_unlock(&smo_lock);
    [buffer finishReferences];
    call_handlers(buffer, &buffer->completed_);

    pthread_mutex_lock(&smo_lock);
    buffer->finished_ = true;
    [queue->order removeObjectAtIndex:0];
    pthread_cond_broadcast(&smo_changed);
}

static void *queue_thread(void *argument)
{
    struct smo_queue *queue = argument;
    smo_enter_thread();
    pthread_mutex_lock(&smo_lock);
    while (!queue->stop) {
        NSAutoreleasePool *pool = [NSAutoreleasePool new];
        uint64_t look_again = 0;
        SMCommandBuffer *unscheduled = next_to_schedule(queue);
        if (unscheduled) {
            schedule(unscheduled);
        } else if (gate_is_open(queue, &look_again)) {
            run(queue, [queue->order objectAtIndex:0]);
        } else {
            smo_wait(look_again);
        }
        /* May free command buffers and with the last of them the queue. */
        pthread_mutex_unlock(&smo_lock);
        [pool drain];
        pthread_mutex_lock(&smo_lock);
    }
    pthread_mutex_unlock(&smo_lock);
    [queue->order release];
    free(queue);
    smo_leave_thread();
    return NULL;
}

/* ---- the object --------------------------------------------------------------------------------*/

@implementation SMCommandQueue

- (instancetype)initWithDevice:(SMDevice *)device limit:(NSUInteger)limit
{
    if ((self = [super initWithDevice:device])) {
        state_ = calloc(1, sizeof *state_);
        if (!state_) {
            [self release];
            return nil;
        }
        state_->order = [NSMutableArray new];
        state_->limit = limit;
        sets_ = [NSMutableArray new];
    }
    return self;
}

/* No command buffer is left: each holds its queue. */
- (void)dealloc
{
    pthread_mutex_lock(&smo_lock);
    bool started = state_ && state_->started;
    if (started) {
        state_->stop = true;
        pthread_cond_broadcast(&smo_changed);
    }
    pthread_mutex_unlock(&smo_lock);
    if (state_ && !started) {
        [state_->order release];
        free(state_);
    }
    [sets_ release];
    [super dealloc];
}

- (BOOL)respondsToSelector:(SEL)selector
{
    return !smo_hidden(selector) && [super respondsToSelector:selector];
}

/* Blocks while the queue is full, as Apple's does; if nothing is committed that would be forever. */
- (bool)makeRoom
{
    bool room = true;
    pthread_mutex_lock(&smo_lock);
    while (room && state_->alive >= state_->limit) {
        SMCommandBuffer *first = [state_->order count] ? [state_->order objectAtIndex:0] : nil;
        room = first && is_committed(first);
        if (room) {
            first->demanded_ = true;
            pthread_cond_broadcast(&smo_changed);
            smo_wait(0);
        }
    }
    state_->alive += room;
    pthread_mutex_unlock(&smo_lock);
    if (!room) {
        smo_misuse(@"%lu command buffers of the queue exist, and the first of them is not "
                   @"committed: the next one would never come",
                   (unsigned long)state_->limit);
    }
    return room;
}

- (id<MTLCommandBuffer>)makeBuffer:(BOOL)retains options:(MTLCommandBufferErrorOption)options
{
    if (![self makeRoom]) {
        return nil;
    }
    return [[[SMCommandBuffer alloc] initWithQueue:self retains:retains
                                           options:options] autorelease];
}

- (id<MTLCommandBuffer>)commandBuffer
{
    return [self makeBuffer:YES options:MTLCommandBufferErrorOptionNone];
}

- (id<MTLCommandBuffer>)commandBufferWithUnretainedReferences
{
    return [self makeBuffer:NO options:MTLCommandBufferErrorOptionNone];
}

- (id<MTLCommandBuffer>)commandBufferWithDescriptor:(MTLCommandBufferDescriptor *)descriptor
{
    return [self makeBuffer:[descriptor retainedReferences] options:[descriptor errorOptions]];
}

- (void)insertDebugCaptureBoundary
{
}

- (void)addResidencySet:(id<MTLResidencySet>)set
{
    [self addResidencySets:&set count:1];
}

- (void)addResidencySets:(const id<MTLResidencySet>[])sets count:(NSUInteger)count
{
    if (smo_hidden(_cmd)) {
        [self doesNotRecognizeSelector:_cmd];
    }
    @synchronized(self) {
        for (NSUInteger i = 0; i < count; i++) {
            if (sets[i] && ![sets_ containsObject:sets[i]]) {
                [sets_ addObject:sets[i]];
            }
        }
        if ([sets_ count] > 32) {
            smo_misuse(@"a queue has %lu residency sets, at most 32", (unsigned long)[sets_ count]);
        }
    }
}

- (void)removeResidencySet:(id<MTLResidencySet>)set
{
    [self removeResidencySets:&set count:1];
}

- (void)removeResidencySets:(const id<MTLResidencySet>[])sets count:(NSUInteger)count
{
    if (smo_hidden(_cmd)) {
        [self doesNotRecognizeSelector:_cmd];
    }
    @synchronized(self) {
        for (NSUInteger i = 0; i < count; i++) {
            [sets_ removeObject:sets[i]];
        }
    }
}

/* With the lock held: puts a command buffer last in the order, once. */
- (bool)enqueue:(SMCommandBuffer *)buffer
{
    if ([state_->order indexOfObjectIdenticalTo:buffer] == NSNotFound) {
        [state_->order addObject:buffer];
    }
    if (!state_->started) {
        state_->started = pthread_create(&state_->thread, NULL, queue_thread, state_) == 0;
        if (state_->started) {
            pthread_detach(state_->thread);
        }
    }
    return state_->started;
}

@end
