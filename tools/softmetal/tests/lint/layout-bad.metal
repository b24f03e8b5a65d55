#include <metal_stdlib>
using namespace metal;
#include "unasserted.h"
struct bare { // finds: layout
    uint n;
};
struct half_done {
    uint n;
    float eps; // finds: layout
};
static_assert(sizeof(half_done) == 8, "size");
static_assert(__builtin_offsetof(half_done, n) == 0, "n");
typedef struct {
    uint n;
} named; // finds: layout
// static_assert(sizeof(bare) == 4, "in a comment");
kernel void k(device float *x [[buffer(0)]], constant bare &a [[buffer(1)]],
              constant half_done &b [[buffer(2)]], constant named *c [[buffer(3)]],
              const constant struct unasserted &d [[buffer(4)]])
{
    x[0] = a.n + b.eps + c[0].n + d.n;
}
