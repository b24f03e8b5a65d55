/* Whole models on the Metal device: a trace of class exact by every way of running it, how many launches
 * a step of decoding takes, and that nothing is made once it is warm. */
#include "engine/check/bisect.h"
#include "engine/check/far.h"
#include "tests/support/golden.h"
#include "tests/support/software.h"

TestSuite(metal_model, .fini = test_free_all);

/* Every position of a trace of class exact within the bound of a device that stores float32. */
static void check_trace(uint32_t chunk, bool unfused)
{
    struct test_golden golden = test_golden_open("tiny-q2", "tiny-q2.norounding");
    struct ts_session_options options = {
        .device = "metal", .chunk = chunk, .unfused = unfused, .kv_rounding_off = true};
    struct test_logits kept = test_run_trace(&golden, options, golden.count);
    double worst = 0;
    for (uint64_t p = 0; p < golden.count; p++) {
        double error = test_golden_error(&golden, p, kept.rows + p * kept.vocab);
        cr_assert(error <= 1e-5, "chunk %u%s: position %llu is off by %g", chunk,
                  unfused ? ", unfused" : "", (unsigned long long)p, error);
        worst = fmax(worst, error);
    }
    cr_log_info("chunk %u, unfused %d: worst %g\n", chunk, unfused, worst);
    cr_expect(worst > 1e-9, "float32 cannot be that exact: %g", worst);
    test_golden_close(&golden);
}

Test(metal_model, trace_in_chunks_of_7)
{
    check_trace(7, false);
}

Test(metal_model, trace_in_chunks_of_7_unfused)
{
    check_trace(7, true);
}

Test(metal_model, trace_in_chunks_of_128)
{
    check_trace(128, false);
}

Test(metal_model, trace_in_chunks_of_128_unfused)
{
    check_trace(128, true);
}

/* ---- launches -------------------------------------------------------------------------------- */

/* Each layer begins with one hc_pre_norm and has another in its middle. */
struct launches {
    struct ts_device *device;
    unsigned starts;    /* hc_pre_norm operations of this step so far */
    uint64_t before;    /* launches until the last observation */
    uint64_t of[4];     /* by layer */
    uint64_t beside[2]; /* before the layers, behind them */
};

static uint64_t launched(struct ts_device *device)
{
    struct ts_device_counters counters;
    uint64_t sum = 0;
    ts_device_counters(device, &counters);
    for (unsigned i = 0; i < TS_KERNEL_COUNT; i++) {
        sum += counters.kernel_launches[i];
    }
    return sum + counters.copies;
}

static void attribute(struct launches *l)
{
    uint64_t now = launched(l->device);
    if (l->starts == 0) {
        l->beside[0] += now - l->before;
    } else if (l->starts <= 8) {
        l->of[(l->starts - 1) / 2] += now - l->before;
    } else {
        l->beside[1] += now - l->before;
    }
    l->before = now;
}

static bool observe(void *context, enum ts_op op, const void *args, const struct ts_slice *slices,
                    struct ts_error *error)
{
    struct launches *l = context;
    (void)args;
    (void)slices;
    (void)error;
    attribute(l);
    if (op == TS_OP_hc_pre_norm) {
        l->starts++;
    } else if (op == TS_OP_head_collapse) {
        l->starts = 9;
    }
    return true;
}

/* Means over 128 steps from position 256, weighted by the real model's layers. A general engine's graph
 * has about 180 nodes a layer. */
Test(metal_model, launches_of_a_decode_step)
{
    enum { FROM = 256, STEPS = 128 };
    struct test_golden golden = test_golden_open("topk-q2", "topk-q2");
    const struct ts_config *c = &golden.model->config;
    struct ts_session_options options = {.device = "metal", .context = FROM + STEPS};
    struct ts_session *session = test_session_open(golden.model, options);
    struct launches l = {.device = ts_session_device(session)};
    cr_assert(c->layers == 4 && c->ratio[0] == 0 && c->ratio[1] == 4 && c->ratio[2] == 128 &&
              c->ratio[3] == 4);
    test_feed(session, golden.tokens, FROM);
    l.before = launched(l.device);
    ts_device_set_observer(l.device, observe, &l);
    for (uint64_t p = FROM; p < FROM + STEPS; p++) {
        l.starts = 0;
        test_feed(session, golden.tokens + p, 1);
        attribute(&l);
    }
    double by_ratio[3] = {(double)l.of[0] / STEPS, (double)(l.of[1] + l.of[3]) / (2 * STEPS),
                          (double)l.of[2] / STEPS};
    double mean = (2 * by_ratio[0] + 21 * by_ratio[1] + 20 * by_ratio[2]) / 43;
    cr_log_info("launches a layer: %g, %g, %g by ratio 0, 4, 128; mean %g; %g beside the layers\n",
                by_ratio[0], by_ratio[1], by_ratio[2], mean,
                (double)(l.beside[0] + l.beside[1]) / STEPS);
    cr_expect(by_ratio[1] <= 24, "%g launches a layer of ratio 4", by_ratio[1]);
    cr_expect(mean <= 20, "%g launches a layer", mean);
    cr_expect(by_ratio[0] >= 8 && l.beside[0] == STEPS && l.beside[1] >= 2 * STEPS,
              "counted too little: %g, %llu, %llu", by_ratio[0], (unsigned long long)l.beside[0],
              (unsigned long long)l.beside[1]);
    ts_session_close(session);
    test_golden_close(&golden);
}

/* At most two command buffers a token, and after every kind of step was seen once (a block of 128 ends
 * every 128 tokens) neither buffers nor pipelines are made. */
/* A GPU that is kept busy for long is interrupted: a chunk of a prefill is several command buffers, and all
 * buffers are asked for when the session opens. A single token is one. */
Test(metal_model, prefill_is_handed_over_in_parts)
{
    struct test_golden golden = test_golden_open("tiny-q2", "tiny-q2.norounding");
    struct ts_session *session = test_session_open(
        golden.model, (struct ts_session_options){
                          .device = "metal", .context = 64, .chunk = 16, .kv_rounding_off = true});
    struct ts_device *device = ts_session_device(session);
    struct ts_device_counters opened, prefilled, decoded;
    ts_device_counters(device, &opened);
    test_feed(session, golden.tokens, 32);
    ts_device_counters(device, &prefilled);
    test_feed(session, golden.tokens + 32, 1);
    ts_device_counters(device, &decoded);
    cr_expect_eq(golden.model->config.layers, 4);
    cr_expect_eq(prefilled.submits - opened.submits, 2 * 2); /* two chunks, two layers each time */
    cr_expect_eq(decoded.submits - prefilled.submits, 1);
    cr_expect_eq(decoded.residency_requests, opened.residency_requests);
    cr_expect(opened.residency_requests == 1 || !test_device_is_software());
    ts_session_close(session);
    test_golden_close(&golden);
}

Test(metal_model, warm_steps_make_nothing)
{
    enum { STEPS = 16 };
    struct test_golden golden = test_golden_open("topk-q2", "topk-q2");
    struct ts_session_options options = {.device = "metal", .context = 300, .chunk = 64};
    struct ts_session *session = test_session_open(golden.model, options);
    struct ts_device_counters warm, after;
    test_feed(session, golden.tokens, 120);
    for (uint64_t p = 120; p < 136; p++) { /* one block of 128 ends */
        test_feed(session, golden.tokens + p, 1);
    }
    test_feed(session, golden.tokens + 136, 112);
    ts_device_counters(ts_session_device(session), &warm);
    for (uint64_t p = 248; p < 248 + STEPS; p++) { /* the next ends */
        test_feed(session, golden.tokens + p, 1);
    }
    ts_device_counters(ts_session_device(session), &after);
    cr_expect(after.pipelines == warm.pipelines, "%llu pipelines made",
              (unsigned long long)(after.pipelines - warm.pipelines));
    cr_expect(after.buffers == warm.buffers && warm.buffers > 0);
    cr_expect(after.submits - warm.submits <= 2 * STEPS && after.submits > warm.submits);
    ts_session_close(session);
    test_golden_close(&golden);
}

/* ---- greedy texts ---------------------------------------------------------------------------- */

static uint64_t largest(const double *values, uint64_t count)
{
    uint64_t best = 0;
    for (uint64_t i = 1; i < count; i++) {
        best = values[i] > values[best] ? i : best;
    }
    return best;
}

/* By how much two devices' logits may be apart before their choices do: 4 times their distance, which is
 * relative, times the root mean square of the logits (docs/golden-files.md). */
static double tie_width(const double *reference, const double *logits, uint64_t vocab)
{
    double distance = 0, squares = 0;
    for (uint64_t i = 0; i < vocab; i++) {
        distance += (logits[i] - reference[i]) * (logits[i] - reference[i]);
        squares += reference[i] * reference[i];
    }
    return 4 * sqrt(distance / squares) * sqrt(squares / (double)vocab);
}

/* Continues prompts on both devices: where their texts part, the reference's logits of both tokens are a
 * tie. Returns the tokens that both have. */
static uint64_t follow_greedily(const struct test_golden *golden, uint64_t prompt, uint64_t most,
                                bool rounding)
{
    struct ts_session_options options = {.context = prompt + most, .kv_rounding_off = !rounding};
    struct ts_session *reference = test_session_open(golden->model, options);
    options.device = "metal";
    struct ts_session *metal = test_session_open(golden->model, options);
    test_feed(reference, golden->tokens, prompt);
    test_feed(metal, golden->tokens, prompt);
    uint64_t same = 0;
    for (bool parted = false; same < most && !parted; same += !parted) {
        const double *want = ts_session_logits(reference), *got = ts_session_logits(metal);
        uint64_t vocab = golden->vocab, a = largest(want, vocab), b = largest(got, vocab);
        double width = tie_width(want, got, vocab);
        cr_expect(width < 0.1, "token %llu: %g", (unsigned long long)same, width);
        cr_expect(want[a] - want[b] <= width, "token %llu: %llu is %.9g, %llu %.9g, a tie %.3g",
                  (unsigned long long)same, (unsigned long long)a, want[a], (unsigned long long)b,
                  want[b], width);
        parted = a != b;
        if (!parted) {
            const int32_t next = (int32_t)a;
            test_feed(reference, &next, 1);
            test_feed(metal, &next, 1);
        }
    }
    ts_session_close(reference);
    ts_session_close(metal);
    return same;
}

Test(metal_model, greedy_texts_part_at_ties_only)
{
    struct test_golden golden = test_golden_open("topk-q2", "topk-q2");
    uint64_t rounded = follow_greedily(&golden, 90, 40, true);
    uint64_t exact = follow_greedily(&golden, 60, 20, false);
    cr_log_info("%llu and %llu tokens are the same\n", (unsigned long long)rounded,
                (unsigned long long)exact);
    cr_expect(exact == 20, "without round trips 20 tokens are the same, not %llu",
              (unsigned long long)exact);
    test_golden_close(&golden);
}

/* ---- long contexts and search ---------------------------------------------------------------- */

/* One step of each layer kind behind a KV state from a seed: at the last position of a million, where
 * offsets are largest and blocks of 4 and of 128 end, and at one of 131,072 where none ends. */
Test(metal_model, far_positions)
{
    struct test_golden golden = test_golden_open("topk-q2", "topk-q2");
    const struct ts_far_options at[] = {
        {.threads = 1, .position = 1048575, .seed = 5},
        {.threads = 1, .position = 131073, .seed = 6, .unfused = true},
    };
    for (size_t i = 0; i < sizeof at / sizeof *at; i++) {
        struct ts_far_result result;
        struct ts_error error = {0};
        cr_assert(ts_far_check(golden.model, &at[i], &result, &error), "%s", error.message);
        cr_expect(result.pass && result.compared == 4 * 4 * 256 + 512,
                  "position %llu: logits %g, layer %u %g", (unsigned long long)at[i].position,
                  result.logits, result.worst_layer, result.worst_layer_error);
        cr_expect(result.logits > 1e-9 && result.kv_bytes > 1e8);
    }
    test_golden_close(&golden);
}

/* A wrong kernel in the middle of a model is named; without it nothing is. */
Test(metal_model, bisection_names_the_wrong_kernel)
{
    enum { TOKENS = 6 }; /* a block of 4 ends */
    const char *folder = "build/tmp/wrong-kernels";
    struct test_golden golden = test_golden_open("tiny-q2", "tiny-q2");
    struct ts_error error = {0};
    struct ts_trace *trace = ts_trace_open("tests/data/tiny-q2.trace.gguf", golden.model, &error);
    struct ts_bisect_options options = {.threads = 1, .chunk = 3};
    struct ts_bisect_result result;
    cr_assert(trace != NULL, "%s", error.message);
    trace->tokens = TOKENS;
    cr_assert(ts_bisect(golden.model, trace, &options, &result, &error), "%s", error.message);
    cr_expect(!result.found && result.operations > 100 && result.compared > 100000, "%s",
              result.what);
    cr_assert(system("tools/embed-kernels.sh --flat build/tmp/wrong-kernels kernels/*.metal && "
                     "sed -i.old 's/rsqrt(mean/rsqrt(1.0001f * mean/' "
                     "build/tmp/wrong-kernels/norm.metal") == 0);
    options.kernels = folder;
    cr_assert(ts_bisect(golden.model, trace, &options, &result, &error), "%s", error.message);
    cr_expect(result.found && result.op == TS_OP_rms_norm, "%s", ts_op_info(result.op)->name);
    cr_expect(strcmp(result.kernels, "rms_norm") == 0, "%s", result.kernels);
    cr_expect(strcmp(result.tensor, "blk.0.attn_q_a_norm.weight") == 0, "%s", result.tensor);
    cr_expect(system("rm -r build/tmp/wrong-kernels") == 0);
    ts_trace_close(trace);
    test_golden_close(&golden);
}

/* ---- failures -------------------------------------------------------------------------------- */

/* A step that the GPU ends early leaves the session as it was before it. Prefill gives it two layers of four
 * at a time: `which` command buffer is of tokens 24 to 31. */
static void fail_in_a_step(const char *which)
{
    TEST_NEEDS_SOFTWARE("fails on request");
    struct test_golden golden = test_golden_open("tiny-q2", "tiny-q2.norounding");
    struct ts_session_options options = {
        .device = "metal", .context = 64, .chunk = 8, .kv_rounding_off = true};
    setenv("SOFTMETAL_FAULT", which, 1);
    struct ts_session *session = test_session_open(golden.model, options);
    struct ts_error error = {0};
    cr_assert(!ts_session_feed(session, golden.tokens, 40, &error));
    cr_expect(strstr(error.message, "the work failed") && strstr(error.hint, "--chunk"), "%s",
              error.message);
    cr_expect(ts_session_length(session) == 24);
    test_feed(session, golden.tokens + 24, 16);
    double off = test_golden_error(&golden, 39, ts_session_logits(session));
    cr_expect(off <= 1e-5, "off by %g after the failure", off);
    ts_session_close(session);
    test_golden_close(&golden);
}

Test(metal_model, a_step_that_fails_at_its_beginning_leaves_the_session)
{
    fail_in_a_step("timeout:7");
}

Test(metal_model, a_step_that_fails_at_its_end_leaves_the_session)
{
    fail_in_a_step("timeout:8");
}

/* What a session of these options needs of a device at once. */
static uint64_t need_of(const struct test_golden *golden, const struct ts_session_options *options)
{
    struct ts_session_options resolved = *options;
    struct ts_session_plan plan;
    struct ts_error error = {0};
    cr_assert(ts_session_resolve(golden->model, &resolved, &error) &&
                  ts_session_plan(golden->model, &resolved, &plan, &error),
              "%s", error.message);
    return plan.weights + plan.kv + plan.activations;
}

/* Opens a session where the working set has `more` bytes than it needs. */
static void expect_session(int64_t more, bool opens)
{
    TEST_NEEDS_SOFTWARE("takes a working set");
    struct test_golden golden = test_golden_open("tiny-q2", "tiny-q2.norounding");
    struct ts_session_options options = {
        .device = "metal", .context = 64, .chunk = 8, .threads = 1};
    struct ts_error error = {0};
    char bytes[32];
    snprintf(bytes, sizeof bytes, "%lld", (long long)need_of(&golden, &options) + (long long)more);
    setenv("SOFTMETAL_WORKING_SET", bytes, 1);
    struct ts_session *session = ts_session_open(golden.model, &options, &error);
    cr_assert((session != NULL) == opens, "with %lld bytes more than it needs: %s", (long long)more,
              session ? "opened" : error.message);
    cr_expect(opens || (error.code == TS_ERR_ENVIRONMENT && strstr(error.message, bytes)), "%s",
              error.message);
    ts_session_close(session);
    test_golden_close(&golden);
}

Test(metal_model, a_working_set_that_is_just_enough)
{
    expect_session(0, true);
}

Test(metal_model, a_working_set_a_byte_too_small)
{
    expect_session(-1, false);
}

Test(metal_model, too_large_for_the_working_set)
{
    TEST_NEEDS_SOFTWARE("takes a working set");
    struct test_golden golden = test_golden_open("tiny-q2", "tiny-q2.norounding");
    struct ts_session_options options = {.device = "metal"};
    struct ts_error error = {0};
    setenv("SOFTMETAL_WORKING_SET", "8M", 1);
    cr_assert(!ts_session_open(golden.model, &options, &error));
    cr_expect(error.code == TS_ERR_ENVIRONMENT && strstr(error.message, "working set") &&
                  strstr(error.message, "tiny-q2.gguf"),
              "%s", error.message);
    test_golden_close(&golden);
}
