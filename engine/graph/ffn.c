/* The mixture of experts (spec 2.13). */
#include "engine/graph/pass.h"

static bool encode_router(const struct ts_pass *pass, uint32_t layer)
{
    const struct ts_config *c = pass->c;
    struct ts_slice *s = pass->s;
    if (!ts_encode_matmul(pass, s[TS_SLOT_normed], ts_weight(pass, layer, TS_TENSOR_ffn_gate_inp),
                          s[TS_SLOT_router_logits], c->experts, c->width)) {
        return false;
    }
    if (layer < c->hash_layers) {
        struct ts_router_hash_args hash = {.tokens = pass->tokens,
                                           .experts = c->experts,
                                           .used = c->experts_used,
                                           .vocab = c->vocab,
                                           .scale = c->expert_scale};
        return TS_ENCODE(pass, router_hash, &hash, s[TS_SLOT_router_logits], s[TS_SLOT_tokens],
                         ts_weight(pass, layer, TS_TENSOR_ffn_gate_tid2eid), s[TS_SLOT_expert_ids],
                         s[TS_SLOT_expert_weights]);
    }
    struct ts_router_top_k_args top = {.tokens = pass->tokens,
                                       .experts = c->experts,
                                       .used = c->experts_used,
                                       .scale = c->expert_scale};
    return TS_ENCODE(pass, router_top_k, &top, s[TS_SLOT_router_logits],
                     ts_weight(pass, layer, TS_TENSOR_exp_probs_b), s[TS_SLOT_expert_ids],
                     s[TS_SLOT_expert_weights]);
}

/* With fewer tokens, experts seldom have more than one of them. */
enum { FEWEST_SORTED = 9 };

/* How the products with experts go through their slots: sorted by expert in tiles, or one by one. */
struct experts {
    uint32_t tiles; /* 0: one by one */
    struct ts_slice order, tile_list;
};

static bool encode_sort(const struct ts_pass *pass, struct experts *experts)
{
    const struct ts_config *c = pass->c;
    struct ts_slice *s = pass->s;
    if (pass->tokens < FEWEST_SORTED) {
        *experts = (struct experts){.tiles = 0};
        return true;
    }
    struct ts_expert_sort_args sort = {
        .tokens = pass->tokens,
        .used = c->experts_used,
        .experts = c->experts,
        .tiles = TS_EXPERT_TILES(pass->tokens * c->experts_used, c->experts)};
    *experts = (struct experts){sort.tiles, s[TS_SLOT_expert_order], s[TS_SLOT_expert_tiles]};
    return TS_ENCODE(pass, expert_sort, &sort, s[TS_SLOT_expert_ids], experts->order,
                     experts->tile_list);
}

static bool encode_gate_up(const struct ts_pass *pass, uint32_t layer,
                           const struct experts *experts)
{
    const struct ts_config *c = pass->c;
    struct ts_slice *s = pass->s;
    struct ts_moe_gate_up_args args = {.tokens = pass->tokens,
                                       .used = c->experts_used,
                                       .experts = c->experts,
                                       .rows = c->expert_width,
                                       .columns = c->width,
                                       .shared_rows = c->shared_width,
                                       .tiles = experts->tiles,
                                       .limit = c->clamp_routed[layer],
                                       .shared_limit = c->clamp_shared[layer]};
    return TS_ENCODE(pass, moe_gate_up, &args, s[TS_SLOT_normed],
                     ts_weight(pass, layer, TS_TENSOR_ffn_gate_exps),
                     ts_weight(pass, layer, TS_TENSOR_ffn_up_exps),
                     ts_weight(pass, layer, TS_TENSOR_ffn_gate_shexp),
                     ts_weight(pass, layer, TS_TENSOR_ffn_up_shexp), s[TS_SLOT_expert_ids],
                     s[TS_SLOT_expert_weights], experts->order, experts->tile_list,
                     s[TS_SLOT_expert_gate], s[TS_SLOT_expert_up], s[TS_SLOT_shared_gate],
                     s[TS_SLOT_shared_up], s[TS_SLOT_expert_hidden], s[TS_SLOT_shared_hidden]);
}

static bool encode_down(const struct ts_pass *pass, uint32_t layer, const struct experts *experts,
                        struct ts_slice streams, struct ts_slice result)
{
    const struct ts_config *c = pass->c;
    struct ts_slice *s = pass->s;
    struct ts_moe_down_expand_args args = {.tokens = pass->tokens,
                                           .used = c->experts_used,
                                           .experts = c->experts,
                                           .rows = c->width,
                                           .columns = c->expert_width,
                                           .shared_columns = c->shared_width,
                                           .streams = c->streams,
                                           .tiles = experts->tiles};
    struct ts_slice operands[] = {s[TS_SLOT_expert_hidden],
                                  ts_weight(pass, layer, TS_TENSOR_ffn_down_exps),
                                  s[TS_SLOT_expert_ids],
                                  experts->order,
                                  experts->tile_list,
                                  s[TS_SLOT_shared_hidden],
                                  ts_weight(pass, layer, TS_TENSOR_ffn_down_shexp),
                                  streams,
                                  s[TS_SLOT_post],
                                  s[TS_SLOT_comb],
                                  s[TS_SLOT_routed_out],
                                  s[TS_SLOT_shared_out],
                                  s[TS_SLOT_ffn_out],
                                  result};
    return ts_encode_shown(pass, TS_OP_moe_down_expand, &args, operands,
                           sizeof operands / sizeof operands[0], TS_TAP_ffn_out, layer,
                           s[TS_SLOT_ffn_out]);
}

bool ts_encode_ffn(const struct ts_pass *pass, uint32_t layer, struct ts_slice streams,
                   struct ts_slice result)
{
    struct ts_slice *s = pass->s;
    struct experts experts;
    return encode_router(pass, layer) &&
           ts_show(pass, TS_TAP_router_ids, layer, s[TS_SLOT_expert_ids], pass->position,
                   pass->tokens, pass->c->experts_used) &&
           ts_show(pass, TS_TAP_router_weights, layer, s[TS_SLOT_expert_weights], pass->position,
                   pass->tokens, pass->c->experts_used) &&
           encode_sort(pass, &experts) && encode_gate_up(pass, layer, &experts) &&
           encode_down(pass, layer, &experts, streams, result);
}
