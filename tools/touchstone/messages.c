#include "tools/touchstone/messages.h"

#include "tools/touchstone/cli.h"
#include "engine/prompt/request.h"

#include <stdlib.h>
#include <string.h>

void ts_options_add_messages(struct ts_options *options, struct ts_messages_flags *flags,
                             uint32_t turns, uint32_t messages)
{
    const struct ts_option lines[] = {
        TS_FLAG("think", 0, &flags->think, "the answer begins with reasoning (default)",
                .modes = turns, .group = 't'),
        TS_FLAG("no-think", 0, &flags->no_think, "the answer begins at once", .modes = turns,
                .group = 't'),
        TS_TEXT("effort", 0, &flags->effort, "high|max",
                "how hard to think; max puts a text in front", .modes = messages),
        TS_FLAG("keep-thinking", 0, &flags->keep_thinking, "reasoning of earlier answers stays",
                .modes = messages),
    };
    TS_OPTIONS_ADD(options, lines);
}

static bool apply(const struct ts_messages_flags *flags, struct ts_prompt_options *options,
                  struct ts_error *error)
{
    if (flags->effort) {
        bool max = strcmp(flags->effort, "max") == 0;
        if (!max && strcmp(flags->effort, "high") != 0) {
            return ts_fail(error, TS_ERR_USAGE, NULL, "--effort: '%s' is neither high nor max",
                           flags->effort);
        }
        options->effort = max ? TS_EFFORT_MAX : TS_EFFORT_HIGH;
    }
    if (flags->think || flags->no_think) {
        options->chat = flags->no_think;
    }
    options->keep_thinking = options->keep_thinking || flags->keep_thinking;
    return true;
}

bool ts_messages_render(const char *path, const struct ts_messages_flags *flags,
                        struct ts_prompt *prompt, struct ts_error *error)
{
    struct ts_prompt_options unused = {.effort = TS_EFFORT_DEFAULT};
    struct ts_prompt_request request;
    struct ts_arena arena = {0};
    char *data = NULL;
    uint64_t length = 0;
    const struct ts_json *json = NULL;
    const char *name = strcmp(path, "-") == 0 ? "standard input" : path;
    bool ok = apply(flags, &unused, error) && /* before the file, which may be standard input */
              ts_read_file(path, TS_JSON_MOST_BYTES, &data, &length, error);
    if (ok) {
        json = ts_json_read(&arena, name, (struct ts_text){data, (size_t)length}, NULL, error);
    }
    ok = json && ts_prompt_request_read(&arena, name, json, &request, error) &&
         apply(flags, &request.options, error) &&
         ts_prompt_render(&request.conversation, &request.options, prompt, error);
    ts_arena_free(&arena);
    free(data);
    return ok;
}
