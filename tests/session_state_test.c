/* Snapshots, rewinding and resetting: the session is then as if nothing else had ever been run. */
#include "tests/support/golden.h"

TestSuite(session_state, .fini = test_free_all);

/* Edges of blocks of 4 and 128 tokens and of the window. */
static const uint64_t places[] = {0, 1, 2, 3, 4, 5, 8, 126, 127, 128, 129, 130, 132};
enum { PLACES = sizeof places / sizeof places[0], BEHIND = 6, MOST = 140 };

/* Other tokens than the trace's. */
static const int32_t *other_tokens(const struct test_golden *golden, uint64_t count)
{
    struct ts_rng rng;
    int32_t *tokens = test_indices(count);
    ts_rng_seed(&rng, 7);
    for (uint64_t i = 0; i < count; i++) {
        tokens[i] = (int32_t)ts_rng_below(&rng, golden->vocab);
    }
    return tokens;
}

static struct ts_session *open_session(const struct test_golden *golden, uint32_t chunk)
{
    struct ts_session_options options = {.chunk = chunk, .context = 160};
    return test_session_open(golden->model, options);
}

static void restore(struct ts_session *session, const struct ts_snapshot *snapshot)
{
    struct ts_error error = {0};
    bool restored = ts_session_restore(session, snapshot, &error);
    cr_assert(restored, "%s", error.message);
}

/* Feeds the next tokens of the trace in two parts; the logits must be those of an unbroken run. */
static void check_continues(const struct test_golden *golden, struct ts_session *session,
                            const struct test_logits *base, const char *what)
{
    uint64_t from = ts_session_length(session);
    test_feed(session, golden->tokens + from, 1);
    test_logits_as(session, base, what);
    test_feed(session, golden->tokens + from + 1, BEHIND - 1);
    test_logits_as(session, base, what);
}

static void check_snapshots(const char *model)
{
    struct test_golden golden = test_golden_open(model, model);
    struct ts_session *first = open_session(&golden, 128);
    struct ts_session *second = open_session(&golden, 37);
    struct ts_session_options options = {.chunk = 128};
    struct test_logits base = test_run_trace(&golden, options, MOST);
    const int32_t *others = other_tokens(&golden, 150);
    for (unsigned i = 0; i < PLACES; i++) {
        char what[64];
        snprintf(what, sizeof what, "%s, snapshot at %llu", model, (unsigned long long)places[i]);
        uint64_t length = ts_session_length(first);
        if (places[i] > length) {
            test_feed(first, golden.tokens + length, places[i] - length);
        }
        struct ts_snapshot snapshot = test_save(first);
        test_same_state(&golden, first, &snapshot, what); /* saving changes nothing */
        check_continues(&golden, first, &base, what);
        restore(first, &snapshot); /* after more tokens of the same */
        test_same_state(&golden, first, &snapshot, what);
        check_continues(&golden, first, &base, what);
        ts_session_reset(first);
        test_feed(first, others, i % 5 == 4 ? 150 : 9); /* after another prompt, long or short */
        restore(first, &snapshot);
        test_same_state(&golden, first, &snapshot, what);
        check_continues(&golden, first, &base, what);
        restore(second, &snapshot); /* into another session */
        test_same_state(&golden, second, &snapshot, what);
        check_continues(&golden, second, &base, what);
        restore(first, &snapshot);
        ts_snapshot_free(&snapshot);
    }
    ts_session_close(first);
    ts_session_close(second);
    test_golden_close(&golden);
}

Test(session_state, snapshots)
{
    check_snapshots("tiny-q2");
}

Test(session_state, snapshots_where_rows_are_selected)
{
    check_snapshots("topk-q2");
}

/* Into a model opened a second time a snapshot fits; into anything else it does not. */
Test(session_state, snapshots_fit_only_their_model)
{
    struct test_golden golden = test_golden_open("tiny-q2", "tiny-q2");
    struct test_golden again = test_golden_open("tiny-q2", "tiny-q2");
    struct test_golden other = test_golden_open("topk-q2", "topk-q2");
    struct ts_session *session = open_session(&golden, 128);
    struct ts_session *same = open_session(&again, 128);
    struct ts_session_options unrounded = {.kv_rounding_off = true}, small = {.context = 39};
    struct ts_session_options just = {.context = 40}, less = {.context = 41};
    test_feed(session, golden.tokens, 40);
    test_feed(same, golden.tokens, 9);
    struct ts_snapshot good = test_save(session), before = test_save(same), empty;
    test_feed(session, golden.tokens + 40, 2);
    struct ts_snapshot beyond = test_save(session); /* as many rows as 41 tokens have */
    ts_session_reset(session);
    empty = test_save(session);
    struct ts_snapshot version = good, bytes = good, more = good, longer = good, shorter = good;
    version.kv.version++;
    bytes.kv.bytes--;
    more.kv.bytes++; /* behind the rows of that many tokens something else */
    longer.kv.length += 4;
    shorter.kv.length -= 4;
    const struct {
        struct ts_session *session;
        const struct ts_snapshot *snapshot;
        const char *message;
    } bad[] = {{open_session(&other, 128), &good, "another model"},
               {open_session(&other, 128), &empty, "another model"},
               {test_session_open(golden.model, unrounded), &good, "--kv-rounding"},
               {test_session_open(golden.model, small), &good, "(version 1, 39 tokens)"},
               {test_session_open(golden.model, less), &beyond, "(version 1, 41 tokens)"},
               {same, &version, "snapshot of version 2, 40 tokens"},
               {same, &bytes, "bytes does not fit"},
               {same, &more, "bytes does not fit"},
               {same, &longer, "44 tokens"},
               {same, &shorter, "36 tokens"}};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct ts_error error = {0};
        uint64_t length = ts_session_length(bad[i].session);
        bool restored = ts_session_restore(bad[i].session, bad[i].snapshot, &error);
        cr_assert(!restored && error.code == TS_ERR_INPUT, "snapshot %zu", i);
        cr_assert(strstr(error.message, bad[i].message), "snapshot %zu: %s", i, error.message);
        cr_assert(ts_session_length(bad[i].session) == length, "snapshot %zu", i);
        if (bad[i].session == same) {
            test_same_state(&golden, same, &before, bad[i].message);
        } else {
            ts_session_close(bad[i].session);
        }
    }
    restore(same, &good);
    test_same_state(&golden, same, &good, "a model opened again");
    restore(same, &empty);
    test_same_state(&golden, same, &empty, "an empty sequence");
    struct ts_session *full = test_session_open(golden.model, just);
    restore(full, &good); /* as many tokens as the context holds */
    test_same_state(&golden, full, &good, "a context without room");
    ts_session_close(full);
    ts_snapshot_free(&good);
    ts_snapshot_free(&beyond);
    ts_snapshot_free(&before);
    ts_snapshot_free(&empty);
    ts_session_close(session);
    ts_session_close(same);
    test_golden_close(&other);
    test_golden_close(&again);
    test_golden_close(&golden);
}

/* What a session is after each number of tokens, by one that was fed one token after the other. */
struct states {
    struct ts_snapshot at[PLACES];
};

static struct states states_of(const struct test_golden *golden)
{
    struct states states;
    struct ts_session *session = open_session(golden, 128);
    for (unsigned i = 0; i < PLACES; i++) {
        uint64_t length = ts_session_length(session);
        if (places[i] > length) {
            test_feed(session, golden->tokens + length, places[i] - length);
        }
        states.at[i] = test_save(session);
    }
    ts_session_close(session);
    return states;
}

/* Back from MOST tokens to each place: without a snapshot, from that of the place itself, the one
 * before it, and those of a longer and of another sequence, which must not be used. */
Test(session_state, rewind_to_every_kind_of_position)
{
    struct test_golden golden = test_golden_open("topk-q2", "topk-q2");
    struct states states = states_of(&golden);
    struct ts_session *session = open_session(&golden, 128);
    struct ts_session_options options = {.chunk = 128};
    struct test_logits base = test_run_trace(&golden, options, MOST);
    test_feed(session, other_tokens(&golden, 3), 3);
    struct ts_snapshot full, stranger = test_save(session);
    ts_session_reset(session);
    test_feed(session, golden.tokens, MOST);
    full = test_save(session);
    for (unsigned to = 0; to < PLACES; to++) {
        const struct ts_snapshot *snapshots[] = {NULL, &states.at[to],
                                                 &states.at[to > 0 ? to - 1 : 0],
                                                 to % 4 == 1   ? &states.at[to + 1]
                                                 : to % 4 == 3 ? &stranger
                                                               : NULL};
        for (unsigned i = 0; i < 4; i++) {
            char what[64];
            struct ts_error error = {0};
            if (i == 3 && !snapshots[i]) {
                continue;
            }
            snprintf(what, sizeof what, "to %llu with snapshot %u", (unsigned long long)places[to],
                     i);
            restore(session, &full);
            bool done = ts_session_rewind(session, places[to], snapshots[i], &error);
            cr_assert(done, "%s: %s", what, error.message);
            test_same_state(&golden, session, &states.at[to], what);
            if (i == to % 4) {
                check_continues(&golden, session, &base, what);
            }
        }
    }
    for (unsigned i = 0; i < PLACES; i++) {
        ts_snapshot_free(&states.at[i]);
    }
    ts_snapshot_free(&full);
    ts_snapshot_free(&stranger);
    ts_session_close(session);
    test_golden_close(&golden);
}

/* Rewinding is no feed: no logits are shown. Beyond the end it is refused. */
Test(session_state, rewind_shows_nothing_and_refuses_more)
{
    struct test_golden golden = test_golden_open("tiny-q2", "tiny-q2");
    struct ts_session_options options = {.context = 64, .chunk = 16, .every_logit = true};
    struct ts_session *session = test_session_open(golden.model, options);
    struct test_logits logits = test_logits_of(&golden, 64);
    struct ts_error error = {0};
    ts_session_set_logits_fn(session, test_keep_logits, &logits);
    test_feed(session, golden.tokens, 50);
    cr_assert(logits.seen == 50);
    struct ts_snapshot before = test_save(session);
    cr_assert(!ts_session_rewind(session, 51, NULL, &error) && error.code == TS_ERR_INPUT &&
                  strstr(error.message, "cannot rewind 50 tokens to 51"),
              "%s", error.message);
    cr_assert(ts_session_rewind(session, 50, NULL, &error));
    test_same_state(&golden, session, &before, "rewound to where it was");
    cr_assert(ts_session_rewind(session, 33, NULL, &error));
    cr_assert(logits.seen == 50 && ts_session_length(session) == 33);
    test_logits_as(session, &logits, "rewound");
    cr_assert(ts_session_rewind(session, 0, NULL, &error) && !ts_session_logits(session));
    ts_snapshot_free(&before);
    ts_session_close(session);
    test_golden_close(&golden);
}

/* ---- nothing of an earlier sequence is read -------------------------------------------------- */

struct arena {
    struct ts_buffer *buffer;
};

static bool note_arena(void *context, const struct ts_tap_event *event, struct ts_error *error)
{
    struct arena *arena = context;
    (void)error;
    if (event->tap == TS_TAP_attn_q) {
        arena->buffer = event->slice.buffer;
    }
    return true;
}

static void poison_kv(struct ts_session *session)
{
    const struct ts_kv *kv = ts_session_kv(session);
    for (unsigned i = 0; i < kv->count; i++) {
        double *rows = ts_slice_contents(kv->blocks[i].slice);
        for (uint64_t k = 0; k < kv->blocks[i].rows * kv->blocks[i].width; k++) {
            rows[k] = NAN;
        }
    }
}

/* All KV rows NaN, all activations NaN and all indices -1: a run from the start must not notice. */
Test(session_state, reset_leaves_nothing_behind)
{
    static const uint32_t chunks[] = {128, 17};
    struct test_golden golden = test_golden_open("topk-q2", "topk-q2");
    struct test_logits base =
        test_run_trace(&golden, (struct ts_session_options){.chunk = 128}, MOST);
    for (int i = 0; i < 2; i++) {
        struct ts_session *session = open_session(&golden, chunks[i]);
        struct arena arena = {NULL};
        struct ts_session_options options = {.chunk = chunks[i], .context = 160};
        struct ts_session_plan plan;
        struct ts_error error = {0};
        cr_assert(ts_session_resolve(golden.model, &options, &error) &&
                  ts_session_plan(golden.model, &options, &plan, &error));
        ts_session_set_tap(session, note_arena, &arena);
        test_feed(session, other_tokens(&golden, 150), 150);
        ts_session_set_tap(session, NULL, NULL);
        ts_session_reset(session);
        cr_assert(ts_session_length(session) == 0 && !ts_session_logits(session));
        poison_kv(session);
        memset(ts_buffer_contents(arena.buffer), 0xff, plan.activations);
        for (uint64_t at = 0; at < MOST; at += 35) {
            test_feed(session, golden.tokens + at, 35);
            test_logits_as(session, &base, "poisoned");
        }
        ts_session_close(session);
    }
    test_golden_close(&golden);
}

/* The poison works: where rows were written it shows in the next four tokens, block by block. (NaN
 * keys of the indexer make no NaN; they select other rows.) */
Test(session_state, every_block_is_read)
{
    struct test_golden golden = test_golden_open("topk-q2", "topk-q2");
    struct ts_session *session = open_session(&golden, 128);
    struct ts_session_options whole = {.chunk = 128};
    struct test_logits base = test_run_trace(&golden, whole, 134);
    const double *expected = base.rows + 133 * golden.vocab;
    test_feed(session, golden.tokens, 130);
    struct ts_snapshot full = test_save(session);
    const struct ts_kv *kv = ts_session_kv(session);
    unsigned read = 0;
    for (unsigned i = 0; i < kv->count; i++) {
        struct ts_kv_block *block = &kv->blocks[i];
        double *rows = ts_slice_contents(block->slice);
        bool frontier = block->kind == TS_KV_FRONTIER_K || block->kind == TS_KV_FRONTIER_GATE;
        restore(session, &full);
        if (frontier && golden.model->config.ratio[block->layer] == 128) {
            continue; /* of 130 tokens 2 are in it; next read at 255 */
        }
        for (uint64_t k = 0; k < ts_kv_rows_used(block, 130) * block->width; k++) {
            rows[k] = NAN;
        }
        test_feed(session, golden.tokens + 130, 4);
        bool same =
            memcmp(ts_session_logits(session), expected, golden.vocab * sizeof *expected) == 0;
        cr_assert(!same, "%s is not read", block->name);
        read++;
    }
    cr_assert(kv->count == 1 + 7 + 4 + 7 && read == kv->count - 2, "%u of %u", read, kv->count);
    ts_snapshot_free(&full);
    ts_session_close(session);
    test_golden_close(&golden);
}
