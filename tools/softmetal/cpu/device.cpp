// The device, and the check of a dispatch before it runs.
#include "check/check.h"
#include "cpu/cache.h"
#include "cpu/compiler.h"
#include "count/count.h"
#include "cpu/device.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>

using namespace softmetal;

namespace
{

std::string setting(const char *given, const char *variable, const char *fallback)
{
    const char *value = given ? given : std::getenv(variable);
    return value && *value ? value : fallback;
}

bool choose_limit(const struct sm_device_options &o, sm_device &device, std::string &error)
{
    const char *given = o.limit ? o.limit : std::getenv("SOFTMETAL_LIMIT");
    const char *text = given && *given ? given : "60";
    if (!read_limit(text, device.limit_ns)) {
        error = std::string("SOFTMETAL_LIMIT: ") + text + ": expected seconds, or 0 for no limit";
        return false;
    }
    if (device.limit_ns == 0 || prepare_deadlines(error)) {
        return true;
    }
    device.limit_ns = 0;
    return text != given; // who asked for a limit is told that there is none
}

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

bool lay_out(const struct sm_dispatch &d, launch &l, std::string &error)
{
    size_t at = 0;
    for (unsigned i = 0; i < SM_MAX_BUFFERS; i++) {
        size_t bytes = d.threadgroup_bytes[i];
        if (bytes % 16 != 0) {
            error = "threadgroup memory " + std::to_string(i) + ": " + std::to_string(bytes) +
                    " bytes is no multiple of 16";
            return false;
        }
        if (bytes > threadgroup_bytes - at) {
            error = "threadgroup memory exceeds 32768 bytes";
            return false;
        }
        l.threadgroup_offset[i] = static_cast<uint32_t>(at);
        at += bytes;
    }
    l.dynamic_bytes = static_cast<uint32_t>(at);
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
    made->headers = setting(o.headers, "SOFTMETAL_INCLUDE", SOFTMETAL_HEADERS);
    made->compiler = setting(o.compiler, "SOFTMETAL_CXX", "clang++-19");
    std::string why, cache = setting(o.cache, "SOFTMETAL_CACHE", "");
    // Objects, their C++ and what they counted belong together.
    if (!open_cache(covers() ? std::getenv("SOFTMETAL_COVERAGE") : cache, made->cache, why)) {
        return set_error(error, why);
    }
    if (covers()) {
        setenv("LLVM_PROFILE_FILE", (made->cache + "/%m.profraw").c_str(), 0);
    }
    unsigned threads = o.threads ? o.threads : std::max(1u, std::thread::hardware_concurrency());
    if (!made->crew.start(std::min(threads, 256u), why)) {
        return set_error(error, why);
    }
    if (!choose_limit(o, *made, why) || !choose_mode(o, *made, why)) {
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
    return device->crew.size();
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

bool run_watched(struct sm_device *device, const launch &l, const struct sm_dispatch &d,
                 time_limit &limit, std::string &error)
{
    std::lock_guard<std::mutex> one(device->watching);
    if (!device->count) {
        return device->watch->run(l, d, limit, error);
    }
    struct sm_tally *own = d.tally ? nullptr : sm_tally_begin(device, nullptr);
    device->count->begin_launch(l, d, d.tally ? *d.tally : *own);
    bool ran = device->watch->run(l, d, limit, error);
    device->count->end_launch();
    struct sm_error why;
    if (own && !sm_tally_end(own, ran, &why) && ran) {
        error = why.message;
        return false;
    }
    return ran;
}

} // namespace

bool sm_dispatch_run(struct sm_device *device, const struct sm_dispatch *dispatch,
                     struct sm_error *error)
{
    const struct sm_dispatch &d = *dispatch;
    std::string why;
    launch l = {};
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
        l.size[i] = d.threads[i];
        l.grid[i] = static_cast<uint32_t>(grid);
        l.groups[i] = static_cast<uint32_t>((grid + d.threads[i] - 1) / d.threads[i]);
    }
    std::memcpy(l.buffers, d.buffers, sizeof l.buffers);
    l.body = d.pipeline->body;
    time_limit limit;
    limit.ns = device->limit_ns;
    limit.object_begin = d.pipeline->module->begin;
    limit.object_end = d.pipeline->module->end;
    bool ran = device->watch ? run_watched(device, l, d, limit, why)
                             : device->crew.run(l, limit, why);
    return ran             ? true
           : limit.passed ? set_timeout(error, *d.pipeline->function, limit.ns)
                          : set_error(error, why);
}
