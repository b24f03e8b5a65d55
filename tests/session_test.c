/* Sessions: results do not depend on how tokens are split into feeds and chunks, on threads, or on
 * what ran before; the edges of the context; refused feeds. */
#include "tests/support/golden.h"

TestSuite(session, .fini = test_free_all);

static struct ts_session_options chunked(uint32_t chunk)
{
    return (struct ts_session_options){.chunk = chunk};
}

/* A chunk size, and for how many tokens: small chunks are slow. */
struct chunk_case {
    uint32_t chunk;
    uint64_t count;
};

/* Against one session in chunks of 128: all logits, and the state that is left. Ends at chunk 0. */
static void check_chunks(const char *model, const struct chunk_case *cases, uint64_t most)
{
    struct test_golden golden = test_golden_open(model, model);
    struct ts_session *fresh = test_session_open(golden.model, chunked(128));
    struct test_logits base = test_run_trace(&golden, chunked(128), most);
    for (const struct chunk_case *c = cases; c->chunk > 0; c++) {
        uint64_t before = ts_session_length(fresh);
        char what[64];
        snprintf(what, sizeof what, "%s in chunks of %u", model, c->chunk);
        if (c->count > before) {
            test_feed(fresh, golden.tokens + before, c->count - before);
        }
        struct ts_snapshot expected = test_save(fresh);
        struct ts_session_options options = {
            .chunk = c->chunk, .context = c->count, .every_logit = true};
        struct ts_session *session = test_session_open(golden.model, options);
        struct test_logits logits = test_logits_of(&golden, c->count);
        ts_session_set_logits_fn(session, test_keep_logits, &logits);
        test_feed(session, golden.tokens, c->count);
        cr_assert(logits.seen == c->count && expected.length == c->count);
        test_same(logits.rows, base.rows, c->count * golden.vocab, what, 0);
        test_same_state(&golden, session, &expected, what);
        ts_session_close(session);
        ts_snapshot_free(&expected);
    }
    ts_session_close(fresh);
    test_golden_close(&golden);
}

Test(session, chunk_sizes_agree_to_the_bit)
{
    check_chunks("tiny-q2",
                 (struct chunk_case[]){
                     {1, 130}, {3, 134}, {7, 150}, {64, 262}, {128, 262}, {333, 340}, {0, 0}},
                 340);
}

Test(session, chunk_sizes_agree_to_the_bit_where_rows_are_selected)
{
    check_chunks("topk-q2",
                 (struct chunk_case[]){
                     {1, 78}, {3, 90}, {7, 133}, {64, 133}, {128, 139}, {333, 150}, {0, 0}},
                 150);
}

/* Feeds of random lengths, each in chunks of at most 33. */
Test(session, mixtures_of_feeds_agree_to_the_bit)
{
    enum { COUNT = 140 };
    struct test_golden golden = test_golden_open("topk-q2", "topk-q2");
    struct test_logits base = test_run_trace(&golden, chunked(128), COUNT);
    struct ts_session *session = test_session_open(golden.model, chunked(33));
    for (uint64_t seed = 1; seed <= 3; seed++) {
        struct ts_rng rng;
        char what[32];
        ts_rng_seed(&rng, seed);
        snprintf(what, sizeof what, "seed %llu", (unsigned long long)seed);
        ts_session_reset(session);
        while (ts_session_length(session) < COUNT) {
            uint64_t length = ts_session_length(session), left = COUNT - length;
            uint64_t most = ts_rng_below(&rng, 3) ? 9 : 80;
            uint64_t count = 1 + ts_rng_below(&rng, most);
            test_feed(session, golden.tokens + length, count < left ? count : left);
            test_logits_as(session, &base, what);
        }
        cr_assert(memcmp(ts_session_tokens(session), golden.tokens, COUNT * sizeof(int32_t)) == 0);
    }
    ts_session_close(session);
    test_golden_close(&golden);
}

Test(session, threads_and_expansion_change_nothing)
{
    enum { COUNT = 70 };
    struct test_golden golden = test_golden_open("topk-q2", "topk-q2");
    struct test_logits base = test_run_trace(&golden, chunked(64), COUNT);
    for (unsigned threads = 2; threads <= 5; threads += 3) {
        struct ts_session_options options = {.chunk = 64, .threads = threads, .unfused = true};
        struct test_logits logits = test_run_trace(&golden, options, COUNT);
        test_same(logits.rows, base.rows, COUNT * golden.vocab, "threads", threads);
    }
    test_golden_close(&golden);
}

/* The shortest contexts have no compressed row at all, others not a whole window. */
Test(session, small_contexts)
{
    static const uint64_t contexts[] = {1, 2, 3, 4, 5, 7, 8, 60, 127, 129};
    struct test_golden golden = test_golden_open("tiny-q2", "tiny-q2");
    struct test_logits base = test_run_trace(&golden, chunked(128), 129);
    for (size_t i = 0; i < sizeof contexts / sizeof contexts[0]; i++) {
        uint64_t context = contexts[i];
        struct ts_error error = {0};
        char what[32];
        snprintf(what, sizeof what, "context %llu", (unsigned long long)context);
        /* a chunk larger than the context; then the same in two feeds */
        struct ts_session_options options = {.chunk = 333, .context = context};
        struct ts_session *session = test_session_open(golden.model, options);
        cr_assert(ts_session_context(session) == context);
        for (uint64_t split = 0; split < context; split += context / 2 + 1) {
            ts_session_reset(session);
            if (split > 0) {
                test_feed(session, golden.tokens, split);
            }
            test_feed(session, golden.tokens + split, context - split);
            test_logits_as(session, &base, what);
        }
        cr_assert(!ts_session_feed(session, golden.tokens, 1, &error), "%s: fed beyond", what);
        cr_assert(error.code == TS_ERR_INPUT && strstr(error.message, "do not fit"), "%s: %s", what,
                  error.message);
        test_logits_as(session, &base, what);
        ts_session_close(session);
    }
    test_golden_close(&golden);
}

Test(session, refused_feeds_change_nothing)
{
    enum { BEFORE = 30 };
    struct test_golden golden = test_golden_open("tiny-q2", "tiny-q2");
    struct ts_session_options options = {.chunk = 8, .context = 50};
    struct ts_session *session = test_session_open(golden.model, options);
    int32_t low[20], high[20];
    memcpy(low, golden.tokens + BEFORE, sizeof low);
    memcpy(high, golden.tokens + BEFORE, sizeof high);
    low[19] = -1;
    high[13] = (int32_t)golden.vocab;
    const struct {
        const int32_t *tokens;
        uint64_t count;
        const char *message;
    } bad[] = {{golden.tokens, 0, "the prompt is empty"},
               {golden.tokens, 21, "21 tokens do not fit: the context holds 50 and 30 are in use"},
               {golden.tokens, UINT64_MAX, "do not fit"},
               {low, 20, "token 19 has id -1, expected 0 to 511"},
               {high, 20, "token 13 has id 512, expected 0 to 511"}};
    cr_assert(ts_session_logits(session) == NULL);
    test_feed(session, golden.tokens, BEFORE);
    struct ts_snapshot before = test_save(session);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct ts_error error = {0};
        cr_assert(!ts_session_feed(session, bad[i].tokens, bad[i].count, &error), "feed %zu", i);
        cr_assert(error.code == TS_ERR_INPUT && strstr(error.message, bad[i].message),
                  "feed %zu: %s", i, error.message);
        test_same_state(&golden, session, &before, bad[i].message);
    }
    ts_snapshot_free(&before);
    ts_session_close(session);
    test_golden_close(&golden);
}

/* The defaults, and what is refused. */
Test(session, options)
{
    struct test_golden golden = test_golden_open("tiny-q2", "tiny-q2");
    struct ts_error error = {0};
    struct ts_session_options options = {0};
    cr_assert(ts_session_resolve(golden.model, &options, &error), "%s", error.message);
    cr_assert(strcmp(options.device, "reference") == 0 && options.context == 4096 &&
              options.chunk == 128);
    options = (struct ts_session_options){.context = 10};
    cr_assert(ts_session_resolve(golden.model, &options, &error) && options.chunk == 10);
    const struct {
        struct ts_session_options options;
        const char *message;
    } bad[] = {
        {{.context = 1048577}, "a context of 1048577 tokens is more than the model's 1048576"},
        {{.chunk = 4097}, "a chunk of 4097 tokens is more than 4096"},
        {{.device = "abacus"}, "unknown device 'abacus', expected one of: reference"}};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct ts_session *session = ts_session_open(golden.model, &bad[i].options, &error);
        cr_assert(session == NULL && error.code == TS_ERR_USAGE, "options %zu", i);
        cr_assert(strstr(error.message, bad[i].message), "options %zu: %s", i, error.message);
    }
    test_golden_close(&golden);
}

/* The plan is what the session then has: the KV state in full, and everything in the total. */
Test(session, plan_is_kept)
{
    struct test_golden golden = test_golden_open("tiny-q2", "tiny-q2");
    struct ts_error error = {0};
    for (uint64_t context = 1; context < 3000; context = 3 * context + 1) {
        struct ts_session_options options = {.context = context};
        struct ts_session_plan plan;
        cr_assert(ts_session_resolve(golden.model, &options, &error) &&
                  ts_session_plan(golden.model, &options, &plan, &error));
        struct ts_session *session = test_session_open(golden.model, options);
        cr_assert(ts_session_kv(session)->bytes == plan.kv && plan.activations > 0);
        cr_assert(plan.total ==
                  plan.kv + plan.activations + plan.host + plan.device + plan.program);
        ts_session_close(session);
    }
    test_golden_close(&golden);
}

Test(session, rounding_off_differs)
{
    enum { COUNT = 40 };
    struct test_golden golden = test_golden_open("tiny-q2", "tiny-q2");
    struct ts_session_options off = {.kv_rounding_off = true};
    struct test_logits with = test_run_trace(&golden, chunked(128), COUNT);
    struct test_logits without = test_run_trace(&golden, off, COUNT);
    for (uint64_t p = 0; p < COUNT; p++) {
        double *a = with.rows + p * golden.vocab, *b = without.rows + p * golden.vocab;
        double error = test_relative_l2(a, b, golden.vocab);
        cr_assert(error > 1e-4 && error < 0.5, "position %llu: %g", (unsigned long long)p, error);
        cr_assert(test_golden_error(&golden, p, a) <= 1e-6, "position %llu", (unsigned long long)p);
    }
    test_golden_close(&golden);
}
