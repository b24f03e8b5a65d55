/* What host, reference and Metal code agree on: argument structs are plain bytes, laid out the same
 * by every compiler. Fields are uint32_t, int32_t, uint64_t and float only, widest first, padding
 * explicit; each struct asserts its size and the offset of every field, in C and in MSL. */
#ifndef TS_KERNELS_ABI_H
#define TS_KERNELS_ABI_H

#ifdef __METAL_VERSION__
#include <metal_stdlib>
#define TS_ABI_ASSERT(condition) static_assert(condition, #condition)
#define TS_ABI_OFFSETOF(type, field) __builtin_offsetof(type, field)
#else
#include <stddef.h>
#include <stdint.h>
#define TS_ABI_ASSERT(condition) _Static_assert(condition, #condition)
#define TS_ABI_OFFSETOF(type, field) offsetof(type, field)
#endif

#define TS_ABI_SIZE(type, bytes) TS_ABI_ASSERT(sizeof(struct type) == (bytes))
#define TS_ABI_FIELD(type, field, offset)                                                          \
    TS_ABI_ASSERT(TS_ABI_OFFSETOF(struct type, field) == (offset))

/* The largest argument struct. */
#define TS_ARGS_BYTES 64

#endif
