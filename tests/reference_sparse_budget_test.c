/* Error budgets of the sparse operations: twins that round every step to the claimed precision and
 * add in another order pass, on any seed and odd sizes, and use a fair part of the budget; planted
 * bugs fail; errors carried in on inputs are covered. */
#include "tests/support/trial.h"

TestSuite(reference_sparse_budget, .fini = test_free_all);

/* ---- ring and compressor -------------------------------------------------------------------- */

static void ring_twin(const struct trial *trial, double u, unsigned bug, double *y)
{
    const struct ts_ring_store_args *a = &trial->args.ring;
    for (uint64_t t = 0; t < a->tokens; t++) {
        uint64_t slot = (a->position + t + bug) % a->capacity; /* bug 1: the next slot */
        for (uint64_t c = 0; c < a->width; c++) {
            y[slot * a->width + c] = ts_round_to(trial->data[0][t * a->width + c], u);
        }
    }
}

static void ring_build(struct trial *trial, struct ts_rng *rng)
{
    uint32_t rows = (uint32_t)odd(rng, 9) + 1, width = (uint32_t)odd(rng, 50);
    trial->fn = ts_ref_ring_store;
    trial->twin = ring_twin;
    trial->bugs = 1;
    trial->args.ring = (struct ts_ring_store_args){
        .position = ts_rng_below(rng, 99), .tokens = rows, .width = width, .capacity = rows};
    trial->outputs = (uint64_t)rows * width;
    operand(trial, rng, 0, trial->outputs, 1);
    for (uint64_t i = 0; i < trial->outputs; i++) {
        trial->data[0][i] /= 3; /* float32 does not hold it */
    }
}

static void gate_twin(const struct trial *trial, double u, unsigned bug, double *y)
{
    const struct ts_compressor_gate_args *a = &trial->args.gate;
    for (uint64_t i = 0; i < trial->outputs; i++) {
        uint64_t t = i / a->width, c = i % a->width; /* bug 1: the row of the next token */
        uint64_t row = (a->position + t + bug) % a->ratio;
        y[i] = ts_round_to(trial->data[0][i] + trial->data[1][row * a->width + c], u);
    }
}

static void gate_build(struct trial *trial, struct ts_rng *rng)
{
    uint32_t tokens = (uint32_t)odd(rng, 9), width = (uint32_t)odd(rng, 50);
    trial->fn = ts_ref_compressor_gate;
    trial->twin = gate_twin;
    trial->bugs = 1;
    trial->args.gate = (struct ts_compressor_gate_args){
        .position = ts_rng_below(rng, 99), .tokens = tokens, .width = width, .ratio = 4};
    trial->outputs = (uint64_t)tokens * width;
    operand(trial, rng, 0, trial->outputs, 1);
    operand(trial, rng, 1, 4ull * width, 1);
    trial->exact[1] = true;
}

/* All tokens are in k: positions from 0. Candidates last to first, rescaling as the maximum grows.
 * Bug 1: the last token is left out; 2: the previous block is lost; 3: the halves are swapped. */
static void pool_twin(const struct trial *trial, double u, unsigned bug, double *y)
{
    const struct ts_compressor_pool_args *a = &trial->args.pool;
    for (uint64_t i = 0; i < trial->outputs; i++) {
        uint64_t b = i / a->width, j = i % a->width, row = (1ull + a->overlap) * a->width;
        uint64_t begin = (a->overlap && b > 0 && bug != 2 ? b - 1 : b) * a->ratio;
        double max = -INFINITY, sum = 0, weighted = 0;
        for (uint64_t t = (b + 1) * a->ratio - (bug == 1); t-- > begin;) {
            bool own = t >= b * a->ratio;
            uint64_t at = t * row + (a->overlap && own != (bug == 3) ? a->width : 0) + j;
            double gate = trial->data[1][at], above = gate > max ? gate : max;
            double factor = ts_round_to(exp(ts_round_to(max - above, u)), u);
            double weight = ts_round_to(exp(ts_round_to(gate - above, u)), u);
            sum = ts_round_to(ts_round_to(sum * factor, u) + weight, u);
            weighted = ts_round_to(
                ts_round_to(weighted * factor, u) + ts_round_to(weight * trial->data[0][at], u), u);
            max = above;
        }
        y[i] = ts_round_to(weighted / sum, u);
    }
}

static void pool_build(struct trial *trial, struct ts_rng *rng)
{
    uint32_t blocks = (uint32_t)odd(rng, 3) + 1, width = (uint32_t)odd(rng, 20);
    uint32_t overlap = (uint32_t)ts_rng_below(rng, 2), ratio = overlap ? 4 : 128;
    trial->fn = ts_ref_compressor_pool;
    trial->twin = pool_twin;
    trial->bugs = overlap ? 3 : 1;
    trial->args.pool = (struct ts_compressor_pool_args){.tokens = blocks * ratio,
                                                        .blocks = blocks,
                                                        .width = width,
                                                        .ratio = ratio,
                                                        .overlap = overlap};
    uint64_t rows = (uint64_t)width * (1 + overlap);
    operand(trial, rng, 0, blocks * ratio * rows, 1);
    operand(trial, rng, 1, blocks * ratio * rows, 3);
    operand(trial, rng, 2, ratio * (1 + overlap) * rows, 1);
    operand(trial, rng, 3, ratio * (1 + overlap) * rows, 1);
    trial->outputs = (uint64_t)blocks * width;
}

/* ---- indexer and attention ------------------------------------------------------------------ */

/* a . b, last to first. */
static double dot_twin(const double *a, const double *b, uint64_t count, double u)
{
    double sum = 0;
    while (count-- > 0) {
        sum = ts_round_to(sum + ts_round_to(a[count] * b[count], u), u);
    }
    return sum;
}

/* Bug 1: no relu; 2: the last head is dropped; 3: blocks visible one token late. */
static void scores_twin(const struct trial *trial, double u, unsigned bug, double *y)
{
    const struct ts_index_scores_args *a = &trial->args.scores;
    for (uint64_t i = 0; i < trial->outputs; i++) {
        uint64_t t = i / a->rows, b = i % a->rows;
        double sum = 0;
        for (uint64_t h = a->heads - (bug == 2); h-- > 0;) {
            uint64_t head = t * a->heads + h;
            double dot = dot_twin(trial->data[0] + head * a->width, trial->data[2] + b * a->width,
                                  a->width, u);
            dot = dot < 0 && bug != 1 ? 0 : dot;
            double weight =
                ts_round_to(trial->data[1][head] / sqrt((double)a->width * a->heads), u);
            sum = ts_round_to(sum + ts_round_to(weight * dot, u), u);
        }
        bool visible = b < (a->position + t + 1 - (bug == 3)) / a->ratio;
        y[i] = visible ? sum : -INFINITY;
    }
}

static void scores_build(struct trial *trial, struct ts_rng *rng)
{
    uint32_t tokens = 4, heads = 3 + (uint32_t)odd(rng, 9), width = (uint32_t)odd(rng, 150);
    trial->fn = ts_ref_index_scores;
    trial->twin = scores_twin;
    trial->bugs = 3;
    trial->args.scores = (struct ts_index_scores_args){
        .position = 16, .tokens = tokens, .heads = heads, .width = width, .rows = 5, .ratio = 4};
    operand(trial, rng, 0, (uint64_t)tokens * heads * width, 1);
    operand(trial, rng, 1, (uint64_t)tokens * heads, 1);
    operand(trial, rng, 2, 5ull * width, 1);
    trial->outputs = tokens * 5ull;
}

/* The rows that a head sees, last to first; bug 1: the last row is dropped; 4: blocks are visible
 * one token late. Returns their number. */
static uint64_t rows_seen(const struct trial *trial, uint64_t t, unsigned bug, const double **rows)
{
    const struct ts_attention_args *a = &trial->args.attention;
    uint64_t position = a->position + t, count = 0;
    uint64_t visible = a->ratio ? (position + 1 - (bug == 4)) / a->ratio : 0;
    for (uint64_t b = visible; b-- > 0;) {
        bool chosen = a->selected == 0;
        for (uint64_t i = 0; i < a->selected; i++) {
            chosen = chosen || trial->index[4][t * a->selected + i] == (int32_t)b;
        }
        if (chosen) {
            rows[count++] = trial->data[3] + b * a->width;
        }
    }
    for (uint64_t p = position + 1; p-- > 0 && position - p < a->window;) {
        rows[count++] = p >= a->position ? trial->data[1] + (p - a->position) * a->width
                                         : trial->data[2] + p % a->window * a->width;
    }
    return bug == 1 ? count - 1 : count;
}

/* Bug 2: the sink weighs a row; 3: there is no sink; 5: the first element of the product is lost. */
static void attention_twin(const struct trial *trial, double u, unsigned bug, double *y)
{
    const struct ts_attention_args *a = &trial->args.attention;
    for (uint64_t i = 0; i < (uint64_t)a->tokens * a->heads; i++) {
        const double *rows[512], *q = trial->data[0] + i * a->width;
        double logits[512], sink = trial->data[5][i % a->heads], max = sink, *o = y + i * a->width;
        uint64_t count = rows_seen(trial, i / a->heads, bug, rows);
        memset(o, 0, a->width * sizeof *o);
        for (uint64_t k = 0; k < count; k++) {
            double dot = dot_twin(q + (bug == 5), rows[k] + (bug == 5), a->width - (bug == 5), u);
            logits[k] = ts_round_to(dot / sqrt((double)a->width), u);
            max = logits[k] > max ? logits[k] : max;
        }
        double sum = bug == 3 ? 0 : ts_round_to(exp(ts_round_to(sink - max, u)), u);
        for (uint64_t k = 0; k < count; k++) {
            double weight = ts_round_to(exp(ts_round_to(logits[k] - max, u)), u);
            double above = bug == 2 && k == 0 ? weight + sum : weight;
            for (uint64_t c = 0; c < a->width; c++) {
                o[c] = ts_round_to(o[c] + ts_round_to(above * rows[k][c], u), u);
            }
            sum = ts_round_to(sum + weight, u);
        }
        for (uint64_t c = 0; c < a->width; c++) {
            o[c] = ts_round_to(o[c] / sum, u);
        }
    }
}

static void attention_build(struct trial *trial, struct ts_rng *rng)
{
    uint32_t width = (uint32_t)odd(rng, 200) + 1, window = (uint32_t)odd(rng, 40);
    uint64_t position = 16 + ts_rng_below(rng, 4);
    bool compressed = ts_rng_below(rng, 3) > 0, selected = ts_rng_below(rng, 2) > 0;
    struct ts_attention_args a = {.position = position,
                                  .tokens = 4, /* one of them completes a block */
                                  .heads = (uint32_t)odd(rng, 3),
                                  .width = width,
                                  .window = window,
                                  .ratio = compressed ? 4 : 0,
                                  .rows = compressed ? (uint32_t)(position + 4) / 4 : 0,
                                  .selected = compressed && selected ? 3 : 0};
    trial->fn = ts_ref_attention;
    trial->twin = attention_twin;
    trial->bugs = compressed ? 5 : 3;
    trial->args.attention = a;
    trial->outputs = 4ull * a.heads * width;
    operand(trial, rng, 0, trial->outputs, 1);
    operand(trial, rng, 1, 4ull * width, 1);
    operand(trial, rng, 2, (uint64_t)window * width, 1);
    operand(trial, rng, 3, (uint64_t)a.rows * width, 1);
    operand(trial, rng, 5, a.heads, 1);
    trial->exact[5] = true;
    trial->index[4] = test_indices(12);
    for (uint64_t t = 0; t < 4; t++) { /* the last visible row, the first, none */
        trial->index[4][t * 3] = (int32_t)((position + t + 1) / 4) - 1;
        trial->index[4][t * 3 + 2] = -1;
    }
}

/* ---- router and experts --------------------------------------------------------------------- */

static double affinity_twin(double x, double u)
{
    double e = ts_round_to(1 + ts_round_to(exp(x), u), u);
    return ts_round_to(sqrt(x > 20 ? x : ts_round_to(log(e), u)), u);
}

/* Weights of chosen experts. Bug 1: one expert too few in the sum; 2: no scale; 3: the bias is in the
 * weights. */
static void weigh_twin(const double *logits, const double *bias, const int32_t *ids, double scale,
                       double u, unsigned bug, double *y)
{
    double chosen[6], sum = 0;
    for (uint64_t k = 6; k-- > 0;) {
        chosen[k] = affinity_twin(logits[ids[k]], u) + (bug == 3 ? bias[ids[k]] : 0);
        sum = bug == 1 && k == 0 ? sum : ts_round_to(sum + chosen[k], u);
    }
    for (uint64_t k = 0; k < 6; k++) {
        double share = ts_round_to(chosen[k] / sum, u);
        y[k] = bug == 2 ? share : ts_round_to(share * scale, u);
    }
}

static void router_twin(const struct trial *trial, double u, unsigned bug, double *y)
{
    const struct ts_router_top_k_args *a = &trial->args.router;
    for (uint64_t t = 0; t < a->tokens; t++) {
        const double *logits = trial->data[0] + t * a->experts, *bias = trial->data[1];
        bool taken[64] = {0};
        int32_t ids[6] = {0};
        for (uint64_t k = 0; k < 6; k++) {
            double high = -INFINITY;
            for (uint64_t e = 0; e < a->experts; e++) {
                double key = sqrt(logits[e] > 20 ? logits[e] : log1p(exp(logits[e]))) + bias[e];
                if (!taken[e] && key > high) {
                    high = key;
                    ids[k] = (int32_t)e;
                }
            }
            taken[ids[k]] = true;
        }
        weigh_twin(logits, bias, ids, (double)a->scale, u, bug, y + t * 6);
    }
}

static void router_build(struct trial *trial, struct ts_rng *rng)
{
    uint32_t tokens = (uint32_t)odd(rng, 9), experts = 6 + (uint32_t)odd(rng, 50);
    trial->fn = ts_ref_router_top_k;
    trial->twin = router_twin;
    trial->bugs = 3;
    trial->routes = true;
    trial->args.router = (struct ts_router_top_k_args){
        .tokens = tokens, .experts = experts, .used = 6, .scale = 1.5f};
    operand(trial, rng, 0, (uint64_t)tokens * experts, 5);
    operand(trial, rng, 1, experts, 0.1);
    for (uint64_t i = 0; i < trial->count[0]; i++) { /* rounded inputs must not change the choice */
        trial->data[0][i] = ts_round_to(trial->data[0][i], 0x1p-11);
    }
    trial->exact[1] = true;
    trial->outputs = tokens * 6ull;
}

static void hash_twin(const struct trial *trial, double u, unsigned bug, double *y)
{
    const struct ts_router_hash_args *a = &trial->args.hash;
    for (uint64_t t = 0; t < a->tokens; t++) {
        const int32_t *ids = trial->index[2] + trial->index[1][t] * 6;
        weigh_twin(trial->data[0] + t * a->experts, NULL, ids, (double)a->scale, u, bug, y + t * 6);
    }
}

static void hash_build(struct trial *trial, struct ts_rng *rng)
{
    uint32_t tokens = (uint32_t)odd(rng, 9), experts = 6 + (uint32_t)odd(rng, 50);
    trial->fn = ts_ref_router_hash;
    trial->twin = hash_twin;
    trial->bugs = 2;
    trial->routes = true;
    trial->args.hash = (struct ts_router_hash_args){
        .tokens = tokens, .experts = experts, .used = 6, .vocab = 3, .scale = 2.5f};
    operand(trial, rng, 0, (uint64_t)tokens * experts, 5);
    trial->index[1] = test_indices(tokens);
    trial->index[2] = test_indices(18);
    for (uint64_t t = 0; t < tokens; t++) {
        trial->index[1][t] = (int32_t)ts_rng_below(rng, 3);
    }
    for (uint64_t i = 0; i < 18; i++) {
        trial->index[2][i] = (int32_t)((i % 6 + i / 6) % experts);
    }
    trial->outputs = tokens * 6ull;
}

/* Bug 1: the last column is dropped; 2: the weights of expert 0. */
static void expert_twin(const struct trial *trial, double u, unsigned bug, double *y)
{
    const struct ts_expert_matmul_args *a = &trial->args.expert;
    for (uint64_t i = 0; i < trial->outputs; i++) {
        uint64_t pair = i / a->rows, x = (a->per_slot ? pair : pair / a->used) * a->columns;
        uint64_t expert = bug == 2 ? 0 : (uint64_t)trial->index[2][pair];
        y[i] = dot_twin(trial->data[0] + x,
                        trial->data[1] + (expert * a->rows + i % a->rows) * a->columns,
                        a->columns - (bug == 1), u);
    }
}

static void expert_build(struct trial *trial, struct ts_rng *rng)
{
    struct ts_expert_matmul_args a = {.tokens = (uint32_t)odd(rng, 5),
                                      .used = 3,
                                      .experts = 5,
                                      .rows = (uint32_t)odd(rng, 9),
                                      .columns = (uint32_t)odd(rng, 500),
                                      .per_slot = (uint32_t)ts_rng_below(rng, 2)};
    trial->fn = ts_ref_expert_matmul;
    trial->twin = expert_twin;
    trial->bugs = 2;
    trial->args.expert = a;
    trial->outputs = (uint64_t)a.tokens * a.used * a.rows;
    operand(trial, rng, 0, (uint64_t)a.tokens * (a.per_slot ? a.used : 1) * a.columns, 1);
    operand(trial, rng, 1, (uint64_t)a.experts * a.rows * a.columns, 1);
    trial->exact[1] = true;
    trial->index[2] = test_indices((uint64_t)a.tokens * a.used);
    for (uint64_t i = 0; i < (uint64_t)a.tokens * a.used; i++) {
        trial->index[2][i] = 1 + (int32_t)(i % 4);
    }
}

/* Bug 1: the gate is clamped from below too; 2: up is not clamped; 3: up only from above; 4: the
 * weight is left out. */
static void swiglu_twin(const struct trial *trial, double u, unsigned bug, double *y)
{
    const struct ts_swiglu_args *a = &trial->args.swiglu;
    double limit = (double)a->limit;
    for (uint64_t i = 0; i < trial->outputs; i++) {
        double gate = fmin(trial->data[0][i], limit), up = trial->data[1][i];
        gate = bug == 1 ? fmax(gate, -limit) : gate;
        up = bug == 2 ? up : fmax(fmin(up, limit), bug == 3 ? -INFINITY : -limit);
        double below = ts_round_to(1 + ts_round_to(exp(-gate), u), u);
        double silu = ts_round_to(gate / below, u);
        double weighted = bug == 4 ? up : ts_round_to(up * trial->data[2][i / a->width], u);
        y[i] = ts_round_to(weighted * silu, u);
    }
}

static void swiglu_build(struct trial *trial, struct ts_rng *rng)
{
    uint32_t rows = (uint32_t)odd(rng, 7), width = 30 + (uint32_t)odd(rng, 99);
    trial->fn = ts_ref_swiglu;
    trial->twin = swiglu_twin;
    trial->bugs = 4;
    trial->args.swiglu = (struct ts_swiglu_args){.rows = rows, .width = width, .limit = 3};
    trial->outputs = (uint64_t)rows * width;
    operand(trial, rng, 0, trial->outputs, 3);
    operand(trial, rng, 1, trial->outputs, 3);
    operand(trial, rng, 2, rows, 1);
}

/* Bug 1: the last expert is dropped; 2: the shared one. */
static void sum_twin(const struct trial *trial, double u, unsigned bug, double *y)
{
    const struct ts_expert_sum_args *a = &trial->args.sum;
    for (uint64_t i = 0; i < trial->outputs; i++) {
        double sum = 0;
        for (uint64_t k = a->used - (bug == 1); k-- > 0;) {
            uint64_t at = (i / a->width * a->used + k) * a->width + i % a->width;
            sum = ts_round_to(sum + trial->data[0][at], u);
        }
        y[i] = bug == 2 ? sum : ts_round_to(sum + trial->data[1][i], u);
    }
}

static void sum_build(struct trial *trial, struct ts_rng *rng)
{
    uint32_t tokens = (uint32_t)odd(rng, 9), width = (uint32_t)odd(rng, 99);
    trial->fn = ts_ref_expert_sum;
    trial->twin = sum_twin;
    trial->bugs = 2;
    trial->args.sum = (struct ts_expert_sum_args){.tokens = tokens, .used = 6, .width = width};
    trial->outputs = (uint64_t)tokens * width;
    operand(trial, rng, 0, trial->outputs * 6, 1);
    operand(trial, rng, 1, trial->outputs, 1);
}

Test(reference_sparse_budget, twins_pass_and_bugs_fail)
{
    check_budget("ring_store", ring_build);
    check_budget("compressor_gate", gate_build);
    check_budget("compressor_pool", pool_build);
    check_budget("index_scores", scores_build);
    check_budget("attention", attention_build);
    check_budget("router_top_k", router_build);
    check_budget("router_hash", hash_build);
    check_budget("expert_matmul", expert_build);
    check_budget("swiglu", swiglu_build);
    check_budget("expert_sum", sum_build);
}

/* The model's widths; attention over a full window. */
static void wide_attention_build(struct trial *trial, struct ts_rng *rng)
{
    trial->fn = ts_ref_attention;
    trial->twin = attention_twin;
    trial->args.attention = (struct ts_attention_args){1000, 2, 2, 512, 128, 0, 0, 0, 0};
    trial->outputs = 4ull * 512;
    operand(trial, rng, 0, trial->outputs, 1);
    operand(trial, rng, 1, 2ull * 512, 1);
    operand(trial, rng, 2, 128ull * 512, 1);
    operand(trial, rng, 5, 2, 1);
    trial->exact[5] = true;
    trial->index[4] = test_indices(1);
}

static void wide_scores_build(struct trial *trial, struct ts_rng *rng)
{
    trial->fn = ts_ref_index_scores;
    trial->twin = scores_twin;
    trial->args.scores = (struct ts_index_scores_args){19, 2, 64, 128, 5, 4, 0};
    operand(trial, rng, 0, 2ull * 64 * 128, 1);
    operand(trial, rng, 1, 2ull * 64, 1);
    operand(trial, rng, 2, 5ull * 128, 1);
    trial->outputs = 10;
}

static void wide_expert_build(struct trial *trial, struct ts_rng *rng)
{
    trial->fn = ts_ref_expert_matmul;
    trial->twin = expert_twin;
    trial->args.expert = (struct ts_expert_matmul_args){2, 3, 5, 9, 4096, 0, 0};
    trial->outputs = 54;
    operand(trial, rng, 0, 2ull * 4096, 1);
    operand(trial, rng, 1, 5ull * 9 * 4096, 1);
    trial->exact[1] = true;
    trial->index[2] = test_indices(6);
}

/* A float twin in one chain of additions uses at least `least` of its budget (measured with these five
 * seeds: a wider budget shows), and fails where its inputs are rounded to half. */
static void check_wide(const char *name, build_fn *build, double least)
{
    const struct ts_ref_claim claim = {0, 0x1p-24, 0x1p-24, 0};
    const struct ts_ref_claim half = {0x1p-11, 0x1p-24, 0x1p-24, 0};
    double worst = 0;
    for (uint64_t seed = 1; seed <= 5; seed++) {
        struct ts_rng rng;
        ts_rng_seed(&rng, seed);
        struct trial trial = {.name = name};
        build(&trial, &rng);
        double *r = test_reals(trial.outputs), *e = test_reals(trial.outputs);
        reference(&trial, trial.data, NULL, &claim, r, e);
        double rho = twin_rho(&trial, &claim, 0, r, e);
        double halved = twin_rho(&trial, &half, 0, r, e);
        cr_expect(rho <= 0.5 && !(halved <= 1), "%s, seed %llu: rho %g, of half inputs %g", name,
                  (unsigned long long)seed, rho, halved);
        worst = rho > worst ? rho : worst;
    }
    cr_log_info("%s, wide: worst rho %.4f\n", name, worst);
    cr_expect(worst > least, "%s: the budget is too wide, worst rho %g", name, worst);
}

Test(reference_sparse_budget, wide_budgets_notice_half_inputs)
{
    check_wide("index_scores", wide_scores_build, 0.03);
    check_wide("attention", wide_attention_build, 0.06);
    check_wide("expert_matmul", wide_expert_build, 0.09);
}
