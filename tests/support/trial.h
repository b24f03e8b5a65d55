/* Trials of error budgets: an operation, its inputs from a seed, and a twin to judge by its budget. */
#ifndef TS_TESTS_TRIAL_H
#define TS_TESTS_TRIAL_H

#include "reference/budget.h"
#include "tests/support/operand.h"

enum { SEEDS = 18 };

/* One operation with its inputs, and a twin: the same work in precision u, in another order, with
 * planted bug 1 .. bugs, or honest (0). */
struct trial {
    const char *name;
    ts_ref_fn *fn;
    union {
        struct ts_ring_store_args ring;
        struct ts_compressor_gate_args gate;
        struct ts_compressor_pool_args pool;
        struct ts_index_scores_args scores;
        struct ts_attention_args attention;
        struct ts_router_top_k_args router;
        struct ts_router_hash_args hash;
        struct ts_expert_matmul_args expert;
        struct ts_swiglu_args swiglu;
        struct ts_expert_sum_args sum;
    } args;
    double *data[6]; /* operands of real numbers, in their places */
    uint64_t count[6];
    int32_t *index[6]; /* and of indices */
    bool exact[6];     /* weights: without error */
    uint64_t outputs;
    bool routes; /* writes ids first */
    void (*twin)(const struct trial *trial, double u, unsigned bug, double *y);
    unsigned bugs;
};

typedef void build_fn(struct trial *trial, struct ts_rng *rng);

static inline uint64_t odd(struct ts_rng *rng, uint64_t below)
{
    return 1 + ts_rng_below(rng, below);
}

static inline void operand(struct trial *trial, struct ts_rng *rng, unsigned place, uint64_t count,
                           double scale)
{
    trial->data[place] = test_random(rng, count, scale);
    trial->count[place] = count;
}

/* The reference's values, and the budget if err is not NULL. */
static inline void reference(const struct trial *trial, double *const *data, double *const *in_err,
                             const struct ts_ref_claim *claim, double *value, double *err)
{
    struct ts_ref_in in[6] = {{0}};
    for (unsigned i = 0; i < 6; i++) {
        in[i] = trial->index[i] ? test_in_index(trial->index[i]) : test_in(data[i]);
        in[i].err = in_err && !trial->exact[i] ? in_err[i] : NULL;
    }
    struct ts_ref_out out[2] = {{.value = value, .err = err}, {0}};
    if (trial->routes) {
        out[1] = out[0];
        out[0] = (struct ts_ref_out){.index = test_indices(trial->outputs)};
    }
    struct ts_error error = {0};
    bool done = trial->fn(&trial->args, in, out, claim, NULL, &error);
    cr_assert(done, "%s refused: %s", trial->name, error.message);
}

static inline double rho_of(const double *y, const double *r, const double *e, uint64_t count)
{
    double rho = 0;
    for (uint64_t i = 0; i < count; i++) {
        double off = fabs(y[i] - r[i]) / e[i];
        if (isinf(r[i]) || isinf(y[i])) {
            off = y[i] == r[i] ? 0 : INFINITY;
        }
        rho = off > rho || isnan(off) ? off : rho;
    }
    return rho;
}

/* Inputs moved by their errors: the reference on them must stay within the budget of errors alone. */
static inline double carried_rho(const struct trial *trial, struct ts_rng *rng, const double *r)
{
    const struct ts_ref_claim exact = {0};
    double *err[6] = {0}, *moved[6] = {0};
    for (unsigned i = 0; i < 6; i++) {
        err[i] = test_reals(trial->count[i]);
        moved[i] = test_reals(trial->count[i]);
        for (uint64_t k = 0; k < trial->count[i]; k++) {
            err[i][k] = trial->exact[i] ? 0 : 1e-7 * ts_rng_uniform(rng);
            double side = ts_rng_below(rng, 2) ? 1 : -1;
            moved[i][k] = trial->data[i][k] + side * err[i][k];
        }
    }
    double *value = test_reals(trial->outputs), *e = test_reals(trial->outputs);
    double *y = test_reals(trial->outputs);
    reference(trial, trial->data, err, &exact, value, e);
    test_same(value, r, trial->outputs, trial->name, 0);
    reference(trial, moved, NULL, NULL, y, NULL);
    for (uint64_t i = 0; i < trial->outputs; i++) {
        e[i] = e[i] * 1.0001 + 1e-15 * (1 + fabs(r[i])); /* second order, and float64 itself */
    }
    return rho_of(y, r, e, trial->outputs);
}

/* rho of a twin whose inputs were rounded as the claim says. */
static inline double twin_rho(const struct trial *trial, const struct ts_ref_claim *claim,
                              unsigned bug, const double *r, const double *e)
{
    struct trial rounded = *trial;
    for (unsigned i = 0; i < 6; i++) {
        rounded.data[i] = test_reals(trial->count[i]);
        for (uint64_t k = 0; k < trial->count[i]; k++) {
            double x = trial->data[i][k];
            rounded.data[i][k] = trial->exact[i] ? x : ts_round_to(x, claim->u_in);
        }
    }
    double *y = test_reals(trial->outputs);
    trial->twin(&rounded, claim->u_acc, bug, y);
    return rho_of(y, r, e, trial->outputs);
}

/* Float, half, and float on inputs rounded to half, in turn; bugs in float. */
static inline void check_seed(const char *name, build_fn *build, uint64_t seed, double *worst,
                              double *carried)
{
    struct ts_rng rng;
    ts_rng_seed(&rng, seed);
    struct trial trial = {.name = name};
    build(&trial, &rng);
    double u = seed % 3 == 2 ? 0x1p-11 : 0x1p-24;
    struct ts_ref_claim claim = {.u_in = seed % 3 == 1 ? 0 : 0x1p-11, .u_acc = u, .u_out = u};
    double *r = test_reals(trial.outputs), *e = test_reals(trial.outputs);
    double *plain = test_reals(trial.outputs);
    reference(&trial, trial.data, NULL, NULL, plain, NULL);
    reference(&trial, trial.data, NULL, &claim, r, e);
    test_same(plain, r, trial.outputs, name, seed);
    double rho = twin_rho(&trial, &claim, 0, r, e);
    cr_expect(rho <= 1, "%s, seed %llu: a correct twin has rho %g", name, (unsigned long long)seed,
              rho);
    *worst = rho > *worst ? rho : *worst;
    rho = carried_rho(&trial, &rng, r);
    cr_expect(rho <= 1, "%s, seed %llu: moved inputs have rho %g", name, (unsigned long long)seed,
              rho);
    *carried = rho > *carried ? rho : *carried;
    for (unsigned bug = 1; bug <= trial.bugs && seed % 3 == 1; bug++) {
        rho = twin_rho(&trial, &claim, bug, r, e);
        cr_expect(!(rho <= 1), "%s, seed %llu: bug %u passes with rho %g", name,
                  (unsigned long long)seed, bug, rho);
    }
}

static inline void check_budget(const char *name, build_fn *build)
{
    double worst = 0, carried = 0;
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        check_seed(name, build, seed, &worst, &carried);
    }
    cr_log_info("%s: worst rho %.4f, carried %.4f\n", name, worst, carried);
    cr_expect(worst > 0.001, "%s: the budget is too wide, worst rho %g", name, worst);
    cr_expect(carried > 0.01, "%s: carried errors count too much, worst rho %g", name, carried);
}

#endif
