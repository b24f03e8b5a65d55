#include "engine/session/session.h"

#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

enum { DEFAULT_CONTEXT = 4096, DEFAULT_CHUNK = 128 };

struct ts_session {
    const struct ts_model *model;
    struct ts_session_options options;
    struct ts_device *device;
    struct ts_graph *graph;
    struct ts_kv *kv;
    uint64_t identity; /* of what snapshots must agree in */
    uint64_t length;
    int32_t *tokens; /* [context] */
    double *logits;  /* [vocab] */
    bool has_logits; /* logits are those of the last token */
    bool torn;       /* a step ended half done: rings hold rows of tokens that do not count */
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
    if (options->chunk > TS_MOST_CHUNK) {
        return ts_fail(error, TS_ERR_USAGE, NULL, "a chunk of %u tokens is more than %d",
                       options->chunk, TS_MOST_CHUNK);
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

/* The tokenizer and the sampler, which run beside a session: an upper estimate from what they keep
 * of each token and each merge. */
static uint64_t vocabulary_bytes(const struct ts_model *model)
{
    enum { TOKEN = 128, MERGE = 64, CANDIDATE = sizeof(int32_t) + sizeof(double) };
    const struct ts_gguf_key *tokens = ts_gguf_find_key(model->gguf, "tokenizer.ggml.tokens");
    const struct ts_gguf_key *merges = ts_gguf_find_key(model->gguf, "tokenizer.ggml.merges");
    return (tokens ? tokens->count * TOKEN + tokens->bytes : 0) +
           (merges ? merges->count * MERGE : 0) + (uint64_t)model->config.vocab * CANDIDATE;
}

/* The program before any model: 13 to 17 MB resident, of which 1 is anonymous memory. */
enum { PROGRAM_BYTES = 18 << 20 };

static void fill_plan(const struct ts_model *model, const struct ts_session_options *options,
                      uint32_t real_format, uint64_t device, struct ts_session_plan *plan)
{
    const struct ts_config *c = &model->config;
    struct ts_graph_options graph = graph_options(options);
    plan->weights = ts_gguf_data_bytes(model->gguf);
    plan->kv = ts_kv_bytes(c, options->context, real_format);
    plan->activations = ts_graph_bytes(c, &graph, real_format);
    plan->host = options->context * sizeof(int32_t) + c->vocab * sizeof(double) +
                 model->gguf->key_count * sizeof(struct ts_gguf_key) +
                 model->gguf->tensor_count * sizeof(struct ts_gguf_tensor) +
                 vocabulary_bytes(model);
    plan->device = device;
    plan->program = PROGRAM_BYTES;
    plan->total = plan->kv + plan->activations + plan->host + plan->device + plan->program;
}

bool ts_session_plan(const struct ts_model *model, const struct ts_session_options *options,
                     struct ts_session_plan *plan, struct ts_error *error)
{
    uint32_t real_format;
    uint64_t device;
    if (!ts_device_real_format(options->device, &real_format, error) ||
        !ts_device_own_bytes(options->device, options->threads, &device, error)) {
        return false;
    }
    fill_plan(model, options, real_format, device, plan);
    return true;
}

/* What a GPU uses must fit into its working set, or it fails or crawls in the middle of a step. */
static bool fits_working_set(const struct ts_session *session, struct ts_error *error)
{
    const struct ts_device_limits *limits = ts_device_limits(session->device);
    struct ts_session_plan plan;
    fill_plan(session->model, &session->options, limits->real_format, 0, &plan);
    uint64_t need = plan.weights + plan.kv + plan.activations;
    return limits->working_set_bytes == 0 || need <= limits->working_set_bytes ||
           ts_fail(error, TS_ERR_ENVIRONMENT,
                   "give a smaller --ctx or --chunk, or a model of fewer bits a weight",
                   "%.300s: weights, KV state and activations take %llu bytes, device %s has a "
                   "working set of %llu",
                   session->model->gguf->path, (unsigned long long)need, limits->name,
                   (unsigned long long)limits->working_set_bytes);
}

/* Equal for sessions whose KV states mean the same: one model file, judged by its directory (all
 * metadata and tensor entries, no tensor data), and one way of rounding. */
static uint64_t identity_of(const struct ts_session *session)
{
    const struct ts_gguf *gguf = session->model->gguf;
    uint64_t directory = 0;
    for (uint32_t i = 0; i < gguf->part_count; i++) {
        const struct ts_gguf *part = ts_gguf_part(gguf, i);
        directory = XXH3_64bits_withSeed(part->data, part->data_offset, directory);
    }
    uint64_t parts[4] = {directory, ts_gguf_file_bytes(gguf),
                         ts_device_limits(session->device)->real_format,
                         session->options.kv_rounding_off};
    return XXH3_64bits(parts, sizeof parts);
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
    if (session->device && fits_working_set(session, error)) {
        session->graph = ts_graph_open(model, session->device, &graph, error);
    }
    if (session->graph) {
        session->kv = ts_kv_open(&model->config, session->device, resolved.context, error);
    }
    if (!session->kv) {
        ts_session_close(session);
        return NULL;
    }
    ts_device_make_resident(session->device);
    session->identity = identity_of(session);
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

/* Takes over the logits of a step's last `rows` tokens; the callback sees them if `show`. */
static bool deliver(struct ts_session *session, uint32_t rows, bool show, struct ts_error *error)
{
    uint32_t vocab = session->model->config.vocab;
    struct ts_slice logits = ts_graph_logits(session->graph);
    bool ok = true;
    for (uint32_t row = 0; row < rows; row++) {
        ts_slice_read(logits, (uint64_t)row * vocab, vocab, session->logits);
        uint64_t position = session->length - rows + row;
        if (show && ok && session->logits_fn) {
            ok = session->logits_fn(session->logits_context, position, session->logits, error);
        }
    }
    session->has_logits = rows > 0;
    return ok;
}

/* Runs tokens in chunks. `again`: they were fed before, so only the last one's logits are made and
 * none are shown. tokens may be where the history will have them. */
static bool run(struct ts_session *session, const int32_t *tokens, uint64_t count, bool again,
                struct ts_error *error)
{
    for (uint64_t done = 0; done < count;) {
        uint64_t left = count - done;
        uint32_t step = left < session->options.chunk ? (uint32_t)left : session->options.chunk;
        uint32_t rows = session->options.every_logit && !again ? step : step == left;
        if (done > 0 && session->stop_fn && session->stop_fn(session->stop_context)) {
            return ts_fail(error, TS_ERR_INTERRUPTED, NULL, "interrupted after %llu of %llu tokens",
                           (unsigned long long)done, (unsigned long long)count);
        }
        session->torn = true;
        if (!ts_graph_run(session->graph, session->kv, tokens + done, step, session->length, rows,
                          error)) {
            return false;
        }
        session->torn = false;
        memmove(session->tokens + session->length, tokens + done, step * sizeof *tokens);
        session->length += step;
        done += step;
        if (!deliver(session, rows, !again, error)) {
            return false;
        }
    }
    return true;
}

/* Rings forget, so after a step that ended half done the sequence is run again. If that fails too
 * it stays to be repaired. */
static bool repair(struct ts_session *session, struct ts_error *error)
{
    uint64_t length = session->length;
    if (!session->torn) {
        return true;
    }
    ts_session_reset(session);
    if (!run(session, session->tokens, length, true, error)) {
        session->length = length;
        session->has_logits = false;
        session->torn = true;
        return false;
    }
    return true;
}

bool ts_session_feed(struct ts_session *session, const int32_t *tokens, uint64_t count,
                     struct ts_error *error)
{
    return check_feed(session, tokens, count, error) && repair(session, error) &&
           run(session, tokens, count, false, error);
}

bool ts_session_prepare(struct ts_session *session, uint64_t count, bool generates,
                        struct ts_error *error)
{
    uint32_t chunk = session->options.chunk;
    uint64_t whole = count / chunk;
    uint64_t rest = count % chunk;
    bool every = session->options.every_logit, ok = true;
    /* the first chunks, which have less behind them, and the last ones */
    for (uint64_t i = 0; ok && i < whole; i = i == 1 && whole > 2 ? whole - 1 : i + 1) {
        uint32_t rows = every ? chunk : (i + 1) * chunk == count;
        ok = ts_graph_prepare(session->graph, session->kv, chunk, session->length + i * chunk, rows,
                              error);
    }
    uint64_t end = session->length + count;
    ok = ok && (rest == 0 || ts_graph_prepare(session->graph, session->kv, (uint32_t)rest,
                                              end - rest, every ? (uint32_t)rest : 1, error));
    return ok && (!generates || end >= session->options.context ||
                  ts_graph_prepare(session->graph, session->kv, 1, end, 1, error));
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
    return session->length && session->has_logits ? session->logits : NULL;
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

bool ts_session_save(struct ts_session *session, struct ts_snapshot *snapshot,
                     struct ts_error *error)
{
    *snapshot = (struct ts_snapshot){.identity = session->identity, .length = session->length};
    if (!repair(session, error)) {
        return false;
    }
    uint64_t tokens = session->length * sizeof *session->tokens;
    uint64_t logits =
        ts_session_logits(session) ? session->model->config.vocab * sizeof(double) : 0;
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
    if (snapshot->identity != session->identity) {
        return ts_fail(error, TS_ERR_INPUT, "restore it into a session of the same model file",
                       "the snapshot is of another model, device kind or --kv-rounding");
    }
    if (!ts_kv_restore(session->kv, &snapshot->kv, error)) {
        return false;
    }
    session->length = snapshot->length;
    session->has_logits = snapshot->logits != NULL;
    session->torn = false;
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

/* True where the snapshot is a beginning of the sequence that is no longer than `length`, and has
 * the logits if nothing is run behind it. */
static bool leads_to(const struct ts_session *session, const struct ts_snapshot *snapshot,
                     uint64_t length)
{
    return snapshot && snapshot->length <= length &&
           (snapshot->length < length || snapshot->logits || length == 0) &&
           memcmp(snapshot->tokens, session->tokens, snapshot->length * sizeof(int32_t)) == 0;
}

bool ts_session_rewind(struct ts_session *session, uint64_t length,
                       const struct ts_snapshot *snapshot, struct ts_error *error)
{
    if (length > session->length) {
        return ts_fail(error, TS_ERR_INPUT, NULL, "cannot rewind %llu tokens to %llu",
                       (unsigned long long)session->length, (unsigned long long)length);
    }
    if (length == session->length && session->has_logits) {
        return repair(session, error);
    }
    if (leads_to(session, snapshot, length)) {
        if (!ts_session_restore(session, snapshot, error)) {
            return false;
        }
    } else {
        ts_session_reset(session);
    }
    /* the tokens behind the new length are still in the history, where run reads them */
    uint64_t from = session->length;
    return run(session, session->tokens + from, length - from, true, error);
}

void ts_session_reset(struct ts_session *session)
{
    session->length = 0; /* slots of an earlier sequence are never read */
    session->has_logits = false;
    session->torn = false;
}
