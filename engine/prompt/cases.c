#include "engine/prompt/cases.h"
#include "engine/prompt/parse.h"

#include <inttypes.h>
#include <string.h>

/* Bytes of a text that a message shows, in front of and behind the difference. */
enum { BEFORE = 24, AFTER = 40 };

static size_t difference(struct ts_text a, struct ts_text b)
{
    size_t i = 0;
    while (i < a.length && i < b.length && a.data[i] == b.data[i]) {
        i++;
    }
    return i;
}

static bool same(struct ts_text a, struct ts_text b)
{
    return ts_text_compare(a, b) == 0;
}

static bool is_continuation(struct ts_text text, size_t at)
{
    return at < text.length && ((unsigned char)text.data[at] & 0xc0) == 0x80;
}

/* An excerpt of whole characters in one line: quoted as JSON does. */
static void excerpt(struct ts_text text, size_t at, struct ts_writer *out)
{
    size_t from = at > BEFORE ? at - BEFORE : 0;
    size_t to = text.length - at > AFTER ? at + AFTER : text.length;
    while (from > 0 && is_continuation(text, from)) {
        from--;
    }
    while (is_continuation(text, to)) {
        to++;
    }
    ts_json_print_string((struct ts_text){text.data + from, to - from}, out);
}

static bool compare(const char *what, struct ts_text got, struct ts_text expected,
                    struct ts_error *error)
{
    struct ts_writer a = {0}, b = {0};
    size_t at = difference(got, expected);
    if (same(got, expected)) {
        return true;
    }
    excerpt(got, at, &a);
    excerpt(expected, at, &b);
    ts_fail(error, TS_ERR_CHECK, NULL, "%s differs at byte %zu: got %.*s, expected %.*s", what, at,
            (int)a.length, ts_writer_text(&a).data, (int)b.length, ts_writer_text(&b).data);
    ts_writer_free(&a);
    ts_writer_free(&b);
    return false;
}

/* ---- replies ---- */

static bool spells_token(struct ts_text text)
{
    static const char *const tokens[] = {TS_BOS, TS_EOS, TS_THINK, TS_END_THINK, TS_DSML};
    for (size_t i = 0; i < sizeof tokens / sizeof *tokens; i++) {
        if (text.length > 0 && memmem(text.data, text.length, tokens[i], strlen(tokens[i]))) {
            return true;
        }
    }
    return false;
}

static bool is_ambiguous(const struct ts_message *message)
{
    bool found = spells_token(message->content) || spells_token(message->reasoning);
    for (size_t i = 0; !found && i < message->call_count; i++) {
        const struct ts_json *value = message->calls[i].arguments->as.list.first;
        found = spells_token(message->calls[i].name);
        for (; !found && value; value = value->next) {
            struct ts_writer printed = {0};
            ts_json_print(value, &printed);
            found = spells_token(value->key) || spells_token(ts_writer_text(&printed));
            ts_writer_free(&printed);
        }
    }
    return found;
}

static bool compare_call(const struct ts_call *got, const struct ts_call *expected,
                         struct ts_error *error)
{
    struct ts_writer a = {0}, b = {0};
    ts_json_print(got->arguments, &a);
    ts_json_print(expected->arguments, &b);
    bool ok = ts_writer_ok(&a, error) && ts_writer_ok(&b, error) &&
              compare("name of a call", got->name, expected->name, error) &&
              compare("arguments of a call", ts_writer_text(&a), ts_writer_text(&b), error);
    ts_writer_free(&a);
    ts_writer_free(&b);
    return ok;
}

static bool compare_reply(const struct ts_reply *reply, const struct ts_message *message,
                          bool reasoning, struct ts_error *error)
{
    struct ts_text none = {"", 0};
    if (!ts_reply_check(reply, error)) {
        error->code = TS_ERR_CHECK;
        return false;
    }
    if (reply->ended == message->open) {
        return ts_fail(error, TS_ERR_CHECK, NULL, "reply %s",
                       reply->ended ? "has an end" : "has no end");
    }
    if (reply->call_count != message->call_count) {
        return ts_fail(error, TS_ERR_CHECK, NULL, "reply: %zu calls; expected %zu",
                       reply->call_count, message->call_count);
    }
    bool ok =
        compare("reasoning", reply->reasoning, reasoning ? message->reasoning : none, error) &&
        compare("content", reply->content, message->content, error);
    for (size_t i = 0; ok && i < reply->call_count; i++) {
        ok = compare_call(&reply->calls[i], &message->calls[i], error);
    }
    return ok;
}

bool ts_prompt_check_reply(const struct ts_prompt *prompt, const struct ts_message *message,
                           size_t split, struct ts_error *error)
{
    struct ts_reply_parser *parser = ts_reply_open(prompt->reasoning, error);
    const char *text = ts_writer_text(&prompt->text).data + prompt->reply;
    bool ok = parser != NULL;
    for (size_t at = 0, bytes = 0; ok && at < prompt->reply_length; at += bytes) {
        bytes = prompt->reply_length - at;
        bytes = split > 0 && split < bytes ? split : bytes;
        ok = ts_reply_feed(parser, text + at, bytes, error);
    }
    if (ok) {
        ts_reply_finish(parser);
        ok = is_ambiguous(message) ||
             compare_reply(ts_reply_get(parser), message, prompt->reasoning, error);
    }
    ts_reply_close(parser);
    return ok;
}

/* ---- lines ---- */

static bool check_request(const struct ts_prompt_request *request, struct ts_text expected,
                          struct ts_error *error)
{
    const struct ts_conversation *all = &request->conversation;
    const struct ts_message *last = all->count > 0 ? &all->messages[all->count - 1] : NULL;
    struct ts_prompt prompt = {0};
    bool ok = ts_prompt_render(all, &request->options, &prompt, error) &&
              compare("prompt", ts_writer_text(&prompt.text), expected, error) &&
              (!last || last->role != TS_SPEAKER_ASSISTANT ||
               ts_prompt_check_reply(&prompt, last, 0, error));
    ts_prompt_free(&prompt);
    return ok;
}

static bool check_line(const char *name, struct ts_text line, struct ts_error *error)
{
    struct ts_arena arena = {0};
    struct ts_prompt_request request;
    const struct ts_json *json = ts_json_read(&arena, name, line, NULL, error);
    const struct ts_json *prompt = ts_json_find(json, "prompt");
    bool ok =
        json && ts_prompt_request_read(&arena, name, json, TS_RELEASE_PREVIEW, &request, error);
    if (ok && (!prompt || prompt->kind != TS_JSON_STRING)) {
        ok = ts_fail(error, TS_ERR_INPUT, NULL, "%s: prompt is %s; expected a string", name,
                     ts_json_kind_name(prompt));
    }
    if (!ok && error->code == TS_ERR_INPUT) {
        error->code = TS_ERR_DATA;
    }
    struct ts_error reason;
    if (ok && !check_request(&request, prompt->as.text, &reason)) {
        ok = ts_fail(error, reason.code, reason.hint, "%s: %s", name, reason.message);
    }
    ts_arena_free(&arena);
    return ok;
}

static bool is_blank(struct ts_text line)
{
    size_t i = 0;
    while (i < line.length && strchr(" \t\r", line.data[i]) && line.data[i]) {
        i++;
    }
    return i == line.length;
}

bool ts_prompt_check_cases(const char *name, const char *data, size_t length, FILE *report,
                           struct ts_case_counts *counts, struct ts_error *error)
{
    uint64_t damaged = 0;
    *counts = (struct ts_case_counts){0, 0};
    for (size_t at = 0, number = 1; at < length; number++) {
        const char *end = memchr(data + at, '\n', length - at);
        struct ts_text line = {data + at, end ? (size_t)(end - data) - at : length - at};
        struct ts_error reason;
        char where[256];
        at += line.length + 1;
        snprintf(where, sizeof where, "%.200s:%zu", name, number);
        if (is_blank(line)) {
            continue;
        }
        if (check_line(where, line, &reason)) {
            counts->passed++;
            continue;
        }
        if (reason.code == TS_ERR_ENVIRONMENT) {
            *error = reason;
            return false;
        }
        counts->failed++;
        damaged += reason.code == TS_ERR_DATA;
        fprintf(report, "%s\n", reason.message);
    }
    if (counts->passed + counts->failed == 0) {
        return ts_fail(error, TS_ERR_DATA, NULL, "%s: no cases", name);
    }
    return counts->failed == 0 ||
           ts_fail(error, damaged > 0 ? TS_ERR_DATA : TS_ERR_CHECK, NULL,
                   "%s: %" PRIu64 " of %" PRIu64 " cases failed, %" PRIu64 " of them damaged", name,
                   counts->failed, counts->passed + counts->failed, damaged);
}
