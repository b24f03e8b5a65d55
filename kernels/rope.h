/* Rotary position embedding (Su et al. 2021), interleaved pairs on the last `rotary` dims
 * (spec 2.6). The angles are made on the host: fast-math sine is useless at position 1e6. */
#ifndef TS_KERNELS_ROPE_H
#define TS_KERNELS_ROPE_H

#include "kernels/abi.h"

/* (x0, x1) -> (x0 cos - x1 sin, x0 sin + x1 cos) for pair k = dims width-rotary+2k, +1.
 * The other dims are copied. x, y [tokens, heads, width]; angles [tokens, rotary / 2, 2] =
 * (cos, sin). */
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

#ifndef __METAL_VERSION__
/* Host side: frequencies and angles (spec 2.6). */

/* YaRN (Peng et al. 2023) as this model uses it: frequencies are stretched, cosine and sine are NOT
 * multiplied by a magnitude (mscale is 1). factor 1 or 0 means plain RoPE. */
struct ts_rope_policy {
    double base;
    double factor;
    double original_context;
    double beta_fast;
    double beta_slow;
};

enum { TS_ROPE_MAX_PAIRS = 128 };

/* frequencies [rotary / 2] as float32; rotary at most 2 * TS_ROPE_MAX_PAIRS. Every step is rounded
 * to float32 as in the official code: an ulp here is 2.7e-3 radians at position 1e6. */
void ts_rope_frequencies(const struct ts_rope_policy *policy, uint32_t rotary, float *frequencies);

/* angles [count, rotary / 2, 2] = (cos, sin) of fp32(position * f_k) for positions first,
 * first + step, ... in double precision. */
void ts_rope_angles(const float *frequencies, uint32_t rotary, uint64_t first, uint64_t step,
                    uint64_t count, double *angles);
#endif

#endif
