/* Round trips through the number formats in which KV rows were trained (spec 2.12), and the
 * Hadamard rotation before the second (spec 2.9). */
#ifndef TS_KERNELS_ROUNDING_H
#define TS_KERNELS_ROUNDING_H

#include "kernels/abi.h"

/* Kernels that keep a row in threadgroup memory take rows of at most as many numbers. */
#define TS_ROW_WIDTH 1024

/* Blocks of 64: scale = 2^ceil(log2(max(largest |x|, 1e-4) / 448)), values rounded to E4M3, ties to
 * even, and multiplied back. x, y [rows, width]. */
struct ts_fp8_round_args {
    uint32_t rows;
    uint32_t width;
    uint32_t rounded; /* leading dims that are rounded, a multiple of 64; the rest is copied */
};
TS_ABI_SIZE(ts_fp8_round_args, 12);
TS_ABI_FIELD(ts_fp8_round_args, rows, 0);
TS_ABI_FIELD(ts_fp8_round_args, width, 4);
TS_ABI_FIELD(ts_fp8_round_args, rounded, 8);

/* y = H x / sqrt(width) for each row, Sylvester order. x, y [rows, width]. */
struct ts_hadamard_args {
    uint32_t rows;
    uint32_t width; /* a power of two */
};
TS_ABI_SIZE(ts_hadamard_args, 8);
TS_ABI_FIELD(ts_hadamard_args, rows, 0);
TS_ABI_FIELD(ts_hadamard_args, width, 4);

/* Blocks of 32: scale = 2^ceil(log2(max(largest |x|, 6 * 2^-126) / 6)), values rounded to E2M1,
 * ties to the even code, and multiplied back. x, y [rows, width]. */
struct ts_fp4_round_args {
    uint32_t rows;
    uint32_t width; /* a multiple of 32 */
};
TS_ABI_SIZE(ts_fp4_round_args, 8);
TS_ABI_FIELD(ts_fp4_round_args, rows, 0);
TS_ABI_FIELD(ts_fp4_round_args, width, 4);

#endif
