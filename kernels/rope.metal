#include "kernels/shader.h"

#include "kernels/rope.h"

/* A thread for each element of a row (x), of a head (y), of a token (z). */
kernel void rope(constant ts_rope_args &a [[buffer(0)]],
                 device const float *x [[buffer(1)]],
                 device const float *angles [[buffer(2)]],
                 device float *y [[buffer(3)]],
                 uint3 group [[threadgroup_position_in_grid]],
                 uint index [[thread_index_in_threadgroup]])
{
    uint column = 128 * group.x + index, kept = a.width - a.rotary;
    if (column >= a.width) {
        return;
    }
    ulong element = (ulong(group.z) * a.heads + group.y) * a.width + column;
    if (column < kept) {
        y[element] = x[element];
        return;
    }
    uint at = column - kept, pair = TS_MUTANT(1, 0, at & ~1u);
    uint token = TS_MUTANT(2, 0, TS_MUTANT(6, uchar(group.z), group.z));
    device const float *angle = angles + ulong(token) * a.rotary + pair;
    float c = angle[0], s = angle[1];
    s = a.inverse != TS_MUTANT(3, 2, 0) ? -s : s;
    /* (x0 c - x1 s, x1 c + x0 s) */
    float other = (at & 1) == 0 ? -x[element + 1] : x[element - 1];
    other = TS_MUTANT(
        4, element + 1 == ulong(a.tokens) * a.heads * a.width ? -other : other, other);
    float turned = x[element] * c + other * s;
    y[element] = TS_MUTANT(5, clamp(turned, -FLT_MAX, FLT_MAX), turned);
}
