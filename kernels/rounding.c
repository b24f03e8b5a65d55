#include "kernels/ops.h"

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

TS_CASES(fp8_round, NULL, 1, {5, 576, 512})

TS_CASES(hadamard, NULL, 1, {5, 128})

TS_CASES(fp4_round, NULL, 1, {5, 128})
