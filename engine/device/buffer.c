/* Memory of a device, and slices of it. */
#include "engine/device/internal.h"

#include <stdlib.h>
#include <string.h>

static struct ts_buffer *buffer_of(struct ts_device *device, void *handle, uint64_t bytes,
                                   bool wrapped)
{
    struct ts_buffer *buffer = handle ? calloc(1, sizeof *buffer) : NULL;
    if (buffer) {
        buffer->device = device;
        buffer->handle = handle;
        buffer->bytes = bytes;
        buffer->wrapped = wrapped;
    } else if (handle) {
        device->backend->free(device->state, handle, wrapped);
    }
    return buffer;
}

struct ts_buffer *ts_buffer_alloc(struct ts_device *device, uint64_t bytes, const char *label,
                                  struct ts_error *error)
{
    struct ts_buffer *buffer = NULL;
    if (bytes <= device->limits.max_buffer_bytes) {
        void *handle = device->backend->alloc(device->state, bytes ? bytes : 1, label);
        buffer = buffer_of(device, handle, bytes, false);
    }
    if (!buffer) {
        ts_fail_memory(error, label, bytes);
    }
    return buffer;
}

struct ts_buffer *ts_buffer_wrap(struct ts_device *device, const void *data, uint64_t bytes,
                                 uint64_t piece, struct ts_error *error)
{
    void *handle = device->backend->wrap(device->state, data, bytes, piece, error);
    struct ts_buffer *buffer = handle ? buffer_of(device, handle, bytes, true) : NULL;
    if (handle && !buffer) {
        ts_fail_memory(error, "a view of the model file", bytes);
    }
    return buffer;
}

void ts_buffer_free(struct ts_buffer *buffer)
{
    if (buffer) {
        struct ts_device *device = buffer->device;
        device->backend->free(device->state, buffer->handle, buffer->wrapped);
        free(buffer);
    }
}

void ts_buffer_name(struct ts_buffer *buffer, uint64_t offset, uint64_t bytes, const char *name)
{
    if (buffer->device->backend->name_range) {
        buffer->device->backend->name_range(buffer->device->state, buffer->handle, offset, bytes,
                                            name);
    }
}

void *ts_buffer_contents(struct ts_buffer *buffer)
{
    return buffer->device->backend->contents(buffer->device->state, buffer->handle);
}

void *ts_buffer_handle(const struct ts_buffer *buffer)
{
    return buffer->handle;
}

void *ts_slice_contents(struct ts_slice slice)
{
    return (char *)ts_buffer_contents(slice.buffer) + slice.offset;
}

void ts_slice_write(struct ts_slice slice, uint64_t first, uint64_t count, const double *values)
{
    if (slice.format == TS_F64) {
        memcpy((double *)ts_slice_contents(slice) + first, values, count * sizeof *values);
        return;
    }
    float *target = (float *)ts_slice_contents(slice) + first;
    for (uint64_t i = 0; i < count; i++) {
        target[i] = (float)values[i];
    }
}

void ts_slice_read(struct ts_slice slice, uint64_t first, uint64_t count, double *values)
{
    if (slice.format == TS_F64) {
        memcpy(values, (const double *)ts_slice_contents(slice) + first, count * sizeof *values);
        return;
    }
    const float *source = (const float *)ts_slice_contents(slice) + first;
    for (uint64_t i = 0; i < count; i++) {
        values[i] = source[i];
    }
}

struct ts_slice ts_slice_part(struct ts_slice slice, uint64_t first, uint64_t count)
{
    uint64_t width = ts_format_block_bytes(slice.format);
    slice.offset += first * width;
    slice.bytes = count * width;
    return slice;
}
