#ifndef SOFTMETAL_MTL_COMPUTE_PASS_H
#define SOFTMETAL_MTL_COMPUTE_PASS_H

#import <Metal/MTLCommandEncoder.h>
#import <Metal/SoftMetalPass.h>

@interface MTLComputePassSampleBufferAttachmentDescriptor : SMPassAttachment
@end

@interface MTLComputePassSampleBufferAttachmentDescriptorArray : SMPassAttachmentArray
- (MTLComputePassSampleBufferAttachmentDescriptor *)objectAtIndexedSubscript:(NSUInteger)index;
@end

@interface MTLComputePassDescriptor : NSObject <NSCopying> {
  @private
    MTLDispatchType dispatchType_;
    MTLComputePassSampleBufferAttachmentDescriptorArray *sampleBufferAttachments_;
}
+ (MTLComputePassDescriptor *)computePassDescriptor;
@property(nonatomic) MTLDispatchType dispatchType;
@property(readonly, nonatomic)
    MTLComputePassSampleBufferAttachmentDescriptorArray *sampleBufferAttachments;
@end

#endif
