#ifndef SOFTMETAL_MTL_BLIT_PASS_H
#define SOFTMETAL_MTL_BLIT_PASS_H

#import <Metal/SoftMetalPass.h>

@interface MTLBlitPassSampleBufferAttachmentDescriptor : SMPassAttachment
@end

@interface MTLBlitPassSampleBufferAttachmentDescriptorArray : SMPassAttachmentArray
- (MTLBlitPassSampleBufferAttachmentDescriptor *)objectAtIndexedSubscript:(NSUInteger)index;
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
