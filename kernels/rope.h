/* Rotary position embedding (Su et al. 2021), interleaved pairs on the last `rotary` dims
 * (spec 2.6). The angles are made on the host: fast-math sine is useless at position 1e6. */
#ifndef TS_KERNELS_ROPE_H
#define TS_KERNELS_ROPE_H

#include "kernels/abi.h"

/* (x0, x1) -> (x0 cos - x1 sin, x0 sin + x1 cos) for pair k = dims width-rotary+2k, +1.
 * x, y [tokens, heads, width]; angles [tokens, rotary / 2, 2] = (cos, sin). */
struct ts_rope_args {
    uint32_t tokens;
    uint32_t heads; /* vectors that share a position */
    uint32_t width;
    uint32_t rotary;  /* rotated dims, the last of width */
    uint32_t inverse; /* 1: rotate by minus the angle */
};
TS_ABI_SIZE(ts_rope_args, 20);
TS_ABI_FIELD(ts_rope_args, tokens, 0);
TS_ABI_FIELD(ts_rope_args, heads, 4);
TS_ABI_FIELD(ts_rope_args, width, 8);
TS_ABI_FIELD(ts_rope_args, rotary, 12);
TS_ABI_FIELD(ts_rope_args, inverse, 16);

#endif
