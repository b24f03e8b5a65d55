/* Memory of the Metal device: its own, and the mapped model file without a copy. */
#include "engine/device/metal/metal.h"

#include "base/clock.h"

#include <stdlib.h>
#include <string.h>

static bool add_view(struct ts_metal *metal, struct ts_metal_buffer *buffer, id<MTLBuffer> view)
{
    id<MTLBuffer> *views = realloc(buffer->views, (buffer->count + 1) * sizeof *views);
    if (!views || !view) {
        buffer->views = views ? views : buffer->views;
        [view release];
        return false;
    }
    buffer->views = views;
    buffer->views[buffer->count++] = view;
    metal->counters.buffers++;
    metal->resident = false;
    if (metal->residency) {
        [metal->residency addAllocation:view];
    }
    return true;
}

void *ts_metal_alloc(void *state, uint64_t bytes, const char *label)
{
    struct ts_metal *metal = state;
    struct ts_metal_buffer *buffer = calloc(1, sizeof *buffer);
    if (!buffer) {
        return NULL;
    }
    buffer->stride = buffer->view_bytes = bytes;
    @autoreleasepool {
        id<MTLBuffer> view = [metal->device newBufferWithLength:bytes
                                                        options:MTLResourceStorageModeShared];
        [view setLabel:[NSString stringWithUTF8String:label]];
        if (!add_view(metal, buffer, view)) {
            ts_metal_free(state, buffer, false);
            return NULL;
        }
        memset([view contents], 0, bytes);
    }
    return buffer;
}

static uint64_t round_up(uint64_t bytes)
{
    return (bytes + TS_METAL_PAGE - 1) / TS_METAL_PAGE * TS_METAL_PAGE;
}

/* Where views overlap by a piece, every piece lies wholly in one of them. */
static bool plan_views(struct ts_metal_buffer *buffer, uint64_t bytes, uint64_t largest,
                       uint64_t piece, struct ts_error *error)
{
    uint64_t overlap = round_up(piece) + TS_METAL_PAGE;
    buffer->view_bytes = bytes;
    buffer->stride = bytes;
    if (bytes <= largest) {
        return true;
    }
    buffer->view_bytes = largest / TS_METAL_PAGE * TS_METAL_PAGE;
    if (buffer->view_bytes <= overlap) {
        return ts_fail(error, TS_ERR_ENVIRONMENT, NULL,
                       "a tensor of %llu bytes does not fit Metal's largest buffer of %llu",
                       (unsigned long long)piece, (unsigned long long)largest);
    }
    buffer->stride = buffer->view_bytes - overlap;
    return true;
}

void *ts_metal_wrap(void *state, const void *data, uint64_t bytes, uint64_t piece,
                    struct ts_error *error)
{
    struct ts_metal *metal = state;
    struct ts_metal_buffer *buffer = calloc(1, sizeof *buffer);
    uint64_t whole = round_up(bytes);
    if (!buffer) {
        ts_fail_memory(error, "a view of the model file", sizeof *buffer);
        return NULL;
    }
    if ((uintptr_t)data % TS_METAL_PAGE != 0) {
        free(buffer);
        ts_fail(error, TS_ERR_ENVIRONMENT, NULL,
                "memory at %p cannot be given to Metal: it must begin at a multiple of %d", data,
                TS_METAL_PAGE);
        return NULL;
    }
    @autoreleasepool {
        if (!plan_views(buffer, whole, metal->largest, piece, error)) {
            free(buffer);
            return NULL;
        }
        for (uint64_t start = 0; start == 0 || start + buffer->view_bytes - buffer->stride < whole;
             start += buffer->stride) {
            uint64_t left = whole - start;
            uint64_t length = left < buffer->view_bytes ? left : buffer->view_bytes;
            void *from = (char *)(uintptr_t)data + start;
            id<MTLBuffer> view =
                [metal->device newBufferWithBytesNoCopy:from
                                                 length:length
                                                options:MTLResourceStorageModeShared
                                            deallocator:nil];
            [view setLabel:@"weights"];
            if (!add_view(metal, buffer, view)) {
                ts_metal_free(state, buffer, true);
                ts_fail(error, TS_ERR_ENVIRONMENT, NULL,
                        "Metal cannot use %llu bytes of the model file in place",
                        (unsigned long long)length);
                return NULL;
            }
        }
    }
    return buffer;
}

void ts_metal_free(void *state, void *handle, bool wrapped)
{
    struct ts_metal *metal = state;
    struct ts_metal_buffer *buffer = handle;
    (void)wrapped;
    @autoreleasepool {
        for (unsigned i = 0; i < buffer->count; i++) {
            if (metal->residency) {
                [metal->residency removeAllocation:buffer->views[i]];
                metal->resident = false;
            }
            [buffer->views[i] release];
        }
    }
    free(buffer->views);
    free(buffer);
}

void *ts_metal_contents(void *state, void *handle)
{
    struct ts_metal_buffer *buffer = handle;
    (void)state;
    return [buffer->views[0] contents]; /* views follow one another in memory */
}

void ts_metal_name_range(void *state, void *handle, uint64_t offset, uint64_t bytes,
                         const char *name)
{
    struct ts_metal_buffer *buffer = handle;
    (void)state;
    @autoreleasepool {
        NSString *text = [NSString stringWithUTF8String:name];
        for (unsigned i = 0; text && i < buffer->count; i++) { /* whole in one view or in two */
            uint64_t start = i * buffer->stride, length = [buffer->views[i] length];
            if (offset >= start && offset + bytes <= start + length) {
                [buffer->views[i] addDebugMarker:text range:NSMakeRange(offset - start, bytes)];
            }
        }
    }
}

id<MTLBuffer> ts_metal_view(const struct ts_slice *slice, uint64_t *offset)
{
    struct ts_metal_buffer *buffer = ts_buffer_handle(slice->buffer);
    uint64_t index = slice->offset / buffer->stride;
    if (index >= buffer->count) {
        index = buffer->count - 1;
    }
    *offset = slice->offset - index * buffer->stride;
    id<MTLBuffer> view = buffer->views[index];
    return *offset + slice->bytes <= [view length] ? view : nil;
}

/* What is not used for a while may be let go, so work after a pause asks again. */
static const uint64_t pause_ns = 1000000000;

void ts_metal_make_resident(void *state)
{
    struct ts_metal *metal = state;
    uint64_t now = ts_clock_ns();
    bool paused = metal->used_ns > 0 && now - metal->used_ns > pause_ns;
    metal->used_ns = now;
    if (!metal->residency || (metal->resident && !paused)) {
        return;
    }
    @autoreleasepool {
        if (!metal->resident) {
            [metal->residency commit];
            metal->counters.residency_requests++;
        }
        [metal->residency requestResidency];
    }
    metal->resident = true;
}
