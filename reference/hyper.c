#include "reference/budget.h"
#include "reference/dot.h"
#include "reference/norm.h"

#include <string.h>

enum { PIECE = 256 };

/* ---- hc_mix ---------------------------------------------------------------------------------- */

struct mix_job {
    const struct ts_hc_mix_args *a;
    const struct ts_ref_in *streams;
    const struct ts_ref_out *out;
    struct ts_budget budget;
    uint64_t columns, outputs;
};

/* Multiplies the dot products of wanted elements, and their errors, by 1 / rms. */
static void scale_tokens(void *context, uint64_t begin, uint64_t end)
{
    const struct mix_job *job = context;
    uint64_t rows = job->a->rows, wanted = ts_want_count(job->out, job->outputs);
    for (uint64_t token = begin; token < end; token++) {
        if (!ts_want_any(job->out, token * rows, (token + 1) * rows)) {
            continue;
        }
        uint64_t first = token * job->columns;
        struct ts_rms rms = ts_ref_rms(job->streams, first, job->columns, (double)job->a->epsilon);
        double p = 0.0;
        if (job->out->err) {
            p = ts_ref_rms_error(job->streams, first, job->columns, &rms, &job->budget);
        }
        for (uint64_t i = ts_want_find(job->out, token * rows);
             i < wanted && ts_want_at(job->out, i) < (token + 1) * rows; i++) {
            uint64_t element = ts_want_at(job->out, i);
            double *value = &job->out->value[element];
            *value *= rms.inverse;
            if (job->out->err) {
                double *err = &job->out->err[element];
                *err = ts_budget_error(&job->budget, *value, 0.0, 0.0,
                                       *err * rms.inverse * (1.0 + p) + fabs(*value) * p);
            }
        }
    }
}

bool ts_ref_hc_mix(const void *args, const struct ts_ref_in *in, struct ts_ref_out *out,
                   const struct ts_ref_claim *claim, struct ts_pool *pool, struct ts_error *error)
{
    const struct ts_hc_mix_args *a = args;
    struct mix_job job = {.a = a, .streams = &in[0], .out = out};
    (void)error;
    job.columns = (uint64_t)a->streams * a->width;
    job.outputs = (uint64_t)a->tokens * a->rows;
    struct ts_dot_product p = {.w = &in[1],
                               .x = in[0].data,
                               .result = out->value,
                               .out = out,
                               .tokens = a->tokens,
                               .groups = 1,
                               .rows = a->rows,
                               .columns = job.columns,
                               .x_format = in[0].format};
    ts_ref_product(&p, pool);
    if (out->err) {
        job.budget = ts_budget_of(claim, job.outputs);
        p.result = out->err;
        p.budget = &job.budget;
        /* Two more roundings: a kernel may scale X before the product, or the result after it. */
        p.chain = (double)job.columns + 2.0;
        ts_ref_product(&p, pool);
    }
    if (out->err && in[0].err) { /* carried: sum |fn| * err */
        p.budget = NULL;
        p.magnitude = true;
        p.x = in[0].err;
        p.x_format = TS_F64;
        p.add = true;
        ts_ref_product(&p, pool);
    }
    ts_pool_run(pool, a->tokens, 1, scale_tokens, &job);
    return true;
}

/* ---- hc_reduce and hc_expand ----------------------------------------------------------------- */

/* `count` products of a factor with a row of a real operand: the elements of the first factor and
 * the first row, and how far on the next ones are. */
struct run {
    const struct ts_ref_in *factors, *rows;
    uint64_t factor, factor_step, row, row_step;
    uint64_t count;
};

static void add_run(const struct run *run, uint64_t first, uint64_t count, double *y)
{
    double row[PIECE];
    for (uint64_t k = 0; k < run->count; k++) {
        double factor = ts_ref_real(run->factors, run->factor + k * run->factor_step);
        ts_ref_load(run->rows, run->row + k * run->row_step + first, count, row);
        for (uint64_t i = 0; i < count; i++) {
            y[i] += factor * row[i];
        }
    }
}

static void add_run_errors(const struct run *run, uint64_t first, uint64_t count, double share,
                           double *err)
{
    for (uint64_t k = 0; k < run->count; k++) {
        uint64_t factor = run->factor + k * run->factor_step;
        double f = fabs(ts_ref_real(run->factors, factor));
        double f_err = ts_ref_carried(run->factors, factor);
        for (uint64_t i = 0; i < count; i++) {
            uint64_t element = run->row + k * run->row_step + first + i;
            double x = fabs(ts_ref_real(run->rows, element));
            double x_err = ts_ref_carried(run->rows, element);
            err[i] += f * x * share + f * x_err + f_err * (x + x_err);
        }
    }
}

/* out[start, start + width) = the sum of both runs, in their order. */
static void sum_runs(const struct run runs[2], uint64_t width, uint64_t start,
                     const struct ts_ref_out *out, const struct ts_budget *budget)
{
    for (uint64_t first = 0; first < width; first += PIECE) {
        uint64_t count = width - first < PIECE ? width - first : PIECE;
        double y[PIECE] = {0.0}, err[PIECE] = {0.0};
        add_run(&runs[0], first, count, y);
        add_run(&runs[1], first, count, y);
        memcpy(out->value + start + first, y, count * sizeof *y);
        if (!out->err) {
            continue;
        }
        double terms = (double)(runs[0].count + runs[1].count);
        double share = budget->u_in + ts_budget_chain(budget, terms);
        add_run_errors(&runs[0], first, count, share, err);
        add_run_errors(&runs[1], first, count, share, err);
        for (uint64_t i = 0; i < count; i++) {
            out->err[start + first + i] = ts_budget_error(budget, y[i], 0.0, 0.0, err[i]);
        }
    }
}

struct stream_job {
    const struct ts_ref_in *in;
    const struct ts_ref_out *out;
    uint64_t width, streams;
    struct ts_budget budget;
};

static void reduce_tokens(void *context, uint64_t begin, uint64_t end)
{
    const struct stream_job *job = context;
    uint64_t width = job->width, streams = job->streams;
    for (uint64_t t = begin; t < end; t++) {
        if (!ts_want_any(job->out, t * width, (t + 1) * width)) {
            continue;
        }
        const struct run runs[2] = {
            {&job->in[1], &job->in[0], t * streams, 1, t * streams * width, width, streams},
            {.count = 0},
        };
        sum_runs(runs, width, t * width, job->out, &job->budget);
    }
}

bool ts_ref_hc_reduce(const void *args, const struct ts_ref_in *in, struct ts_ref_out *out,
                      const struct ts_ref_claim *claim, struct ts_pool *pool,
                      struct ts_error *error)
{
    const struct ts_hc_reduce_args *a = args;
    struct stream_job job = {.in = in, .out = out, .width = a->width, .streams = a->streams};
    (void)error;
    if (out->err) {
        job.budget = ts_budget_of(claim, (uint64_t)a->tokens * a->width);
    }
    ts_pool_run(pool, a->tokens, 1, reduce_tokens, &job);
    return true;
}

/* Items are rows (token, destination stream). */
static void expand_rows(void *context, uint64_t begin, uint64_t end)
{
    const struct stream_job *job = context;
    uint64_t width = job->width, streams = job->streams;
    for (uint64_t row = begin; row < end; row++) {
        if (!ts_want_any(job->out, row * width, (row + 1) * width)) {
            continue;
        }
        uint64_t t = row / streams, destination = row % streams;
        const struct run runs[2] = {
            {&job->in[2], &job->in[0], row, 0, t * width, 0, 1},
            {&job->in[3], &job->in[1], t * streams * streams + destination, streams,
             t * streams * width, width, streams},
        };
        sum_runs(runs, width, row * width, job->out, &job->budget);
    }
}

bool ts_ref_hc_expand(const void *args, const struct ts_ref_in *in, struct ts_ref_out *out,
                      const struct ts_ref_claim *claim, struct ts_pool *pool,
                      struct ts_error *error)
{
    const struct ts_hc_expand_args *a = args;
    struct stream_job job = {.in = in, .out = out, .width = a->width, .streams = a->streams};
    uint64_t rows = (uint64_t)a->tokens * a->streams;
    (void)error;
    if (out->err) {
        job.budget = ts_budget_of(claim, rows * a->width);
    }
    ts_pool_run(pool, rows, 1, expand_rows, &job);
    return true;
}
