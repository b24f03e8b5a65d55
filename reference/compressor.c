/* Reference of the compressor: gate and pooling of blocks (spec 2.8). */
#include "reference/row.h"

struct gate_job {
    const struct ts_compressor_gate_args *args;
    const struct ts_ref_in *z, *ape;
    struct ts_ref_out *out;
    struct ts_budget budget;
};

static void gate_range(void *context, uint64_t begin, uint64_t end)
{
    const struct gate_job *job = context;
    const struct ts_compressor_gate_args *a = job->args;
    for (uint64_t i = begin; i < end; i++) {
        uint64_t element = ts_want_at(job->out, i);
        uint64_t t = element / a->width, c = element % a->width;
        double z = ts_ref_real(job->z, element);
        double ape = ts_row_weight(job->ape, (a->position + t) % a->ratio * a->width + c);
        job->out->value[element] = z + ape;
        if (job->out->err) {
            job->out->err[element] = ts_budget_error(&job->budget, z + ape, 1, fabs(z) + fabs(ape),
                                                     ts_ref_carried(job->z, element));
        }
    }
}

bool ts_ref_compressor_gate(const void *args, const struct ts_ref_in *in, struct ts_ref_out *out,
                            const struct ts_ref_claim *claim, struct ts_pool *pool,
                            struct ts_error *error)
{
    const struct ts_compressor_gate_args *a = args;
    if (a->ratio == 0) {
        return ts_fail(error, TS_ERR_INPUT, NULL, "compressor_gate: blocks of 0 tokens");
    }
    uint64_t elements = (uint64_t)a->tokens * a->width;
    struct gate_job job = {.args = a, .z = &in[0], .ape = &in[1], .out = out};
    if (out->err) {
        job.budget = ts_budget_of(claim, elements);
    }
    ts_pool_run(pool, ts_want_count(out, elements), 1024, gate_range, &job);
    return true;
}

struct pool_job {
    const struct ts_compressor_pool_args *args;
    const struct ts_ref_in *in; /* k, gate, k_frontier, gate_frontier */
    struct ts_ref_out *out;
    struct ts_budget budget;
};

/* A candidate of a channel's softmax: where its k and its gate are. */
struct candidate {
    const struct ts_ref_in *k, *gate;
    uint64_t element;
};

/* Candidate i of channel j of block b; `first` is the position of candidate 0. The last `ratio` are
 * those of the block itself. */
static struct candidate candidate_at(const struct pool_job *job, uint64_t b, uint64_t j,
                                     uint64_t first, uint64_t i)
{
    const struct ts_compressor_pool_args *a = job->args;
    uint64_t position = first + i, row_width = (1ull + a->overlap) * a->width;
    uint64_t channel = a->overlap && position >= b * a->ratio ? a->width + j : j;
    if (position >= a->position) {
        uint64_t element = (position - a->position) * row_width + channel;
        return (struct candidate){&job->in[0], &job->in[1], element};
    }
    uint64_t slot = position % ((1ull + a->overlap) * a->ratio);
    return (struct candidate){&job->in[2], &job->in[3], slot * row_width + channel};
}

/* The softmax of one channel. */
struct pooling {
    uint64_t block, channel;
    uint64_t first, count; /* candidates */
    double max, sum, value;
};

static struct pooling pool_element(const struct pool_job *job, uint64_t element)
{
    const struct ts_compressor_pool_args *a = job->args;
    struct pooling p = {
        .block = a->block + element / a->width, .channel = element % a->width, .max = -INFINITY};
    uint64_t blocks = a->overlap && p.block > 0 ? 2 : 1; /* block 0 has no block before it */
    p.first = (p.block + 1 - blocks) * a->ratio;
    p.count = blocks * a->ratio;
    for (uint64_t i = 0; i < p.count; i++) {
        struct candidate c = candidate_at(job, p.block, p.channel, p.first, i);
        double gate = ts_ref_real(c.gate, c.element);
        p.max = gate > p.max ? gate : p.max;
    }
    double weighted = 0;
    for (uint64_t i = 0; i < p.count; i++) {
        struct candidate c = candidate_at(job, p.block, p.channel, p.first, i);
        double weight = exp(ts_ref_real(c.gate, c.element) - p.max);
        p.sum += weight;
        weighted += weight * ts_ref_real(c.k, c.element);
    }
    p.value = weighted / p.sum;
    return p;
}

/* A relative error w of one weight moves the result by w * share * (k - result). Weights: the error
 * of the gate, of the subtracted maximum, of exp (twice, for kernels that rescale as they go). Then
 * the sums above and below and the division. A weight far below the greatest may be flushed to 0. */
static double pool_bound(const struct pool_job *job, const struct pooling *p)
{
    const struct ts_budget *b = &job->budget;
    double S = 0, error = 0;
    for (uint64_t i = 0; i < p->count; i++) {
        struct candidate c = candidate_at(job, p->block, p->channel, p->first, i);
        double gate = ts_ref_real(c.gate, c.element), k = ts_ref_real(c.k, c.element);
        double below = gate - p->max, share = exp(below) / p->sum;
        double weight_error = b->u_in * fabs(gate) + ts_ref_carried(c.gate, c.element);
        if (share > 0) { /* else below may be infinite */
            weight_error += b->u_acc * fabs(below) + 2 * ts_bound_exp(below, b->u_acc);
            error += share * weight_error * fabs(k - p->value);
        }
        error += share * ts_ref_carried(c.k, c.element) + 0x1p-126 * fabs(k);
        S += share * fabs(k);
    }
    double n = (double)p->count;
    error += fabs(p->value) * (ts_budget_chain(b, n) + ts_bound_divide(b->u_acc));
    return ts_budget_error(b, p->value, n, S, error);
}

static void pool_range(void *context, uint64_t begin, uint64_t end)
{
    const struct pool_job *job = context;
    for (uint64_t i = begin; i < end; i++) {
        uint64_t element = ts_want_at(job->out, i);
        struct pooling p = pool_element(job, element);
        job->out->value[element] = p.value;
        if (job->out->err) {
            job->out->err[element] = pool_bound(job, &p);
        }
    }
}

/* Every token that the emitted blocks need must be in k or still in the frontier. */
static bool pool_reach(const struct ts_compressor_pool_args *a, struct ts_error *error)
{
    if (a->ratio == 0 || a->overlap > 1) {
        return ts_fail(error, TS_ERR_INPUT, NULL, "compressor_pool: ratio %u, overlap %u", a->ratio,
                       a->overlap);
    }
    uint64_t end = a->position + a->tokens, kept = (1ull + a->overlap) * a->ratio;
    uint64_t block = a->overlap && a->block > 0 ? a->block - 1 : a->block;
    if (a->block > end / a->ratio || a->blocks > end / a->ratio - a->block ||
        (a->position > kept && block * a->ratio < a->position - kept)) {
        return ts_fail(error, TS_ERR_INPUT, NULL,
                       "compressor_pool: blocks [%llu, +%u) of %u tokens reach beyond positions "
                       "[%llu, +%u) and the %llu rows before them",
                       (unsigned long long)a->block, a->blocks, a->ratio,
                       (unsigned long long)a->position, a->tokens, (unsigned long long)kept);
    }
    return true;
}

bool ts_ref_compressor_pool(const void *args, const struct ts_ref_in *in, struct ts_ref_out *out,
                            const struct ts_ref_claim *claim, struct ts_pool *pool,
                            struct ts_error *error)
{
    const struct ts_compressor_pool_args *a = args;
    if (a->blocks == 0) {
        return true;
    }
    if (!pool_reach(a, error)) {
        return false;
    }
    uint64_t elements = (uint64_t)a->blocks * a->width;
    struct pool_job job = {.args = a, .in = in, .out = out};
    if (out->err) {
        job.budget = ts_budget_of(claim, elements);
    }
    ts_pool_run(pool, ts_want_count(out, elements), 16, pool_range, &job);
    return true;
}
