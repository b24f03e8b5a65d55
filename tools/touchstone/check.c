/* touchstone check: does what runs here compute what it must? */
#include "engine/check/kernel_records.h"
#include "engine/check/bisect.h"
#include "engine/check/far.h"
#include "engine/check/golden.h"
#include "tools/touchstone/check_kernels.h"
#include "tools/touchstone/check_print.h"
#include "tools/touchstone/cli.h"
#include "tools/touchstone/options.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { DEFAULT_SEED = 1 };
static const uint64_t NO_SEED = UINT64_MAX;

struct check_options {
    const char *model;
    const char *golden;
    const char *trace;
    const char *rounding; /* NULL: as the trace says */
    bool json;
    struct ts_trace_options run; /* noise below 0, seed NO_SEED: not given */
    bool bisect;
    uint64_t at; /* a position, or NO_SEED */
    struct ts_check_kernels table;
};

static int parse_options(int argc, char **argv, struct check_options *o, struct ts_options *options)
{
    const struct ts_option lines[] = {
        {"golden", 0, TS_OPTION_TEXT, &o->golden, 0, 0, "FILE",
         "operation vectors (GGUF), run through the reference"},
        {"model", 'm', TS_OPTION_TEXT, &o->model, 0, 0, "FILE", "the model that the trace is of"},
        {"trace", 0, TS_OPTION_TEXT, &o->trace, 0, 0, "FILE",
         "what the model must produce: logits and intermediates"},
        {"chunk", 0, TS_OPTION_U32, &o->run.chunk, 1, 4096, "N",
         "tokens of one step (default 128)"},
        {"kv-rounding", 0, TS_OPTION_TEXT, &o->rounding, 0, 0, "on|off",
         "the FP8 and FP4 round trips of KV rows; refused if the\n"
         "trace was made otherwise (default: as the trace was made)"},
        {"device", 0, TS_OPTION_TEXT, &o->run.device, 0, 0, "NAME",
         "what computes (default metal for kernels, reference for a\n"
         "trace)"},
        {"threads", 0, TS_OPTION_U32, &o->run.threads, 0, 1024, "N",
         "of a CPU device; 0: all cores (default 0)"},
        {"unfused", 0, TS_OPTION_FLAG, &o->run.unfused, 0, 0, NULL,
         "run every fused operation as its parts, also for the kernels\n"
         "of fused operations"},
        {"noise", 0, TS_OPTION_F64, &o->run.noise, 0, 1, "EPS",
         "inject Gaussian noise of EPS times the RMS at each\n"
         "sublayer's input and print how far the logits move;\n"
         "judges nothing"},
        {"seed", 0, TS_OPTION_U64, &o->run.seed, 0, UINT64_MAX - 1, "N",
         "of inputs and noise (default 1)"},
        {"bisect", 0, TS_OPTION_FLAG, &o->bisect, 0, 0, NULL,
         "with --trace: give each operation the reference's inputs\n"
         "and name the first that leaves its budget"},
        {"at", 0, TS_OPTION_U64, &o->at, 0, 1ull << 40, "POSITION",
         "with -m alone: one decode step there, behind a KV state\n"
         "filled from --seed, against the reference"},
        {"filter", 0, TS_OPTION_TEXT, &o->table.options.filter, 0, 0, "NAME",
         "only kernels of this operation or family; where none has the\n"
         "name, those with it in theirs"},
        {"small", 0, TS_OPTION_FLAG, &o->table.options.small_cases, 0, 0, NULL,
         "only cases of at most four million operations"},
        {"stop", 0, TS_OPTION_FLAG, &o->table.options.stop, 0, 0, NULL,
         "end at the first kernel that fails"},
        {"long", 0, TS_OPTION_FLAG, &o->table.options.long_cases, 0, 0, NULL,
         "also cases of more than 64 tokens"},
        {"races", 0, TS_OPTION_FLAG, &o->table.races, 0, 0, NULL,
         "small cases in the checking mode of the software Metal\n"
         "device, which reports races and stray accesses"},
        {"adversarial", 0, TS_OPTION_U64, &o->table.adversarial, 1, UINT64_MAX - 1, "SEED",
         "the same, with sums in any order and functions as far off\n"
         "as Metal allows"},
        {"limit", 0, TS_OPTION_F64, &o->table.limit, 0, 1000000, "S",
         "seconds of processor time that a launch may take on the\n"
         "software Metal device before its kernel fails; 0: any time\n"
         "(default 20, with --long 200, or SOFTMETAL_LIMIT)"},
        {"mutant", 0, TS_OPTION_U32, &o->table.options.mutant, 1, 100000, "K",
         "compile the kernels with planted bug K; the check must fail"},
        {"kernels", 0, TS_OPTION_TEXT, &o->table.options.kernels, 0, 0, "DIR",
         "sources to use instead of those in the program\n"
         "(tools/embed-kernels.sh --flat DIR writes them)"},
        {"records", 0, TS_OPTION_TEXT, &o->table.options.records, 0, 0, "FILE",
         "rhos to compare with, as --json writes them; a kernel more\n"
         "than 4 times as far off is MARGINAL, and with a seed that\n"
         "they were recorded with that is exit code 1 (default\n"
         "tests/data/rho.jsonl, where it exists)"},
        {"record", 0, TS_OPTION_TEXT, &o->table.record, 0, 0, "FILE",
         "check all kernels with seeds 1 to 8 and write the largest\n"
         "rho of each (make rho does, to tests/data/rho.jsonl)"},
        {"probe", 0, TS_OPTION_FLAG, &o->table.probe, 0, 0, NULL,
         "only run a kernel with a known answer; exit code 4 if the\n"
         "device cannot"},
        {"list", 0, TS_OPTION_FLAG, &o->table.list, 0, 0, NULL, "name the kernels"},
        {"json", 0, TS_OPTION_FLAG, &o->json, 0, 0, NULL,
         "JSON instead of text: one object, or one a kernel"},
    };
    ts_options_add(options, lines, sizeof lines / sizeof *lines);
    return ts_options_parse(options, argc, argv);
}

static void print_help(const struct ts_options *options)
{
    fputs(
        "usage: touchstone check [--filter NAME] [options]\n"
        "       touchstone check --golden FILE\n"
        "       touchstone check -m MODEL --trace FILE [--bisect] [options]\n"
        "       touchstone check -m MODEL --at POSITION [options]\n\n"
        "Checks every Metal kernel against the reference, each output element by an error budget\n"
        "that is computed for it; or the reference's operations, or a whole model, against golden\n"
        "numbers: files of inputs and right results, such as those in tests/data\n"
        "(docs/golden-files.md). Where a device chose between scores that float32 cannot tell\n"
        "apart, the reference makes the same choice, and the verdict says so.\n\n",
        stdout);
    ts_options_print(options);
    fputs("\nThe last line begins with PASS or FAIL (with --json it goes to stderr).\n\n"
          "exit codes: 0 pass; 1 beyond the bound, damaged file, or nothing compared; 2 usage or\n"
          "  refused model; 4 environment; 130 interrupted\n",
          stdout);
}

static bool check_options(const struct check_options *o, struct ts_error *error)
{
    const char *wrong = NULL;
    const struct ts_check_kernels *t = &o->table;
    bool noise = o->run.noise >= 0, seed = o->run.seed != NO_SEED;
    bool planted = t->options.kernels || t->options.mutant;
    bool of_table = t->options.filter || t->options.long_cases || (planted && !o->bisect) ||
                    t->races || t->adversarial || t->list || t->probe || t->record ||
                    t->options.stop || t->options.small_cases || t->limit >= 0;
    if (o->bisect && (!o->trace || o->rounding || noise || seed || o->json)) {
        wrong = "--bisect needs -m and --trace, and takes --device, --chunk, --threads, --unfused, "
                "--mutant and --kernels";
    } else if (t->record && (t->options.filter || planted || t->races || t->adversarial || seed ||
                             t->options.small_cases || t->options.long_cases)) {
        wrong =
            "--record is of all kernels and their usual cases; it takes --device, --threads and "
            "--unfused";
    } else if (o->golden && o->trace) {
        wrong = "takes one of --golden FILE and --trace FILE";
    } else if ((o->golden || o->trace) && of_table) {
        wrong = "--filter, --small, --long, --stop, --limit, --races, --adversarial, --mutant, "
                "--kernels, --probe and --list are of the table of kernels: leave out --golden and "
                "--trace";
    } else if (o->at != NO_SEED) {
        if (!o->model || o->golden || o->trace || of_table || planted || o->rounding || noise ||
            o->run.chunk || o->json) {
            wrong = "--at needs -m, and takes --device, --threads, --unfused and --seed";
        }
    } else if (!o->golden && !o->trace) {
        if (o->model || o->rounding || noise || o->run.chunk) {
            wrong = "without --trace or --at these options have no meaning: -m, --kv-rounding, "
                    "--noise, --chunk";
        }
    } else if (o->trace && !o->model) {
        wrong = "--trace needs the model that it is of: -m FILE";
    } else if (o->golden && (o->model || o->rounding || noise || seed || o->run.device ||
                             o->run.chunk || o->run.threads || o->run.unfused)) {
        wrong = "--golden runs single operations: besides it only --json has a meaning";
    } else if (seed && !noise) {
        wrong = "--seed is of the noise: it needs --noise EPS";
    } else if (noise && o->run.noise == 0) {
        wrong = "--noise: EPS must be above 0";
    } else if (o->rounding && strcmp(o->rounding, "on") != 0 && strcmp(o->rounding, "off") != 0) {
        wrong = "--kv-rounding is on or off";
    }
    return !wrong ||
           ts_fail(error, TS_ERR_USAGE, "see touchstone check --help", "check: %s", wrong);
}

/* Ends a check that an error kept from being made: its last line says FAIL as well. */
static int end_in_error(const struct check_options *options, const struct ts_error *error)
{
    int code = ts_report(error);
    fprintf(options->json ? stderr : stdout, "FAIL: nothing was compared\n");
    return code;
}

static int check_golden(const struct check_options *options)
{
    struct ts_golden_result result;
    struct ts_error error;
    if (!ts_golden_check(options->golden, &result, &error)) {
        return end_in_error(options, &error);
    }
    if (!options->json) {
        ts_print_golden(&result);
    } else if (!ts_print_golden_json(options->golden, &result, &error)) {
        return ts_report(&error);
    }
    ts_print_golden_verdict(&result, options->json ? stderr : stdout);
    return result.pass ? 0 : 1;
}

static bool rounding_agrees(const struct check_options *options, const struct ts_trace *trace,
                            struct ts_error *error)
{
    if (!options->rounding || (strcmp(options->rounding, "on") == 0) == trace->kv_rounding) {
        return true;
    }
    return ts_fail(error, TS_ERR_CHECK, "leave --kv-rounding out to run what the trace says",
                   "%s was made with --kv-rounding %s", trace->gguf->path,
                   trace->kv_rounding ? "on" : "off");
}

static int bisect(const struct check_options *options)
{
    struct ts_bisect_options bisect = {.device = options->run.device,
                                       .kernels = options->table.options.kernels,
                                       .chunk = options->run.chunk,
                                       .threads = options->run.threads,
                                       .mutant = options->table.options.mutant,
                                       .unfused = options->run.unfused};
    struct ts_bisect_result result;
    struct ts_error error;
    struct ts_model *model = ts_model_open(options->model, &error);
    struct ts_trace *trace = model ? ts_trace_open(options->trace, model, &error) : NULL;
    int code = 0;
    if (!trace || !ts_bisect(model, trace, &bisect, &result, &error)) {
        code = end_in_error(options, &error);
    } else {
        code = ts_print_bisect(&result) ? 0 : 1;
    }
    ts_trace_close(trace);
    ts_model_close(model);
    return code;
}

static int check_far(const struct check_options *options)
{
    struct ts_far_options far = {.device = options->run.device,
                                 .threads = options->run.threads,
                                 .unfused = options->run.unfused,
                                 .position = options->at,
                                 .seed = options->run.seed};
    struct ts_far_result result;
    struct ts_error error;
    struct ts_model *model = ts_model_open(options->model, &error);
    int code = 0;
    if (!model || !ts_far_check(model, &far, &result, &error)) {
        code = end_in_error(options, &error);
    } else {
        ts_print_far(&result);
        code = result.pass ? 0 : 1;
    }
    ts_model_close(model);
    return code;
}

static int check_trace(const struct check_options *options)
{
    struct ts_error error;
    struct ts_trace_result result = {.items = NULL};
    struct ts_model *model = ts_model_open(options->model, &error);
    if (!model) {
        return end_in_error(options, &error);
    }
    struct ts_trace *trace = ts_trace_open(options->trace, model, &error);
    int code = 0;
    if (!trace || !rounding_agrees(options, trace, &error) ||
        !ts_trace_run(model, trace, &options->run, &result, &error)) {
        code = end_in_error(options, &error);
    } else if (options->json && !ts_print_trace_json(trace, &options->run, &result, &error)) {
        code = ts_report(&error);
    } else {
        if (!options->json) {
            ts_print_trace(trace, &options->run, &result);
        }
        if (options->run.noise <= 0) {
            ts_print_trace_verdict(&result, options->json ? stderr : stdout);
            code = result.pass ? 0 : 1;
        }
    }
    ts_trace_result_free(&result);
    ts_trace_close(trace);
    ts_model_close(model);
    return code;
}

int ts_verb_check(int argc, char **argv)
{
    struct check_options o = {
        .run = {.noise = -1, .seed = NO_SEED}, .at = NO_SEED, .table = {.limit = -1}};
    struct ts_options options = {.verb = "check"};
    struct ts_error error;
    int code = parse_options(argc, argv, &o, &options);
    if (code != 0) {
        return code;
    }
    if (options.help) {
        print_help(&options);
        return 0;
    }
    if (!check_options(&o, &error)) {
        return ts_report(&error);
    }
    o.run.seed = o.run.seed == NO_SEED ? DEFAULT_SEED : o.run.seed;
    if (o.at != NO_SEED) {
        return check_far(&o);
    }
    if (!o.golden && !o.trace) {
        struct ts_kernel_check_options *table = &o.table.options;
        table->seed = o.run.seed;
        table->device = o.run.device;
        table->threads = o.run.threads;
        table->unfused = o.run.unfused;
        table->small_cases |= o.table.races || o.table.adversarial > 0;
        if (!table->records && o.table.adversarial == 0 && access(TS_KERNEL_RECORDS, R_OK) == 0) {
            table->records = TS_KERNEL_RECORDS;
        }
        table->bare = o.table.races || o.table.adversarial > 0;
        table->any_order = o.table.adversarial > 0;
        o.table.json = o.json;
        return ts_check_kernels(&o.table);
    }
    if (o.bisect) {
        return bisect(&o);
    }
    return o.golden ? check_golden(&o) : check_trace(&o);
}
