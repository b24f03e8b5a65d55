#include "kernels/ops.h"

void ts_extent_rms_norm(const void *args, uint64_t *elements)
{
    const struct ts_rms_norm_args *a = args;
    elements[0] = elements[2] = (uint64_t)a->rows * a->width;
    elements[1] = a->width;
}

void ts_work_rms_norm(const void *args, struct ts_work *work)
{
    const struct ts_rms_norm_args *a = args;
    work->flops = 4 * (uint64_t)a->rows * a->width; /* square and add, scale by root and weight */
}

TS_CASES_WITHOUT(rms_norm, 1 << 1, NULL, 7, {1, 1, 1e-6f}, {5, 96, 1e-6f}, {3, 33, 1e-2f},
                 {2, 1025, 1e-6f}, {7, 1024, 1e-6f}, {64, 512, 1e-6f}, {33, 4096, 1e-6f},
                 {4096, 4096, 1e-6f})

/* ---- sizes ---------------------------------------------------------------------------------- */

#define NORM(n)                                                                                    \
    {                                                                                              \
        .rows = n, .width = 33, .epsilon = 1e-6f                                                   \
    }

TS_SIZES(rms_norm, rows, TS_COUNTS(NORM), {.rows = 4097, .width = 5, .epsilon = 1e-6f},
         {.rows = 66000, .width = 2, .epsilon = 1e-6f},
         {.rows = 2, .width = 16384, .epsilon = 1e-6f},
         {.rows = 1, .width = 70000, .epsilon = 1e-6f})
