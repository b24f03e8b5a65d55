/* Shared by the files of the door. Devices see handles only (engine/device/backend.h). */
#ifndef TS_ENGINE_DEVICE_INTERNAL_H
#define TS_ENGINE_DEVICE_INTERNAL_H

#include "engine/device/backend.h"

struct ts_device {
    const struct ts_backend *backend;
    void *state;
    struct ts_device_limits limits;
    bool unfused;
    bool recording; /* between begin and submit */
    struct ts_device_counters counters;
    ts_observe_fn *observe;
    void *observe_context;
};

struct ts_buffer {
    struct ts_device *device;
    void *handle;
    uint64_t bytes;
    bool wrapped;
};

#endif
