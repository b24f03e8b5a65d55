/* touchstone run: continue a prompt. */
#include "tools/touchstone/cli.h"
#include "tools/touchstone/messages.h"
#include "tools/touchstone/meter.h"
#include "tools/touchstone/model_options.h"
#include "tools/touchstone/output.h"
#include "tools/touchstone/run_report.h"
#include "engine/session/logits_dump.h"
#include "base/clock.h"
#include "base/memory_usage.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MEMORY_EVERY = 16, MOST_TOP = 1000 };
static const uint64_t LONGEST_PROMPT = INT32_MAX; /* bytes */

struct run_options {
    const char *model, *prompt, *file, *ids, *messages, *dump;
    struct ts_messages_flags flags;
    bool chat, no_bos, plain, json, quiet;
    uint64_t tokens;
    uint32_t top;
    struct ts_session_options session;
    struct ts_sampling sampling;
};

/* A run at work; everything in it is closed by close_run. */
struct run {
    const struct run_options *options;
    struct ts_session_options session_options; /* resolved */
    struct ts_model *model;
    struct ts_tokenizer *tokenizer;
    struct ts_session *session;
    struct ts_sampler *sampler;
    struct ts_decoder *decoder;
    struct ts_logits_dump *dump;
    struct ts_ids prompt;
    FILE *out;        /* stdout, or into `text` for --json */
    char *text;       /* belongs to the stream */
    char last;        /* byte written */
    int32_t end;      /* id that ends the text, and is not a part of it */
    int32_t *top_ids; /* [top] of one token */
    double *top_logprobs;
    uint64_t top_capacity;
    struct ts_meter meter;
    struct ts_run_report report;
};

static const char head[] =
    "usage: touchstone run -m FILE [options]\n\n"
    "Continues a text: from -p, -f, --ids, --messages or standard input. The continuation goes to\n"
    "standard output as it is generated, then one line to standard error: the device (and\n"
    "whether it is a cpu, a GPU of Apple's or a software one), prompt tokens, prefill speed,\n"
    "time to the first token, generation speed without that token, and anonymous memory at\n"
    "its peak, and the memory beside the model file that was planned. Ctrl-C\n"
    "ends the generation early.\n\n";

static const char tail[] =
    "\n--json: model, device, provenance, text, ids (the one that ended the text included),\n"
    "prompt_tokens, generated_tokens, compile_ms (of kernels, before the prompt),\n"
    "prefill_tps, ttft_ms, generation_tps, memory {plan, peak} in bytes, finish_reason (length, "
    "stop, context, interrupted), seed,\n"
    "top_logprobs. null stands for what was not measured and for a logprob of -Inf; bytes\n"
    "that are no UTF-8 become U+FFFD.\n\n"
    "exit codes: 0 ok; 1 NaN logits; 2 usage or refused input; 4 environment;\n"
    "  130 interrupted\n";

/* Where the prompt comes from, and what is made of it. */
enum { MESSAGES = 1, IDS = 2, CHAT = 4, TEXT = 8 };
static const struct ts_option_mode modes[] = {
    {"messages", NULL}, {"ids", NULL}, {"chat", NULL}, {NULL, "when a text is continued"}};

static void add_prompt_options(struct ts_options *options, struct run_options *o)
{
    const struct ts_option lines[] = {
        TS_TEXT("model", 'm', &o->model, "FILE", "GGUF with weights and vocabulary",
                .needed = MESSAGES | IDS | CHAT | TEXT),
        TS_TEXT("prompt", 'p', &o->prompt, "TEXT", "the text to continue", .group = 'p'),
        TS_TEXT("file", 'f', &o->file, "FILE", "a file with the text ('-' is standard input)",
                .group = 'p'),
        TS_TEXT("ids", 0, &o->ids, "LIST",
                "token ids to continue, such as \"5 17\"; nothing is added", .group = 'p'),
        TS_FLAG("no-bos", 0, &o->no_bos,
                "no beginning-of-sentence token before a raw text; by default\n"
                "one is put there unless the text begins with one",
                .modes = TEXT),
        TS_FLAG("plain", 0, &o->plain, "added tokens such as <think> in the text are ordinary text",
                .modes = TEXT),
        TS_FLAG("chat", 0, &o->chat, "the text is a user's turn, which the model answers",
                .modes = CHAT),
        TS_TEXT("messages", 0, &o->messages, "FILE",
                "a conversation that the model goes on, as in\n"
                "touchstone prompt ('-' is standard input)",
                .group = 'p'),
    };
    TS_OPTIONS_ADD(options, lines);
    ts_options_add_messages(options, &o->flags, CHAT, MESSAGES);
}

static bool read_options(int argc, char **argv, struct run_options *o, int *code)
{
    struct ts_options options = {.verb = "run", .head = head, .tail = tail, .modes = modes};
    const struct ts_option lines[] = {
        TS_U64("tokens", 'n', &o->tokens, 0, UINT32_MAX, "N",
               "most tokens to generate (default 128); 0 only reads the\n"
               "prompt"),
        TS_FLAG("json", 0, &o->json, "print one record instead of text and summary"),
        TS_FLAG("quiet", 'q', &o->quiet, "no progress and no advice on standard error"),
        TS_U32("top-logprobs", 0, &o->top, 0, MOST_TOP, "K",
               "the K likeliest tokens at each place and their natural-log\n"
               "probabilities before sampling: in the record of --json,\n"
               "else on standard error behind the text"),
        TS_TEXT("dump-logits", 0, &o->dump, "FILE",
                "write ids and logits of prompt and generated tokens as a\n"
                "trace, for touchstone check; takes 8 bytes of disk a logit\n"
                "while it runs, and keeps 4"),
    };
    o->tokens = 128;
    add_prompt_options(&options, o);
    TS_OPTIONS_ADD(&options, lines);
    ts_options_add_sampling(&options, &o->sampling);
    ts_options_add_session(&options, &o->session);
    return ts_options_read(&options, argc, argv, code);
}

/* ---- prompt ---- */

static bool parse_ids(const char *list, struct ts_ids *ids, struct ts_error *error)
{
    static const char separators[] = " ,\t\r\n";
    for (const char *at = list + strspn(list, separators); *at; at += strspn(at, separators)) {
        size_t length = strcspn(at, separators);
        char item[24];
        uint64_t id = 0;
        snprintf(item, sizeof item, "%.*s", length < sizeof item ? (int)length : 23, at);
        if (!ts_parse_u64("--ids", item, 0, INT32_MAX, &id, error) ||
            !ts_ids_append(ids, (int32_t)id, error)) {
            return false;
        }
        at += length;
    }
    return true;
}

static bool append_bos(const struct run *run, struct ts_ids *ids, struct ts_error *error)
{
    int32_t id = ts_tokenizer_bos(run->tokenizer);
    if (id < 0) {
        return ts_fail(error, TS_ERR_INPUT, "run with --no-bos",
                       "%s: key tokenizer.ggml.bos_token_id is missing", run->options->model);
    }
    return ts_ids_append(ids, id, error);
}

static bool encode_text(struct run *run, const char *text, size_t length, struct ts_error *error)
{
    const struct run_options *o = run->options;
    struct ts_ids body = {NULL, 0, 0};
    bool ok = ts_tokenizer_encode(run->tokenizer, text, length, !o->plain, &body, error);
    bool has_bos = ok && body.data[0] == ts_tokenizer_bos(run->tokenizer);
    ok = ok && (o->no_bos || has_bos || append_bos(run, &run->prompt, error));
    for (size_t i = 0; ok && i < body.count; i++) {
        ok = ts_ids_append(&run->prompt, body.data[i], error);
    }
    ts_ids_free(&body);
    return ok;
}

/* Without them a conversation would be spelled in letters. */
static bool has_protocol(const struct run *run, struct ts_error *error)
{
    static const char *const tokens[] = {TS_BOS, TS_USER, TS_ASSISTANT, TS_THINK, TS_END_THINK};
    for (size_t i = 0; i < sizeof tokens / sizeof *tokens; i++) {
        if (ts_tokenizer_find(run->tokenizer, tokens[i]) < 0) {
            return ts_fail(error, TS_ERR_INPUT, "run without --chat and --messages",
                           "%s: the vocabulary has no token %s, which a conversation needs",
                           run->options->model, tokens[i]);
        }
    }
    return true;
}

/* A conversation, or with a text one user's turn. */
static bool encode_messages(struct run *run, const struct ts_text *text, struct ts_error *error)
{
    struct ts_prompt prompt = {.reply = 0};
    const struct ts_messages_flags *flags = &run->options->flags;
    const struct ts_gguf *gguf = run->model->gguf;
    if (!has_protocol(run, error)) {
        return false;
    }
    bool ok = text ? ts_messages_render_turn(*text, flags, gguf, &prompt, error)
                   : ts_messages_render(run->options->messages, flags, gguf, &prompt, error);
    ok = ok && ts_messages_encode(&prompt, flags, run->tokenizer, &run->prompt, error);
    ts_prompt_free(&prompt);
    return ok;
}

static bool encode_prompt(struct run *run, struct ts_text text, struct ts_error *error)
{
    if (text.length == 0) {
        return ts_fail(error, TS_ERR_INPUT, "give a text with -p, -f or standard input",
                       "the prompt is empty");
    }
    return run->options->chat ? encode_messages(run, &text, error)
                              : encode_text(run, text.data, text.length, error);
}

static bool make_prompt(struct run *run, struct ts_error *error)
{
    const struct run_options *o = run->options;
    if (o->messages) {
        return encode_messages(run, NULL, error);
    }
    if (o->ids) {
        return parse_ids(o->ids, &run->prompt, error);
    }
    if (o->prompt) {
        return encode_prompt(run, (struct ts_text){o->prompt, strlen(o->prompt)}, error);
    }
    char *text = NULL;
    uint64_t length = 0;
    if (!ts_read_file(o->file ? o->file : "-", LONGEST_PROMPT, &text, &length, error)) {
        return false;
    }
    bool ok = encode_prompt(run, (struct ts_text){text, (size_t)length}, error);
    free(text);
    return ok;
}

/* ---- generation ---- */

static bool write_text(struct run *run, struct ts_text text, struct ts_error *error)
{
    if (text.length == 0) {
        return true;
    }
    if (fwrite(text.data, 1, text.length, run->out) != text.length || fflush(run->out) != 0) {
        return ts_fail(error, TS_ERR_ENVIRONMENT, NULL, "standard output: %s", strerror(errno));
    }
    run->last = text.data[text.length - 1];
    return true;
}

static bool note_top(struct run *run, const double *logits, struct ts_error *error)
{
    struct ts_run_report *report = &run->report;
    uint64_t used = report->top_ids.count, top = report->top;
    if (run->top_capacity - used < top) {
        uint64_t capacity = run->top_capacity * 2 + top;
        double *larger = realloc(run->top_logprobs, capacity * sizeof *larger);
        if (!larger) {
            return ts_fail_memory(error, "log-probabilities", capacity * sizeof *larger);
        }
        report->top_logprobs = run->top_logprobs = larger;
        run->top_capacity = capacity;
    }
    if (!ts_sampler_top(logits, run->model->config.vocab, report->top, run->top_ids,
                        run->top_logprobs + used, error)) {
        return false;
    }
    for (uint64_t i = 0; i < top; i++) {
        if (!ts_ids_append(&report->top_ids, run->top_ids[i], error)) {
            return false;
        }
    }
    return true;
}

static bool take_token(void *context, int32_t id, const double *logits, struct ts_error *error)
{
    struct run *run = context;
    struct ts_text text;
    ts_meter_wipe(&run->meter);
    if (run->report.ids.count % MEMORY_EVERY == 0) {
        ts_memory_sample(&run->report.peak);
    }
    if (!ts_ids_append(&run->report.ids, id, error) ||
        (run->report.top > 0 && !note_top(run, logits, error))) {
        return false;
    }
    return id == run->end ||
           (ts_decoder_push(run->decoder, id, &text, error) && write_text(run, text, error));
}

/* Between chunks and tokens. */
static bool should_stop(void *context)
{
    struct run *run = context;
    if (run->report.ids.count == 0) {
        ts_memory_sample(&run->report.peak);
        uint64_t done = ts_session_length(run->session);
        double seconds = (double)(ts_clock_ns() - run->meter.begun) / 1e9;
        ts_meter_show(&run->meter, "prompt: %" PRIu64 " of %zu tokens, about %.0f s left", done,
                      run->prompt.count,
                      done ? seconds / (double)done * (double)(run->prompt.count - done) : 0);
    }
    return ts_interrupted();
}

/* The device's code first, so that its time is no speed of the model's. */
static bool prepare(struct run *run, struct ts_error *error)
{
    struct ts_device *device = ts_session_device(run->session);
    struct ts_device_counters counters;
    if (strcmp(ts_device_limits(device)->provenance, "cpu") == 0) {
        return true;
    }
    uint64_t start = ts_clock_ns();
    ts_meter_show(&run->meter, "compiling kernels");
    bool ok = ts_session_prepare(run->session, run->prompt.count, run->options->tokens > 1, error);
    ts_meter_wipe(&run->meter);
    ts_device_counters(device, &counters);
    run->report.kernels = counters.pipelines;
    run->report.kernels_ns = ts_clock_ns() - start;
    return ok;
}

static bool generate(struct run *run, struct ts_error *error)
{
    struct ts_generate_options options = {.tokens = run->options->tokens,
                                          .end = run->end,
                                          .feed_last = run->dump != NULL,
                                          .token_fn = take_token,
                                          .token_context = run,
                                          .stop_fn = should_stop,
                                          .stop_context = run};
    ts_session_set_logits_fn(run->session, run->dump ? ts_logits_dump_add : NULL, run->dump);
    ts_memory_sample(&run->report.peak);
    ts_catch_interrupts();
    ts_meter_begin(&run->meter, run->options->quiet);
    bool ok = prepare(run, error);
    ts_meter_begin(&run->meter, run->options->quiet);
    ok = ok && ts_generate(run->session, run->sampler, run->prompt.data, run->prompt.count,
                           &options, &run->report.done, error);
    ts_meter_wipe(&run->meter);
    ts_memory_sample(&run->report.peak);
    ok = ok && write_text(run, ts_decoder_flush(run->decoder), error);
    if (!run->options->json && run->last != '\0' && run->last != '\n') {
        fputc('\n', run->out); /* also before an error message */
    }
    return ok;
}

static bool open_output(struct run *run, struct ts_error *error)
{
    run->out = stdout;
    if (run->options->json) {
        run->out = open_memstream(&run->text, &run->report.text_length);
    }
    return run->out || ts_fail_memory(error, "the text", 0);
}

/* What a run keeps beside its session: the prompt, the text and, with --json, the record: at most 32
 * bytes of text an id in what is written, a node of cJSON's (some 500 bytes with its strings, and its
 * share of the text while that grows) for each likeliest token, an array's element (80) for each id. */
static uint64_t extra_bytes(const struct run *run)
{
    enum { ID = 160, CANDIDATE = 12, RECORDED = 800 };
    const struct run_options *o = run->options;
    uint64_t context = run->session_options.context, prompt = run->prompt.count;
    uint64_t left = prompt < context ? context - prompt : 0;
    uint64_t tokens = o->tokens < left ? o->tokens : left;
    uint64_t candidates = (tokens + 1) * o->top;
    return (prompt + tokens) * ID +
           candidates * (o->json ? 2 * CANDIDATE + RECORDED : 2u * CANDIDATE);
}

static bool open_run(struct run *run, struct ts_error *error)
{
    const struct run_options *o = run->options;
    struct ts_session_plan plan;
    run->model = ts_model_open(o->model, error);
    run->tokenizer = run->model ? ts_model_tokenizer(run->model, error) : NULL;
    if (!run->tokenizer || !make_prompt(run, error)) {
        return false;
    }
    uint32_t vocab = run->model->config.vocab;
    if (o->top > vocab) {
        return ts_fail(error, TS_ERR_USAGE, NULL, "--top-logprobs: %u is more than the %u tokens",
                       o->top, vocab);
    }
    run->session_options = o->session;
    run->session_options.every_logit = o->dump != NULL;
    if (!ts_session_resolve(run->model, &run->session_options, error) ||
        !ts_session_plan(run->model, &run->session_options, &plan, error)) {
        return false;
    }
    run->sampler = ts_sampler_open(&o->sampling, vocab, error);
    run->decoder = run->sampler ? ts_decoder_open(run->tokenizer, error) : NULL;
    run->top_ids = calloc(o->top + 1ull, sizeof *run->top_ids);
    if (!run->decoder || !open_output(run, error)) {
        return false;
    }
    if (!run->top_ids) {
        return ts_fail_memory(error, "log-probabilities", o->top * sizeof *run->top_ids);
    }
    if (o->dump && !(run->dump = ts_logits_dump_open(o->dump, vocab, error))) {
        return false;
    }
    run->session = ts_session_open(run->model, &run->session_options, error);
    run->end = ts_tokenizer_eos(run->tokenizer);
    run->report.plan = plan.total + extra_bytes(run);
    run->report.files = run->model->gguf->part_count;
    run->report.tokenizer = run->tokenizer;
    return run->session != NULL;
}

static void close_run(struct run *run)
{
    ts_session_close(run->session);
    ts_logits_dump_close(run->dump);
    ts_decoder_close(run->decoder);
    ts_sampler_close(run->sampler);
    ts_tokenizer_close(run->tokenizer);
    ts_model_close(run->model);
    if (run->out && run->out != stdout) {
        fclose(run->out);
    }
    free(run->text);
    free(run->top_ids);
    free(run->top_logprobs);
    ts_ids_free(&run->prompt);
    ts_ids_free(&run->report.ids);
    ts_ids_free(&run->report.top_ids);
}

/* Everything but the text. */
static bool finish(struct run *run, struct ts_error *error)
{
    const struct run_options *o = run->options;
    const struct ts_device_limits *device = ts_device_limits(ts_session_device(run->session));
    struct ts_run_report *report = &run->report;
    report->device = device->name;
    report->provenance = device->provenance;
    bool ok = true;
    if (o->json) {
        report->text = run->text ? run->text : "";
        ok = ts_run_print_json(report, error);
    } else {
        ts_run_print_top(report);
        ts_run_print_summary(report);
    }
    return (!run->dump ||
            ts_logits_dump_finish(run->dump, run->model, !run->session_options.kv_rounding_off,
                                  ts_session_tokens(run->session), error)) &&
           ok;
}

static void choose_device(struct run_options *o)
{
    if (o->session.device) {
        return;
    }
    o->session.device = ts_device_default();
    if (!o->quiet && !o->json && strcmp(o->session.device, "reference") == 0) {
        bool metal = strstr(ts_device_names(), "metal") != NULL;
        fprintf(stderr, "computing on the CPU reference, which is an oracle and slow%s\n",
                metal ? "; --device metal runs the software Metal device" : "");
    }
}

int ts_verb_run(int argc, char **argv)
{
    struct run_options o = {0};
    struct ts_error error = {.code = TS_OK};
    int code;
    if (!read_options(argc, argv, &o, &code)) {
        return code;
    }
    if (o.dump) {
        ts_output_outlive_reader(); /* which would leave the unfinished file behind */
    }
    choose_device(&o);
    struct run run = {.options = &o,
                      .report = {.model = o.model, .top = o.top, .seed = o.sampling.seed}};
    bool ok = open_run(&run, &error) && generate(&run, &error) && finish(&run, &error);
    if (!ok) { /* lost output is told once, at the end of the program */
        code = ferror(stdout) ? ts_exit_code(error.code) : ts_report(&error);
    } else {
        bool interrupted = run.report.done.finish == TS_FINISH_INTERRUPTED;
        code = interrupted ? ts_exit_code(TS_ERR_INTERRUPTED) : 0;
    }
    close_run(&run);
    return code;
}
