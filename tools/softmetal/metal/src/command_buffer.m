/* Command buffers: what encoders write, and the way from commit to completion. */
#import "objects.h"
#include <stdlib.h>
#include <string.h>

NSString *const MTLCommandBufferEncoderInfoErrorKey = @"MTLCommandBufferEncoderInfoErrorKey";
NSErrorDomain const MTLCommandBufferErrorDomain = @"MTLCommandBufferErrorDomain";

struct smo_chunk {
    struct smo_chunk *next;
    size_t used, room;
    _Alignas(16) char bytes[];
};

@implementation SMEncoderInfo

- (instancetype)init
{
    if ((self = [super init])) {
        signposts_ = [NSMutableArray new];
        state_ = MTLCommandEncoderErrorStatePending;
    }
    return self;
}

- (void)dealloc
{
    [signposts_ release];
    [super dealloc];
}

- (NSArray *)debugSignposts
{
    return signposts_;
}

- (MTLCommandEncoderErrorState)errorState
{
    return state_;
}

@end

@implementation SMCommandBuffer

- (instancetype)initWithQueue:(SMCommandQueue *)queue
                      retains:(BOOL)retains
                      options:(MTLCommandBufferErrorOption)options
{
    if ((self = [super initWithDevice:queue->device_])) {
        queue_ = [queue retain];
        retains_ = retains;
        options_ = options;
        objects_ = [NSMutableArray new];
        encoders_ = [NSMutableArray new];
        sets_ = [NSMutableArray new];
    }
    return self;
}

- (void)dealloc
{
    if (!finished_) {
        pthread_mutex_lock(&smo_lock);
        queue_->state_->alive -= status_ < MTLCommandBufferStatusCompleted;
        pthread_cond_broadcast(&smo_changed);
        pthread_mutex_unlock(&smo_lock);
        [self finishReferences];
    }
    for (size_t i = 0; scheduled_.blocks && i < scheduled_.count; i++) {
        Block_release(scheduled_.blocks[i]);
    }
    for (size_t i = 0; completed_.blocks && i < completed_.count; i++) {
        Block_release(completed_.blocks[i]);
    }
    free(scheduled_.blocks);
    free(completed_.blocks);
    [encoders_ release];
    [objects_ release];
    [sets_ release];
    [error_ release];
    [fault_ release];
    [queue_ release];
    [super dealloc];
}

- (BOOL)respondsToSelector:(SEL)selector
{
    return !smo_hidden(selector) && [super respondsToSelector:selector];
}

/* ---- for encoders ------------------------------------------------------------------------------*/

- (void)refuse:(NSString *)message
{
    pthread_mutex_lock(&smo_lock);
    if (!fault_) {
        fault_ = [message copy];
    }
    pthread_mutex_unlock(&smo_lock);
}

- (bool)isOpenFor:(const char *)method
{
    if (status_ < MTLCommandBufferStatusCommitted) {
        return true;
    }
    [self refuse:smo_misuse(@"%s on a command buffer that is committed", method)];
    return false;
}

static bool make_room(void **array, size_t *room, size_t count, size_t bytes)
{
    if (count < *room) {
        return true;
    }
    size_t more = *room ? *room * 2 : 16;
    void *grown = realloc(*array, more * bytes);
    if (!grown) {
        return false;
    }
    *array = grown;
    *room = more;
    return true;
}

- (struct smo_command *)append:(enum smo_kind)kind
{
    if (!make_room((void **)&commands_, &command_room_, command_count_, sizeof *commands_)) {
        [self refuse:@"out of memory for commands"];
        return NULL;
    }
    struct smo_command *command = &commands_[command_count_++];
    memset(command, 0, sizeof *command);
    command->kind = kind;
    command->encoder = (unsigned)[encoders_ count] - ([encoders_ count] > 0);
    return command;
}

- (void *)scratch:(size_t)bytes
{
    size_t need = (bytes + 15) / 16 * 16;
    if (!chunks_ || chunks_->room - chunks_->used < need) {
        size_t room = 64 * 1024;
        struct smo_chunk *chunk = malloc(sizeof *chunk + room);
        if (!chunk) {
            [self refuse:@"out of memory for bytes of setBytes"];
            return NULL;
        }
        chunk->next = chunks_;
        chunk->used = 0;
        chunk->room = room;
        chunks_ = chunk;
    }
    void *at = chunks_->bytes + chunks_->used;
    chunks_->used += need;
    return at;
}

/* The latest are likeliest. */
- (void)use:(struct smo_memory *)memory of:(id)owner
{
    for (size_t i = memory_count_; i > 0; i--) {
        if (memories_[i - 1] == memory) {
            return;
        }
    }
    if (!make_room((void **)&memories_, &memory_room_, memory_count_, sizeof *memories_)) {
        [self refuse:@"out of memory for references"];
        return;
    }
    memories_[memory_count_++] = memory;
    smo_memory_retain(memory);
    if (retains_) {
        [objects_ addObject:owner];
    }
}

- (void)use:(SMBuffer *)buffer
{
    [self use:buffer->memory_ of:buffer];
}

- (void)keep:(id)object
{
    [objects_ addObject:object];
}

- (void)finishReferences
{
    while (memory_count_ > 0) {
        struct smo_memory *memory = memories_[--memory_count_];
        if (status_ >= MTLCommandBufferStatusCommitted) {
            memory->in_flight--;
        }
        smo_memory_release(memory);
    }
    free(memories_);
    memories_ = NULL;
    while (chunks_) {
        struct smo_chunk *next = chunks_->next;
        free(chunks_);
        chunks_ = next;
    }
    free(commands_);
    commands_ = NULL;
    command_count_ = 0;
    [objects_ removeAllObjects];
}

/* ---- encoding ----------------------------------------------------------------------------------*/

- (bool)mayEncode:(const char *)method
{
    if (![self isOpenFor:method]) {
        return false;
    }
    if (encoder_) {
        [self refuse:smo_misuse(@"%s while another encoder of the command buffer has not ended",
                                method)];
        return false;
    }
    return true;
}

- (id<MTLComputeCommandEncoder>)computeCommandEncoder
{
    return [self computeCommandEncoderWithDispatchType:MTLDispatchTypeSerial];
}

- (id<MTLComputeCommandEncoder>)computeCommandEncoderWithDispatchType:(MTLDispatchType)type
{
    if (![self mayEncode:"computeCommandEncoder"]) {
        return nil;
    }
    return [[[SMComputeEncoder alloc] initWithBuffer:self type:type] autorelease];
}

- (id<MTLComputeCommandEncoder>)computeCommandEncoderWithDescriptor:
    (MTLComputePassDescriptor *)descriptor
{
    SMComputeEncoder *encoder =
        (SMComputeEncoder *)[self computeCommandEncoderWithDispatchType:[descriptor dispatchType]];
    [encoder sampleInto:[descriptor sampleBufferAttachments]];
    return encoder;
}

- (id<MTLBlitCommandEncoder>)blitCommandEncoder
{
    if (![self mayEncode:"blitCommandEncoder"]) {
        return nil;
    }
    return [[[SMBlitEncoder alloc] initWithBuffer:self] autorelease];
}

- (id<MTLBlitCommandEncoder>)blitCommandEncoderWithDescriptor:(MTLBlitPassDescriptor *)descriptor
{
    SMBlitEncoder *encoder = (SMBlitEncoder *)[self blitCommandEncoder];
    [encoder sampleInto:[descriptor sampleBufferAttachments]];
    return encoder;
}

- (void)encode:(enum smo_kind)kind event:(id<MTLEvent>)event value:(uint64_t)value
{
    const char *method = kind == SMO_WAIT ? "encodeWaitForEvent:" : "encodeSignalEvent:";
    if (![self mayEncode:method]) {
        return;
    }
    if (!event) {
        [self refuse:smo_misuse(@"%s no event", method)];
        return;
    }
    struct smo_command *command = [self append:kind];
    if (command) {
        command->object = event;
        command->number = value;
        [self keep:event];
    }
}

- (void)encodeWaitForEvent:(id<MTLEvent>)event value:(uint64_t)value
{
    [self encode:SMO_WAIT event:event value:value];
}

- (void)encodeSignalEvent:(id<MTLEvent>)event value:(uint64_t)value
{
    [self encode:SMO_SIGNAL event:event value:value];
}

- (void)pushDebugGroup:(NSString *)string
{
    (void)string;
    debug_depth_++;
}

- (void)popDebugGroup
{
    if (debug_depth_ == 0) {
        [self refuse:smo_misuse(@"popDebugGroup without pushDebugGroup:")];
        return;
    }
    debug_depth_--;
}

- (void)useResidencySet:(id<MTLResidencySet>)set
{
    [self useResidencySets:&set count:1];
}

- (void)useResidencySets:(const id<MTLResidencySet>[])sets count:(NSUInteger)count
{
    if (smo_hidden(_cmd)) {
        [self doesNotRecognizeSelector:_cmd];
    }
    if ([self isOpenFor:"useResidencySet:"]) {
        [sets_ addObjectsFromArray:[NSArray arrayWithObjects:(id *)sets count:count]];
    }
}

/* ---- what a host asks --------------------------------------------------------------------------*/

- (id<MTLCommandQueue>)commandQueue
{
    return queue_;
}

- (BOOL)retainedReferences
{
    return retains_;
}

- (MTLCommandBufferErrorOption)errorOptions
{
    return options_;
}

/* With the lock held. All before it in the queue follow. */
- (void)demand
{
    if (!demanded_ && status_ >= MTLCommandBufferStatusCommitted) {
        demanded_ = true;
        pthread_cond_broadcast(&smo_changed);
    }
}

- (MTLCommandBufferStatus)status
{
    pthread_mutex_lock(&smo_lock);
    MTLCommandBufferStatus status = status_;
    [self demand];
    pthread_mutex_unlock(&smo_lock);
    return status;
}

- (NSError *)error
{
    pthread_mutex_lock(&smo_lock);
    NSError *error = [error_ retain];
    pthread_mutex_unlock(&smo_lock);
    return [error autorelease];
}

- (double)readTime:(const double *)time
{
    pthread_mutex_lock(&smo_lock);
    double value = *time;
    pthread_mutex_unlock(&smo_lock);
    return value;
}

- (CFTimeInterval)kernelStartTime
{
    return [self readTime:&kernel_start_];
}

- (CFTimeInterval)kernelEndTime
{
    return [self readTime:&kernel_end_];
}

- (CFTimeInterval)GPUStartTime
{
    return [self readTime:&gpu_start_];
}

- (CFTimeInterval)GPUEndTime
{
    return [self readTime:&gpu_end_];
}

- (void)add:(MTLCommandBufferHandler)block to:(struct smo_handlers *)handlers
{
    if (![self isOpenFor:"a handler added"]) {
        return;
    }
    size_t bytes = (handlers->count + 1) * sizeof *handlers->blocks;
    MTLCommandBufferHandler *grown = block ? realloc(handlers->blocks, bytes) : NULL;
    if (!grown) {
        [self refuse:smo_misuse(@"a handler added: no block, or out of memory")];
        return;
    }
    handlers->blocks = grown;
    handlers->blocks[handlers->count++] = Block_copy(block);
}

- (void)addScheduledHandler:(MTLCommandBufferHandler)block
{
    [self add:block to:&scheduled_];
}

- (void)addCompletedHandler:(MTLCommandBufferHandler)block
{
    [self add:block to:&completed_];
}

- (void)enqueue
{
    if (![self isOpenFor:"enqueue"]) {
        return;
    }
    pthread_mutex_lock(&smo_lock);
    status_ = MTLCommandBufferStatusEnqueued;
    [queue_ enqueue:self];
    pthread_mutex_unlock(&smo_lock);
}

- (void)commit
{
    if (![self isOpenFor:"commit"]) {
        return;
    }
    if (encoder_) {
        [self refuse:smo_misuse(@"commit while an encoder has not ended")];
    }
    for (size_t i = 0; i < memory_count_; i++) {
        memories_[i]->in_flight++;
    }
    smo_watch_commit(self);
    pthread_mutex_lock(&smo_lock);
    status_ = MTLCommandBufferStatusCommitted;
    sequence_ = smo_next_sequence();
    committed_at_ = smo_nanoseconds();
    bool started = [queue_ enqueue:self];
    pthread_cond_broadcast(&smo_changed);
    pthread_mutex_unlock(&smo_lock);
    if (!started) {
        fprintf(stderr, "softmetal: no thread for a command queue\n");
        abort();
    }
}

/* A handler that waits for its own command buffer would wait for itself. */
- (void)waitFor:(const bool *)flag method:(const char *)method demand:(bool)demand
{
    pthread_mutex_lock(&smo_lock);
    bool committed = status_ >= MTLCommandBufferStatusCommitted;
    bool own = queue_->state_->started && pthread_equal(queue_->state_->thread, pthread_self());
    if (demand) {
        [self demand];
    }
    while (committed && !own && !*flag) {
        smo_wait(0);
    }
    bool over = *flag || (own && status_ >= MTLCommandBufferStatusCompleted);
    pthread_mutex_unlock(&smo_lock);
    if (!committed) {
        [self refuse:smo_misuse(@"%s before commit", method)];
    } else if (!over) {
        smo_misuse(@"%s in a handler of the same queue would never return", method);
    }
}

- (void)waitUntilScheduled
{
    [self waitFor:&scheduled_done_ method:"waitUntilScheduled" demand:false];
}

- (void)waitUntilCompleted
{
    [self waitFor:&finished_ method:"waitUntilCompleted" demand:true];
}

@end
