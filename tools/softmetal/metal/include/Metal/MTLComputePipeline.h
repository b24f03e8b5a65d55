#ifndef SOFTMETAL_MTL_COMPUTE_PIPELINE_H
#define SOFTMETAL_MTL_COMPUTE_PIPELINE_H

#import <Metal/MTLArgument.h>
#import <Metal/MTLTypes.h>

@protocol MTLDevice;
@protocol MTLFunction;

typedef NS_OPTIONS(NSUInteger, MTLPipelineOption) {
    MTLPipelineOptionNone = 0,
    MTLPipelineOptionArgumentInfo = 1 << 0,
    MTLPipelineOptionBindingInfo = 1 << 0,
    MTLPipelineOptionBufferTypeInfo = 1 << 1,
    MTLPipelineOptionFailOnBinaryArchiveMiss = 1 << 2,
};

typedef NS_ENUM(NSUInteger, MTLMutability) {
    MTLMutabilityDefault = 0,
    MTLMutabilityMutable = 1,
    MTLMutabilityImmutable = 2,
};

@interface MTLPipelineBufferDescriptor : NSObject <NSCopying> {
  @private
    MTLMutability mutability_;
}
@property(nonatomic) MTLMutability mutability;
@end

@interface MTLPipelineBufferDescriptorArray : NSObject {
  @private
    MTLPipelineBufferDescriptor *descriptors_[31];
}
- (MTLPipelineBufferDescriptor *)objectAtIndexedSubscript:(NSUInteger)index;
- (void)setObject:(MTLPipelineBufferDescriptor *)descriptor atIndexedSubscript:(NSUInteger)index;
@end

@interface MTLComputePipelineDescriptor : NSObject <NSCopying> {
  @private
    NSString *label_;
    id<MTLFunction> computeFunction_;
    BOOL threadGroupSizeIsMultipleOfThreadExecutionWidth_, supportIndirectCommandBuffers_;
    NSUInteger maxTotalThreadsPerThreadgroup_;
    MTLPipelineBufferDescriptorArray *buffers_;
}
@property(copy, nonatomic) NSString *label;
@property(retain, nonatomic) id<MTLFunction> computeFunction;
@property(nonatomic) BOOL threadGroupSizeIsMultipleOfThreadExecutionWidth;
@property(nonatomic) NSUInteger maxTotalThreadsPerThreadgroup;
@property(readonly, nonatomic) MTLPipelineBufferDescriptorArray *buffers;
@property(nonatomic) BOOL supportIndirectCommandBuffers;
- (void)reset;
@end

@interface MTLComputePipelineReflection : NSObject {
  @private
    NSArray *bindings_;
}
@property(readonly, nonatomic) NSArray *bindings;
@end

typedef MTLComputePipelineReflection *MTLAutoreleasedComputePipelineReflection;

@protocol MTLComputePipelineState <NSObject>
@property(readonly) NSString *label;
@property(readonly) id<MTLDevice> device;
@property(readonly) NSUInteger maxTotalThreadsPerThreadgroup;
@property(readonly) NSUInteger threadExecutionWidth;
/* 0: what a kernel declares is known only while it runs, and checked then. */
@property(readonly) NSUInteger staticThreadgroupMemoryLength;
@property(readonly) BOOL supportIndirectCommandBuffers;
@end

typedef void (^MTLNewComputePipelineStateCompletionHandler)(id<MTLComputePipelineState> state,
                                                            NSError *error);
typedef void (^MTLNewComputePipelineStateWithReflectionCompletionHandler)(
    id<MTLComputePipelineState> state, MTLComputePipelineReflection *reflection, NSError *error);

#endif
