/* Pass descriptors: where an encoder's first and last moment are sampled. */
#import "objects.h"

@implementation SMPassAttachment

@synthesize sampleBuffer = sampleBuffer_, startOfEncoderSampleIndex = startOfEncoderSampleIndex_,
            endOfEncoderSampleIndex = endOfEncoderSampleIndex_;

- (instancetype)init
{
    if ((self = [super init])) {
        startOfEncoderSampleIndex_ = MTLCounterDontSample;
        endOfEncoderSampleIndex_ = MTLCounterDontSample;
    }
    return self;
}

- (void)dealloc
{
    [sampleBuffer_ release];
    [super dealloc];
}

- (id)copyWithZone:(NSZone *)zone
{
    SMPassAttachment *copy = [[[self class] allocWithZone:zone] init];
    [copy setSampleBuffer:sampleBuffer_];
    [copy setStartOfEncoderSampleIndex:startOfEncoderSampleIndex_];
    [copy setEndOfEncoderSampleIndex:endOfEncoderSampleIndex_];
    return copy;
}

@end

@implementation SMPassAttachmentArray

- (instancetype)initWithMember:(Class)member
{
    if ((self = [super init])) {
        member_ = member;
    }
    return self;
}

- (void)dealloc
{
    for (NSUInteger i = 0; i < 4; i++) {
        [attachments_[i] release];
    }
    [super dealloc];
}

- (id)objectAtIndexedSubscript:(NSUInteger)index
{
    if (index >= 4) {
        smo_misuse(@"sample buffer attachment %lu: below 4", (unsigned long)index);
        return nil;
    }
    if (!attachments_[index]) {
        attachments_[index] = [member_ new];
    }
    return attachments_[index];
}

- (void)setObject:(SMPassAttachment *)attachment atIndexedSubscript:(NSUInteger)index
{
    if (index >= 4) {
        smo_misuse(@"sample buffer attachment %lu: below 4", (unsigned long)index);
        return;
    }
    SMPassAttachment *copy = [attachment copy];
    [attachments_[index] release];
    attachments_[index] = copy;
}

@end

@implementation MTLComputePassSampleBufferAttachmentDescriptor
@end

@implementation MTLBlitPassSampleBufferAttachmentDescriptor
@end

@implementation MTLComputePassSampleBufferAttachmentDescriptorArray

- (MTLComputePassSampleBufferAttachmentDescriptor *)objectAtIndexedSubscript:(NSUInteger)index
{
    return [super objectAtIndexedSubscript:index];
}

@end

@implementation MTLBlitPassSampleBufferAttachmentDescriptorArray

- (MTLBlitPassSampleBufferAttachmentDescriptor *)objectAtIndexedSubscript:(NSUInteger)index
{
    return [super objectAtIndexedSubscript:index];
}

@end

static void copy_attachments(SMPassAttachmentArray *to, SMPassAttachmentArray *from)
{
    for (NSUInteger i = 0; i < 4; i++) {
        [to setObject:[from objectAtIndexedSubscript:i] atIndexedSubscript:i];
    }
}

@implementation MTLComputePassDescriptor

@synthesize dispatchType = dispatchType_, sampleBufferAttachments = sampleBufferAttachments_;

+ (MTLComputePassDescriptor *)computePassDescriptor
{
    return [[[MTLComputePassDescriptor alloc] init] autorelease];
}

- (instancetype)init
{
    if ((self = [super init])) {
        sampleBufferAttachments_ = [[MTLComputePassSampleBufferAttachmentDescriptorArray alloc]
            initWithMember:[MTLComputePassSampleBufferAttachmentDescriptor class]];
    }
    return self;
}

- (void)dealloc
{
    [sampleBufferAttachments_ release];
    [super dealloc];
}

- (id)copyWithZone:(NSZone *)zone
{
    MTLComputePassDescriptor *copy = [[MTLComputePassDescriptor allocWithZone:zone] init];
    [copy setDispatchType:dispatchType_];
    copy_attachments(copy->sampleBufferAttachments_, sampleBufferAttachments_);
    return copy;
}

@end

@implementation MTLBlitPassDescriptor

@synthesize sampleBufferAttachments = sampleBufferAttachments_;

+ (MTLBlitPassDescriptor *)blitPassDescriptor
{
    return [[[MTLBlitPassDescriptor alloc] init] autorelease];
}

- (instancetype)init
{
    if ((self = [super init])) {
        sampleBufferAttachments_ = [[MTLBlitPassSampleBufferAttachmentDescriptorArray alloc]
            initWithMember:[MTLBlitPassSampleBufferAttachmentDescriptor class]];
    }
    return self;
}

- (void)dealloc
{
    [sampleBufferAttachments_ release];
    [super dealloc];
}

- (id)copyWithZone:(NSZone *)zone
{
    MTLBlitPassDescriptor *copy = [[MTLBlitPassDescriptor allocWithZone:zone] init];
    copy_attachments(copy->sampleBufferAttachments_, sampleBufferAttachments_);
    return copy;
}

@end
