/* Compressed KV rows and the indexer that selects among them (spec 2.8, 2.9). */
#include "engine/graph/pass.h"

/* One compressor: the layer's own (attention) or the indexer's. */
struct compressor {
    enum ts_tensor_id kv, gate, ape, norm;
    enum ts_kv_kind rows, frontier_k, frontier_gate;
    enum ts_slot k, z, gated, pooled, normed, rotated;
    uint32_t width;
    bool index;
};

static struct compressor attention_compressor(const struct ts_config *c)
{
    return (struct compressor){.kv = TS_TENSOR_attn_compressor_kv,
                               .gate = TS_TENSOR_attn_compressor_gate,
                               .ape = TS_TENSOR_attn_compressor_ape,
                               .norm = TS_TENSOR_attn_compressor_norm,
                               .rows = TS_KV_ROWS,
                               .frontier_k = TS_KV_FRONTIER_K,
                               .frontier_gate = TS_KV_FRONTIER_GATE,
                               .k = TS_SLOT_compressor_k,
                               .z = TS_SLOT_compressor_z,
                               .gated = TS_SLOT_compressor_gate,
                               .pooled = TS_SLOT_pooled,
                               .normed = TS_SLOT_pooled_normed,
                               .rotated = TS_SLOT_pooled_rotated,
                               .width = c->head_width};
}

static struct compressor index_compressor(const struct ts_config *c)
{
    return (struct compressor){.kv = TS_TENSOR_indexer_compressor_kv,
                               .gate = TS_TENSOR_indexer_compressor_gate,
                               .ape = TS_TENSOR_indexer_compressor_ape,
                               .norm = TS_TENSOR_indexer_compressor_norm,
                               .rows = TS_KV_INDEX_ROWS,
                               .frontier_k = TS_KV_INDEX_FRONTIER_K,
                               .frontier_gate = TS_KV_INDEX_FRONTIER_GATE,
                               .k = TS_SLOT_index_k,
                               .z = TS_SLOT_index_z,
                               .gated = TS_SLOT_index_gate,
                               .pooled = TS_SLOT_index_pooled,
                               .normed = TS_SLOT_index_pooled_normed,
                               .rotated = TS_SLOT_index_pooled_rotated,
                               .width = c->index_width,
                               .index = true};
}

/* Blocks that are complete before and after this pass. */
static uint64_t blocks_before(const struct ts_pass *pass, uint32_t ratio)
{
    return pass->position / ratio;
}

static uint64_t blocks_after(const struct ts_pass *pass, uint32_t ratio)
{
    return (pass->position + pass->tokens) / ratio;
}

/* Emits the blocks that end in this pass: pools, norms, rotates, rounds, appends. */
static bool encode_emission(const struct ts_pass *pass, uint32_t layer, const struct compressor *m)
{
    const struct ts_config *c = pass->c;
    struct ts_slice *s = pass->s;
    uint32_t ratio = c->ratio[layer];
    uint64_t first = blocks_before(pass, ratio);
    uint64_t count = blocks_after(pass, ratio) - first;
    struct ts_kv_block *const *kv = pass->kv->layers[layer];
    struct ts_slice rows = ts_slice_part(kv[m->rows]->slice, first * m->width, count * m->width);
    struct ts_slice angles = s[ratio == 4 ? TS_SLOT_angles_block_4 : TS_SLOT_angles_block_128];
    struct ts_slice norm = ts_weight(pass, layer, m->norm);
    struct ts_slice k_frontier = kv[m->frontier_k]->slice;
    struct ts_slice gate_frontier = kv[m->frontier_gate]->slice;
    struct ts_compressor_kv_args args = {.position = pass->position,
                                         .block = first,
                                         .tokens = pass->tokens,
                                         .blocks = (uint32_t)count,
                                         .width = m->width,
                                         .ratio = ratio,
                                         .overlap = ts_config_indexed(c, layer),
                                         .rotary = c->rotary,
                                         .round = pass->graph->options.kv_rounding,
                                         .epsilon = c->norm_epsilon};
    if (count == 0) {
        return true;
    }
    if (!m->index) {
        return TS_ENCODE(pass, compressor_kv, &args, s[m->k], s[m->gated], k_frontier,
                         gate_frontier, norm, angles, s[m->pooled], s[m->normed], s[m->rotated],
                         rows) &&
               ts_show(pass, TS_TAP_compressor_rows, layer, rows, first, count, m->width);
    }
    return TS_ENCODE(pass, compressor_index, &args, s[m->k], s[m->gated], k_frontier, gate_frontier,
                     norm, angles, s[m->pooled], s[m->normed], s[m->rotated],
                     s[TS_SLOT_index_pooled_transformed], rows) &&
           ts_show(pass, TS_TAP_indexer_rows, layer, rows, first, count, m->width);
}

/* encode_compressor for one token: the frontier can be written before the emission, which does not read
 * the rows that this replaces. */
static bool encode_compressor_step(const struct ts_pass *pass, uint32_t layer,
                                   const struct compressor *m)
{
    const struct ts_config *c = pass->c;
    struct ts_slice *s = pass->s;
    uint32_t parts = ts_config_indexed(c, layer) ? 2 : 1;
    struct ts_kv_block *const *kv = pass->kv->layers[layer];
    struct ts_compressor_step_args step = {.position = pass->position,
                                           .tokens = pass->tokens,
                                           .width = parts * m->width,
                                           .columns = c->width,
                                           .ratio = c->ratio[layer],
                                           .capacity = parts * c->ratio[layer]};
    return TS_ENCODE(pass, compressor_step, &step, s[TS_SLOT_normed], ts_weight(pass, layer, m->kv),
                     ts_weight(pass, layer, m->gate), ts_weight(pass, layer, m->ape), s[m->z],
                     s[m->k], s[m->gated], kv[m->frontier_k]->slice, kv[m->frontier_gate]->slice) &&
           encode_emission(pass, layer, m);
}

/* Projections of the pass's tokens, emission, and the frontier that the next pass starts from. */
static bool encode_compressor(const struct ts_pass *pass, uint32_t layer,
                              const struct compressor *m)
{
    const struct ts_config *c = pass->c;
    struct ts_slice *s = pass->s;
    uint32_t parts = ts_config_indexed(c, layer) ? 2 : 1;
    uint32_t ratio = c->ratio[layer];
    uint32_t width = parts * m->width;
    struct ts_kv_block *const *kv = pass->kv->layers[layer];
    struct ts_compressor_gate_args gate = {
        .position = pass->position, .tokens = pass->tokens, .width = width, .ratio = ratio};
    struct ts_ring_store_args store = {.position = pass->position,
                                       .tokens = pass->tokens,
                                       .width = width,
                                       .capacity = parts * ratio};
    if (ts_stored_early(pass)) {
        return encode_compressor_step(pass, layer, m);
    }
    return ts_encode_matmul(pass, s[TS_SLOT_normed], ts_weight(pass, layer, m->kv), s[m->k], width,
                            c->width) &&
           ts_encode_matmul(pass, s[TS_SLOT_normed], ts_weight(pass, layer, m->gate), s[m->z],
                            width, c->width) &&
           TS_ENCODE(pass, compressor_gate, &gate, s[m->z], ts_weight(pass, layer, m->ape),
                     s[m->gated]) &&
           encode_emission(pass, layer, m) &&
           TS_ENCODE(pass, ring_store, &store, s[m->k], kv[m->frontier_k]->slice) &&
           TS_ENCODE(pass, ring_store, &store, s[m->gated], kv[m->frontier_gate]->slice);
}

/* Scores of all rows for each token; needed only where some token sees more than it may select. */
static bool encode_scores(const struct ts_pass *pass, uint32_t layer, uint32_t rows)
{
    const struct ts_config *c = pass->c;
    struct ts_slice *s = pass->s;
    struct ts_slice keys = pass->kv->layers[layer][TS_KV_INDEX_ROWS]->slice;
    struct ts_index_query_args query = {.tokens = pass->tokens,
                                        .heads = c->index_heads,
                                        .width = c->index_width,
                                        .rotary = c->rotary,
                                        .round = pass->graph->options.kv_rounding};
    struct ts_index_scores_args scores = {.position = pass->position,
                                          .tokens = pass->tokens,
                                          .heads = c->index_heads,
                                          .width = c->index_width,
                                          .rows = rows,
                                          .ratio = c->ratio[layer]};
    return ts_encode_matmul(pass, s[TS_SLOT_query_low],
                            ts_weight(pass, layer, TS_TENSOR_indexer_attn_q_b),
                            s[TS_SLOT_index_query_raw], (uint64_t)c->index_heads * c->index_width,
                            c->query_rank) &&
           TS_ENCODE(pass, index_query, &query, s[TS_SLOT_index_query_raw],
                     s[TS_SLOT_angles_compressed], s[TS_SLOT_index_query_rotated],
                     s[TS_SLOT_index_query_transformed], s[TS_SLOT_index_query]) &&
           ts_encode_matmul(pass, s[TS_SLOT_normed], ts_weight(pass, layer, TS_TENSOR_indexer_proj),
                            s[TS_SLOT_index_weights], c->index_heads, c->width) &&
           TS_ENCODE(pass, index_scores, &scores, s[TS_SLOT_index_query], s[TS_SLOT_index_weights],
                     keys, s[TS_SLOT_index_scores]);
}

static bool encode_selection(const struct ts_pass *pass, uint32_t layer, uint32_t rows,
                             struct ts_selection *selection)
{
    const struct ts_config *c = pass->c;
    struct ts_slice *s = pass->s;
    uint32_t selected = ts_scratch_selected(c, pass->kv->context);
    bool scored = rows > selected;
    struct ts_index_top_k_args top = {.position = pass->position,
                                      .tokens = pass->tokens,
                                      .rows = scored ? rows : 0,
                                      .ratio = c->ratio[layer],
                                      .selected = selected};
    struct ts_slice scores = scored ? s[TS_SLOT_index_scores] : (struct ts_slice){.buffer = NULL};
    selection->ids = s[TS_SLOT_index_ids];
    selection->selected = selected;
    return (!scored || encode_scores(pass, layer, rows)) &&
           TS_ENCODE(pass, index_top_k, &top, scores, s[TS_SLOT_index_ids]) &&
           ts_show(pass, TS_TAP_indexer_topk, layer, s[TS_SLOT_index_ids], pass->position,
                   pass->tokens, selected);
}

bool ts_encode_compressed(const struct ts_pass *pass, uint32_t layer,
                          struct ts_selection *selection)
{
    const struct ts_config *c = pass->c;
    struct compressor attention = attention_compressor(c), index = index_compressor(c);
    uint32_t ratio = c->ratio[layer];
    *selection = (struct ts_selection){.row_count = 0};
    if (ratio == 0) {
        return true;
    }
    selection->rows = pass->kv->layers[layer][TS_KV_ROWS]->slice;
    selection->row_count = (uint32_t)blocks_after(pass, ratio);
    if (!encode_compressor(pass, layer, &attention)) {
        return false;
    }
    return !ts_config_indexed(c, layer) ||
           (encode_compressor(pass, layer, &index) &&
            encode_selection(pass, layer, selection->row_count, selection));
}
