#ifndef SOFTMETAL_MTL_EVENT_H
#define SOFTMETAL_MTL_EVENT_H

#import <Metal/MTLDefines.h>

@protocol MTLDevice;
@protocol MTLSharedEvent;

@protocol MTLEvent <NSObject>
@property(readonly) id<MTLDevice> device;
@property(copy, atomic) NSString *label;
@end

/* Without libdispatch there is no queue to give: blocks run on threads of the listener's own. */
@interface MTLSharedEventListener : NSObject
+ (MTLSharedEventListener *)sharedListener;
@end

typedef void (^MTLSharedEventNotificationBlock)(id<MTLSharedEvent> event, uint64_t value);

@protocol MTLSharedEvent <MTLEvent>
@property(readwrite) uint64_t signaledValue;
- (void)notifyListener:(MTLSharedEventListener *)listener
               atValue:(uint64_t)value
                 block:(MTLSharedEventNotificationBlock)block;
- (BOOL)waitUntilSignaledValue:(uint64_t)value timeoutMS:(uint64_t)milliseconds;
@end

#endif
