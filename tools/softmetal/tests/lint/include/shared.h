// Read by host and kernels alike.
#ifndef SHARED_H
#define SHARED_H
#ifndef __METAL_VERSION__
#include <stdint.h>
#define ASSERT(condition) _Static_assert(condition, #condition)
#else
#define ASSERT(condition) static_assert(condition, #condition)
#endif
struct shared_args {
    uint32_t n;
    float eps;
};
ASSERT(sizeof(struct shared_args) == 8);
ASSERT(__builtin_offsetof(struct shared_args, n) == 0);
ASSERT(__builtin_offsetof(struct shared_args, eps) == 4);
#endif
