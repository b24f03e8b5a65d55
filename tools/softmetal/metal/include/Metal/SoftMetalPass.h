#ifndef SOFTMETAL_PASS_H
#define SOFTMETAL_PASS_H

#import <Metal/MTLCounters.h>

/* What compute and blit passes share; hosts use the subclasses. */
@interface SMPassAttachment : NSObject <NSCopying> {
  @private
    id<MTLCounterSampleBuffer> sampleBuffer_;
    NSUInteger startOfEncoderSampleIndex_, endOfEncoderSampleIndex_;
}
@property(retain, nonatomic) id<MTLCounterSampleBuffer> sampleBuffer;
/* MTLCounterDontSample leaves a sample out. */
@property(nonatomic) NSUInteger startOfEncoderSampleIndex;
@property(nonatomic) NSUInteger endOfEncoderSampleIndex;
@end

@interface SMPassAttachmentArray : NSObject {
  @private
    Class member_;
    SMPassAttachment *attachments_[4];
}
- (instancetype)initWithMember:(Class)member;
- (id)objectAtIndexedSubscript:(NSUInteger)index;
- (void)setObject:(SMPassAttachment *)attachment atIndexedSubscript:(NSUInteger)index;
@end

#endif
