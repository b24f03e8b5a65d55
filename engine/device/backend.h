/* What a device implements. Only engine/device/device.c calls these; slices and arguments that arrive here
 * were checked, and fused operations arrive only where `supports` says so. */
#ifndef TS_ENGINE_DEVICE_BACKEND_H
#define TS_ENGINE_DEVICE_BACKEND_H

#include "engine/device/device.h"

struct ts_backend {
    const char *name;
    uint32_t real_format;
    /* what the device takes beside its buffers; threads is that of the options */
    uint64_t (*own_bytes)(unsigned threads);
    /* *limits is filled by open. NULL with *error. */
    void *(*open)(const struct ts_device_options *options, struct ts_device_limits *limits,
                  struct ts_error *error);
    void (*close)(void *state);
    void *(*alloc)(void *state, uint64_t bytes, const char *label); /* NULL: no memory */
    /* NULL with *error */
    void *(*wrap)(void *state, const void *data, uint64_t bytes, uint64_t piece,
                  struct ts_error *error);
    void (*free)(void *state, void *handle, bool wrapped);
    void *(*contents)(void *state, void *handle);
    /* NULL: nobody watches */
    void (*name_range)(void *state, void *handle, uint64_t offset, uint64_t bytes,
                       const char *name);
    /* args and slices as for encode: token counts and weight formats are in them */
    bool (*supports)(const void *state, enum ts_op op, const void *args,
                     const struct ts_slice *slices);
    /* NULL: no kernels */
    void (*prefer)(void *state, const struct ts_kernel *kernel);
    bool (*begin)(void *state, struct ts_error *error);
    bool (*encode)(void *state, enum ts_op op, const void *args, const struct ts_slice *slices,
                   struct ts_error *error);
    bool (*copy)(void *state, struct ts_slice target, struct ts_slice source,
                 struct ts_error *error);
    bool (*submit)(void *state, struct ts_error *error);
    bool (*wait)(void *state, struct ts_error *error);
    /* what the device counts itself; NULL: nothing */
    void (*counters)(void *state, struct ts_device_counters *counters, bool reset);
    void (*make_resident)(void *state);                 /* NULL: nothing to ask */
    bool (*probe)(void *state, struct ts_error *error); /* NULL: nothing to try */
};

/* The backend's own handle of a slice's buffer. */
void *ts_buffer_handle(const struct ts_buffer *buffer);

extern const struct ts_backend ts_backend_reference;
extern const struct ts_backend ts_backend_metal; /* in builds with TS_METAL */

#endif
