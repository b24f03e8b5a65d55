/* Reference of the router: which experts a token uses, and their weights (spec 2.13). */
#include "reference/row.h"

/* sqrt(softplus(x)). */
static double affinity(double x)
{
    return sqrt(x > 20 ? x : log1p(exp(x)));
}

/* weights[i] = scale * s / sum over the chosen experts of s. */
static void weigh(const struct ts_ref_in *logits, uint64_t row, const int32_t *ids, uint32_t used,
                  float scale, double *weights)
{
    double sum = 0;
    for (uint32_t i = 0; i < used; i++) {
        weights[i] = affinity(ts_ref_real(logits, row + (uint64_t)ids[i]));
        sum += weights[i];
    }
    for (uint32_t i = 0; i < used; i++) {
        weights[i] = (double)scale * weights[i] / sum;
    }
}

struct top_k_job {
    const struct ts_router_top_k_args *args;
    const struct ts_ref_in *logits, *bias;
    struct ts_ref_out *ids, *weights;
};

/* An insertion sort into the outputs, which hold the biased scores until the end. NaN goes behind
 * every number; of equal scores the lower id, which comes first, stays in front. */
static void choose(const struct top_k_job *job, uint64_t t)
{
    const struct ts_router_top_k_args *a = job->args;
    int32_t *ids = job->ids->index + t * a->used;
    double *best = job->weights->value + t * a->used;
    uint32_t count = 0;
    for (uint32_t e = 0; e < a->experts; e++) {
        double key =
            affinity(ts_ref_real(job->logits, t * a->experts + e)) + ts_row_weight(job->bias, e);
        uint32_t at = count;
        while (at > 0 && (key > best[at - 1] || (isnan(best[at - 1]) && !isnan(key)))) {
            at--;
        }
        if (at == a->used) {
            continue;
        }
        count = count < a->used ? count + 1 : count;
        for (uint32_t i = count - 1; i > at; i--) {
            ids[i] = ids[i - 1];
            best[i] = best[i - 1];
        }
        ids[at] = (int32_t)e;
        best[at] = key;
    }
    weigh(job->logits, t * a->experts, ids, a->used, a->scale, best);
}

static void choose_range(void *context, uint64_t begin, uint64_t end)
{
    for (uint64_t t = begin; t < end; t++) {
        choose(context, t);
    }
}

bool ts_ref_router_top_k(const void *args, const struct ts_ref_in *in, struct ts_ref_out *out,
                         const struct ts_ref_claim *claim, struct ts_pool *pool,
                         struct ts_error *error)
{
    const struct ts_router_top_k_args *a = args;
    (void)claim;
    if (a->used > a->experts || a->experts > INT32_MAX) {
        return ts_fail(error, TS_ERR_INPUT, NULL, "router_top_k: %u of %u experts", a->used,
                       a->experts);
    }
    struct top_k_job job = {
        .args = a, .logits = &in[0], .bias = &in[1], .ids = &out[0], .weights = &out[1]};
    ts_pool_run(pool, a->tokens, 4, choose_range, &job);
    return true;
}

bool ts_ref_router_hash(const void *args, const struct ts_ref_in *in, struct ts_ref_out *out,
                        const struct ts_ref_claim *claim, struct ts_pool *pool,
                        struct ts_error *error)
{
    const struct ts_router_hash_args *a = args;
    const struct ts_ref_in *logits = &in[0], *tokens = &in[1], *table = &in[2];
    (void)claim;
    (void)pool;
    for (uint64_t t = 0; t < a->tokens; t++) {
        int32_t token = ts_row_index(tokens, t);
        int32_t *ids = out[0].index + t * a->used;
        if (token < 0 || (uint32_t)token >= a->vocab) {
            return ts_fail(error, TS_ERR_INPUT, NULL,
                           "router_hash: token %llu is %d, beyond the vocabulary of %u",
                           (unsigned long long)t, (int)token, a->vocab);
        }
        for (uint32_t i = 0; i < a->used; i++) {
            ids[i] = ts_row_index(table, (uint64_t)token * a->used + i);
            if (ids[i] < 0 || (uint32_t)ids[i] >= a->experts) {
                return ts_fail(error, TS_ERR_INPUT, NULL,
                               "router_hash: the table sends token %d to expert %d of %u",
                               (int)token, (int)ids[i], a->experts);
            }
        }
        weigh(logits, t * a->experts, ids, a->used, a->scale, out[1].value + t * a->used);
    }
    return true;
}
