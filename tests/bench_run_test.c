/* Sweeps of a small model: complete, interrupted, out of time, and of models that have no speed;
 * then the verb itself. */
#include "bench/run/record.h"
#include "bench/run/summary.h"
#include "tests/support/slow.h"

#include <cjson/cJSON.h>
#include <criterion/criterion.h>
#include <fcntl.h>
#include <math.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static const char *const MODEL = "tests/data/tiny-q2.gguf";

struct bench {
    struct ts_plan plan;
    struct ts_subject subjects[4];
    struct ts_sweep sweep;
    struct ts_folder folder;
    char path[128];
    long stop_after; /* questions; negative: never */
};

static bool stop(void *context)
{
    struct bench *b = context;
    b->stop_after -= b->stop_after > 0;
    return b->stop_after == 0; /* from then on */
}

static void make_path(char *path, size_t size, const char *name)
{
    mkdir("build", 0777);
    mkdir("build/tmp", 0777);
    snprintf(path, size, "build/tmp/bench-%s-%d", name, (int)getpid());
}

static void open_plan(struct bench *b, const char *name)
{
    struct ts_error error;
    b->stop_after = -1;
    cr_assert(ts_plan_check(&b->plan, &error), "%s", error.message);
    for (unsigned i = 0; i < ts_plan_subjects(&b->plan); i++) {
        cr_assert(ts_subject_open(b->subjects, i, &b->plan, &error), "%s", error.message);
    }
    cr_assert(ts_sweep_init(&b->sweep, &b->plan, b->subjects, &error), "%s", error.message);
    make_path(b->path, sizeof b->path, name);
    cr_assert(ts_folder_open(&b->folder, b->path, "m", "c", &error), "%s", error.message);
    cJSON *environment = cJSON_CreateObject();
    cr_assert(ts_folder_environment(&b->folder, environment, &error), "%s", error.message);
    cJSON_Delete(environment);
    b->sweep.folder = &b->folder;
    b->sweep.stop = stop;
    b->sweep.stop_context = b;
    ts_sweep_start(&b->sweep);
}

static void open_bench(struct bench *b, const char *name, const char *first, const char *second)
{
    b->plan = (struct ts_plan){.paths = {first, second},
                               .models = second ? 2 : 1,
                               .prompts = {9, 4},
                               .prompt_count = 2,
                               .gen = 3,
                               .reps = 2,
                               .seed = 3,
                               .max_seconds = 300,
                               .devices = {"reference"},
                               .device_count = 1,
                               .threads = 1,
                               .chunk = 4};
    open_plan(b, name);
}

static void agree(struct bench *b)
{
    struct ts_error error;
    cr_assert(ts_sweep_agree(&b->sweep, &error), "%s", error.message);
}

/* Measures, and reads back what was written. */
static void measure(struct bench *b, struct ts_results *results)
{
    struct ts_error error;
    cr_assert(ts_sweep_measure(&b->sweep, &error), "%s", error.message);
    cr_assert(ts_folder_close(&b->folder, &error), "%s", error.message);
    cr_assert(ts_results_read(b->path, results, &error), "%s", error.message);
    cr_expect(results->truncated_line == 0 && results->superseded == 0, "every line once, whole");
}

static void close_bench(struct bench *b, struct ts_results *results)
{
    ts_results_free(results);
    ts_folder_free(&b->folder);
    ts_sweep_free(&b->sweep);
    for (unsigned i = ts_plan_subjects(&b->plan); i > 0; i--) {
        ts_subject_close(&b->subjects[i - 1]);
    }
}

static unsigned count_status(const struct ts_results *results, enum ts_result_kind kind,
                             enum ts_result_status status)
{
    unsigned count = 0;
    for (size_t i = 0; i < results->count; i++) {
        count += results->items[i].kind == kind && results->items[i].status == status;
    }
    return count;
}

Test(bench_run, complete)
{
    struct bench b;
    struct ts_results results;
    struct ts_error error;
    open_bench(&b, "complete", MODEL, MODEL);
    cr_expect(strcmp(b.subjects[0].label, "tiny-q2") == 0);
    cr_expect(strcmp(b.subjects[1].label, "tiny-q2-2") == 0, "%s", b.subjects[1].label);
    agree(&b);
    measure(&b, &results);
    cr_expect(ts_sweep_verdict(&b.sweep, &error), "%s", error.message);
    cr_expect(results.count == 2 + 8, "%zu records", results.count);
    cr_expect(count_status(&results, TS_RESULT_AGREEMENT, TS_STATUS_PASS) == 2, "agreement");
    cr_expect(count_status(&results, TS_RESULT_SWEEP, TS_STATUS_PASS) == 8, "cells");
    unsigned seen = 0;
    for (size_t i = 0; i < results.count; i++) {
        const struct ts_result *r = &results.items[i];
        if (r->kind == TS_RESULT_AGREEMENT) {
            cr_expect(r->agreement.compared == 9 && r->agreement.rel_l2_worst <= 1e-12, "%zu", i);
            continue;
        }
        cr_expect(r->stats.n == 2 && strcmp(r->stats.stop, "reps") == 0, "record %zu", i);
        cr_expect(r->tokens == (r->phase == TS_PHASE_PREFILL ? r->prompt : 2), "record %zu", i);
        const cJSON *order = cJSON_GetObjectItem(r->json, "order"), *item;
        cJSON_ArrayForEach(item, order)
        {
            seen |= 1u << item->valueint;
        }
    }
    cr_expect(seen == 0xffff, "sixteen samples, each with its place: %x", seen);
    /* forwards and backwards: the first cell of a round is the last one of the next */
    for (unsigned i = 0; i < ts_plan_cells(&b.plan); i++) {
        const uint64_t *order = b.sweep.cells[i].series[TS_PHASE_PREFILL].order;
        cr_expect(order[0] + order[1] == 14, "cell %u: places %d and %d", i, (int)order[0],
                  (int)order[1]);
    }
    const struct ts_cell *cell = &b.sweep.cells[0];
    const struct ts_device_counters *work = &cell->series[TS_PHASE_GENERATION].work;
    cr_expect(work->flops > 0 && work->bytes_min > 0 && work->bytes_min <= work->bytes, "work");
    cr_expect(work->launches[TS_OP_embed] == 2, "two tokens, each by itself");
    cr_expect(cell->series[TS_PHASE_PREFILL].work.launches[TS_OP_embed] == 1, "a chunk of 4");
    cr_expect(cell->canary[0] > 0 && cell->canary[1] > 0, "canary");
    close_bench(&b, &results);
}

Test(bench_run, disagreement_has_no_speed)
{
    struct bench b;
    struct ts_results results;
    struct ts_error error;
    open_bench(&b, "disagreement", MODEL, MODEL);
    agree(&b);
    b.subjects[1].status = TS_STATUS_FAIL; /* as ts_agreement_met says of other numbers */
    snprintf(b.subjects[1].reason, TS_REASON, "planted");
    measure(&b, &results);
    cr_expect(count_status(&results, TS_RESULT_SWEEP, TS_STATUS_FAIL) == 4, "four cells fail");
    cr_expect(count_status(&results, TS_RESULT_SWEEP, TS_STATUS_PASS) == 4, "the others pass");
    for (size_t i = 0; i < results.count; i++) {
        const struct ts_result *r = &results.items[i];
        if (r->status == TS_STATUS_FAIL) {
            cr_expect(!r->has_stats && r->sample_count == 0, "a speed without agreement");
            cr_expect(strcmp(r->reason, "planted") == 0, "%s", r->reason);
        }
    }
    cr_expect(ts_sweep_verdict(&b.sweep, &error), "only the agreement itself sets the verdict");
    close_bench(&b, &results);
}

/* A copy of the model whose final norm has a NaN. */
static void write_broken(const char *path)
{
    struct ts_error error;
    struct ts_gguf *gguf = ts_gguf_open(MODEL, &error);
    cr_assert(gguf, "%s", error.message);
    const struct ts_gguf_tensor *norm = ts_gguf_find_tensor(gguf, "output_norm.weight");
    const float bad = NAN;
    FILE *file = fopen(path, "wb");
    cr_assert(file && norm);
    cr_assert(fwrite(gguf->data, 1, gguf->size, file) == gguf->size);
    cr_assert(fseek(file, (long)norm->offset, SEEK_SET) == 0);
    cr_assert(fwrite(&bad, sizeof bad, 1, file) == 1);
    fclose(file);
    ts_gguf_close(gguf);
}

Test(bench_run, nan_logits)
{
    struct bench b;
    struct ts_results results;
    struct ts_error error;
    char path[128];
    make_path(path, sizeof path, "nan.gguf");
    write_broken(path);
    open_bench(&b, "nan", path, NULL);
    agree(&b);
    measure(&b, &results);
    unlink(path);
    cr_expect(count_status(&results, TS_RESULT_AGREEMENT, TS_STATUS_ERROR) == 1, "agreement");
    cr_expect(count_status(&results, TS_RESULT_SWEEP, TS_STATUS_ERROR) == 4, "cells");
    cr_expect(!ts_sweep_verdict(&b.sweep, &error) && error.code == TS_ERR_CHECK, "verdict");
    cr_expect(strstr(error.message, "NaN"), "%s", error.message);
    close_bench(&b, &results);
}

/* NaN that appears after the agreement pass. */
Test(bench_run, nan_in_a_trial)
{
    struct bench b;
    struct ts_results results;
    struct ts_error error;
    char path[128];
    make_path(path, sizeof path, "nan-later.gguf");
    write_broken(path);
    open_bench(&b, "nan-later", path, NULL);
    b.subjects[0].status = TS_STATUS_PASS;
    measure(&b, &results);
    unlink(path);
    cr_expect(count_status(&results, TS_RESULT_SWEEP, TS_STATUS_ERROR) == 4, "cells");
    cr_expect(!ts_sweep_verdict(&b.sweep, &error) && error.code == TS_ERR_CHECK, "verdict");
    close_bench(&b, &results);
}

Test(bench_run, interrupted)
{
    const long moments[] = {0, 5, 12, 20, 24, 28};
    for (size_t i = 0; i < sizeof moments / sizeof moments[0]; i++) {
        struct bench b;
        struct ts_results results;
        struct ts_error error;
        char name[32];
        snprintf(name, sizeof name, "interrupted-%ld", moments[i]);
        open_bench(&b, name, MODEL, NULL);
        b.stop_after = moments[i];
        agree(&b);
        measure(&b, &results);
        cr_expect(!ts_sweep_verdict(&b.sweep, &error) && error.code == TS_ERR_INTERRUPTED,
                  "after %ld: code %d", moments[i], error.code);
        cr_expect(results.count == 5, "after %ld: %zu records", moments[i], results.count);
        unsigned skipped = count_status(&results, TS_RESULT_SWEEP, TS_STATUS_SKIP);
        unsigned passed = count_status(&results, TS_RESULT_SWEEP, TS_STATUS_PASS);
        unsigned partial = count_status(&results, TS_RESULT_SWEEP, TS_STATUS_MARGINAL);
        cr_expect(skipped + passed + partial == 4, "after %ld: %u, %u and %u", moments[i], skipped,
                  passed, partial);
        cr_expect(moments[i] > 0 || skipped == 4, "nothing was measured");
        cr_expect(moments[i] < 20 || passed + partial > 0, "after %ld: nothing was kept",
                  moments[i]);
        for (size_t k = 0; k < results.count; k++) { /* one of two samples is no pass */
            const struct ts_result *r = &results.items[k];
            cr_expect(!ts_result_measured(r) ||
                          (r->status == TS_STATUS_PASS) == (r->stats.n == b.plan.reps),
                      "after %ld: %s with %d samples", moments[i], ts_status_name(r->status),
                      (int)r->stats.n);
            cr_expect(r->status != TS_STATUS_MARGINAL ||
                          strstr(r->reason, "interrupted after 1 of 2 repetitions"),
                      "%s", r->reason);
        }
        close_bench(&b, &results);
    }
}

/* Two samples of a longer plan are no pass, three are, and so is a short plan carried out. */
Test(bench_run, few_samples)
{
    static const struct {
        uint64_t reps, samples;
        enum ts_cell_stop stop;
        enum ts_result_status status;
        const char *reason;
    } cases[] = {
        {7, 1, TS_STOP_TIME, TS_STATUS_MARGINAL, "time ran out after 1 of 7 repetitions"},
        {7, 2, TS_STOP_TIME, TS_STATUS_MARGINAL, "time ran out after 2 of 7 repetitions"},
        {7, 2, TS_STOP_INTERRUPTED, TS_STATUS_MARGINAL, "interrupted after 2 of 7 repetitions"},
        {7, 3, TS_STOP_TIME, TS_STATUS_PASS, ""},
        {2, 2, TS_STOP_REPS, TS_STATUS_PASS, ""},
        {1, 1, TS_STOP_REPS, TS_STATUS_PASS, ""},
    };
    struct bench b;
    struct ts_results results;
    open_bench(&b, "few", MODEL, NULL);
    agree(&b);
    measure(&b, &results);
    struct ts_cell *cell = &b.sweep.cells[0];
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char reason[TS_REASON];
        b.plan.reps = cases[i].reps;
        cell->series[TS_PHASE_PREFILL].count = cases[i].samples;
        cell->stop = cases[i].stop;
        enum ts_result_status status = ts_cell_status(&b.sweep, cell, TS_PHASE_PREFILL, reason);
        cr_expect(status == cases[i].status && strstr(reason, cases[i].reason), "case %zu: %s: %s",
                  i, ts_status_name(status), reason);
    }
    close_bench(&b, &results);
}

Test(bench_run, out_of_time)
{
    struct bench b;
    struct ts_results results;
    struct ts_error error;
    open_bench(&b, "time", MODEL, NULL);
    b.plan.max_seconds = 1e-6;
    ts_sweep_start(&b.sweep);
    agree(&b);
    measure(&b, &results);
    cr_expect(count_status(&results, TS_RESULT_AGREEMENT, TS_STATUS_TIMEOUT) == 1, "agreement");
    cr_expect(count_status(&results, TS_RESULT_SWEEP, TS_STATUS_TIMEOUT) == 4, "cells");
    cr_expect(!ts_sweep_verdict(&b.sweep, &error) && error.code == TS_ERR_CHECK,
              "nothing measured is a failure");
    close_bench(&b, &results);
}

/* With time for a part of the repetitions, all cells get some, and the clock is kept. */
Test(bench_run, capped)
{
    struct bench b;
    struct ts_results results;
    struct ts_error error;
    open_bench(&b, "capped", MODEL, NULL);
    agree(&b);
    ts_sweep_free(&b.sweep);
    b.plan.reps = TS_BENCH_REPS;
    b.plan.max_seconds = 3 * TEST_SLOWNESS;
    cr_assert(ts_sweep_init(&b.sweep, &b.plan, b.subjects, &error));
    b.sweep.folder = &b.folder;
    ts_sweep_start(&b.sweep);
    time_t start = time(NULL);
    measure(&b, &results);
    cr_expect(time(NULL) - start <= 15 * TEST_SLOWNESS, "%d seconds became %d", 3 * TEST_SLOWNESS,
              (int)(time(NULL) - start));
    cr_expect(ts_sweep_verdict(&b.sweep, &error), "%s", error.message);
    for (size_t i = 0; i < results.count; i++) {
        const struct ts_result *r = &results.items[i];
        if (r->kind == TS_RESULT_SWEEP) {
            cr_expect(r->has_stats && strcmp(r->stats.stop, "time") == 0, "record %zu", i);
            cr_expect((r->status == TS_STATUS_PASS) == (r->stats.n >= TS_CELL_SAMPLES),
                      "record %zu: %s with %d samples", i, ts_status_name(r->status),
                      (int)r->stats.n);
        }
    }
    close_bench(&b, &results);
}

/* ---- the verb ---- */

static pid_t start_verb(const char *arguments)
{
    char command[600];
    const char *build = getenv("TS_BUILD");
    snprintf(command, sizeof command, "exec '%s/touchstone' %s >/dev/null 2>&1",
             build ? build : "build", arguments);
    pid_t child = fork();
    if (child == 0) {
        execl("/bin/sh", "sh", "-c", command, (char *)NULL);
        _exit(127);
    }
    cr_assert(child > 0);
    return child;
}

static int finish_verb(pid_t child)
{
    int status = 0;
    cr_assert(waitpid(child, &status, 0) == child);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

Test(bench_run, exit_codes)
{
    char path[128], model[128];
    make_path(path, sizeof path, "codes");
    make_path(model, sizeof model, "codes-nan.gguf");
    write_broken(model);
    const struct {
        const char *format;
        int code;
    } cases[] = {
        {"bench --help", 0},
        {"bench", 2},
        {"bench -m", 2},
        {"bench -m tests/data/tiny-q2.gguf --frobnicate", 2},
        {"bench -m tests/data/tiny-q2.gguf stray", 2},
        {"bench -m tests/data/tiny-q2.gguf --gen 1", 2},
        {"bench -m tests/data/tiny-q2.gguf --prompt 0", 2},
        {"bench -m tests/data/tiny-q2.gguf --prompt 4,x", 2},
        {"bench -m tests/data/tiny-q2.gguf --prompt 1048576", 2}, /* and what is generated */
        {"bench -m tests/data/tiny-q2.gguf --device abacus --prompt 4", 2},
        {"bench -m tests/data/tiny-q2.gguf --device reference,abacus --prompt 4", 2},
        {"bench -m tests/data/tiny-q2.gguf --device reference, --prompt 4", 2},
        {"bench -m tests/data/tiny-q2.gguf --software-prompt x --prompt 4", 2},
        {"bench -m tests/data/absent.gguf --prompt 4", 2},
        {"bench -m tests/data/tiny-q2.gguf --prompt 4 --dry-run --out %s", 0},
        {"bench -m tests/data/tiny-q2.gguf --prompt 4 --reps 1 --gen 2 --out %s", 0},
        {"bench -m tests/data/tiny-q2.gguf --prompt 4 --reps 1 --gen 2 --out %s", 4}, /* exists */
        {"bench -m tests/data/tiny-q2.gguf --prompt 4 --out tests/data/tiny-q2.gguf/run", 4},
        {"bench -m %s-nan.gguf --prompt 4 --reps 1 --gen 2 --out %s-nan", 1},
        {"env", 0},
        {"env --device abacus", 2},
        {"env stray", 2},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char arguments[500];
        /* build/tmp/bench-codes-PID; the broken model has the same stem */
        if (strstr(cases[i].format, "-nan.gguf")) {
            snprintf(arguments, sizeof arguments,
                     "bench -m %s --prompt 4 --reps 1 --gen 2 --out %s-nan", model, path);
        } else {
            const char *place = strstr(cases[i].format, "%s");
            snprintf(arguments, sizeof arguments, "%.*s%s",
                     place ? (int)(place - cases[i].format) : 400, cases[i].format,
                     place ? path : "");
        }
        int code = finish_verb(start_verb(arguments));
        cr_expect(code == cases[i].code, "%s: exit %d, expected %d", arguments, code,
                  cases[i].code);
    }
    unlink(model);
}

static bool has_bytes(const char *path)
{
    struct stat status;
    return stat(path, &status) == 0 && status.st_size > 0;
}

Test(bench_run, ctrl_c)
{
    char path[128], samples[160], arguments[400];
    struct ts_results results;
    struct ts_error error;
    make_path(path, sizeof path, "ctrl-c");
    snprintf(samples, sizeof samples, "%s/samples.jsonl", path);
    snprintf(arguments, sizeof arguments,
             "bench -m %s --prompt 4,9 --gen 4 --reps 5000 --threads 1 --out %s", MODEL, path);
    pid_t child = start_verb(arguments);
    for (int i = 0; i < 600 && !has_bytes(samples); i++) {
        nanosleep(&(struct timespec){.tv_nsec = 50000000}, NULL);
    }
    kill(child, SIGINT);
    int code = finish_verb(child);
    cr_expect(code == 130, "exit %d", code);
    cr_assert(ts_results_read(path, &results, &error), "%s", error.message);
    cr_expect(results.truncated_line == 0 && results.count == 5, "%zu records", results.count);
    cr_expect(count_status(&results, TS_RESULT_SWEEP, TS_STATUS_PASS) +
                      count_status(&results, TS_RESULT_SWEEP, TS_STATUS_MARGINAL) >
                  0,
              "what was measured");
    snprintf(samples, sizeof samples, "%s/report.html", path);
    cr_expect(has_bytes(samples), "a report of what was measured");
    ts_results_free(&results);
}
