/* Reference of routed and shared experts (spec 2.13). */
#include "reference/row.h"

/* ---- expert_matmul -------------------------------------------------------------------------- */

/* Pairs (token, slot) that use one expert, handled together: each weight row is decoded once for
 * so many of them. */
enum { MAX_PAIRS = 128 };

struct expert_job {
    const struct ts_expert_matmul_args *args;
    const struct ts_ref_in *x, *w, *ids;
    struct ts_ref_out *out;
    struct ts_budget budget;
    uint64_t row_bytes; /* of w */
};

static const char *weight_row(const struct expert_job *job, uint64_t expert, uint64_t row)
{
    return (const char *)job->w->data + (expert * job->args->rows + row) * job->row_bytes;
}

/* First element of x for a pair, which is token * used + slot. */
static uint64_t input_of(const struct expert_job *job, uint64_t pair)
{
    const struct ts_expert_matmul_args *a = job->args;
    return (a->per_slot ? pair : pair / a->used) * a->columns;
}

/* One weight row with the inputs of all pairs, a tile of columns at a time. */
static void multiply_row(const struct expert_job *job, uint64_t expert, uint64_t row,
                         const uint64_t *pairs, unsigned count)
{
    const struct ts_expert_matmul_args *a = job->args;
    double sums[MAX_PAIRS][TS_ROW_LANES], w[TS_ROW_TILE], scratch[TS_ROW_TILE];
    const char *blocks = weight_row(job, expert, row);
    memset(sums, 0, count * sizeof sums[0]);
    for (uint64_t at = 0; at < a->columns; at += TS_ROW_TILE) {
        uint64_t columns = a->columns - at < TS_ROW_TILE ? a->columns - at : TS_ROW_TILE;
        ts_decode_range(job->w->format, blocks, at, columns, w);
        for (unsigned i = 0; i < count; i++) {
            const double *x = ts_row(job->x, input_of(job, pairs[i]) + at, columns, scratch);
            ts_row_dot_add(w, x, columns, sums[i]);
        }
    }
    for (unsigned i = 0; i < count; i++) {
        job->out->value[pairs[i] * a->rows + row] = ts_row_dot_total(sums[i]);
    }
}

/* Rows [begin, end) of every expert. */
static void expert_rows(void *context, uint64_t begin, uint64_t end)
{
    const struct expert_job *job = context;
    const struct ts_expert_matmul_args *a = job->args;
    uint64_t all = (uint64_t)a->tokens * a->used, pairs[MAX_PAIRS];
    for (uint64_t expert = 0; expert < a->experts; expert++) {
        unsigned count = 0;
        for (uint64_t pair = 0; pair < all; pair++) {
            if ((uint64_t)ts_row_index(job->ids, pair) == expert) {
                pairs[count++] = pair;
            }
            if (count == MAX_PAIRS || (count > 0 && pair + 1 == all)) {
                for (uint64_t row = begin; row < end; row++) {
                    multiply_row(job, expert, row, pairs, count);
                }
                count = 0;
            }
        }
    }
}

/* Wanted elements, each on its own. */
static void expert_elements(void *context, uint64_t begin, uint64_t end)
{
    const struct expert_job *job = context;
    for (uint64_t i = begin; i < end; i++) {
        uint64_t element = ts_want_at(job->out, i), pair = element / job->args->rows;
        uint64_t expert = (uint64_t)ts_row_index(job->ids, pair);
        multiply_row(job, expert, element % job->args->rows, &pair, 1);
    }
}

static bool check_experts(const struct expert_job *job, struct ts_error *error)
{
    const struct ts_expert_matmul_args *a = job->args;
    for (uint64_t pair = 0; pair < (uint64_t)a->tokens * a->used; pair++) {
        int32_t id = ts_row_index(job->ids, pair);
        if (id < 0 || (uint32_t)id >= a->experts) {
            return ts_fail(error, TS_ERR_INPUT, NULL,
                           "expert_matmul: token %llu uses expert %d of %u",
                           (unsigned long long)(pair / a->used), (int)id, a->experts);
        }
    }
    return true;
}

bool ts_ref_expert_matmul(const void *args, const struct ts_ref_in *in, struct ts_ref_out *out,
                          const struct ts_ref_claim *claim, struct ts_pool *pool,
                          struct ts_error *error)
{
    const struct ts_expert_matmul_args *a = args;
    struct expert_job job = {.args = a, .x = &in[0], .w = &in[1], .ids = &in[2], .out = out};
    if (!ts_format_row_bytes(in[1].format, a->columns, &job.row_bytes)) {
        return ts_fail(error, TS_ERR_INPUT, NULL, "expert_matmul: %u columns are no rows of %s",
                       a->columns, ts_format_name(in[1].format));
    }
    if (!check_experts(&job, error)) {
        return false;
    }
    uint64_t elements = (uint64_t)a->tokens * a->used * a->rows;
    if (out->err) {
        job.budget = ts_budget_of(claim, elements);
    }
    if (out->want) {
        ts_pool_run(pool, out->want_count, 4, expert_elements, &job);
    } else {
        ts_pool_run(pool, a->rows, 4, expert_rows, &job);
    }
    return true;
}

/* ---- swiglu --------------------------------------------------------------------------------- */

struct swiglu_job {
    const struct ts_swiglu_args *args;
    const struct ts_ref_in *gate, *up, *weight;
    struct ts_ref_out *out;
    struct ts_budget budget;
};

/* The gate is clamped from above only. NaN stays NaN. */
static void swiglu_range(void *context, uint64_t begin, uint64_t end)
{
    const struct swiglu_job *job = context;
    const struct ts_swiglu_args *a = job->args;
    double limit = a->limit != 0 ? (double)a->limit : INFINITY;
    for (uint64_t i = begin; i < end; i++) {
        uint64_t element = ts_want_at(job->out, i);
        double gate = ts_ref_real(job->gate, element), up = ts_ref_real(job->up, element);
        gate = gate > limit ? limit : gate;
        up = up > limit ? limit : up < -limit ? -limit : up;
        double weight = job->weight->data ? ts_ref_real(job->weight, element / a->width) : 1;
        job->out->value[element] = gate / (1 + exp(-gate)) * up * weight;
    }
}

bool ts_ref_swiglu(const void *args, const struct ts_ref_in *in, struct ts_ref_out *out,
                   const struct ts_ref_claim *claim, struct ts_pool *pool, struct ts_error *error)
{
    const struct ts_swiglu_args *a = args;
    (void)error;
    uint64_t elements = (uint64_t)a->rows * a->width;
    struct swiglu_job job = {.args = a, .gate = &in[0], .up = &in[1], .weight = &in[2], .out = out};
    if (out->err) {
        job.budget = ts_budget_of(claim, elements);
    }
    ts_pool_run(pool, ts_want_count(out, elements), 256, swiglu_range, &job);
    return true;
}

/* ---- expert_sum ----------------------------------------------------------------------------- */

struct sum_job {
    const struct ts_expert_sum_args *args;
    const struct ts_ref_in *routed, *shared;
    struct ts_ref_out *out;
    struct ts_budget budget;
};

static void sum_range(void *context, uint64_t begin, uint64_t end)
{
    const struct sum_job *job = context;
    const struct ts_expert_sum_args *a = job->args;
    for (uint64_t i = begin; i < end; i++) {
        uint64_t element = ts_want_at(job->out, i);
        uint64_t t = element / a->width, c = element % a->width;
        double r = ts_ref_real(job->shared, element), S = fabs(r);
        double carried = ts_ref_carried(job->shared, element);
        for (uint64_t k = 0; k < a->used; k++) {
            uint64_t from = (t * a->used + k) * a->width + c;
            double x = ts_ref_real(job->routed, from);
            r += x;
            S += fabs(x);
            carried += ts_ref_carried(job->routed, from);
        }
        job->out->value[element] = r;
        if (job->out->err) {
            job->out->err[element] = ts_budget_error(&job->budget, r, a->used, S, carried);
        }
    }
}

bool ts_ref_expert_sum(const void *args, const struct ts_ref_in *in, struct ts_ref_out *out,
                       const struct ts_ref_claim *claim, struct ts_pool *pool,
                       struct ts_error *error)
{
    const struct ts_expert_sum_args *a = args;
    (void)error;
    uint64_t elements = (uint64_t)a->tokens * a->width;
    struct sum_job job = {.args = a, .routed = &in[0], .shared = &in[1], .out = out};
    if (out->err) {
        job.budget = ts_budget_of(claim, elements);
    }
    ts_pool_run(pool, ts_want_count(out, elements), 256, sum_range, &job);
    return true;
}
