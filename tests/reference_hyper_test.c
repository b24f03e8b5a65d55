/* Hyper-connections and the head: budgets that pass honest float32 twins and no bug. */
#include "tests/support/budget.h"

TestSuite(reference_hyper, .fini = test_free_all);

enum { SEEDS = 5, TOKENS = 3, STREAMS = 4, MIXES = STREAMS * (2 + STREAMS) };

/* ---- hc_mix ---------------------------------------------------------------------------------- */

struct mix_bug {
    const char *name;
    uint32_t dropped;
    bool no_epsilon, unscaled, interleaved; /* X flattened with the streams innermost */
    enum test_order order;
};

static float *mix_twin(const struct ts_hc_mix_args *a, const double *streams, const float *fn,
                       const struct mix_bug *bug)
{
    uint32_t columns = a->streams * a->width;
    float *y = test_alloc(a->tokens * a->rows * sizeof *y);
    for (uint32_t t = 0; t < a->tokens; t++) {
        float *x = test_floats(streams + (uint64_t)t * columns, columns);
        float sum = test_dot(x, x, columns, bug->order);
        float mean = sum / (float)columns + (bug->no_epsilon ? 0.0f : a->epsilon);
        for (uint32_t i = 0; i < columns; i++) {
            uint32_t from = bug->interleaved ? i % a->streams * a->width + i / a->streams : i;
            x[i] = (float)streams[(uint64_t)t * columns + from];
            x[i] *= bug->unscaled ? 1.0f : 1.0f / sqrtf(mean);
        }
        for (uint32_t r = 0; r < a->rows; r++) {
            y[t * a->rows + r] =
                test_dot(fn + (uint64_t)r * columns, x, columns - bug->dropped, bug->order);
        }
    }
    return y;
}

static void check_mix(uint64_t seed, double size, double *worst)
{
    static const struct mix_bug bugs[] = {
        {"reversed", 0, false, false, false, REVERSED},
        {"pairwise", 0, false, false, false, PAIRWISE},
        {"blocked", 0, false, false, false, BLOCKED},
        {"half accumulation claimed as float", 0, false, false, false, HALF},
        {"last column dropped", 1, false, false, false, REVERSED},
        {"not divided by the RMS", 0, false, true, false, REVERSED},
        {"streams innermost", 0, false, false, true, REVERSED},
        {"no epsilon", 0, true, false, false, REVERSED},
    };
    struct ts_rng rng;
    ts_rng_seed(&rng, seed);
    struct ts_hc_mix_args args = {TOKENS, 61 + (uint32_t)seed, STREAMS, MIXES, 1e-6f};
    uint64_t columns = (uint64_t)STREAMS * args.width, count = TOKENS * MIXES;
    double *streams = test_random(&rng, TOKENS * columns, size);
    uint8_t *fn = test_weights(&rng, TS_F16, MIXES * columns);
    float *fn32 = test_decoded(TS_F16, fn, MIXES * columns);
    struct ts_ref_in in[] = {test_in(streams), {fn, TS_F16, NULL}};
    struct ts_ref_out out = test_out(count);
    test_run_claim(ts_ref_hc_mix, &args, in, &out, &test_float_claim);
    for (unsigned b = 0; b < sizeof bugs / sizeof bugs[0]; b++) {
        double rho = test_rho(&out, mix_twin(&args, streams, fn32, &bugs[b]), count);
        if (b < HONEST_ORDERS) {
            test_pass(rho, worst, "hc_mix", seed);
        } else if (!bugs[b].no_epsilon || size < 0.1) {
            test_caught(rho, "hc_mix", bugs[b].name, seed);
        }
    }
    double *err = test_reals(TOKENS * columns), *moved = test_reals(TOKENS * columns);
    for (uint64_t i = 0; i < TOKENS * columns; i++) {
        err[i] = 1e-3 * fabs(streams[i]);
        moved[i] = streams[i] * (1 + (fn32[5 * columns + i % columns] > 0 ? 1e-3 : -1e-3));
    }
    in[0].err = err;
    test_run_claim(ts_ref_hc_mix, &args, in, &out, &test_float_claim);
    double rho = test_rho(&out, mix_twin(&args, moved, fn32, &bugs[2]), count);
    cr_expect(rho <= 1 && rho > 0.2, "carried errors, seed %llu: rho %g", (unsigned long long)seed,
              rho);
    in[0].err = NULL;
    test_run_claim(ts_ref_hc_mix, &args, in, &out, &test_float_claim);
    out.err = NULL;
    test_wanted(ts_ref_hc_mix, &args, in, &out, 0, count);
}

Test(reference_hyper, mix)
{
    double worst = 0;
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        check_mix(seed, 1.0, &worst);
        check_mix(seed, 1e-3, &worst);
    }
    test_not_absurd(worst, "hc_mix");
}

/* ---- hc_weights and head_weights ------------------------------------------------------------- */

enum weights_bug {
    WEIGHTS_NONE,
    WEIGHTS_TRANSPOSED,
    WEIGHTS_NINETEEN,
    WEIGHTS_ROWS_LAST,
    WEIGHTS_NO_EPSILON,
    WEIGHTS_BASE,
    WEIGHTS_HALF,
    WEIGHTS_BUGS
};
static const char *const weights_bugs[WEIGHTS_BUGS] = {"",
                                                       "transposed matrix",
                                                       "one iteration less",
                                                       "rows last",
                                                       "no epsilon",
                                                       "next base",
                                                       "half arithmetic claimed as float"};

static float step(float x, enum weights_bug bug)
{
    return bug == WEIGHTS_HALF ? test_to_half(x) : x;
}

/* One pass over lines: stride between lines, step within. Sums from the end. */
static void divide_lines(float *c, int stride, int within, float epsilon, enum weights_bug bug)
{
    for (int i = 0; i < STREAMS; i++) {
        float sum = epsilon;
        for (int j = STREAMS; j-- > 0;) {
            sum = step(sum + c[i * stride + j * within], bug);
        }
        for (int j = 0; j < STREAMS; j++) {
            c[i * stride + j * within] = step(c[i * stride + j * within] * (1.0f / sum), bug);
        }
    }
}

static void matrix_twin(float *c, int iterations, float epsilon, enum weights_bug bug)
{
    for (int i = 0; i < STREAMS; i++) {
        float *row = c + i * STREAMS, sum = 0.0f;
        float most = fmaxf(fmaxf(row[0], row[1]), fmaxf(row[2], row[3]));
        for (int j = 0; j < STREAMS; j++) {
            row[j] = step(expf(row[j] - most), bug);
            sum = step(sum + row[j], bug);
        }
        for (int j = 0; j < STREAMS; j++) {
            row[j] = row[j] / sum + epsilon;
        }
    }
    divide_lines(c, 1, STREAMS, epsilon, bug);
    for (int k = bug == WEIGHTS_NINETEEN ? 2 : 1; k < iterations; k++) {
        divide_lines(c, STREAMS, 1, epsilon, bug);
        divide_lines(c, 1, STREAMS, epsilon, bug);
    }
    if (bug == WEIGHTS_ROWS_LAST) {
        divide_lines(c, STREAMS, 1, epsilon, bug);
    }
    for (int i = 0; bug == WEIGHTS_TRANSPOSED && i < STREAMS; i++) {
        for (int j = 0; j < i; j++) {
            float swap = c[i * STREAMS + j];
            c[i * STREAMS + j] = c[j * STREAMS + i];
            c[j * STREAMS + i] = swap;
        }
    }
}

struct weights_case {
    struct ts_hc_weights_args args;
    double *mix, *base, *scale;
    struct ts_ref_out out[3];
};

static float logit(const struct weights_case *w, int token, int i, int part, enum weights_bug bug)
{
    int base = bug == WEIGHTS_BASE ? (i + 1) % MIXES : i;
    return (float)w->mix[token * MIXES + i] * (float)w->scale[part] + (float)w->base[base];
}

/* Fills pre, post and comb as a float32 kernel would. */
static void weights_twin(const struct weights_case *w, enum weights_bug bug, float *pre,
                         float *post, float *comb)
{
    float epsilon = bug == WEIGHTS_NO_EPSILON ? 0.0f : w->args.epsilon;
    for (int t = 0; t < TOKENS; t++) {
        for (int i = 0; i < STREAMS; i++) {
            float z0 = step(logit(w, t, i, 0, bug), bug), z1 = logit(w, t, STREAMS + i, 1, bug);
            pre[t * STREAMS + i] = 1.0f / (1.0f + step(expf(-z0), bug)) + epsilon;
            post[t * STREAMS + i] = 2.0f / (1.0f + step(expf(-z1), bug));
        }
        float *c = comb + t * STREAMS * STREAMS;
        for (int i = 0; i < STREAMS * STREAMS; i++) {
            c[i] = logit(w, t, 2 * STREAMS + i, 2, bug);
        }
        matrix_twin(c, (int)w->args.iterations, epsilon, bug);
    }
}

static struct weights_case make_weights(uint64_t seed, double size, double *err)
{
    struct weights_case w = {.args = {TOKENS, STREAMS, 20, 1e-6f}};
    struct ts_rng rng;
    ts_rng_seed(&rng, seed);
    w.mix = test_random(&rng, TOKENS * MIXES, 1.0);
    w.base = test_random(&rng, MIXES, size);
    w.scale = test_random(&rng, 3, size);
    for (int i = 0; i < 3; i++) {
        w.out[i] = test_out(TOKENS * STREAMS * (i == 2 ? STREAMS : 1));
    }
    struct ts_ref_in in[] = {{w.mix, TS_F64, err}, {w.base, TS_F64, NULL}, {w.scale, TS_F64, NULL}};
    test_run_claim(ts_ref_hc_weights, &w.args, in, w.out, &test_float_claim);
    return w;
}

static void weights_rhos(const struct weights_case *w, enum weights_bug bug, double *rho)
{
    float y[3][TOKENS * STREAMS * STREAMS];
    weights_twin(w, bug, y[0], y[1], y[2]);
    for (int i = 0; i < 3; i++) {
        rho[i] = test_rho(&w->out[i], y[i], TOKENS * STREAMS * (i == 2 ? STREAMS : 1));
    }
}

Test(reference_hyper, weights)
{
    /* Sharp matrices converge slowly, so that the number of iterations and epsilon show; flat ones
     * are where transposition and order matter as well. */
    static const char *const names[3] = {"pre", "post", "comb"};
    double worst[3] = {0, 0, 0}, rho[3];
    for (uint64_t seed = 1; seed <= 4 * SEEDS; seed++) {
        double size = seed % 2 ? 1.0 : 4.0;
        struct weights_case w = make_weights(seed, size, NULL);
        weights_rhos(&w, WEIGHTS_NONE, rho);
        for (int i = 0; i < 3; i++) {
            test_pass(rho[i], &worst[i], names[i], seed);
        }
        for (int bug = 1; bug < WEIGHTS_BUGS; bug++) {
            bool sharp = bug == WEIGHTS_NINETEEN || bug == WEIGHTS_ROWS_LAST;
            weights_rhos(&w, (enum weights_bug)bug, rho);
            if (!sharp || size > 1.0) {
                test_caught(rho[2], "comb", weights_bugs[bug], seed);
            }
            if (bug >= WEIGHTS_NO_EPSILON) {
                test_caught(rho[0], "pre", weights_bugs[bug], seed);
            }
            if (bug >= WEIGHTS_BASE) {
                test_caught(rho[1], "post", weights_bugs[bug], seed);
            }
        }
    }
    for (int i = 0; i < 3; i++) {
        test_not_absurd(worst[i], names[i]);
    }
}

/* Mixes moved within the errors carried in pass; moved far beyond, they do not. */
Test(reference_hyper, weights_carry_errors)
{
    for (uint64_t seed = 1; seed <= 4 * SEEDS; seed++) {
        struct ts_rng rng;
        ts_rng_seed(&rng, 100 + seed);
        double err[TOKENS * MIXES], rho[3];
        for (int i = 0; i < TOKENS * MIXES; i++) {
            err[i] = 1e-4 * (0.5 + ts_rng_uniform(&rng));
        }
        struct weights_case w = make_weights(seed, 1.0, err);
        double *exact = w.mix;
        for (int beyond = 0; beyond < 2; beyond++) {
            w.mix = test_reals(TOKENS * MIXES);
            for (int i = 0; i < TOKENS * MIXES; i++) {
                double sign = ts_rng_next(&rng) & 1 ? 1.0 : -1.0;
                w.mix[i] = exact[i] + sign * (beyond ? 50.0 : 0.999) * err[i];
            }
            weights_rhos(&w, WEIGHTS_NONE, rho);
            for (int i = 0; i < 3; i++) {
                cr_expect(beyond ? rho[i] > 1 : rho[i] <= 1 && rho[i] > 0.05,
                          "seed %llu, output %d: rho %g", (unsigned long long)seed, i, rho[i]);
            }
        }
    }
}

Test(reference_hyper, too_many_streams_are_refused)
{
    struct ts_error error = {0};
    struct ts_hc_weights_args args = {1, 9, 20, 1e-6f};
    struct ts_ref_in in[3] = {{0}};
    struct ts_ref_out out[3] = {{0}};
    cr_expect(!ts_ref_hc_weights(&args, in, out, NULL, NULL, &error));
    cr_expect(error.code == TS_ERR_INPUT && strstr(error.message, "9 streams"), "%s",
              error.message);
}

Test(reference_hyper, head_weights)
{
    double worst = 0;
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        struct ts_rng rng;
        ts_rng_seed(&rng, seed);
        struct ts_head_weights_args args = {TOKENS, STREAMS, 1e-6f};
        double *mix = test_random(&rng, TOKENS * STREAMS, 4.0);
        double *base = test_random(&rng, STREAMS, 4.0), scale = 1.25;
        struct ts_ref_in in[] = {test_in(mix), test_in(base), test_in(&scale)};
        struct ts_ref_out out = test_out(TOKENS * STREAMS);
        test_run_claim(ts_ref_head_weights, &args, in, &out, &test_float_claim);
        float y[3][TOKENS * STREAMS];
        for (int i = 0; i < TOKENS * STREAMS; i++) {
            float z = (float)mix[i] * (float)scale + (float)base[i % STREAMS];
            y[0][i] = 1.0f / (1.0f + expf(-z)) + args.epsilon;
            y[1][i] = 1.0f / (1.0f + expf(-z));
            z = (float)mix[i] * (float)scale + (float)base[(i + 1) % STREAMS];
            y[2][i] = 1.0f / (1.0f + expf(-z)) + args.epsilon;
        }
        test_pass(test_rho(&out, y[0], TOKENS * STREAMS), &worst, "head_weights", seed);
        test_caught(test_rho(&out, y[1], TOKENS * STREAMS), "head_weights", "no epsilon", seed);
        test_caught(test_rho(&out, y[2], TOKENS * STREAMS), "head_weights", "next base", seed);
        out.err = NULL;
        test_wanted(ts_ref_head_weights, &args, in, &out, 0, TOKENS * STREAMS);
    }
    test_not_absurd(worst, "head_weights");
}

/* ---- hc_reduce and hc_expand ----------------------------------------------------------------- */

enum stream_bug { STREAM_NONE, STREAM_TRANSPOSED, STREAM_DROPPED, STREAM_SHIFTED, STREAM_BUGS };
static const char *const stream_bugs[STREAM_BUGS] = {"", "transposed matrix", "last stream dropped",
                                                     "next token's weights"};

/* One element of hc_expand; of hc_reduce where post is NULL (comb is then pre). */
static float stream_twin(uint32_t width, uint64_t element, const float *sublayer,
                         const float *streams, const float *post, const float *comb,
                         enum stream_bug bug)
{
    uint64_t c = element % width, row = element / width;
    uint64_t t = post ? row / STREAMS : row, j = post ? row % STREAMS : 0;
    uint64_t weights = bug == STREAM_SHIFTED ? (t + 1) % TOKENS : t;
    float sum = 0.0f;
    for (uint64_t i = STREAMS - (bug == STREAM_DROPPED); i-- > 0;) {
        uint64_t entry = bug == STREAM_TRANSPOSED ? j * STREAMS + i : i * STREAMS + j;
        float factor =
            post ? comb[weights * STREAMS * STREAMS + entry] : comb[weights * STREAMS + i];
        sum = fmaf(factor, streams[(t * STREAMS + i) * width + c], sum);
    }
    return post ? fmaf(post[t * STREAMS + j], sublayer[t * width + c], sum) : sum;
}

static void check_streams(uint64_t seed, bool expand, double *worst)
{
    uint32_t width = 250 + 3 * (uint32_t)seed;
    uint64_t all = (uint64_t)TOKENS * STREAMS * width, count = expand ? all : all / STREAMS;
    const char *name = expand ? "hc_expand" : "hc_reduce";
    struct ts_rng rng;
    ts_rng_seed(&rng, seed);
    double *streams = test_random(&rng, all, 1.0),
           *sublayer = test_random(&rng, all / STREAMS, 1.0);
    double *post = test_random(&rng, TOKENS * STREAMS, 1.0);
    double *comb = test_random(&rng, TOKENS * STREAMS * STREAMS, 0.5);
    float *streams32 = test_floats(streams, all), *post32 = test_floats(post, TOKENS * STREAMS);
    float *sublayer32 = test_floats(sublayer, all / STREAMS);
    float *comb32 = test_floats(comb, TOKENS * STREAMS * STREAMS);
    struct ts_ref_in expand_in[] = {test_in(sublayer), test_in(streams), test_in(post),
                                    test_in(comb)};
    struct ts_ref_in reduce_in[] = {test_in(streams), test_in(post)};
    struct ts_hc_expand_args args = {TOKENS, width, STREAMS}; /* the same fields as reduce */
    struct ts_hc_reduce_args reduce_args = {TOKENS, width, STREAMS};
    const void *which = expand ? (const void *)&args : &reduce_args;
    ts_ref_fn *fn = expand ? ts_ref_hc_expand : ts_ref_hc_reduce;
    const struct ts_ref_in *in = expand ? expand_in : reduce_in;
    struct ts_ref_out out = test_out(count);
    test_run_claim(fn, which, in, &out, &test_float_claim);
    float *y = test_alloc(count * sizeof *y);
    for (int bug = 0; bug < STREAM_BUGS; bug++) {
        for (uint64_t i = 0; i < count; i++) {
            y[i] = stream_twin(width, i, sublayer32, streams32, expand ? post32 : NULL,
                               expand ? comb32 : post32, (enum stream_bug)bug);
        }
        double rho = test_rho(&out, y, count);
        if (bug == STREAM_NONE) {
            test_pass(rho, worst, name, seed);
        } else if (expand || bug != STREAM_TRANSPOSED) {
            test_caught(rho, name, stream_bugs[bug], seed);
        }
    }
    out.err = NULL;
    test_wanted(fn, which, in, &out, 0, count);
}

Test(reference_hyper, reduce_and_expand)
{
    double worst[2] = {0, 0};
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        check_streams(seed, false, &worst[0]);
        check_streams(seed, true, &worst[1]);
    }
    test_not_absurd(worst[0], "hc_reduce");
    test_not_absurd(worst[1], "hc_expand");
}

/* Every input moved within the errors carried in. */
Test(reference_hyper, expand_carries_errors)
{
    enum { WIDTH = 100, ALL = TOKENS * STREAMS * WIDTH };
    double worst = 0;
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        static const uint64_t counts[4] = {ALL / STREAMS, ALL, TOKENS * STREAMS,
                                           TOKENS * STREAMS * STREAMS};
        struct ts_rng rng;
        ts_rng_seed(&rng, seed);
        struct ts_ref_in in[4];
        float *floats[4], y[ALL];
        for (int k = 0; k < 4; k++) {
            double *moved, *values = test_random(&rng, counts[k], 1.0);
            in[k] = test_carrying(&rng, values, counts[k], 1e-3, &moved);
            floats[k] = test_floats(moved, counts[k]);
        }
        struct ts_hc_expand_args args = {TOKENS, WIDTH, STREAMS};
        struct ts_ref_out out = test_out(ALL);
        test_run_claim(ts_ref_hc_expand, &args, in, &out, &test_float_claim);
        for (uint64_t i = 0; i < ALL; i++) {
            y[i] = stream_twin(WIDTH, i, floats[0], floats[1], floats[2], floats[3], STREAM_NONE);
        }
        test_pass(test_rho(&out, y, ALL), &worst, "hc_expand", seed);
        for (int k = 0; k < 4; k++) {
            in[k].err = NULL; /* the same, were the errors forgotten */
        }
        test_run_claim(ts_ref_hc_expand, &args, in, &out, &test_float_claim);
        test_caught(test_rho(&out, y, ALL), "hc_expand", "moved inputs without errors", seed);
    }
    cr_expect(worst > 0.1, "carried errors use only %g of the budget", worst);
}

/* Bit-identical with threads, and token by token. */
Test(reference_hyper, values_depend_on_numbers_alone)
{
    enum { COUNT = 70, WIDTH = 301, FLAT = STREAMS * WIDTH };
    struct ts_error error = {0};
    struct ts_pool *pool = ts_pool_open(3, &error);
    struct ts_rng rng;
    ts_rng_seed(&rng, 4);
    cr_assert(pool != NULL, "%s", error.message);
    double *streams = test_random(&rng, COUNT * FLAT, 1.0);
    uint8_t *fn = test_weights(&rng, TS_F16, MIXES * FLAT);
    struct ts_hc_mix_args args = {COUNT, WIDTH, STREAMS, MIXES, 1e-6f};
    struct ts_ref_in in[] = {test_in(streams), {fn, TS_F16, NULL}};
    struct ts_ref_out out = {.value = test_reals(COUNT * MIXES)};
    struct ts_ref_out single = {.value = test_reals(COUNT * MIXES)};
    test_run(ts_ref_hc_mix, &args, in, &out, pool);
    args.tokens = 1;
    for (uint64_t t = 0; t < COUNT; t++) {
        struct ts_ref_in one[] = {test_in(streams + t * FLAT), in[1]};
        struct ts_ref_out part = {.value = single.value + t * MIXES};
        test_run(ts_ref_hc_mix, &args, one, &part, NULL);
    }
    test_same(out.value, single.value, COUNT * MIXES, "hc_mix", 0);
    ts_pool_close(pool);
}
