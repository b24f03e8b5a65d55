#ifndef SOFTMETAL_MTL_FENCE_H
#define SOFTMETAL_MTL_FENCE_H

#import <Metal/MTLDefines.h>

@protocol MTLDevice;

@protocol MTLFence <NSObject>
@property(readonly) id<MTLDevice> device;
@property(copy, atomic) NSString *label;
@end

#endif
