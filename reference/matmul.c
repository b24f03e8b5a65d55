#include "reference/budget.h"
#include "reference/dot.h"

struct job {
    const struct ts_ref_out *out;
    double columns;
    struct ts_budget budget;
};

/* err arrives with the bound of each sum, errors carried in included. */
static void bound_elements(void *context, uint64_t begin, uint64_t end)
{
    const struct job *job = context;
    for (uint64_t i = begin; i < end; i++) {
        uint64_t element = ts_want_at(job->out, i);
        double *err = &job->out->err[element];
        *err = ts_budget_error(&job->budget, job->out->value[element], job->columns, 0.0, *err);
    }
}

static bool product(const struct ts_matmul_grouped_args *a, const struct ts_ref_in *in,
                    struct ts_ref_out *out, const struct ts_ref_claim *claim, struct ts_pool *pool)
{
    uint64_t outputs = (uint64_t)a->tokens * a->groups * a->rows;
    struct ts_dot_product p = {.w = &in[1],
                               .x = in[0].data,
                               .result = out->value,
                               .out = out,
                               .tokens = a->tokens,
                               .groups = a->groups,
                               .rows = a->rows,
                               .columns = a->columns,
                               .x_format = in[0].format};
    ts_ref_product(&p, pool);
    if (!out->err) {
        return true;
    }
    struct job job = {out, a->columns, ts_budget_of(claim, outputs)};
    p.result = out->err;
    p.budget = &job.budget;
    p.chain = job.columns;
    ts_ref_product(&p, pool);
    if (in[0].err) { /* carried: sum |w| * err */
        p.budget = NULL;
        p.magnitude = true;
        p.x = in[0].err;
        p.x_format = TS_F64;
        p.add = true;
        ts_ref_product(&p, pool);
    }
    ts_pool_run(pool, ts_want_count(out, outputs), 4096, bound_elements, &job);
    return true;
}

bool ts_ref_matmul(const void *args, const struct ts_ref_in *in, struct ts_ref_out *out,
                   const struct ts_ref_claim *claim, struct ts_pool *pool, struct ts_error *error)
{
    const struct ts_matmul_args *a = args;
    struct ts_matmul_grouped_args grouped = {a->tokens, 1, a->rows, a->columns};
    (void)error;
    return product(&grouped, in, out, claim, pool);
}

bool ts_ref_matmul_grouped(const void *args, const struct ts_ref_in *in, struct ts_ref_out *out,
                           const struct ts_ref_claim *claim, struct ts_pool *pool,
                           struct ts_error *error)
{
    (void)error;
    return product(args, in, out, claim, pool);
}
