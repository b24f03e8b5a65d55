/* Compute pipeline states and their reflection. */
#import "objects.h"

@interface SMBinding : NSObject <MTLBinding> {
  @public
    NSString *name_;
    MTLBindingType type_;
    MTLBindingAccess access_;
    NSUInteger index_;
}
@end

@implementation SMBinding

- (void)dealloc
{
    [name_ release];
    [super dealloc];
}

- (NSString *)name
{
    return name_;
}

- (MTLBindingType)type
{
    return type_;
}

- (MTLBindingAccess)access
{
    return access_;
}

- (NSUInteger)index
{
    return index_;
}

- (BOOL)isUsed
{
    return YES;
}

- (BOOL)isArgument
{
    return YES;
}

@end

@implementation MTLComputePipelineReflection

@synthesize bindings = bindings_;

- (instancetype)initWithFunction:(const struct sm_function *)function
{
    if ((self = [super init])) {
        NSMutableArray *all = [NSMutableArray new];
        for (size_t i = 0; i < function->argument_count; i++) {
            const struct sm_argument *argument = &function->arguments[i];
            if (argument->kind == SM_ARGUMENT_BUILTIN) {
                continue;
            }
            bool writable = argument->writable || argument->kind == SM_ARGUMENT_THREADGROUP;
            SMBinding *binding = [[SMBinding new] autorelease];
            binding->name_ = [[NSString alloc] initWithUTF8String:argument->name];
            binding->type_ = argument->kind == SM_ARGUMENT_THREADGROUP
                                 ? MTLBindingTypeThreadgroupMemory
                                 : MTLBindingTypeBuffer;
            binding->access_ = writable ? MTLBindingAccessReadWrite : MTLBindingAccessReadOnly;
            binding->index_ = argument->index;
            [all addObject:binding];
        }
        bindings_ = all;
    }
    return self;
}

- (void)dealloc
{
    [bindings_ release];
    [super dealloc];
}

@end

/* The least of the request, the library's, the kernel's own and the faked one's. */
static NSUInteger limit_threads(NSUInteger request, SMFunction *function)
{
    NSUInteger limit = smo_max_threads(function->kernel_->name);
    NSUInteger library = function->library_->max_threads_;
    NSUInteger own = function->kernel_->max_threads;
    limit = library && library < limit ? library : limit;
    limit = own && own < limit ? own : limit;
    return request && request < limit ? request : limit;
}

SMPipeline *smo_pipeline_make(SMDevice *device, MTLComputePipelineDescriptor *descriptor,
                              MTLAutoreleasedComputePipelineReflection *reflection, NSError **error)
{
    SMFunction *function = (SMFunction *)[descriptor computeFunction];
    NSUInteger request = [descriptor maxTotalThreadsPerThreadgroup];
    NSString *problem = nil;
    if (!function) {
        problem = smo_misuse(@"a compute pipeline state needs a function");
    } else if (request > SM_MAX_THREADS) {
        problem = smo_misuse(@"maxTotalThreadsPerThreadgroup %lu is more than 1024",
                             (unsigned long)request);
    } else if (function->kernel_->threadgroup_bytes > SM_THREADGROUP_BYTES) {
        problem = [NSString
            stringWithFormat:@"%s: Threadgroup memory size (%zu) exceeds the maximum threadgroup "
                             @"memory allowed (%d)",
                             function->kernel_->name, function->kernel_->threadgroup_bytes,
                             SM_THREADGROUP_BYTES];
    }
    if (problem) {
        if (error) {
            *error = smo_error(MTLLibraryErrorDomain, MTLLibraryErrorInternal, problem);
        }
        return nil;
    }
    const struct sm_pipeline *runtime = [function specialize:error];
    if (!runtime) {
        return nil;
    }
    SMPipeline *pipeline = [[SMPipeline alloc] initWithDevice:device];
    pipeline->function_ = [function retain];
    pipeline->runtime_ = runtime;
    pipeline->max_threads_ = limit_threads(request, function);
    pipeline->whole_simdgroups_ = [descriptor threadGroupSizeIsMultipleOfThreadExecutionWidth];
    pipeline->indirect_ = [descriptor supportIndirectCommandBuffers];
    [pipeline setLabel:[descriptor label]];
    if (reflection) {
        *reflection =
            [[[MTLComputePipelineReflection alloc] initWithFunction:function->kernel_] autorelease];
    }
    return pipeline;
}

@implementation SMPipeline

- (void)dealloc
{
    [function_ release];
    [super dealloc];
}

- (NSUInteger)maxTotalThreadsPerThreadgroup
{
    return max_threads_;
}

- (NSUInteger)threadExecutionWidth
{
    return SM_SIMD_WIDTH;
}

- (NSUInteger)staticThreadgroupMemoryLength
{
    return function_->kernel_->threadgroup_bytes;
}

- (BOOL)supportIndirectCommandBuffers
{
    return indirect_;
}

@end
