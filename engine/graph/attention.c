/* Attention: projections, rows, core, output (spec 2.7, 2.10, 2.11). */
#include "engine/graph/pass.h"

/* RoPE policy is a property of the layer: plain where nothing is compressed, YaRN elsewhere, for
 * queries, window rows and the inverse rotation alike. */
static struct ts_slice angles_of(const struct ts_pass *pass, uint32_t layer)
{
    return pass->s[pass->c->ratio[layer] == 0 ? TS_SLOT_angles_plain : TS_SLOT_angles_compressed];
}

/* The first projections of query and KV row, which read the same numbers. */
static bool encode_projections(const struct ts_pass *pass, uint32_t layer)
{
    const struct ts_config *c = pass->c;
    struct ts_slice *s = pass->s;
    struct ts_matmul_pair_args pair = {.tokens = pass->tokens,
                                       .rows_a = c->query_rank,
                                       .rows_b = c->head_width,
                                       .columns = c->width};
    return TS_ENCODE(
        pass, matmul_pair, &pair, s[TS_SLOT_normed], ts_weight(pass, layer, TS_TENSOR_attn_q_a),
        ts_weight(pass, layer, TS_TENSOR_attn_kv), s[TS_SLOT_query_low_raw], s[TS_SLOT_kv_raw]);
}

static bool encode_query(const struct ts_pass *pass, uint32_t layer)
{
    const struct ts_config *c = pass->c;
    struct ts_slice *s = pass->s;
    uint64_t width = (uint64_t)c->heads * c->head_width;
    struct ts_rms_norm_args norm = {
        .rows = pass->tokens, .width = c->query_rank, .epsilon = c->norm_epsilon};
    struct ts_query_row_args row = {.tokens = pass->tokens,
                                    .heads = c->heads,
                                    .width = c->head_width,
                                    .rotary = c->rotary,
                                    .epsilon = c->norm_epsilon};
    return TS_ENCODE(pass, rms_norm, &norm, s[TS_SLOT_query_low_raw],
                     ts_weight(pass, layer, TS_TENSOR_attn_q_a_norm), s[TS_SLOT_query_low]) &&
           ts_encode_matmul(pass, s[TS_SLOT_query_low], ts_weight(pass, layer, TS_TENSOR_attn_q_b),
                            s[TS_SLOT_query_raw], width, c->query_rank) &&
           TS_ENCODE(pass, query_row, &row, s[TS_SLOT_query_raw], angles_of(pass, layer),
                     s[TS_SLOT_query_normed], s[TS_SLOT_query]) &&
           ts_show(pass, TS_TAP_attn_q, layer, s[TS_SLOT_query], pass->position, pass->tokens,
                   width);
}

static bool encode_kv_row(const struct ts_pass *pass, uint32_t layer)
{
    const struct ts_config *c = pass->c;
    struct ts_slice *s = pass->s;
    struct ts_slice norm = ts_weight(pass, layer, TS_TENSOR_attn_kv_a_norm);
    if (ts_stored_early(pass)) {
        struct ts_kv_row_store_args args = {.position = pass->position,
                                            .tokens = pass->tokens,
                                            .width = c->head_width,
                                            .rotary = c->rotary,
                                            .round = pass->graph->options.kv_rounding,
                                            .capacity = c->window,
                                            .epsilon = c->norm_epsilon};
        return TS_ENCODE(pass, kv_row_store, &args, s[TS_SLOT_kv_raw], norm, angles_of(pass, layer),
                         s[TS_SLOT_kv_normed], s[TS_SLOT_kv_rotated], s[TS_SLOT_kv],
                         pass->kv->layers[layer][TS_KV_WINDOW]->slice);
    }
    struct ts_kv_row_args args = {.tokens = pass->tokens,
                                  .width = c->head_width,
                                  .rotary = c->rotary,
                                  .round = pass->graph->options.kv_rounding,
                                  .epsilon = c->norm_epsilon};
    return TS_ENCODE(pass, kv_row, &args, s[TS_SLOT_kv_raw], norm, angles_of(pass, layer),
                     s[TS_SLOT_kv_normed], s[TS_SLOT_kv_rotated], s[TS_SLOT_kv]);
}

static bool encode_kv(const struct ts_pass *pass, uint32_t layer)
{
    return encode_kv_row(pass, layer) && ts_show(pass, TS_TAP_attn_kv, layer, pass->s[TS_SLOT_kv],
                                                 pass->position, pass->tokens, pass->c->head_width);
}

/* The core with the inverse RoPE, and then the window ring. */
static bool encode_core(const struct ts_pass *pass, uint32_t layer,
                        const struct ts_selection *selection)
{
    const struct ts_config *c = pass->c;
    struct ts_slice *s = pass->s;
    struct ts_slice ring = pass->kv->layers[layer][TS_KV_WINDOW]->slice;
    struct ts_attention_unrotate_args core = {.position = pass->position,
                                              .tokens = pass->tokens,
                                              .heads = c->heads,
                                              .width = c->head_width,
                                              .window = c->window,
                                              .ratio = c->ratio[layer],
                                              .rows = selection->row_count,
                                              .selected = selection->selected,
                                              .rotary = c->rotary};
    struct ts_slice operands[] = {
        s[TS_SLOT_query],       s[TS_SLOT_kv],    ring,
        selection->rows,        selection->ids,   ts_weight(pass, layer, TS_TENSOR_attn_sinks),
        angles_of(pass, layer), s[TS_SLOT_heads], s[TS_SLOT_heads_unrotated]};
    struct ts_ring_store_args store = {.position = pass->position,
                                       .tokens = pass->tokens,
                                       .width = c->head_width,
                                       .capacity = c->window};
    return ts_encode_shown(pass, TS_OP_attention_unrotate, &core, operands,
                           sizeof operands / sizeof operands[0], TS_TAP_attn_heads, layer,
                           s[TS_SLOT_heads]) &&
           (ts_stored_early(pass) || TS_ENCODE(pass, ring_store, &store, s[TS_SLOT_kv], ring));
}

/* Grouped and full output projections. */
static bool encode_output(const struct ts_pass *pass, uint32_t layer, struct ts_slice streams,
                          struct ts_slice result)
{
    const struct ts_config *c = pass->c;
    struct ts_slice *s = pass->s;
    struct ts_matmul_grouped_args low = {.tokens = pass->tokens,
                                         .groups = c->output_groups,
                                         .rows = c->output_rank,
                                         .columns = c->heads / c->output_groups * c->head_width};
    struct ts_matmul_expand_args expand = {.tokens = pass->tokens,
                                           .rows = c->width,
                                           .columns = c->output_groups * c->output_rank,
                                           .streams = c->streams};
    struct ts_slice operands[] = {s[TS_SLOT_output_low],
                                  ts_weight(pass, layer, TS_TENSOR_attn_output_b),
                                  streams,
                                  s[TS_SLOT_post],
                                  s[TS_SLOT_comb],
                                  s[TS_SLOT_attention_out],
                                  result};
    return TS_ENCODE(pass, matmul_grouped, &low, s[TS_SLOT_heads_unrotated],
                     ts_weight(pass, layer, TS_TENSOR_attn_output_a), s[TS_SLOT_output_low]) &&
           ts_encode_shown(pass, TS_OP_matmul_expand, &expand, operands,
                           sizeof operands / sizeof operands[0], TS_TAP_attn_out, layer,
                           s[TS_SLOT_attention_out]);
}

bool ts_encode_attention(const struct ts_pass *pass, uint32_t layer, struct ts_slice streams,
                         struct ts_slice result)
{
    struct ts_selection selection;
    return encode_projections(pass, layer) && encode_query(pass, layer) && encode_kv(pass, layer) &&
           ts_encode_compressed(pass, layer, &selection) && encode_core(pass, layer, &selection) &&
           encode_output(pass, layer, streams, result);
}
