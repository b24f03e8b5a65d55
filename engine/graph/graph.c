#include "engine/graph/pass.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *ts_tap_name(enum ts_tap tap)
{
    static const char *const names[TS_TAP_COUNT] = {
#define TS_TAP(id, name, type) name,
#include "engine/graph/taps.def"
#undef TS_TAP
    };
    return tap < TS_TAP_COUNT ? names[tap] : "unknown";
}

bool ts_tap_is_index(enum ts_tap tap)
{
    enum { REAL, INDEX };
    static const unsigned char types[TS_TAP_COUNT] = {
#define TS_TAP(id, name, type) type,
#include "engine/graph/taps.def"
#undef TS_TAP
    };
    return tap < TS_TAP_COUNT && types[tap] == INDEX;
}

uint64_t ts_graph_bytes(const struct ts_config *config, const struct ts_graph_options *options,
                        uint32_t real_format)
{
    return ts_scratch_bytes(config, options, real_format);
}

/* Of a part of the file; 0 where it has no tensors. */
static uint64_t largest_tensor(const struct ts_gguf *gguf, uint32_t part)
{
    uint64_t largest = 0;
    for (uint64_t i = 0; i < gguf->tensor_count; i++) {
        const struct ts_gguf_tensor *tensor = &gguf->tensors[i];
        largest = tensor->part == part && tensor->bytes > largest ? tensor->bytes : largest;
    }
    return largest;
}

/* So that what watches the device speaks of tensors. */
static void name_tensors(struct ts_buffer *const *weights, const struct ts_gguf *gguf)
{
    for (uint64_t i = 0; i < gguf->tensor_count; i++) {
        const struct ts_gguf_tensor *tensor = &gguf->tensors[i];
        char name[128];
        snprintf(name, sizeof name, "%.*s", (int)tensor->name.length, tensor->name.data);
        ts_buffer_name(weights[tensor->part], tensor->offset, tensor->bytes, name);
    }
}

/* Each file is a mapping of its own, so a buffer of its own. */
static bool wrap_weights(struct ts_graph *graph, const struct ts_gguf *gguf, struct ts_error *error)
{
    graph->weights = calloc(gguf->part_count, sizeof(struct ts_buffer *));
    if (!graph->weights) {
        return ts_fail_memory(error, "a graph", gguf->part_count * sizeof(struct ts_buffer *));
    }
    for (uint32_t part = 0; part < gguf->part_count; part++) {
        const struct ts_gguf *file = ts_gguf_part(gguf, part);
        uint64_t largest = largest_tensor(gguf, part);
        if (largest == 0) {
            continue;
        }
        graph->weights[part] =
            ts_buffer_wrap(graph->device, file->data, file->size, largest, error);
        if (!graph->weights[part]) {
            return false;
        }
    }
    name_tensors(graph->weights, gguf);
    return true;
}

struct ts_graph *ts_graph_open(const struct ts_model *model, struct ts_device *device,
                               const struct ts_graph_options *options, struct ts_error *error)
{
    struct ts_graph *graph = calloc(1, sizeof *graph);
    if (!graph) {
        ts_fail_memory(error, "a graph", sizeof *graph);
        return NULL;
    }
    graph->model = model;
    graph->config = &model->config;
    graph->device = device;
    graph->options = *options;
    const struct ts_config *c = graph->config;
    ts_rope_frequencies(&c->rope_plain, c->rotary, graph->frequencies_plain);
    ts_rope_frequencies(&c->rope_compressed, c->rotary, graph->frequencies_compressed);
    if (!wrap_weights(graph, model->gguf, error) ||
        !ts_scratch_open(&graph->scratch, c, options, device, error)) {
        ts_graph_close(graph);
        return NULL;
    }
    return graph;
}

void ts_graph_close(struct ts_graph *graph)
{
    if (graph) {
        ts_scratch_close(&graph->scratch);
        for (uint32_t part = 0; graph->weights && part < graph->model->gguf->part_count; part++) {
            ts_buffer_free(graph->weights[part]);
        }
        free(graph->weights);
        free(graph);
    }
}

void ts_graph_set_tap(struct ts_graph *graph, ts_tap_fn *fn, void *context)
{
    graph->tap = fn;
    graph->tap_context = context;
}

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

/* Cosine and sine rows of positions first, first + step, ... into a slot. */
static void write_angles(const float *frequencies, uint32_t rotary, uint64_t first, uint64_t step,
                         uint64_t count, struct ts_slice slot)
{
    for (uint64_t i = 0; i < count; i++) {
        double row[2 * TS_ROPE_MAX_PAIRS];
        ts_rope_angles(frequencies, rotary, first + i * step, step, 1, row);
        ts_slice_write(slot, i * rotary, rotary, row);
    }
}

static void write_inputs(const struct ts_pass *pass, const int32_t *tokens)
{
    const struct ts_graph *graph = pass->graph;
    uint32_t rotary = pass->c->rotary;
    struct ts_slice *s = pass->s;
    memcpy(ts_slice_contents(s[TS_SLOT_tokens]), tokens, pass->tokens * sizeof *tokens);
    write_angles(graph->frequencies_plain, rotary, pass->position, 1, pass->tokens,
                 s[TS_SLOT_angles_plain]);
    write_angles(graph->frequencies_compressed, rotary, pass->position, 1, pass->tokens,
                 s[TS_SLOT_angles_compressed]);
    const uint64_t ratios[] = {4, 128};
    for (int i = 0; i < 2; i++) {
        uint64_t block = pass->position / ratios[i];
        uint64_t count = (pass->position + pass->tokens) / ratios[i] - block;
        write_angles(graph->frequencies_compressed, rotary, block * ratios[i], ratios[i], count,
                     s[i == 0 ? TS_SLOT_angles_block_4 : TS_SLOT_angles_block_128]);
    }
}

/* Collapse of the streams of the last `rows` tokens, and their logits. */
static bool encode_head(const struct ts_pass *pass, uint32_t rows)
{
    const struct ts_config *c = pass->c;
    struct ts_slice *s = pass->s;
    uint64_t flat = (uint64_t)c->streams * c->width;
    struct ts_slice last =
        ts_slice_part(s[TS_SLOT_streams], (pass->tokens - rows) * flat, rows * flat);
    struct ts_head_collapse_args collapse = {.tokens = rows,
                                             .width = c->width,
                                             .streams = c->streams,
                                             .norm_epsilon = c->norm_epsilon,
                                             .hc_epsilon = c->hc_epsilon};
    struct ts_matmul_args logits = {.tokens = rows, .rows = c->vocab, .columns = c->width};
    return TS_ENCODE(pass, head_collapse, &collapse, last,
                     ts_global_weight(pass, TS_TENSOR_output_hc_fn),
                     ts_global_weight(pass, TS_TENSOR_output_hc_base),
                     ts_global_weight(pass, TS_TENSOR_output_hc_scale),
                     ts_global_weight(pass, TS_TENSOR_output_norm), s[TS_SLOT_head_mix],
                     s[TS_SLOT_head_pre], s[TS_SLOT_head_reduced], s[TS_SLOT_head_normed]) &&
           TS_ENCODE(pass, matmul, &logits, s[TS_SLOT_head_normed],
                     ts_global_weight(pass, TS_TENSOR_output), s[TS_SLOT_logits]);
}

static bool encode_layers(const struct ts_pass *pass)
{
    const struct ts_config *c = pass->c;
    struct ts_slice streams = pass->s[TS_SLOT_streams], mid = pass->s[TS_SLOT_streams_mid];
    for (uint32_t layer = 0; layer < c->layers; layer++) {
        if (!ts_encode_pre(pass, layer, false, streams) ||
            !ts_encode_attention(pass, layer, streams, mid) ||
            !ts_encode_pre(pass, layer, true, mid) || !ts_encode_ffn(pass, layer, mid, streams) ||
            !ts_show(pass, TS_TAP_layer_out, layer, streams, pass->position, pass->tokens,
                     (uint64_t)c->streams * c->width)) {
            return false;
        }
    }
    return true;
}

bool ts_graph_run(struct ts_graph *graph, struct ts_kv *kv, const int32_t *tokens, uint32_t count,
                  uint64_t position, uint32_t logit_rows, struct ts_error *error)
{
    const struct ts_config *c = graph->config;
    struct ts_pass pass = {.graph = graph,
                           .c = c,
                           .kv = kv,
                           .s = graph->scratch.slots,
                           .tokens = count,
                           .position = position,
                           .error = error};
    struct ts_embed_args embed = {
        .tokens = count, .width = c->width, .streams = c->streams, .vocab = c->vocab};
    write_inputs(&pass, tokens);
    return ts_device_begin(graph->device, error) &&
           TS_ENCODE(&pass, embed, &embed, pass.s[TS_SLOT_tokens],
                     ts_global_weight(&pass, TS_TENSOR_token_embd), pass.s[TS_SLOT_streams]) &&
           encode_layers(&pass) && (logit_rows == 0 || encode_head(&pass, logit_rows)) &&
           ts_device_submit(graph->device, error) && ts_device_wait(graph->device, error);
}

struct ts_slice ts_graph_logits(const struct ts_graph *graph)
{
    return graph->scratch.slots[TS_SLOT_logits];
}
