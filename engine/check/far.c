#include "engine/check/far.h"

#include "base/rng.h"
#include "engine/check/verdict.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { PIECE = 4096 };

/* One step's outputs: all streams behind each layer, and the logits. */
struct outputs {
    const struct ts_config *c;
    double *layers; /* [layers, streams * width] */
    double *logits; /* [vocab] */
    uint64_t kv_bytes;
};

/* The rows that a sequence of `length` tokens has written, the same on every device. */
static void fill_block(const struct ts_kv_block *block, uint64_t length, uint64_t seed)
{
    struct ts_rng rng;
    double values[PIECE];
    uint64_t count = ts_kv_rows_used(block, length) * block->width;
    ts_rng_seed(&rng, seed);
    for (uint64_t first = 0; first < count; first += PIECE) {
        uint64_t step = count - first < PIECE ? count - first : PIECE;
        for (uint64_t i = 0; i < step; i++) { /* uniform, of variance 1: a gaussian takes longer */
            values[i] = (double)(float)(3.4641016 * (ts_rng_uniform(&rng) - 0.5));
        }
        ts_slice_write(block->slice, first, step, values);
    }
}

static bool keep_layer(void *context, const struct ts_tap_event *event, struct ts_error *error)
{
    struct outputs *out = context;
    (void)error;
    if (event->tap == TS_TAP_layer_out) {
        ts_slice_read(event->slice, 0, event->width, out->layers + event->layer * event->width);
    }
    return true;
}

static bool step(const struct ts_model *model, struct ts_device *device,
                 const struct ts_far_options *o, struct outputs *out, struct ts_error *error)
{
    struct ts_graph_options options = {.context = o->position + 1, .chunk = 1, .logit_rows = 1};
    int32_t token = (int32_t)(o->seed % model->config.vocab);
    struct ts_graph *graph = ts_graph_open(model, device, &options, error);
    struct ts_kv *kv = graph ? ts_kv_open(&model->config, device, options.context, error) : NULL;
    bool ok = kv != NULL;
    if (ok) {
        out->kv_bytes = kv->bytes;
        for (unsigned i = 0; i < kv->count; i++) {
            fill_block(&kv->blocks[i], o->position, o->seed + i);
        }
        ts_graph_set_tap(graph, keep_layer, out);
        ok = ts_graph_run(graph, kv, &token, 1, o->position, 1, error);
    }
    if (ok) {
        ts_slice_read(ts_graph_logits(graph), 0, out->c->vocab, out->logits);
    }
    ts_kv_close(kv);
    ts_graph_close(graph);
    return ok;
}

static bool run(const struct ts_model *model, const char *name, const struct ts_far_options *o,
                struct outputs *out, struct ts_error *error)
{
    struct ts_device_options options = {.threads = o->threads, .unfused = o->unfused};
    struct ts_device *device = ts_device_open(name, &options, error);
    bool ok = device && step(model, device, o, out, error);
    ts_device_close(device);
    return ok;
}

static bool make_outputs(const struct ts_config *c, struct outputs *out, struct ts_error *error)
{
    uint64_t streams = (uint64_t)c->layers * c->streams * c->width;
    out->c = c;
    out->layers = calloc(streams, sizeof *out->layers);
    out->logits = calloc(c->vocab, sizeof *out->logits);
    return (out->layers && out->logits) ||
           ts_fail_memory(error, "a step's outputs", streams * sizeof *out->layers);
}

static double distance(const double *got, const double *want, uint64_t count)
{
    double difference = 0, norm = 0;
    for (uint64_t i = 0; i < count; i++) {
        double d = got[i] - want[i];
        difference += d * d;
        norm += want[i] * want[i];
    }
    return norm > 0 ? sqrt(difference / norm) : INFINITY;
}

static void compare(const struct outputs *got, const struct outputs *want,
                    struct ts_far_result *result)
{
    const struct ts_config *c = got->c;
    uint64_t streams = (uint64_t)c->streams * c->width;
    for (uint32_t layer = 0; layer < c->layers; layer++) {
        double error =
            distance(got->layers + layer * streams, want->layers + layer * streams, streams);
        if (!(error <= result->worst_layer_error)) {
            result->worst_layer_error = error;
            result->worst_layer = layer;
        }
        result->compared += streams;
    }
    result->compared += c->vocab;
    result->logits = distance(got->logits, want->logits, c->vocab);
    result->bound = ts_trace_bound(TS_TRACE_EXACT, TS_F32).worst;
    result->pass = result->logits <= result->bound && result->worst_layer_error <= result->bound;
}

bool ts_far_check(const struct ts_model *model, const struct ts_far_options *options,
                  struct ts_far_result *result, struct ts_error *error)
{
    struct outputs got = {.layers = NULL}, want = {.layers = NULL};
    const char *name = options->device ? options->device : "metal";
    memset(result, 0, sizeof *result);
    if (options->position >= model->config.context) {
        return ts_fail(error, TS_ERR_USAGE, NULL, "position %llu: the model has %llu",
                       (unsigned long long)options->position,
                       (unsigned long long)model->config.context);
    }
    bool ok = make_outputs(&model->config, &got, error) &&
              make_outputs(&model->config, &want, error) && ts_model_check_data(model, error) &&
              run(model, name, options, &got, error) &&
              run(model, "reference", options, &want, error);
    if (ok) {
        compare(&got, &want, result);
        result->kv_bytes = got.kv_bytes;
    }
    free(got.layers);
    free(got.logits);
    free(want.layers);
    free(want.logits);
    return ok;
}
