// The device, and the check of a dispatch before it runs.
#include "check/check.h"
#include "count/count.h"
#include "cpu/cpu.h"
#include "runtime/device.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>

using namespace softmetal;

namespace
{

bool check_shape(const struct sm_dispatch &d, std::string &error)
{
    uint64_t threads = 1;
    for (int i = 0; i < 3; i++) {
        if (d.threads[i] == 0 || d.threads[i] > SM_MAX_THREADS) {
            error = "threads per threadgroup [" + std::to_string(i) + "] is " +
                    std::to_string(d.threads[i]) + ", expected 1 to 1024";
            return false;
        }
        threads *= d.threads[i];
    }
    if (threads > SM_MAX_THREADS) {
        error = "a threadgroup of " + std::to_string(threads) + " threads, more than 1024";
        return false;
    }
    const sm_function &f = *d.pipeline->function;
    if (f.max_threads != 0 && threads > f.max_threads) {
        error = std::string(f.name) + ": a threadgroup of " + std::to_string(threads) +
                " threads, and max_total_threads_per_threadgroup is " +
                std::to_string(f.max_threads);
        return false;
    }
    return true;
}

bool lay_out(const struct sm_dispatch &d, launch_shape &l, std::string &error)
{
    size_t at = 0;
    for (unsigned i = 0; i < SM_MAX_BUFFERS; i++) {
        size_t bytes = d.threadgroup_bytes[i];
        if (bytes % 16 != 0) {
            error = "threadgroup memory " + std::to_string(i) + ": " + std::to_string(bytes) +
                    " bytes is no multiple of 16";
            return false;
        }
        if (bytes > SM_THREADGROUP_BYTES - at) {
            error = "threadgroup memory exceeds 32768 bytes";
            return false;
        }
        l.threadgroup_offset[i] = static_cast<uint32_t>(at);
        at += bytes;
    }
    l.threadgroup_bytes = static_cast<uint32_t>(at);
    return true;
}

bool check_arguments(const struct sm_dispatch &d, std::string &error)
{
    const sm_function &f = *d.pipeline->function;
    for (size_t i = 0; i < f.argument_count; i++) {
        const sm_argument &a = f.arguments[i];
        bool missing = a.kind == SM_ARGUMENT_BUFFER        ? !a.optional && !d.buffers[a.index]
                       : a.kind == SM_ARGUMENT_THREADGROUP ? d.threadgroup_bytes[a.index] == 0
                                                           : false;
        if (missing) {
            error = std::string(f.name) + ": " +
                    (a.kind == SM_ARGUMENT_BUFFER ? "buffer " : "threadgroup memory ") +
                    std::to_string(a.index) + " ('" + a.name + "') is not bound";
            return false;
        }
    }
    return true;
}

} // namespace

bool sm_device_open(const struct sm_device_options *options, struct sm_device **device,
                    struct sm_error *error)
{
    const struct sm_device_options none = {};
    const struct sm_device_options &o = options ? *options : none;
    auto made = std::make_unique<sm_device>();
    std::string why;
    made->backend = open_cpu(o, *made, why);
    if (!made->backend || !choose_mode(o, *made, why)) {
        return set_error(error, why);
    }
    *device = made.release();
    return true;
}

sm_device::sm_device() = default;
sm_device::~sm_device() = default;

void sm_device_close(struct sm_device *device)
{
    delete device;
}

unsigned sm_device_threads(const struct sm_device *device)
{
    return device->backend->width();
}

namespace
{

bool set_timeout(struct sm_error *error, const sm_function &kernel, uint64_t ns)
{
    char seconds[32];
    std::snprintf(seconds, sizeof seconds, "%.3g", double(ns) * 1e-9);
    set_error(error, std::string("kernel ") + kernel.name + " did not end within " + seconds +
                         " s of processor time (SOFTMETAL_LIMIT)");
    if (error) {
        error->timed_out = true;
    }
    return false;
}

} // namespace

bool sm_dispatch_run(struct sm_device *device, const struct sm_dispatch *dispatch,
                     struct sm_error *error)
{
    const struct sm_dispatch &d = *dispatch;
    std::string why;
    launch_shape l = {};
    if (!check_shape(d, why) || !lay_out(d, l, why) || !check_arguments(d, why)) {
        return set_error(error, why);
    }
    for (int i = 0; i < 3; i++) {
        uint64_t grid = d.grid[0] ? d.grid[i] : uint64_t(d.groups[i]) * d.threads[i];
        if (grid > UINT32_MAX) {
            return set_error(error, "a grid of more than 2^32 - 1 threads in one dimension");
        }
        if (grid == 0) {
            return true; // nothing to run
        }
        l.threads[i] = d.threads[i];
        l.grid[i] = static_cast<uint32_t>(grid);
        l.groups[i] = static_cast<uint32_t>((grid + d.threads[i] - 1) / d.threads[i]);
    }
    outcome result = device->backend->launch(d, l, why);
    return result == outcome::ran         ? true
           : result == outcome::timed_out ? set_timeout(error, *d.pipeline->function, device->limit_ns)
                                          : set_error(error, why);
}

void *sm_memory_allocate(struct sm_device *device, size_t bytes)
{
    return device->backend->allocate(bytes);
}

void sm_memory_free(struct sm_device *device, void *memory, size_t bytes)
{
    device->backend->release(memory, bytes);
}
