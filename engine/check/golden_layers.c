/* Operation vectors of a layer's parts: hyper-connections, router, attention. */
#include "engine/check/golden_internal.h"

#include "reference/reference.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const double bound = 1e-6;

enum { SINKHORN_ITERATIONS = 20 };
static const float model_epsilon = 1e-6f; /* of norms and hyper-connections (spec 1.1) */
static const float expert_scale = 1.5f;   /* spec 1.1 */

static struct ts_ref_in operand(const struct ts_golden *golden, const struct ts_gguf_tensor *tensor)
{
    return (struct ts_ref_in){.data = ts_golden_data(golden, tensor), .format = tensor->format};
}

static bool run(const struct ts_golden *golden, enum ts_op op, const void *args,
                const struct ts_ref_in *in, struct ts_ref_out *out)
{
    return ts_ref_op(op)(args, in, out, NULL, NULL, golden->error);
}

struct hyper {
    const struct ts_gguf_tensor *fn, *base, *scale, *streams, *sublayer;
    uint32_t tokens, count, width, mixes; /* count: streams */
};

static bool find_hyper(const struct ts_golden *golden, struct hyper *h)
{
    h->fn = ts_golden_tensor(golden, "hc.fn", TS_F32, 0, 0);
    if (!h->fn) {
        return false;
    }
    for (h->count = 1; (uint64_t)h->count * (2 + h->count) < h->fn->shape[1]; h->count++) {
    }
    h->mixes = h->count * (2 + h->count);
    if (h->mixes != h->fn->shape[1] || h->fn->shape[0] % h->count != 0 || h->count > 8) {
        return ts_golden_bad(golden, "hc.fn", "its shape is of no number of streams");
    }
    h->width = (uint32_t)(h->fn->shape[0] / h->count);
    h->base = ts_golden_tensor(golden, "hc.base", TS_F32, h->mixes, 1);
    h->scale = h->base ? ts_golden_tensor(golden, "hc.scale", TS_F32, 3, 1) : NULL;
    h->streams =
        h->scale ? ts_golden_tensor(golden, "hc.streams", TS_F32, h->fn->shape[0], 0) : NULL;
    h->tokens = h->streams ? (uint32_t)h->streams->shape[1] : 0;
    h->sublayer =
        h->streams ? ts_golden_tensor(golden, "hc.sublayer", TS_F32, h->width, h->tokens) : NULL;
    return h->sublayer != NULL;
}

/* Compares values [tokens, columns] with the tensor of that name. */
static bool compare(const struct ts_golden *golden, const char *name, const double *values,
                    uint64_t tokens, uint64_t columns)
{
    const struct ts_gguf_tensor *want = ts_golden_tensor(golden, name, TS_F32, columns, tokens);
    return want && ts_golden_compare(golden, name, values, ts_golden_data(golden, want), tokens,
                                     columns, bound);
}

/* An intermediate of the file as an input. */
static bool find_input(const struct ts_golden *golden, const char *name, uint64_t columns,
                       uint64_t rows, struct ts_ref_in *in)
{
    const struct ts_gguf_tensor *tensor = ts_golden_tensor(golden, name, TS_F32, columns, rows);
    if (tensor) {
        *in = operand(golden, tensor);
    }
    return tensor != NULL;
}

/* Each operation is fed the file's own intermediates, so that it answers for its own error only. The
 * mixes are compared as one vector: the file has them from float32 arithmetic, which leaves single
 * rows of a few small numbers near the bound. */
static bool check_hyper(const struct ts_golden *golden, const struct hyper *h, double *arena)
{
    uint64_t n = h->tokens, s = h->count;
    double *mix = arena, *pre = mix + n * h->mixes, *post = pre + n * s, *comb = post + n * s;
    double *reduced = comb + n * s * s, *expanded = reduced + n * h->width;
    struct ts_hc_mix_args mix_args = {h->tokens, h->width, h->count, h->mixes, model_epsilon};
    struct ts_hc_weights_args weight_args = {h->tokens, h->count, SINKHORN_ITERATIONS,
                                             model_epsilon};
    struct ts_hc_reduce_args reduce_args = {h->tokens, h->width, h->count};
    struct ts_hc_expand_args expand_args = {h->tokens, h->width, h->count};
    struct ts_ref_in streams = operand(golden, h->streams);
    struct ts_ref_in mix_in[] = {streams, operand(golden, h->fn)};
    struct ts_ref_in weight_in[] = {{0}, operand(golden, h->base), operand(golden, h->scale)};
    struct ts_ref_in reduce_in[] = {streams, {0}};
    struct ts_ref_in expand_in[] = {operand(golden, h->sublayer), streams, {0}, {0}};
    struct ts_ref_out mix_out = {.value = mix}, reduce_out = {.value = reduced},
                      expand_out = {.value = expanded};
    struct ts_ref_out weight_out[] = {{.value = pre}, {.value = post}, {.value = comb}};
    return find_input(golden, "hc.mixes", h->mixes, n, &weight_in[0]) &&
           find_input(golden, "hc.pre", s, n, &reduce_in[1]) &&
           find_input(golden, "hc.post", s, n, &expand_in[2]) &&
           find_input(golden, "hc.comb", s * s, n, &expand_in[3]) &&
           run(golden, TS_OP_hc_mix, &mix_args, mix_in, &mix_out) &&
           run(golden, TS_OP_hc_weights, &weight_args, weight_in, weight_out) &&
           run(golden, TS_OP_hc_reduce, &reduce_args, reduce_in, &reduce_out) &&
           run(golden, TS_OP_hc_expand, &expand_args, expand_in, &expand_out) &&
           ts_golden_compare(golden, "hc.mixes", mix, weight_in[0].data, 1, n * h->mixes, bound) &&
           compare(golden, "hc.pre", pre, n, s) && compare(golden, "hc.post", post, n, s) &&
           compare(golden, "hc.comb", comb, n, s * s) &&
           compare(golden, "hc.reduced", reduced, n, h->width) &&
           compare(golden, "hc.expanded", expanded, n, s * h->width);
}

bool ts_golden_hyper(const struct ts_golden *golden)
{
    struct hyper h = {.count = 0};
    if (!find_hyper(golden, &h)) {
        return false;
    }
    uint64_t reals = (uint64_t)h.tokens * (h.mixes + 2ull * h.count + (uint64_t)h.count * h.count +
                                           h.width + (uint64_t)h.count * h.width);
    double *arena = calloc(reals, sizeof *arena);
    bool ok = arena ? check_hyper(golden, &h, arena)
                    : ts_fail_memory(golden->error, "hyper-connections", reals * sizeof *arena);
    free(arena);
    return ok;
}

static bool check_router(const struct ts_golden *golden, const struct ts_gguf_tensor *logits,
                         const struct ts_gguf_tensor *bias, const struct ts_gguf_tensor *ids,
                         double *scores, double *weights, int32_t *chosen)
{
    uint64_t experts = logits->shape[0], tokens = logits->shape[1], used = ids->shape[0];
    const float *x = ts_golden_data(golden, logits);
    struct ts_router_top_k_args args = {(uint32_t)tokens, (uint32_t)experts, (uint32_t)used,
                                        expert_scale};
    struct ts_ref_in in[] = {operand(golden, logits), operand(golden, bias)};
    struct ts_ref_out out[] = {{.index = chosen}, {.value = weights}};
    for (uint64_t i = 0; i < tokens * experts; i++) {
        scores[i] = ts_ref_affinity((double)x[i]);
    }
    return run(golden, TS_OP_router_top_k, &args, in, out) &&
           compare(golden, "router.scores", scores, tokens, experts) &&
           ts_golden_compare_bits(golden, "router.ids", chosen, ts_golden_data(golden, ids), tokens,
                                  used, used * sizeof *chosen) &&
           compare(golden, "router.weights", weights, tokens, used);
}

bool ts_golden_router(const struct ts_golden *golden)
{
    const struct ts_gguf_tensor *logits = ts_golden_tensor(golden, "router.logits", TS_F32, 0, 0);
    const struct ts_gguf_tensor *bias =
        logits ? ts_golden_tensor(golden, "router.bias", TS_F32, logits->shape[0], 1) : NULL;
    const struct ts_gguf_tensor *ids =
        bias ? ts_golden_tensor(golden, "router.ids", TS_I32, 0, logits->shape[1]) : NULL;
    if (!ids) {
        return false;
    }
    if (ids->shape[0] > logits->shape[0]) {
        return ts_golden_bad(golden, "router.ids", "more ids than experts");
    }
    uint64_t tokens = logits->shape[1];
    double *scores = calloc(tokens * logits->shape[0], sizeof *scores);
    double *weights = calloc(tokens * ids->shape[0], sizeof *weights);
    int32_t *chosen = calloc(tokens * ids->shape[0], sizeof *chosen);
    bool ok = scores && weights && chosen
                  ? check_router(golden, logits, bias, ids, scores, weights, chosen)
                  : ts_fail_memory(golden->error, "router vectors", tokens * logits->shape[0] * 8);
    free(scores);
    free(weights);
    free(chosen);
    return ok;
}

struct attention {
    const struct ts_gguf_tensor *q, *kv, *sink, *rows, *out;
    int32_t *ids; /* [rows of the list] */
    double *heads;
};

/* The list of one query as a call of the operation: its first row stands in the window, which is one
 * row wide, and the others are selected compressed rows (any row may be, softmax has no order). */
static bool attend(const struct ts_golden *golden, const struct attention *a, uint64_t t)
{
    const int32_t *list = (const int32_t *)ts_golden_data(golden, a->rows) + t * a->rows->shape[0];
    uint64_t width = a->kv->shape[0], count = a->kv->shape[1];
    const float *kv = ts_golden_data(golden, a->kv);
    int32_t first = -1;
    uint32_t selected = 0;
    for (uint64_t i = 0; i < a->rows->shape[0]; i++) {
        if (list[i] < -1 || (list[i] >= 0 && (uint64_t)list[i] >= count)) {
            return ts_golden_bad(golden, "attention.rows", "a row that does not exist");
        }
        if (list[i] >= 0 && first < 0) {
            first = list[i];
        } else if (list[i] >= 0) {
            a->ids[selected++] = list[i];
        }
    }
    double *heads = a->heads + t * a->q->shape[0];
    if (first < 0) {
        memset(heads, 0, a->q->shape[0] * sizeof *heads); /* no keys: the sink takes all weight */
        return true;
    }
    a->ids[selected] = -1; /* at least one entry, so that an empty list is not "all rows" */
    struct ts_attention_args args = {.position = count,
                                     .tokens = 1,
                                     .heads = (uint32_t)a->sink->shape[0],
                                     .width = (uint32_t)width,
                                     .window = 1,
                                     .ratio = 1,
                                     .rows = (uint32_t)count,
                                     .selected = selected + 1};
    struct ts_ref_in in[] = {
        {.data = (const float *)ts_golden_data(golden, a->q) + t * a->q->shape[0],
         .format = TS_F32},
        {.data = kv + (uint64_t)first * width, .format = TS_F32},
        {.data = kv, .format = TS_F32}, /* the ring: nothing of it is in a window of one row */
        {.data = kv, .format = TS_F32},
        {.data = a->ids, .format = TS_I32},
        operand(golden, a->sink)};
    struct ts_ref_out out = {.value = heads};
    return run(golden, TS_OP_attention, &args, in, &out);
}

bool ts_golden_attention(const struct ts_golden *golden)
{
    struct attention a = {.kv = ts_golden_tensor(golden, "attention.kv", TS_F32, 0, 0)};
    a.sink = a.kv ? ts_golden_tensor(golden, "attention.sink", TS_F32, 0, 1) : NULL;
    a.q = a.sink ? ts_golden_tensor(golden, "attention.q", TS_F32,
                                    a.sink->shape[0] * a.kv->shape[0], 0)
                 : NULL;
    a.rows = a.q ? ts_golden_tensor(golden, "attention.rows", TS_I32, 0, a.q->shape[1]) : NULL;
    a.out = a.rows ? ts_golden_tensor(golden, "attention.out", TS_F32, a.q->shape[0], a.q->shape[1])
                   : NULL;
    if (!a.out) {
        return false;
    }
    uint64_t reals = a.q->shape[0] * a.q->shape[1];
    a.heads = calloc(reals, sizeof *a.heads);
    a.ids = calloc(a.rows->shape[0] + 1, sizeof *a.ids);
    bool ok = (a.heads && a.ids) ||
              ts_fail_memory(golden->error, "attention vectors", reals * sizeof *a.heads);
    for (uint64_t t = 0; ok && t < a.q->shape[1]; t++) {
        ok = attend(golden, &a, t);
    }
    ok = ok && compare(golden, "attention.out", a.heads, a.q->shape[1], a.q->shape[0]);
    free(a.heads);
    free(a.ids);
    return ok;
}
