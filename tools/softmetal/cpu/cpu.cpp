// The back end itself: its settings, launches on the crew or under watch, memory.
#include "cpu/cpu.h"

#include <sys/mman.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>

#include "check/check.h"
#include "count/count.h"
#include "cpu/cache.h"
#include "runtime/device.h"

namespace softmetal
{
namespace
{

constexpr size_t memory_page = 16384;

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

class cpu : public backend
{
  public:
    explicit cpu(sm_device &device) : device(device)
    {
    }
    bool open(const sm_device_options &o, std::string &error);
    unsigned width() const override
    {
        return threads.size();
    }
    compile_result compile(const compile_request &request) override
    {
        return softmetal::compile(request, setup);
    }
    std::shared_ptr<program> load(const compile_result &compiled, bool watched,
                                  std::string &error) override;
    outcome launch(const sm_dispatch &d, const launch_shape &shape, std::string &error) override;
    void *allocate(size_t bytes) override;
    void release(void *memory, size_t bytes) override;

  private:
    sm_device &device;
    compiler_setup setup;
    crew threads;

    bool run_watched(const struct launch &l, const sm_dispatch &d, time_limit &limit,
                     std::string &error);
};

bool cpu::open(const sm_device_options &o, std::string &error)
{
    setup.headers = device.headers = setting(o.headers, "SOFTMETAL_INCLUDE", SOFTMETAL_HEADERS);
    setup.compiler = setting(o.compiler, "SOFTMETAL_CXX", "clang++-19");
    std::string cache = setting(o.cache, "SOFTMETAL_CACHE", "");
    // Objects, their C++ and what they counted belong together.
    if (!open_cache(covers() ? std::getenv("SOFTMETAL_COVERAGE") : cache, setup.cache, error)) {
        return false;
    }
    if (covers()) {
        setenv("LLVM_PROFILE_FILE", (setup.cache + "/%m.profraw").c_str(), 0);
    }
    unsigned count = o.threads ? o.threads : std::max(1u, std::thread::hardware_concurrency());
    return threads.start(std::min(count, 256u), error) && choose_limit(o, device, error);
}

std::shared_ptr<program> cpu::load(const compile_result &compiled, bool watched, std::string &error)
{
    auto m = std::make_shared<module>();
    if (!m->load(compiled.object, compiled.sum, error)) {
        return nullptr;
    }
    if (watched) { // an instrumented object tells every access
        watcher::install(*m->entry->hooks);
    }
    return m;
}

bool cpu::run_watched(const struct launch &l, const sm_dispatch &d, time_limit &limit,
                      std::string &error)
{
    std::lock_guard<std::mutex> one(device.watching);
    if (!device.count) {
        return device.watch->run(l, d, limit, error);
    }
    struct sm_tally *own = d.tally ? nullptr : sm_tally_begin(&device, nullptr);
    device.count->begin_launch(l, d, d.tally ? *d.tally : *own);
    bool ran = device.watch->run(l, d, limit, error);
    device.count->end_launch();
    struct sm_error why;
    if (own && !sm_tally_end(own, ran, &why) && ran) {
        error = why.message;
        return false;
    }
    return ran;
}

outcome cpu::launch(const sm_dispatch &d, const launch_shape &shape, std::string &error)
{
    struct launch l = {};
    std::memcpy(l.buffers, d.buffers, sizeof l.buffers);
    std::memcpy(l.threadgroup_offset, shape.threadgroup_offset, sizeof l.threadgroup_offset);
    std::memcpy(l.grid, shape.grid, sizeof l.grid);
    std::memcpy(l.groups, shape.groups, sizeof l.groups);
    std::memcpy(l.size, shape.threads, sizeof l.size);
    l.dynamic_bytes = shape.threadgroup_bytes;
    l.body = static_cast<const kernel_entry *>(d.pipeline->handle)->body;
    const module &m = module_of(*d.pipeline);
    time_limit limit;
    limit.ns = device.limit_ns;
    limit.object_begin = m.begin;
    limit.object_end = m.end;
    bool ran = device.watch ? run_watched(l, d, limit, error) : threads.run(l, limit, error);
    return ran ? outcome::ran : limit.passed ? outcome::timed_out : outcome::failed;
}

// Pages of the system are smaller: reserves more, and gives back what lies beside.
void *cpu::allocate(size_t bytes)
{
    size_t all = bytes + 2 * memory_page; // one to align, one behind the memory
    void *mapped = mmap(nullptr, all, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (mapped == MAP_FAILED) {
        return nullptr;
    }
    char *base = static_cast<char *>(mapped);
    size_t before = (memory_page - uintptr_t(base) % memory_page) % memory_page;
    if (before > 0) {
        munmap(base, before);
    }
    if (before < memory_page) {
        munmap(base + before + bytes + memory_page, memory_page - before);
    }
    mprotect(base + before + bytes, memory_page, PROT_NONE); // who runs over the end is seen
    return base + before;
}

void cpu::release(void *memory, size_t bytes)
{
    munmap(memory, bytes + memory_page);
}

} // namespace

module &module_of(const sm_pipeline &pipeline)
{
    return static_cast<module &>(*pipeline.program);
}

std::unique_ptr<backend> open_cpu(const sm_device_options &options, sm_device &device,
                                  std::string &error)
{
    auto made = std::make_unique<cpu>(device);
    return made->open(options, error) ? std::move(made) : nullptr;
}

} // namespace softmetal
