/* What compute and blit encoders share. */
#import "objects.h"

@implementation SMEncoder

- (instancetype)initWithBuffer:(SMCommandBuffer *)buffer
{
    if ((self = [super init])) {
        buffer_ = [buffer retain];
        info_ = [SMEncoderInfo new];
        [buffer->encoders_ addObject:info_];
        buffer->encoder_ = self;
    }
    return self;
}

- (void)dealloc
{
    if (!ended_) {
        [buffer_ refuse:smo_misuse(@"encoder '%@' was released without endEncoding",
                                   [info_ label] ?: @"")];
        buffer_->encoder_ = nil;
    }
    [info_ release];
    [buffer_ release];
    [super dealloc];
}

- (bool)isOpenFor:(const char *)method
{
    if (ended_) {
        [buffer_ refuse:smo_misuse(@"%s after endEncoding", method)];
    }
    return !ended_;
}

- (void)refuse:(NSString *)format, ...
{
    va_list arguments;
    va_start(arguments, format);
    NSString *text = [[[NSString alloc] initWithFormat:format arguments:arguments] autorelease];
    va_end(arguments);
    NSString *label = [info_ label];
    [buffer_ refuse:smo_misuse(@"%@%s%@", label ?: @"", label ? ": " : "", text)];
}

- (struct smo_command *)append:(enum smo_kind)kind
{
    return [buffer_ append:kind];
}

- (void)sample:(NSUInteger)index of:(id<MTLCounterSampleBuffer>)samples
{
    if (index == MTLCounterDontSample) {
        return;
    }
    if (index >= [samples sampleCount]) {
        [self refuse:@"sample %lu of a sample buffer of %lu", (unsigned long)index,
                     (unsigned long)[samples sampleCount]];
        return;
    }
    struct smo_command *command = [self append:SMO_SAMPLE];
    if (command) {
        command->object = samples;
        command->number = index;
    }
}

- (void)sampleInto:(SMPassAttachmentArray *)attachments
{
    for (NSUInteger i = 0; i < 4; i++) {
        SMPassAttachment *attachment = [attachments objectAtIndexedSubscript:i];
        id<MTLCounterSampleBuffer> samples = [attachment sampleBuffer];
        if (samples) {
            [buffer_ keep:samples];
            [self sample:[attachment startOfEncoderSampleIndex] of:samples];
            end_samples_[i] = samples;
            end_index_[i] = [attachment endOfEncoderSampleIndex];
        }
    }
}

- (void)endEncoding
{
    if (![self isOpenFor:"endEncoding"]) {
        return;
    }
    if (depth_ > 0) {
        [self refuse:@"endEncoding with %u debug groups open", depth_];
    }
    for (NSUInteger i = 0; i < 4; i++) {
        if (end_samples_[i]) {
            [self sample:end_index_[i] of:end_samples_[i]];
        }
    }
    ended_ = true;
    buffer_->encoder_ = nil;
}

- (id<MTLDevice>)device
{
    return [buffer_ device];
}

- (NSString *)label
{
    return [info_ label];
}

- (void)setLabel:(NSString *)label
{
    [info_ setLabel:label];
}

- (void)insertDebugSignpost:(NSString *)string
{
    if ([self isOpenFor:"insertDebugSignpost:"] && string) {
        [info_->signposts_ addObject:string];
    }
}

- (void)pushDebugGroup:(NSString *)string
{
    if ([self isOpenFor:"pushDebugGroup:"]) {
        [self insertDebugSignpost:string];
        depth_++;
    }
}

- (void)popDebugGroup
{
    if (![self isOpenFor:"popDebugGroup"]) {
        return;
    }
    if (depth_ == 0) {
        [self refuse:@"popDebugGroup without pushDebugGroup:"];
        return;
    }
    depth_--;
}

/* Encoders run one after another here, so a fence has nothing to wait for. */
- (void)updateFence:(id<MTLFence>)fence
{
    if ([self isOpenFor:"updateFence:"] && !fence) {
        [self refuse:@"updateFence: no fence"];
    }
}

- (void)waitForFence:(id<MTLFence>)fence
{
    if ([self isOpenFor:"waitForFence:"] && !fence) {
        [self refuse:@"waitForFence: no fence"];
    }
}

- (void)sampleCountersInBuffer:(id<MTLCounterSampleBuffer>)samples
                 atSampleIndex:(NSUInteger)index
                   withBarrier:(BOOL)barrier
{
    (void)samples;
    (void)index;
    (void)barrier;
    [self refuse:@"sampleCountersInBuffer: the device samples at stage boundaries only "
                 @"(supportsCounterSampling:)"];
}

@end
