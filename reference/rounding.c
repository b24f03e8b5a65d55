/* Round trips through E4M3 and E2M1 with one power-of-two scale a block, and the Hadamard rotation.
 *
 * The scale's rule works on float32 bits, so a block's maximum is rounded to float32 first; inputs
 * that are float32 numbers are thus treated bit for bit as float32 code does. A block whose maximum
 * is not finite becomes NaN throughout.
 *
 * Budget of a rounded value: an output is right if it is the rounding of some value within
 * r +- e_in (e_in the error carried in, plus u_in |r|) under a scale that some block within these
 * errors has. Rounding is monotone, so the farthest such output is the rounding of an end, r - e_in
 * or r + e_in, under one of the possible scales; err is its distance from the value. Without errors
 * in, err is the `tiny` alone: a round trip by itself must be bit-exact. */
#include "reference/budget.h"

#include <string.h>

enum { MAX_BLOCK = 64 };

struct format {
    uint64_t block;
    float floor, reciprocal; /* of the block's maximum; 1 / largest code */
    double (*round)(double x);
};

static double round_e4m3(double x)
{
    return ts_e4m3_to_real(ts_real_to_e4m3(x));
}

static double round_e2m1(double x)
{
    return ts_e2m1_to_real(ts_real_to_e2m1(x));
}

static const struct format fp8 = {64, 1e-4f, 1.0f / 448.0f, round_e4m3};
static const struct format fp4 = {32, 6.0f * 0x1p-126f, 1.0f / 6.0f, round_e2m1};

struct job {
    const struct format *format;
    const struct ts_ref_in *x;
    const struct ts_ref_out *out;
    uint64_t width, rounded;
    struct ts_budget budget;
};

/* 2^ceil(log2(max(largest, floor) * reciprocal)): the exponent of the float32 product, one more if
 * its mantissa is not zero. */
static double scale_of(const struct format *format, double largest)
{
    float product = fmaxf((float)largest, format->floor) * format->reciprocal;
    uint32_t bits;
    memcpy(&bits, &product, sizeof bits);
    int exponent = (int)(bits >> 23) - 127 + ((bits & 0x7fffff) != 0 ? 1 : 0);
    return ldexp(1.0, exponent);
}

static double largest_of(const double *x, uint64_t count)
{
    double largest = 0.0;
    for (uint64_t i = 0; i < count; i++) {
        double magnitude = fabs(x[i]);
        largest = magnitude > largest || isnan(magnitude) ? magnitude : largest;
    }
    return largest;
}

static void bound_block(const struct job *job, uint64_t first, const double *x, const double *y)
{
    const struct format *format = job->format;
    double error[MAX_BLOCK], low = 0.0, high = 0.0;
    for (uint64_t i = 0; i < format->block; i++) {
        error[i] = ts_ref_carried(job->x, first + i) + job->budget.u_in * fabs(x[i]);
        low = fmax(low, fabs(x[i]) - error[i]);
        high = fmax(high, fabs(x[i]) + error[i]);
    }
    double least = scale_of(format, low), most = scale_of(format, high);
    for (uint64_t i = 0; i < format->block; i++) {
        double reach = 0.0;
        for (double s = least; s <= most; s *= 2.0) {
            reach = fmax(reach, fabs(format->round((x[i] - error[i]) / s) * s - y[i]));
            reach = fmax(reach, fabs(format->round((x[i] + error[i]) / s) * s - y[i]));
        }
        job->out->err[first + i] = reach + ts_budget_tiny(&job->budget, 0.0);
    }
}

static void round_block(const struct job *job, uint64_t first)
{
    const struct format *format = job->format;
    double x[MAX_BLOCK];
    double *y = job->out->value + first;
    ts_ref_load(job->x, first, format->block, x);
    double largest = largest_of(x, format->block);
    double s = scale_of(format, largest);
    for (uint64_t i = 0; i < format->block; i++) {
        y[i] = isfinite(largest) ? format->round(x[i] / s) * s : (double)NAN;
    }
    if (job->out->err && isfinite(largest)) {
        bound_block(job, first, x, y);
    } else if (job->out->err) {
        memset(job->out->err + first, 0, format->block * sizeof *y);
    }
}

static void round_rows(void *context, uint64_t begin, uint64_t end)
{
    const struct job *job = context;
    uint64_t width = job->width, step = job->format->block;
    for (uint64_t row = begin; row < end; row++) {
        uint64_t first = row * width;
        if (!ts_want_any(job->out, first, first + width)) {
            continue;
        }
        for (uint64_t i = 0; i < job->rounded; i += step) {
            round_block(job, first + i);
        }
        uint64_t rest = first + job->rounded;
        ts_ref_load(job->x, rest, width - job->rounded, job->out->value + rest);
        for (uint64_t i = rest; job->out->err && i < first + width; i++) {
            job->out->err[i] = ts_budget_error(&job->budget, job->out->value[i], 0.0, 0.0,
                                               ts_ref_carried(job->x, i));
        }
    }
}

static bool round_all(const struct format *format, uint64_t rows, uint64_t width, uint64_t rounded,
                      const struct ts_ref_in *in, const struct ts_ref_out *out,
                      const struct ts_ref_claim *claim, struct ts_pool *pool)
{
    struct job job = {format, in, out, width, rounded, {0.0, 0.0, 0.0, 0.0, 0.0}};
    if (out->err) {
        job.budget = ts_budget_of(claim, rows * width);
    }
    ts_pool_run(pool, rows, 4, round_rows, &job);
    return true;
}

bool ts_ref_fp8_round(const void *args, const struct ts_ref_in *in, struct ts_ref_out *out,
                      const struct ts_ref_claim *claim, struct ts_pool *pool,
                      struct ts_error *error)
{
    const struct ts_fp8_round_args *a = args;
    (void)error;
    return round_all(&fp8, a->rows, a->width, a->rounded, in, out, claim, pool);
}

bool ts_ref_fp4_round(const void *args, const struct ts_ref_in *in, struct ts_ref_out *out,
                      const struct ts_ref_claim *claim, struct ts_pool *pool,
                      struct ts_error *error)
{
    const struct ts_fp4_round_args *a = args;
    (void)error;
    return round_all(&fp4, a->rows, a->width, a->width, in, out, claim, pool);
}

/* Fast Walsh-Hadamard transform, Sylvester order: butterflies (a, b) -> (a + b, a - b). */
static void transform_row(const struct job *job, uint64_t row)
{
    uint64_t width = job->width, first = row * width;
    double scale = 1.0 / sqrt((double)width);
    double *y = job->out->value + first;
    ts_ref_load(job->x, first, width, y);
    double sum = 0.0, carried = 0.0;
    for (uint64_t i = 0; job->out->err && i < width; i++) {
        sum += fabs(y[i]);
        carried += ts_ref_carried(job->x, first + i);
    }
    for (uint64_t half = 1; half < width; half *= 2) {
        for (uint64_t i = 0; i < width; i++) {
            if ((i & half) == 0) {
                double a = y[i], b = y[i + half];
                y[i] = a + b;
                y[i + half] = a - b;
            }
        }
    }
    double chain = log2((double)width) + 2.0; /* the additions, the scale and its own rounding */
    for (uint64_t i = 0; i < width; i++) {
        y[i] *= scale;
        if (job->out->err) {
            job->out->err[first + i] =
                ts_budget_error(&job->budget, y[i], chain, sum * scale, carried * scale);
        }
    }
}

static void transform_rows(void *context, uint64_t begin, uint64_t end)
{
    const struct job *job = context;
    for (uint64_t row = begin; row < end; row++) {
        if (ts_want_any(job->out, row * job->width, (row + 1) * job->width)) {
            transform_row(job, row);
        }
    }
}

bool ts_ref_hadamard(const void *args, const struct ts_ref_in *in, struct ts_ref_out *out,
                     const struct ts_ref_claim *claim, struct ts_pool *pool, struct ts_error *error)
{
    const struct ts_hadamard_args *a = args;
    struct job job = {.x = in, .out = out, .width = a->width};
    (void)error;
    if (out->err) {
        job.budget = ts_budget_of(claim, (uint64_t)a->rows * a->width);
    }
    ts_pool_run(pool, a->rows, 8, transform_rows, &job);
    return true;
}
