/* touchstone prompt: a conversation as the text that the model continues. */
#include "tools/touchstone/cli.h"
#include "tools/touchstone/messages.h"
#include "engine/prompt/cases.h"
#include "engine/tokenizer/tokenizer.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

static const uint64_t LONGEST_CASES = INT32_MAX; /* bytes */

struct prompt_options {
    const char *file, *model, *cases;
    struct ts_messages_flags flags;
};

static const char head[] =
    "usage: touchstone prompt [options] FILE\n"
    "       touchstone prompt --cases FILE\n\n"
    "Prints the text that the model continues, and nothing behind it. FILE ('-' is standard\n"
    "input) is JSON: an array of messages, or an object with messages, tools,\n"
    "response_format, thinking_mode (thinking or chat), release (preview or 0731),\n"
    "reasoning_effort (low, high or max as the release has them) and drop_thinking. Options\n"
    "go before what the file says.\n\n";

static const char tail[] =
    "\nexit codes: 0 ok; 1 a case failed, is damaged, or none was read; 2 usage or refused\n"
    "  input; 4 environment\n";

enum { CASES = 1, RENDER = 2 };
static const struct ts_option_mode modes[] = {{"cases", NULL}, {NULL, "without --cases"}};

static bool read_options(int argc, char **argv, struct prompt_options *o, int *code)
{
    struct ts_options options = {
        .verb = "prompt", .head = head, .tail = tail, .operand = &o->file, .modes = modes};
    const struct ts_option lines[] = {
        TS_TEXT("model", 'm', &o->model, "GGUF",
                "print token ids of this vocabulary on one line instead", .modes = RENDER),
        TS_TEXT("cases", 0, &o->cases, "FILE",
                "check lines of {\"messages\": ..., \"prompt\": ...}: each must\n"
                "render to its prompt, and an assistant's turn at its end\n"
                "must parse back; the last line printed is\n"
                "'N passed, N failed'",
                .modes = CASES),
    };
    TS_OPTIONS_ADD(&options, lines);
    ts_options_add_messages(&options, &o->flags, RENDER, RENDER);
    if (!ts_options_read(&options, argc, argv, code)) {
        return false;
    }
    if (o->cases && o->file) {
        *code = ts_options_refuse(&options, "--cases brings its own input: leave out '%.200s'",
                                  o->file);
        return false;
    }
    if (!o->cases && !o->file) {
        *code = ts_options_refuse(&options, "needs a FILE with messages, or --cases FILE");
        return false;
    }
    return true;
}

/* What went wrong is reported before the count, which is the last line of all. */
static int check_cases(const char *path)
{
    struct ts_error error = {TS_OK, "", ""};
    struct ts_case_counts counts = {0, 0};
    char *data = NULL;
    uint64_t length = 0;
    int code = 0;
    if (!ts_read_file(path, LONGEST_CASES, &data, &length, &error)) {
        if (error.code == TS_ERR_INPUT) {
            error.code = TS_ERR_DATA; /* no line was read */
        }
        code = ts_report(&error);
    } else if (!ts_prompt_check_cases(path, data, (size_t)length, stdout, &counts, &error)) {
        fflush(stdout);
        code = ts_report(&error);
    }
    printf("%" PRIu64 " passed, %" PRIu64 " failed\n", counts.passed, counts.failed);
    free(data);
    return code;
}

static bool print_ids(const struct prompt_options *o, const struct ts_gguf *gguf,
                      const struct ts_prompt *prompt, struct ts_error *error)
{
    struct ts_ids ids = {NULL, 0, 0};
    struct ts_tokenizer *tokenizer = ts_tokenizer_open(gguf, error);
    bool ok = tokenizer && ts_messages_encode(prompt, &o->flags, tokenizer, &ids, error);
    for (size_t i = 0; ok && i < ids.count; i++) {
        printf("%s%" PRId32, i == 0 ? "" : " ", ids.data[i]);
    }
    if (ok) {
        putchar('\n');
    }
    ts_ids_free(&ids);
    ts_tokenizer_close(tokenizer);
    return ok;
}

static bool print_prompt(const struct prompt_options *o, struct ts_error *error)
{
    struct ts_prompt prompt = {.reply = 0};
    struct ts_gguf *gguf = o->model ? ts_gguf_open(o->model, error) : NULL;
    bool ok = (gguf || !o->model) && ts_messages_render(o->file, &o->flags, gguf, &prompt, error);
    struct ts_text text = ts_writer_text(&prompt.text);
    if (ok && gguf) {
        ok = print_ids(o, gguf, &prompt, error);
    } else if (ok) {
        fwrite(text.data, 1, text.length, stdout);
    }
    ts_prompt_free(&prompt);
    ts_gguf_close(gguf);
    return ok;
}

int ts_verb_prompt(int argc, char **argv)
{
    struct prompt_options o = {.file = NULL};
    struct ts_error error = {.code = TS_OK};
    int code;
    if (!read_options(argc, argv, &o, &code)) {
        return code;
    }
    if (o.cases) {
        return check_cases(o.cases);
    }
    return print_prompt(&o, &error) ? 0 : ts_report(&error);
}
