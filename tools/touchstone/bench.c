/* touchstone bench: sweeps prompt lengths and models, and leaves records and a report. */
#include "bench/run/environment.h"
#include "bench/report/report.h"
#include "bench/run/summary.h"
#include "engine/check/kernel_records.h"
#include "tools/touchstone/cli.h"

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MOST_PROMPT = 1 << 20, MOST_GEN = 1 << 16, MOST_CHUNK = 4096, MOST_THREADS = 1024 };

/* options without a letter */
enum {
    PROMPT = 256,
    GEN,
    REPS,
    SEED,
    MAX_SECONDS,
    DEVICE,
    SOFTWARE_PROMPT,
    ALL_KERNELS,
    OUT,
    THREADS,
    CHUNK,
    DRY_RUN
};

struct options {
    struct ts_plan plan;
    char *device_names; /* what plan.devices point into */
    const char *out;    /* NULL: a new folder below results/runs */
    bool dry_run;
    bool help;
};

static void print_help(void)
{
    fputs(
        "usage: touchstone bench -m FILE [-m FILE ...] [options]\n\n"
        "Measures prefill and generation speed of models at several prompt lengths, on one or\n"
        "more devices. First each model's token-by-token pass is compared with its chunked\n"
        "prefill, and with the reference device's pass if that is among the devices; then each\n"
        "kernel that ran is checked by its error budget. What disagrees, and what a wrong\n"
        "kernel had part in, has no speed. Prompts are random ordinary tokens. Models, devices\n"
        "and lengths take turns, forwards and backwards, so that a drift of the machine does\n"
        "not favour one.\n\n"
        "  -m, --model FILE       a model; may be repeated\n"
        "      --prompt LIST      prompt lengths, such as 16,64 or 128-512:128\n"
        "                         (default 32,128,512)\n"
        "      --gen N            tokens to generate after each prompt; 0: none (default 32)\n"
        "      --reps N           repetitions (default 5)\n"
        "      --seed N           of the prompts and of the order (default 1)\n"
        "      --max-seconds S    time for all measuring but the check of kernels; each length,\n"
        "                         model and device gets a share, and fewer repetitions when it\n"
        "                         is used up (default 600)\n"
        "      --device LIST      what computes, such as reference,metal; may be repeated\n"
        "                         (default reference)\n"
        "      --software-prompt N  the longest prompt for a software device; 0: no limit\n"
        "                         (default 0)\n"
        "      --all-kernels      check all kernels of a device, not only those that ran\n"
        "      --threads N        of a CPU device; 0: all cores (default 0)\n"
        "      --chunk N          tokens of one prefill step (default 128)\n"
        "      --out DIR          a folder that does not exist yet\n"
        "                         (default results/runs/DATE-MACHINE-COMMIT)\n"
        "      --dry-run          prints the plan and measures nothing\n"
        "  -h, --help             this text\n\n"
        "The folder gets environment.json, runs.jsonl (one record a line), samples.jsonl (each\n"
        "sample as it was taken) and the report. Ctrl-C ends the sweep and keeps all of these.\n\n"
        "exit codes: 0 ok; 1 a model disagrees with itself or with the reference, has NaN\n"
        "  logits, a kernel is wrong, or nothing was measured; 2 usage or refused input;\n"
        "  4 environment (folder, disk, memory, a device or a kernel of it is missing; what\n"
        "  could be measured was); 130 interrupted\n",
        stdout);
}

static bool add_model(struct ts_plan *plan, const char *path, struct ts_error *error)
{
    if (plan->models == TS_BENCH_MODELS) {
        return ts_fail(error, TS_ERR_USAGE, NULL, "bench: more than %d models", TS_BENCH_MODELS);
    }
    plan->paths[plan->models++] = path;
    return true;
}

/* Adds the names of a list; an unknown one is refused before anything is opened. */
static bool add_devices(struct options *o, const char *list, struct ts_error *error)
{
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
            return ts_fail(error, TS_ERR_USAGE, NULL, "bench: more than %d devices",
                           TS_BENCH_DEVICES);
        }
        plan->devices[plan->device_count++] = name;
        name = comma ? comma + 1 : NULL;
    }
    return true;
}

static bool read_number(struct options *o, int option, struct ts_error *error)
{
    struct ts_plan *plan = &o->plan;
    uint64_t small;
    switch (option) {
    case GEN: return ts_parse_u64("--gen", optarg, 0, MOST_GEN, &plan->gen, error);
    case REPS: return ts_parse_u64("--reps", optarg, 1, TS_BENCH_REPS, &plan->reps, error);
    case SEED: return ts_parse_u64("--seed", optarg, 0, UINT64_MAX, &plan->seed, error);
    case MAX_SECONDS:
        return ts_parse_f64("--max-seconds", optarg, 0.001, 1e7, &plan->max_seconds, error);
    case SOFTWARE_PROMPT:
        return ts_parse_u64("--software-prompt", optarg, 0, MOST_PROMPT, &plan->software_prompt,
                            error);
    case THREADS:
        if (!ts_parse_u64("--threads", optarg, 0, MOST_THREADS, &small, error)) {
            return false;
        }
        plan->threads = (unsigned)small;
        return true;
    default:
        if (!ts_parse_u64("--chunk", optarg, 1, MOST_CHUNK, &small, error)) {
            return false;
        }
        plan->chunk = (uint32_t)small;
        return true;
    }
}

/* Returns 0, or the exit code after a message. */
static int parse_options(int argc, char **argv, struct options *o)
{
    static const struct option longs[] = {
        {"model", required_argument, NULL, 'm'},
        {"prompt", required_argument, NULL, PROMPT},
        {"gen", required_argument, NULL, GEN},
        {"reps", required_argument, NULL, REPS},
        {"seed", required_argument, NULL, SEED},
        {"max-seconds", required_argument, NULL, MAX_SECONDS},
        {"device", required_argument, NULL, DEVICE},
        {"software-prompt", required_argument, NULL, SOFTWARE_PROMPT},
        {"all-kernels", no_argument, NULL, ALL_KERNELS},
        {"out", required_argument, NULL, OUT},
        {"threads", required_argument, NULL, THREADS},
        {"chunk", required_argument, NULL, CHUNK},
        {"dry-run", no_argument, NULL, DRY_RUN},
        {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0}};
    struct ts_plan *plan = &o->plan;
    struct ts_error error;
    bool ok = true;
    opterr = 0;
    for (int option; ok && (option = getopt_long(argc, argv, ":m:h", longs, NULL)) != -1;) {
        switch (option) {
        case 'm': ok = add_model(plan, optarg, &error); break;
        case PROMPT:
            ok = ts_parse_list("--prompt", optarg, 1, MOST_PROMPT, plan->prompts, TS_BENCH_PROMPTS,
                               &plan->prompt_count, &error);
            break;
        case DEVICE: ok = add_devices(o, optarg, &error); break;
        case ALL_KERNELS: plan->all_kernels = true; break;
        case OUT: o->out = optarg; break;
        case DRY_RUN: o->dry_run = true; break;
        case 'h': o->help = true; return 0;
        case '?':
        case ':': return ts_usage_error("bench", argv);
        default: ok = read_number(o, option, &error); break;
        }
    }
    if (ok && optind < argc) {
        ok = ts_fail(&error, TS_ERR_USAGE, "models are given with -m FILE",
                     "bench: takes no arguments besides its options, found '%.200s'", argv[optind]);
    }
    if (ok && o->out && o->out[0] == '\0') {
        ok = ts_fail(&error, TS_ERR_USAGE, NULL, "--out: the name is empty");
    }
    ok = ok && (plan->device_count > 0 || add_devices(o, "reference", &error)) &&
         ts_plan_check(plan, &error);
    return ok ? 0 : ts_report(&error);
}

static bool interrupted(void *context)
{
    (void)context;
    return ts_interrupted();
}

static void show_progress(void *context, const struct ts_progress *p)
{
    char line[200];
    int length =
        snprintf(line, sizeof line, "%" PRIu64 "/%" PRIu64 " %s, %s, prompt %" PRIu64 ": %s",
                 p->trial, p->trials, p->subject->label, p->subject->device, p->prompt, p->step);
    if (p->seconds_left >= 0 && length > 0 && (size_t)length < sizeof line) {
        snprintf(line + length, sizeof line - (size_t)length, ", %.0f s left", p->seconds_left);
    }
    (void)context;
    fprintf(stderr, "\r%-78.78s", line);
}

static void clear_progress(void)
{
    fprintf(stderr, "\r%78s\r", "");
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
    if (sweep->progress) {
        clear_progress();
    }
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
        sweep.progress = isatty(STDERR_FILENO) ? show_progress : NULL;
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
    int code = parse_options(argc, argv, &options);
    if (code == 0 && options.help) {
        print_help();
    } else if (code == 0) {
        ts_catch_interrupts();
        code = run(&options, argc, argv, &error) ? 0 : ts_report(&error);
    }
    free(options.device_names);
    if (fflush(stdout) != 0 && code == 0) {
        ts_fail(&error, TS_ERR_ENVIRONMENT, NULL, "standard output: %s", strerror(errno));
        code = ts_report(&error);
    }
    return code;
}
