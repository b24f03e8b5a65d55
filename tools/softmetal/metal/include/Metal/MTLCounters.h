#ifndef SOFTMETAL_MTL_COUNTERS_H
#define SOFTMETAL_MTL_COUNTERS_H

#import <Metal/MTLResource.h>

@protocol MTLDevice;

typedef NSString *MTLCommonCounter;
typedef NSString *MTLCommonCounterSet;
MTL_EXTERN MTLCommonCounter const MTLCommonCounterTimestamp;
MTL_EXTERN MTLCommonCounterSet const MTLCommonCounterSetTimestamp;

/* Nanoseconds. */
typedef struct {
    uint64_t timestamp;
} MTLCounterResultTimestamp;

#define MTLCounterErrorValue ((uint64_t)~0ULL)
#define MTLCounterDontSample ((NSUInteger)-1)

MTL_EXTERN NSErrorDomain const MTLCounterErrorDomain;

typedef NS_ENUM(NSInteger, MTLCounterSampleBufferError) {
    MTLCounterSampleBufferErrorOutOfMemory = 0,
    MTLCounterSampleBufferErrorInvalid = 1,
    MTLCounterSampleBufferErrorInternal = 2,
};

/* As on Apple's GPUs only MTLCounterSamplingPointAtStageBoundary is supported. */
typedef NS_ENUM(NSUInteger, MTLCounterSamplingPoint) {
    MTLCounterSamplingPointAtStageBoundary = 0,
    MTLCounterSamplingPointAtDrawBoundary = 1,
    MTLCounterSamplingPointAtDispatchBoundary = 2,
    MTLCounterSamplingPointAtTileDispatchBoundary = 3,
    MTLCounterSamplingPointAtBlitBoundary = 4,
};

@protocol MTLCounter <NSObject>
@property(readonly) NSString *name;
@end

@protocol MTLCounterSet <NSObject>
@property(readonly) NSString *name;
@property(readonly) NSArray *counters;
@end

@interface MTLCounterSampleBufferDescriptor : NSObject <NSCopying> {
  @private
    id<MTLCounterSet> counterSet_;
    NSString *label_;
    MTLStorageMode storageMode_;
    NSUInteger sampleCount_;
}
@property(retain, nonatomic) id<MTLCounterSet> counterSet;
@property(copy, nonatomic) NSString *label;
@property(nonatomic) MTLStorageMode storageMode;
@property(nonatomic) NSUInteger sampleCount;
@end

@protocol MTLCounterSampleBuffer <NSObject>
@property(readonly) id<MTLDevice> device;
@property(readonly) NSString *label;
@property(readonly) NSUInteger sampleCount;
/* MTLCounterResultTimestamp records; nil for private storage or a range that is not inside.
 * A sample that was not taken is MTLCounterErrorValue. */
- (NSData *)resolveCounterRange:(NSRange)range;
@end

#endif
