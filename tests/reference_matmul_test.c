/* Matrix products, embedding: values that depend on nothing but the numbers, and budgets that pass
 * every honest order of summation and no bug. */
#include "reference/budget.h"
#include "tests/support/budget.h"

TestSuite(reference_matmul, .fini = test_free_all);

static const uint32_t formats[] = {TS_F32,  TS_F16,  TS_BF16,    TS_Q8_0,
                                   TS_Q2_K, TS_Q4_K, TS_IQ2_XXS, TS_MXFP4};
enum { FORMATS = sizeof formats / sizeof formats[0] };

struct product {
    struct ts_matmul_grouped_args args;
    uint32_t format;
    uint64_t seed, outputs;
    double *x;
    float *x32, *w32;
    uint8_t *w;
};

static struct product make(uint32_t format, uint32_t columns, uint64_t seed)
{
    struct product p = {.args = {5, 2, 7, columns}, .format = format, .seed = seed};
    struct ts_rng rng;
    uint64_t weights = 2ull * 7 * columns, inputs = 5ull * 2 * columns;
    ts_rng_seed(&rng, seed);
    p.outputs = 5 * 2 * 7;
    p.w = test_weights(&rng, format, weights);
    p.w32 = test_decoded(format, p.w, weights);
    p.x = test_random(&rng, inputs, 1.0);
    p.x32 = test_floats(p.x, inputs);
    return p;
}

/* The float32 kernel; `columns` and the weights' first row can be wrong. */
static float *twin(const struct product *p, const float *w, uint32_t shift, uint32_t columns,
                   enum test_order order)
{
    const struct ts_matmul_grouped_args *a = &p->args;
    float *y = test_alloc(p->outputs * sizeof *y);
    uint32_t all = a->groups * a->rows;
    for (uint32_t i = 0; i < p->outputs; i++) {
        uint32_t row = (i % all + shift) % all;
        y[i] = test_dot(w + (uint64_t)row * a->columns,
                        p->x32 + (uint64_t)(i / a->rows) * a->columns, columns, order);
    }
    return y;
}

/* Weights with the scale of every block taken from its neighbour. */
static float *neighbours_scale(const struct product *p)
{
    uint64_t count = (uint64_t)p->args.groups * p->args.rows * p->args.columns;
    uint64_t elements = ts_format_block_elements(p->format);
    uint64_t size = ts_format_block_bytes(p->format), blocks = count / elements;
    uint64_t place = p->format == TS_Q2_K ? 80 : 0, bytes = p->format == TS_MXFP4 ? 1 : 2;
    uint8_t *wrong = test_alloc(blocks * size);
    memcpy(wrong, p->w, blocks * size);
    for (uint64_t b = 0; b < blocks; b++) {
        memcpy(wrong + b * size + place, p->w + (b ^ (b + 1 < blocks)) * size + place, bytes);
    }
    return test_decoded(p->format, wrong, count);
}

static void check_product(const struct product *p, double *worst)
{
    const char *name = ts_format_name(p->format);
    uint32_t columns = p->args.columns;
    struct ts_ref_in in[] = {test_in(p->x), {p->w, p->format, NULL}};
    struct ts_ref_out out = test_out(p->outputs);
    test_run_claim(ts_ref_matmul_grouped, &p->args, in, &out, &test_float_claim);
    for (int order = 0; order < HONEST_ORDERS; order++) {
        float *y = twin(p, p->w32, 0, columns, (enum test_order)order);
        test_pass(test_rho(&out, y, p->outputs), worst, name, p->seed);
    }
    test_caught(test_rho(&out, twin(p, p->w32, 0, columns - 1, REVERSED), p->outputs), name,
                "last column dropped", p->seed);
    test_caught(test_rho(&out, twin(p, p->w32, 1, columns, REVERSED), p->outputs), name, "next row",
                p->seed);
    test_caught(test_rho(&out, twin(p, p->w32, 0, columns, HALF), p->outputs), name,
                "half accumulation claimed as float", p->seed);
    if (ts_format_block_elements(p->format) > 1) {
        float *y = twin(p, neighbours_scale(p), 0, columns, REVERSED);
        test_caught(test_rho(&out, y, p->outputs), name, "scale of the neighbour block", p->seed);
    }
}

Test(reference_matmul, budgets)
{
    double worst = 0;
    for (uint64_t seed = 1; seed <= 4; seed++) {
        for (unsigned f = 0; f < FORMATS; f++) {
            uint32_t block = ts_format_block_elements(formats[f]);
            uint32_t columns = block == 1 ? 333 + (uint32_t)seed : 3 * block;
            struct product p = make(formats[f], columns, seed);
            check_product(&p, &worst);
        }
    }
    test_not_absurd(worst, "matmul");
}

/* A half kernel passes under a half claim, with inputs rounded to half as well. */
Test(reference_matmul, half_claims)
{
    static const struct ts_ref_claim claim = {0x1p-11, 0x1p-11, 0x1p-11, 0.0};
    for (uint64_t seed = 1; seed <= 5; seed++) {
        struct product p = make(TS_Q8_0, 256, seed);
        struct ts_ref_in in[] = {test_in(p.x), {p.w, p.format, NULL}};
        struct ts_ref_out out = test_out(p.outputs);
        test_run_claim(ts_ref_matmul_grouped, &p.args, in, &out, &claim);
        for (uint64_t i = 0; i < 5 * 2 * 256; i++) {
            p.x32[i] = test_to_half(p.x32[i]);
        }
        double worst = 0;
        test_pass(test_rho(&out, twin(&p, p.w32, 0, 256, HALF), p.outputs), &worst, "half", seed);
        test_not_absurd(worst, "half");
        test_caught(test_rho(&out, twin(&p, neighbours_scale(&p), 0, 256, HALF), p.outputs), "half",
                    "scale of the neighbour block", seed);
    }
}

/* Errors carried in: an input anywhere within them passes, one well beyond them does not. */
Test(reference_matmul, carried_errors)
{
    for (uint64_t seed = 1; seed <= 5; seed++) {
        struct product p = make(TS_F32, 100, seed);
        p.args = (struct ts_matmul_grouped_args){1, 1, 14, 100};
        p.outputs = 14;
        double *err = test_reals(100);
        for (int i = 0; i < 100; i++) {
            err[i] = 1e-4 * fabs(p.x[i]);
        }
        struct ts_ref_in in[] = {{p.x, TS_F64, err}, {p.w, TS_F32, NULL}};
        struct ts_ref_out out = test_out(14);
        test_run_claim(ts_ref_matmul, &(struct ts_matmul_args){1, 14, 100}, in, &out,
                       &test_float_claim);
        for (int beyond = 0; beyond < 2; beyond++) {
            for (int i = 0; i < 100; i++) { /* the worst signs for output 3 */
                double sign = p.w32[300 + i] > 0.0f ? 1.0 : -1.0;
                p.x32[i] = (float)(p.x[i] + (beyond ? 1.5 : 0.99) * sign * err[i]);
            }
            double rho = test_rho(&out, twin(&p, p.w32, 0, 100, BLOCKED), 14);
            cr_expect(beyond ? rho > 1.2 : rho > 0.9 && rho <= 1, "seed %llu: rho %g",
                      (unsigned long long)seed, rho);
        }
    }
}

/* ---- the width of the model ------------------------------------------------------------------ */

/* Ways to add 4096 products in float32, and what they may claim. */
static const struct way {
    const char *name;
    double short_chain; /* of the claim; 0: any order */
    float least;        /* rho that the worst of all outputs has at least */
} ways[] = {{"one chain", 0, 0.05F},
            {"four chains", 0, 0.02F},
            {"32 lanes, chunks of 16", 40, 0.04F},
            {"chains of 128", 128, 0.05F}};
enum { WAYS = sizeof ways / sizeof ways[0], WIDE = 4096 };

static float add_so(const float *terms, unsigned way)
{
    float parts[4] = {0}, lanes[32] = {0}, sum = 0.0f;
    for (uint32_t i = 0; i < WIDE; i++) {
        switch (way) {
        case 0: sum += terms[i]; break;
        case 1: parts[i % 4] += terms[i]; break;
        case 2:
            parts[i % 4] += terms[i];
            if (i % 16 == 15) {
                lanes[i / 16 % 32] += (parts[0] + parts[1]) + (parts[2] + parts[3]);
                memset(parts, 0, sizeof parts);
            }
            break;
        default:
            parts[0] += terms[i];
            if (i % 128 == 127) {
                sum += parts[0];
                parts[0] = 0.0f;
            }
        }
    }
    for (uint32_t step = 1; step < 32; step *= 2) {
        for (uint32_t i = 0; i < 32; i += 2 * step) {
            lanes[i] += lanes[i + step];
        }
    }
    return way == 1 ? (parts[0] + parts[1]) + (parts[2] + parts[3]) : way == 2 ? lanes[0] : sum;
}

/* All outputs of one group; x rounded to unit roundoff u first (0: as it is). */
static float *wide_twin(const struct product *p, unsigned way, double u)
{
    float *y = test_alloc(p->outputs * sizeof *y), *terms = test_alloc(WIDE * sizeof *terms);
    for (uint32_t i = 0; i < p->outputs; i++) {
        const float *w = p->w32 + (uint64_t)(i % p->args.rows) * WIDE;
        for (uint32_t c = 0; c < WIDE; c++) {
            terms[c] = w[c] * (float)ts_round_to(p->x[(uint64_t)(i / p->args.rows) * WIDE + c], u);
        }
        y[i] = add_so(terms, way);
    }
    return y;
}

/* At the model's width a budget passes what claims it, with a fair part of it used, and does not pass
 * inputs that were rounded to half or to bfloat: in every format. */
Test(reference_matmul, wide_budgets_notice_half_inputs)
{
    for (unsigned f = 0; f < FORMATS; f++) {
        struct product p = make(formats[f], WIDE, 11 + f);
        p.args = (struct ts_matmul_grouped_args){5, 1, 14, WIDE};
        for (unsigned way = 0; way < WAYS; way++) {
            struct ts_ref_claim claim = test_float_claim;
            struct ts_ref_in in[] = {test_in(p.x), {p.w, p.format, NULL}};
            struct ts_ref_out out = test_out(p.outputs);
            double worst = 0;
            claim.short_chain = ways[way].short_chain;
            test_run_claim(ts_ref_matmul_grouped, &p.args, in, &out, &claim);
            test_pass(test_rho(&out, wide_twin(&p, way, 0), p.outputs), &worst, ways[way].name, f);
            cr_log_info("%s, %s: rho %.3f\n", ts_format_name(formats[f]), ways[way].name, worst);
            cr_expect(worst >= (double)ways[way].least, "%s, %s: too wide a budget, rho %g",
                      ts_format_name(formats[f]), ways[way].name, worst);
            test_caught(test_rho(&out, wide_twin(&p, way, 0x1p-11), p.outputs), ways[way].name,
                        "inputs rounded to half", f);
            test_caught(test_rho(&out, wide_twin(&p, way, 0x1p-8), p.outputs), ways[way].name,
                        "inputs rounded to bfloat", f);
        }
    }
}

/* Products of one sign, sorted ones, one half against the other, one that is larger than all others
 * together: whatever the order, float sums pass. */
Test(reference_matmul, hard_products_pass)
{
    enum { ROWS = 4, CASES = 5 };
    for (uint64_t seed = 1; seed <= 3; seed++) {
        for (int kind = 0; kind < CASES; kind++) {
            struct ts_rng rng;
            ts_rng_seed(&rng, seed);
            struct product p = {.args = {1, 1, ROWS, WIDE}, .outputs = ROWS};
            double *w = test_random(&rng, ROWS * WIDE, 1.0);
            p.x = test_reals(WIDE);
            for (uint32_t i = 0; i < WIDE; i++) {
                p.x[i] = 1.0;
            }
            for (uint32_t i = 0; i < ROWS * WIDE; i++) {
                uint32_t c = i % WIDE;
                double up = fabs(w[i]);
                w[i] = kind == 0   ? up
                       : kind == 1 ? (c < WIDE / 2 ? up : -up)
                       : kind == 2 ? (c % 2 == 0 ? up : -up)
                       : kind == 3 ? (c / 16 % 2 == 0 ? up : -up)
                                   : (c == 77 ? 1e6 * up : w[i]);
            }
            p.w32 = test_floats(w, ROWS * WIDE);
            struct ts_ref_in in[] = {test_in(p.x), {w, TS_F64, NULL}};
            for (unsigned way = 0; way < WAYS; way++) {
                struct ts_ref_claim claim = test_float_claim;
                struct ts_ref_out out = test_out(ROWS);
                claim.short_chain = ways[way].short_chain;
                test_run_claim(ts_ref_matmul_grouped, &p.args, in, &out, &claim);
                double rho = test_rho(&out, wide_twin(&p, way, 0), ROWS);
                cr_expect(rho <= 0.5, "kind %d, %s, seed %llu: rho %g", kind, ways[way].name,
                          (unsigned long long)seed, rho);
            }
        }
    }
}

/* Bit-identical whatever the threads, the tokens in a call, the type of x and what is wanted. */
Test(reference_matmul, values_depend_on_numbers_alone)
{
    struct ts_error error = {0};
    struct ts_pool *pool = ts_pool_open(3, &error);
    cr_assert(pool != NULL, "%s", error.message);
    for (unsigned f = 0; f < FORMATS; f++) {
        enum { TOKENS = 131, ROWS = 9, SEED = 5 };
        uint32_t block = ts_format_block_elements(formats[f]);
        uint32_t columns = block == 1 ? 301 : 512;
        struct ts_rng rng;
        ts_rng_seed(&rng, SEED);
        double *x = test_random(&rng, (uint64_t)TOKENS * columns, 1.0);
        struct ts_ref_in in[] = {
            test_in(x), {test_weights(&rng, formats[f], ROWS * columns), formats[f], NULL}};
        struct ts_matmul_args args = {TOKENS, ROWS, columns};
        struct ts_ref_out out = {.value = test_reals(TOKENS * ROWS)}, other = out;
        test_run(ts_ref_matmul, &args, in, &out, pool);
        test_wanted(ts_ref_matmul, &args, in, &out, 0, TOKENS * ROWS);
        other.value = test_reals(TOKENS * ROWS);
        struct ts_ref_in narrow[] = {test_in_f32(x, (uint64_t)TOKENS * columns), in[1]};
        test_run(ts_ref_matmul, &args, narrow, &other, NULL);
        test_same(out.value, other.value, TOKENS * ROWS, "float32 inputs", f);
        for (uint32_t t = 0; t < TOKENS; t += args.tokens) {
            args.tokens = t + 7 < TOKENS ? 7 : TOKENS - t;
            struct ts_ref_in part[] = {test_in(x + (uint64_t)t * columns), in[1]};
            struct ts_ref_out some = {.value = other.value + (uint64_t)t * ROWS};
            test_run(ts_ref_matmul, &args, part, &some, pool);
        }
        test_same(out.value, other.value, TOKENS * ROWS, "chunks of 7 tokens", f);
    }
    ts_pool_close(pool);
}

/* Small integers: every order of summation is exact, and so is the reference. */
Test(reference_matmul, exact_on_integers)
{
    enum { TOKENS = 3, GROUPS = 3, ROWS = 5, COLUMNS = 77 };
    struct ts_rng rng;
    ts_rng_seed(&rng, 9);
    double *x = test_reals(TOKENS * GROUPS * COLUMNS), *w = test_reals(GROUPS * ROWS * COLUMNS);
    for (int i = 0; i < TOKENS * GROUPS * COLUMNS; i++) {
        x[i] = (double)ts_rng_below(&rng, 17) - 8;
    }
    for (int i = 0; i < GROUPS * ROWS * COLUMNS; i++) {
        w[i] = (double)ts_rng_below(&rng, 17) - 8;
    }
    struct ts_matmul_grouped_args args = {TOKENS, GROUPS, ROWS, COLUMNS};
    struct ts_ref_in in[] = {test_in(x), {w, TS_F64, NULL}};
    struct ts_ref_out out = {.value = test_reals(TOKENS * GROUPS * ROWS)};
    test_run(ts_ref_matmul_grouped, &args, in, &out, NULL);
    test_wanted(ts_ref_matmul_grouped, &args, in, &out, 0, TOKENS * GROUPS * ROWS);
    for (int i = 0; i < TOKENS * GROUPS * ROWS; i++) {
        double sum = 0;
        for (int c = 0; c < COLUMNS; c++) {
            sum += w[i % (GROUPS * ROWS) * COLUMNS + c] * x[i / ROWS * COLUMNS + c];
        }
        cr_assert(out.value[i] == sum, "output %d: %g, not %g", i, out.value[i], sum);
    }
}

Test(reference_matmul, embedding)
{
    enum { TOKENS = 4, VOCAB = 6, WIDTH = 256, STREAMS = 3, ALL = TOKENS * STREAMS * WIDTH };
    static const int32_t ids[TOKENS] = {5, 0, 5, 2};
    for (unsigned f = 0; f < FORMATS; f++) {
        struct ts_rng rng;
        ts_rng_seed(&rng, f);
        uint8_t *table = test_weights(&rng, formats[f], VOCAB * WIDTH);
        float *decoded = test_decoded(formats[f], table, VOCAB * WIDTH);
        struct ts_embed_args args = {TOKENS, WIDTH, STREAMS, VOCAB};
        struct ts_ref_in in[] = {test_in_index(ids), {table, formats[f], NULL}};
        struct ts_ref_out out = test_out(ALL);
        test_run_claim(ts_ref_embed, &args, in, &out, &test_float_claim);
        float y[ALL], wrong[ALL];
        for (int i = 0; i < ALL; i++) {
            int token = i / (STREAMS * WIDTH);
            y[i] = decoded[ids[token] * WIDTH + i % WIDTH];
            wrong[i] = decoded[(ids[token] + 1) % VOCAB * WIDTH + i % WIDTH];
            cr_assert((double)y[i] == out.value[i], "%s: element %d", ts_format_name(formats[f]),
                      i);
        }
        cr_expect(test_rho(&out, y, ALL) == 0);
        test_caught(test_rho(&out, wrong, ALL), "embed", "next row", f);
        out.err = NULL;
        test_wanted(ts_ref_embed, &args, in, &out, 0, ALL);
    }
    for (int32_t bad = -1; bad <= VOCAB; bad += VOCAB + 1) {
        struct ts_error error = {0};
        struct ts_embed_args args = {1, 1, 1, VOCAB};
        double table[VOCAB] = {0}, value;
        struct ts_ref_in in[] = {test_in_index(&bad), {table, TS_F64, NULL}};
        struct ts_ref_out out = {.value = &value};
        cr_expect(!ts_ref_embed(&args, in, &out, NULL, NULL, &error) &&
                      error.code == TS_ERR_INPUT && strstr(error.message, "rows 0 to 5"),
                  "id %d: %s", bad, error.message);
    }
}
