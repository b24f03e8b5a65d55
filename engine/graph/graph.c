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

/* A GPU that also draws the screen ends work that takes long, so a chunk's layers go to it a few at a time;
 * it computes those while the host encodes the next. A single token is short. */
enum { LAYERS_AT_ONCE = 2 };

static bool hand_over(const struct ts_pass *pass, uint32_t layer)
{
    struct ts_device *device = pass->graph->device;
    bool full = (layer + 1) % LAYERS_AT_ONCE == 0 && layer + 1 < pass->c->layers;
    return pass->tokens == 1 || !full ||
           (ts_device_submit(device, pass->error) && ts_device_begin(device, pass->error));
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
                     (uint64_t)c->streams * c->width) ||
            !hand_over(pass, layer)) {
            return false;
        }
    }
    return true;
}

/* Encodes a step into work that was begun. tokens NULL: of no matter, because it will not run. */
static bool encode_step(struct ts_graph *graph, struct ts_kv *kv, const int32_t *tokens,
                        uint32_t count, uint64_t position, uint32_t logit_rows,
                        struct ts_error *error)
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
    if (tokens) {
        write_inputs(&pass, tokens);
    }
    return ts_device_begin(graph->device, error) &&
           TS_ENCODE(&pass, embed, &embed, pass.s[TS_SLOT_tokens],
                     ts_global_weight(&pass, TS_TENSOR_token_embd), pass.s[TS_SLOT_streams]) &&
           encode_layers(&pass) && (logit_rows == 0 || encode_head(&pass, logit_rows));
}

bool ts_graph_run(struct ts_graph *graph, struct ts_kv *kv, const int32_t *tokens, uint32_t count,
                  uint64_t position, uint32_t logit_rows, struct ts_error *error)
{
    return encode_step(graph, kv, tokens, count, position, logit_rows, error) &&
           ts_device_submit(graph->device, error) && ts_device_wait(graph->device, error);
}

bool ts_graph_prepare(struct ts_graph *graph, struct ts_kv *kv, uint32_t count, uint64_t position,
                      uint32_t logit_rows, struct ts_error *error)
{
    return encode_step(graph, kv, NULL, count, position, logit_rows, error);
}

struct ts_slice ts_graph_logits(const struct ts_graph *graph)
{
    return graph->scratch.slots[TS_SLOT_logits];
}
