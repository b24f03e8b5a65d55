/* Timestamps at the beginning and the end of encoders. */
#import "objects.h"
#include <stdlib.h>

MTLCommonCounter const MTLCommonCounterTimestamp = @"GPUTimestamp";
MTLCommonCounterSet const MTLCommonCounterSetTimestamp = @"timestamp";
NSErrorDomain const MTLCounterErrorDomain = @"MTLCounterErrorDomain";

@interface SMCounter : NSObject <MTLCounter>
@end

@implementation SMCounter

- (NSString *)name
{
    return MTLCommonCounterTimestamp;
}

@end

@interface SMCounterSet : NSObject <MTLCounterSet> {
    NSArray *counters_;
}
@end

@implementation SMCounterSet

- (instancetype)init
{
    if ((self = [super init])) {
        SMCounter *timestamp = [SMCounter new];
        counters_ = [[NSArray alloc] initWithObjects:timestamp, nil];
        [timestamp release];
    }
    return self;
}

- (void)dealloc
{
    [counters_ release];
    [super dealloc];
}

- (NSString *)name
{
    return MTLCommonCounterSetTimestamp;
}

- (NSArray *)counters
{
    return counters_;
}

@end

NSArray *smo_counter_sets(void)
{
    SMCounterSet *timestamps = [SMCounterSet new];
    NSArray *sets = [[NSArray alloc] initWithObjects:timestamps, nil];
    [timestamps release];
    return sets;
}

@implementation SMCounterSampleBuffer

- (void)dealloc
{
    free(samples_);
    [super dealloc];
}

- (NSUInteger)sampleCount
{
    return count_;
}

- (NSData *)resolveCounterRange:(NSRange)range
{
    if (storage_ != MTLStorageModeShared) {
        smo_misuse(@"resolveCounterRange: needs a sample buffer in shared storage");
        return nil;
    }
    if (range.location > count_ || range.length > count_ - range.location) {
        smo_misuse(@"resolveCounterRange: %lu samples at %lu of %lu", (unsigned long)range.length,
                   (unsigned long)range.location, (unsigned long)count_);
        return nil;
    }
    return [NSData dataWithBytes:samples_ + range.location length:range.length * sizeof *samples_];
}

@end
