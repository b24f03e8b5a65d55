/* Models and traces of tests/data, and sessions on them. Functions assert that what they do works;
 * memory comes from test_alloc. */
#ifndef TS_TESTS_GOLDEN_H
#define TS_TESTS_GOLDEN_H

#include "engine/session/session.h"
#include "tests/support/operand.h"

#include <stdio.h>

struct test_golden {
    struct ts_model *model;
    struct ts_gguf *trace;
    const int32_t *tokens; /* [count] */
    uint64_t count;
    uint64_t vocab;
    const float *logits; /* [count, vocab] */
};

/* "tiny-q2" and "tiny-q2.norounding", say. The caller closes it. */
static inline struct test_golden test_golden_open(const char *model, const char *trace)
{
    struct test_golden golden = {0};
    struct ts_error error = {0};
    char path[96];
    snprintf(path, sizeof path, "tests/data/%s.gguf", model);
    golden.model = ts_model_open(path, &error);
    cr_assert(golden.model != NULL, "%s", error.message);
    snprintf(path, sizeof path, "tests/data/%s.trace.gguf", trace);
    golden.trace = ts_gguf_open(path, &error);
    cr_assert(golden.trace != NULL, "%s", error.message);
    const struct ts_gguf_tensor *tokens = ts_gguf_find_tensor(golden.trace, "tokens");
    const struct ts_gguf_tensor *logits = ts_gguf_find_tensor(golden.trace, "logits");
    cr_assert(tokens && logits && tokens->format == TS_I32 && logits->format == TS_F32);
    golden.tokens = ts_gguf_tensor_data(golden.trace, tokens);
    golden.logits = ts_gguf_tensor_data(golden.trace, logits);
    golden.count = tokens->shape[0];
    golden.vocab = logits->shape[0];
    cr_assert(golden.vocab == golden.model->config.vocab && logits->shape[1] == golden.count);
    return golden;
}

static inline void test_golden_close(struct test_golden *golden)
{
    ts_gguf_close(golden->trace);
    ts_model_close(golden->model);
}

/* Relative L2 of one position's logits against the trace. */
static inline double test_golden_error(const struct test_golden *golden, uint64_t position,
                                       const double *logits)
{
    double difference = 0, norm = 0;
    for (uint64_t i = 0; i < golden->vocab; i++) {
        double expected = (double)golden->logits[position * golden->vocab + i];
        difference += (logits[i] - expected) * (logits[i] - expected);
        norm += expected * expected;
    }
    return sqrt(difference / norm);
}

static inline struct ts_session *test_session_open(const struct ts_model *model,
                                                   struct ts_session_options options)
{
    struct ts_error error = {0};
    options.threads = options.threads ? options.threads : 1; /* tests run side by side */
    struct ts_session *session = ts_session_open(model, &options, &error);
    cr_assert(session != NULL, "%s", error.message);
    return session;
}

static inline void test_feed(struct ts_session *session, const int32_t *tokens, uint64_t count)
{
    struct ts_error error = {0};
    bool fed = ts_session_feed(session, tokens, count, &error);
    cr_assert(fed, "%llu tokens at %llu: %s", (unsigned long long)count,
              (unsigned long long)ts_session_length(session), error.message);
}

/* Where test_keep_logits puts what a session with every_logit shows: rows by position. */
struct test_logits {
    double *rows; /* [positions, vocab] */
    uint64_t positions;
    uint64_t vocab;
    uint64_t seen; /* calls */
};

static inline bool test_keep_logits(void *context, uint64_t position, const double *logits,
                                    struct ts_error *error)
{
    struct test_logits *kept = context;
    (void)error;
    cr_assert(position < kept->positions, "logits of position %llu", (unsigned long long)position);
    memcpy(kept->rows + position * kept->vocab, logits, kept->vocab * sizeof *logits);
    kept->seen++;
    return true;
}

static inline struct test_logits test_logits_of(const struct test_golden *golden,
                                                uint64_t positions)
{
    return (struct test_logits){.rows = test_reals(positions * golden->vocab),
                                .positions = positions,
                                .vocab = golden->vocab};
}

/* Runs the trace's first `count` tokens at once in a session of its own; all logits. */
static inline struct test_logits test_run_trace(const struct test_golden *golden,
                                                struct ts_session_options options, uint64_t count)
{
    struct test_logits kept = test_logits_of(golden, count);
    options.every_logit = true;
    options.context = options.context ? options.context : count;
    struct ts_session *session = test_session_open(golden->model, options);
    ts_session_set_logits_fn(session, test_keep_logits, &kept);
    test_feed(session, golden->tokens, count);
    cr_assert(kept.seen == count, "%llu of %llu logits", (unsigned long long)kept.seen,
              (unsigned long long)count);
    ts_session_close(session);
    return kept;
}

static inline struct ts_snapshot test_save(struct ts_session *session)
{
    struct ts_error error = {0};
    struct ts_snapshot snapshot;
    bool saved = ts_session_save(session, &snapshot, &error);
    cr_assert(saved, "%s", error.message);
    return snapshot;
}

/* Fails unless both hold the same sequence, logits and KV rows, to the bit. */
static inline void test_same_snapshot(const struct ts_snapshot *a, const struct ts_snapshot *b,
                                      uint64_t vocab, const char *what)
{
    cr_assert(a->length == b->length, "%s: %llu and %llu tokens", what,
              (unsigned long long)a->length, (unsigned long long)b->length);
    cr_assert(memcmp(a->tokens, b->tokens, a->length * sizeof *a->tokens) == 0, "%s: other tokens",
              what);
    cr_assert(!a->logits == !b->logits, "%s: logits in one only", what);
    if (a->logits) {
        test_same(a->logits, b->logits, vocab, what, a->length);
    }
    cr_assert(a->kv.bytes == b->kv.bytes && memcmp(a->kv.data, b->kv.data, a->kv.bytes) == 0,
              "%s: other KV rows after %llu tokens", what, (unsigned long long)a->length);
}

static inline void test_same_state(const struct test_golden *golden, struct ts_session *session,
                                   const struct ts_snapshot *expected, const char *what)
{
    struct ts_snapshot state = test_save(session);
    test_same_snapshot(&state, expected, golden->vocab, what);
    ts_snapshot_free(&state);
}

/* Fails unless the session's logits are those of its last token's row. */
static inline void test_logits_as(const struct ts_session *session, const struct test_logits *rows,
                                  const char *what)
{
    uint64_t last = ts_session_length(session) - 1;
    const double *logits = ts_session_logits(session);
    cr_assert(logits != NULL && last < rows->positions, "%s: no logits", what);
    test_same(logits, rows->rows + last * rows->vocab, rows->vocab, what, last);
}

#endif
