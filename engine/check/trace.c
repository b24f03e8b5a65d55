#include "engine/check/trace.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NO_COLUMN UINT64_MAX

static const char *const class_names[] = {"exact", "rounding", "selection"};

const char *ts_trace_class_name(enum ts_trace_class class)
{
    return class_names[class];
}

bool ts_trace_is_rows(enum ts_tap tap)
{
    return tap == TS_TAP_compressor_rows || tap == TS_TAP_indexer_rows;
}

bool ts_trace_expects(const struct ts_config *config, uint32_t layer, enum ts_tap tap)
{
    switch (tap) {
    case TS_TAP_compressor_rows: return config->ratio[layer] != 0;
    case TS_TAP_indexer_rows:
    case TS_TAP_indexer_topk: return ts_config_indexed(config, layer);
    default: return true;
    }
}

const struct ts_gguf_tensor *ts_trace_find(const struct ts_trace *trace, uint32_t layer,
                                           enum ts_tap tap)
{
    char name[64];
    snprintf(name, sizeof name, "blk.%u.%s", layer, ts_tap_name(tap));
    return ts_gguf_find_tensor(trace->gguf, name);
}

bool ts_trace_column(const struct ts_trace *trace, uint64_t position, uint64_t *column)
{
    if (!trace->column || trace->column[position] == NO_COLUMN) {
        return false;
    }
    *column = trace->column[position];
    return true;
}

/* Width of an intermediate's row; 0: any (the selection is as wide as the file has it). */
static uint64_t tap_width(const struct ts_config *c, enum ts_tap tap)
{
    switch (tap) {
    case TS_TAP_attn_hc_post:
    case TS_TAP_ffn_hc_post: return c->streams;
    case TS_TAP_attn_hc_comb:
    case TS_TAP_ffn_hc_comb: return (uint64_t)c->streams * c->streams;
    case TS_TAP_attn_q:
    case TS_TAP_attn_heads: return (uint64_t)c->heads * c->head_width;
    case TS_TAP_attn_kv:
    case TS_TAP_compressor_rows: return c->head_width;
    case TS_TAP_indexer_rows: return c->index_width;
    case TS_TAP_indexer_topk: return 0;
    case TS_TAP_router_ids:
    case TS_TAP_router_weights: return c->experts_used;
    case TS_TAP_layer_out: return (uint64_t)c->streams * c->width;
    default: return c->width;
    }
}

static bool refuse_key(const struct ts_trace *trace, const char *name, struct ts_error *error,
                       const char *expected)
{
    return ts_fail(error, TS_ERR_DATA, NULL, "%.300s: offset %llu: key %s: expected %s",
                   trace->gguf->path, (unsigned long long)ts_gguf_key_offset(trace->gguf, name),
                   name, expected);
}

static bool refuse_tensor(const struct ts_trace *trace, const struct ts_gguf_tensor *tensor,
                          struct ts_error *error, const char *expected)
{
    return ts_fail(error, TS_ERR_DATA, "the trace is of another model",
                   "%.300s: offset %llu: tensor %s is %s [%llu, %llu, %llu, %llu], expected %s",
                   trace->gguf->path, (unsigned long long)tensor->offset,
                   ts_text_show(tensor->name).text, ts_format_name(tensor->format),
                   (unsigned long long)tensor->shape[0], (unsigned long long)tensor->shape[1],
                   (unsigned long long)tensor->shape[2], (unsigned long long)tensor->shape[3],
                   expected);
}

static bool check_tensor(const struct ts_trace *trace, const struct ts_config *c, uint32_t layer,
                         enum ts_tap tap, struct ts_error *error)
{
    const char *path = trace->gguf->path, *name = ts_tap_name(tap);
    const struct ts_gguf_tensor *tensor = ts_trace_find(trace, layer, tap);
    uint64_t rows = ts_trace_is_rows(tap) ? trace->tokens / c->ratio[layer] : trace->positions;
    if (!tensor) {
        /* GGUF has no empty tensors: a trace too short for a row cannot have them */
        return rows == 0 || ts_fail(error, TS_ERR_DATA, NULL, "%.300s: tensor blk.%u.%s is missing",
                                    path, layer, name);
    }
    uint64_t width = tap_width(c, tap);
    width = width ? width : tensor->shape[0];
    uint32_t format = ts_tap_is_index(tap) ? TS_I32 : TS_F32;
    if (tensor->format != format || tensor->shape[0] != width || tensor->shape[1] != rows ||
        tensor->shape[2] != 1 || tensor->shape[3] != 1) {
        char expected[80];
        snprintf(expected, sizeof expected, "%s [%llu, %llu]", ts_format_name(format),
                 (unsigned long long)width, (unsigned long long)rows);
        return refuse_tensor(trace, tensor, error, expected);
    }
    return true;
}

/* True where the tensor's name is one of the intermediates of some layer of the model. */
static bool is_known(const struct ts_config *c, const struct ts_gguf_tensor *tensor)
{
    static const char prefix[] = "blk.";
    struct ts_text name = tensor->name;
    if (ts_text_equals(name, "tokens") || ts_text_equals(name, "logits")) {
        return true;
    }
    size_t at = sizeof prefix - 1;
    if (name.length <= at || memcmp(name.data, prefix, at) != 0) {
        return false;
    }
    uint32_t layer = 0;
    for (; at < name.length && name.data[at] >= '0' && name.data[at] <= '9'; at++) {
        layer = layer * 10 + (uint32_t)(name.data[at] - '0');
        if (layer >= c->layers) {
            return false;
        }
    }
    for (int tap = 0; tap < TS_TAP_COUNT; tap++) {
        char full[64];
        snprintf(full, sizeof full, "blk.%u.%s", layer, ts_tap_name((enum ts_tap)tap));
        if (ts_text_equals(name, full)) {
            return ts_trace_expects(c, layer, (enum ts_tap)tap);
        }
    }
    return false;
}

static bool check_intermediates(struct ts_trace *trace, const struct ts_config *c,
                                struct ts_error *error)
{
    for (uint64_t i = 0; i < trace->gguf->tensor_count; i++) {
        const struct ts_gguf_tensor *tensor = &trace->gguf->tensors[i];
        if (!is_known(c, tensor)) {
            return refuse_tensor(trace, tensor, error, "an intermediate of this model");
        }
    }
    trace->intermediates = trace->gguf->tensor_count > 2;
    if (!trace->intermediates) {
        return true;
    }
    if (trace->positions == 0) {
        return ts_fail(error, TS_ERR_DATA, NULL, "%.300s: key golden.positions is missing",
                       trace->gguf->path);
    }
    for (uint32_t layer = 0; layer < c->layers; layer++) {
        for (int tap = 0; tap < TS_TAP_COUNT; tap++) {
            if (ts_trace_expects(c, layer, (enum ts_tap)tap) &&
                !check_tensor(trace, c, layer, (enum ts_tap)tap, error)) {
                return false;
            }
        }
    }
    return true;
}

static bool read_positions(struct ts_trace *trace, struct ts_error *error)
{
    static const char key_name[] = "golden.positions";
    const struct ts_gguf_key *key = ts_gguf_find_key(trace->gguf, key_name);
    if (!key) {
        return true;
    }
    if (key->type != TS_GGUF_ARRAY || key->count > trace->tokens) {
        return refuse_key(trace, key_name, error, "an array of no more positions than tokens");
    }
    trace->column = malloc(trace->tokens * sizeof *trace->column);
    if (!trace->column) {
        return ts_fail_memory(error, "a trace's positions", trace->tokens * sizeof *trace->column);
    }
    for (uint64_t i = 0; i < trace->tokens; i++) {
        trace->column[i] = NO_COLUMN;
    }
    trace->positions = key->count;
    for (uint64_t i = 0; i < key->count; i++) {
        uint64_t position;
        if (!ts_gguf_array_u64(key, i, &position) || position >= trace->tokens ||
            trace->column[position] != NO_COLUMN) {
            char expected[96];
            snprintf(expected, sizeof expected,
                     "entry %llu to be a position below %llu, and another than those before",
                     (unsigned long long)i, (unsigned long long)trace->tokens);
            return refuse_key(trace, key_name, error, expected);
        }
        trace->column[position] = i;
    }
    return true;
}

static bool read_keys(struct ts_trace *trace, struct ts_error *error)
{
    struct ts_text class;
    if (!ts_gguf_get_bool(trace->gguf, "golden.kv_rounding", &trace->kv_rounding, error) ||
        !ts_gguf_get_text(trace->gguf, "golden.class", &class, error)) {
        return false;
    }
    for (int i = 0; i < 3; i++) {
        if (ts_text_equals(class, class_names[i])) {
            trace->class = (enum ts_trace_class)i;
            return true;
        }
    }
    return refuse_key(trace, "golden.class", error, "exact, rounding or selection");
}

static bool read_tensors(struct ts_trace *trace, const struct ts_model *model,
                         struct ts_error *error)
{
    const char *path = trace->gguf->path;
    const struct ts_gguf_tensor *tokens = ts_gguf_find_tensor(trace->gguf, "tokens");
    const struct ts_gguf_tensor *logits = ts_gguf_find_tensor(trace->gguf, "logits");
    if (!tokens || !logits) {
        return ts_fail(error, TS_ERR_DATA, NULL, "%.300s: tensor %s is missing", path,
                       tokens ? "logits" : "tokens");
    }
    if (tokens->format != TS_I32 || tokens->dimensions != 1) {
        return refuse_tensor(trace, tokens, error, "I32 [n]");
    }
    trace->tokens = tokens->shape[0];
    trace->vocab = model->config.vocab;
    if (logits->format != TS_F32 || logits->shape[0] != trace->vocab ||
        logits->shape[1] != trace->tokens || logits->shape[2] != 1 || logits->shape[3] != 1) {
        char expected[80];
        snprintf(expected, sizeof expected, "F32 [%llu, %llu]", (unsigned long long)trace->vocab,
                 (unsigned long long)trace->tokens);
        return refuse_tensor(trace, logits, error, expected);
    }
    trace->ids = ts_gguf_tensor_data(trace->gguf, tokens);
    trace->logits = ts_gguf_tensor_data(trace->gguf, logits);
    for (uint64_t i = 0; i < trace->tokens; i++) {
        if (trace->ids[i] < 0 || (uint64_t)trace->ids[i] >= trace->vocab) {
            return ts_fail(error, TS_ERR_DATA, NULL,
                           "%.300s: offset %llu: token %llu has id %d, expected 0 to %llu", path,
                           (unsigned long long)(tokens->offset + i * sizeof(int32_t)),
                           (unsigned long long)i, trace->ids[i],
                           (unsigned long long)trace->vocab - 1);
        }
    }
    return true;
}

struct ts_trace *ts_trace_bind(struct ts_gguf *gguf, const struct ts_model *model,
                               struct ts_error *error)
{
    struct ts_trace *trace = calloc(1, sizeof *trace);
    if (!trace) {
        ts_gguf_close(gguf);
        ts_fail_memory(error, "a trace", sizeof *trace);
        return NULL;
    }
    trace->gguf = gguf;
    if (read_keys(trace, error) && read_tensors(trace, model, error) &&
        read_positions(trace, error) && check_intermediates(trace, &model->config, error)) {
        return trace;
    }
    ts_trace_close(trace);
    if (error && error->code == TS_ERR_INPUT) {
        error->code = TS_ERR_DATA; /* the reader's refusals, of a file that is no model */
    }
    return NULL;
}

struct ts_trace *ts_trace_open(const char *path, const struct ts_model *model,
                               struct ts_error *error)
{
    struct ts_gguf *gguf = ts_gguf_open(path, error);
    if (!gguf && error && error->code == TS_ERR_INPUT) {
        error->code = TS_ERR_DATA;
    }
    return gguf ? ts_trace_bind(gguf, model, error) : NULL;
}

void ts_trace_close(struct ts_trace *trace)
{
    if (trace) {
        ts_gguf_close(trace->gguf);
        free(trace->column);
        free(trace);
    }
}
