// Barriers and memory flags.
#pragma once

#include "softmetal/cpu/kernel.h"

namespace metal
{

enum class mem_flags {
    mem_none = 0,
    mem_device = 1,
    mem_threadgroup = 2,
    mem_texture = 4,
    mem_threadgroup_imageblock = 8,
    mem_object_data = 16,
    mem_device_and_threadgroup = 3,
};
constexpr mem_flags operator|(mem_flags a, mem_flags b)
{
    return mem_flags(int(a) | int(b));
}
constexpr mem_flags operator&(mem_flags a, mem_flags b)
{
    return mem_flags(int(a) & int(b));
}

enum memory_order {
    memory_order_relaxed = __ATOMIC_RELAXED,
    memory_order_acquire = __ATOMIC_ACQUIRE,
    memory_order_release = __ATOMIC_RELEASE,
    memory_order_acq_rel = __ATOMIC_ACQ_REL,
    memory_order_seq_cst = __ATOMIC_SEQ_CST,
};
enum thread_scope : int {
    thread_scope_thread,
    thread_scope_simdgroup,
    thread_scope_threadgroup,
    thread_scope_device,
};
// MSL 3.2 has it; files for older versions declare it themselves, and their own is found first.
namespace newer
{
constexpr thread_scope thread_scope_system = thread_scope(thread_scope_device + 1);
}
using namespace newer;
enum memory_scope {
    memory_scope_thread,
    memory_scope_simdgroup,
    memory_scope_threadgroup,
    memory_scope_device,
};

inline void atomic_thread_fence(mem_flags, memory_order, thread_scope = thread_scope_device)
{
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
}

} // namespace metal

namespace softmetal
{

// Where an operation stands in the source: the order in which divergent lanes are served.
constexpr uint32_t site_of(uint32_t line, uint32_t column)
{
    return (line << 10) | (column < 1023 ? column : 1023);
}
#define SOFTMETAL_SITE uint32_t site = softmetal::site_of(__builtin_LINE(), __builtin_COLUMN())

inline void no_result(simd &, uint32_t)
{
}

// Before a meeting that is only a part of an operation, or is counted in another way.
inline void leave_uncounted([[maybe_unused]] thread &t)
{
#if defined(SOFTMETAL_CHECK)
    t.simd->uncounted |= 1u << t.lane;
#endif
}

// Of a simdgroup_barrier: its flags are in aux.
inline void pass_barrier([[maybe_unused]] simd &s, [[maybe_unused]] uint32_t mask)
{
#if defined(SOFTMETAL_CHECK)
    hooks.simd_barrier(s, mask, uint32_t(s.aux[first_bit(mask)]));
#endif
}

} // namespace softmetal

namespace metal
{

inline void threadgroup_barrier([[maybe_unused]] mem_flags flags, [[maybe_unused]] SOFTMETAL_SITE)
{
#if defined(SOFTMETAL_CHECK)
    softmetal::hooks.barrier(softmetal::self(), uint32_t(flags), site);
#endif
    softmetal::wait_group(softmetal::self());
}
inline void threadgroup_barrier(mem_flags flags, memory_scope, SOFTMETAL_SITE)
{
    threadgroup_barrier(flags, site);
}

// The lanes of a simdgroup run in turn, so only a barrier that orders memory must make them meet.
inline void simdgroup_barrier(mem_flags flags, SOFTMETAL_SITE)
{
    if (softmetal::checking) {
        softmetal::thread &t = softmetal::self();
        t.simd->aux[t.lane] = uint64_t(flags);
        softmetal::leave_uncounted(t);
        softmetal::wait_simd(t, site, softmetal::pass_barrier);
    } else if (flags != mem_flags::mem_none) {
        softmetal::wait_simd(softmetal::self(), site, softmetal::no_result);
    }
}
inline void simdgroup_barrier(mem_flags flags, memory_scope, SOFTMETAL_SITE)
{
    simdgroup_barrier(flags, site);
}

} // namespace metal
