/* What has gone wrong in other engines for this model, done on purpose: through the config, through
 * a tap that changes an intermediate, or in the KV state. The comparison with the golden traces
 * must see each of them, and must see nothing where the same way in changes nothing. */
#include "tests/support/trap.h"

TestSuite(traps, .fini = test_free_all);

/* ---- residual streams ------------------------------------------------------------------------ */

static bool is_comb(enum ts_tap tap)
{
    return tap == TS_TAP_attn_hc_comb || tap == TS_TAP_ffn_hc_comb;
}

static void transpose_comb(struct trap *trap, const struct ts_tap_event *event)
{
    (void)trap;
    for (uint64_t t = 0; is_comb(event->tap) && t < event->rows; t++) {
        double comb[16], turned[16];
        ts_slice_read(event->slice, 16 * t, 16, comb);
        for (int i = 0; i < 16; i++) {
            turned[i] = comb[i % 4 * 4 + i / 4];
        }
        ts_slice_write(event->slice, 16 * t, 16, turned);
    }
}

static void rewrite_comb(struct trap *trap, const struct ts_tap_event *event)
{
    if (is_comb(event->tap)) {
        transpose_comb(trap, event);
        transpose_comb(trap, event);
    }
}

static void fewer_iterations(struct ts_config *config)
{
    config->sinkhorn_iterations = 19;
}

Test(traps, residual_streams)
{
    must_pass((struct trap){.name = "comb written back", .tap = rewrite_comb, .count = 40});
    must_fail((struct trap){.name = "comb transposed", .tap = transpose_comb, .count = 40}, 0);
    must_fail((struct trap){.name = "19 Sinkhorn steps", .config = fewer_iterations, .count = 40},
              0);
}

/* ---- RoPE ------------------------------------------------------------------------------------ */

static void all_plain(struct ts_config *config)
{
    config->rope_compressed = config->rope_plain;
}

static void all_compressed(struct ts_config *config)
{
    config->rope_plain = config->rope_compressed;
}

static void no_yarn(struct ts_config *config)
{
    config->rope_compressed.factor = 1;
}

/* cos and sin times `magnitude`: what is rotated by them grows with it. */
static void scale_rotated(const struct trap *trap, const struct ts_tap_event *event,
                          double magnitude)
{
    const struct ts_config *c = &trap->golden.model->config;
    bool rotated = event->tap == TS_TAP_attn_q || event->tap == TS_TAP_attn_kv ||
                   event->tap == TS_TAP_compressor_rows || event->tap == TS_TAP_attn_heads;
    if (!rotated || c->ratio[event->layer] == 0) {
        return;
    }
    for (uint64_t head = c->head_width; head <= event->rows * event->width; head += c->head_width) {
        double pairs[256];
        ts_slice_read(event->slice, head - c->rotary, c->rotary, pairs);
        for (uint32_t i = 0; i < c->rotary; i++) {
            pairs[i] *= magnitude;
        }
        ts_slice_write(event->slice, head - c->rotary, c->rotary, pairs);
    }
}

static void mscale(struct trap *trap, const struct ts_tap_event *event)
{
    scale_rotated(trap, event, 1 + 0.1 * log(16));
}

static void no_mscale(struct trap *trap, const struct ts_tap_event *event)
{
    scale_rotated(trap, event, 1);
}

/* Of the first token the angle is 0, so both policies are right. */
Test(traps, rope)
{
    must_pass((struct trap){.name = "magnitude 1", .tap = no_mscale, .count = 40});
    must_fail((struct trap){.name = "magnitude 1.277", .tap = mscale, .count = 40}, 0);
    must_fail((struct trap){.name = "all layers plain", .config = all_plain, .count = 40}, 1);
    must_fail((struct trap){.name = "all layers compressed", .config = all_compressed, .count = 40},
              1);
    must_fail((struct trap){.name = "no YaRN", .config = no_yarn, .count = 40}, 0);
}

/* ---- blocks across feeds --------------------------------------------------------------------- */

/* The frontier's rows of positions [first, end) as if no token had been there. */
static void forget(const struct trap *trap, struct ts_session *session, bool index, uint64_t first,
                   uint64_t end)
{
    const struct ts_kv *kv = ts_session_kv(session);
    for (uint32_t layer = 0; layer < trap->golden.model->config.layers; layer++) {
        if (!ts_config_indexed(&trap->golden.model->config, layer)) {
            continue;
        }
        for (int gate = 0; gate < 2; gate++) {
            int kind = (index ? TS_KV_INDEX_FRONTIER_K : TS_KV_FRONTIER_K) + gate;
            const struct ts_kv_block *block = kv->layers[layer][kind];
            for (uint64_t position = first; position < end; position++) {
                for (uint64_t k = 0; k < block->width; k++) {
                    double value = gate ? -INFINITY : 0;
                    ts_slice_write(block->slice, position % block->rows * block->width + k, 1,
                                   &value);
                }
            }
        }
    }
}

static void lose_previous(const struct trap *trap, struct ts_session *session)
{
    forget(trap, session, false, 124, 128);
}

static void lose_current(const struct trap *trap, struct ts_session *session)
{
    forget(trap, session, false, 128, 130);
}

static void lose_before(const struct trap *trap, struct ts_session *session)
{
    forget(trap, session, false, 122, 124);
    forget(trap, session, true, 122, 124);
}

static void lose_index(const struct trap *trap, struct ts_session *session)
{
    forget(trap, session, true, 124, 128);
}

static void lose_window(const struct trap *trap, struct ts_session *session)
{
    const struct ts_kv *kv = ts_session_kv(session);
    for (uint32_t layer = 0; layer < trap->golden.model->config.layers; layer++) {
        struct ts_slice ring = kv->layers[layer][TS_KV_WINDOW]->slice;
        memset(ts_slice_contents(ring), 0, ring.bytes);
    }
}

/* 130 tokens are prefilled, the rest is decoded: block 32 (128 .. 131) is complete at 131, and
 * needs block 31 (124 .. 127), but nothing before. */
Test(traps, state_lost_between_prefill_and_decode)
{
    struct trap trap = {.split = 130, .count = 134};
    trap.name = "nothing lost";
    must_pass(trap);
    trap.name = "older rows lost";
    trap.state = lose_before;
    must_pass(trap);
    trap.name = "previous block lost";
    trap.state = lose_previous;
    must_fail(trap, 131);
    trap.name = "tokens of the unfinished block lost";
    trap.state = lose_current;
    must_fail(trap, 131);
    trap.name = "window lost";
    trap.state = lose_window;
    must_fail(trap, 130);
    /* the indexer's blocks matter only where it selects */
    trap.name = "the indexer's previous block lost, every row selected";
    trap.state = lose_index;
    must_pass(trap);
}

/* ---- visibility ------------------------------------------------------------------------------ */

/* Attention of token t over the window and `rows` compressed rows, with no rule but these: one head
 * into `out`. The whole sequence is one chunk. */
static void attend(const struct trap *trap, const struct ts_tap_event *event, uint64_t t,
                   uint64_t head, uint64_t rows, double *out)
{
    const struct ts_config *c = &trap->golden.model->config;
    const struct ts_session *session = trap->session;
    const struct ts_kv_block *block = ts_session_kv(session)->layers[event->layer][TS_KV_ROWS];
    const float *sinks = ts_gguf_tensor_data(
        trap->golden.model->gguf, trap->golden.model->layers[event->layer][TS_TENSOR_attn_sinks]);
    const double *q =
        (const double *)ts_slice_contents(trap->query) + t * event->width + head * c->head_width;
    const double *kv = ts_slice_contents(trap->kv), *log = ts_slice_contents(block->slice);
    double sum = exp((double)sinks[head]);
    uint64_t first = t >= c->window ? t + 1 - c->window : 0;
    memset(out, 0, c->head_width * sizeof *out);
    for (uint64_t i = first; i <= t + rows; i++) {
        const double *key = i <= t ? kv + i * c->head_width : log + (i - t - 1) * c->head_width;
        double product = 0;
        for (uint32_t k = 0; k < c->head_width; k++) {
            product += q[k] * key[k];
        }
        double weight = exp(product / sqrt((double)c->head_width));
        sum += weight;
        for (uint32_t k = 0; k < c->head_width; k++) {
            out[k] += weight * key[k];
        }
    }
    for (uint32_t k = 0; k < c->head_width; k++) {
        out[k] /= sum;
    }
}

/* Attention again, token t seeing what `visible` says of the rows that exist. */
static void attend_again(struct trap *trap, const struct ts_tap_event *event,
                         uint64_t visible(uint64_t position, uint64_t ratio))
{
    const struct ts_config *c = &trap->golden.model->config;
    uint64_t ratio = c->ratio[event->layer], exist = ratio ? trap->count / ratio : 0;
    if (event->tap == TS_TAP_attn_q) {
        trap->query = event->slice;
    } else if (event->tap == TS_TAP_attn_kv) {
        trap->kv = event->slice;
    } else if (event->tap == TS_TAP_attn_heads && ratio > 0) {
        double *out = test_reals(c->head_width);
        for (uint64_t t = 0; t < event->rows; t++) {
            uint64_t rows = visible(t, ratio);
            for (uint64_t head = 0; head < c->heads; head++) {
                attend(trap, event, t, head, rows < exist ? rows : exist, out);
                ts_slice_write(event->slice, t * event->width + head * c->head_width, c->head_width,
                               out);
            }
        }
    }
}

static uint64_t as_it_is(uint64_t position, uint64_t ratio)
{
    return (position + 1) / ratio;
}

static uint64_t whole_chunk(uint64_t position, uint64_t ratio)
{
    return position / ratio + 1000;
}

static uint64_t one_ahead(uint64_t position, uint64_t ratio)
{
    return (position + 1) / ratio + 1;
}

static uint64_t one_token_late(uint64_t position, uint64_t ratio)
{
    return position / ratio;
}

static void see_as_it_is(struct trap *trap, const struct ts_tap_event *event)
{
    attend_again(trap, event, as_it_is);
}

static void see_whole_chunk(struct trap *trap, const struct ts_tap_event *event)
{
    attend_again(trap, event, whole_chunk);
}

static void see_one_ahead(struct trap *trap, const struct ts_tap_event *event)
{
    attend_again(trap, event, one_ahead);
}

static void see_one_token_late(struct trap *trap, const struct ts_tap_event *event)
{
    attend_again(trap, event, one_token_late);
}

/* All compressed layers; of 128 tokens the last also sees a row of ratio 128. */
Test(traps, rows_of_the_future)
{
    struct trap trap = {.name = "attention again", .tap = see_as_it_is, .count = 130};
    must_pass(trap);
    trap.count = 40;
    trap.name = "rows completed later in the chunk";
    trap.tap = see_whole_chunk;
    must_fail(trap, 0);
    trap.name = "one row ahead";
    trap.tap = see_one_ahead;
    must_fail(trap, 0);
    trap.name = "a row seen one token late";
    trap.tap = see_one_token_late;
    must_fail(trap, 3);
}

static bool select_the_future(void *context, const struct ts_tap_event *event,
                              struct ts_error *error)
{
    (void)context;
    (void)error;
    if (event->tap == TS_TAP_indexer_topk) {
        ((int32_t *)ts_slice_contents(event->slice))[0] = 1; /* token 0 sees no row at all */
    }
    return true;
}

/* The reference device does not even run it. */
Test(traps, future_rows_are_refused)
{
    struct test_golden golden = test_golden_open("tiny-q2", "tiny-q2");
    struct ts_session_options options = {.context = 40};
    struct ts_session *session = test_session_open(golden.model, options);
    struct ts_error error = {0};
    ts_session_set_tap(session, select_the_future, NULL);
    cr_assert(!ts_session_feed(session, golden.tokens, 40, &error));
    cr_assert(strstr(error.message, "visible"), "%s", error.message);
    ts_session_close(session);
    test_golden_close(&golden);
}

/* ---- selection and round trips --------------------------------------------------------------- */

static void one_row_less(struct ts_config *config)
{
    config->index_top_k = 15;
}

static void recent_rows(struct trap *trap, const struct ts_tap_event *event)
{
    int32_t *ids = ts_slice_contents(event->slice);
    (void)trap;
    for (uint64_t t = 0; event->tap == TS_TAP_indexer_topk && t < event->rows; t++) {
        uint64_t visible = (event->first + t + 1) / 4;
        for (uint64_t b = 0; visible > event->width && b < event->width; b++) {
            ids[t * event->width + b] = (int32_t)(visible - event->width + b);
        }
    }
}

/* 16 rows are selected; the 17th appears at position 67. */
Test(traps, selection)
{
    struct trap trap = {.model = "topk-q2", .trace = "topk-q2", .count = 90};
    trap.name = "selection";
    must_pass(trap);
    trap.name = "the latest rows";
    trap.tap = recent_rows;
    must_fail(trap, 67);
    trap.name = "15 instead of 16 rows";
    trap.tap = NULL;
    trap.config = one_row_less;
    must_fail(trap, 63);
}

/* ---- experts --------------------------------------------------------------------------------- */

static void no_shared_clamp(struct ts_config *config)
{
    memset(config->clamp_shared, 0, sizeof config->clamp_shared);
}

static void no_routed_clamp(struct ts_config *config)
{
    memset(config->clamp_routed, 0, sizeof config->clamp_routed);
}

static void wide_shared_clamp(struct ts_config *config)
{
    for (uint32_t layer = 0; layer < config->layers; layer++) {
        config->clamp_shared[layer] = 10.01f;
    }
}

/* Route weights from s + `factor` * bias. */
static void weigh_with_bias(struct trap *trap, const struct ts_tap_event *event, double factor)
{
    const struct ts_model *model = trap->golden.model;
    const struct ts_config *c = &model->config;
    if (event->tap == TS_TAP_ffn_norm) {
        trap->normed = event->slice;
    } else if (event->tap == TS_TAP_router_ids) {
        trap->ids = event->slice;
    }
    if (event->tap != TS_TAP_router_weights || event->layer < c->hash_layers) {
        return;
    }
    const struct ts_gguf_tensor *gate = model->layers[event->layer][TS_TENSOR_ffn_gate_inp];
    const struct ts_gguf_tensor *tensor = model->layers[event->layer][TS_TENSOR_exp_probs_b];
    const float *bias = ts_gguf_tensor_data(model->gguf, tensor);
    const int32_t *ids = ts_slice_contents(trap->ids);
    struct ts_matmul_args args = {(uint32_t)event->rows, c->experts, c->width};
    struct ts_ref_in in[2] = {test_in(ts_slice_contents(trap->normed)),
                              {ts_gguf_tensor_data(model->gguf, gate), gate->format, NULL}};
    struct ts_ref_out out = {.value = test_reals(event->rows * c->experts)};
    test_run(ts_ref_matmul, &args, in, &out, NULL);
    for (uint64_t t = 0; t < event->rows; t++, ids += event->width) {
        double weights[16], sum = 0;
        for (uint64_t k = 0; k < event->width; k++) {
            double logit = out.value[t * c->experts + (uint64_t)ids[k]];
            weights[k] = sqrt(log1p(exp(logit))) + factor * (double)bias[ids[k]];
            sum += weights[k];
        }
        for (uint64_t k = 0; k < event->width; k++) {
            weights[k] *= (double)c->expert_scale / sum;
        }
        ts_slice_write(event->slice, t * event->width, event->width, weights);
    }
}

static void weigh_without_bias(struct trap *trap, const struct ts_tap_event *event)
{
    weigh_with_bias(trap, event, 0);
}

static void weigh_with_all_bias(struct trap *trap, const struct ts_tap_event *event)
{
    weigh_with_bias(trap, event, 1);
}

static void scale_1(struct ts_config *config)
{
    config->expert_scale = 1;
}

Test(traps, router)
{
    struct trap trap = {.name = "weights again", .tap = weigh_without_bias, .count = 40};
    must_pass(trap);
    trap.name = "bias in the weights";
    trap.tap = weigh_with_all_bias;
    must_fail(trap, 0);
    trap.name = "route scale 1";
    trap.tap = NULL;
    trap.config = scale_1;
    must_fail(trap, 0);
}

/* In these models the clamps do fire: without them every position is wrong. */
Test(traps, clamps)
{
    static const char *const models[] = {"tiny-q2", "topk-q2"};
    for (int i = 0; i < 2; i++) {
        struct trap trap = {.model = models[i], .trace = models[i], .count = 40};
        trap.name = "shared clamp forgotten";
        trap.config = no_shared_clamp;
        must_fail(trap, 0);
        trap.name = "routed clamp forgotten";
        trap.config = no_routed_clamp;
        must_fail(trap, 0);
        trap.name = "shared clamp at 10.01";
        trap.config = wide_shared_clamp;
        must_fail(trap, 0);
        trap.name = "round trips left out";
        trap.config = NULL;
        trap.unrounded = true;
        must_fail(trap, 0);
    }
}
