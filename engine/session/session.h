/* A sequence being run: device, graph, KV state and the tokens so far. Feeding tokens is prefill or
 * decode, whichever their number makes it; the results do not depend on how they are split. */
#ifndef TS_ENGINE_SESSION_SESSION_H
#define TS_ENGINE_SESSION_SESSION_H

#include "engine/graph/graph.h"

enum { TS_MOST_CHUNK = 4096 }; /* tokens of one step */

struct ts_session_options {
    const char *device;   /* a name of ts_device_names(); NULL: "reference" */
    unsigned threads;     /* 0: all cores */
    bool unfused;         /* run expansions instead of fused kernels */
    uint64_t context;     /* tokens; 0: 4096 or the model's own limit, if that is less */
    uint32_t chunk;       /* tokens of one prefill step, to TS_MOST_CHUNK; 0: 128 */
    bool every_logit;     /* logits of every token, not only of the last one of a feed */
    bool kv_rounding_off; /* leave out the FP8 and FP4 round trips of KV and indexer rows */
};

/* Memory that a session takes, in bytes. Weights are mapped from the file, not copied. */
struct ts_session_plan {
    uint64_t weights; /* mapped, shared with the page cache */
    uint64_t kv;
    uint64_t activations;
    uint64_t host;    /* directory, logits, token history, tokenizer and sampler */
    uint64_t device;  /* what the device takes beside its buffers (ts_device_own_bytes) */
    uint64_t program; /* code, libraries and their data, threads: measured */
    uint64_t total; /* all but the weights: what is resident beside the mapped file is never more */
};

struct ts_session;

/* Fills in the defaults that stand for 0 or NULL, and checks ranges (TS_ERR_USAGE). */
bool ts_session_resolve(const struct ts_model *model, struct ts_session_options *options,
                        struct ts_error *error);

/* What a session with these (resolved) options would take; opens nothing. */
bool ts_session_plan(const struct ts_model *model, const struct ts_session_options *options,
                     struct ts_session_plan *plan, struct ts_error *error);

/* model must outlive the session. options NULL means all defaults. NULL with *error; the caller
 * closes it. */
struct ts_session *ts_session_open(const struct ts_model *model,
                                   const struct ts_session_options *options,
                                   struct ts_error *error);
void ts_session_close(struct ts_session *session); /* NULL is allowed */

/* Runs `count` tokens (at least one) behind those so far. Refuses ids outside the vocabulary and
 * more tokens than the context holds (TS_ERR_INPUT) before anything is run. A failure or
 * interruption inside leaves the session at the last chunk that was completed; if a chunk ended
 * half done, the next feed, save or rewind first runs the sequence again. */
bool ts_session_feed(struct ts_session *session, const int32_t *tokens, uint64_t count,
                     struct ts_error *error);

/* Builds what feeding `count` tokens, and single ones behind them if it `generates`, will most likely
 * need of the device's code, and runs nothing: for who wants to know the time apart, and wait for it
 * first. Whatever is still missing is built when it is needed. */
bool ts_session_prepare(struct ts_session *session, uint64_t count, bool generates,
                        struct ts_error *error);

uint64_t ts_session_length(const struct ts_session *session);
const int32_t *ts_session_tokens(const struct ts_session *session); /* [length] */
uint64_t ts_session_context(const struct ts_session *session);

/* [vocab] of the last token fed; NULL before the first, and where an interruption came before the
 * logits. */
const double *ts_session_logits(const struct ts_session *session);

/* With every_logit: called for each token of a feed in order; NULL ends it. */
typedef bool ts_logits_fn(void *context, uint64_t position, const double *logits,
                          struct ts_error *error);
void ts_session_set_logits_fn(struct ts_session *session, ts_logits_fn *fn, void *context);
/* Asked between chunks; true stops the feed with TS_ERR_INTERRUPTED. NULL ends it. */
typedef bool ts_stop_fn(void *context);
void ts_session_set_stop_fn(struct ts_session *session, ts_stop_fn *fn, void *context);

/* As ts_graph_set_tap, for every feed from now on. */
void ts_session_set_tap(struct ts_session *session, ts_tap_fn *fn, void *context);
/* The session's own device and KV state, alive as long as it is. */
struct ts_device *ts_session_device(struct ts_session *session);
const struct ts_kv *ts_session_kv(const struct ts_session *session);

/* Everything that the next step depends on, in memory. */
struct ts_snapshot {
    struct ts_kv_snapshot kv;
    uint64_t identity; /* of model file, rounding and device kind */
    uint64_t length;
    int32_t *tokens; /* [length] */
    double *logits;  /* [vocab], NULL where the session has none */
};
/* Copies; fails only without memory, or if a torn chunk had to be run again and could not. The
 * caller frees with ts_snapshot_free. */
bool ts_session_save(struct ts_session *session, struct ts_snapshot *snapshot,
                     struct ts_error *error);
/* Into any session of the same model file, device kind and rounding whose context is long enough,
 * else TS_ERR_INPUT and nothing was changed. */
bool ts_session_restore(struct ts_session *session, const struct ts_snapshot *snapshot,
                        struct ts_error *error);
void ts_snapshot_free(struct ts_snapshot *snapshot);

/* Back to the first `length` tokens, exactly as if no more had been fed: rings forget, so the
 * prefix is run again, from `snapshot` if it is a prefix of the sequence no longer than `length`,
 * else from the start. snapshot may be NULL. Fails (TS_ERR_INPUT) if the sequence is shorter.
 * Logits of what is run again are not shown to the callback; an interruption leaves a shorter
 * prefix. */
bool ts_session_rewind(struct ts_session *session, uint64_t length,
                       const struct ts_snapshot *snapshot, struct ts_error *error);

/* Forgets the sequence; allocations, options and callbacks stay. */
void ts_session_reset(struct ts_session *session);

#endif
