#include "engine/session.h"

#include <stdlib.h>
#include <string.h>

enum { DEFAULT_CONTEXT = 4096, DEFAULT_CHUNK = 128, MOST_CHUNK = 4096 };

struct ts_session {
    const struct ts_model *model;
    struct ts_session_options options;
    struct ts_device *device;
    struct ts_graph *graph;
    struct ts_kv *kv;
    uint64_t length;
    int32_t *tokens; /* [context] */
    double *logits;  /* [vocab] of the last token */
    ts_logits_fn *logits_fn;
    void *logits_context;
    ts_stop_fn *stop_fn;
    void *stop_context;
};

bool ts_session_resolve(const struct ts_model *model, struct ts_session_options *options,
                        struct ts_error *error)
{
    uint64_t limit = model->config.context;
    if (!options->device) {
        options->device = "reference";
    }
    if (options->context == 0) {
        options->context = limit < DEFAULT_CONTEXT ? limit : DEFAULT_CONTEXT;
    }
    if (options->chunk == 0) {
        options->chunk = DEFAULT_CHUNK;
    }
    if (options->context > limit) {
        return ts_fail(error, TS_ERR_USAGE, NULL,
                       "a context of %llu tokens is more than the model's %llu",
                       (unsigned long long)options->context, (unsigned long long)limit);
    }
    if (options->chunk > MOST_CHUNK) {
        return ts_fail(error, TS_ERR_USAGE, NULL, "a chunk of %u tokens is more than %d",
                       options->chunk, MOST_CHUNK);
    }
    if (options->chunk > options->context) {
        options->chunk = (uint32_t)options->context;
    }
    return true;
}

static struct ts_graph_options graph_options(const struct ts_session_options *options)
{
    return (struct ts_graph_options){.context = options->context,
                                     .chunk = options->chunk,
                                     .logit_rows = options->every_logit ? options->chunk : 1,
                                     .kv_rounding = !options->kv_rounding_off};
}

static void fill_plan(const struct ts_model *model, const struct ts_session_options *options,
                      uint32_t real_format, struct ts_session_plan *plan)
{
    const struct ts_config *c = &model->config;
    struct ts_graph_options graph = graph_options(options);
    plan->weights = model->gguf->size - model->gguf->data_offset;
    plan->kv = ts_kv_bytes(c, options->context, real_format);
    plan->activations = ts_graph_bytes(c, &graph, real_format);
    plan->host = options->context * sizeof(int32_t) + c->vocab * sizeof(double) +
                 model->gguf->key_count * sizeof(struct ts_gguf_key) +
                 model->gguf->tensor_count * sizeof(struct ts_gguf_tensor);
    plan->total = plan->kv + plan->activations + plan->host;
}

bool ts_session_plan(const struct ts_model *model, const struct ts_session_options *options,
                     struct ts_session_plan *plan, struct ts_error *error)
{
    uint32_t real_format;
    if (!ts_device_real_format(options->device, &real_format, error)) {
        return false;
    }
    fill_plan(model, options, real_format, plan);
    return true;
}

struct ts_session *ts_session_open(const struct ts_model *model,
                                   const struct ts_session_options *options, struct ts_error *error)
{
    struct ts_session_options resolved = options ? *options : (struct ts_session_options){0};
    if (!ts_session_resolve(model, &resolved, error) || !ts_model_check_data(model, error)) {
        return NULL;
    }
    struct ts_session *session = calloc(1, sizeof *session);
    if (!session) {
        ts_fail_memory(error, "a session", sizeof *session);
        return NULL;
    }
    struct ts_device_options device = {.threads = resolved.threads, .unfused = resolved.unfused};
    struct ts_graph_options graph = graph_options(&resolved);
    session->model = model;
    session->options = resolved;
    session->tokens = calloc(resolved.context, sizeof *session->tokens);
    session->logits = calloc(model->config.vocab, sizeof *session->logits);
    if (!session->tokens || !session->logits) {
        ts_session_close(session);
        ts_fail_memory(error, "a session", resolved.context * sizeof *session->tokens);
        return NULL;
    }
    session->device = ts_device_open(resolved.device, &device, error);
    if (session->device) {
        session->graph = ts_graph_open(model, session->device, &graph, error);
    }
    if (session->graph) {
        session->kv = ts_kv_open(&model->config, session->device, resolved.context, error);
    }
    if (!session->kv) {
        ts_session_close(session);
        return NULL;
    }
    return session;
}

void ts_session_close(struct ts_session *session)
{
    if (session) {
        ts_kv_close(session->kv);
        ts_graph_close(session->graph);
        ts_device_close(session->device);
        free(session->tokens);
        free(session->logits);
        free(session);
    }
}

static bool check_feed(const struct ts_session *session, const int32_t *tokens, uint64_t count,
                       struct ts_error *error)
{
    if (count == 0) {
        return ts_fail(error, TS_ERR_INPUT, "give at least one token", "the prompt is empty");
    }
    if (count > session->options.context - session->length) {
        return ts_fail(error, TS_ERR_INPUT, "choose a larger --ctx or a shorter prompt",
                       "%llu tokens do not fit: the context holds %llu and %llu are in use",
                       (unsigned long long)count, (unsigned long long)session->options.context,
                       (unsigned long long)session->length);
    }
    for (uint64_t i = 0; i < count; i++) {
        if (tokens[i] < 0 || (uint32_t)tokens[i] >= session->model->config.vocab) {
            return ts_fail(error, TS_ERR_INPUT, NULL, "token %llu has id %d, expected 0 to %u",
                           (unsigned long long)i, tokens[i], session->model->config.vocab - 1);
        }
    }
    return true;
}

/* Hands out the logits of a step's last `rows` tokens. */
static bool deliver(struct ts_session *session, uint32_t rows, struct ts_error *error)
{
    uint32_t vocab = session->model->config.vocab;
    struct ts_slice logits = ts_graph_logits(session->graph);
    for (uint32_t row = 0; row < rows; row++) {
        ts_slice_read(logits, (uint64_t)row * vocab, vocab, session->logits);
        uint64_t position = session->length - rows + row;
        if (session->logits_fn &&
            !session->logits_fn(session->logits_context, position, session->logits, error)) {
            return false;
        }
    }
    return true;
}

bool ts_session_feed(struct ts_session *session, const int32_t *tokens, uint64_t count,
                     struct ts_error *error)
{
    if (!check_feed(session, tokens, count, error)) {
        return false;
    }
    for (uint64_t done = 0; done < count;) {
        uint64_t left = count - done;
        uint32_t step = left < session->options.chunk ? (uint32_t)left : session->options.chunk;
        uint32_t rows = session->options.every_logit ? step : step == left;
        if (done > 0 && session->stop_fn && session->stop_fn(session->stop_context)) {
            return ts_fail(error, TS_ERR_INTERRUPTED, NULL, "interrupted after %llu of %llu tokens",
                           (unsigned long long)done, (unsigned long long)count);
        }
        if (!ts_graph_run(session->graph, session->kv, tokens + done, step, session->length, rows,
                          error)) {
            return false;
        }
        memmove(session->tokens + session->length, tokens + done, step * sizeof *tokens);
        session->length += step;
        done += step;
        if (!deliver(session, rows, error)) {
            return false;
        }
    }
    return true;
}

uint64_t ts_session_length(const struct ts_session *session)
{
    return session->length;
}

const int32_t *ts_session_tokens(const struct ts_session *session)
{
    return session->tokens;
}

uint64_t ts_session_context(const struct ts_session *session)
{
    return session->options.context;
}

const double *ts_session_logits(const struct ts_session *session)
{
    return session->length ? session->logits : NULL;
}

void ts_session_set_logits_fn(struct ts_session *session, ts_logits_fn *fn, void *context)
{
    session->logits_fn = fn;
    session->logits_context = context;
}

void ts_session_set_stop_fn(struct ts_session *session, ts_stop_fn *fn, void *context)
{
    session->stop_fn = fn;
    session->stop_context = context;
}

void ts_session_set_tap(struct ts_session *session, ts_tap_fn *fn, void *context)
{
    ts_graph_set_tap(session->graph, fn, context);
}

struct ts_device *ts_session_device(struct ts_session *session)
{
    return session->device;
}

const struct ts_kv *ts_session_kv(const struct ts_session *session)
{
    return session->kv;
}

bool ts_session_save(const struct ts_session *session, struct ts_snapshot *snapshot,
                     struct ts_error *error)
{
    uint64_t tokens = session->length * sizeof *session->tokens;
    uint64_t logits = session->length ? session->model->config.vocab * sizeof(double) : 0;
    *snapshot = (struct ts_snapshot){.length = session->length};
    snapshot->tokens = malloc(tokens ? tokens : 1);
    snapshot->logits = logits ? malloc(logits) : NULL;
    if (!snapshot->tokens || (logits && !snapshot->logits)) {
        ts_snapshot_free(snapshot);
        return ts_fail_memory(error, "a snapshot", tokens + logits);
    }
    memcpy(snapshot->tokens, session->tokens, tokens);
    if (logits) {
        memcpy(snapshot->logits, session->logits, logits);
    }
    if (!ts_kv_save(session->kv, session->length, &snapshot->kv, error)) {
        ts_snapshot_free(snapshot);
        return false;
    }
    return true;
}

bool ts_session_restore(struct ts_session *session, const struct ts_snapshot *snapshot,
                        struct ts_error *error)
{
    if (!ts_kv_restore(session->kv, &snapshot->kv, error)) {
        return false;
    }
    session->length = snapshot->length;
    memcpy(session->tokens, snapshot->tokens, snapshot->length * sizeof *session->tokens);
    if (snapshot->logits) {
        memcpy(session->logits, snapshot->logits, session->model->config.vocab * sizeof(double));
    }
    return true;
}

void ts_snapshot_free(struct ts_snapshot *snapshot)
{
    ts_kv_snapshot_free(&snapshot->kv);
    free(snapshot->tokens);
    free(snapshot->logits);
    *snapshot = (struct ts_snapshot){.length = 0};
}

/* True where the snapshot is a beginning of the sequence that is no longer than `length`. */
static bool is_prefix(const struct ts_session *session, const struct ts_snapshot *snapshot,
                      uint64_t length)
{
    return snapshot && snapshot->length <= length &&
           memcmp(snapshot->tokens, session->tokens, snapshot->length * sizeof(int32_t)) == 0;
}

bool ts_session_rewind(struct ts_session *session, uint64_t length,
                       const struct ts_snapshot *snapshot, struct ts_error *error)
{
    if (length > session->length) {
        return ts_fail(error, TS_ERR_INPUT, NULL, "cannot rewind %llu tokens to %llu",
                       (unsigned long long)session->length, (unsigned long long)length);
    }
    if (length == session->length) {
        return true;
    }
    if (is_prefix(session, snapshot, length)) {
        if (!ts_session_restore(session, snapshot, error)) {
            return false;
        }
    } else {
        ts_session_reset(session);
    }
    /* the tokens behind the new length are still in the history, where feed reads them */
    uint64_t from = session->length;
    return from == length || ts_session_feed(session, session->tokens + from, length - from, error);
}

void ts_session_reset(struct ts_session *session)
{
    session->length = 0; /* slots of an earlier sequence are never read */
}
