/* touchstone run: continue a prompt. */
#include "tools/touchstone/cli.h"
#include "tools/touchstone/messages.h"
#include "tools/touchstone/options.h"
#include "tools/touchstone/run_report.h"
#include "engine/session/logits_dump.h"
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
    bool chat, no_bos, plain, json;
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
    struct ts_run_report report;
};

static int parse_options(int argc, char **argv, struct run_options *o, struct ts_options *options)
{
    const struct ts_option lines[] = {
        {"model", 'm', TS_OPTION_TEXT, &o->model, 0, 0, "FILE", "GGUF with weights and vocabulary"},
        {"prompt", 'p', TS_OPTION_TEXT, &o->prompt, 0, 0, "TEXT", "the text to continue"},
        {"file", 'f', TS_OPTION_TEXT, &o->file, 0, 0, "FILE",
         "a file with the text ('-' is standard input)"},
        {"ids", 0, TS_OPTION_TEXT, &o->ids, 0, 0, "LIST",
         "token ids to continue, such as \"5 17\"; nothing is added"},
        {"no-bos", 0, TS_OPTION_FLAG, &o->no_bos, 0, 0, NULL,
         "no beginning-of-sentence token before a raw text; by default\n"
         "one is put there unless the text begins with one"},
        {"plain", 0, TS_OPTION_FLAG, &o->plain, 0, 0, NULL,
         "added tokens such as <think> in the text are ordinary text"},
        {"chat", 0, TS_OPTION_FLAG, &o->chat, 0, 0, NULL,
         "the text is a user's turn, which the model answers"},
        {"messages", 0, TS_OPTION_TEXT, &o->messages, 0, 0, "FILE",
         "a conversation that the model goes on, as in\n"
         "touchstone prompt ('-' is standard input)"},
        {"think", 0, TS_OPTION_FLAG, &o->flags.think, 0, 0, NULL,
         "of a chat or messages: the answer begins with reasoning\n"
         "(default)"},
        {"no-think", 0, TS_OPTION_FLAG, &o->flags.no_think, 0, 0, NULL,
         "of a chat or messages: the answer begins at once"},
        {"tokens", 'n', TS_OPTION_U64, &o->tokens, 0, UINT32_MAX, "N",
         "most tokens to generate (default 128); 0 only reads the\n"
         "prompt"},
        {"json", 0, TS_OPTION_FLAG, &o->json, 0, 0, NULL,
         "print one record instead of text and summary"},
        {"top-logprobs", 0, TS_OPTION_U32, &o->top, 0, MOST_TOP, "K",
         "the K likeliest tokens at each place and their natural-log\n"
         "probabilities before sampling: in the record of --json,\n"
         "else on standard error behind the text"},
        {"dump-logits", 0, TS_OPTION_TEXT, &o->dump, 0, 0, "FILE",
         "write ids and logits of prompt and generated tokens as a\n"
         "trace, for touchstone check; takes 8 bytes of disk a logit\n"
         "while it runs, and keeps 4"},
    };
    o->tokens = 128;
    ts_options_add(options, lines, sizeof lines / sizeof *lines);
    ts_options_add_messages(options, &o->flags);
    ts_options_add_sampling(options, &o->sampling);
    ts_options_add_session(options, &o->session);
    return ts_options_parse(options, argc, argv);
}

static void print_help(const struct ts_options *options)
{
    fputs(
        "usage: touchstone run -m FILE [options]\n\n"
        "Continues a text: from -p, -f, --ids, --messages or standard input. The continuation "
        "goes to\n"
        "standard output as it is generated, then one line to standard error: the device (and\n"
        "whether it is a cpu, a GPU of Apple's or a software one), prompt tokens, prefill speed,\n"
        "time to the first token, generation speed without that token, and anonymous memory at\n"
        "its peak and as planned; what a Metal device takes for itself is not planned. Ctrl-C\n"
        "ends the generation early.\n\n",
        stdout);
    ts_options_print(options);
    fputs("\n--json: model, device, provenance, text, ids (the one that ended the text included),\n"
          "prompt_tokens, generated_tokens, prefill_tps, ttft_ms, generation_tps, memory {plan,\n"
          "peak} in bytes, finish_reason (length, stop, context, interrupted), seed,\n"
          "top_logprobs. null stands for what was not measured and for a logprob of -Inf; bytes\n"
          "that are no UTF-8 become U+FFFD.\n\n"
          "exit codes: 0 ok; 1 NaN logits; 2 usage or refused input; 4 environment;\n"
          "  130 interrupted\n",
          stdout);
}

static bool check_options(const struct run_options *o, struct ts_error *error)
{
    const struct ts_messages_flags *flags = &o->flags;
    const char *wrong = NULL;
    if (!o->model) {
        wrong = "needs a model: -m FILE";
    } else if ((o->prompt != NULL) + (o->file != NULL) + (o->ids != NULL) + (o->messages != NULL) >
               1) {
        wrong = "takes its prompt from one of -p, -f, --ids and --messages";
    } else if ((flags->think || flags->no_think) && !o->chat && !o->messages) {
        wrong = "--think and --no-think need --chat or --messages";
    } else if ((flags->effort || flags->release || flags->markers || flags->keep_thinking) &&
               !o->messages) {
        wrong = "--effort, --release, --markers and --keep-thinking need --messages";
    } else if (o->messages && (o->chat || o->plain || o->no_bos)) {
        wrong = "--messages are a whole prompt: leave out --chat, --plain and --no-bos";
    } else if (flags->think && flags->no_think) {
        wrong = "--think and --no-think contradict each other";
    } else if (o->ids && (o->chat || o->plain || o->no_bos)) {
        wrong = "--ids are taken as they are: leave out --chat, --plain and --no-bos";
    } else if (o->chat && o->no_bos) {
        wrong = "a chat begins with a beginning-of-sentence token: leave out --no-bos";
    }
    return !wrong || ts_fail(error, TS_ERR_USAGE, "see touchstone run --help", "run: %s", wrong);
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

static bool append_special(const struct run *run, const char *name, struct ts_ids *ids,
                           struct ts_error *error)
{
    int32_t id = ts_tokenizer_find(run->tokenizer, name);
    if (id < 0) {
        return ts_fail(error, TS_ERR_INPUT, "run without --chat",
                       "%s: the vocabulary has no token %s, which a chat needs",
                       run->options->model, name);
    }
    return ts_ids_append(ids, id, error);
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

/* Raw text, or one user turn and the opening of the answer (spec 6.2). */
static bool encode_prompt(struct run *run, const char *text, size_t length, struct ts_error *error)
{
    const struct run_options *o = run->options;
    struct ts_ids body = {NULL, 0, 0};
    int32_t bos = ts_tokenizer_bos(run->tokenizer);
    bool ok = ts_tokenizer_encode(run->tokenizer, text, length, !o->plain, &body, error);
    if (ok && body.count == 0) {
        ok = ts_fail(error, TS_ERR_INPUT, "give a text with -p, -f or standard input",
                     "the prompt is empty");
    }
    bool has_bos = ok && !o->chat && body.data[0] == bos;
    ok = ok && (o->no_bos || has_bos || append_bos(run, &run->prompt, error));
    ok = ok && (!o->chat || append_special(run, "<｜User｜>", &run->prompt, error));
    for (size_t i = 0; ok && i < body.count; i++) {
        ok = ts_ids_append(&run->prompt, body.data[i], error);
    }
    ts_ids_free(&body);
    return ok && (!o->chat || (append_special(run, "<｜Assistant｜>", &run->prompt, error) &&
                               append_special(run, o->flags.no_think ? "</think>" : "<think>",
                                              &run->prompt, error)));
}

static bool encode_messages(struct run *run, struct ts_error *error)
{
    struct ts_prompt prompt = {.reply = 0};
    const struct ts_messages_flags *flags = &run->options->flags;
    bool ok = ts_messages_render(run->options->messages, flags, run->model->gguf, &prompt, error) &&
              ts_messages_encode(&prompt, flags, run->tokenizer, &run->prompt, error);
    ts_prompt_free(&prompt);
    return ok;
}

static bool make_prompt(struct run *run, struct ts_error *error)
{
    const struct run_options *o = run->options;
    if (o->messages) {
        return encode_messages(run, error);
    }
    if (o->ids) {
        return parse_ids(o->ids, &run->prompt, error);
    }
    if (o->prompt) {
        return encode_prompt(run, o->prompt, strlen(o->prompt), error);
    }
    char *text = NULL;
    uint64_t length = 0;
    if (!ts_read_file(o->file ? o->file : "-", LONGEST_PROMPT, &text, &length, error)) {
        return false;
    }
    bool ok = encode_prompt(run, text, (size_t)length, error);
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
    }
    return ts_interrupted();
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
    bool ok = ts_generate(run->session, run->sampler, run->prompt.data, run->prompt.count, &options,
                          &run->report.done, error);
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
    run->report.plan = plan.total;
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
    if (ok && (fflush(stdout) != 0 || ferror(stdout))) {
        ok = ts_fail(error, TS_ERR_ENVIRONMENT, NULL, "standard output: %s", strerror(errno));
    }
    return (!run->dump ||
            ts_logits_dump_finish(run->dump, run->model, !run->session_options.kv_rounding_off,
                                  ts_session_tokens(run->session), error)) &&
           ok;
}

int ts_verb_run(int argc, char **argv)
{
    struct run_options o = {0};
    struct ts_options options = {.verb = "run"};
    struct ts_error error = {.code = TS_OK};
    int code = parse_options(argc, argv, &o, &options);
    if (code != 0) {
        return code;
    }
    if (options.help) {
        print_help(&options);
        return 0;
    }
    struct run run = {.options = &o,
                      .report = {.model = o.model, .top = o.top, .seed = o.sampling.seed}};
    bool ok = check_options(&o, &error) && open_run(&run, &error) && generate(&run, &error) &&
              finish(&run, &error);
    code = !ok                                               ? ts_report(&error)
           : run.report.done.finish == TS_FINISH_INTERRUPTED ? ts_exit_code(TS_ERR_INTERRUPTED)
                                                             : 0;
    close_run(&run);
    return code;
}
