/* Events and fences. */
#import "objects.h"
#include <stdlib.h>

unsigned smo_event_waiters;
unsigned smo_listeners;

struct smo_notification {
    uint64_t value;
    MTLSharedEventNotificationBlock block;
    struct smo_notification *next;
};

@implementation SMEvent

- (void)signal:(uint64_t)value
{
    pthread_mutex_lock(&smo_lock);
    value_ = value > value_ ? value : value_;
    stamp_ = smo_watch_signal(stamp_);
    pthread_cond_broadcast(&smo_changed);
    pthread_mutex_unlock(&smo_lock);
}

/* True if the value came before the deadline; 0 is none. Holds the lock. Whoever waits for an event
 * needs work of any queue, also such as is not committed yet, so all gates open. */
- (bool)reach:(uint64_t)value deadline:(uint64_t)deadline
{
    smo_event_waiters++;
    pthread_cond_broadcast(&smo_changed);
    while (value_ < value && (deadline == 0 || smo_nanoseconds() < deadline)) {
        smo_wait(deadline);
    }
    smo_event_waiters--;
    return value_ >= value;
}

- (void)waitFor:(uint64_t)value
{
    pthread_mutex_lock(&smo_lock);
    if (value_ < value) {
        [self reach:value deadline:0];
    }
    smo_watch_wait(stamp_);
    pthread_mutex_unlock(&smo_lock);
}

@end

@implementation MTLSharedEventListener

+ (MTLSharedEventListener *)sharedListener
{
    static MTLSharedEventListener *shared;
    @synchronized(self) {
        if (!shared) {
            shared = [MTLSharedEventListener new];
        }
        return shared;
    }
}

@end

@implementation SMSharedEvent

- (void)dealloc
{
    while (notifications_) {
        struct smo_notification *next = notifications_->next;
        Block_release(notifications_->block);
        free(notifications_);
        notifications_ = next;
        pthread_mutex_lock(&smo_lock);
        smo_listeners--;
        pthread_mutex_unlock(&smo_lock);
    }
    [super dealloc];
}

/* Takes out one notification that is due; the caller owns it. */
- (struct smo_notification *)takeDue
{
    pthread_mutex_lock(&smo_lock);
    struct smo_notification **at = &notifications_;
    while (*at && (*at)->value > value_) {
        at = &(*at)->next;
    }
    struct smo_notification *due = *at;
    if (due) {
        *at = due->next;
        smo_listeners--;
    }
    pthread_mutex_unlock(&smo_lock);
    return due;
}

- (void)notify
{
    struct smo_notification *due;
    while ((due = [self takeDue])) {
        MTLSharedEventNotificationBlock block = due->block;
        uint64_t value = due->value;
        free(due);
        smo_background(^{
          block(self, value);
          Block_release(block);
        });
    }
}

- (void)signal:(uint64_t)value
{
    [super signal:value];
    [self notify];
}

/* A host that polls an event waits for it. */
- (uint64_t)signaledValue
{
    pthread_mutex_lock(&smo_lock);
    uint64_t value = value_;
    smo_demand_everything();
    pthread_mutex_unlock(&smo_lock);
    return value;
}

- (void)setSignaledValue:(uint64_t)value
{
    pthread_mutex_lock(&smo_lock);
    value_ = value;
    stamp_ = smo_watch_signal(stamp_);
    pthread_cond_broadcast(&smo_changed);
    pthread_mutex_unlock(&smo_lock);
    [self notify];
}

- (void)notifyListener:(MTLSharedEventListener *)listener
               atValue:(uint64_t)value
                 block:(MTLSharedEventNotificationBlock)block
{
    struct smo_notification *added = malloc(sizeof *added);
    if (!listener || !block || !added) {
        free(added);
        smo_misuse(@"notifyListener:atValue:block: no listener, no block or no memory");
        return;
    }
    added->value = value;
    added->block = Block_copy(block);
    pthread_mutex_lock(&smo_lock);
    added->next = notifications_;
    notifications_ = added;
    smo_listeners++;
    pthread_cond_broadcast(&smo_changed);
    pthread_mutex_unlock(&smo_lock);
    [self notify];
}

- (BOOL)waitUntilSignaledValue:(uint64_t)value timeoutMS:(uint64_t)milliseconds
{
    uint64_t now = smo_nanoseconds();
    uint64_t most = (UINT64_MAX - now) / 1000000u;
    uint64_t deadline = milliseconds < most ? now + milliseconds * 1000000u : 0;
    pthread_mutex_lock(&smo_lock);
    bool reached = [self reach:value deadline:deadline];
    pthread_mutex_unlock(&smo_lock);
    return reached;
}

@end

@implementation SMFence
@end
