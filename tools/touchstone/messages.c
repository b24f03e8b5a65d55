#include "tools/touchstone/messages.h"

#include "tools/touchstone/cli.h"
#include "engine/prompt/request.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void ts_options_add_messages(struct ts_options *options, struct ts_messages_flags *flags,
                             uint32_t turns, uint32_t messages)
{
    const struct ts_option lines[] = {
        TS_FLAG("think", 0, &flags->think, "the answer begins with reasoning (default)",
                .modes = turns | messages, .group = 't'),
        TS_FLAG("no-think", 0, &flags->no_think, "the answer begins at once",
                .modes = turns | messages, .group = 't'),
        TS_TEXT("effort", 0, &flags->effort, "low|high|max",
                "how hard to think; high and max put a text in front (of the\n"
                "preview: max alone, which is 0731's high)",
                .modes = turns | messages),
        TS_TEXT("release", 0, &flags->release, "preview|0731",
                "the release of the model, whose efforts these are (as the\n"
                "file or the model's name says, else 0731)",
                .modes = turns | messages),
        TS_FLAG("markers", 0, &flags->markers,
                "tokens of the protocol that a message spells are such\n"
                "tokens, as in the official encoder; else plain text",
                .modes = turns | messages),
        TS_FLAG("keep-thinking", 0, &flags->keep_thinking, "reasoning of earlier answers stays",
                .modes = messages),
    };
    TS_OPTIONS_ADD(options, lines);
}

static struct ts_text text_of(const char *string)
{
    return (struct ts_text){string, strlen(string)};
}

/* Options that are wrong whatever the file says. */
static bool check(const struct ts_messages_flags *flags, struct ts_error *error)
{
    enum ts_release release = TS_RELEASE_0731;
    enum ts_effort effort;
    if (flags->release && !ts_release_find(text_of(flags->release), &release)) {
        return ts_fail(error, TS_ERR_USAGE, NULL, "--release: '%s' is neither preview nor 0731",
                       flags->release);
    }
    if (flags->effort && !ts_effort_find(text_of(flags->effort), release, &effort)) {
        return ts_fail(error, TS_ERR_USAGE, NULL, "--effort: '%s' is not %s", flags->effort,
                       ts_effort_names(release));
    }
    return true;
}

static bool apply(const struct ts_messages_flags *flags, struct ts_prompt_options *options,
                  struct ts_error *error)
{
    if (flags->release) {
        ts_release_find(text_of(flags->release), &options->release);
    }
    if (flags->effort &&
        !ts_effort_find(text_of(flags->effort), options->release, &options->effort)) {
        return ts_fail(error, TS_ERR_USAGE, "--release 0731 has it",
                       "--effort: '%s' is not %s of this release", flags->effort,
                       ts_effort_names(options->release));
    }
    if (flags->think || flags->no_think) {
        options->chat = flags->no_think;
    }
    options->keep_thinking = options->keep_thinking || flags->keep_thinking;
    return true;
}

/* Published files of the later release have its date in their names. */
static enum ts_release release_of(const struct ts_gguf *model)
{
    static const char *const keys[] = {"general.name", "general.version", "general.basename",
                                       "general.finetune"};
    bool later = strstr(model->path, "0731") != NULL;
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        struct ts_text text;
        char name[256];
        if (ts_gguf_get_text(model, keys[i], &text, NULL)) {
            snprintf(name, sizeof name, "%.*s", (int)(text.length < 255 ? text.length : 255),
                     text.data);
            later = later || strstr(name, "0731") != NULL;
        }
    }
    return later ? TS_RELEASE_0731 : TS_RELEASE_PREVIEW;
}

static enum ts_release default_release(const struct ts_messages_flags *flags,
                                       const struct ts_gguf *model)
{
    if (model) {
        return release_of(model);
    }
    return flags->effort ? TS_RELEASE_0731 : TS_RELEASE_PREVIEW;
}

bool ts_messages_render(const char *path, const struct ts_messages_flags *flags,
                        const struct ts_gguf *model, struct ts_prompt *prompt,
                        struct ts_error *error)
{
    enum ts_release release = default_release(flags, model);
    struct ts_prompt_request request;
    struct ts_arena arena = {0};
    char *data = NULL;
    uint64_t length = 0;
    const struct ts_json *json = NULL;
    const char *name = strcmp(path, "-") == 0 ? "standard input" : path;
    bool ok = check(flags, error) && /* before the file, which may be standard input */
              ts_read_file(path, TS_JSON_MOST_BYTES, &data, &length, error);
    if (ok) {
        json = ts_json_read(&arena, name, (struct ts_text){data, (size_t)length}, NULL, error);
    }
    ok = json && ts_prompt_request_read(&arena, name, json, release, &request, error) &&
         apply(flags, &request.options, error) &&
         ts_prompt_render(&request.conversation, &request.options, prompt, error);
    ts_arena_free(&arena);
    free(data);
    return ok;
}

bool ts_messages_render_turn(struct ts_text text, const struct ts_messages_flags *flags,
                             const struct ts_gguf *model, struct ts_prompt *prompt,
                             struct ts_error *error)
{
    struct ts_message user = {.role = TS_SPEAKER_USER, .content = text};
    const struct ts_conversation conversation = {&user, 1};
    struct ts_prompt_options options = {.release = default_release(flags, model)};
    return check(flags, error) && apply(flags, &options, error) &&
           ts_prompt_render(&conversation, &options, prompt, error);
}

bool ts_messages_encode(const struct ts_prompt *prompt, const struct ts_messages_flags *flags,
                        struct ts_tokenizer *tokenizer, struct ts_ids *ids, struct ts_error *error)
{
    return ts_tokenizer_encode_around(tokenizer, ts_writer_text(&prompt->text), prompt->contents,
                                      flags->markers ? 0 : prompt->content_count, ids, error);
}
