/* Reference of indexer, router and experts against sorts and direct formulas: ties, visibility,
 * clamps, refusals, golden vectors. */
#include "engine/gguf/gguf.h"
#include "reference/quant.h"
#include "tests/support/operand.h"

TestSuite(reference_sparse, .fini = test_free_all);

/* ---- indexer -------------------------------------------------------------------------------- */

static double score_directly(const double *query, const double *weights, const double *key,
                             uint64_t heads, uint64_t width)
{
    double sum = 0;
    for (uint64_t h = 0; h < heads; h++) {
        double dot = 0;
        for (uint64_t c = 0; c < width; c++) {
            dot += query[h * width + c] * key[c];
        }
        sum += weights[h] / sqrt((double)(width * heads)) * fmax(dot, 0);
    }
    return sum;
}

static void check_scores(uint64_t position, uint32_t ratio, uint32_t width, uint64_t seed)
{
    enum { TOKENS = 9, HEADS = 3, ROWS = 7 };
    struct ts_rng rng;
    ts_rng_seed(&rng, seed);
    double *query = test_random(&rng, TOKENS * HEADS * width, 1);
    double *weights = test_random(&rng, TOKENS * HEADS, 1),
           *keys = test_random(&rng, ROWS * width, 1);
    double whole[TOKENS * ROWS], single[ROWS];
    struct ts_index_scores_args args = {.position = position,
                                        .tokens = TOKENS,
                                        .heads = HEADS,
                                        .width = width,
                                        .rows = ROWS,
                                        .ratio = ratio};
    struct ts_ref_in in[] = {test_in(query), test_in(weights), test_in_f32(keys, ROWS * width)};
    struct ts_ref_out out = {.value = whole};
    test_run(ts_ref_index_scores, &args, in, &out, NULL);
    test_wanted(ts_ref_index_scores, &args, in, &out, 0, TOKENS * ROWS);
    for (uint64_t t = 0; t < TOKENS; t++) {
        for (uint64_t b = 0; b < ROWS; b++) {
            double got = whole[t * ROWS + b];
            bool visible = b * ratio + ratio - 1 <= position + t;
            double direct = score_directly(query + t * HEADS * width, weights + t * HEADS,
                                           keys + b * width, HEADS, width);
            cr_assert(visible ? fabs(got - direct) <= 1e-12 * (1 + fabs(direct)) : got == -INFINITY,
                      "seed %llu, token %llu, block %llu: %g, directly %g",
                      (unsigned long long)seed, (unsigned long long)t, (unsigned long long)b, got,
                      direct);
        }
        struct ts_index_scores_args one = args; /* the same token in a call of its own */
        one.position += t;
        one.tokens = 1;
        struct ts_ref_in shifted[] = {test_in(query + t * HEADS * width),
                                      test_in(weights + t * HEADS), in[2]};
        struct ts_ref_out alone = {.value = single};
        test_run(ts_ref_index_scores, &one, shifted, &alone, NULL);
        test_same(single, whole + t * ROWS, ROWS, "scores of token", t);
    }
}

Test(reference_sparse, index_scores)
{
    check_scores(0, 4, 13, 1);
    check_scores(11, 4, 128, 2);
    check_scores(2, 3, 301, 3);
    check_scores(100, 4, 1, 4);
}

struct ranked {
    double score;
    int32_t id;
};

static int by_rank(const void *a, const void *b)
{
    const struct ranked *x = a, *y = b;
    double p = isnan(x->score) ? -HUGE_VAL : x->score, q = isnan(y->score) ? -HUGE_VAL : y->score;
    return p != q ? (p < q ? 1 : -1) : (x->id > y->id) - (x->id < y->id);
}

static int by_id(const void *a, const void *b)
{
    int32_t x = *(const int32_t *)a, y = *(const int32_t *)b;
    return (x > y) - (x < y);
}

static void check_top_k(uint64_t position, uint32_t rows, uint32_t selected, uint64_t levels,
                        uint64_t seed, struct ts_pool *pool)
{
    enum { TOKENS = 5, RATIO = 4 };
    struct ts_rng rng;
    ts_rng_seed(&rng, seed);
    double *scores = test_reals(TOKENS * (uint64_t)rows);
    for (uint64_t i = 0; i < TOKENS * (uint64_t)rows; i++) {
        uint64_t level = ts_rng_below(&rng, levels + 1);
        scores[i] = level == levels ? NAN : (double)level - 1;
    }
    int32_t *ids = test_indices(TOKENS * (uint64_t)selected);
    struct ts_index_top_k_args args = {
        .position = position, .tokens = TOKENS, .rows = rows, .ratio = RATIO, .selected = selected};
    struct ts_ref_in in = test_in(scores);
    if (seed % 2) {
        in = test_in_f32(scores, TOKENS * (uint64_t)rows);
    }
    struct ts_ref_out out = {.index = ids};
    test_run(ts_ref_index_top_k, &args, &in, &out, pool);
    for (uint64_t t = 0; t < TOKENS; t++) {
        uint64_t visible = (position + t + 1) / RATIO;
        visible = visible < rows ? visible : rows;
        struct ranked *all = test_alloc(visible * sizeof *all);
        int32_t *expected = test_indices(visible + selected);
        for (uint64_t b = 0; b < visible; b++) {
            all[b] = (struct ranked){scores[t * rows + b], (int32_t)b};
        }
        qsort(all, visible, sizeof *all, by_rank);
        uint64_t count = visible < selected ? visible : selected;
        for (uint64_t i = 0; i < selected; i++) {
            expected[i] = i < count ? all[i].id : -1;
        }
        qsort(expected, count, sizeof *expected, by_id);
        cr_assert(memcmp(expected, ids + t * selected, selected * sizeof *ids) == 0,
                  "seed %llu, token %llu: %llu of %llu rows", (unsigned long long)seed,
                  (unsigned long long)t, (unsigned long long)count, (unsigned long long)visible);
    }
}

Test(reference_sparse, index_top_k_against_a_full_sort)
{
    struct ts_error error = {0};
    struct ts_pool *pool = ts_pool_open(2, &error);
    cr_assert(pool != NULL, "%s", error.message);
    uint64_t seed = 1;
    for (uint32_t selected = 1; selected < 40; selected += selected < 6 ? 1 : 7) {
        for (uint32_t rows = 1; rows < 150; rows += rows < 10 ? 1 : 23) {
            for (uint64_t levels = 1; levels < 100000; levels *= 9, seed++) {
                check_top_k(4ull * rows - 3, rows, selected, levels, seed, pool);
                check_top_k(ts_rng_below(&(struct ts_rng){{seed, 1, 2, 3}}, 4ull * rows), rows,
                            selected, levels, seed, NULL);
            }
        }
    }
    ts_pool_close(pool);
}

Test(reference_sparse, index_top_k_without_scores)
{
    int32_t ids[8];
    struct ts_index_top_k_args args = {.position = 10, .tokens = 2, .ratio = 4, .selected = 4};
    struct ts_ref_in in = {0};
    struct ts_ref_out out = {.index = ids};
    struct ts_error error = {0};
    test_run(ts_ref_index_top_k, &args, &in, &out, NULL);
    const int32_t expected[] = {0, 1, -1, -1, 0, 1, 2, -1}; /* token 11 completes block 2 */
    cr_expect(memcmp(ids, expected, sizeof ids) == 0, "not all visible rows");
    args.position = 18; /* 5 rows for the second token */
    cr_expect(!ts_ref_index_top_k(&args, &in, &out, NULL, NULL, &error) &&
                  error.code == TS_ERR_INPUT,
              "nothing to choose by");
}

/* ---- router --------------------------------------------------------------------------------- */

Test(reference_sparse, router_ties_and_bias)
{
    double logits[] = {0.5, 30, 0.5, 0.5, -40, 0.5}, bias[] = {0, -9, 0, 1, 1, 0}, weights[4];
    int32_t ids[4];
    struct ts_router_top_k_args args = {.tokens = 1, .experts = 6, .used = 4, .scale = 1.5f};
    struct ts_ref_in in[] = {test_in(logits), test_in_f32(bias, 6)};
    struct ts_ref_out out[] = {{.index = ids}, {.value = weights}};
    test_run(ts_ref_router_top_k, &args, in, out, NULL);
    const int32_t expected[] = {3, 4, 0, 2};
    cr_expect(memcmp(ids, expected, sizeof ids) == 0, "ids %d %d %d %d", ids[0], ids[1], ids[2],
              ids[3]);
    double s = sqrt(log(1 + exp(0.5))), small = exp(-20), sum = 3 * s + small;
    const double right[] = {1.5 * s / sum, 1.5 * small / sum, 1.5 * s / sum, 1.5 * s / sum};
    cr_expect(test_relative_l2(weights, right, 4) < 1e-15, "weights %g %g", weights[0], weights[1]);

    logits[2] = NAN; /* behind every number */
    args.used = 3;
    test_run(ts_ref_router_top_k, &args, in, out, NULL);
    cr_expect(ids[0] == 3 && ids[1] == 4 && ids[2] == 0 && isfinite(weights[2]), "NaN was chosen");
    args.used = 7;
    struct ts_error error = {0};
    cr_expect(!ts_ref_router_top_k(&args, in, out, NULL, NULL, &error) &&
                  error.code == TS_ERR_INPUT,
              "more than there are");
}

Test(reference_sparse, router_hash)
{
    double logits[] = {1, 2, 3, 25}, weights[4];
    int32_t tokens[] = {2, 0}, table[] = {1, 0, 9, 9, 1, -1}, ids[4];
    struct ts_router_hash_args args = {
        .tokens = 2, .experts = 2, .used = 2, .vocab = 3, .scale = 2};
    struct ts_ref_in in[] = {test_in(logits), test_in_index(tokens), test_in_index(table)};
    struct ts_ref_out out[] = {{.index = ids}, {.value = weights}};
    struct ts_error error = {0};
    cr_expect(!ts_ref_router_hash(&args, in, out, NULL, NULL, &error) &&
                  error.code == TS_ERR_INPUT && strstr(error.message, "token 2") &&
                  strstr(error.message, "expert -1"),
              "a bad table: %s", error.message);
    table[5] = 0;
    test_run(ts_ref_router_hash, &args, in, out, NULL);
    double a = sqrt(log(1 + exp(1))), b = sqrt(log(1 + exp(2))), c = sqrt(log(1 + exp(3))), d = 5;
    const double right[] = {2 * b / (a + b), 2 * a / (a + b), 2 * d / (c + d), 2 * c / (c + d)};
    cr_expect(ids[0] == 1 && ids[1] == 0 && ids[2] == 1 && ids[3] == 0, "not the table's ids");
    cr_expect(test_relative_l2(weights, right, 4) < 1e-15, "weights %g %g", weights[0], weights[1]);
    tokens[1] = 3;
    cr_expect(!ts_ref_router_hash(&args, in, out, NULL, NULL, &error) &&
                  strstr(error.message, "token 1 is 3"),
              "a token beyond the vocabulary: %s", error.message);
}

static const void *data_of(const struct ts_gguf *gguf, const char *name, uint64_t *columns,
                           uint64_t *rows)
{
    const struct ts_gguf_tensor *tensor = ts_gguf_find_tensor(gguf, name);
    cr_assert(tensor != NULL, "%s has no %s", gguf->path, name);
    *columns = tensor->shape[0];
    *rows = tensor->shape[1];
    return ts_gguf_tensor_data(gguf, tensor);
}

/* Scores are compared as weights of all experts: both divided by their sum. */
static void compare_scores(const float *scores, const double *weights, const int32_t *ids,
                           uint64_t experts, uint64_t t)
{
    double *expected = test_reals(experts), sum = 0;
    for (uint64_t e = 0; e < experts; e++) {
        sum += (double)scores[e];
    }
    for (uint64_t i = 0; i < experts; i++) {
        expected[i] = (double)scores[ids[i]] / sum;
    }
    double off = test_relative_l2(weights, expected, experts);
    cr_expect(off <= 1e-6, "scores of token %llu: relative L2 %g", (unsigned long long)t, off);
}

Test(reference_sparse, golden_router)
{
    struct ts_error error = {0};
    struct ts_gguf *gguf = ts_gguf_open("tests/data/ops.gguf", &error);
    cr_assert(gguf != NULL, "%s", error.message);
    uint64_t experts, tokens, used, one;
    const float *logits = data_of(gguf, "router.logits", &experts, &tokens);
    const float *bias = data_of(gguf, "router.bias", &experts, &one);
    const float *scores = data_of(gguf, "router.scores", &experts, &tokens);
    const int32_t *golden_ids = data_of(gguf, "router.ids", &used, &tokens);
    const float *golden_weights = data_of(gguf, "router.weights", &used, &tokens);
    double *weights = test_reals(tokens * experts), expected[64];
    int32_t *ids = test_indices(tokens * experts);
    struct ts_router_top_k_args args = {.tokens = (uint32_t)tokens,
                                        .experts = (uint32_t)experts,
                                        .used = (uint32_t)used,
                                        .scale = 1.5f};
    struct ts_ref_in in[] = {{.data = logits, .format = TS_F32}, {.data = bias, .format = TS_F32}};
    struct ts_ref_out out[] = {{.index = ids}, {.value = weights}};
    test_run(ts_ref_router_top_k, &args, in, out, NULL);
    cr_assert(used <= 64 && tokens > 0, "another file than expected");
    for (uint64_t t = 0; t < tokens; t++) {
        for (uint64_t i = 0; i < used; i++) {
            cr_expect(ids[t * used + i] == golden_ids[t * used + i], "token %llu, place %llu",
                      (unsigned long long)t, (unsigned long long)i);
            expected[i] = (double)golden_weights[t * used + i];
        }
        double off = test_relative_l2(weights + t * used, expected, used);
        cr_expect(off <= 1e-6, "weights of token %llu: %g", (unsigned long long)t, off);
    }
    args.used = (uint32_t)experts;
    args.scale = 1;
    test_run(ts_ref_router_top_k, &args, in, out, NULL);
    for (uint64_t t = 0; t < tokens; t++) {
        compare_scores(scores + t * experts, weights + t * experts, ids + t * experts, experts, t);
    }
    ts_gguf_close(gguf);
}

/* ---- experts -------------------------------------------------------------------------------- */

/* Every slot once, in a tile of its expert; experts, and slots of one, ascending; -1 behind. */
static void check_sorted(const struct ts_expert_sort_args *a, const int32_t *ids,
                         const int32_t *order, const int32_t *list, uint64_t seed)
{
    uint32_t slots = a->tokens * a->used, placed = 0, tile = 0;
    for (; placed < slots; tile++) {
        const int32_t *entry = list + 3 * (uint64_t)tile;
        cr_assert(tile < a->tiles && entry[1] == (int32_t)placed && entry[2] >= 1 &&
                      entry[2] <= TS_EXPERT_TILE && (uint32_t)entry[2] <= slots - placed,
                  "seed %llu, tile %u: %d, %d, %d", (unsigned long long)seed, tile, entry[0],
                  entry[1], entry[2]);
        cr_assert(tile == 0 || entry[-3] < entry[0] ||
                      (entry[-3] == entry[0] && entry[-1] == TS_EXPERT_TILE),
                  "seed %llu: tile %u follows a tile of %d", (unsigned long long)seed, tile,
                  entry[-3]);
        for (int32_t i = 0; i < entry[2]; i++, placed++) {
            cr_assert((uint32_t)order[placed] < slots && ids[order[placed]] == entry[0] &&
                          (placed == 0 || ids[order[placed - 1]] != entry[0] ||
                           order[placed - 1] < order[placed]),
                      "seed %llu, place %u: slot %d", (unsigned long long)seed, placed,
                      order[placed]);
        }
    }
    for (uint32_t i = 3 * tile; i < 3 * a->tiles; i++) {
        cr_assert(list[i] == -1, "seed %llu: behind the tiles is %d", (unsigned long long)seed,
                  list[i]);
    }
}

Test(reference_sparse, expert_sort)
{
    for (uint64_t seed = 1; seed < 200; seed++) {
        struct ts_rng rng;
        ts_rng_seed(&rng, seed);
        struct ts_expert_sort_args a = {.tokens = 1 + (uint32_t)ts_rng_below(&rng, 90),
                                        .used = 1 + (uint32_t)ts_rng_below(&rng, 6),
                                        .experts = 1 + (uint32_t)ts_rng_below(&rng, 40)};
        uint32_t slots = a.tokens * a.used, most = 1 + (uint32_t)ts_rng_below(&rng, a.experts);
        a.tiles = TS_EXPERT_TILES(slots, a.experts);
        int32_t *ids = test_indices(slots), *order = test_indices(slots),
                *list = test_indices(3 * (uint64_t)a.tiles);
        for (uint32_t i = 0; i < slots; i++) {
            ids[i] = (int32_t)ts_rng_below(&rng, seed % 2 ? a.experts : most);
        }
        struct ts_ref_in in = test_in_index(ids);
        struct ts_ref_out out[] = {{.index = order}, {.index = list}};
        test_run(ts_ref_expert_sort, &a, &in, out, NULL);
        check_sorted(&a, ids, order, list, seed);
    }
}

/* TS_EXPERT_TILES is enough for the worst ids, and no more than that. */
Test(reference_sparse, expert_tiles)
{
    for (uint32_t slots = 1; slots < 300; slots++) {
        for (uint32_t experts = 1; experts < 20; experts++) {
            uint32_t most = 0;
            for (uint32_t full = 0; full <= slots / TS_EXPERT_TILE;
                 full++) { /* the rest is spread */
                uint32_t rest = slots - full * TS_EXPERT_TILE;
                uint32_t parts = rest < experts ? rest : experts;
                most =
                    rest <= experts * TS_EXPERT_TILE && full + parts > most ? full + parts : most;
            }
            cr_assert(TS_EXPERT_TILES(slots, experts) == most, "%u slots, %u experts: %u, not %u",
                      slots, experts, TS_EXPERT_TILES(slots, experts), most);
        }
    }
}

Test(reference_sparse, expert_sort_refuses)
{
    int32_t ids[] = {1}, order[1], list[3];
    struct ts_expert_sort_args a = {.tokens = 1, .used = 1, .experts = 1, .tiles = 1};
    struct ts_ref_in in = test_in_index(ids);
    struct ts_ref_out out[] = {{.index = order}, {.index = list}};
    struct ts_error error = {0};
    cr_expect(!ts_ref_expert_sort(&a, &in, out, NULL, NULL, &error) && error.code == TS_ERR_INPUT &&
                  strstr(error.message, "expert 1 of 1"),
              "%s", error.message);
    ids[0] = 0;
    a.tiles = 2;
    cr_expect(!ts_ref_expert_sort(&a, &in, out, NULL, NULL, &error) && error.code == TS_ERR_INPUT &&
                  strstr(error.message, "2 tiles"),
              "%s", error.message);
}

static void check_experts(struct ts_expert_matmul_args a, bool quantised, uint64_t seed,
                          struct ts_pool *pool)
{
    struct ts_rng rng;
    ts_rng_seed(&rng, seed);
    uint64_t pairs = (uint64_t)a.tokens * a.used, inputs = a.per_slot ? pairs : a.tokens;
    uint64_t weights = (uint64_t)a.experts * a.rows * a.columns, elements = pairs * a.rows;
    double *x = test_random(&rng, inputs * a.columns, 1), *w = test_random(&rng, weights, 1);
    double *y = test_reals(elements), *again = test_reals(elements);
    int32_t *ids = test_indices(pairs);
    for (uint64_t i = 0; i < pairs; i++) {
        ids[i] = (int32_t)ts_rng_below(&rng, a.experts);
    }
    struct ts_ref_in in[] = {test_in(x), test_in_f32(w, weights), test_in_index(ids)};
    if (quantised) {
        void *blocks = test_alloc(weights / 32 * 34);
        ts_quantize_q8_0(in[1].data, weights, blocks);
        ts_decode(TS_Q8_0, blocks, weights, w);
        in[1] = (struct ts_ref_in){.data = blocks, .format = TS_Q8_0};
    }
    struct ts_ref_out out = {.value = y};
    test_run(ts_ref_expert_matmul, &a, in, &out, NULL);
    for (uint64_t i = 0; i < elements; i++) {
        uint64_t pair = i / a.rows, from = (a.per_slot ? pair : pair / a.used) * a.columns;
        const double *row = w + ((uint64_t)ids[pair] * a.rows + i % a.rows) * a.columns;
        double direct = 0;
        for (uint64_t c = 0; c < a.columns; c++) {
            direct += row[c] * x[from + c];
        }
        cr_assert(fabs(y[i] - direct) <= 1e-11, "seed %llu, element %llu: %g, directly %g",
                  (unsigned long long)seed, (unsigned long long)i, y[i], direct);
    }
    test_wanted(ts_ref_expert_matmul, &a, in, &out, 0, elements);
    out.value = again;
    test_run(ts_ref_expert_matmul, &a, in, &out, pool);
    test_same(again, y, elements, "threads", seed);
    for (uint64_t t = 0; t < a.tokens; t++) { /* each token in a call of its own */
        struct ts_expert_matmul_args one = a;
        one.tokens = 1;
        struct ts_ref_in alone[] = {test_in(x + t * (a.per_slot ? a.used : 1) * a.columns), in[1],
                                    test_in_index(ids + t * a.used)};
        out.value = again + t * a.used * a.rows;
        test_run(ts_ref_expert_matmul, &one, alone, &out, NULL);
    }
    test_same(again, y, elements, "token by token", seed);
}

Test(reference_sparse, expert_matmul)
{
    struct ts_error error = {0};
    struct ts_pool *pool = ts_pool_open(3, &error);
    cr_assert(pool != NULL, "%s", error.message);
    struct ts_expert_matmul_args a = {
        .tokens = 3, .used = 2, .experts = 5, .rows = 7, .columns = 11};
    check_experts(a, false, 1, pool);
    a.per_slot = 1;
    check_experts(a, false, 2, pool);
    a = (struct ts_expert_matmul_args){
        .tokens = 91, .used = 3, .experts = 2, .rows = 5, .columns = 288};
    check_experts(a, true, 3, pool); /* more pairs than are handled at a time, tiles of columns */
    ts_pool_close(pool);
}

Test(reference_sparse, expert_matmul_refuses)
{
    double x[32] = {0}, w[32] = {0}, y[1];
    int32_t ids[] = {1};
    struct ts_expert_matmul_args a = {
        .tokens = 1, .used = 1, .experts = 1, .rows = 1, .columns = 31};
    struct ts_ref_in in[] = {test_in(x), test_in(w), test_in_index(ids)};
    struct ts_ref_out out = {.value = y};
    struct ts_error error = {0};
    for (ids[0] = -1; ids[0] < 2; ids[0] += 2) {
        cr_expect(!ts_ref_expert_matmul(&a, in, &out, NULL, NULL, &error) &&
                      error.code == TS_ERR_INPUT && strstr(error.message, "expert"),
                  "expert %d of 1: %s", ids[0], error.message);
    }
    ids[0] = 0;
    in[1].format = TS_Q8_0;
    cr_expect(!ts_ref_expert_matmul(&a, in, &out, NULL, NULL, &error) &&
                  error.code == TS_ERR_INPUT && strstr(error.message, "31"),
              "no whole blocks: %s", error.message);
}

static double silu(double x)
{
    return x / (1 + exp(-x));
}

Test(reference_sparse, swiglu_clamps)
{
    double gate[] = {-20, 20, 1, 1, NAN, -800}, up[] = {1, 1, 50, -50, 1, 1},
           weight[] = {2, 0.5, 3};
    struct ts_swiglu_args args = {.rows = 3, .width = 2, .limit = 10};
    double y[6];
    struct ts_ref_in in[] = {test_in(gate), test_in(up), test_in(weight)};
    struct ts_ref_out out = {.value = y};
    test_run(ts_ref_swiglu, &args, in, &out, NULL);
    const double clamped[] = {2 * silu(-20), 2 * silu(10), 5 * silu(1), -5 * silu(1)};
    cr_expect(test_relative_l2(y, clamped, 4) < 1e-15, "%g %g %g %g", y[0], y[1], y[2], y[3]);
    cr_expect(isnan(y[4]) && y[5] == 0, "%g %g", y[4], y[5]);
    test_wanted(ts_ref_swiglu, &args, in, &out, 0, 6);
    args.limit = 0;
    in[2].data = NULL;
    test_run(ts_ref_swiglu, &args, in, &out, NULL);
    const double plain[] = {silu(-20), silu(20), 50 * silu(1), -50 * silu(1)};
    cr_expect(test_relative_l2(y, plain, 4) < 1e-15, "%g %g %g %g", y[0], y[1], y[2], y[3]);
}

Test(reference_sparse, expert_sum)
{
    double routed[] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12}, shared[] = {100, 200, 300, 400},
           y[4];
    struct ts_expert_sum_args args = {.tokens = 2, .used = 3, .width = 2};
    struct ts_ref_in in[] = {test_in(routed), test_in_f32(shared, 4)};
    struct ts_ref_out out = {.value = y};
    test_run(ts_ref_expert_sum, &args, in, &out, NULL);
    test_same(y, (const double[]){109, 212, 327, 430}, 4, "sum", 0);
    test_wanted(ts_ref_expert_sum, &args, in, &out, 0, 4);
}
