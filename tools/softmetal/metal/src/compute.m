/* Compute encoders: every limit is checked here, before a dispatch is written down. */
#import "objects.h"
#include <string.h>

@implementation SMComputeEncoder

- (instancetype)initWithBuffer:(SMCommandBuffer *)buffer type:(MTLDispatchType)type
{
    if ((self = [super initWithBuffer:buffer])) {
        type_ = type;
        group_ = ++buffer->groups_;
    }
    return self;
}

- (MTLDispatchType)dispatchType
{
    return type_;
}

- (void)setComputePipelineState:(id<MTLComputePipelineState>)state
{
    if (![self isOpenFor:"setComputePipelineState:"]) {
        return;
    }
    if (!state) {
        [self refuse:@"setComputePipelineState: nil"];
        return;
    }
    if ((SMPipeline *)state != pipeline_) {
        pipeline_ = (SMPipeline *)state;
        [buffer_ keep:state];
    }
}

/* ---- arguments ---------------------------------------------------------------------------------*/

- (bool)mayBind:(NSUInteger)index method:(const char *)method
{
    if (![self isOpenFor:method]) {
        return false;
    }
    if (index >= SM_MAX_BUFFERS) {
        [self
            refuse:@"%s index %lu, must be below %d", method, (unsigned long)index, SM_MAX_BUFFERS];
        return false;
    }
    return true;
}

- (void)setBytes:(const void *)bytes length:(NSUInteger)length atIndex:(NSUInteger)index
{
    if (![self mayBind:index method:"setBytes:length:atIndex:"]) {
        return;
    }
    if (!bytes || length == 0 || length > SMO_SET_BYTES) {
        [self refuse:@"setBytes:length:atIndex: %lu bytes for buffer %lu, must be 1 to %d",
                     (unsigned long)length, (unsigned long)index, SMO_SET_BYTES];
        return;
    }
    char *copy = [buffer_ scratch:length];
    if (copy) {
        memcpy(copy, bytes, length);
        bindings_[index] = (struct smo_binding){copy, length, NULL};
    }
}

- (void)setBuffer:(id<MTLBuffer>)buffer offset:(NSUInteger)offset atIndex:(NSUInteger)index
{
    if (![self mayBind:index method:"setBuffer:offset:atIndex:"]) {
        return;
    }
    if (!buffer) {
        memset(&bindings_[index], 0, sizeof bindings_[index]);
        return;
    }
    struct smo_memory *memory = ((SMBuffer *)buffer)->memory_;
    if (offset >= memory->length) {
        [self refuse:@"buffer %lu: offset %lu must be below its length %zu", (unsigned long)index,
                     (unsigned long)offset, memory->length];
        return;
    }
    [buffer_ use:(SMBuffer *)buffer];
    bindings_[index] =
        (struct smo_binding){memory->bytes + offset, memory->length - offset, memory};
}

- (void)setBufferOffset:(NSUInteger)offset atIndex:(NSUInteger)index
{
    if (![self mayBind:index method:"setBufferOffset:atIndex:"]) {
        return;
    }
    struct smo_memory *memory = bindings_[index].memory;
    if (!memory || offset >= memory->length) {
        [self refuse:@"setBufferOffset:atIndex: no buffer at %lu, or offset %lu is not inside",
                     (unsigned long)index, (unsigned long)offset];
        return;
    }
    bindings_[index].bytes = memory->bytes + offset;
    bindings_[index].length = memory->length - offset;
}

- (void)setBuffers:(const id<MTLBuffer>[])buffers
           offsets:(const NSUInteger[])offsets
         withRange:(NSRange)range
{
    for (NSUInteger i = 0; i < range.length; i++) {
        [self setBuffer:buffers[i] offset:offsets[i] atIndex:range.location + i];
    }
}

- (void)setThreadgroupMemoryLength:(NSUInteger)length atIndex:(NSUInteger)index
{
    if (![self mayBind:index method:"setThreadgroupMemoryLength:atIndex:"]) {
        return;
    }
    if (length % 16 != 0 || length > SM_THREADGROUP_BYTES) {
        [self refuse:@"threadgroup memory %lu: %lu bytes, must be a multiple of 16 and at most %d",
                     (unsigned long)index, (unsigned long)length, SM_THREADGROUP_BYTES];
        return;
    }
    threadgroup_[index] = length;
}

/* ---- dispatches --------------------------------------------------------------------------------*/

static bool fits(MTLSize size)
{
    return size.width <= UINT32_MAX && size.height <= UINT32_MAX && size.depth <= UINT32_MAX;
}

static bool is_empty(MTLSize size)
{
    return size.width == 0 || size.height == 0 || size.depth == 0;
}

- (bool)checkThreads:(MTLSize)threads
{
    NSUInteger limit = pipeline_->max_threads_;
    bool inside = threads.width <= SM_MAX_THREADS && threads.height <= SM_MAX_THREADS &&
                  threads.depth <= SM_MAX_THREADS;
    NSUInteger total = inside ? threads.width * threads.height * threads.depth : 0;
    if (is_empty(threads) || !inside || total > limit) {
        [self refuse:@"%s: threadsPerThreadgroup %lu x %lu x %lu, must be 1 to %lu together "
                     @"(maxTotalThreadsPerThreadgroup)",
                     pipeline_->function_->kernel_->name, (unsigned long)threads.width,
                     (unsigned long)threads.height, (unsigned long)threads.depth,
                     (unsigned long)limit];
        return false;
    }
    if (pipeline_->whole_simdgroups_ && total % SM_SIMD_WIDTH != 0) {
        [self refuse:@"%s: %lu threads, but threadGroupSizeIsMultipleOfThreadExecutionWidth was "
                     @"promised",
                     pipeline_->function_->kernel_->name, (unsigned long)total];
        return false;
    }
    return true;
}

/* A reference is to one whole object. */
- (bool)checkLength:(const struct sm_argument *)argument
{
    const struct smo_binding *binding = &bindings_[argument->index];
    if (argument->kind != SM_ARGUMENT_BUFFER || !binding->bytes ||
        binding->length >= argument->bytes) {
        return true;
    }
    [self refuse:@"%s: buffer %u has %zu bytes from its offset on, and '%s' (%s) needs %zu",
                 pipeline_->function_->kernel_->name, argument->index, binding->length,
                 argument->name, argument->type, argument->bytes];
    return false;
}

- (bool)checkArguments
{
    const struct sm_function *kernel = pipeline_->function_->kernel_;
    size_t bytes = kernel->threadgroup_bytes;
    for (size_t i = 0; i < kernel->argument_count; i++) {
        const struct sm_argument *argument = &kernel->arguments[i];
        bool missing = false;
        if (argument->kind == SM_ARGUMENT_BUFFER) {
            missing = !argument->optional && !bindings_[argument->index].bytes;
        } else if (argument->kind == SM_ARGUMENT_THREADGROUP) {
            missing = !argument->optional && threadgroup_[argument->index] == 0;
            bytes += threadgroup_[argument->index];
        }
        if (missing) {
            [self refuse:@"%s: nothing is bound at %s index %u for '%s'", kernel->name,
                         argument->kind == SM_ARGUMENT_BUFFER ? "buffer" : "threadgroup memory",
                         argument->index, argument->name];
            return false;
        }
        if (![self checkLength:argument]) {
            return false;
        }
    }
    if (bytes > SM_THREADGROUP_BYTES) {
        [self refuse:@"%s: %zu bytes of threadgroup memory, at most %d", kernel->name, bytes,
                     SM_THREADGROUP_BYTES];
        return false;
    }
    return true;
}

/* NULL after a refusal. */
- (struct smo_command *)dispatch:(enum smo_kind)kind size:(MTLSize)size threads:(MTLSize)threads
{
    if (![self isOpenFor:"dispatch"]) {
        return NULL;
    }
    if (!pipeline_) {
        [self refuse:@"a dispatch without a compute pipeline state"];
        return NULL;
    }
    if (![self checkThreads:threads] || ![self checkArguments]) {
        return NULL;
    }
    if (!fits(size) || is_empty(size)) {
        [self refuse:@"%s: a grid of %lu x %lu x %lu: must not be empty, nor 2^32 and more",
                     pipeline_->function_->kernel_->name, (unsigned long)size.width,
                     (unsigned long)size.height, (unsigned long)size.depth];
        return NULL;
    }
    struct smo_command *command = [self append:kind];
    if (!command) {
        return NULL;
    }
    struct sm_dispatch *to = &command->dispatch;
    command->group = type_ == MTLDispatchTypeConcurrent ? group_ : 0;
    to->pipeline = pipeline_->runtime_;
    to->threads[0] = (uint32_t)threads.width;
    to->threads[1] = (uint32_t)threads.height;
    to->threads[2] = (uint32_t)threads.depth;
    for (size_t i = 0; i < SM_MAX_BUFFERS; i++) {
        to->buffers[i] = bindings_[i].bytes;
        to->buffer_bytes[i] = bindings_[i].length;
    }
    to->follows_pointers = follows_pointers_;
    /* Lengths stay set when a pipeline follows that takes none. */
    const struct sm_function *kernel = pipeline_->function_->kernel_;
    for (size_t i = 0; i < kernel->argument_count; i++) {
        if (kernel->arguments[i].kind == SM_ARGUMENT_THREADGROUP) {
            unsigned index = kernel->arguments[i].index;
            to->threadgroup_bytes[index] = threadgroup_[index];
        }
    }
    return command;
}

static void set_size(uint32_t to[3], MTLSize size)
{
    to[0] = (uint32_t)size.width;
    to[1] = (uint32_t)size.height;
    to[2] = (uint32_t)size.depth;
}

- (void)dispatchThreadgroups:(MTLSize)groups threadsPerThreadgroup:(MTLSize)threads
{
    struct smo_command *command = [self dispatch:SMO_DISPATCH size:groups threads:threads];
    if (command) {
        set_size(command->dispatch.groups, groups);
    }
}

- (void)dispatchThreads:(MTLSize)grid threadsPerThreadgroup:(MTLSize)threads
{
    struct smo_command *command = [self dispatch:SMO_DISPATCH size:grid threads:threads];
    if (command) {
        set_size(command->dispatch.grid, grid);
    }
}

- (void)dispatchThreadgroupsWithIndirectBuffer:(id<MTLBuffer>)buffer
                          indirectBufferOffset:(NSUInteger)offset
                         threadsPerThreadgroup:(MTLSize)threads
{
    const size_t bytes = sizeof(MTLDispatchThreadgroupsIndirectArguments);
    struct smo_memory *memory = buffer ? ((SMBuffer *)buffer)->memory_ : NULL;
    if (!memory || offset % 4 != 0 || offset > memory->length || memory->length - offset < bytes) {
        [self refuse:@"indirect dispatch: no buffer, or %zu bytes at offset %lu are not inside "
                     @"or not aligned to 4",
                     bytes, (unsigned long)offset];
        return;
    }
    struct smo_command *command = [self dispatch:SMO_INDIRECT
                                            size:MTLSizeMake(1, 1, 1)
                                         threads:threads];
    if (command) {
        [buffer_ use:(SMBuffer *)buffer];
        command->from = memory->bytes + offset;
    }
}

/* ---- order -------------------------------------------------------------------------------------*/

- (void)waitForFence:(id<MTLFence>)fence
{
    [super waitForFence:fence];
    group_ = ++buffer_->groups_;
}

- (void)memoryBarrierWithScope:(MTLBarrierScope)scope
{
    if (![self isOpenFor:"memoryBarrierWithScope:"]) {
        return;
    }
    if (scope & MTLBarrierScopeBuffers) {
        group_ = ++buffer_->groups_;
    }
}

- (void)memoryBarrierWithResources:(const id<MTLResource>[])resources count:(NSUInteger)count
{
    (void)resources;
    if ([self isOpenFor:"memoryBarrierWithResources:count:"] && count > 0) {
        group_ = ++buffer_->groups_;
    }
}

- (void)useHeap:(id<MTLHeap>)heap
{
    [self useHeaps:&heap count:1];
}

- (void)useHeaps:(const id<MTLHeap>[])heaps count:(NSUInteger)count
{
    if (![self isOpenFor:"useHeaps:count:"]) {
        return;
    }
    for (NSUInteger i = 0; i < count; i++) {
        if (heaps[i]) {
            [buffer_ use:((SMHeap *)heaps[i])->memory_ of:heaps[i]];
            follows_pointers_ = true;
        } else {
            [self refuse:@"useHeap: nil"];
        }
    }
}

- (void)useResource:(id<MTLResource>)resource usage:(MTLResourceUsage)usage
{
    [self useResources:&resource count:1 usage:usage];
}

- (void)useResources:(const id<MTLResource>[])resources
               count:(NSUInteger)count
               usage:(MTLResourceUsage)usage
{
    (void)usage;
    if (![self isOpenFor:"useResources:count:usage:"]) {
        return;
    }
    for (NSUInteger i = 0; i < count; i++) {
        if (resources[i]) {
            [buffer_ use:(SMBuffer *)resources[i]];
            follows_pointers_ = true;
        } else {
            [self refuse:@"useResource: nil"];
        }
    }
}

@end
