#include "engine/prompt/messages.h"

#include <stdio.h>
#include <string.h>

static const char *const roles[] = {"system",    "developer", "user",
                                    "assistant", "tool",      "latest_reminder"};

enum { WHERE = 320 };

/* A message being read. */
struct place {
    struct ts_arena *arena;
    const char *name; /* of the file */
    size_t index;
    const char *role; /* NULL until known */
    struct ts_error *error;
};

static void describe(const struct place *p, const char *member, char *where)
{
    char role[32] = "";
    if (p->role) {
        snprintf(role, sizeof role, " (%s)", p->role);
    }
    snprintf(where, WHERE, "%.200s: messages[%zu]%s%s%s", p->name, p->index, role,
             *member ? ": " : "", member);
}

static bool refuse(const struct place *p, const char *member, const struct ts_json *value,
                   const char *expected)
{
    char where[WHERE];
    describe(p, member, where);
    return ts_fail(p->error, TS_ERR_INPUT, NULL, "%s is %s; expected %s", where,
                   ts_json_kind_name(value), expected);
}

/* The member, NULL also for a null. */
static const struct ts_json *find(const struct ts_json *object, const char *key)
{
    const struct ts_json *value = ts_json_find(object, key);
    return value && value->kind == TS_JSON_NULL ? NULL : value;
}

/* A member that may be missing and else is a string. */
static bool read_text(const struct place *p, const struct ts_json *object, const char *key,
                      struct ts_text *text)
{
    const struct ts_json *value = find(object, key);
    *text = (struct ts_text){"", 0};
    if (value && value->kind != TS_JSON_STRING) {
        return refuse(p, key, value, "a string");
    }
    *text = value ? value->as.text : *text;
    return true;
}

/* ---- content ---- */

static bool add_part(const char *where, size_t index, const struct ts_json *part,
                     struct ts_writer *text, struct ts_error *error)
{
    const struct ts_json *type = ts_json_find(part, "type");
    const struct ts_json *words = ts_json_find(part, "text");
    if (!type || type->kind != TS_JSON_STRING) {
        return ts_fail(error, TS_ERR_INPUT, NULL, "%s[%zu] is %s without a type; expected %s",
                       where, index, ts_json_kind_name(part),
                       "{\"type\": \"text\", \"text\": ...} or a part of another type");
    }
    ts_writer_add_string(text, index > 0 ? "\n\n" : "");
    if (!ts_text_equals(type->as.text, "text")) {
        ts_writer_add_string(text, "[Unsupported ");
        ts_writer_add_text(text, type->as.text);
        ts_writer_add_string(text, "]");
        return true;
    }
    if (words && words->kind != TS_JSON_STRING) {
        return ts_fail(error, TS_ERR_INPUT, NULL, "%s[%zu].text is %s; expected a string", where,
                       index, ts_json_kind_name(words));
    }
    ts_writer_add_text(text, words ? words->as.text : (struct ts_text){"", 0});
    return true;
}

bool ts_content_read(struct ts_arena *arena, const char *where, const struct ts_json *content,
                     struct ts_text *text, struct ts_error *error)
{
    *text = (struct ts_text){"", 0};
    if (!content || content->kind == TS_JSON_NULL) {
        return true;
    }
    if (content->kind == TS_JSON_STRING) {
        *text = content->as.text;
        return true;
    }
    if (content->kind != TS_JSON_ARRAY) {
        return ts_fail(error, TS_ERR_INPUT, NULL, "%s is %s; expected a string or a list of parts",
                       where, ts_json_kind_name(content));
    }
    struct ts_writer joined = {0};
    size_t index = 0;
    bool ok = true;
    for (const struct ts_json *part = content->as.list.first; ok && part; part = part->next) {
        ok = add_part(where, index++, part, &joined, error);
    }
    ok = ok && ts_writer_ok(&joined, error) &&
         ts_arena_copy(arena, ts_writer_text(&joined), text, error);
    ts_writer_free(&joined);
    return ok;
}

static bool read_content(const struct place *p, const struct ts_json *source,
                         struct ts_message *message)
{
    const struct ts_json *content = ts_json_find(source, "content");
    bool optional = message->role == TS_SPEAKER_SYSTEM || message->role == TS_SPEAKER_ASSISTANT;
    char where[WHERE];
    describe(p, "content", where);
    if (!optional && (!content || content->kind == TS_JSON_NULL)) {
        return refuse(p, "content", content, "a string or a list of parts");
    }
    if (!ts_content_read(p->arena, where, content, &message->content, p->error)) {
        return false;
    }
    if (message->role == TS_SPEAKER_DEVELOPER && message->content.length == 0) {
        return ts_fail(p->error, TS_ERR_INPUT, NULL, "%s is empty; expected a text", where);
    }
    return true;
}

/* ---- tools and calls ---- */

bool ts_tools_check(const char *where, const struct ts_json *value, const struct ts_json **tools,
                    struct ts_error *error)
{
    size_t index = 0;
    *tools = NULL;
    if (!value || value->kind == TS_JSON_NULL) {
        return true;
    }
    if (value->kind != TS_JSON_ARRAY) {
        return ts_fail(error, TS_ERR_INPUT, NULL, "%s is %s; expected an array", where,
                       ts_json_kind_name(value));
    }
    for (const struct ts_json *tool = value->as.list.first; tool; tool = tool->next, index++) {
        const struct ts_json *function = ts_json_find(tool, "function");
        if (!function || function->kind != TS_JSON_OBJECT) {
            return ts_fail(error, TS_ERR_INPUT, NULL,
                           "%s[%zu].function is %s; expected an object, as in "
                           "{\"type\": \"function\", \"function\": {...}}",
                           where, index, ts_json_kind_name(function));
        }
    }
    *tools = value->as.list.count > 0 ? value : NULL;
    return true;
}

static bool read_tools(const struct place *p, const struct ts_json *source,
                       struct ts_message *message)
{
    const struct ts_json *format = ts_json_find(source, "response_format");
    char where[WHERE];
    describe(p, "tools", where);
    if (!ts_tools_check(where, ts_json_find(source, "tools"), &message->tools, p->error)) {
        return false;
    }
    message->response_format = ts_json_truth(format) ? format : NULL;
    if ((message->tools || message->response_format) && message->role != TS_SPEAKER_SYSTEM &&
        message->role != TS_SPEAKER_DEVELOPER) {
        describe(p, message->tools ? "tools" : "response_format", where);
        return ts_fail(p->error, TS_ERR_INPUT, "move it to the system message",
                       "%s: only system and developer messages can carry that", where);
    }
    return true;
}

static bool read_arguments(const struct place *p, size_t index, const struct ts_json *source,
                           const struct ts_json **arguments)
{
    char member[64], where[WHERE];
    snprintf(member, sizeof member, "tool_calls[%zu].function.arguments", index);
    describe(p, member, where);
    if (source && source->kind == TS_JSON_STRING) {
        source = ts_json_read(p->arena, where, source->as.text, NULL, p->error);
        if (!source) {
            return false;
        }
        if (source->kind != TS_JSON_OBJECT) {
            return refuse(p, member, source, "an object");
        }
    }
    *arguments = source;
    return (source && source->kind == TS_JSON_OBJECT) ||
           refuse(p, member, source, "a string with a JSON object");
}

static bool read_call(const struct place *p, size_t index, const struct ts_json *source,
                      struct ts_call *call)
{
    const struct ts_json *function = ts_json_find(source, "function");
    const struct ts_json *name = ts_json_find(function, "name");
    const struct ts_json *id = find(source, "id");
    char member[64];
    if (!ts_json_truth(id)) {
        id = find(function, "id");
    }
    if (id && id->kind != TS_JSON_STRING) {
        snprintf(member, sizeof member, "tool_calls[%zu].id", index);
        return refuse(p, member, id, "a string");
    }
    call->id = id ? id->as.text : (struct ts_text){"", 0};
    if (!name || name->kind != TS_JSON_STRING) {
        snprintf(member, sizeof member, "tool_calls[%zu].function.name", index);
        return refuse(p, member, name, "a string");
    }
    call->name = name->as.text;
    return read_arguments(p, index, ts_json_find(function, "arguments"), &call->arguments);
}

static bool read_calls(const struct place *p, const struct ts_json *source,
                       struct ts_message *message)
{
    const struct ts_json *value = find(source, "tool_calls");
    if (!value) {
        return true;
    }
    if (value->kind != TS_JSON_ARRAY) {
        return refuse(p, "tool_calls", value, "an array");
    }
    if (value->as.list.count > 0 && message->role != TS_SPEAKER_ASSISTANT) {
        return refuse(p, "tool_calls", value, "none on a message that is not the assistant's");
    }
    struct ts_call *calls = ts_arena_take(p->arena, value->as.list.count * sizeof *calls, p->error);
    if (!calls) {
        return false;
    }
    size_t index = 0;
    for (const struct ts_json *call = value->as.list.first; call; call = call->next, index++) {
        if (!read_call(p, index, call, &calls[index])) {
            return false;
        }
    }
    message->calls = calls;
    message->call_count = index;
    return true;
}

/* ---- messages ---- */

static bool read_role(struct place *p, const struct ts_json *source, struct ts_message *message)
{
    const struct ts_json *role = ts_json_find(source, "role");
    if (source->kind != TS_JSON_OBJECT) {
        return refuse(p, "", source, "an object");
    }
    if (!role || role->kind != TS_JSON_STRING) {
        return refuse(p, "role", role, "a string");
    }
    for (size_t i = 0; i < sizeof roles / sizeof *roles; i++) {
        if (ts_text_equals(role->as.text, roles[i])) {
            message->role = (enum ts_speaker)i;
            p->role = roles[i];
            return true;
        }
    }
    return ts_fail(
        p->error, TS_ERR_INPUT, NULL,
        "%.200s: messages[%zu]: unknown role \"%.*s\"; expected system, developer, user, "
        "assistant, tool or latest_reminder",
        p->name, p->index, role->as.text.length > 40 ? 40 : (int)role->as.text.length,
        role->as.text.data);
}

static bool read_task(const struct place *p, const struct ts_json *source,
                      struct ts_message *message)
{
    const struct ts_json *task = find(source, "task");
    char where[WHERE];
    if (!task) {
        return true;
    }
    if (task->kind != TS_JSON_STRING) {
        return refuse(p, "task", task, "a string");
    }
    message->task = ts_task_find(task->as.text);
    describe(p, "", where);
    return message->task != TS_TASK_NONE ||
           ts_fail(p->error, TS_ERR_INPUT, NULL,
                   "%s: unknown task \"%.*s\"; expected action, query, authority, domain, title or "
                   "read_url",
                   where, task->as.text.length > 40 ? 40 : (int)task->as.text.length,
                   task->as.text.data);
}

static bool read_open(const struct place *p, const struct ts_json *source,
                      struct ts_message *message)
{
    const struct ts_json *open = find(source, "wo_eos");
    if (open && open->kind != TS_JSON_TRUE && open->kind != TS_JSON_FALSE) {
        return refuse(p, "wo_eos", open, "true or false");
    }
    message->open = open && open->kind == TS_JSON_TRUE;
    return true;
}

bool ts_conversation_read(struct ts_arena *arena, const char *name, const struct ts_json *messages,
                          struct ts_conversation *conversation, struct ts_error *error)
{
    if (!messages || messages->kind != TS_JSON_ARRAY) {
        return ts_fail(error, TS_ERR_INPUT, NULL, "%s: messages is %s; expected an array", name,
                       ts_json_kind_name(messages));
    }
    size_t count = messages->as.list.count;
    struct ts_message *list = ts_arena_take(arena, count * sizeof *list, error);
    if (!list) {
        return false;
    }
    *conversation = (struct ts_conversation){list, count};
    size_t index = 0;
    for (const struct ts_json *m = messages->as.list.first; m; m = m->next, index++) {
        struct place p = {arena, name, index, NULL, error};
        struct ts_message *to = &list[index];
        *to = (struct ts_message){.task = TS_TASK_NONE};
        if (!read_role(&p, m, to) || !read_task(&p, m, to) || !read_content(&p, m, to) ||
            !read_text(&p, m, "reasoning_content", &to->reasoning) ||
            !read_text(&p, m, "tool_call_id", &to->call_id) || !read_tools(&p, m, to) ||
            !read_calls(&p, m, to) || !read_open(&p, m, to)) {
            return false;
        }
    }
    return true;
}
