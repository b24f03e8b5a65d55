#ifndef SOFTMETAL_MTL_COMPUTE_PASS_H
#define SOFTMETAL_MTL_COMPUTE_PASS_H

#import <Metal/MTLCommandEncoder.h>
#import <Metal/MTLCounters.h>

@interface MTLComputePassSampleBufferAttachmentDescriptor : NSObject <NSCopying> {
  @private
    id<MTLCounterSampleBuffer> sampleBuffer_;
    NSUInteger startOfEncoderSampleIndex_, endOfEncoderSampleIndex_;
}
@property(retain, nonatomic) id<MTLCounterSampleBuffer> sampleBuffer;
@property(nonatomic) NSUInteger startOfEncoderSampleIndex;
@property(nonatomic) NSUInteger endOfEncoderSampleIndex;
@end

@interface MTLComputePassSampleBufferAttachmentDescriptorArray : NSObject {
  @private
    MTLComputePassSampleBufferAttachmentDescriptor *attachments_[4];
}
- (MTLComputePassSampleBufferAttachmentDescriptor *)objectAtIndexedSubscript:(NSUInteger)index;
- (void)setObject:(MTLComputePassSampleBufferAttachmentDescriptor *)attachment
    atIndexedSubscript:(NSUInteger)index;
@end

@interface MTLComputePassDescriptor : NSObject <NSCopying> {
  @private
    MTLDispatchType dispatchType_;
    MTLComputePassSampleBufferAttachmentDescriptorArray *sampleBufferAttachments_;
}
@property(nonatomic) MTLDispatchType dispatchType;
+ (MTLComputePassDescriptor *)computePassDescriptor;
@property(readonly, nonatomic)
    MTLComputePassSampleBufferAttachmentDescriptorArray *sampleBufferAttachments;
@end

#endif
