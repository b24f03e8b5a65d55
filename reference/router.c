/* Reference of the router: which experts a token uses, and their weights (spec 2.13). */
#include "reference/row.h"

/* sqrt(softplus(x)). */
static double affinity(double x)
{
    return sqrt(x > 20 ? x : log1p(exp(x)));
}

/* Error of the affinity of x as kernels compute it, sqrt(log(1 + exp(x))): 1 + exp(x) is rounded to
 * u, which for x far below 0 is all there is. */
static double affinity_error(double x, double x_error, const struct ts_budget *b)
{
    double error = x_error, value = x > 20 ? x : log1p(exp(x)), u = b->u_acc;
    if (isinf(x)) { /* an affinity of 0 or infinity, or wrong */
        return 0;
    }
    if (x <= 20) {
        double sigmoid = 1 / (1 + exp(-x));
        error = sigmoid * (x_error + ts_bound_exp(x, u)) + u + ts_bound_log(1 + exp(x), u);
    }
    double root = sqrt(value), below = sqrt(value > error ? value - error : 0);
    double above = sqrt(value + error);
    return (root - below > above - root ? root - below : above - root) + root * ts_bound_sqrt(u);
}

/* One row of logits and what goes with it. */
struct weighing {
    const struct ts_ref_in *logits;
    uint64_t row; /* first element of the logits */
    const int32_t *ids;
    uint32_t used;
    double scale;
    double *weights;
    double *err; /* NULL: not wanted */
    const struct ts_budget *budget;
};

/* weight_i = scale * s_i / sum: an error of s_i counts with scale / sum * (1 - s_i / sum), that of
 * another s_j with scale / sum * s_i / sum. err holds the errors of s at first. */
static void weigh_bound(const struct weighing *w, double sum)
{
    double errors = 0;
    for (uint32_t i = 0; i < w->used; i++) {
        uint64_t element = w->row + (uint64_t)w->ids[i];
        double x = ts_ref_real(w->logits, element);
        double x_error = w->budget->u_in * fabs(x) + ts_ref_carried(w->logits, element);
        w->err[i] = affinity_error(x, x_error, w->budget);
        errors += w->err[i];
    }
    for (uint32_t i = 0; i < w->used; i++) {
        double r = w->weights[i], share = r / w->scale;
        double p = fabs(w->scale) / sum * (w->err[i] * (1 - share) + share * (errors - w->err[i])) +
                   fabs(r) * ts_bound_divide(w->budget->u_acc);
        w->err[i] = ts_budget_error(w->budget, r, w->used + 1.0, fabs(r), p);
    }
}

/* weights[i] = scale * s / sum over the chosen experts of s. */
static void weigh(const struct weighing *w)
{
    double sum = 0;
    for (uint32_t i = 0; i < w->used; i++) {
        w->weights[i] = affinity(ts_ref_real(w->logits, w->row + (uint64_t)w->ids[i]));
        sum += w->weights[i];
    }
    for (uint32_t i = 0; i < w->used; i++) {
        w->weights[i] = w->scale * w->weights[i] / sum;
    }
    if (w->err) {
        weigh_bound(w, sum);
    }
}

struct top_k_job {
    const struct ts_router_top_k_args *args;
    const struct ts_ref_in *logits, *bias;
    struct ts_ref_out *ids, *weights;
    struct ts_budget budget;
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
    weigh(&(struct weighing){.logits = job->logits,
                             .row = t * a->experts,
                             .ids = ids,
                             .used = a->used,
                             .scale = (double)a->scale,
                             .weights = best,
                             .err = job->weights->err ? job->weights->err + t * a->used : NULL,
                             .budget = &job->budget});
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
    if (a->used > a->experts || a->experts > INT32_MAX) {
        return ts_fail(error, TS_ERR_INPUT, NULL, "router_top_k: %u of %u experts", a->used,
                       a->experts);
    }
    struct top_k_job job = {
        .args = a, .logits = &in[0], .bias = &in[1], .ids = &out[0], .weights = &out[1]};
    if (out[1].err) {
        job.budget = ts_budget_of(claim, (uint64_t)a->tokens * a->used);
    }
    ts_pool_run(pool, a->tokens, 4, choose_range, &job);
    return true;
}

bool ts_ref_router_hash(const void *args, const struct ts_ref_in *in, struct ts_ref_out *out,
                        const struct ts_ref_claim *claim, struct ts_pool *pool,
                        struct ts_error *error)
{
    const struct ts_router_hash_args *a = args;
    const struct ts_ref_in *logits = &in[0], *tokens = &in[1], *table = &in[2];
    struct ts_budget budget = {0};
    (void)pool;
    if (out[1].err) {
        budget = ts_budget_of(claim, (uint64_t)a->tokens * a->used);
    }
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
        weigh(&(struct weighing){.logits = logits,
                                 .row = t * a->experts,
                                 .ids = ids,
                                 .used = a->used,
                                 .scale = (double)a->scale,
                                 .weights = out[1].value + t * a->used,
                                 .err = out[1].err ? out[1].err + t * a->used : NULL,
                                 .budget = &budget});
    }
    return true;
}

void ts_ref_route_weights(const struct ts_router_top_k_args *args, const struct ts_ref_in *logits,
                          uint64_t token, const int32_t *ids, const struct ts_ref_claim *claim,
                          double *weights, double *err)
{
    struct ts_budget budget = {0};
    if (err) {
        budget = ts_budget_of(claim, args->used);
    }
    weigh(&(struct weighing){.logits = logits,
                             .row = token * args->experts,
                             .ids = ids,
                             .used = args->used,
                             .scale = (double)args->scale,
                             .weights = weights,
                             .err = err,
                             .budget = &budget});
}

double ts_ref_affinity(double logit)
{
    return affinity(logit);
}

double ts_ref_route_score(double logit, double bias, const struct ts_ref_claim *claim,
                          double *error)
{
    struct ts_budget budget = ts_budget_of(claim, 1);
    double score = affinity(logit) + bias;
    *error = affinity_error(logit, budget.u_in * fabs(logit), &budget) + budget.u_acc * fabs(score);
    return score;
}
