/* Reference of routed and shared experts (spec 2.13). */
#include "base/thread_sanitizer.h"
#include "reference/dot.h"
#include "reference/row.h"

#include <float.h>

/* ---- expert_sort ---------------------------------------------------------------------------- */

static bool check_experts(const char *op, const struct ts_ref_in *ids, uint32_t tokens,
                          uint32_t used, uint32_t experts, struct ts_error *error)
{
    for (uint64_t slot = 0; slot < (uint64_t)tokens * used; slot++) {
        int32_t id = ts_row_index(ids, slot);
        if (id < 0 || (uint32_t)id >= experts) {
            return ts_fail(error, TS_ERR_INPUT, NULL, "%s: token %llu uses expert %d of %u", op,
                           (unsigned long long)(slot / used), (int)id, experts);
        }
    }
    return true;
}

/* The slots of an expert behind the `placed` that are in order; returns their number. */
static uint64_t place_slots(const struct ts_ref_in *ids, uint64_t slots, uint64_t expert,
                            int32_t *order, uint64_t placed)
{
    uint64_t count = 0;
    for (uint64_t slot = 0; slot < slots; slot++) {
        if ((uint64_t)ts_row_index(ids, slot) == expert) {
            order[placed + count++] = (int32_t)slot;
        }
    }
    return count;
}

bool ts_ref_expert_sort(const void *args, const struct ts_ref_in *in, struct ts_ref_out *out,
                        const struct ts_ref_claim *claim, struct ts_pool *pool,
                        struct ts_error *error)
{
    const struct ts_expert_sort_args *a = args;
    uint64_t slots = (uint64_t)a->tokens * a->used, placed = 0, tile = 0;
    int32_t *list = out[1].index;
    (void)claim;
    (void)pool;
    if (slots > INT32_MAX || a->tiles != TS_EXPERT_TILES(slots, a->experts)) {
        return ts_fail(error, TS_ERR_INPUT, NULL, "expert_sort: %u tiles for %llu slots", a->tiles,
                       (unsigned long long)slots);
    }
    if (!check_experts("expert_sort", in, a->tokens, a->used, a->experts, error)) {
        return false;
    }
    for (uint64_t expert = 0; expert < a->experts && placed < slots; expert++) {
        uint64_t end = placed + place_slots(in, slots, expert, out[0].index, placed);
        for (; placed < end; tile++) {
            uint64_t count = end - placed < TS_EXPERT_TILE ? end - placed : TS_EXPERT_TILE;
            list[3 * tile] = (int32_t)expert;
            list[3 * tile + 1] = (int32_t)placed;
            list[3 * tile + 2] = (int32_t)count;
            placed += count;
        }
    }
    for (uint64_t i = 3 * tile; i < 3ull * a->tiles; i++) {
        list[i] = -1;
    }
    return true;
}

/* ---- expert_matmul -------------------------------------------------------------------------- */

/* A pair is token * used + slot. Pairs that use the same expert are handled together, TS_DOT_TOKENS
 * at a time, so that each of its weight rows is decoded once for all of them. */
struct expert_job {
    const struct ts_expert_matmul_args *args;
    const struct ts_ref_in *x, *w, *ids;
    struct ts_ref_out *out;
    struct ts_budget budget;
    uint64_t row_bytes; /* of w */
};

/* First element of x for a pair. */
static uint64_t input_of(const struct expert_job *job, uint64_t pair)
{
    const struct ts_expert_matmul_args *a = job->args;
    return (a->per_slot ? pair : pair / a->used) * a->columns;
}

/* e of a tile's elements. The carried error is a product of magnitudes. */
static void bound_tile(const struct expert_job *job, struct ts_dot_tile tile, uint64_t row,
                       const uint64_t *pairs)
{
    double bounds[TS_DOT_TOKENS * TS_DOT_ROWS], carried[TS_DOT_TOKENS * TS_DOT_ROWS] = {0};
    const void *errors[TS_DOT_TOKENS];
    ts_ref_dot_bounds(&tile, &job->budget, job->args->columns, bounds);
    if (job->x->err) {
        tile.magnitude = true;
        for (uint32_t i = 0; i < tile.tokens; i++) {
            errors[i] = job->x->err + input_of(job, pairs[i]);
        }
        tile.x = errors;
        tile.x_format = TS_F64;
        ts_ref_dot_rows(&tile, carried);
    }
    for (uint32_t i = 0; i < tile.tokens; i++) {
        for (uint32_t r = 0; r < tile.row_count; r++) {
            uint64_t element = pairs[i] * job->args->rows + row + r, at = i * TS_DOT_ROWS + r;
            job->out->err[element] =
                ts_budget_error(&job->budget, job->out->value[element], job->args->columns, 0.0,
                                bounds[at] + carried[at]);
        }
    }
}

/* Rows [row, row + row_count) of an expert with `count` pairs. */
static void multiply_tile(const struct expert_job *job, uint64_t expert, uint64_t row,
                          uint32_t row_count, const uint64_t *pairs, uint32_t count)
{
    const struct ts_expert_matmul_args *a = job->args;
    double sums[TS_DOT_TOKENS * TS_DOT_ROWS];
    const void *x[TS_DOT_TOKENS];
    uint64_t x_bytes = ts_format_block_bytes(job->x->format);
    for (uint32_t i = 0; i < count; i++) {
        x[i] = (const char *)job->x->data + input_of(job, pairs[i]) * x_bytes;
    }
    struct ts_dot_tile tile = {.rows = (const char *)job->w->data +
                                       (expert * a->rows + row) * job->row_bytes,
                               .row_bytes = job->row_bytes,
                               .columns = a->columns,
                               .x = x,
                               .format = job->w->format,
                               .x_format = job->x->format,
                               .row_count = row_count,
                               .tokens = count};
    ts_ref_dot_rows(&tile, sums);
    for (uint32_t i = 0; i < count; i++) {
        for (uint32_t r = 0; r < row_count; r++) {
            job->out->value[pairs[i] * a->rows + row + r] = sums[i * TS_DOT_ROWS + r];
        }
    }
    if (job->out->err) {
        bound_tile(job, tile, row, pairs);
    }
}

/* For tiles, which do not watch what they read. */
static void name_input(const struct expert_job *job)
{
    const struct ts_expert_matmul_args *a = job->args;
    uint64_t count = (uint64_t)a->tokens * (a->per_slot ? a->used : 1) * a->columns;
    ts_will_read(job->x->data, count * ts_format_block_bytes(job->x->format));
    if (job->out->err && job->x->err) {
        ts_will_read(job->x->err, count * sizeof *job->x->err);
    }
}

/* Rows [begin, end) of every expert. */
static void expert_rows(void *context, uint64_t begin, uint64_t end)
{
    const struct expert_job *job = context;
    const struct ts_expert_matmul_args *a = job->args;
    uint64_t all = (uint64_t)a->tokens * a->used, pairs[TS_DOT_TOKENS];
    name_input(job);
    for (uint64_t expert = 0; expert < a->experts; expert++) {
        uint32_t count = 0;
        for (uint64_t pair = 0; pair < all; pair++) {
            if ((uint64_t)ts_row_index(job->ids, pair) == expert) {
                pairs[count++] = pair;
            }
            if (count < TS_DOT_TOKENS && pair + 1 < all) {
                continue;
            }
            for (uint64_t row = begin; row < end && count > 0; row += TS_DOT_ROWS) {
                uint64_t rows = end - row < TS_DOT_ROWS ? end - row : TS_DOT_ROWS;
                multiply_tile(job, expert, row, (uint32_t)rows, pairs, count);
            }
            count = 0;
        }
    }
}

/* Wanted elements, each on its own. */
static void expert_elements(void *context, uint64_t begin, uint64_t end)
{
    const struct expert_job *job = context;
    name_input(job);
    for (uint64_t i = begin; i < end; i++) {
        uint64_t element = ts_want_at(job->out, i), pair = element / job->args->rows;
        uint64_t expert = (uint64_t)ts_row_index(job->ids, pair);
        multiply_tile(job, expert, element % job->args->rows, 1, &pair, 1);
    }
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
    if (!check_experts("expert_matmul", &in[2], a->tokens, a->used, a->experts, error)) {
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

/* silu of a gate that is clamped from above only. NaN stays NaN. */
static double clamped_silu(double gate, double limit)
{
    gate = gate > limit ? limit : gate;
    return gate / (1 + exp(-gate));
}

static double clamped_up(double up, double limit)
{
    return up > limit ? limit : up < -limit ? -limit : up;
}

/* How far f(x, limit) moves where x moves by dx. */
static double shift(double (*f)(double, double), double x, double dx, double limit)
{
    double y = f(x, limit), above = fabs(f(x + dx, limit) - y), below = fabs(f(x - dx, limit) - y);
    return above > below ? above : below;
}

/* An infinite number is that or wrong: its error is none. */
static double input_error(double x, double u_in, double carried)
{
    return isinf(x) ? 0 : u_in * fabs(x) + carried;
}

/* The errors of gate, up and weight, those of exp and the division in silu (sigmoid's relative error
 * is 1 - sigmoid times that of exp), and three products. Where exp(-gate) overflows float32, silu
 * may come out as 0. */
static void swiglu_bound(const struct swiglu_job *job, uint64_t element, double limit)
{
    const struct ts_budget *b = &job->budget;
    uint64_t row = element / job->args->width;
    double gate = ts_ref_real(job->gate, element), up = ts_ref_real(job->up, element);
    double weight = job->weight->data ? ts_ref_real(job->weight, row) : 1;
    double weight_error = job->weight->data ? ts_ref_carried(job->weight, row) : 0;
    double gate_error = input_error(gate, b->u_in, ts_ref_carried(job->gate, element));
    double up_error = input_error(up, b->u_in, ts_ref_carried(job->up, element));
    double x = gate > limit ? limit : gate, silu = clamped_silu(gate, limit);
    double away = 1 / (1 + exp(x)); /* 1 - sigmoid(x) */
    double relative = away * ts_bound_exp(x, b->u_acc) + b->u_acc + ts_bound_divide(b->u_acc);
    double silu_error = shift(clamped_silu, gate, gate_error, limit) + fabs(silu) * relative +
                        (x < -87 ? fabs(silu) : 0) + 0x1p-126;
    double limited = clamped_up(up, limit), r = job->out->value[element];
    double p = silu_error * fabs(limited * weight) +
               fabs(silu * weight) * shift(clamped_up, up, up_error, limit) +
               fabs(silu * limited) * weight_error + 0x1p-126 * fabs(weight);
    job->out->err[element] = ts_budget_error(b, r, 3, fabs(r), p);
}

static void swiglu_range(void *context, uint64_t begin, uint64_t end)
{
    const struct swiglu_job *job = context;
    const struct ts_swiglu_args *a = job->args;
    double limit = a->limit != 0 ? (double)a->limit : INFINITY;
    for (uint64_t i = begin; i < end; i++) {
        uint64_t element = ts_want_at(job->out, i);
        double gate = ts_ref_real(job->gate, element), silu = clamped_silu(gate, limit);
        double up = clamped_up(ts_ref_real(job->up, element), limit);
        double weight = job->weight->data ? ts_ref_real(job->weight, element / a->width) : 1;
        /* In float32 exp(-gate) is infinite here, and 0 times infinity no number. */
        if ((isinf(up) || isinf(weight)) && -gate > log((double)FLT_MAX)) {
            silu = 0;
        }
        job->out->value[element] = silu * up * weight;
        if (job->out->err) {
            swiglu_bound(job, element, limit);
        }
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
