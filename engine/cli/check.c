/* touchstone check: does what runs here compute what it must? */
#include "base/parse.h"
#include "engine/check/golden.h"
#include "engine/cli/check_print.h"
#include "engine/cli/cli.h"

#include <getopt.h>
#include <stdio.h>
#include <string.h>

enum { GOLDEN = 256, TRACE, CHUNK, ROUNDING, DEVICE, NOISE, SEED, JSON, THREADS, UNFUSED };

struct options {
    const char *model;
    const char *golden;
    const char *trace;
    const char *rounding; /* NULL: as the trace says */
    bool noise;
    bool seeded;
    bool json;
    bool help;
    struct ts_trace_options run;
};

static void print_help(void)
{
    fputs("usage: touchstone check --golden FILE\n"
          "       touchstone check -m MODEL --trace FILE [options]\n\n"
          "Compares what the operations, or a whole model, compute with golden numbers: files of\n"
          "inputs and right results, such as those in tests/data (docs/golden-files.md).\n\n"
          "      --golden FILE         operation vectors (GGUF), run through the reference\n"
          "  -m, --model FILE          the model that the trace is of\n"
          "      --trace FILE          what the model must produce: logits and intermediates\n"
          "      --chunk N             tokens of one step (default 128)\n"
          "      --kv-rounding on|off  the FP8 and FP4 round trips of KV rows; refused if the "
          "trace was\n"
          "                            made otherwise (default: as the trace was made)\n"
          "      --device NAME         ",
          stdout);
    fputs(ts_device_names(), stdout);
    fputs(" (default reference)\n"
          "      --unfused             run the expansion of every fused operation\n"
          "      --threads N           of a CPU device; 0: all cores (default 0)\n"
          "      --noise EPS           inject Gaussian noise of EPS times the RMS at each "
          "sublayer's\n"
          "                            input and print how far the logits move; judges nothing\n"
          "      --seed N              of the noise (default 1)\n"
          "      --json                one JSON object instead of text\n"
          "  -h, --help                this text\n\n"
          "The last line begins with PASS or FAIL (with --json it goes to stderr).\n\n"
          "exit codes: 0 pass; 1 beyond the bound, damaged file, or nothing compared; 2 usage or\n"
          "  refused model; 4 environment; 130 interrupted\n",
          stdout);
}

static bool set_number(struct options *options, int option, struct ts_error *error)
{
    uint64_t value = 0;
    switch (option) {
    case CHUNK:
        if (!ts_parse_u64("--chunk", optarg, 1, 4096, &value, error)) {
            return false;
        }
        options->run.chunk = (uint32_t)value;
        return true;
    case THREADS:
        if (!ts_parse_u64("--threads", optarg, 0, 1024, &value, error)) {
            return false;
        }
        options->run.threads = (unsigned)value;
        return true;
    case NOISE:
        options->noise = true;
        return ts_parse_f64("--noise", optarg, 1e-16, 1, &options->run.noise, error);
    default:
        options->seeded = true;
        return ts_parse_u64("--seed", optarg, 0, UINT64_MAX, &options->run.seed, error);
    }
}

static const char *wrong_combination(const struct options *o, bool more)
{
    if (more) {
        return "takes no arguments besides its options";
    }
    if (!o->golden == !o->trace) {
        return "needs one of --golden FILE and --trace FILE";
    }
    if (o->trace && !o->model) {
        return "--trace needs the model that it is of: -m FILE";
    }
    if (o->golden && (o->model || o->rounding || o->noise || o->seeded || o->run.device ||
                      o->run.chunk || o->run.threads || o->run.unfused)) {
        return "--golden runs single operations: besides it only --json has a meaning";
    }
    if (o->seeded && !o->noise) {
        return "--seed is of the noise: it needs --noise EPS";
    }
    if (o->rounding && strcmp(o->rounding, "on") != 0 && strcmp(o->rounding, "off") != 0) {
        return "--kv-rounding is on or off";
    }
    return NULL;
}

/* Returns 0, or the exit code after a message. */
static int parse_options(int argc, char **argv, struct options *options)
{
    static const struct option longs[] = {{"golden", required_argument, NULL, GOLDEN},
                                          {"model", required_argument, NULL, 'm'},
                                          {"trace", required_argument, NULL, TRACE},
                                          {"chunk", required_argument, NULL, CHUNK},
                                          {"kv-rounding", required_argument, NULL, ROUNDING},
                                          {"device", required_argument, NULL, DEVICE},
                                          {"noise", required_argument, NULL, NOISE},
                                          {"seed", required_argument, NULL, SEED},
                                          {"threads", required_argument, NULL, THREADS},
                                          {"unfused", no_argument, NULL, UNFUSED},
                                          {"json", no_argument, NULL, JSON},
                                          {"help", no_argument, NULL, 'h'},
                                          {NULL, 0, NULL, 0}};
    struct ts_error error;
    opterr = 0;
    for (int option; (option = getopt_long(argc, argv, ":m:h", longs, NULL)) != -1;) {
        switch (option) {
        case GOLDEN: options->golden = optarg; break;
        case 'm': options->model = optarg; break;
        case TRACE: options->trace = optarg; break;
        case ROUNDING: options->rounding = optarg; break;
        case DEVICE: options->run.device = optarg; break;
        case UNFUSED: options->run.unfused = true; break;
        case JSON: options->json = true; break;
        case 'h': options->help = true; return 0;
        case CHUNK:
        case THREADS:
        case NOISE:
        case SEED:
            if (!set_number(options, option, &error)) {
                return ts_report(&error);
            }
            break;
        default: return ts_usage_error("check", argv);
        }
    }
    const char *wrong = wrong_combination(options, optind < argc);
    if (wrong) {
        ts_fail(&error, TS_ERR_USAGE, "see touchstone check --help", "check: %s", wrong);
        return ts_report(&error);
    }
    return 0;
}

/* Ends a check that an error kept from being made: its last line says FAIL as well. */
static int end_in_error(const struct options *options, const struct ts_error *error)
{
    int code = ts_report(error);
    fprintf(options->json ? stderr : stdout, "FAIL: nothing was compared\n");
    return code;
}

static int check_golden(const struct options *options)
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

static bool rounding_agrees(const struct options *options, const struct ts_trace *trace,
                            struct ts_error *error)
{
    if (!options->rounding || (strcmp(options->rounding, "on") == 0) == trace->kv_rounding) {
        return true;
    }
    return ts_fail(error, TS_ERR_CHECK, "leave --kv-rounding out to run what the trace says",
                   "%s was made with --kv-rounding %s", trace->gguf->path,
                   trace->kv_rounding ? "on" : "off");
}

static int check_trace(const struct options *options)
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
        if (!options->noise) {
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
    struct options options = {.run = {.seed = 1}};
    int code = parse_options(argc, argv, &options);
    if (code != 0) {
        return code;
    }
    if (options.help) {
        print_help();
        return 0;
    }
    return options.golden ? check_golden(&options) : check_trace(&options);
}
