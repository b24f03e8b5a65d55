/* Descriptors: they hold what the host sets. */
#import "objects.h"

@implementation MTLCompileOptions

@synthesize preprocessorMacros = preprocessorMacros_, fastMathEnabled = fastMathEnabled_,
            mathMode = mathMode_, mathFloatingPointFunctions = mathFloatingPointFunctions_,
            languageVersion = languageVersion_, libraryType = libraryType_,
            optimizationLevel = optimizationLevel_, installName = installName_,
            preserveInvariance = preserveInvariance_,
            maxTotalThreadsPerThreadgroup = maxTotalThreadsPerThreadgroup_;

- (instancetype)init
{
    if ((self = [super init])) {
        fastMathEnabled_ = YES;
        mathMode_ = MTLMathModeFast;
        languageVersion_ = smo_os_at_least(15, 0) ? MTLLanguageVersion3_2 : MTLLanguageVersion3_1;
    }
    return self;
}

- (void)dealloc
{
    [preprocessorMacros_ release];
    [installName_ release];
    [super dealloc];
}

- (id)copyWithZone:(NSZone *)zone
{
    MTLCompileOptions *copy = [[MTLCompileOptions allocWithZone:zone] init];
    copy->preprocessorMacros_ = [preprocessorMacros_ copy];
    copy->installName_ = [installName_ copy];
    copy->fastMathEnabled_ = fastMathEnabled_;
    copy->mathMode_ = mathMode_;
    copy->mathFloatingPointFunctions_ = mathFloatingPointFunctions_;
    copy->languageVersion_ = languageVersion_;
    copy->libraryType_ = libraryType_;
    copy->optimizationLevel_ = optimizationLevel_;
    copy->preserveInvariance_ = preserveInvariance_;
    copy->maxTotalThreadsPerThreadgroup_ = maxTotalThreadsPerThreadgroup_;
    return copy;
}

- (BOOL)respondsToSelector:(SEL)selector
{
    return !smo_hidden(selector) && [super respondsToSelector:selector];
}

@end

@implementation MTLFunctionDescriptor

@synthesize name = name_, specializedName = specializedName_, constantValues = constantValues_,
            options = options_;

+ (MTLFunctionDescriptor *)functionDescriptor
{
    return [[[MTLFunctionDescriptor alloc] init] autorelease];
}

- (void)dealloc
{
    [name_ release];
    [specializedName_ release];
    [constantValues_ release];
    [super dealloc];
}

- (id)copyWithZone:(NSZone *)zone
{
    MTLFunctionDescriptor *copy = [[MTLFunctionDescriptor allocWithZone:zone] init];
    [copy setName:name_];
    [copy setSpecializedName:specializedName_];
    [copy setConstantValues:constantValues_];
    [copy setOptions:options_];
    return copy;
}

@end

@implementation MTLPipelineBufferDescriptor

@synthesize mutability = mutability_;

- (id)copyWithZone:(NSZone *)zone
{
    MTLPipelineBufferDescriptor *copy = [[MTLPipelineBufferDescriptor allocWithZone:zone] init];
    [copy setMutability:mutability_];
    return copy;
}

@end

@implementation MTLPipelineBufferDescriptorArray

- (void)dealloc
{
    for (NSUInteger i = 0; i < SM_MAX_BUFFERS; i++) {
        [descriptors_[i] release];
    }
    [super dealloc];
}

- (MTLPipelineBufferDescriptor *)objectAtIndexedSubscript:(NSUInteger)index
{
    if (index >= SM_MAX_BUFFERS) {
        smo_misuse(@"pipeline buffer descriptor %lu: below 31", (unsigned long)index);
        return nil;
    }
    if (!descriptors_[index]) {
        descriptors_[index] = [MTLPipelineBufferDescriptor new];
    }
    return descriptors_[index];
}

- (void)setObject:(MTLPipelineBufferDescriptor *)descriptor atIndexedSubscript:(NSUInteger)index
{
    if (index >= SM_MAX_BUFFERS) {
        smo_misuse(@"pipeline buffer descriptor %lu: below 31", (unsigned long)index);
        return;
    }
    MTLPipelineBufferDescriptor *copy = [descriptor copy];
    [descriptors_[index] release];
    descriptors_[index] = copy;
}

@end

@implementation MTLComputePipelineDescriptor

@synthesize label = label_, computeFunction = computeFunction_,
            threadGroupSizeIsMultipleOfThreadExecutionWidth =
                threadGroupSizeIsMultipleOfThreadExecutionWidth_,
            maxTotalThreadsPerThreadgroup = maxTotalThreadsPerThreadgroup_, buffers = buffers_,
            supportIndirectCommandBuffers = supportIndirectCommandBuffers_;

- (instancetype)init
{
    if ((self = [super init])) {
        buffers_ = [MTLPipelineBufferDescriptorArray new];
    }
    return self;
}

- (void)dealloc
{
    [label_ release];
    [computeFunction_ release];
    [buffers_ release];
    [super dealloc];
}

- (id)copyWithZone:(NSZone *)zone
{
    MTLComputePipelineDescriptor *copy = [[MTLComputePipelineDescriptor allocWithZone:zone] init];
    [copy setLabel:label_];
    [copy setComputeFunction:computeFunction_];
    [copy setMaxTotalThreadsPerThreadgroup:maxTotalThreadsPerThreadgroup_];
    [copy setSupportIndirectCommandBuffers:supportIndirectCommandBuffers_];
    copy->threadGroupSizeIsMultipleOfThreadExecutionWidth_ =
        threadGroupSizeIsMultipleOfThreadExecutionWidth_;
    for (NSUInteger i = 0; i < SM_MAX_BUFFERS; i++) {
        [copy->buffers_ setObject:[buffers_ objectAtIndexedSubscript:i] atIndexedSubscript:i];
    }
    return copy;
}

- (void)reset
{
    [self setLabel:nil];
    [self setComputeFunction:nil];
    maxTotalThreadsPerThreadgroup_ = 0;
    threadGroupSizeIsMultipleOfThreadExecutionWidth_ = NO;
    supportIndirectCommandBuffers_ = NO;
    [buffers_ release];
    buffers_ = [MTLPipelineBufferDescriptorArray new];
}

@end

@implementation MTLResidencySetDescriptor

@synthesize label = label_, initialCapacity = initialCapacity_;

- (void)dealloc
{
    [label_ release];
    [super dealloc];
}

- (id)copyWithZone:(NSZone *)zone
{
    MTLResidencySetDescriptor *copy = [[MTLResidencySetDescriptor allocWithZone:zone] init];
    [copy setLabel:label_];
    [copy setInitialCapacity:initialCapacity_];
    return copy;
}

@end

@implementation MTLCommandBufferDescriptor

@synthesize retainedReferences = retainedReferences_, errorOptions = errorOptions_;

- (instancetype)init
{
    if ((self = [super init])) {
        retainedReferences_ = YES;
    }
    return self;
}

- (id)copyWithZone:(NSZone *)zone
{
    MTLCommandBufferDescriptor *copy = [[MTLCommandBufferDescriptor allocWithZone:zone] init];
    [copy setRetainedReferences:retainedReferences_];
    [copy setErrorOptions:errorOptions_];
    return copy;
}

@end

@implementation MTLCounterSampleBufferDescriptor

@synthesize counterSet = counterSet_, label = label_, storageMode = storageMode_,
            sampleCount = sampleCount_;

- (void)dealloc
{
    [counterSet_ release];
    [label_ release];
    [super dealloc];
}

- (id)copyWithZone:(NSZone *)zone
{
    MTLCounterSampleBufferDescriptor *copy =
        [[MTLCounterSampleBufferDescriptor allocWithZone:zone] init];
    [copy setCounterSet:counterSet_];
    [copy setLabel:label_];
    [copy setStorageMode:storageMode_];
    [copy setSampleCount:sampleCount_];
    return copy;
}

@end
