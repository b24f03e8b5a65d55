#include "kernels/ops.h"

#include <math.h>

void ts_extent_fp8_round(const void *args, uint64_t *elements)
{
    const struct ts_fp8_round_args *a = args;
    elements[0] = elements[1] = (uint64_t)a->rows * a->width;
}

void ts_work_fp8_round(const void *args, struct ts_work *work)
{
    const struct ts_fp8_round_args *a = args;
    work->flops = 2ull * a->rows * a->rounded;
}

void ts_extent_hadamard(const void *args, uint64_t *elements)
{
    const struct ts_hadamard_args *a = args;
    elements[0] = elements[1] = (uint64_t)a->rows * a->width;
}

void ts_work_hadamard(const void *args, struct ts_work *work)
{
    const struct ts_hadamard_args *a = args;
    uint64_t levels = 0;
    for (uint32_t width = a->width; width > 1; width /= 2) {
        levels++;
    }
    work->flops = (uint64_t)a->rows * a->width * (levels + 1); /* butterflies, then the scale */
}

void ts_extent_fp4_round(const void *args, uint64_t *elements)
{
    const struct ts_fp4_round_args *a = args;
    elements[0] = elements[1] = (uint64_t)a->rows * a->width;
}

void ts_work_fp4_round(const void *args, struct ts_work *work)
{
    const struct ts_fp4_round_args *a = args;
    work->flops = 2ull * a->rows * a->width;
}

/* Right at, above or below 6 and 448 times a power of two, above which a block has twice the scale. */
static double edge(struct ts_rng *rng)
{
    static const float edges[] = {96, 192, 448, 896};
    float at = edges[ts_rng_below(rng, 4)];
    uint64_t side = ts_rng_below(rng, 3);
    return (double)(side == 0 ? at : nextafterf(at, side == 1 ? 0 : INFINITY));
}

/* A power of two for the numbers of a block: most blocks have none, others bring their largest number close
 * to the least scale of FP8 (1e-4) or of FP4 (6 * 2^-126), and some are all 0. */
static double block_size(struct ts_rng *rng)
{
    switch (ts_rng_below(rng, 8)) {
    case 0: return ldexp(1.0, -(int)(14 + ts_rng_below(rng, 8)));
    case 1: return ldexp(1.0, -(int)(120 + ts_rng_below(rng, 12)));
    case 2: return ts_rng_below(rng, 2) ? 0.0 : 0x1p-40;
    default: return 1.0;
    }
}

/* Numbers of a few bits and of very different size: ties, small codes and large ones, the largest of a
 * block at an edge of its scale, and now and then infinity. */
static void round_inputs(const void *args, unsigned operand, struct ts_rng *rng, uint64_t count,
                         int32_t *ids, double *values)
{
    (void)args;
    (void)operand;
    (void)ids;
    double size = 1.0;
    for (uint64_t i = 0; i < count; i++) {
        if (i % 32 == 0) {
            size = i % 64 == 0 || size == 1.0 ? block_size(rng) : size;
        }
        double mantissa = (double)ts_rng_below(rng, 64) - 32.0;
        values[i] = ldexp(mantissa, -(int)ts_rng_below(rng, 16));
        if (i % 32 == 0 && ts_rng_below(rng, 3) == 0) {
            values[i] = edge(rng);
        }
        values[i] *= size;
        if (ts_rng_below(rng, 1000) == 0) {
            values[i] = INFINITY;
        }
    }
}

TS_CASES(fp8_round, round_inputs, 5, {5, 576, 512}, {3, 64, 64}, {1, 70, 64}, {3, 330, 128},
         {64, 512, 448}, {4096, 512, 448})

TS_CASES(hadamard, NULL, 6, {5, 128}, {1, 1}, {3, 2}, {4, 64}, {2, 1024}, {64, 128}, {4096, 128})

TS_CASES(fp4_round, round_inputs, 4, {5, 128}, {1, 32}, {64, 128}, {3, 160}, {4096, 128})

/* ---- sizes ---------------------------------------------------------------------------------- */

#define FP8(n)                                                                                     \
    {                                                                                              \
        .rows = n, .width = 70, .rounded = 64                                                      \
    }

TS_SIZES(fp8_round, rows, TS_COUNTS(FP8), {.rows = 4097, .width = 3, .rounded = 0},
         {.rows = 66000, .width = 2, .rounded = 0}, {.rows = 2, .width = 16500, .rounded = 16384},
         {.rows = 1, .width = 66000, .rounded = 65984})

#define HADAMARD(n)                                                                                \
    {                                                                                              \
        .rows = n, .width = 8                                                                      \
    }

TS_SIZES(hadamard, rows, TS_COUNTS(HADAMARD), {.rows = 4097, .width = 4},
         {.rows = 66000, .width = 2}, {.rows = 3, .width = 1024})

#define FP4(n)                                                                                     \
    {                                                                                              \
        .rows = n, .width = 32                                                                     \
    }

TS_SIZES(fp4_round, rows, TS_COUNTS(FP4), {.rows = 4097, .width = 32}, {.rows = 66000, .width = 32},
         {.rows = 2, .width = 16416}, {.rows = 1, .width = 66048})
