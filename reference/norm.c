#include "reference/budget.h"
#include "reference/dot.h"
#include "reference/norm.h"

enum { PIECE = 256 };

struct job {
    const struct ts_rms_norm_args *a;
    const struct ts_ref_in *x, *weight;
    const struct ts_ref_out *out;
    struct ts_budget budget;
};

struct ts_rms ts_ref_rms(const struct ts_ref_in *in, uint64_t first, uint64_t count, double epsilon)
{
    double mean = ts_ref_sum_squares(in, first, count) / (double)count;
    struct ts_rms rms = {mean / (mean + epsilon), 1.0 / sqrt(mean + epsilon), epsilon};
    return rms;
}

double ts_ref_rms_error(const struct ts_ref_in *in, uint64_t first, uint64_t count,
                        const struct ts_rms *rms, const struct ts_budget *budget)
{
    double carried = 0.0;
    for (uint64_t i = 0; in->err && i < count; i++) {
        double err = in->err[first + i];
        carried += 2.0 * fabs(ts_ref_real(in, first + i)) * err + err * err;
    }
    double square = rms->inverse * rms->inverse;
    double sum = rms->share * (2.0 * budget->u_in + ts_budget_chain(budget, (double)count)) +
                 carried / (double)count * square;
    /* Then a division by count, the addition of epsilon, and the inverse root, which halves what
     * was before it. */
    return 0.5 * (sum + 2.0 * budget->u_acc) + ts_bound_rsqrt(budget->u_acc);
}

static void load_weight(const struct job *job, uint64_t first, uint64_t count, double *weight)
{
    if (job->weight->data) {
        ts_ref_load(job->weight, first, count, weight);
        return;
    }
    for (uint64_t i = 0; i < count; i++) {
        weight[i] = 1.0;
    }
}

static void norm_row(const struct job *job, uint64_t row)
{
    uint64_t width = job->a->width, start = row * width;
    struct ts_rms rms = ts_ref_rms(job->x, start, width, (double)job->a->epsilon);
    double p = 0.0;
    if (job->out->err) {
        p = ts_ref_rms_error(job->x, start, width, &rms, &job->budget);
    }
    for (uint64_t first = 0; first < width; first += PIECE) {
        uint64_t count = width - first < PIECE ? width - first : PIECE;
        double x[PIECE], weight[PIECE];
        ts_ref_load(job->x, start + first, count, x);
        load_weight(job, first, count, weight);
        double *y = job->out->value + start + first;
        for (uint64_t i = 0; i < count; i++) {
            y[i] = x[i] * rms.inverse * weight[i];
        }
        for (uint64_t i = 0; job->out->err && i < count; i++) {
            double carried = ts_ref_carried(job->x, start + first + i);
            double scale = rms.inverse * fabs(weight[i]);
            /* Two products; second order counts where the carried error is large. */
            job->out->err[start + first + i] = ts_budget_error(
                &job->budget, y[i], 2.0, fabs(y[i]), fabs(y[i]) * p + scale * carried * (1.0 + p));
        }
    }
}

static void norm_rows(void *context, uint64_t begin, uint64_t end)
{
    const struct job *job = context;
    uint64_t width = job->a->width;
    for (uint64_t row = begin; row < end; row++) {
        if (ts_want_any(job->out, row * width, (row + 1) * width)) {
            norm_row(job, row);
        }
    }
}

bool ts_ref_rms_norm(const void *args, const struct ts_ref_in *in, struct ts_ref_out *out,
                     const struct ts_ref_claim *claim, struct ts_pool *pool, struct ts_error *error)
{
    const struct ts_rms_norm_args *a = args;
    struct job job = {.a = a, .x = &in[0], .weight = &in[1], .out = out};
    (void)error;
    if (out->err) {
        job.budget = ts_budget_of(claim, (uint64_t)a->rows * a->width);
    }
    ts_pool_run(pool, a->rows, 1 + 8192 / (a->width + 1), norm_rows, &job);
    return true;
}
