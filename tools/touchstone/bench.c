/* touchstone bench: sweeps prompt lengths and models, and leaves records and a report. */
#include "bench/run/environment.h"
#include "bench/report/report.h"
#include "bench/run/summary.h"
#include "engine/check/kernel_records.h"
#include "tools/touchstone/cli.h"
#include "tools/touchstone/meter.h"
#include "tools/touchstone/model_options.h"
#include "tools/touchstone/output.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MOST_PROMPT = 1 << 20, MOST_GEN = 1 << 16 };

struct options {
    struct ts_plan plan;
    char *device_names; /* what plan.devices point into */
    const char *out;    /* NULL: a new folder below results/runs */
    bool dry_run, quiet;
};

static const char head[] =
    "usage: touchstone bench -m FILE [-m FILE ...] [options]\n\n"
    "Measures prefill and generation speed of models at several prompt lengths, on one or\n"
    "more devices. First each model's token-by-token pass is compared with its chunked\n"
    "prefill, and with the reference device's pass if that is among the devices; then each\n"
    "kernel that ran is checked by its error budget. What disagrees, and what a wrong\n"
    "kernel had part in, has no speed. Prompts are random ordinary tokens. Models, devices\n"
    "and lengths take turns, forwards and backwards, so that a drift of the machine does\n"
    "not favour one.\n\n";

static const char tail[] =
    "\nThe folder gets environment.json, runs.jsonl (one record a line), samples.jsonl (each\n"
    "sample as it was taken) and the report. Ctrl-C ends the sweep and keeps all of these.\n\n"
    "exit codes: 0 ok; 1 a model disagrees with itself or with the reference, has NaN\n"
    "  logits, a kernel is wrong, or nothing was measured; 2 usage or refused input;\n"
    "  4 environment (folder, disk, memory, a device or a kernel of it is missing; what\n"
    "  could be measured was); 130 interrupted\n";

static bool add_model(void *value, const char *flag, const char *path, struct ts_error *error)
{
    struct ts_plan *plan = value;
    if (plan->models == TS_BENCH_MODELS) {
        return ts_fail(error, TS_ERR_USAGE, NULL, "%s: more than %d models", flag, TS_BENCH_MODELS);
    }
    plan->paths[plan->models++] = path;
    return true;
}

static bool read_prompts(void *value, const char *flag, const char *list, struct ts_error *error)
{
    struct ts_plan *plan = value;
    return ts_parse_list(flag, list, 1, MOST_PROMPT, plan->prompts, TS_BENCH_PROMPTS,
                         &plan->prompt_count, error);
}

static bool read_out(void *value, const char *flag, const char *name, struct ts_error *error)
{
    *(const char **)value = name;
    return name[0] != '\0' || ts_fail(error, TS_ERR_USAGE, NULL, "%s: the name is empty", flag);
}

/* Adds the names of a list; an unknown one is refused before anything is opened. */
static bool add_devices(void *value, const char *flag, const char *list, struct ts_error *error)
{
    struct options *o = value;
    struct ts_plan *plan = &o->plan;
    size_t used = 0, size = strlen(list) + 1;
    for (unsigned i = 0; i < plan->device_count; i++) {
        used += strlen(plan->devices[i]) + 1;
    }
    char *names = malloc(used + size);
    if (!names) {
        return ts_fail_memory(error, "names of devices", used + size);
    }
    if (used > 0) {
        memcpy(names, o->device_names, used);
    }
    memcpy(names + used, list, size);
    for (unsigned i = 0; i < plan->device_count; i++) {
        plan->devices[i] = names + (plan->devices[i] - o->device_names);
    }
    free(o->device_names);
    o->device_names = names;
    for (char *name = names + used; name;) {
        char *comma = strchr(name, ',');
        uint32_t format;
        if (comma) {
            *comma = '\0';
        }
        if (!ts_device_real_format(name, &format, error)) {
            return false;
        }
        if (plan->device_count == TS_BENCH_DEVICES) {
            return ts_fail(error, TS_ERR_USAGE, NULL, "%s: more than %d devices", flag,
                           TS_BENCH_DEVICES);
        }
        plan->devices[plan->device_count++] = name;
        name = comma ? comma + 1 : NULL;
    }
    return true;
}

static void add_options(struct ts_options *options, struct options *o)
{
    struct ts_plan *plan = &o->plan;
    const struct ts_option lines[] = {
        TS_READ("model", 'm', add_model, plan, "FILE", "a model; may be repeated", .needed = 1,
                .many = true),
        TS_READ("prompt", 0, read_prompts, plan, "LIST",
                "prompt lengths, such as 16,64 or 128-512:128\n(default 32,128,512)"),
        TS_U64("gen", 0, &plan->gen, 0, MOST_GEN, "N",
               "tokens to generate after each prompt; 0: none (default 32)"),
        TS_U64("reps", 0, &plan->reps, 1, TS_BENCH_REPS, "N", "repetitions (default 5)"),
        TS_U64("seed", 0, &plan->seed, 0, UINT64_MAX, "N",
               "of the prompts and of the order (default 1)"),
        TS_F64("max-seconds", 0, &plan->max_seconds, 0.001, 1e7, "S",
               "time for all measuring but the check of kernels; each length,\n"
               "model and device gets a share, and fewer repetitions when it\n"
               "is used up (default 600)"),
        TS_READ("device", 0, add_devices, o, "LIST",
                "what computes, such as reference,metal; may be repeated\n"
                "(default: metal on Apple's machines, else reference)",
                .many = true),
        TS_U64("software-prompt", 0, &plan->software_prompt, 0, MOST_PROMPT, "N",
               "the longest prompt for a software device; 0: no limit\n(default 0)"),
        TS_FLAG("all-kernels", 0, &plan->all_kernels,
                "check all kernels of a device, not only those that ran"),
        TS_U32("threads", 0, &plan->threads, 0, TS_MOST_THREADS, "N",
               "of a CPU device; 0: all cores (default 0)"),
        TS_U32("chunk", 0, &plan->chunk, 1, TS_MOST_CHUNK, "N",
               "tokens of one prefill step (default 128)"),
        TS_READ("out", 0, read_out, &o->out, "DIR",
                "a folder that does not exist yet\n"
                "(default results/runs/DATE-MACHINE-COMMIT)"),
        TS_FLAG("dry-run", 0, &o->dry_run, "prints the plan and measures nothing"),
        TS_FLAG("quiet", 'q', &o->quiet, "no progress on standard error"),
    };
    TS_OPTIONS_ADD(options, lines);
}

static bool read_options(int argc, char **argv, struct options *o, int *code)
{
    struct ts_options options = {.verb = "bench", .head = head, .tail = tail};
    struct ts_error error;
    add_options(&options, o);
    if (!ts_options_read(&options, argc, argv, code)) {
        return false;
    }
    if ((o->plan.device_count == 0 && !add_devices(o, "--device", ts_device_default(), &error)) ||
        !ts_plan_check(&o->plan, &error)) {
        *code = ts_report(&error);
        return false;
    }
    return true;
}

static bool interrupted(void *context)
{
    (void)context;
    return ts_interrupted();
}

static void show_progress(void *context, const struct ts_progress *p)
{
    char prompt[40] = "", left[40] = "";
    if (p->prompt > 0) {
        snprintf(prompt, sizeof prompt, "prompt %" PRIu64 ": ", p->prompt);
    }
    if (p->seconds_left >= 0) {
        snprintf(left, sizeof left, ", %.0f s left", p->seconds_left);
    }
    ts_meter_show(context, "%" PRIu64 "/%" PRIu64 " %s, %s, %s%s%s", p->trial, p->trials,
                  p->subject->label, p->subject->device, prompt, p->step, left);
}

/* The records as they were written, read back. */
static bool print_table(const char *folder, struct ts_error *error)
{
    struct ts_results results;
    bool ok = ts_results_read(folder, &results, error);
    if (ok) {
        ts_report_table(stdout, &results);
        putchar('\n');
    }
    ts_results_free(&results);
    return ok;
}

/* Measures into an open folder. Whatever happens, what was measured is written, reported and shown;
 * *error is what went wrong first. */
static bool measure(struct ts_sweep *sweep, struct ts_environment *environment,
                    struct ts_error *error)
{
    struct ts_folder *folder = sweep->folder;
    struct ts_error later;
    ts_sweep_start(sweep);
    bool ok = ts_sweep_agree(sweep, error) && ts_sweep_measure(sweep, error);
    ts_meter_wipe(sweep->progress_context);
    ok = ok && ts_sweep_verdict(sweep, error);
    bool closed = ts_folder_close(folder, &later);
    bool written = print_table(folder->path, closed ? &later : NULL) && closed;
    ts_summary_agreement(sweep->plan, sweep->subjects, stdout);
    ts_summary_kernels(sweep, stdout);
    printf("records: %s/runs.jsonl\n", folder->path);
    fflush(stdout);
    written = written && ts_environment_end(environment, &later) &&
              ts_folder_environment(folder, environment->json, &later) &&
              ts_report_write(folder->path, &later);
    if (written) {
        printf("report: %s/report.html\n", folder->path);
    } else if (ok) {
        *error = later;
    } else {
        ts_report(&later);
    }
    return ok && written;
}

static bool bench(const struct options *o, struct ts_subject *subjects, int argc, char **argv,
                  struct ts_error *error)
{
    const struct ts_build build = {TS_VERSION, TS_COMMIT, TS_BUILD_FLAGS};
    struct ts_environment environment = {.json = NULL};
    struct ts_folder folder = {.path = NULL};
    struct ts_sweep sweep = {.cells = NULL};
    struct ts_meter meter;
    bool ok = ts_environment_read(&build, o->plan.devices, o->plan.device_count, o->plan.threads,
                                  &environment, error) &&
              ts_sweep_init(&sweep, &o->plan, subjects, error) &&
              ts_folder_open(&folder, o->out, environment.machine, build.commit, error) &&
              ts_environment_add_bench(&environment, &o->plan, subjects, argc, argv, folder.date,
                                       error) &&
              ts_folder_environment(&folder, environment.json, error);
    if (ok) {
        snprintf(folder.env, sizeof folder.env, "%s", environment.id);
        sweep.folder = &folder;
        sweep.kernels.records = access(TS_KERNEL_RECORDS, R_OK) == 0 ? TS_KERNEL_RECORDS : NULL;
        sweep.stop = interrupted;
        ts_meter_begin(&meter, o->quiet);
        sweep.progress = show_progress;
        sweep.progress_context = &meter;
        ok = measure(&sweep, &environment, error);
    }
    ts_sweep_free(&sweep);
    ts_folder_free(&folder);
    ts_environment_free(&environment);
    return ok;
}

static bool run(const struct options *o, int argc, char **argv, struct ts_error *error)
{
    unsigned count = ts_plan_subjects(&o->plan), opened = 0, usable = 0;
    struct ts_subject *subjects = calloc(count, sizeof *subjects);
    bool ok = subjects || ts_fail_memory(error, "models", count * sizeof *subjects);
    while (ok && opened < count) {
        ok = ts_subject_open(subjects, opened++, &o->plan, error);
        usable += ok && subjects[opened - 1].session ? 1 : 0;
    }
    if (ok && usable == 0) {
        *error = subjects[0].failure;
        ok = false;
    }
    if (ok) {
        ok = o->dry_run ? ts_summary_plan(&o->plan, subjects, stdout, error)
                        : bench(o, subjects, argc, argv, error);
    }
    while (opened > 0) {
        ts_subject_close(&subjects[--opened]); /* the first one of a model closes its file */
    }
    free(subjects);
    return ok;
}

int ts_verb_bench(int argc, char **argv)
{
    struct options options = {.plan = {.prompt_count = 3,
                                       .prompts = {32, 128, 512},
                                       .gen = 32,
                                       .reps = 5,
                                       .seed = 1,
                                       .max_seconds = 600,
                                       .chunk = 128}};
    struct ts_error error = {.code = TS_OK};
    int code;
    if (read_options(argc, argv, &options, &code)) {
        ts_catch_interrupts();
        ts_output_outlive_reader();
        code = run(&options, argc, argv, &error) ? 0 : ts_report(&error);
    }
    free(options.device_names);
    return code;
}
