#ifndef SOFTMETAL_MTL_BLIT_PASS_H
#define SOFTMETAL_MTL_BLIT_PASS_H

#import <Metal/MTLCounters.h>

@interface MTLBlitPassSampleBufferAttachmentDescriptor : NSObject <NSCopying> {
  @private
    id<MTLCounterSampleBuffer> sampleBuffer_;
    NSUInteger startOfEncoderSampleIndex_, endOfEncoderSampleIndex_;
}
@property(retain, nonatomic) id<MTLCounterSampleBuffer> sampleBuffer;
@property(nonatomic) NSUInteger startOfEncoderSampleIndex;
@property(nonatomic) NSUInteger endOfEncoderSampleIndex;
@end

@interface MTLBlitPassSampleBufferAttachmentDescriptorArray : NSObject {
  @private
    MTLBlitPassSampleBufferAttachmentDescriptor *attachments_[4];
}
- (MTLBlitPassSampleBufferAttachmentDescriptor *)objectAtIndexedSubscript:(NSUInteger)index;
- (void)setObject:(MTLBlitPassSampleBufferAttachmentDescriptor *)attachment
    atIndexedSubscript:(NSUInteger)index;
@end

@interface MTLBlitPassDescriptor : NSObject <NSCopying> {
  @private
    MTLBlitPassSampleBufferAttachmentDescriptorArray *sampleBufferAttachments_;
}
+ (MTLBlitPassDescriptor *)blitPassDescriptor;
@property(readonly, nonatomic)
    MTLBlitPassSampleBufferAttachmentDescriptorArray *sampleBufferAttachments;
@end

#endif
