#include "engine/prompt/request.h"

#include <stdio.h>
#include <string.h>

static const struct ts_json *find(const struct ts_json *json, const char *key)
{
    const struct ts_json *value = ts_json_find(json, key);
    return value && value->kind == TS_JSON_NULL ? NULL : value;
}

/* One of two words: *second tells which. */
static bool read_choice(const char *name, const struct ts_json *json, const char *key,
                        const char *first_word, const char *second_word, bool *second,
                        struct ts_error *error)
{
    const struct ts_json *value = find(json, key);
    bool string = value && value->kind == TS_JSON_STRING;
    *second = string && ts_text_equals(value->as.text, second_word);
    if (!value || *second || (string && ts_text_equals(value->as.text, first_word))) {
        return true;
    }
    return ts_fail(error, TS_ERR_INPUT, NULL, "%s: %s is %s%.*s%s; expected \"%s\" or \"%s\"", name,
                   key, string ? "\"" : ts_json_kind_name(value),
                   string ? (int)(value->as.text.length > 40 ? 40 : value->as.text.length) : 0,
                   string ? value->as.text.data : "", string ? "\"" : "", first_word, second_word);
}

static bool read_options(const char *name, const struct ts_json *json,
                         struct ts_prompt_options *options, struct ts_error *error)
{
    const struct ts_json *drop = find(json, "drop_thinking"),
                         *effort = find(json, "reasoning_effort");
    bool later = options->release == TS_RELEASE_0731;
    if (!read_choice(name, json, "thinking_mode", "thinking", "chat", &options->chat, error) ||
        (find(json, "release") &&
         !read_choice(name, json, "release", "preview", "0731", &later, error))) {
        return false;
    }
    options->release = later ? TS_RELEASE_0731 : TS_RELEASE_PREVIEW;
    bool string = effort && effort->kind == TS_JSON_STRING;
    if (effort &&
        (!string || !ts_effort_find(effort->as.text, options->release, &options->effort))) {
        return ts_fail(error, TS_ERR_INPUT,
                       "\"release\" says which efforts there are: preview or 0731",
                       "%s: reasoning_effort is %s%.40s%s; expected %s", name, string ? "\"" : "",
                       string ? ts_text_show(effort->as.text).text : ts_json_kind_name(effort),
                       string ? "\"" : "", ts_effort_names(options->release));
    }
    if (drop && drop->kind != TS_JSON_TRUE && drop->kind != TS_JSON_FALSE) {
        return ts_fail(error, TS_ERR_INPUT, NULL, "%s: drop_thinking is %s; expected true or false",
                       name, ts_json_kind_name(drop));
    }
    options->keep_thinking = drop && drop->kind == TS_JSON_FALSE;
    return true;
}

/* The first system message; an empty one in front of the others if there is none. */
static struct ts_message *system_message(struct ts_arena *arena, struct ts_conversation *all,
                                         struct ts_error *error)
{
    for (size_t i = 0; i < all->count; i++) {
        if (all->messages[i].role == TS_SPEAKER_SYSTEM) {
            return &all->messages[i];
        }
    }
    struct ts_message *messages = ts_arena_take(arena, (all->count + 1) * sizeof *messages, error);
    if (!messages) {
        return NULL;
    }
    messages[0] = (struct ts_message){.role = TS_SPEAKER_SYSTEM};
    if (all->count > 0) {
        memcpy(messages + 1, all->messages, all->count * sizeof *messages);
    }
    *all = (struct ts_conversation){messages, all->count + 1};
    return messages;
}

static bool add_tools(struct ts_arena *arena, const char *name, const struct ts_json *json,
                      struct ts_conversation *conversation, struct ts_error *error)
{
    const struct ts_json *format = ts_json_find(json, "response_format"), *tools = NULL;
    char where[256];
    snprintf(where, sizeof where, "%.200s: tools", name);
    format = ts_json_truth(format) ? format : NULL;
    if (!ts_tools_check(where, ts_json_find(json, "tools"), &tools, error)) {
        return false;
    }
    if (!tools && !format) {
        return true;
    }
    struct ts_message *message = system_message(arena, conversation, error);
    if (!message) {
        return false;
    }
    if ((tools && message->tools) || (format && message->response_format)) {
        return ts_fail(error, TS_ERR_INPUT, "leave out one of them",
                       "%s: %s beside the messages and in the first system message", name,
                       tools && message->tools ? "tools" : "response_format");
    }
    message->tools = tools ? tools : message->tools;
    message->response_format = format ? format : message->response_format;
    return true;
}

bool ts_prompt_request_read(struct ts_arena *arena, const char *name, const struct ts_json *json,
                            enum ts_release release, struct ts_prompt_request *request,
                            struct ts_error *error)
{
    *request = (struct ts_prompt_request){.options = {.release = release}};
    if (json->kind == TS_JSON_ARRAY) {
        return ts_conversation_read(arena, name, json, &request->conversation, error);
    }
    if (json->kind != TS_JSON_OBJECT) {
        return ts_fail(error, TS_ERR_INPUT, NULL,
                       "%s is %s; expected an array of messages or an object with one", name,
                       ts_json_kind_name(json));
    }
    return ts_conversation_read(arena, name, ts_json_find(json, "messages"), &request->conversation,
                                error) &&
           add_tools(arena, name, json, &request->conversation, error) &&
           read_options(name, json, &request->options, error);
}
