/* What the sublayers of a pass share. */
#include "engine/graph/pass.h"

static struct ts_slice tensor_slice(const struct ts_graph *graph,
                                    const struct ts_gguf_tensor *tensor)
{
    return (struct ts_slice){graph->weights[tensor->part], tensor->offset, tensor->bytes,
                             tensor->format};
}

struct ts_slice ts_weight(const struct ts_pass *pass, uint32_t layer, enum ts_tensor_id id)
{
    return tensor_slice(pass->graph, pass->graph->model->layers[layer][id]);
}

struct ts_slice ts_global_weight(const struct ts_pass *pass, enum ts_tensor_id id)
{
    return tensor_slice(pass->graph, pass->graph->model->global[id]);
}

bool ts_encode_matmul(const struct ts_pass *pass, struct ts_slice x, struct ts_slice w,
                      struct ts_slice y, uint64_t rows, uint64_t columns)
{
    struct ts_matmul_args args = {
        .tokens = pass->tokens, .rows = (uint32_t)rows, .columns = (uint32_t)columns};
    return TS_ENCODE(pass, matmul, &args, x, w, y);
}

bool ts_show(const struct ts_pass *pass, enum ts_tap tap, uint32_t layer, struct ts_slice slice,
             uint64_t first, uint64_t rows, uint64_t width)
{
    struct ts_graph *graph = pass->graph;
    if (!graph->tap || rows == 0) {
        return true;
    }
    struct ts_tap_event event = {tap, layer, first, rows, width, slice};
    return ts_device_submit(graph->device, pass->error) &&
           ts_device_wait(graph->device, pass->error) &&
           graph->tap(graph->tap_context, &event, pass->error) &&
           ts_device_begin(graph->device, pass->error);
}

/* Encodes a step of a fused operation, and shows what it writes to `inner`. */
static bool encode_step(const struct ts_pass *pass, const struct ts_step *step,
                        const struct ts_slice *slices, enum ts_tap tap, uint32_t layer,
                        struct ts_slice inner)
{
    const struct ts_op_info *info = ts_op_info(step->op);
    struct ts_slice parts[TS_MAX_OPERANDS];
    uint64_t elements[TS_MAX_OPERANDS] = {0}, shown = 0;
    info->extent(step->args.bytes, elements);
    ts_step_slices(step, slices, parts);
    for (unsigned i = 0; i < info->operand_count; i++) {
        if (ts_operand_is_written(info->operands[i].kind) && parts[i].buffer == inner.buffer &&
            parts[i].offset == inner.offset) {
            shown = elements[i];
        }
    }
    return ts_device_encode(pass->graph->device, step->op, step->args.bytes, parts,
                            info->operand_count, pass->error) &&
           (shown == 0 ||
            ts_show(pass, tap, layer, inner, pass->position, pass->tokens, shown / pass->tokens));
}

bool ts_encode_shown(const struct ts_pass *pass, enum ts_op op, const void *args,
                     const struct ts_slice *slices, unsigned count, enum ts_tap tap, uint32_t layer,
                     struct ts_slice inner)
{
    struct ts_device *device = pass->graph->device;
    struct ts_expansion expansion = {.count = 0};
    if (!pass->graph->tap || ts_device_supports(device, op, args, slices)) {
        return ts_device_encode(device, op, args, slices, count, pass->error);
    }
    ts_op_info(op)->expand(args, &expansion);
    for (unsigned i = 0; i < expansion.count; i++) {
        if (!encode_step(pass, &expansion.steps[i], slices, tap, layer, inner)) {
            return false;
        }
    }
    return true;
}

bool ts_encode_pre(const struct ts_pass *pass, uint32_t layer, bool ffn, struct ts_slice streams)
{
    const struct ts_config *c = pass->c;
    struct ts_slice *s = pass->s;
    struct ts_hc_pre_norm_args args = {.tokens = pass->tokens,
                                       .width = c->width,
                                       .streams = c->streams,
                                       .iterations = c->sinkhorn_iterations,
                                       .norm_epsilon = c->norm_epsilon,
                                       .hc_epsilon = c->hc_epsilon};
    struct ts_slice fn = ts_weight(pass, layer, ffn ? TS_TENSOR_hc_ffn_fn : TS_TENSOR_hc_attn_fn);
    struct ts_slice base =
        ts_weight(pass, layer, ffn ? TS_TENSOR_hc_ffn_base : TS_TENSOR_hc_attn_base);
    struct ts_slice scale =
        ts_weight(pass, layer, ffn ? TS_TENSOR_hc_ffn_scale : TS_TENSOR_hc_attn_scale);
    struct ts_slice norm = ts_weight(pass, layer, ffn ? TS_TENSOR_ffn_norm : TS_TENSOR_attn_norm);
    uint64_t squared = (uint64_t)c->streams * c->streams;
    return TS_ENCODE(pass, hc_pre_norm, &args, streams, fn, base, scale, norm, s[TS_SLOT_mix],
                     s[TS_SLOT_pre], s[TS_SLOT_reduced], s[TS_SLOT_normed], s[TS_SLOT_post],
                     s[TS_SLOT_comb]) &&
           ts_show(pass, ffn ? TS_TAP_ffn_hc_pre : TS_TAP_attn_hc_pre, layer, s[TS_SLOT_reduced],
                   pass->position, pass->tokens, c->width) &&
           ts_show(pass, ffn ? TS_TAP_ffn_hc_post : TS_TAP_attn_hc_post, layer, s[TS_SLOT_post],
                   pass->position, pass->tokens, c->streams) &&
           ts_show(pass, ffn ? TS_TAP_ffn_hc_comb : TS_TAP_attn_hc_comb, layer, s[TS_SLOT_comb],
                   pass->position, pass->tokens, squared) &&
           ts_show(pass, ffn ? TS_TAP_ffn_norm : TS_TAP_attn_norm, layer, s[TS_SLOT_normed],
                   pass->position, pass->tokens, c->width);
}
