/* Feeds that end early: stopped between chunks, or failed in the middle of one. The session stays
 * at the last chunk that was completed, and what follows is as if nothing had happened. */
#include "tests/support/golden.h"

TestSuite(session_failure, .fini = test_free_all);

enum { CHUNK = 16, FIRST = 131, MOST = 190 };

/* A tap or callback that fails, or a request to stop, at its countdown's end. */
struct fuse {
    enum ts_tap tap;
    uint32_t layer;
    int countdown; /* 0: never */
};

static bool burn(struct fuse *fuse)
{
    return fuse->countdown > 0 && --fuse->countdown == 0;
}

static bool fail_in_tap(void *context, const struct ts_tap_event *event, struct ts_error *error)
{
    struct fuse *fuse = context;
    if (event->tap == fuse->tap && event->layer == fuse->layer && burn(fuse)) {
        return ts_fail(error, TS_ERR_CHECK, NULL, "blown in %s", ts_tap_name(event->tap));
    }
    return true;
}

static bool fail_in_logits(void *context, uint64_t position, const double *logits,
                           struct ts_error *error)
{
    (void)logits;
    return !burn(context) ||
           ts_fail(error, TS_ERR_CHECK, NULL, "blown at %llu", (unsigned long long)position);
}

static bool stop(void *context)
{
    return burn(context);
}

/* A session that has FIRST tokens, and what a run without trouble gives. */
struct scene {
    struct test_golden golden;
    struct ts_session *session;
    struct test_logits base;
    struct ts_snapshot before;
};

static struct scene open_scene(bool every_logit)
{
    struct scene scene = {.golden = test_golden_open("tiny-q2", "tiny-q2")};
    struct ts_session_options whole = {.chunk = 128};
    struct ts_session_options options = {
        .chunk = CHUNK, .context = MOST, .every_logit = every_logit};
    scene.base = test_run_trace(&scene.golden, whole, MOST);
    scene.session = test_session_open(scene.golden.model, options);
    test_feed(scene.session, scene.golden.tokens, FIRST);
    scene.before = test_save(scene.session);
    return scene;
}

static void close_scene(struct scene *scene)
{
    ts_snapshot_free(&scene->before);
    ts_session_close(scene->session);
    test_golden_close(&scene->golden);
}

/* The rest of the trace, as if nothing had happened. */
static void check_goes_on(struct scene *scene, const char *what)
{
    uint64_t length = ts_session_length(scene->session);
    test_feed(scene->session, scene->golden.tokens + length, 2);
    test_logits_as(scene->session, &scene->base, what);
    test_feed(scene->session, scene->golden.tokens + length + 2, 20);
    test_logits_as(scene->session, &scene->base, what);
}

static void restore(struct scene *scene)
{
    struct ts_error error = {0};
    cr_assert(ts_session_restore(scene->session, &scene->before, &error), "%s", error.message);
}

/* Feeds 40 tokens (chunks of 16, 16, 8), which must fail with `code` and leave `done` of them. */
static void check_fails(struct scene *scene, enum ts_code code, uint64_t done, const char *what)
{
    struct ts_error error = {0};
    cr_assert(!ts_session_feed(scene->session, scene->golden.tokens + FIRST, 40, &error), "%s",
              what);
    cr_assert(error.code == code, "%s: %s", what, error.message);
    uint64_t length = ts_session_length(scene->session);
    cr_assert(length == FIRST + done, "%s: length %llu", what, (unsigned long long)length);
    cr_assert(memcmp(ts_session_tokens(scene->session), scene->golden.tokens,
                     length * sizeof(int32_t)) == 0);
}

/* Rewound to where it stands, a session that was left without logits makes those of its last token. */
static void check_rewinds_in_place(struct scene *scene, const struct ts_snapshot *half)
{
    const struct ts_snapshot *const snapshots[] = {NULL, half, &scene->before};
    for (int i = 0; i < 3; i++) {
        struct ts_error error = {0};
        cr_assert(ts_session_restore(scene->session, half, &error), "%s", error.message);
        cr_assert(ts_session_logits(scene->session) == NULL);
        cr_assert(ts_session_rewind(scene->session, half->length, snapshots[i], &error), "%s",
                  error.message);
        cr_assert(ts_session_length(scene->session) == half->length);
        cr_assert(ts_session_logits(scene->session) != NULL, "rewound in place %d: no logits", i);
        test_logits_as(scene->session, &scene->base, "rewound in place");
        check_goes_on(scene, "rewound in place");
    }
}

Test(session_failure, stop_between_chunks)
{
    struct scene scene = open_scene(false);
    struct ts_error error = {0};
    for (int chunks = 1; chunks <= 2; chunks++) {
        struct fuse fuse = {.countdown = chunks};
        restore(&scene);
        ts_session_set_stop_fn(scene.session, stop, &fuse);
        check_fails(&scene, TS_ERR_INTERRUPTED, (uint64_t)(chunks * CHUNK), "stopped");
        cr_assert(ts_session_logits(scene.session) == NULL, "logits of an earlier token");
        struct ts_snapshot half = test_save(scene.session);
        cr_assert(half.logits == NULL);
        check_goes_on(&scene, "stopped");
        cr_assert(ts_session_restore(scene.session, &half, &error), "%s", error.message);
        test_same_state(&scene.golden, scene.session, &half, "restored without logits");
        check_goes_on(&scene, "restored without logits");
        /* a rewind to it makes the logits that it lacks */
        cr_assert(ts_session_rewind(scene.session, half.length, &half, &error));
        test_logits_as(scene.session, &scene.base, "rewound to one without logits");
        check_goes_on(&scene, "rewound to one without logits");
        check_rewinds_in_place(&scene, &half);
        ts_snapshot_free(&half);
    }
    /* an interrupted rewind leaves a prefix */
    struct fuse fuse = {.countdown = 3};
    restore(&scene);
    ts_session_set_stop_fn(scene.session, stop, &fuse);
    cr_assert(!ts_session_rewind(scene.session, FIRST - 1, NULL, &error) &&
              error.code == TS_ERR_INTERRUPTED);
    cr_assert(ts_session_length(scene.session) == 3 * CHUNK);
    check_goes_on(&scene, "an interrupted rewind");
    close_scene(&scene);
}

/* Where in a pass it fails: before anything was kept, between rings of different layers, behind all
 * of them. In the first chunk and in the second. */
Test(session_failure, failure_inside_a_chunk)
{
    static const struct fuse fuses[] = {{TS_TAP_attn_hc_pre, 0, 1}, {TS_TAP_attn_q, 1, 1},
                                        {TS_TAP_attn_heads, 3, 1},  {TS_TAP_ffn_out, 0, 2},
                                        {TS_TAP_attn_out, 2, 2},    {TS_TAP_layer_out, 3, 2}};
    struct scene scene = open_scene(false);
    for (size_t i = 0; i < sizeof fuses / sizeof fuses[0]; i++) {
        struct fuse fuse = fuses[i];
        char what[64];
        snprintf(what, sizeof what, "layer %u, %s", fuse.layer, ts_tap_name(fuse.tap));
        restore(&scene);
        ts_session_set_tap(scene.session, fail_in_tap, &fuse);
        check_fails(&scene, TS_ERR_CHECK, fuses[i].countdown == 2 ? CHUNK : 0, what);
        ts_session_set_tap(scene.session, NULL, NULL);
        if (fuses[i].countdown == 1) {
            test_same_state(&scene.golden, scene.session, &scene.before, what);
        }
        check_goes_on(&scene, what);
    }
    close_scene(&scene);
}

/* Each call that may follow a failure. */
Test(session_failure, whatever_follows_a_failure)
{
    static const char *const what[] = {"feed",    "save",  "rewind",          "rewind by one",
                                       "restore", "reset", "a second failure"};
    struct scene scene = open_scene(false);
    struct ts_error error = {0};
    for (int i = 0; i < 7; i++) {
        struct fuse fuse = {TS_TAP_attn_heads, 3, 1};
        restore(&scene);
        ts_session_set_tap(scene.session, fail_in_tap, &fuse);
        check_fails(&scene, TS_ERR_CHECK, 0, what[i]);
        if (i == 6) { /* while the sequence is run again */
            fuse.countdown = 4;
            check_fails(&scene, TS_ERR_CHECK, 0, what[i]);
            cr_assert(fuse.countdown == 0);
        }
        ts_session_set_tap(scene.session, NULL, NULL);
        switch (i) {
        case 1: test_same_state(&scene.golden, scene.session, &scene.before, what[i]); break;
        case 2: cr_assert(ts_session_rewind(scene.session, FIRST, NULL, &error)); break;
        case 3: cr_assert(ts_session_rewind(scene.session, FIRST - 1, NULL, &error)); break;
        case 4: restore(&scene); break;
        case 5: ts_session_reset(scene.session); break;
        default: break;
        }
        if (i >= 2 && i <= 4) {
            test_logits_as(scene.session, &scene.base, what[i]);
        }
        check_goes_on(&scene, what[i]);
    }
    close_scene(&scene);
}

/* The chunk is complete when its logits are shown, so it counts, with the logits of its end. */
Test(session_failure, failure_of_the_logits_callback)
{
    struct scene scene = open_scene(true);
    for (int shown = 1; shown <= 20; shown += 19) {
        struct fuse fuse = {.countdown = shown};
        restore(&scene);
        ts_session_set_logits_fn(scene.session, fail_in_logits, &fuse);
        check_fails(&scene, TS_ERR_CHECK, shown <= CHUNK ? CHUNK : 2 * CHUNK, "logits");
        test_logits_as(scene.session, &scene.base, "logits");
        check_goes_on(&scene, "logits");
    }
    close_scene(&scene);
}
