// What a kernel object that is watched, to check or to count, tells the runtime. Its loads and stores arrive through
// the callbacks of -fsanitize=thread, and indices outside of arrays through that of
// -fsanitize=array-bounds, of which nothing else is used; barriers, atomics and matrices are told here. In fast mode all of this is empty.
#pragma once

#include "softmetal/cpu/abi.h"

namespace softmetal
{

enum access_kind : uint32_t {
    access_read = 0,
    access_write = 1,
    access_atomic = 2,
    access_old = 4,  // beside access_write: asks for the old value
    access_more = 8, // another part of what the thread accessed last
    access_update = 1 | 2 | 4,
};
enum matrix_operation : uint32_t { matrix_load, matrix_store, matrix_multiply };
enum memory_space : uint32_t { space_device = 1, space_threadgroup = 2 };

// In the kernel object, filled by the runtime when it loads one. `frame`: of the function that
// calls, to find the line.
struct check_hooks {
    void (*access)(const void *address, size_t bytes, uint32_t kind, const void *frame);
    struct thread *(*next)(group &, const void *frame);
    void (*barrier)(struct thread &, uint32_t spaces, uint32_t site);
    void (*simd_barrier)(struct simd &, uint32_t mask, uint32_t spaces);
    void *(*static_block)(group &, const void *key, size_t bytes);
    uint64_t (*random)();
    void (*matrix)(uint32_t operation);
    void (*array_index)(int64_t index, const char *array, const void *frame);
    bool adversarial;
    resolver any_lanes[3]; // defined for any set of lanes, so no divergence
    void (*go_on)(void **save, group &, struct thread *); // of this object
};

#if defined(SOFTMETAL_CHECK)

constexpr bool checking = true;

// Of functions that touch nothing but stacks, or what they tell themselves.
#define SOFTMETAL_QUIET __attribute__((disable_sanitizer_instrumentation))

inline void count_votes(struct simd &, uint32_t);
template <bool Wide> inline void give_first(struct simd &, uint32_t);
inline void go_on(void **, group &, struct thread *);
inline void no_access(const void *, size_t, uint32_t, const void *)
{
}
inline check_hooks hooks = {
    no_access, nullptr, nullptr, nullptr, nullptr,
    nullptr,   nullptr, nullptr, false,   {count_votes, give_first<false>, give_first<true>},
    go_on};

// What the compiler says of an index, in the layout of its undefined-behaviour sanitizer.
struct indexed_type {
    uint16_t kind, info; // of an integer: 2 * log2(bits), and 1 if it is signed
    char name[1];
};
struct indexed {
    const char *file;
    uint32_t line, column;
    const indexed_type *array, *index;
};

__attribute__((disable_sanitizer_instrumentation)) inline int64_t index_of(const indexed &i,
                                                                           uintptr_t bits)
{
    uint32_t unused = 64 - (1u << (i.index->info >> 1));
    return i.index->info & 1 ? int64_t(bits << unused) >> unused : int64_t(bits);
}

// A fiber's own stack, and the group beside it, are nobody else's: by far the most accesses.
__attribute__((always_inline, disable_sanitizer_instrumentation)) inline bool
is_own(const void *p, const void *frame)
{
    return (uintptr_t(p) ^ uintptr_t(frame)) < arena_bytes;
}

__attribute__((always_inline, disable_sanitizer_instrumentation)) inline void
told(const void *p, size_t bytes, uint32_t kind, const void *frame)
{
    if (!is_own(p, frame)) {
        hooks.access(p, bytes, kind, frame);
    }
}

#define SOFTMETAL_UNSEEN __attribute__((disable_sanitizer_instrumentation, noinline))

// Told in place of the accesses that the compiler does not show.
SOFTMETAL_UNSEEN inline void note_access(const volatile void *p, size_t bytes, uint32_t kind)
{
    hooks.access(const_cast<const void *>(p), bytes, kind, __builtin_frame_address(0));
}

#else

constexpr bool checking = false;
#define SOFTMETAL_QUIET

inline void note_access(const volatile void *, size_t, uint32_t)
{
}

#endif

} // namespace softmetal

#if defined(SOFTMETAL_CHECK)

#define SOFTMETAL_CALLBACK                                                                         \
    extern "C" __attribute__((weak, visibility("hidden"), used, noinline,                          \
                              disable_sanitizer_instrumentation))
#define SOFTMETAL_CALLBACKS(n)                                                                     \
    SOFTMETAL_CALLBACK void __tsan_read##n(void *p)                                                \
    {                                                                                              \
        softmetal::told(p, n, softmetal::access_read, __builtin_frame_address(0));                 \
    }                                                                                              \
    SOFTMETAL_CALLBACK void __tsan_write##n(void *p)                                               \
    {                                                                                              \
        softmetal::told(p, n, softmetal::access_write, __builtin_frame_address(0));                \
    }                                                                                              \
    SOFTMETAL_CALLBACK void __tsan_unaligned_read##n(void *p)                                      \
    {                                                                                              \
        softmetal::told(p, n, softmetal::access_read, __builtin_frame_address(0));                 \
    }                                                                                              \
    SOFTMETAL_CALLBACK void __tsan_unaligned_write##n(void *p)                                     \
    {                                                                                              \
        softmetal::told(p, n, softmetal::access_write, __builtin_frame_address(0));                \
    }
SOFTMETAL_CALLBACKS(1)
SOFTMETAL_CALLBACKS(2)
SOFTMETAL_CALLBACKS(4)
SOFTMETAL_CALLBACKS(8)
SOFTMETAL_CALLBACKS(16)
#undef SOFTMETAL_CALLBACKS

SOFTMETAL_CALLBACK void __ubsan_handle_out_of_bounds(const softmetal::indexed *i, uintptr_t bits)
{
    softmetal::hooks.array_index(softmetal::index_of(*i, bits), i->array->name,
                                 __builtin_frame_address(0));
}
SOFTMETAL_CALLBACK void __tsan_init()
{
}
SOFTMETAL_CALLBACK void *__tsan_memcpy(void *to, const void *from, size_t bytes)
{
    const void *frame = __builtin_frame_address(0);
    softmetal::told(from, bytes, softmetal::access_read, frame);
    softmetal::told(to, bytes, softmetal::access_write, frame);
    return __builtin_memcpy(to, from, bytes);
}
SOFTMETAL_CALLBACK void *__tsan_memmove(void *to, const void *from, size_t bytes)
{
    const void *frame = __builtin_frame_address(0);
    softmetal::told(from, bytes, softmetal::access_read, frame);
    softmetal::told(to, bytes, softmetal::access_write, frame);
    return __builtin_memmove(to, from, bytes);
}
SOFTMETAL_CALLBACK void *__tsan_memset(void *to, int value, size_t bytes)
{
    softmetal::told(to, bytes, softmetal::access_write, __builtin_frame_address(0));
    return __builtin_memset(to, value, bytes);
}
#undef SOFTMETAL_CALLBACK

#endif
