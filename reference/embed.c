#include "reference/budget.h"

struct job {
    const struct ts_embed_args *a;
    const struct ts_ref_in *table;
    const int32_t *ids;
    const struct ts_ref_out *out;
    struct ts_budget budget;
};

static void embed_tokens(void *context, uint64_t begin, uint64_t end)
{
    const struct job *job = context;
    uint64_t width = job->a->width, all = width * job->a->streams;
    for (uint64_t t = begin; t < end; t++) {
        if (!ts_want_any(job->out, t * all, (t + 1) * all)) {
            continue;
        }
        double *row = job->out->value + t * all;
        ts_ref_load(job->table, (uint64_t)job->ids[t] * width, width, row);
        for (uint64_t i = width; i < all; i++) {
            row[i] = row[i - width];
        }
        for (uint64_t i = 0; job->out->err && i < all; i++) {
            /* A copy: nothing but the format it is stored in can change it. */
            job->out->err[t * all + i] = ts_budget_error(&job->budget, row[i], 0.0, 0.0, 0.0);
        }
    }
}

bool ts_ref_embed(const void *args, const struct ts_ref_in *in, struct ts_ref_out *out,
                  const struct ts_ref_claim *claim, struct ts_pool *pool, struct ts_error *error)
{
    const struct ts_embed_args *a = args;
    struct job job = {.a = a, .table = &in[1], .ids = in[0].data, .out = out};
    for (uint32_t t = 0; t < a->tokens; t++) {
        if (job.ids[t] < 0 || (uint32_t)job.ids[t] >= a->vocab) {
            return ts_fail(error, TS_ERR_INPUT, NULL,
                           "token %u of the chunk has id %d, the embedding has rows 0 to %u", t,
                           job.ids[t], a->vocab - 1);
        }
    }
    if (out->err) {
        job.budget = ts_budget_of(claim, (uint64_t)a->tokens * a->streams * a->width);
    }
    ts_pool_run(pool, a->tokens, 4, embed_tokens, &job);
    return true;
}
