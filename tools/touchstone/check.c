/* touchstone check: does what runs here compute what it must? */
#include "engine/check/kernel_records.h"
#include "engine/check/bisect.h"
#include "engine/check/far.h"
#include "engine/check/golden.h"
#include "tools/touchstone/check_kernels.h"
#include "tools/touchstone/check_print.h"
#include "tools/touchstone/cli.h"
#include "tools/touchstone/meter.h"
#include "tools/touchstone/model_options.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

struct check_options {
    const char *model;
    const char *golden;
    const char *trace;
    const char *rounding; /* NULL: as the trace says */
    bool json, bisect, quiet;
    struct ts_trace_options run; /* noise 0: none */
    uint64_t at;
    bool races;
    uint64_t adversarial; /* 0: off */
    double limit;         /* below 0: not given */
    struct ts_check_table table;
};

static const char head[] =
    "usage: touchstone check [--filter NAME] [options]\n"
    "       touchstone check --golden FILE\n"
    "       touchstone check -m MODEL --trace FILE [--bisect | --noise EPS] [options]\n"
    "       touchstone check -m MODEL --at POSITION [options]\n\n"
    "Checks every Metal kernel against the reference, each output element by an error budget\n"
    "that is computed for it; or the reference's operations, or a whole model, against golden\n"
    "numbers: files of inputs and right results, such as those in tests/data\n"
    "(docs/golden-files.md). Where a device chose between scores that float32 cannot tell\n"
    "apart, the reference makes the same choice, and the verdict says so.\n\n";

static const char tail[] =
    "\nThe last line begins with PASS or FAIL (with --json it goes to stderr).\n\n"
    "exit codes: 0 pass; 1 beyond the bound, damaged file, or nothing compared; 2 usage or\n"
    "  refused model; 4 environment; 130 interrupted\n";

/* In the order of choosing: `mode` below counts them. */
enum {
    MODE_LIST,
    MODE_PROBE,
    MODE_RECORD,
    MODE_GOLDEN,
    MODE_AT,
    MODE_BISECT,
    MODE_NOISE,
    MODE_TRACE
};
static const struct ts_option_mode modes[] = {
    {"list", NULL},   {"probe", NULL}, {"record", NULL},
    {"golden", NULL}, {"at", NULL},    {"bisect", NULL},
    {"noise", NULL},  {"trace", NULL}, {NULL, "in a check of kernels"}};
enum {
    LIST = 1 << MODE_LIST,
    PROBE = 1 << MODE_PROBE,
    RECORD = 1 << MODE_RECORD,
    GOLDEN = 1 << MODE_GOLDEN,
    AT = 1 << MODE_AT,
    BISECT = 1 << MODE_BISECT,
    NOISE = 1 << MODE_NOISE,
    TRACE = 1 << MODE_TRACE,
    KERNELS = 1 << (MODE_TRACE + 1),
    TRACES = BISECT | NOISE | TRACE,
    MODELS = TRACES | AT
};

static bool read_rounding(void *value, const char *flag, const char *text, struct ts_error *error)
{
    *(const char **)value = text;
    return strcmp(text, "on") == 0 || strcmp(text, "off") == 0 ||
           ts_fail(error, TS_ERR_USAGE, NULL, "%s: '%s' is neither on nor off", flag, text);
}

static bool read_noise(void *value, const char *flag, const char *text, struct ts_error *error)
{
    return ts_parse_f64(flag, text, 0, 1, value, error) &&
           (*(double *)value > 0 ||
            ts_fail(error, TS_ERR_USAGE, NULL, "%s: EPS must be above 0", flag));
}

static void add_model_options(struct ts_options *options, struct check_options *o)
{
    const struct ts_option lines[] = {
        TS_TEXT("golden", 0, &o->golden, "FILE",
                "operation vectors (GGUF), run through the reference", .modes = GOLDEN),
        TS_TEXT("model", 'm', &o->model, "FILE", "the model", .modes = MODELS, .needed = MODELS),
        TS_TEXT("trace", 0, &o->trace, "FILE",
                "what the model must produce: logits and intermediates", .modes = TRACES,
                .needed = TRACES),
        TS_FLAG("bisect", 0, &o->bisect,
                "give each operation the reference's inputs and name the\n"
                "first that leaves its budget",
                .modes = BISECT),
        TS_READ("noise", 0, read_noise, &o->run.noise, "EPS",
                "inject Gaussian noise of EPS times the RMS at each\n"
                "sublayer's input and print how far the logits move;\n"
                "judges nothing",
                .modes = NOISE),
        TS_U64("at", 0, &o->at, 0, 1ull << 40, "POSITION",
               "one decode step there, behind a KV state filled from --seed,\n"
               "against the reference",
               .modes = AT),
        TS_U32("chunk", 0, &o->run.chunk, 1, TS_MOST_CHUNK, "N", "tokens of one step (default 128)",
               .modes = TRACES),
        TS_READ("kv-rounding", 0, read_rounding, &o->rounding, "on|off",
                "the FP8 and FP4 round trips of KV rows; refused if the\n"
                "trace was made otherwise (default: as the trace was made)",
                .modes = NOISE | TRACE),
        TS_TEXT("device", 0, &o->run.device, "NAME",
                "what computes (default metal for kernels, else reference)",
                .modes = KERNELS | PROBE | RECORD | MODELS),
        TS_U32("threads", 0, &o->run.threads, 0, TS_MOST_THREADS, "N",
               "of a CPU device; 0: all cores (default 0)", .modes = KERNELS | RECORD | MODELS),
        TS_FLAG("unfused", 0, &o->run.unfused,
                "run every fused operation as its parts, also for the kernels\n"
                "of fused operations",
                .modes = KERNELS | RECORD | MODELS),
        TS_U64("seed", 0, &o->run.seed, 0, UINT64_MAX, "N", "of inputs and noise (default 1)",
               .modes = KERNELS | AT | NOISE),
        TS_FLAG("quiet", 'q', &o->quiet, "no progress on standard error", .modes = NOISE | TRACE),
        TS_FLAG("json", 0, &o->json, "JSON instead of text: one object, or one a kernel",
                .modes = KERNELS | GOLDEN | NOISE | TRACE),
    };
    TS_OPTIONS_ADD(options, lines);
}

static void add_table_options(struct ts_options *options, struct check_options *o)
{
    struct ts_check_table *t = &o->table;
    const struct ts_option lines[] = {
        TS_TEXT("filter", 0, &t->options.filter, "NAME",
                "only kernels of this operation or family; where none has the\n"
                "name, those with it in theirs",
                .modes = KERNELS | LIST),
        TS_FLAG("small", 0, &t->options.small_cases,
                "only cases of at most four million operations", .modes = KERNELS),
        TS_FLAG("stop", 0, &t->options.stop, "end at the first kernel that fails",
                .modes = KERNELS),
        TS_FLAG("long", 0, &t->options.long_cases, "also cases of more than 64 tokens",
                .modes = KERNELS),
        TS_FLAG("races", 0, &o->races,
                "small cases in the checking mode of the software Metal\n"
                "device, which reports races and stray accesses",
                .modes = KERNELS),
        TS_U64("adversarial", 0, &o->adversarial, 1, UINT64_MAX, "SEED",
               "the same, with sums in any order and functions as far off\n"
               "as Metal allows",
               .modes = KERNELS),
        TS_F64("limit", 0, &o->limit, 0, 1000000, "S",
               "seconds of processor time that a launch may take on the\n"
               "software Metal device before its kernel fails; 0: any time\n"
               "(default 20, with --long 200, or SOFTMETAL_LIMIT)",
               .modes = KERNELS | PROBE),
        TS_U32("mutant", 0, &t->options.mutant, 1, 100000, "K",
               "compile the kernels with planted bug K; the check must fail",
               .modes = KERNELS | BISECT),
        TS_TEXT("kernels", 0, &t->options.kernels, "DIR",
                "sources to use instead of those in the program\n"
                "(tools/embed-kernels.sh --flat DIR writes them)",
                .modes = KERNELS | BISECT),
        TS_TEXT("records", 0, &t->options.records, "FILE",
                "rhos to compare with, as --json writes them; a kernel more\n"
                "than 4 times as far off is MARGINAL, and with a seed that\n"
                "they were recorded with that is exit code 1 (default\n"
                "tests/data/rho.jsonl, where it exists)",
                .modes = KERNELS),
        TS_TEXT("record", 0, &t->record, "FILE",
                "check all kernels with seeds 1 to 4 and write the largest\n"
                "rho of each (make rho does, to tests/data/rho.jsonl)",
                .modes = RECORD),
        TS_FLAG("probe", 0, &t->probe,
                "only run a kernel with a known answer; exit code 4 if the\n"
                "device cannot",
                .modes = PROBE),
        TS_FLAG("list", 0, &t->list, "name the kernels", .modes = LIST),
    };
    TS_OPTIONS_ADD(options, lines);
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

struct trace_progress {
    struct ts_meter meter;
    uint64_t chunk, done, tokens;
};

/* Between chunks. */
static bool should_stop(void *context)
{
    struct trace_progress *p = context;
    p->done += p->chunk;
    ts_meter_show(&p->meter, "trace: %" PRIu64 " of %" PRIu64 " tokens", p->done, p->tokens);
    return ts_interrupted();
}

static int check_trace(struct check_options *options)
{
    struct trace_progress progress = {.chunk = options->run.chunk ? options->run.chunk : 128};
    struct ts_error error;
    struct ts_trace_result result = {.items = NULL};
    struct ts_model *model = ts_model_open(options->model, &error);
    if (!model) {
        return end_in_error(options, &error);
    }
    struct ts_trace *trace = ts_trace_open(options->trace, model, &error);
    int code = 0;
    ts_meter_begin(&progress.meter, options->quiet);
    ts_catch_interrupts();
    progress.tokens = trace ? trace->tokens : 0;
    options->run.stop_fn = should_stop;
    options->run.stop_context = &progress;
    bool ran = trace && rounding_agrees(options, trace, &error) &&
               ts_trace_run(model, trace, &options->run, &result, &error);
    ts_meter_wipe(&progress.meter);
    if (!ran) {
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

/* A kernel without end is one that fails: a GPU has a watchdog of its own. */
enum { LAUNCH_SECONDS = 20, LONG_LAUNCH_SECONDS = 200 };

static int check_table(struct check_options *o)
{
    struct ts_kernel_check_options *table = &o->table.options;
    bool checking = o->races || o->adversarial > 0; /* the device's mode */
    table->seed = o->run.seed;
    table->device = o->run.device;
    table->threads = o->run.threads;
    table->unfused = o->run.unfused;
    table->small_cases |= checking;
    if (!table->records && o->adversarial == 0 && access(TS_KERNEL_RECORDS, R_OK) == 0) {
        table->records = TS_KERNEL_RECORDS;
    }
    double usual = table->long_cases ? LONG_LAUNCH_SECONDS : LAUNCH_SECONDS;
    table->bare = checking;
    table->any_order = o->adversarial > 0;
    table->software = (struct ts_software_options){.checks = checking,
                                                   .seed = o->run.seed,
                                                   .adversarial = o->adversarial,
                                                   .seconds = o->limit >= 0 ? o->limit : usual,
                                                   .limit = o->limit >= 0 ? TS_SECONDS_AS_GIVEN
                                                                          : TS_SECONDS_UNLESS_SET};
    o->table.json = o->json;
    return ts_check_table(&o->table);
}

int ts_verb_check(int argc, char **argv)
{
    struct check_options o = {.run = {.seed = 1}, .limit = -1};
    struct ts_options options = {.verb = "check", .head = head, .tail = tail, .modes = modes};
    int code;
    add_model_options(&options, &o);
    add_table_options(&options, &o);
    if (!ts_options_read(&options, argc, argv, &code)) {
        return code;
    }
    switch (options.mode) {
    case MODE_GOLDEN: return check_golden(&o);
    case MODE_AT: return check_far(&o);
    case MODE_BISECT: return bisect(&o);
    case MODE_NOISE:
    case MODE_TRACE: return check_trace(&o);
    default: return check_table(&o);
    }
}
