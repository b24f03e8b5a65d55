// How a kernel object offers its kernels and function constants, and calls a kernel: the types of
// the arguments come from the kernel's own signature, their meaning from codes of the pre-pass.
#pragma once

#include "softmetal/cpu/fiber.h"
#include "softmetal/vec_ops.h"

#if defined(SOFTMETAL_CHECK)
#define SOFTMETAL_HOOKS &softmetal::hooks
#else
#define SOFTMETAL_HOOKS nullptr
#endif

extern "C" {
inline __attribute__((visibility("default"), used)) softmetal::library_entry softmetal_library = {
    softmetal::abi_version, nullptr, nullptr, nullptr, nullptr, SOFTMETAL_HOOKS};
}

namespace softmetal
{

struct triple {
    uint32_t x, y, z;
};

template <class A> struct builtin {
    static constexpr A from(triple v)
    {
        return A(v.x);
    }
};
template <class T> struct builtin<vec<T, 2>> {
    static constexpr vec<T, 2> from(triple v)
    {
        return vec<T, 2>(T(v.x), T(v.y));
    }
};
template <class T> struct builtin<vec<T, 3>> {
    static constexpr vec<T, 3> from(triple v)
    {
        return vec<T, 3>(T(v.x), T(v.y), T(v.z));
    }
};

inline triple of(const uint32_t (&v)[3])
{
    return {v[0], v[1], v[2]};
}

inline triple grid_position(const thread &t)
{
    const group &g = *t.group;
    const launch &l = *g.launch;
    return {g.position[0] * l.size[0] + t.position[0], g.position[1] * l.size[1] + t.position[1],
            g.position[2] * l.size[2] + t.position[2]};
}

template <arg Kind> inline triple builtin_value(const thread &t)
{
    const group &g = *t.group;
    const launch &l = *g.launch;
    switch (Kind) {
    case arg::thread_position_in_grid: return grid_position(t);
    case arg::thread_position_in_threadgroup: return of(t.position);
    case arg::thread_index_in_threadgroup: return {t.index, 0, 0};
    case arg::thread_index_in_simdgroup: return {t.lane, 0, 0};
    case arg::simdgroup_index_in_threadgroup: return {t.index / simd_width, 0, 0};
    case arg::threadgroup_position_in_grid: return of(g.position);
    case arg::threads_per_threadgroup: return of(g.size);
    case arg::threads_per_grid: return of(l.grid);
    case arg::grid_size: return of(l.grid);
    case arg::threadgroups_per_grid: return of(l.groups);
    case arg::threads_per_simdgroup: return {simd_width, 0, 0};
    case arg::thread_execution_width: return {simd_width, 0, 0};
    case arg::simdgroups_per_threadgroup: return {g.simds, 0, 0};
    case arg::dispatch_threads_per_threadgroup: return of(l.size);
    case arg::dispatch_simdgroups_per_threadgroup:
        return {(l.size[0] * l.size[1] * l.size[2] + simd_width - 1) / simd_width, 0, 0};
    case arg::thread_index_in_quadgroup: return {t.lane % 4, 0, 0};
    case arg::quadgroup_index_in_threadgroup: return {t.index / 4, 0, 0};
    case arg::quadgroups_per_threadgroup: return {(g.count + 3) / 4, 0, 0};
    default: return {0, 0, 0}; // grid_origin: compute dispatches begin at zero
    }
}

template <class A> struct memory_argument;
template <class T> struct memory_argument<T *> {
    static T *from(void *p)
    {
        return static_cast<T *>(p);
    }
};
template <class T> struct memory_argument<T *const> : memory_argument<T *> {
};
template <class T> struct memory_argument<T &> {
    static T &from(void *p)
    {
        return *static_cast<T *>(p);
    }
};

inline void *plain(const void *p)
{
    return const_cast<void *>(p);
}

template <class A, uint32_t Code> inline decltype(auto) argument(thread &t)
{
    constexpr arg kind = arg(Code >> 8);
    constexpr uint32_t index = Code & 255;
    if constexpr (kind == arg::buffer) {
        return memory_argument<A>::from(t.group->launch->buffers[index]);
    } else if constexpr (kind == arg::threadgroup) {
        group &g = *t.group;
        return memory_argument<A>::from(g.memory + g.launch->threadgroup_offset[index]);
    } else {
        return builtin<metal::remove_cv_t<metal::remove_reference_t<A>>>::from(
            builtin_value<kind>(t));
    }
}

template <class A, class = void> constexpr uint32_t bytes_behind = 0;
template <class T>
constexpr uint32_t bytes_behind<T &, decltype(void(sizeof(T)))> = uint32_t(sizeof(T));

// A tag stands for one kernel of one object. This one is for those without threadgroup variables.
struct no_tag {
    static constexpr unsigned threads = 0;
};

// Of the threadgroup variables of a kernel; complete once the object is loaded.
template <class Tag> struct static_total {
    static inline uint32_t bytes = 0;
};

template <class Tag, class Signature, Signature *Function, uint32_t... Codes> struct add_kernel;
template <class Tag, class... A, void (*Function)(A...), uint32_t... Codes>
struct add_kernel<Tag, void(A...), Function, Codes...> {
    static constexpr uint32_t codes[] = {Codes..., 0};
    static constexpr uint32_t bytes[] = {bytes_behind<A>..., 0};
    kernel_entry entry;

    static_assert(((Codes >> 8 > 1 || (Codes & 255) < max_buffers) && ...),
                  "buffer and threadgroup indices are below 31");

    static void run(thread &t)
    {
        Function(argument<A, Codes>(t)...);
    }
    explicit add_kernel(const char *name)
        : entry{name,        run,   softmetal_library.kernels,
                codes,       bytes, &static_total<Tag>::bytes,
                Tag::threads}
    {
        softmetal_library.kernels = &entry;
    }
};

// ---- function constants ------------------------------------------------------------------------

template <class T> constexpr scalar scalar_of = scalar::none;
template <> constexpr scalar scalar_of<bool> = scalar::b;
template <> constexpr scalar scalar_of<char> = scalar::i8;
template <> constexpr scalar scalar_of<signed char> = scalar::i8;
template <> constexpr scalar scalar_of<uchar> = scalar::u8;
template <> constexpr scalar scalar_of<short> = scalar::i16;
template <> constexpr scalar scalar_of<ushort> = scalar::u16;
template <> constexpr scalar scalar_of<int> = scalar::i32;
template <> constexpr scalar scalar_of<uint> = scalar::u32;
template <> constexpr scalar scalar_of<long> = scalar::i64;
template <> constexpr scalar scalar_of<ulong> = scalar::u64;
template <> constexpr scalar scalar_of<half> = scalar::f16;
template <> constexpr scalar scalar_of<float> = scalar::f32;
template <> constexpr scalar scalar_of<bfloat> = scalar::bf16;

template <class T> struct component {
    using type = T;
};
template <class T, int N> struct component<vec<T, N>> {
    using type = T;
};

struct add_constant {
    constant_entry entry;

    template <class T>
    add_constant(const char *name, uint32_t index, T &value, bool &defined)
        : entry{name,
                index,
                scalar_of<typename component<T>::type>,
                uint32_t(parts<T>::count),
                sizeof(T),
                &value,
                &defined,
                softmetal_library.constants}
    {
        softmetal_library.constants = &entry;
    }
};

struct add_derived {
    derived_entry entry;

    explicit add_derived(void (*compute)()) : entry{compute, nullptr}
    {
        (softmetal_library.last_derived ? softmetal_library.last_derived->next
                                        : softmetal_library.first_derived) = &entry;
        softmetal_library.last_derived = &entry;
    }
};

// ---- threadgroup variables of a kernel -----------------------------------------------------------

// Adds the declaration S to those of its kernel when the object is loaded.
template <class S, class Tag> struct add_static {
    static inline const bool done =
        (static_total<Tag>::bytes += uint32_t((sizeof(S) + 15) & ~size_t(15)), true);
};

template <class S> struct static_key {
    static constexpr char address = 0;
};

template <class S> inline S &static_memory()
{
    group &g = self_group();
    const void *key = &static_key<S>::address;
#if defined(SOFTMETAL_CHECK)
    return *static_cast<S *>(hooks.static_block(g, key, sizeof(S)));
#else
    return *static_cast<S *>(group_block(g, key, sizeof(S)));
#endif
}

template <class S, class Tag> inline S &static_memory()
{
    (void)&add_static<S, Tag>::done;
    return static_memory<S>();
}

} // namespace softmetal
