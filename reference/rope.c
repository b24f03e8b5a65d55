#include "reference/budget.h"

struct job {
    const struct ts_rope_args *a;
    const struct ts_ref_in *x, *angles;
    const struct ts_ref_out *out;
    struct ts_budget budget;
};

static void rotate(const struct job *job, uint64_t first, uint64_t angle)
{
    const struct ts_ref_in *x = job->x, *angles = job->angles;
    double x0 = ts_ref_real(x, first), x1 = ts_ref_real(x, first + 1);
    double c = ts_ref_real(angles, angle), s = ts_ref_real(angles, angle + 1);
    if (job->a->inverse) {
        s = -s;
    }
    double *y = job->out->value + first;
    y[0] = x0 * c - x1 * s;
    y[1] = x0 * s + x1 * c;
    if (!job->out->err) {
        return;
    }
    double e0 = ts_ref_carried(x, first), e1 = ts_ref_carried(x, first + 1);
    double ec = ts_ref_carried(angles, angle), es = ts_ref_carried(angles, angle + 1);
    double *err = job->out->err + first;
    err[0] =
        ts_budget_error(&job->budget, y[0], 2.0, fabs(x0 * c) + fabs(x1 * s),
                        e0 * (fabs(c) + ec) + fabs(x0) * ec + e1 * (fabs(s) + es) + fabs(x1) * es);
    err[1] =
        ts_budget_error(&job->budget, y[1], 2.0, fabs(x0 * s) + fabs(x1 * c),
                        e0 * (fabs(s) + es) + fabs(x0) * es + e1 * (fabs(c) + ec) + fabs(x1) * ec);
}

static void rope_rows(void *context, uint64_t begin, uint64_t end)
{
    const struct job *job = context;
    uint64_t width = job->a->width, rotary = job->a->rotary;
    for (uint64_t row = begin; row < end; row++) {
        uint64_t first = row * width, token = row / job->a->heads;
        if (!ts_want_any(job->out, first, first + width)) {
            continue;
        }
        ts_ref_load(job->x, first, width - rotary, job->out->value + first);
        for (uint64_t i = first; job->out->err && i < first + width - rotary; i++) {
            job->out->err[i] = ts_budget_error(&job->budget, job->out->value[i], 0.0, 0.0,
                                               ts_ref_carried(job->x, i));
        }
        for (uint64_t pair = 0; pair < rotary / 2; pair++) {
            rotate(job, first + width - rotary + 2 * pair, token * rotary + 2 * pair);
        }
    }
}

bool ts_ref_rope(const void *args, const struct ts_ref_in *in, struct ts_ref_out *out,
                 const struct ts_ref_claim *claim, struct ts_pool *pool, struct ts_error *error)
{
    const struct ts_rope_args *a = args;
    struct job job = {.a = a, .x = &in[0], .angles = &in[1], .out = out};
    uint64_t rows = (uint64_t)a->tokens * a->heads;
    (void)error;
    if (out->err) {
        job.budget = ts_budget_of(claim, rows * a->width);
    }
    ts_pool_run(pool, rows, 1 + 8192 / (a->width + 1), rope_rows, &job);
    return true;
}
