// Runs grids: arenas, the crew of host threads, threadgroups.
#include <signal.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>

#include "softmetal/cpu/fiber.h"
#include "cpu/cpu.h"

namespace softmetal
{

arena::~arena()
{
    if (mapping) {
        munmap(mapping, mapped);
    }
}

bool arena::reserve(std::string &error)
{
    mapped = 2 * arena_bytes;
    mapping = mmap(nullptr, mapped, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (mapping == MAP_FAILED) {
        mapping = nullptr;
        error = "no address space for the stacks of a host thread (1 GiB, reserved, not used)";
        return false;
    }
    uintptr_t base = (uintptr_t(mapping) + arena_bytes - 1) & ~uintptr_t(arena_bytes - 1);
    size_t page = static_cast<size_t>(sysconf(_SC_PAGESIZE));
    size_t bytes = (sizeof(group) + page - 1) & ~(page - 1);
    memory.reset(new (std::nothrow) char[threadgroup_bytes + 256]);
    if (!memory || mprotect(reinterpret_cast<void *>(base), bytes, PROT_READ | PROT_WRITE) != 0) {
        error = "no memory for a threadgroup";
        return false;
    }
    g = reinterpret_cast<group *>(base);
    g->memory = reinterpret_cast<char *>((uintptr_t(memory.get()) + 255) & ~uintptr_t(255));
    for (uint32_t i = 0; i < max_threads; i++) {
        thread &t = g->threads[i];
        t.group = g;
        t.index = i;
        t.lane = i % simd_width;
        t.simd = &g->simd[i / simd_width];
    }
    for (uint32_t i = 0; i < max_simds; i++) {
        g->simd[i].index = i;
        g->simd[i].threads = &g->threads[i * simd_width];
    }
    return true;
}

bool arena::need_stacks(uint32_t threads, std::string &error)
{
    size_t page = static_cast<size_t>(sysconf(_SC_PAGESIZE));
    for (; stacks < threads; stacks++) {
        char *base = reinterpret_cast<char *>(g) + stacks_offset + stacks * stack_bytes;
        if (mprotect(base + page, stack_bytes - page, PROT_READ | PROT_WRITE) != 0) {
            error = "no memory for the stacks of " + std::to_string(threads) + " threads";
            return false;
        }
    }
    return true;
}

namespace
{

// Positions change only with the shape: an edge threadgroup is smaller than the others.
void set_shape(group &g, const uint32_t (&size)[3])
{
    if (std::memcmp(g.size, size, sizeof g.size) == 0) {
        return;
    }
    std::memcpy(g.size, size, sizeof g.size);
    g.count = size[0] * size[1] * size[2];
    g.simds = (g.count + simd_width - 1) / simd_width;
    for (uint32_t i = 0; i < g.count; i++) {
        thread &t = g.threads[i];
        t.position[0] = i % size[0];
        t.position[1] = i / size[0] % size[1];
        t.position[2] = i / size[0] / size[1];
    }
    for (uint32_t i = 0; i < g.simds; i++) {
        g.simd[i].lanes = std::min(simd_width, g.count - i * simd_width);
    }
}

// A kernel that touches memory that is not mapped ends its launch, not the process: of a buffer that fills
// its pages, all that lies behind. What else the process does wrong goes to whoever watched before.
thread_local arena *at_work = nullptr;
struct sigaction former;

void on_stray(int number, siginfo_t *info, void *context)
{
    if (at_work) {
        siglongjmp(at_work->stray, 1);
    }
    if (former.sa_flags & SA_SIGINFO) {
        former.sa_sigaction(number, info, context);
    } else if (former.sa_handler != SIG_DFL && former.sa_handler != SIG_IGN) {
        former.sa_handler(number);
    } else {
        signal(number, SIG_DFL); // and the fault comes again
    }
}

void watch_strays()
{
    struct sigaction action = {};
    action.sa_flags = SA_SIGINFO | SA_NODEFER | SA_ONSTACK;
    action.sa_sigaction = on_stray;
    sigaction(SIGSEGV, &action, &former);
}

} // namespace

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SOFTMETAL_ASAN 1
extern "C" void __asan_unpoison_memory_region(const volatile void *, size_t);
#endif
#endif

// A launch that was stopped leaves frames behind that never returned. To the address sanitizer their
// variables are still there when the stack is used again.
static void forget_frames([[maybe_unused]] group &g)
{
#if defined(SOFTMETAL_ASAN)
    size_t page = static_cast<size_t>(sysconf(_SC_PAGESIZE));
    for (uint32_t i = 0; i < g.next_stack; i++) {
        const char *base = reinterpret_cast<char *>(&g) + stacks_offset + i * stack_bytes;
        __asan_unpoison_memory_region(base + page, stack_bytes - page);
    }
#endif
}

void prepare_group(group &g, const launch &l, uint64_t number)
{
    forget_frames(g);
    uint64_t row = number / l.groups[0];
    g.launch = &l;
    g.position[0] = static_cast<uint32_t>(number % l.groups[0]);
    g.position[1] = static_cast<uint32_t>(row % l.groups[1]);
    g.position[2] = static_cast<uint32_t>(row / l.groups[1]);
    uint32_t size[3];
    for (int d = 0; d < 3; d++) {
        size[d] = std::min(l.size[d], l.grid[d] - g.position[d] * l.size[d]);
    }
    set_shape(g, size);
    g.free_stacks = g.next_stack = 0;
    g.memory_used = l.dynamic_bytes;
    g.static_blocks = 0;
    g.fault = fault_none;
    for (uint32_t i = 0; i < g.count; i++) {
        g.threads[i].sp = nullptr;
    }
    for (uint32_t i = 0; i < g.simds; i++) {
        simd &s = g.simd[i];
        s.alive = s.ready = s.lanes == simd_width ? UINT32_MAX : (1u << s.lanes) - 1;
        s.waiting = s.barrier = s.mixed = s.uncounted = 0;
    }
}

const char *fault_text(uint32_t fault)
{
    return fault == fault_time ? "it did not end"
           : fault == fault_stray ? "a kernel touched memory outside of its buffers"
           : fault == fault_threadgroup_memory
               ? "threadgroup memory, static and dynamic, exceeds 32768 bytes"
               : "more than 32 threadgroup variables";
}

void crew::work(arena &a, const launch &l, time_limit &limit)
{
    deadline mine(*a.g, limit);
    if (sigsetjmp(a.stray, 0) != 0) {
        at_work = nullptr;
        fault = fault_stray;
        return;
    }
    at_work = &a;
    run_groups(a, l);
    at_work = nullptr;
}

void crew::run_groups(arena &a, const launch &l)
{
    for (;;) {
        uint64_t first = next_group.fetch_add(batch), last = std::min(first + batch, group_count);
        for (; first < last && fault.load(std::memory_order_relaxed) == fault_none; first++) {
            prepare_group(*a.g, l, first);
            run_group(*a.g);
            if (a.g->fault != fault_none) {
                fault = a.g->fault;
            }
        }
        if (first >= group_count || fault != fault_none) {
            return;
        }
    }
}

void crew::worker(size_t index)
{
    uint64_t seen = 0;
    for (;;) {
        const launch *l;
        time_limit *limit;
        {
            std::unique_lock<std::mutex> guard(lock);
            begin.wait(guard, [&] { return stop || generation != seen; });
            if (stop) {
                return;
            }
            seen = generation;
            l = current;
            limit = current_limit;
        }
        if (l) {
            work(*arenas[index], *l, *limit);
        }
        std::lock_guard<std::mutex> guard(lock);
        if (--busy == 0) {
            finished.notify_one();
        }
    }
}

bool crew::start(unsigned count, std::string &error)
{
    static std::once_flag once;
    std::call_once(once, watch_strays);
    for (unsigned i = 0; i < count; i++) {
        arenas.push_back(std::make_unique<arena>());
        if (!arenas.back()->reserve(error)) {
            return false;
        }
    }
    for (unsigned i = 1; i < count; i++) {
        threads.emplace_back([this, i] { worker(i); });
    }
    return true;
}

crew::~crew()
{
    {
        std::lock_guard<std::mutex> guard(lock);
        stop = true;
    }
    begin.notify_all();
    for (std::thread &t : threads) {
        t.join();
    }
}

bool crew::run(const launch &l, time_limit &limit, std::string &error)
{
    std::lock_guard<std::mutex> one(one_dispatch);
    uint32_t per_group = l.size[0] * l.size[1] * l.size[2];
    for (std::unique_ptr<arena> &a : arenas) {
        if (!a->need_stacks(per_group, error)) {
            return false;
        }
    }
    group_count = uint64_t(l.groups[0]) * l.groups[1] * l.groups[2];
    batch = std::clamp<uint64_t>(group_count / (arenas.size() * 16), 1, 64);
    next_group = 0;
    fault = fault_none;
    bool alone = group_count == 1 || threads.empty();
    if (!alone) {
        std::lock_guard<std::mutex> guard(lock);
        current = &l;
        current_limit = &limit;
        busy = static_cast<unsigned>(threads.size());
        generation++;
        begin.notify_all();
    }
    work(*arenas[0], l, limit);
    if (!alone) {
        std::unique_lock<std::mutex> guard(lock);
        finished.wait(guard, [&] { return busy == 0; });
        current = nullptr;
    }
    if (fault != fault_none) {
        error = fault_text(fault);
        return false;
    }
    return true;
}

} // namespace softmetal
