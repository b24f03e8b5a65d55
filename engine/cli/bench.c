/* touchstone bench: sweeps prompt lengths and models, and leaves records and a report. */
#include "bench/environment.h"
#include "bench/report.h"
#include "bench/summary.h"
#include "engine/cli/cli.h"

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MOST_PROMPT = 1 << 20, MOST_GEN = 1 << 16, MOST_CHUNK = 4096, MOST_THREADS = 1024 };

/* options without a letter */
enum { PROMPT = 256, GEN, REPS, SEED, MAX_SECONDS, DEVICE, OUT, THREADS, CHUNK, DRY_RUN };

struct options {
    struct ts_plan plan;
    const char *out; /* NULL: a new folder below results/runs */
    bool dry_run;
    bool help;
};

static void print_help(void)
{
    fputs(
        "usage: touchstone bench -m FILE [-m FILE ...] [options]\n\n"
        "Measures prefill and generation speed of models at several prompt lengths. First each\n"
        "model's token-by-token pass is compared with its chunked prefill: a model that\n"
        "disagrees has no speed. Prompts are random ordinary tokens. Models and lengths take\n"
        "turns, forwards and backwards, so that a drift of the machine does not favour one.\n\n"
        "  -m, --model FILE       a model; may be repeated\n"
        "      --prompt LIST      prompt lengths, such as 16,64 or 128-512:128\n"
        "                         (default 32,128,512)\n"
        "      --gen N            tokens to generate after each prompt; 0: none (default 32)\n"
        "      --reps N           repetitions (default 5)\n"
        "      --seed N           of the prompts and of the order (default 1)\n"
        "      --max-seconds S    time for all measuring; each length and model gets a share,\n"
        "                         and fewer repetitions when it is used up (default 600)\n"
        "      --device NAME      what computes (default reference)\n"
        "      --threads N        of a CPU device; 0: all cores (default 0)\n"
        "      --chunk N          tokens of one prefill step (default 128)\n"
        "      --out DIR          a folder that does not exist yet\n"
        "                         (default results/runs/DATE-MACHINE-COMMIT)\n"
        "      --dry-run          prints the plan and measures nothing\n"
        "  -h, --help             this text\n\n"
        "The folder gets environment.json, runs.jsonl (one record a line), samples.jsonl (each\n"
        "sample as it was taken) and the report. Ctrl-C ends the sweep and keeps all of these.\n\n"
        "exit codes: 0 ok; 1 a model disagrees with itself, has NaN logits, or nothing was\n"
        "  measured; 2 usage or refused input; 4 environment (folder, disk, memory, device);\n"
        "  130 interrupted\n",
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
    static const struct option longs[] = {{"model", required_argument, NULL, 'm'},
                                          {"prompt", required_argument, NULL, PROMPT},
                                          {"gen", required_argument, NULL, GEN},
                                          {"reps", required_argument, NULL, REPS},
                                          {"seed", required_argument, NULL, SEED},
                                          {"max-seconds", required_argument, NULL, MAX_SECONDS},
                                          {"device", required_argument, NULL, DEVICE},
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
        case DEVICE: plan->device = optarg; break;
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
    ok = ok && ts_plan_check(plan, &error);
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
    int length = snprintf(line, sizeof line, "%" PRIu64 "/%" PRIu64 " %s, prompt %" PRIu64 ": %s",
                          p->trial, p->trials, p->subject->label, p->prompt, p->step);
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
    bool ok = ts_environment_read(&build, o->plan.device, o->plan.threads, &environment, error) &&
              ts_sweep_init(&sweep, &o->plan, subjects, error) &&
              ts_folder_open(&folder, o->out, environment.machine, build.commit, error) &&
              ts_environment_add_bench(&environment, &o->plan, subjects, argc, argv, folder.date,
                                       error) &&
              ts_folder_environment(&folder, environment.json, error);
    if (ok) {
        snprintf(folder.env, sizeof folder.env, "%s", environment.id);
        sweep.folder = &folder;
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
    struct ts_subject *subjects = calloc(o->plan.models, sizeof *subjects);
    unsigned opened = 0;
    bool ok = subjects || ts_fail_memory(error, "models", o->plan.models * sizeof *subjects);
    while (ok && opened < o->plan.models) {
        ok = ts_subject_open(subjects, opened++, &o->plan, error);
    }
    if (ok) {
        ok = o->dry_run ? ts_summary_plan(&o->plan, subjects, stdout, error)
                        : bench(o, subjects, argc, argv, error);
    }
    for (unsigned i = 0; i < opened; i++) {
        ts_subject_close(&subjects[i]);
    }
    free(subjects);
    return ok;
}

int ts_verb_bench(int argc, char **argv)
{
    struct options options = {.plan = {.prompts = {32, 128, 512},
                                       .prompt_count = 3,
                                       .gen = 32,
                                       .reps = 5,
                                       .seed = 1,
                                       .max_seconds = 600,
                                       .device = "reference",
                                       .chunk = 128}};
    struct ts_error error = {.code = TS_OK};
    int code = parse_options(argc, argv, &options);
    if (code != 0) {
        return code;
    }
    if (options.help) {
        print_help();
        return 0;
    }
    ts_catch_interrupts();
    if (!run(&options, argc, argv, &error)) {
        code = ts_report(&error);
    }
    if (fflush(stdout) != 0 && code == 0) {
        ts_fail(&error, TS_ERR_ENVIRONMENT, NULL, "standard output: %s", strerror(errno));
        code = ts_report(&error);
    }
    return code;
}
