/* Choices between scores that float32 cannot tell apart: what is a tie, what is a wrong choice, and that
 * a trace with one is judged as strictly as any other. */
#include "engine/check/trace_run.h"
#include "engine/gguf/write.h"
#include "tests/support/golden.h"

#include <sys/stat.h>
#include <unistd.h>

TestSuite(metal_ties, .fini = test_free_all);

Test(metal_ties, what_differs)
{
    static const double scores[] = {4, 1, 2 - 1e-7, 2, 3, -8};
    static const struct {
        int32_t chosen[3], reference[3];
        bool differs;
        int32_t worst;
        double gap; /* of the largest magnitude, 8 */
    } cases[] = {
        {{0, 3, 4}, {0, 4, 3}, false, 0, 0},
        {{0, 2, 4}, {0, 4, 3}, true, 2, 1e-7 / 8},
        {{0, 1, 4}, {0, 4, 3}, true, 1, 1.0 / 8},
        {{5, 2, 4}, {0, 4, 3}, true, 5, 10.0 / 8},
        {{0, 4, 4}, {0, 4, 3}, true, 4, INFINITY},
        {{0, 4, 6}, {0, 4, 3}, true, 6, INFINITY},
        {{0, 4, -2}, {0, 4, 3}, true, -2, INFINITY},
        {{0, -1, -1}, {-1, 0, -1}, false, 0, 0},
        {{0, 1, -1}, {0, -1, -1}, true, 0, INFINITY},
        {{-1, -1, -1}, {0, -1, -1}, true, -1, INFINITY},
    };
    for (unsigned i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        int32_t worst = 99;
        double gap = -1;
        bool differs =
            ts_choice_differs(scores, 6, cases[i].chosen, cases[i].reference, 3, &worst, &gap);
        cr_expect(differs == cases[i].differs, "case %u", i);
        cr_expect(!differs || (worst == cases[i].worst &&
                               (gap == cases[i].gap || fabs(gap - cases[i].gap) < 1e-15)),
                  "case %u: %d, gap %g", i, (int)worst, gap);
    }
}

/* A trace of class exact with these logits, those of one position multiplied by a factor. */
static void write_trace(const char *path, const struct test_golden *golden,
                        const struct test_logits *kept, uint64_t position, float factor)
{
    struct ts_error error = {.message = ""};
    struct ts_gguf_writer *w = ts_gguf_writer_open(path, &error);
    ts_gguf_put_bool(w, "golden.kv_rounding", false);
    ts_gguf_put_text(w, "golden.class", "exact");
    ts_gguf_declare(w, "tokens", TS_I32, 1, &kept->positions);
    ts_gguf_declare(w, "logits", TS_F32, 2, (uint64_t[]){kept->vocab, kept->positions});
    ts_gguf_write_data(w, golden->tokens, kept->positions * sizeof *golden->tokens);
    for (uint64_t i = 0; i < kept->positions * kept->vocab; i++) {
        float logit = (float)kept->rows[i] * (i / kept->vocab == position ? factor : 1);
        ts_gguf_write_data(w, &logit, sizeof logit);
    }
    cr_assert(ts_gguf_writer_close(w, &error), "%s", error.message);
}

static struct ts_trace_result run(const struct test_golden *golden, const struct test_logits *kept,
                                  uint64_t position, float factor)
{
    struct ts_trace_options options = {.device = "metal", .threads = 1};
    struct ts_trace_result result;
    struct ts_error error = {.message = ""};
    char path[64];
    mkdir("build", 0777);
    mkdir("build/tmp", 0777);
    snprintf(path, sizeof path, "build/tmp/ties-%ld.gguf", (long)getpid());
    write_trace(path, golden, kept, position, factor);
    struct ts_trace *trace = ts_trace_open(path, golden->model, &error);
    cr_assert(trace && ts_trace_run(golden->model, trace, &options, &result, &error), "%s",
              error.message);
    ts_trace_close(trace);
    unlink(path);
    ts_trace_result_free(&result);
    return result;
}

/* At position 391 of this trace, without the round trips of KV rows, two scores are one part in 10^7
 * apart: which is higher on a device that stores float32 is up to the order of its sums. */
Test(metal_ties, trace_with_a_tie)
{
    enum { TIE = 391 };
    struct test_golden golden = test_golden_open("topk-q2", "topk-q2");
    struct ts_session_options options = {.chunk = TIE + 1, .kv_rounding_off = true};
    struct test_logits kept = test_run_trace(&golden, options, TIE + 1);
    struct ts_trace_result result = run(&golden, &kept, 0, 1);
    const struct ts_ties *ties = &result.ties;
    cr_expect(result.pass && result.logits.compared == TIE + 1 && result.logits.worst <= 1e-5, "%s",
              result.reason);
    cr_expect(!ties->wrong && ties->positions == ties->count && ties->count <= 1,
              "%llu ties at %llu positions", (unsigned long long)ties->count,
              (unsigned long long)ties->positions);
    cr_expect(ties->count == 0 ||
                  (ties->wide.position == TIE && ties->wide.gap <= 1e-6 && ties->before > 1e-4),
              "position %llu, gap %g", (unsigned long long)ties->wide.position, ties->wide.gap);

    /* Logits that the reference does not have are wrong, tie or not. */
    result = run(&golden, &kept, TIE, 1.001f);
    cr_expect(!result.pass && result.ties.positions == 0 && strstr(result.reason, "logits: worst"),
              "%s", result.reason);
    test_golden_close(&golden);
}
