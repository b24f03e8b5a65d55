/* The generation loop: what it draws, when it ends, what it tells, and what it refuses. */
#include "engine/session/generate.h"
#include "engine/session/logits_dump.h"
#include "base/memory_usage.h"
#include "tests/support/golden.h"

#include <sys/stat.h>
#include <unistd.h>

TestSuite(generate, .fini = test_free_all);

enum { MOST = 64 };

struct path {
    char text[64];
};

/* Below build/tmp, one for each process and name. */
static struct path own_path(const char *name)
{
    struct path path;
    mkdir("build", 0777);
    mkdir("build/tmp", 0777);
    snprintf(path.text, sizeof path.text, "build/tmp/generate-%d-%s", (int)getpid(), name);
    return path;
}

/* What a generation gave. */
struct story {
    int32_t ids[MOST];
    unsigned count;
    unsigned stop_at; /* stop is asked for when so many are drawn; 0: never */
    unsigned fail_at; /* the callback fails at this one; 0: never */
    unsigned asked;
    struct ts_generation done;
    struct ts_error error;
};

static bool take(void *context, int32_t id, const double *logits, struct ts_error *error)
{
    struct story *story = context;
    cr_assert(logits != NULL && story->count < MOST);
    story->ids[story->count++] = id;
    return story->count != story->fail_at ||
           ts_fail(error, TS_ERR_ENVIRONMENT, NULL, "nobody listens");
}

static bool stop(void *context)
{
    struct story *story = context;
    story->asked++;
    return story->stop_at > 0 && story->count >= story->stop_at;
}

static bool tell(struct ts_session *session, struct ts_sampling sampling, const int32_t *prompt,
                 uint64_t count, struct ts_generate_options options, struct story *story)
{
    struct ts_sampler *sampler = ts_sampler_open(&sampling, 512, &story->error);
    cr_assert(sampler, "%s", story->error.message);
    options.token_fn = take;
    options.stop_fn = stop;
    options.token_context = options.stop_context = story;
    story->count = story->asked = 0;
    bool ok = ts_generate(session, sampler, prompt, count, &options, &story->done, &story->error);
    ts_sampler_close(sampler);
    return ok;
}

static const struct ts_sampling greedy = {.temperature = 0, .top_p = 1};

/* The same ids whatever the chunk and the number of threads, greedy and drawn; another seed gives
 * others. The first greedy one is the largest logit of the golden trace. */
Test(generate, same_seed_same_ids)
{
    struct test_golden golden = test_golden_open("tiny-q2", "tiny-q2");
    static const struct {
        uint32_t chunk;
        unsigned threads;
        uint64_t seed;
        bool same;
    } cases[] = {{128, 2, 5, true}, {1, 1, 5, true}, {128, 2, 6, false}};
    struct story first[2] = {{.count = 0}};
    for (unsigned i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct ts_session_options options = {
            .context = 200, .chunk = cases[i].chunk, .threads = cases[i].threads};
        struct ts_session *session = test_session_open(golden.model, options);
        for (int drawn = 0; drawn < 2; drawn++) {
            struct ts_sampling sampling = {.temperature = drawn, .top_p = 1, .seed = cases[i].seed};
            struct story story = {.count = 0};
            ts_session_reset(session);
            cr_assert(tell(session, sampling, golden.tokens, 140,
                           (struct ts_generate_options){.tokens = 12, .end = -1}, &story),
                      "%s", story.error.message);
            cr_expect(story.count == 12 && story.done.tokens == 12);
            cr_expect(story.done.finish == TS_FINISH_LENGTH && story.done.prompt_tokens == 140);
            cr_expect_eq(ts_session_length(session), 151, "the last token is not fed");
            if (i == 0) {
                first[drawn] = story;
            }
            bool equal = memcmp(first[drawn].ids, story.ids, sizeof story.ids) == 0;
            cr_expect_eq(equal, cases[i].same || !drawn, "chunk %u, seed %llu, temperature %d",
                         cases[i].chunk, (unsigned long long)cases[i].seed, drawn);
        }
        ts_session_close(session);
    }
    const float *logits = golden.logits + 139 * golden.vocab;
    for (uint64_t i = 0; i < golden.vocab; i++) {
        cr_assert(logits[i] <= logits[first[0].ids[0]], "id %d is not the likeliest",
                  first[0].ids[0]);
    }
    test_golden_close(&golden);
}

/* Feeding back: the ids are those of feeding the whole sequence again, token by token. */
Test(generate, tokens_are_fed_back)
{
    struct test_golden golden = test_golden_open("tiny-q2", "tiny-q2");
    struct ts_session *session =
        test_session_open(golden.model, (struct ts_session_options){.context = 64});
    struct story story = {.count = 0};
    cr_assert(tell(session, greedy, golden.tokens, 10,
                   (struct ts_generate_options){.tokens = 6, .end = -1, .feed_last = true},
                   &story));
    cr_expect_eq(ts_session_length(session), 16, "the last token is fed");
    cr_expect(memcmp(ts_session_tokens(session), golden.tokens, 40) == 0);
    cr_expect(memcmp(ts_session_tokens(session) + 10, story.ids, 24) == 0);
    int32_t all[16];
    memcpy(all, ts_session_tokens(session), sizeof all);
    for (uint64_t length = 10; length < 16; length++) {
        struct story again = {.count = 0};
        ts_session_reset(session);
        cr_assert(tell(session, greedy, all, length,
                       (struct ts_generate_options){.tokens = 1, .end = -1}, &again));
        cr_expect_eq(again.ids[0], all[length], "position %d", (int)length);
    }
    ts_session_close(session);
    test_golden_close(&golden);
}

/* Every way to end, with what it leaves behind. */
Test(generate, ends)
{
    struct test_golden golden = test_golden_open("tiny-q2", "tiny-q2");
    struct story told = {.count = 0};
    struct ts_session *session =
        test_session_open(golden.model, (struct ts_session_options){.context = 20, .chunk = 4});
    cr_assert(tell(session, greedy, golden.tokens, 10,
                   (struct ts_generate_options){.tokens = 8, .end = -1}, &told));
    int32_t third = told.ids[2];
    unsigned at = told.ids[0] == third ? 1 : told.ids[1] == third ? 2 : 3;
    struct {
        uint64_t prompt, tokens;
        int32_t end;
        unsigned stop_at;
        enum ts_finish finish;
        uint64_t drawn, length;
    } cases[] = {
        {10, 8, -1, 0, TS_FINISH_LENGTH, 8, 17},       {10, 0, -1, 0, TS_FINISH_LENGTH, 0, 10},
        {10, 8, third, 0, TS_FINISH_STOP, at, 9 + at}, {10, 10, -1, 0, TS_FINISH_LENGTH, 10, 19},
        {10, 11, -1, 0, TS_FINISH_CONTEXT, 10, 19},    {20, 5, -1, 0, TS_FINISH_CONTEXT, 0, 20},
        {19, 5, -1, 0, TS_FINISH_CONTEXT, 1, 19},      {10, 8, -1, 4, TS_FINISH_INTERRUPTED, 4, 13},
    };
    for (unsigned i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct story story = {.stop_at = cases[i].stop_at};
        struct ts_generate_options options = {.tokens = cases[i].tokens, .end = cases[i].end};
        ts_session_reset(session);
        cr_assert(tell(session, greedy, golden.tokens, cases[i].prompt, options, &story),
                  "case %u: %s", i, story.error.message);
        cr_expect_eq(story.done.finish, cases[i].finish, "case %u: %s", i,
                     ts_finish_name(story.done.finish));
        cr_expect_eq(story.done.tokens, cases[i].drawn, "case %u", i);
        cr_expect_eq(story.count, cases[i].drawn, "case %u", i);
        cr_expect_eq(ts_session_length(session), cases[i].length, "case %u", i);
        cr_expect(story.asked > 0, "case %u", i); /* between the chunks of the prompt at least */
    }
    ts_session_close(session);
    test_golden_close(&golden);
}

static bool stop_at_once(void *context)
{
    (void)context;
    return true;
}

/* Interrupted in the prompt: what was fed stays, and nothing is drawn. */
Test(generate, interrupted_prefill)
{
    struct test_golden golden = test_golden_open("tiny-q2", "tiny-q2");
    struct ts_session *session =
        test_session_open(golden.model, (struct ts_session_options){.context = 64, .chunk = 8});
    struct ts_error error = {0};
    struct ts_sampler *sampler = ts_sampler_open(&greedy, 512, &error);
    struct ts_generate_options options = {.tokens = 8, .end = -1, .stop_fn = stop_at_once};
    struct ts_generation done;
    cr_assert(ts_generate(session, sampler, golden.tokens, 40, &options, &done, &error));
    cr_expect(done.finish == TS_FINISH_INTERRUPTED && done.tokens == 0);
    cr_expect(done.prompt_tokens == 8 && ts_session_length(session) == 8);
    cr_expect(done.first_ns == 0 && ts_generation_speed(&done) == 0);
    cr_expect(ts_generation_prefill_speed(&done) > 0);
    cr_expect(ts_session_feed(session, golden.tokens, 40, &error), "the stop callback is gone");
    ts_sampler_close(sampler);
    ts_session_close(session);
    test_golden_close(&golden);
}

Test(generate, refusals)
{
    struct test_golden golden = test_golden_open("tiny-q2", "tiny-q2");
    struct ts_session *session =
        test_session_open(golden.model, (struct ts_session_options){.context = 16});
    const int32_t strange[2] = {1, 512}, negative[1] = {-1};
    const struct {
        const int32_t *prompt;
        uint64_t count;
        unsigned fail_at;
        enum ts_code code;
        uint64_t drawn;
    } cases[] = {{golden.tokens, 0, 0, TS_ERR_INPUT, 0},
                 {golden.tokens, 17, 0, TS_ERR_INPUT, 0},
                 {strange, 2, 0, TS_ERR_INPUT, 0},
                 {negative, 1, 0, TS_ERR_INPUT, 0},
                 {golden.tokens, 4, 2, TS_ERR_ENVIRONMENT, 2}};
    for (unsigned i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct story story = {.fail_at = cases[i].fail_at};
        ts_session_reset(session);
        cr_assert(!tell(session, greedy, cases[i].prompt, cases[i].count,
                        (struct ts_generate_options){.tokens = 4, .end = -1}, &story),
                  "case %u", i);
        cr_expect_eq(story.error.code, cases[i].code, "case %u: %s", i, story.error.message);
        cr_expect_eq(story.done.tokens, cases[i].drawn, "case %u", i);
    }
    ts_session_close(session);
    test_golden_close(&golden);
}

/* Times fit together: the parts are within the whole, and speeds follow from them. */
Test(generate, times)
{
    struct test_golden golden = test_golden_open("tiny-q2", "tiny-q2");
    struct ts_session *session =
        test_session_open(golden.model, (struct ts_session_options){.context = 64});
    struct story story = {.count = 0};
    cr_assert(tell(session, greedy, golden.tokens, 20,
                   (struct ts_generate_options){.tokens = 5, .end = -1}, &story));
    const struct ts_generation *done = &story.done;
    cr_expect(done->prefill_ns > 0 && done->first_ns >= done->prefill_ns &&
              done->generation_ns > 0);
    cr_expect_float_eq(ts_generation_prefill_speed(done) * (double)done->prefill_ns, 20e9, 1);
    cr_expect_float_eq(ts_generation_speed(done) * (double)done->generation_ns, 4e9, 1);
    const struct ts_generation one = {.tokens = 1, .generation_ns = 5};
    cr_expect(ts_generation_speed(&one) == 0, "one token has no generation speed");
    ts_session_close(session);
    test_golden_close(&golden);
}

/* The dump holds the logits of the golden trace, and its class is what the model makes it. */
Test(generate, dump)
{
    static const struct {
        const char *model, *trace, *class;
        bool rounding;
    } cases[] = {{"tiny-q2", "tiny-q2", "rounding", true},
                 {"tiny-q2", "tiny-q2.norounding", "exact", false},
                 {"topk-q2", "topk-q2", "selection", true}};
    enum { POSITIONS = 90 };
    for (unsigned i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct test_golden golden = test_golden_open(cases[i].model, cases[i].trace);
        struct path path = own_path("dump.gguf");
        struct ts_error error = {0};
        struct ts_session *session = test_session_open(
            golden.model, (struct ts_session_options){.every_logit = true,
                                                      .chunk = 32,
                                                      .kv_rounding_off = !cases[i].rounding});
        struct ts_logits_dump *dump =
            ts_logits_dump_open(path.text, golden.model->config.vocab, &error);
        cr_assert(dump, "%s", error.message);
        cr_expect_neq(access(path.text, F_OK), 0, "nothing is there before the end");
        ts_session_set_logits_fn(session, ts_logits_dump_add, dump);
        cr_assert(ts_session_feed(session, golden.tokens, POSITIONS, &error));
        cr_assert(ts_logits_dump_finish(dump, golden.model, cases[i].rounding,
                                        ts_session_tokens(session), &error),
                  "%s", error.message);
        struct ts_gguf *file = ts_gguf_open(path.text, &error);
        cr_assert(file, "%s", error.message);
        const struct ts_gguf_tensor *tokens = ts_gguf_find_tensor(file, "tokens");
        const struct ts_gguf_tensor *logits = ts_gguf_find_tensor(file, "logits");
        struct ts_text class;
        bool rounding;
        cr_assert(tokens && tokens->format == TS_I32 && tokens->shape[0] == POSITIONS);
        cr_assert(logits && logits->format == TS_F32 && logits->shape[0] == golden.vocab &&
                  logits->shape[1] == POSITIONS);
        cr_expect(ts_gguf_get_text(file, "golden.class", &class, &error) &&
                      ts_text_equals(class, cases[i].class),
                  "%s", cases[i].trace);
        cr_expect(ts_gguf_get_bool(file, "golden.kv_rounding", &rounding, &error) &&
                  rounding == cases[i].rounding);
        cr_expect(memcmp(ts_gguf_tensor_data(file, tokens), golden.tokens, POSITIONS * 4) == 0);
        const float *values = ts_gguf_tensor_data(file, logits);
        for (uint64_t position = 0; position < POSITIONS; position++) {
            double row[512];
            for (uint64_t id = 0; id < golden.vocab; id++) {
                row[id] = (double)values[position * golden.vocab + id];
            }
            double wrong = test_golden_error(&golden, position, row);
            cr_assert(wrong <= 1e-6, "%s: position %d: %g", cases[i].trace, (int)position, wrong);
        }
        ts_gguf_close(file);
        unlink(path.text);
        ts_logits_dump_close(dump);
        ts_session_close(session);
        test_golden_close(&golden);
    }
}

Test(generate, dump_refusals)
{
    struct ts_error error = {0};
    double row[3] = {0, NAN, 1};
    cr_expect(!ts_logits_dump_open("build/none/x.gguf", 3, &error) &&
              error.code == TS_ERR_ENVIRONMENT);
    cr_expect(!ts_logits_dump_open("tests", 3, &error) && error.code == TS_ERR_ENVIRONMENT);
    struct path path = own_path("refused.gguf");
    struct ts_logits_dump *dump = ts_logits_dump_open(path.text, 3, &error);
    cr_assert(dump, "%s", error.message);
    cr_expect(!ts_logits_dump_add(dump, 1, row, &error) && error.code == TS_ERR_INPUT);
    cr_expect(!ts_logits_dump_add(dump, 0, row, &error) && error.code == TS_ERR_CHECK);
    cr_expect(!ts_logits_dump_finish(dump, NULL, true, NULL, &error), "no position was added");
    ts_logits_dump_close(dump);
    cr_expect_neq(access(path.text, F_OK), 0);
}

/* Touched pages count, and the peak stays when they go. */
Test(generate, memory)
{
    enum { BYTES = 64 << 20 };
    uint64_t peak = 0;
    uint64_t before = ts_memory_anonymous();
    if (before == 0) {
        return; /* the system does not tell */
    }
    volatile char *block = malloc(BYTES);
    cr_assert(block != NULL);
    for (size_t i = 0; i < BYTES; i += 1024) {
        block[i] = 1;
    }
    ts_memory_sample(&peak);
    free((void *)block);
    cr_expect(peak >= before + BYTES * 9ull / 10, "%llu after %llu", (unsigned long long)peak,
              (unsigned long long)before);
    uint64_t high = peak;
    ts_memory_sample(&peak);
    cr_expect(peak >= high);
}

Test(generate, vocabulary_of_another_size)
{
    struct test_golden golden = test_golden_open("tiny-q2", "tiny-q2");
    struct ts_error error = {0};
    struct ts_tokenizer *tokenizer = ts_model_tokenizer(golden.model, &error);
    cr_assert(tokenizer, "%s", error.message);
    ts_tokenizer_close(tokenizer);
    golden.model->config.vocab++;
    cr_expect(!ts_model_tokenizer(golden.model, &error) && error.code == TS_ERR_INPUT);
    cr_expect(strstr(error.message, "has 512 tokens, expected 513, the model's vocabulary"), "%s",
              error.message);
    test_golden_close(&golden);
}
