/* Sweeps with the Metal device as an axis: what it measures beside the reference, what is said of its
 * kernels, and what becomes of speeds that a wrong or missing one had part in. */
#include "bench/run/record.h"
#include "bench/run/summary.h"
#include "tests/support/software.h"

#include <cjson/cJSON.h>
#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *const MODEL = "tests/data/tiny-q2.gguf";

struct bench {
    struct ts_plan plan;
    struct ts_subject subjects[2];
    struct ts_sweep sweep;
    struct ts_folder folder;
    struct ts_results results;
    char path[128];
};

static void open_bench(struct bench *b, const char *name)
{
    struct ts_error error;
    *b = (struct bench){.plan = {.paths = {MODEL},
                                 .models = 1,
                                 .devices = {"metal", "reference"},
                                 .device_count = 2,
                                 .software_prompt = 4,
                                 .prompts = {4, 9},
                                 .prompt_count = 2,
                                 .gen = 3,
                                 .reps = 2,
                                 .seed = 3,
                                 .max_seconds = 600,
                                 .threads = 1,
                                 .chunk = 4}};
    mkdir("build", 0777);
    mkdir("build/tmp", 0777);
    snprintf(b->path, sizeof b->path, "build/tmp/metal-bench-%s-%d", name, (int)getpid());
    cr_assert(ts_plan_check(&b->plan, &error), "%s", error.message);
    for (unsigned i = 0; i < 2; i++) {
        cr_assert(ts_subject_open(b->subjects, i, &b->plan, &error), "%s", error.message);
    }
    cr_assert(ts_sweep_init(&b->sweep, &b->plan, b->subjects, &error), "%s", error.message);
    cr_assert(ts_folder_open(&b->folder, b->path, "m", "c", &error), "%s", error.message);
    cJSON *environment = cJSON_CreateObject();
    cr_assert(ts_folder_environment(&b->folder, environment, &error), "%s", error.message);
    cJSON_Delete(environment);
    b->sweep.folder = &b->folder;
    ts_sweep_start(&b->sweep);
}

static void agree(struct bench *b)
{
    struct ts_error error;
    cr_assert(ts_sweep_agree(&b->sweep, &error), "%s", error.message);
}

static void measure(struct bench *b)
{
    struct ts_error error;
    cr_assert(ts_sweep_measure(&b->sweep, &error), "%s", error.message);
    cr_assert(ts_folder_close(&b->folder, &error), "%s", error.message);
    cr_assert(ts_results_read(b->path, &b->results, &error), "%s", error.message);
}

static void close_bench(struct bench *b)
{
    ts_results_free(&b->results);
    ts_folder_free(&b->folder);
    ts_sweep_free(&b->sweep);
    for (unsigned i = 2; i > 0; i--) {
        ts_subject_close(&b->subjects[i - 1]);
    }
}

/* The cell's record; ends the test without it. */
static const struct ts_result *find_cell(const struct bench *b, const char *device,
                                         enum ts_result_phase phase, uint64_t prompt)
{
    for (size_t i = 0; i < b->results.count; i++) {
        const struct ts_result *r = &b->results.items[i];
        if (r->kind == TS_RESULT_SWEEP && strcmp(r->device, device) == 0 && r->phase == phase &&
            r->prompt == prompt) {
            return r;
        }
    }
    cr_assert_fail("no record of %s, prompt %d", device, (int)prompt);
    return NULL;
}

/* Kernels that a cell names are of the table, and their check is in the records. */
static void expect_kernels_checked(const struct bench *b, const struct ts_result *cell)
{
    const cJSON *kernels = cJSON_GetObjectItem(cell->json, "kernels"), *kernel;
    cr_expect(cJSON_GetArraySize(kernels) > 10, "a pass takes more than ten kernels");
    cJSON_ArrayForEach(kernel, kernels)
    {
        const char *name = cJSON_GetStringValue(cJSON_GetObjectItem(kernel, "name"));
        enum ts_result_status status = TS_STATUS_SKIP;
        for (size_t i = 0; i < b->results.count; i++) {
            const struct ts_result *r = &b->results.items[i];
            if (r->kind == TS_RESULT_KERNEL && strcmp(r->kernel.name, name) == 0) {
                status = r->status;
            }
        }
        cr_expect(status == TS_STATUS_PASS, "%s: %s", name, ts_status_name(status));
        cr_expect(cJSON_GetObjectItem(kernel, "launches")->valueint > 0, "%s", name);
        cr_expect(cJSON_GetObjectItem(kernel, "version")->valueint > 0, "%s", name);
    }
}

Test(metal_bench, two_devices)
{
    struct bench b;
    struct ts_error error;
    unsigned kernels = 0, checked = 0, agreements = 0, against = 0;
    open_bench(&b, "two");
    agree(&b);
    measure(&b);
    cr_expect(ts_sweep_verdict(&b.sweep, &error), "%s", error.message);
    bool software = ts_subject_software(&b.subjects[0]);
    for (size_t i = 0; i < b.results.count; i++) {
        const struct ts_result *r = &b.results.items[i];
        kernels += r->kind == TS_RESULT_KERNEL;
        checked += r->kind == TS_RESULT_KERNEL && r->status == TS_STATUS_PASS;
        agreements += r->kind == TS_RESULT_AGREEMENT && r->status == TS_STATUS_PASS;
        if (r->kind == TS_RESULT_AGREEMENT && r->against[0]) {
            against++;
            cr_expect(strcmp(r->device, "metal") == 0 && strcmp(r->against, "reference") == 0);
            cr_expect(r->agreement.compared == (software ? 4 : 9) && r->agreement.top_ten > 0.9);
            cr_expect(r->agreement.rel_l2_worst > 0 && r->agreement.rel_l2_worst < 1e-2);
        }
        cr_expect(r->kind == TS_RESULT_AGREEMENT || strcmp(r->device, "metal") != 0 ||
                      strcmp(r->provenance.device, software ? "software" : "apple") == 0,
                  "%s", r->provenance.device);
    }
    cr_expect(kernels == TS_KERNEL_COUNT, "one record a kernel: %u", kernels);
    cr_expect(checked > 10 && checked < kernels, "%u checked: those that ran", checked);
    cr_expect(agreements == 3 && against == 1, "%u agreements, %u between devices", agreements,
              against);
    for (int phase = 0; phase < TS_PHASES; phase++) {
        const struct ts_result *r = find_cell(&b, "metal", (enum ts_result_phase)phase, 4);
        cr_expect(r->has_stats && r->gpu_share > 0 && r->gpu_share < 1.5, "%g", r->gpu_share);
        expect_kernels_checked(&b, r);
        r = find_cell(&b, "reference", (enum ts_result_phase)phase, 9);
        cr_expect(r->has_stats && isnan(r->gpu_share), "%s", r->reason);
        r = find_cell(&b, "metal", (enum ts_result_phase)phase, 9);
        cr_expect(r->status == (software ? TS_STATUS_SKIP : TS_STATUS_PASS));
        cr_expect(!software || strstr(r->reason, "at most 4 tokens"), "%s", r->reason);
    }
    close_bench(&b);
}

/* What the check of a kernel says is what its speeds are worth: wrong, further off than recorded. */
Test(metal_bench, kernels_decide_over_speeds)
{
    struct bench b;
    struct ts_error error;
    char path[160];
    snprintf(path, sizeof path, "build/tmp/metal-bench-rho-%d.jsonl", (int)getpid());
    FILE *file = fopen(path, "wb");
    cr_assert(file && fputs("{\"kernel\":\"rms_norm\",\"rho\":1e-6}\n", file) >= 0);
    fclose(file);
    open_bench(&b, "wrong");
    b.sweep.kernels.records = path;
    agree(&b);
    unlink(path);
    /* a kernel that runs in prefill but not in the steps of generation */
    unsigned wrong = TS_KERNEL_COUNT;
    for (unsigned i = 0; i < TS_KERNEL_COUNT; i++) {
        if (strcmp(ts_kernel_at(i)->function, "matmul_rows_q8_0") == 0) {
            wrong = i;
        }
    }
    cr_assert(wrong < TS_KERNEL_COUNT && b.sweep.kernels.checked[wrong], "it did not run");
    b.sweep.kernels.results[wrong].verdict = TS_KERNEL_FAIL;
    measure(&b);
    cr_expect(ts_sweep_verdict(&b.sweep, &error), "only the check itself sets the verdict");
    const struct ts_result *r = find_cell(&b, "metal", TS_PHASE_PREFILL, 4);
    cr_expect(r->status == TS_STATUS_FAIL && !r->has_stats && r->sample_count == 0 &&
              isnan(r->ttft));
    cr_expect(strstr(r->reason, "kernel matmul_rows_q8_0 fails its check"), "%s", r->reason);
    r = find_cell(&b, "metal", TS_PHASE_GENERATION, 4);
    cr_expect(r->status == TS_STATUS_MARGINAL && r->has_stats, "%s", ts_status_name(r->status));
    cr_expect(strstr(r->reason, "kernel rms_norm is further off than recorded"), "%s", r->reason);
    r = find_cell(&b, "reference", TS_PHASE_PREFILL, 4);
    cr_expect(r->status == TS_STATUS_PASS && r->has_stats, "the reference has no kernels");
    close_bench(&b);
}

/* A device on which the model cannot be opened: records say why, the other device is measured. */
Test(metal_bench, a_device_that_cannot_run_the_model)
{
    struct bench b;
    struct ts_error error;
    TEST_NEEDS_SOFTWARE("takes a working set");
    setenv("SOFTMETAL_WORKING_SET", "1000000", 1);
    open_bench(&b, "absent");
    if (b.subjects[0].session) { /* a real one is not to be told how large it is */
        close_bench(&b);
        return;
    }
    agree(&b);
    measure(&b);
    cr_expect(!ts_sweep_verdict(&b.sweep, &error) && error.code == TS_ERR_ENVIRONMENT, "%d",
              error.code);
    unsigned skipped = 0;
    for (size_t i = 0; i < b.results.count; i++) {
        const struct ts_result *r = &b.results.items[i];
        skipped += r->status == TS_STATUS_SKIP && r->reason[0] && strcmp(r->device, "metal") == 0 &&
                   r->kind != TS_RESULT_KERNEL;
    }
    cr_expect(skipped == 1 + 4, "agreement and four cells say why: %u", skipped);
    cr_expect(find_cell(&b, "reference", TS_PHASE_PREFILL, 9)->has_stats);
    close_bench(&b);
}
