#include "kernels/ops.h"

#include <math.h>

void ts_extent_rope(const void *args, uint64_t *elements)
{
    const struct ts_rope_args *a = args;
    elements[0] = elements[2] = (uint64_t)a->tokens * a->heads * a->width;
    elements[1] = (uint64_t)a->tokens * a->rotary;
}

void ts_work_rope(const void *args, struct ts_work *work)
{
    const struct ts_rope_args *a = args;
    work->flops = 3ull * a->tokens * a->heads * a->rotary;
}

/* The pair index at which a frequency turns `rotations` times within the original context. */
static double correction_dim(const struct ts_rope_policy *p, uint32_t rotary, double rotations)
{
    return rotary * log(p->original_context / (2 * M_PI * rotations)) / (2 * log(p->base));
}

void ts_rope_frequencies(const struct ts_rope_policy *policy, uint32_t rotary, float *frequencies)
{
    double low = 0, high = 0;
    bool yarn = policy->factor > 1;
    if (yarn) {
        low = fmax(floor(correction_dim(policy, rotary, policy->beta_fast)), 0);
        high = fmin(ceil(correction_dim(policy, rotary, policy->beta_slow)), rotary - 1);
        high = high > low ? high : low + 0.001;
    }
    for (uint32_t k = 0; k < rotary / 2; k++) {
        /* the power is correctly rounded to float32 by way of double */
        float power = (float)pow(policy->base, 2.0 * k / rotary);
        float g = 1.0f / power;
        if (yarn) {
            float ramp = (float)(((double)k - low) / (high - low));
            float s = 1.0f - fminf(fmaxf(ramp, 0.0f), 1.0f);
            g = (g / (float)policy->factor) * (1.0f - s) + g * s;
        }
        frequencies[k] = g;
    }
}

void ts_rope_angles(const float *frequencies, uint32_t rotary, uint64_t first, uint64_t step,
                    uint64_t count, double *angles)
{
    for (uint64_t i = 0; i < count; i++) {
        float position = (float)(first + i * step); /* exact below 2^24 */
        for (uint32_t k = 0; k < rotary / 2; k++) {
            float angle = position * frequencies[k]; /* ONE float32 product */
            double *pair = angles + (i * (rotary / 2) + k) * 2;
            pair[0] = cos(angle);
            pair[1] = sin(angle);
        }
    }
}

TS_CASES(rope, NULL, 5, {1, 1, 2, 2, 0}, {5, 3, 96, 64, 1}, {3, 4, 67, 6, 0}, {1, 64, 512, 64, 1},
         {33, 2, 128, 64, 0}, {1024, 64, 512, 64, 1})

/* ---- sizes ---------------------------------------------------------------------------------- */

#define ROPE(n)                                                                                    \
    {                                                                                              \
        .tokens = n, .heads = 3, .width = 20, .rotary = 6, .inverse = n % 2                        \
    }

TS_SIZES(rope, tokens, TS_COUNTS(ROPE), {.tokens = 4097, .heads = 1, .width = 3, .rotary = 2},
         {.tokens = 2, .heads = 64, .width = 512, .rotary = 64},
         {.tokens = 2, .heads = 300, .width = 10, .rotary = 4, .inverse = 1},
         {.tokens = 1, .heads = 2, .width = 8193, .rotary = 4100},
         {.tokens = 1030, .heads = 64, .width = 4, .rotary = 2})
