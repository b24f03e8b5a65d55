/* Runs the commands of a command buffer. */
#import "objects.h"
#include <stdlib.h>
#include <string.h>

/* In Apple's words. */
#define TIMEOUT_TEXT @"Caused GPU Timeout Error (00000002:kIOGPUCommandBufferCallbackErrorTimeout)"

static NSError *make_error(SMCommandBuffer *buffer, MTLCommandBufferError code, NSString *message)
{
    NSMutableDictionary *info = [NSMutableDictionary
        dictionaryWithObject:[NSString stringWithFormat:@"%@%s%@", [buffer label] ?: @"",
                                                        [buffer label] ? ": " : "", message]
                      forKey:NSLocalizedDescriptionKey];
    if (buffer->options_ & MTLCommandBufferErrorOptionEncoderExecutionStatus) {
        [info setObject:[NSArray arrayWithArray:buffer->encoders_]
                 forKey:MTLCommandBufferEncoderInfoErrorKey];
    }
    return [NSError errorWithDomain:MTLCommandBufferErrorDomain code:(NSInteger)code userInfo:info];
}

/* What holds the memory: a buffer in a heap makes all of the heap resident. */
static const struct smo_memory *root(const struct smo_memory *memory)
{
    return memory->parent ? memory->parent : memory;
}

static bool was_bound(const SMCommandBuffer *buffer, size_t count, const struct smo_memory *memory)
{
    for (size_t i = 0; i < count; i++) {
        if (root(buffer->memories_[i]) == memory) {
            return true;
        }
    }
    return false;
}

/* Bytes that must be resident at once: what is bound, and what the residency sets add. */
static uint64_t working_set(SMCommandBuffer *buffer)
{
    uint64_t bytes = 0;
    for (size_t i = 0; i < buffer->memory_count_; i++) {
        const struct smo_memory *memory = root(buffer->memories_[i]);
        bytes += was_bound(buffer, i, memory) ? 0 : memory->length;
    }
    NSMutableSet *others = [NSMutableSet set];
    @synchronized(buffer->queue_) {
        NSArray *sets = [buffer->sets_ arrayByAddingObjectsFromArray:buffer->queue_->sets_];
        for (SMResidencySet *set in sets) {
            @synchronized(set) {
                [others unionSet:set->current_];
            }
        }
    }
    for (id other in others) {
        const struct smo_memory *memory =
            root([other isKindOfClass:[SMHeap class]] ? ((SMHeap *)other)->memory_
                                                      : ((SMBuffer *)other)->memory_);
        bytes += was_bound(buffer, buffer->memory_count_, memory) ? 0 : memory->length;
    }
    return bytes;
}

static bool run_dispatch(SMCommandBuffer *buffer, const struct smo_command *command,
                         struct sm_tally *tally, struct sm_error *error)
{
    struct sm_dispatch dispatch = command->dispatch;
    dispatch.tally = tally;
    dispatch.touched = buffer->touched_;
    dispatch.touched_count = buffer->touched_count_;
    if (command->kind == SMO_DISPATCH) {
        return sm_dispatch_run(buffer->device_->runtime_, &dispatch, error);
    }
    memcpy(dispatch.groups, command->from, sizeof dispatch.groups);
    for (int i = 0; i < 3; i++) {
        if (dispatch.groups[i] == 0) {
            return true;
        }
    }
    return sm_dispatch_run(buffer->device_->runtime_, &dispatch, error);
}

static bool run_command(SMCommandBuffer *buffer, const struct smo_command *command,
                        struct sm_tally *tally, struct sm_error *error)
{
    switch (command->kind) {
    case SMO_DISPATCH:
    case SMO_INDIRECT: return run_dispatch(buffer, command, tally, error);
    case SMO_COPY:
        memcpy(command->to, command->from, command->bytes);
        sm_tally_copy(tally, command->bytes);
        return true;
    case SMO_FILL:
        memset(command->to, command->value, command->bytes);
        sm_tally_fill(tally, command->bytes);
        return true;
    case SMO_SIGNAL: [(SMEvent *)command->object signal:command->number]; return true;
    case SMO_WAIT: [(SMEvent *)command->object waitFor:command->number]; return true;
    case SMO_SAMPLE:
        ((SMCounterSampleBuffer *)command->object)->samples_[command->number] = smo_nanoseconds();
        return true;
    case SMO_RESOLVE: {
        const SMCounterSampleBuffer *samples = command->object;
        memcpy(command->to, samples->samples_ + command->range.location,
               command->range.length * sizeof *samples->samples_);
        return true;
    }
    }
    return true;
}

/* splitmix64. */
static uint64_t next_random(uint64_t *state)
{
    uint64_t x = *state += 0x9e3779b97f4a7c15u;
    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
    x = (x ^ x >> 27) * 0x94d049bb133111ebu;
    return x ^ x >> 31;
}

/* Dispatches that may run in any order: backwards, so that of two that needed a barrier the second
 * runs first; with a seed, shuffled. */
static void order_group(size_t *order, size_t first, size_t count, uint64_t *random)
{
    for (size_t i = 0; i < count; i++) {
        order[first + i] = first + count - 1 - i;
    }
    if (!smo_settings()->seeded) {
        return;
    }
    for (size_t i = count; i > 1; i--) {
        size_t j = next_random(random) % i;
        size_t swap = order[first + i - 1];
        order[first + i - 1] = order[first + j];
        order[first + j] = swap;
    }
}

static size_t *make_order(const SMCommandBuffer *buffer)
{
    size_t *order = malloc((buffer->command_count_ + 1) * sizeof *order);
    uint64_t random = smo_settings()->seed + buffer->sequence_;
    for (size_t at = 0; order && at < buffer->command_count_;) {
        size_t end = at + 1;
        unsigned group = buffer->commands_[at].group;
        while (group && end < buffer->command_count_ && buffer->commands_[end].group == group) {
            end++;
        }
        order_group(order, at, end - at, &random);
        at = end;
    }
    return order;
}

static void set_state(SMCommandBuffer *buffer, unsigned encoder, MTLCommandEncoderErrorState state)
{
    if (encoder < [buffer->encoders_ count]) {
        SMEncoderInfo *info = [buffer->encoders_ objectAtIndex:encoder];
        info->state_ = state;
    }
}

/* Who waits for an event that a failed command buffer was to signal must not wait for ever. */
static void signal_all(SMCommandBuffer *buffer)
{
    for (size_t i = 0; i < buffer->command_count_; i++) {
        const struct smo_command *command = &buffer->commands_[i];
        if (command->kind == SMO_SIGNAL) {
            [(SMEvent *)command->object signal:command->number];
        }
    }
}

static NSError *run_commands(SMCommandBuffer *buffer, size_t count, struct sm_tally *tally)
{
    struct sm_error why = {.message = ""};
    size_t *order = make_order(buffer);
    if (!order) {
        return make_error(buffer, MTLCommandBufferErrorOutOfMemory, @"out of host memory");
    }
    NSError *error = nil;
    for (size_t i = 0; i < count && !error; i++) {
        const struct smo_command *command = &buffer->commands_[order[i]];
        bool ran = run_command(buffer, command, tally, &why);
        smo_watch_judge(buffer, command);
        set_state(buffer, command->encoder,
                  ran ? MTLCommandEncoderErrorStateCompleted : MTLCommandEncoderErrorStateFaulted);
        if (!ran) {
            error = why.timed_out
                        ? make_error(buffer, MTLCommandBufferErrorTimeout,
                                     [NSString stringWithFormat:TIMEOUT_TEXT @": %s", why.message])
                        : make_error(buffer, MTLCommandBufferErrorInternal,
                                     [NSString stringWithUTF8String:why.message]);
        }
    }
    free(order);
    return error;
}

/* An injected fault strikes halfway, so that results are partly there. */
static NSError *inject(SMCommandBuffer *buffer, struct sm_tally *tally)
{
    size_t half = buffer->command_count_ / 2;
    NSError *error = run_commands(buffer, half, tally);
    if (error) {
        return error;
    }
    if (half < buffer->command_count_) {
        set_state(buffer, buffer->commands_[half].encoder, MTLCommandEncoderErrorStateFaulted);
    }
    if (smo_settings()->fault == SMO_FAULT_TIMEOUT) {
        return make_error(buffer, MTLCommandBufferErrorTimeout,
                          TIMEOUT_TEXT @" (injected by SOFTMETAL_FAULT)");
    }
    return make_error(buffer, MTLCommandBufferErrorOutOfMemory,
                      @"Insufficient Memory (injected by SOFTMETAL_FAULT)");
}

static NSError *check_and_run(SMCommandBuffer *buffer, struct sm_tally *tally)
{
    const struct smo_settings *settings = smo_settings();
    pthread_mutex_lock(&smo_lock);
    NSString *fault = [[buffer->fault_ retain] autorelease];
    pthread_mutex_unlock(&smo_lock);
    if (fault) {
        return make_error(buffer, MTLCommandBufferErrorInvalidResource, fault);
    }
    uint64_t bytes = working_set(buffer);
    if (bytes > buffer->device_->working_set_) {
        return make_error(
            buffer, MTLCommandBufferErrorOutOfMemory,
            [NSString stringWithFormat:@"Insufficient Memory: %llu bytes must be resident, and the "
                                       @"working set has %llu",
                                       (unsigned long long)bytes,
                                       (unsigned long long)buffer->device_->working_set_]);
    }
    if (settings->fault != SMO_FAULT_NONE &&
        (settings->fault_at == 0 || settings->fault_at == buffer->sequence_)) {
        return inject(buffer, tally);
    }
    return run_commands(buffer, buffer->command_count_, tally);
}

NSError *smo_execute(SMCommandBuffer *buffer)
{
    struct sm_error why = {.message = ""};
    struct sm_tally *tally = sm_tally_begin(buffer->device_->runtime_, [[buffer label] UTF8String]);
    NSError *error = check_and_run(buffer, tally);
    if (!sm_tally_end(tally, error == nil, &why)) {
        fprintf(stderr, "softmetal: %s\n", why.message);
    }
    if (error) {
        signal_all(buffer);
    }
    return error;
}
