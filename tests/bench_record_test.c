/* Records, agreement and what is read about a machine. */
#include "bench/run/environment.h"
#include "bench/run/machine.h"
#include "bench/run/record.h"

#include <cjson/cJSON.h>
#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *const MODEL = "tests/data/tiny-q2.gguf";

/* One cell of a real model, with samples that were never measured. */
struct fixture {
    struct ts_plan plan;
    struct ts_subject subject;
    struct ts_sweep sweep;
};

static void open_fixture(struct fixture *f, uint64_t samples)
{
    struct ts_error error;
    f->plan = (struct ts_plan){.paths = {MODEL},
                               .models = 1,
                               .prompts = {5},
                               .prompt_count = 1,
                               .gen = 4,
                               .reps = 8,
                               .seed = 1,
                               .max_seconds = 60,
                               .devices = {"reference"},
                               .device_count = 1,
                               .threads = 1,
                               .chunk = 4};
    cr_assert(ts_plan_check(&f->plan, &error), "%s", error.message);
    cr_assert(ts_subject_open(&f->subject, 0, &f->plan, &error), "%s", error.message);
    cr_assert(ts_sweep_init(&f->sweep, &f->plan, &f->subject, &error), "%s", error.message);
    f->subject.status = TS_STATUS_PASS;
    struct ts_cell *cell = &f->sweep.cells[0];
    cell->canary[0] = 1000;
    cell->canary[1] = 1001;
    for (uint64_t i = 0; i < samples; i++) {
        cell->ttft_ns[cell->ttft_count++] = 600 + i;
        for (int phase = 0; phase < TS_PHASES; phase++) {
            struct ts_series *series = &cell->series[phase];
            series->samples_ns[series->count] = (uint64_t)(phase + 1) * 500 + i;
            series->order[series->count++] = 2 * i + (uint64_t)phase;
            series->work.flops = 1ull << 60 | 1;
            series->work.bytes = 12;
            series->work.bytes_min = 10;
            series->work.launches[TS_OP_matmul] = 3;
        }
    }
}

static void close_fixture(struct fixture *f)
{
    ts_sweep_free(&f->sweep);
    ts_subject_close(&f->subject);
}

/* Prints a record and parses it again, as a reader would. */
static cJSON *round_trip(cJSON *record)
{
    cr_assert(record, "no record");
    char *text = cJSON_PrintUnformatted(record);
    cr_assert(text && !strchr(text, '\n'), "a record is one line");
    cJSON *again = cJSON_Parse(text);
    cr_assert(again && cJSON_Compare(record, again, true), "%s", text);
    cJSON_free(text);
    cJSON_Delete(record);
    return again;
}

static const cJSON *at(const cJSON *object, const char *name)
{
    return cJSON_GetObjectItemCaseSensitive(object, name);
}

static void expect_text(const cJSON *object, const char *name, const char *want)
{
    const char *got = cJSON_GetStringValue(at(object, name));
    cr_expect(got && strcmp(got, want) == 0, "%s: %s, expected %s", name, got ? got : "none", want);
}

static void expect_number(const cJSON *object, const char *name, double want)
{
    const cJSON *item = at(object, name);
    cr_expect(cJSON_IsNumber(item) && fabs(item->valuedouble - want) <= 1e-14 * fabs(want),
              "%s: %.17g, expected %.17g", name, item ? item->valuedouble : NAN, want);
}

Test(bench_record, sweep)
{
    struct fixture f;
    open_fixture(&f, 8);
    cJSON *r = round_trip(ts_record_sweep(&f.sweep, &f.sweep.cells[0], TS_PHASE_PREFILL, "e0"));
    expect_number(r, "schema", 1);
    expect_text(r, "kind", "sweep");
    expect_text(r, "env", "e0");
    expect_text(r, "status", "pass");
    expect_text(r, "reason", "");
    expect_text(r, "temperature", "hot");
    expect_number(r, "ttft_ns", 603.5);
    cr_expect(strlen(cJSON_GetStringValue(at(r, "id"))) == 16, "id");
    const cJSON *axes = at(r, "axes"), *stats = at(r, "stats"), *work = at(r, "work");
    expect_text(axes, "device", "reference");
    expect_text(axes, "model", "tiny-q2");
    expect_text(axes, "quant", "q2");
    expect_text(axes, "phase", "prefill");
    expect_number(axes, "prompt", 5);
    expect_number(axes, "depth", 0);
    expect_number(axes, "tokens", 5);
    expect_number(axes, "chunk", 4);
    expect_number(stats, "median", 503.5);
    expect_number(stats, "mad", 2);
    expect_number(stats, "n", 8);
    expect_number(stats, "tps_median", 5e9 / 503.5);
    expect_text(stats, "stop", "reps");
    cr_expect(cJSON_GetArraySize(at(stats, "ci95")) == 2, "interval of eight");
    cr_expect(cJSON_GetArraySize(at(r, "samples_ns")) == 8, "raw samples");
    cr_expect(cJSON_GetArraySize(at(r, "order")) == 8, "order");
    cr_expect(cJSON_GetArrayItem(at(r, "canary"), 1)->valuedouble == 1001, "canary");
    expect_text(work, "flops", "1152921504606846977"); /* no double holds it */
    expect_text(work, "bytes_min", "10");
    expect_text(cJSON_GetArrayItem(at(r, "kernels"), 0), "name", "matmul");
    expect_text(at(r, "provenance"), "device", "cpu");
    expect_text(at(r, "provenance"), "model", "synthetic");
    cJSON *g = round_trip(ts_record_sweep(&f.sweep, &f.sweep.cells[0], TS_PHASE_GENERATION, "e0"));
    expect_number(at(g, "axes"), "tokens", 3);
    expect_number(at(g, "axes"), "depth", 6);
    expect_number(at(g, "stats"), "median", 1003.5);
    cr_expect(!at(g, "ttft_ns"), "the first token's time is of the prompt");
    cr_expect(strcmp(at(r, "id")->valuestring, at(g, "id")->valuestring) != 0, "ids must differ");
    cJSON_Delete(g);
    g = round_trip(ts_record_sweep(&f.sweep, &f.sweep.cells[0], TS_PHASE_PREFILL, "e1"));
    cr_expect(strcmp(at(r, "id")->valuestring, at(g, "id")->valuestring) == 0,
              "the same cell elsewhere has the same id");
    cJSON_Delete(g);
    cJSON_Delete(r);
    close_fixture(&f);
}

/* Whatever was measured: without a pass there is no speed. */
Test(bench_record, no_speed)
{
    const struct {
        enum ts_result_status subject;
        bool failed;
        enum ts_cell_stop stop;
        uint64_t samples;
        const char *status;
    } cases[] = {{TS_STATUS_FAIL, false, TS_STOP_REPS, 8, "fail"},
                 {TS_STATUS_ERROR, false, TS_STOP_REPS, 8, "error"},
                 {TS_STATUS_PASS, true, TS_STOP_REPS, 3, "error"},
                 {TS_STATUS_TIMEOUT, false, TS_STOP_TIME, 0, "timeout"},
                 {TS_STATUS_PASS, false, TS_STOP_TIME, 0, "timeout"},
                 {TS_STATUS_PASS, false, TS_STOP_INTERRUPTED, 0, "skip"}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct fixture f;
        open_fixture(&f, cases[i].samples);
        f.subject.status = cases[i].subject;
        snprintf(f.subject.reason, sizeof f.subject.reason, "of the model");
        f.sweep.cells[0].failed = cases[i].failed;
        f.sweep.cells[0].stop = cases[i].stop;
        cJSON *r = round_trip(ts_record_sweep(&f.sweep, &f.sweep.cells[0], TS_PHASE_PREFILL, "e"));
        expect_text(r, "status", cases[i].status);
        cr_expect(!at(r, "stats"), "case %zu has a speed", i);
        if (cases[i].subject != TS_STATUS_PASS) {
            expect_text(r, "reason", "of the model");
        }
        cJSON_Delete(r);
        close_fixture(&f);
    }
}

/* As a device with kernels would have it, whatever this build has. */
static void pretend_kernels(struct fixture *f, const char *provenance)
{
    f->subject.device = "metal";
    f->subject.provenance = provenance;
    f->subject.real_format = TS_F32;
}

static struct ts_kernel_result some_result(unsigned index, enum ts_kernel_verdict verdict)
{
    struct ts_kernel_result result = {
        .kernel = ts_kernel_at(index), .verdict = verdict, .cases = 3, .nmse = 1e-15};
    result.score.rho = verdict == TS_KERNEL_FAIL ? INFINITY : 0.25;
    result.score.compared = 100;
    result.score.max_ulp = 1ull << 60 | 1;
    snprintf(result.score.worst, sizeof result.score.worst, "case 2: y[5]");
    return result;
}

/* A kernel that is wrong, or that nobody checked, has no speed; one that drifted says so. */
Test(bench_record, wrong_kernels_have_no_speed)
{
    const struct {
        bool checked;
        enum ts_kernel_verdict verdict;
        const char *status, *reason;
    } cases[] = {{true, TS_KERNEL_EXACT, "pass", ""},
                 {true, TS_KERNEL_PASS, "pass", ""},
                 {true, TS_KERNEL_MARGINAL, "marginal", "is further off than recorded: case 2"},
                 {true, TS_KERNEL_FAIL, "fail", "fails its check: case 2: y[5]"},
                 {false, TS_KERNEL_PASS, "skip", "was not checked"}};
    const unsigned used[] = {2, 5};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct fixture f;
        open_fixture(&f, 8);
        pretend_kernels(&f, "software");
        struct ts_series *series = &f.sweep.cells[0].series[TS_PHASE_PREFILL];
        for (int k = 0; k < 2; k++) {
            series->work.kernel_launches[used[k]] = 7;
            f.sweep.kernels.checked[used[k]] = true;
            f.sweep.kernels.results[used[k]] = some_result(used[k], TS_KERNEL_PASS);
        }
        f.sweep.kernels.checked[5] = cases[i].checked;
        f.sweep.kernels.results[5] = some_result(5, cases[i].verdict);
        /* one that did not run has no part in it */
        f.sweep.kernels.checked[6] = true;
        f.sweep.kernels.results[6] = some_result(6, TS_KERNEL_FAIL);
        cJSON *r = round_trip(ts_record_sweep(&f.sweep, &f.sweep.cells[0], TS_PHASE_PREFILL, "e"));
        bool speed = i < 3;
        const char *reason = cJSON_GetStringValue(at(r, "reason"));
        expect_text(r, "status", cases[i].status);
        cr_expect(strstr(reason, cases[i].reason), "case %zu: %s", i, reason);
        cr_expect(i < 2 || strstr(reason, ts_kernel_at(5)->function), "case %zu: %s", i, reason);
        cr_expect((at(r, "stats") != NULL) == speed, "case %zu", i);
        cr_expect(cJSON_GetArraySize(at(r, "samples_ns")) == (speed ? 8 : 0), "case %zu", i);
        cr_expect(cJSON_GetArraySize(at(r, "gpu_ns")) == (speed ? 8 : 0), "case %zu", i);
        cr_expect(cJSON_IsNumber(at(r, "ttft_ns")) == speed, "case %zu", i);
        expect_text(at(r, "provenance"), "device", "software");
        const cJSON *kernels = at(r, "kernels");
        cr_expect(cJSON_GetArraySize(kernels) == 2, "kernels by their launches, not operations");
        expect_text(cJSON_GetArrayItem(kernels, 1), "name", ts_kernel_at(5)->function);
        expect_number(cJSON_GetArrayItem(kernels, 1), "version", ts_kernel_at(5)->version);
        expect_number(cJSON_GetArrayItem(kernels, 1), "launches", 7);
        cJSON_Delete(r);
        close_fixture(&f);
    }
}

Test(bench_record, kernel)
{
    struct fixture f;
    open_fixture(&f, 0);
    pretend_kernels(&f, "software");
    struct ts_kernel_result result = some_result(1, TS_KERNEL_FAIL);
    cJSON *r = round_trip(ts_record_kernel(&f.plan, &f.subject, result.kernel, &result, NULL, "e"));
    expect_text(r, "kind", "kernel");
    expect_text(r, "status", "fail");
    expect_text(r, "reason", "case 2: y[5]");
    expect_text(at(r, "axes"), "kernel", ts_kernel_at(1)->function);
    expect_text(at(r, "axes"), "device", "metal");
    expect_text(at(r, "provenance"), "device", "software");
    cr_expect(cJSON_IsNull(at(at(r, "agreement"), "rho")), "JSON has no infinity");
    expect_text(at(r, "agreement"), "verdict", "FAIL");
    expect_text(at(r, "agreement"), "max_ulp", "1152921504606846977");
    expect_number(at(r, "agreement"), "compared", 100);
    char *id = strdup(cJSON_GetStringValue(at(r, "id")));
    cJSON_Delete(r);
    r = round_trip(
        ts_record_kernel(&f.plan, &f.subject, result.kernel, NULL, "not checked: why", "e"));
    expect_text(r, "status", "skip");
    cr_expect(!at(r, "agreement") && strstr(at(r, "reason")->valuestring, "not checked"));
    expect_text(r, "id", id);
    free(id);
    cJSON_Delete(r);
    close_fixture(&f);
}

Test(bench_record, few_samples)
{
    struct fixture f;
    open_fixture(&f, 2);
    f.sweep.cells[0].stop = TS_STOP_TIME;
    cJSON *r = round_trip(ts_record_sweep(&f.sweep, &f.sweep.cells[0], TS_PHASE_PREFILL, "e"));
    cr_expect(cJSON_IsNull(at(at(r, "stats"), "ci95")), "an interval of two samples");
    expect_text(at(r, "stats"), "stop", "time");
    cJSON_Delete(r);
    close_fixture(&f);
}

Test(bench_record, agreement)
{
    struct fixture f;
    open_fixture(&f, 0);
    f.subject.compared = true;
    f.subject.agreement = (struct ts_agreement){
        .compared = 5, .argmax_equal = 4, .rel_l2_worst = INFINITY, .rel_l2_median = 1e-13};
    cJSON *r = round_trip(ts_record_agreement(&f.plan, &f.subject, "e"));
    const cJSON *a = at(r, "agreement");
    expect_text(r, "kind", "agreement");
    expect_number(a, "compared", 5);
    expect_number(a, "argmax_equal", 4);
    expect_number(a, "rel_l2_median", 1e-13);
    expect_number(a, "bound", 1e-12);
    cr_expect(cJSON_IsNull(at(a, "rel_l2_worst")), "JSON has no infinity");
    cr_expect(cJSON_IsFalse(at(a, "exact")));
    cJSON_Delete(r);
    close_fixture(&f);
}

Test(bench_record, agreement_of_devices)
{
    struct fixture f;
    open_fixture(&f, 0);
    pretend_kernels(&f, "software");
    f.subject.compared = true;
    f.subject.against = "reference";
    f.subject.agreement = (struct ts_agreement){.rel_l2_median = 2e-6, .kl_mean = 3e-12};
    f.subject.crossed =
        (struct ts_agreement){.compared = 5, .rel_l2_median = 4e-6, .top_ten = 0.98};
    cJSON *own = round_trip(ts_record_agreement(&f.plan, &f.subject, "e"));
    cJSON *r = round_trip(ts_record_crossed(&f.plan, &f.subject, "e"));
    expect_text(at(r, "axes"), "against", "reference");
    expect_number(at(r, "agreement"), "rel_l2_median", 4e-6);
    expect_number(at(r, "agreement"), "noise_rel_l2_median", 2e-6);
    expect_number(at(r, "agreement"), "noise_kl_mean", 3e-12);
    expect_number(at(r, "agreement"), "top_ten", 0.98);
    expect_number(at(r, "agreement"), "bound", 1.5e-3);
    expect_text(r, "status", "pass");
    cr_expect(strcmp(at(r, "id")->valuestring, at(own, "id")->valuestring) != 0, "two questions");
    cJSON_Delete(r);
    cJSON_Delete(own);
    snprintf(f.subject.crossed_reason, sizeof f.subject.crossed_reason, "they disagree");
    r = round_trip(ts_record_crossed(&f.plan, &f.subject, "e"));
    expect_text(r, "status", "fail");
    expect_text(r, "reason", "they disagree");
    cJSON_Delete(r);
    close_fixture(&f);
}

/* The ten largest of a row, ties and rows of fewer included. */
Test(bench_record, top_ten)
{
    double one[40], other[40];
    struct ts_agreement a;
    for (int i = 0; i < 40; i++) {
        one[i] = other[i] = i * 7 % 40;
    }
    cr_assert(ts_agreement_compare(one, other, 1, 40, &a, NULL));
    cr_expect(a.top_ten == 1, "the same: %g", a.top_ten);
    for (int i = 0; i < 40; i++) {
        other[i] = one[i] >= 37 ? -one[i] : one[i]; /* the three largest go */
    }
    cr_assert(ts_agreement_compare(one, other, 1, 40, &a, NULL));
    cr_expect(fabs(a.top_ten - 0.7) < 1e-15 && a.argmax_equal == 0, "seven stay: %g", a.top_ten);
    for (int i = 0; i < 40; i++) {
        other[i] = -one[i];
    }
    cr_assert(ts_agreement_compare(one, other, 2, 20, &a, NULL));
    cr_expect(a.top_ten == 0, "none stays: %g", a.top_ten);
    cr_assert(ts_agreement_compare(one, other, 1, 4, &a, NULL));
    cr_expect(a.top_ten == 1, "a vocabulary of four has four: %g", a.top_ten);
}

Test(bench_record, compare)
{
    /* one position is the same; in the other the size is 5 and the difference 0.5 */
    const double single[] = {1, 0, 3, 4}, chunked[] = {1, 0, 3, 4.5};
    struct ts_agreement a;
    char reason[400];
    cr_assert(ts_agreement_compare(single, chunked, 2, 2, &a, NULL));
    cr_expect(a.compared == 2 && a.argmax_equal == 2 && a.finite && !a.exact, "counts");
    cr_expect(fabs(a.rel_l2_worst - 0.1) < 1e-15, "worst %g", a.rel_l2_worst);
    cr_expect(fabs(a.rel_l2_median - 0.05) < 1e-15, "median %g", a.rel_l2_median);
    double p = 1 / (1 + exp(1)), q = 1 / (1 + exp(1.5));
    double kl = p * log(p / q) + (1 - p) * log((1 - p) / (1 - q));
    cr_expect(fabs(a.kl_max - kl) < 1e-14, "kl %g, expected %g", a.kl_max, kl);
    cr_expect(fabs(a.kl_mean - kl / 2) < 1e-14, "mean kl %g", a.kl_mean);
    cr_expect(!ts_agreement_met(&a, TS_F64, "they", reason, sizeof reason) && reason[0],
              "0.1 agrees");
    cr_expect(!ts_agreement_met(&a, TS_F32, "they", reason, sizeof reason),
              "0.1 agrees in float32");
    cr_assert(ts_agreement_compare(single, single, 2, 2, &a, NULL));
    cr_expect(a.exact && a.rel_l2_worst == 0 && a.kl_max == 0, "the same is exact");
    cr_expect(ts_agreement_met(&a, TS_F64, "they", reason, sizeof reason), "%s", reason);
    cr_assert(ts_agreement_compare(single, chunked, 0, 2, &a, NULL));
    cr_expect(!a.exact && !ts_agreement_met(&a, TS_F64, "they", reason, sizeof reason),
              "nothing agrees");
    const double bad[] = {1, 0, NAN, 4};
    cr_assert(ts_agreement_compare(single, bad, 2, 2, &a, NULL));
    cr_expect(!a.finite && a.compared == 1, "NaN");
    cr_expect(!ts_agreement_met(&a, TS_F64, "they", reason, sizeof reason), "NaN agrees");
    const double zero[] = {0, 0};
    cr_assert(ts_agreement_compare(zero, single, 1, 2, &a, NULL));
    cr_expect(isinf(a.rel_l2_worst) &&
              !ts_agreement_met(&a, TS_F32, "they", reason, sizeof reason));
}

Test(bench_record, bounds)
{
    const struct {
        struct ts_agreement a;
        uint32_t format;
        bool met;
    } cases[] = {
        {{.compared = 100, .rel_l2_worst = 1e-12, .finite = true}, TS_F64, true},
        {{.compared = 100, .rel_l2_worst = 1.1e-12, .finite = true}, TS_F64, false},
        {{.compared = 100, .rel_l2_worst = NAN, .finite = true}, TS_F64, false},
        {{.compared = 100, .rel_l2_median = 1.5e-3, .above = {25, 2}, .finite = true},
         TS_F32,
         true},
        {{.compared = 100, .rel_l2_median = 1.6e-3, .finite = true}, TS_F32, false},
        {{.compared = 100, .above = {26, 2}, .finite = true}, TS_F32, false},
        {{.compared = 100, .above = {25, 3}, .finite = true}, TS_F32, false},
        {{.compared = 100, .finite = false}, TS_F32, false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char reason[400];
        bool met = ts_agreement_met(&cases[i].a, cases[i].format, "they", reason, sizeof reason);
        cr_expect(met == cases[i].met, "case %zu: %s", i, reason);
        cr_expect(met == (reason[0] == '\0'), "case %zu: reason '%s'", i, reason);
    }
}

Test(bench_record, machine)
{
    const char *apple =
        "Graphics/Displays:\n\n    Apple M3 Max:\n\n      Chipset Model: Apple M3 Max\n"
        "      Total Number of Cores: 40\n      Metal Support: Metal 3\n";
    const char *therm = "Note: No thermal warning level has been recorded\n"
                        "\tCPU_Speed_Limit \t= 100\n";
    const char *release = "NAME=\"Debian\"\nPRETTY_NAME=\"Debian GNU/Linux 12 (bookworm)\"\n";
    char value[64];
    cr_expect(ts_machine_value(apple, "Total Number of Cores", value, sizeof value));
    cr_expect(strcmp(value, "40") == 0, "%s", value);
    cr_expect(ts_machine_value(apple, "Metal Support", value, sizeof value));
    cr_expect(strcmp(value, "Metal 3") == 0, "%s", value);
    cr_expect(ts_machine_value(therm, "CPU_Speed_Limit", value, sizeof value));
    cr_expect(strcmp(value, "100") == 0, "%s", value);
    cr_expect(ts_machine_value(release, "PRETTY_NAME", value, sizeof value));
    cr_expect(strcmp(value, "Debian GNU/Linux 12 (bookworm)") == 0, "%s", value);
    cr_expect(!ts_machine_value(apple, "Metal Sup", value, sizeof value), "part of a key");
    cr_expect(!ts_machine_value("", "NAME", value, sizeof value), "empty text");
    const char *const slugs[][2] = {
        {"Apple M3 Max", "apple-m3-max"},
        {"Intel(R) Xeon(R) CPU @ 2.20GHz", "intel-r-xeon-r-cpu-2-20ghz"},
        {"../..", ""},
        {"", ""}};
    for (size_t i = 0; i < sizeof slugs / sizeof slugs[0]; i++) {
        ts_machine_slug(slugs[i][0], value, sizeof value);
        cr_expect(strcmp(value, slugs[i][1]) == 0, "'%s' gave '%s'", slugs[i][0], value);
    }
    ts_machine_slug("Apple M3 Max", value, 7);
    cr_expect(strcmp(value, "apple") == 0, "cut to '%s'", value);
}

Test(bench_record, environment)
{
    const struct ts_build build = {"0.1.0+abc.dirty", "abc.dirty", "cc -O2"};
    struct ts_build other = build;
    struct ts_environment one, two;
    struct ts_error error;
    other.flags = "cc -O3";
    const char *const devices[] = {"reference", "abacus"};
    cr_assert(ts_environment_read(&build, devices, 1, 1, &one, &error), "%s", error.message);
    cr_assert(ts_environment_read(&other, devices, 1, 1, &two, &error), "%s", error.message);
    cJSON *json = round_trip(cJSON_Duplicate(one.json, true));
    expect_number(json, "schema", 1);
    expect_text(json, "id", one.id);
    expect_text(at(json, "build"), "commit", "abc.dirty");
    cr_expect(cJSON_IsTrue(at(at(json, "build"), "dirty")));
    expect_text(at(json, "devices")->child, "provenance", "cpu");
    expect_number(at(json, "devices")->child, "threads", 1);
    cr_expect(cJSON_IsString(at(at(json, "machine"), "memory_bytes")), "64-bit integers are texts");
    cr_expect(at(at(json, "timer"), "resolution_ns")->valuedouble > 0, "timer");
    cr_expect(one.machine[0] && !strpbrk(one.machine, "/ ."), "%s", one.machine);
    cr_expect(strcmp(one.id, two.id) != 0, "other flags are another environment");
    cr_expect(ts_environment_end(&one, &error), "%s", error.message);
    cr_expect(cJSON_IsObject(at(at(one.json, "state"), "after")), "state after");
    cJSON_Delete(json);
    ts_environment_free(&one);
    ts_environment_free(&two);
    cr_expect(!ts_environment_read(&build, devices, 2, 1, &one, &error), "unknown device");
    cr_expect(error.code == TS_ERR_USAGE);
    ts_environment_free(&one);
}
