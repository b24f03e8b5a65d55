/* Reference of attention, compressor and ring against direct formulas: window edges, visibility,
 * chunks split anywhere, golden vectors. */
#include "engine/gguf/gguf.h"
#include "tests/support/operand.h"

TestSuite(reference_attention, .fini = test_free_all);

/* ---- compressor ----------------------------------------------------------------------------- */

struct stream {
    uint32_t tokens, width, ratio, overlap;
    double *k, *gate; /* [tokens, (1 + overlap) * width] */
};

static uint64_t stream_width(const struct stream *s)
{
    return (1ull + s->overlap) * s->width;
}

static uint64_t frontier_rows(const struct stream *s)
{
    return (1ull + s->overlap) * s->ratio;
}

/* The formula as the specification has it, without a maximum taken off. */
static double pooled_directly(const struct stream *s, uint64_t b, uint64_t j)
{
    double above = 0, below = 0;
    for (uint64_t t = 0; t < s->tokens; t++) {
        bool own = t / s->ratio == b, previous = s->overlap && b > 0 && t / s->ratio == b - 1;
        if (own || previous) {
            uint64_t at = t * stream_width(s) + (own && s->overlap ? s->width : 0) + j;
            above += exp(s->gate[at]) * s->k[at];
            below += exp(s->gate[at]);
        }
    }
    return above / below;
}

struct frontier {
    double *k, *gate;
};

/* Emits the blocks that tokens [begin, end) complete and then carries the frontier on. */
static void compress_chunk(const struct stream *s, struct frontier *f, uint64_t begin, uint64_t end,
                           double *pooled, struct ts_pool *pool)
{
    uint64_t width = stream_width(s);
    struct ts_compressor_pool_args args = {.position = begin,
                                           .block = begin / s->ratio,
                                           .tokens = (uint32_t)(end - begin),
                                           .blocks = (uint32_t)(end / s->ratio - begin / s->ratio),
                                           .width = s->width,
                                           .ratio = s->ratio,
                                           .overlap = s->overlap};
    struct ts_ref_in in[] = {test_in(s->k + begin * width), test_in(s->gate + begin * width),
                             test_in(f->k), test_in(f->gate)};
    struct ts_ref_out out = {.value = pooled + args.block * s->width};
    test_run(ts_ref_compressor_pool, &args, in, &out, pool);
    if (args.blocks > 0) {
        test_wanted(ts_ref_compressor_pool, &args, in, &out, 0, (uint64_t)args.blocks * s->width);
    }
    struct ts_ring_store_args store = {.position = begin,
                                       .tokens = (uint32_t)(end - begin),
                                       .width = (uint32_t)width,
                                       .capacity = (uint32_t)frontier_rows(s)};
    struct ts_ref_out k_ring = {.value = f->k}, gate_ring = {.value = f->gate};
    test_run(ts_ref_ring_store, &store, &in[0], &k_ring, NULL);
    test_run(ts_ref_ring_store, &store, &in[1], &gate_ring, NULL);
}

/* Chunks [0, a), [a, b), [b, tokens). */
static double *compress(const struct stream *s, uint64_t a, uint64_t b, struct ts_pool *pool)
{
    double *pooled = test_reals(s->tokens / s->ratio * s->width);
    uint64_t ring = frontier_rows(s) * stream_width(s);
    struct frontier f = {test_reals(ring), test_reals(ring)};
    for (uint64_t i = 0; i < ring; i++) { /* stale rows must never be read */
        f.k[i] = f.gate[i] = NAN;
    }
    compress_chunk(s, &f, 0, a, pooled, pool);
    compress_chunk(s, &f, a, b, pooled, pool);
    compress_chunk(s, &f, b, s->tokens, pooled, pool);
    return pooled;
}

static void check_compressor(struct stream s, uint64_t seed, struct ts_pool *pool)
{
    struct ts_rng rng;
    ts_rng_seed(&rng, seed);
    s.k = test_random(&rng, s.tokens * stream_width(&s), 1);
    s.gate = test_random(&rng, s.tokens * stream_width(&s), 2);
    uint64_t elements = s.tokens / s.ratio * s.width;
    double *whole = compress(&s, s.tokens, s.tokens, NULL);
    for (uint64_t i = 0; i < elements; i++) {
        double direct = pooled_directly(&s, i / s.width, i % s.width);
        cr_assert(fabs(whole[i] - direct) <= 1e-13 * (1 + fabs(direct)),
                  "ratio %u, block %llu, channel %llu: %.17g, directly %.17g", s.ratio,
                  (unsigned long long)(i / s.width), (unsigned long long)(i % s.width), whole[i],
                  direct);
    }
    for (uint64_t split = 0; split <= s.tokens; split++) {
        uint64_t second = split + ts_rng_below(&rng, s.tokens - split + 1);
        double *parts = compress(&s, split, second, split % 16 == 0 ? pool : NULL);
        test_same(parts, whole, elements, "compressor split", split);
    }
}

Test(reference_attention, compressor_at_every_split)
{
    struct ts_error error = {0};
    struct ts_pool *pool = ts_pool_open(3, &error);
    cr_assert(pool != NULL, "%s", error.message);
    check_compressor((struct stream){.tokens = 27, .width = 5, .ratio = 4, .overlap = 1}, 1, pool);
    check_compressor((struct stream){.tokens = 21, .width = 3, .ratio = 4, .overlap = 0}, 2, pool);
    check_compressor((struct stream){.tokens = 275, .width = 2, .ratio = 128}, 3, pool);
    check_compressor((struct stream){.tokens = 10, .width = 1, .ratio = 1, .overlap = 1}, 4, pool);
    ts_pool_close(pool);
}

Test(reference_attention, compressor_gate)
{
    double z[] = {1, 2, 3, 4, 5, 6}, ape[] = {10, 20, 30, 40, 50, 60, 70, 80}, gate[6];
    struct ts_compressor_gate_args args = {.position = 7, .tokens = 3, .width = 2, .ratio = 4};
    struct ts_ref_in in[] = {test_in(z), test_in_f32(ape, 8)};
    struct ts_ref_out out = {.value = gate};
    test_run(ts_ref_compressor_gate, &args, in, &out, NULL);
    const double expected[] = {71, 82, 13, 24, 35, 46}; /* rows 3, 0 and 1 of ape */
    test_same(gate, expected, 6, "gate", 0);
    test_wanted(ts_ref_compressor_gate, &args, in, &out, 0, 6);
}

Test(reference_attention, compressor_refuses_blocks_out_of_reach)
{
    double rows[64] = {0}, pooled[16];
    struct ts_ref_in in[] = {test_in(rows), test_in(rows), test_in(rows), test_in(rows)};
    struct ts_ref_out out = {.value = pooled};
    struct ts_compressor_pool_args late = {
        .position = 4, .block = 1, .tokens = 3, .blocks = 1, .width = 1, .ratio = 4, .overlap = 1};
    struct ts_compressor_pool_args early = late;
    early.position = 16;
    struct ts_error error = {0};
    cr_expect(!ts_ref_compressor_pool(&late, in, &out, NULL, NULL, &error) &&
                  error.code == TS_ERR_INPUT,
              "a block that is not complete");
    cr_expect(!ts_ref_compressor_pool(&early, in, &out, NULL, NULL, &error) &&
                  error.code == TS_ERR_INPUT,
              "a block that left the frontier");
}

Test(reference_attention, ring_keeps_the_last_rows)
{
    double rows[] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9}, ring[] = {-1, -1, -1};
    struct ts_ring_store_args args = {.position = 4, .tokens = 2, .width = 1, .capacity = 3};
    struct ts_ref_in in = test_in(rows);
    struct ts_ref_out out = {.value = ring};
    test_run(ts_ref_ring_store, &args, &in, &out, NULL);
    test_same(ring, (const double[]){-1, 0, 1}, 3, "ring", 0);
    args.tokens = 10; /* positions 4 .. 13: 11, 12, 13 stay */
    test_run(ts_ref_ring_store, &args, &in, &out, NULL);
    test_same(ring, (const double[]){8, 9, 7}, 3, "ring", 1);
}

/* ---- attention ------------------------------------------------------------------------------ */

struct scene {
    uint32_t tokens, heads, width, window, ratio, rows, selected;
    double *q, *kv, *compressed, *sink;
    int32_t *ids; /* [tokens, selected] */
};

static double dot(const double *a, const double *b, uint64_t count)
{
    double sum = 0;
    for (uint64_t i = 0; i < count; i++) {
        sum += a[i] * b[i];
    }
    return sum;
}

/* One head of token p straight from the specification. `late`: blocks seen one token late. */
static void attend_directly(const struct scene *s, uint64_t p, uint64_t h, bool late, double *o)
{
    const double *q = s->q + (p * s->heads + h) * s->width;
    double below = exp(s->sink[h]);
    memset(o, 0, s->width * sizeof *o);
    for (uint64_t i = 0; i < s->tokens + s->rows; i++) {
        const double *row = s->kv + i * s->width;
        bool seen = i < s->tokens && i <= p && p - i < s->window;
        if (i >= s->tokens && s->ratio) {
            uint64_t b = i - s->tokens;
            row = s->compressed + b * s->width;
            seen = (b + 1) * s->ratio - 1 + late <= p;
            bool chosen = s->selected == 0;
            for (uint64_t j = 0; j < s->selected; j++) {
                chosen = chosen || s->ids[p * s->selected + j] == (int32_t)b;
            }
            seen = seen && chosen;
        }
        if (seen) {
            double weight = exp(dot(q, row, s->width) / sqrt((double)s->width));
            below += weight;
            for (uint64_t c = 0; c < s->width; c++) {
                o[c] += weight * row[c];
            }
        }
    }
    for (uint64_t c = 0; c < s->width; c++) {
        o[c] /= below;
    }
}

/* Chunks of `chunk` tokens with a ring between them. f32: operands as float32. */
static double *attend_in_chunks(const struct scene *s, uint32_t chunk, bool f32,
                                struct ts_pool *pool)
{
    double *heads = test_reals((uint64_t)s->tokens * s->heads * s->width);
    double *ring = test_reals((uint64_t)s->window * s->width);
    for (uint64_t i = 0; i < (uint64_t)s->window * s->width; i++) {
        ring[i] = NAN;
    }
    for (uint32_t at = 0; at < s->tokens; at += chunk) {
        uint32_t count = s->tokens - at < chunk ? s->tokens - at : chunk;
        struct ts_attention_args args = {.position = at,
                                         .tokens = count,
                                         .heads = s->heads,
                                         .width = s->width,
                                         .window = s->window,
                                         .ratio = s->ratio,
                                         .rows = s->rows,
                                         .selected = s->selected};
        const double *q = s->q + (uint64_t)at * s->heads * s->width;
        const double *kv = s->kv + (uint64_t)at * s->width;
        uint64_t kv_count = (uint64_t)count * s->width;
        struct ts_ref_in in[] = {f32 ? test_in_f32(q, kv_count * s->heads) : test_in(q),
                                 f32 ? test_in_f32(kv, kv_count) : test_in(kv),
                                 test_in(ring),
                                 test_in(s->compressed),
                                 test_in_index(s->ids + (uint64_t)at * s->selected),
                                 test_in(s->sink)};
        struct ts_ref_out out = {.value = heads + (uint64_t)at * s->heads * s->width};
        test_run(ts_ref_attention, &args, in, &out, pool);
        test_wanted(ts_ref_attention, &args, in, &out, 0, kv_count * s->heads);
        struct ts_ring_store_args store = {
            .position = at, .tokens = count, .width = s->width, .capacity = s->window};
        struct ts_ref_out ring_out = {.value = ring};
        test_run(ts_ref_ring_store, &store, &in[1], &ring_out, NULL);
    }
    return heads;
}

static struct scene random_scene(struct scene s, uint64_t seed)
{
    struct ts_rng rng;
    ts_rng_seed(&rng, seed);
    s.rows = s.ratio ? s.tokens / s.ratio : 0;
    s.q = test_random(&rng, (uint64_t)s.tokens * s.heads * s.width, 1);
    s.kv = test_random(&rng, (uint64_t)s.tokens * s.width, 1);
    s.compressed = test_random(&rng, (uint64_t)s.rows * s.width, 1);
    s.sink = test_random(&rng, s.heads, 1);
    s.ids = test_indices((uint64_t)s.tokens * s.selected);
    for (uint64_t p = 0; p < s.tokens; p++) {
        uint64_t visible = s.ratio ? (p + 1) / s.ratio : 0, chosen = 0;
        int32_t *ids = s.ids + p * s.selected;
        for (uint64_t b = 0; b < visible && chosen < s.selected; b++) {
            if (visible - b <= s.selected - chosen || ts_rng_below(&rng, 2) == 0) {
                ids[chosen++] = (int32_t)b;
            }
        }
        while (chosen < s.selected) {
            ids[chosen++] = -1;
        }
    }
    return s;
}

Test(reference_attention, against_the_formula_in_any_chunks)
{
    const struct scene scenes[] = {
        {.tokens = 19, .heads = 2, .width = 9, .window = 7},
        {.tokens = 40, .heads = 3, .width = 13, .window = 8, .ratio = 4},
        {.tokens = 41, .heads = 1, .width = 5, .window = 16, .ratio = 4, .selected = 3},
        {.tokens = 150, .heads = 2, .width = 3, .window = 128, .ratio = 128},
        {.tokens = 12, .heads = 2, .width = 300, .window = 1, .ratio = 1, .selected = 5},
    };
    struct ts_error error = {0};
    struct ts_pool *pool = ts_pool_open(2, &error);
    cr_assert(pool != NULL, "%s", error.message);
    for (uint64_t n = 0; n < sizeof scenes / sizeof *scenes; n++) {
        struct scene s = random_scene(scenes[n], 100 + n);
        uint64_t elements = (uint64_t)s.tokens * s.heads * s.width;
        double *whole = attend_in_chunks(&s, s.tokens, false, NULL), o[512];
        bool differs = false;
        for (uint64_t i = 0; i < (uint64_t)s.tokens * s.heads; i++) {
            attend_directly(&s, i / s.heads, i % s.heads, false, o);
            double off = test_relative_l2(whole + i * s.width, o, s.width);
            cr_assert(off < 1e-13, "scene %llu, token %llu: %g", (unsigned long long)n,
                      (unsigned long long)(i / s.heads), off);
            attend_directly(&s, i / s.heads, i % s.heads, true, o);
            differs = differs || test_relative_l2(whole + i * s.width, o, s.width) > 1e-3;
        }
        cr_assert(differs || s.ratio == 0, "scene %llu cannot tell late blocks",
                  (unsigned long long)n);
        for (uint32_t chunk = 1; chunk <= s.tokens; chunk += chunk < 9 ? 1 : 6) {
            double *parts = attend_in_chunks(&s, chunk, chunk % 3 == 0, chunk % 2 ? pool : NULL);
            test_same(parts, whole, elements, "attention in chunks of", chunk);
        }
    }
    ts_pool_close(pool);
}

Test(reference_attention, odd_numbers_and_refusals)
{
    double q[] = {1, 1}, kv[] = {3, -2}, ring[] = {NAN, NAN}, sink[] = {-INFINITY}, heads[2];
    int32_t ids[] = {1};
    struct ts_ref_in in[] = {test_in(q),  test_in(kv),        test_in(ring),
                             test_in(kv), test_in_index(ids), test_in(sink)};
    struct ts_ref_out out = {.value = heads};
    struct ts_attention_args args = {
        .position = 0, .tokens = 1, .heads = 1, .width = 2, .window = 1};
    test_run(ts_ref_attention, &args, in, &out, NULL);
    test_same(heads, kv, 2, "no sink, one key", 0);
    q[0] = 1e30; /* logits beyond what exp takes */
    sink[0] = 5;
    test_run(ts_ref_attention, &args, in, &out, NULL);
    test_same(heads, kv, 2, "a huge logit", 0);
    q[0] = NAN;
    test_run(ts_ref_attention, &args, in, &out, NULL);
    cr_expect(isnan(heads[0]) && isnan(heads[1]), "NaN is lost: %g %g", heads[0], heads[1]);

    struct ts_error error = {0};
    args.ratio = args.rows = args.selected = 1; /* row 1 of 1 */
    cr_expect(!ts_ref_attention(&args, in, &out, NULL, NULL, &error) &&
                  error.code == TS_ERR_INPUT && strstr(error.message, "row 1"),
              "an id out of range: %s", error.message);
    args.selected = 0;
    args.width = 2000;
    cr_expect(!ts_ref_attention(&args, in, &out, NULL, NULL, &error) &&
                  error.code == TS_ERR_INPUT && strstr(error.message, "2000"),
              "rows too wide: %s", error.message);
}

/* ---- golden --------------------------------------------------------------------------------- */

struct golden {
    const float *q, *kv, *sink, *out;
    const int32_t *rows; /* [3, listed], -1: none */
    uint64_t listed, kv_rows, heads, width, tokens;
};

static const struct ts_gguf_tensor *tensor_of(const struct ts_gguf *gguf, const char *name)
{
    const struct ts_gguf_tensor *tensor = ts_gguf_find_tensor(gguf, name);
    cr_assert(tensor != NULL, "%s has no %s", gguf->path, name);
    return tensor;
}

static double compare_golden(const struct golden *g, uint64_t t,
                             const struct ts_attention_args *args, const struct ts_ref_in *keys)
{
    uint64_t count = g->heads * g->width;
    double *value = test_reals(count), *expected = test_reals(count), worst = 0;
    struct ts_ref_in in[] = {
        {.data = g->q + t * count, .format = TS_F32}, keys[0], keys[1], keys[2], keys[3],
        {.data = g->sink, .format = TS_F32}};
    struct ts_ref_out out = {.value = value};
    test_run(ts_ref_attention, args, in, &out, NULL);
    for (uint64_t i = 0; i < count; i++) {
        expected[i] = (double)g->out[t * count + i];
    }
    for (uint64_t h = 0; h < g->heads; h++) {
        double off = test_relative_l2(value + h * g->width, expected + h * g->width, g->width);
        worst = off > worst ? off : worst;
    }
    return worst;
}

/* The listed rows of token t twice: all in the window; and the last in a window of one token with
 * the others as selected rows. Returns the worst error; `leave_out` names an
 * entry of the list that is left out. */
static double run_golden(const struct golden *g, uint64_t t, uint64_t leave_out)
{
    float *listed = test_alloc(g->listed * g->width * sizeof *listed);
    int32_t *ids = test_indices(g->listed);
    uint64_t count = 0;
    for (uint64_t i = 0; i < g->listed; i++) {
        int32_t row = g->rows[t * g->listed + i];
        if (row >= 0 && i != leave_out) {
            memcpy(listed + count * g->width, g->kv + (uint64_t)row * g->width,
                   g->width * sizeof *listed);
            ids[count++] = row;
        }
    }
    cr_assert(count > 0, "token %llu lists no rows", (unsigned long long)t);
    struct ts_ref_in last = {.data = listed + (count - 1) * g->width, .format = TS_F32};
    struct ts_ref_in ring = {.data = listed, .format = TS_F32}, none = {0};
    struct ts_attention_args args = {.position = count - 1,
                                     .tokens = 1,
                                     .heads = (uint32_t)g->heads,
                                     .width = (uint32_t)g->width,
                                     .window = (uint32_t)count};
    double a = compare_golden(g, t, &args, (struct ts_ref_in[]){last, ring, none, none});
    args.position = g->kv_rows - 1;
    args.window = 1;
    args.ratio = 1;
    args.rows = (uint32_t)g->kv_rows;
    args.selected = (uint32_t)g->listed;
    for (uint64_t i = count - 1; i < g->listed; i++) {
        ids[i] = -1;
    }
    struct ts_ref_in rows = {.data = g->kv, .format = TS_F32};
    double b =
        compare_golden(g, t, &args, (struct ts_ref_in[]){last, none, rows, test_in_index(ids)});
    return a > b ? a : b;
}

Test(reference_attention, golden)
{
    struct ts_error error = {0};
    struct ts_gguf *gguf = ts_gguf_open("tests/data/ops.gguf", &error);
    cr_assert(gguf != NULL, "%s", error.message);
    const struct ts_gguf_tensor *rows = tensor_of(gguf, "attention.rows");
    const struct ts_gguf_tensor *kv = tensor_of(gguf, "attention.kv");
    const struct ts_gguf_tensor *sink = tensor_of(gguf, "attention.sink");
    struct golden g = {.q = ts_gguf_tensor_data(gguf, tensor_of(gguf, "attention.q")),
                       .kv = ts_gguf_tensor_data(gguf, kv),
                       .sink = ts_gguf_tensor_data(gguf, sink),
                       .out = ts_gguf_tensor_data(gguf, tensor_of(gguf, "attention.out")),
                       .rows = ts_gguf_tensor_data(gguf, rows),
                       .listed = rows->shape[0],
                       .tokens = rows->shape[1],
                       .kv_rows = kv->shape[1],
                       .width = kv->shape[0],
                       .heads = sink->shape[0]};
    cr_assert(g.tokens == 3 && g.heads == 8, "another file than expected");
    for (uint64_t t = 0; t < g.tokens; t++) { /* token 0 has one row only */
        double off = run_golden(&g, t, UINT64_MAX);
        cr_expect(off <= 1e-6, "token %llu: relative L2 %g", (unsigned long long)t, off);
        cr_expect(t == 0 || run_golden(&g, t, 0) > 1e-4, "token %llu: a lost row goes unnoticed",
                  (unsigned long long)t);
    }
    ts_gguf_close(gguf);
}
