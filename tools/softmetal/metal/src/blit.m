/* Blit encoders. */
#import "objects.h"

@implementation SMBlitEncoder

/* macOS wants multiples of 4. */
- (bool)check:(SMBuffer *)buffer
       offset:(NSUInteger)offset
         size:(NSUInteger)size
       method:(const char *)method
{
    if (!buffer) {
        [self refuse:@"%s: no buffer", method];
        return false;
    }
    size_t length = buffer->memory_->length;
    if (size == 0 || offset % 4 != 0 || size % 4 != 0 || offset > length ||
        length - offset < size) {
        [self refuse:@"%s: %lu bytes at %lu of a buffer of %zu: must be inside, not empty, and "
                     @"multiples of 4",
                     method, (unsigned long)size, (unsigned long)offset, length];
        return false;
    }
    return true;
}

- (void)copyFromBuffer:(id<MTLBuffer>)source
          sourceOffset:(NSUInteger)sourceOffset
              toBuffer:(id<MTLBuffer>)destination
     destinationOffset:(NSUInteger)destinationOffset
                  size:(NSUInteger)size
{
    SMBuffer *from = (SMBuffer *)source, *to = (SMBuffer *)destination;
    if (![self isOpenFor:"copyFromBuffer:"] ||
        ![self check:from offset:sourceOffset size:size method:"copyFromBuffer: (source)"] ||
        ![self check:to
              offset:destinationOffset
                size:size
              method:"copyFromBuffer: (destination)"]) {
        return;
    }
    if (from == to && sourceOffset < destinationOffset + size &&
        destinationOffset < sourceOffset + size) {
        [self refuse:@"copyFromBuffer: source and destination overlap"];
        return;
    }
    struct smo_command *command = [self append:SMO_COPY];
    if (command) {
        [buffer_ use:from];
        [buffer_ use:to];
        command->from = from->memory_->bytes + sourceOffset;
        command->to = to->memory_->bytes + destinationOffset;
        command->bytes = size;
    }
}

- (void)fillBuffer:(id<MTLBuffer>)buffer range:(NSRange)range value:(uint8_t)value
{
    SMBuffer *to = (SMBuffer *)buffer;
    if (![self isOpenFor:"fillBuffer:range:value:"] || ![self check:to
                                                             offset:range.location
                                                               size:range.length
                                                             method:"fillBuffer:"]) {
        return;
    }
    struct smo_command *command = [self append:SMO_FILL];
    if (command) {
        [buffer_ use:to];
        command->to = to->memory_->bytes + range.location;
        command->bytes = range.length;
        command->value = value;
    }
}

- (void)synchronizeResource:(id<MTLResource>)resource
{
    if (![self isOpenFor:"synchronizeResource:"]) {
        return;
    }
    if (!resource || [resource storageMode] != MTLStorageModeManaged) {
        [self refuse:@"synchronizeResource: is for managed storage only"];
    }
}

- (void)resolveCounters:(id<MTLCounterSampleBuffer>)sampleBuffer
                inRange:(NSRange)range
      destinationBuffer:(id<MTLBuffer>)destination
      destinationOffset:(NSUInteger)offset
{
    SMBuffer *to = (SMBuffer *)destination;
    if (![self isOpenFor:"resolveCounters:"] || ![self check:to
                                                      offset:offset
                                                        size:range.length * sizeof(uint64_t)
                                                      method:"resolveCounters:"]) {
        return;
    }
    NSUInteger count = [sampleBuffer sampleCount];
    if (range.location > count || range.length > count - range.location) {
        [self refuse:@"resolveCounters: %lu samples at %lu of %lu", (unsigned long)range.length,
                     (unsigned long)range.location, (unsigned long)count];
        return;
    }
    struct smo_command *command = [self append:SMO_RESOLVE];
    if (command) {
        [buffer_ use:to];
        [buffer_ keep:sampleBuffer];
        command->object = sampleBuffer;
        command->range = range;
        command->to = to->memory_->bytes + offset;
    }
}

@end
