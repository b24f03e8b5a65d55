#include "engine/prompt/render.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* One message, or neighbouring messages of user and tool. */
struct turn {
    enum ts_speaker role;
    enum ts_task task;
    size_t first, count; /* messages, through `order` */
};

struct render {
    const struct ts_message *messages;
    size_t *order; /* [messages]: which message stands at a place */
    struct turn *turns;
    size_t count;     /* turns */
    size_t last_user; /* turn; SIZE_MAX: none */
    bool thinking, drop;
    struct ts_writer *out;
    struct ts_prompt *prompt;
};

/* ---- efforts ---- */

bool ts_release_find(struct ts_text name, enum ts_release *release)
{
    *release = ts_text_equals(name, "0731") ? TS_RELEASE_0731 : TS_RELEASE_PREVIEW;
    return *release == TS_RELEASE_0731 || ts_text_equals(name, "preview");
}

bool ts_effort_find(struct ts_text name, enum ts_release release, enum ts_effort *effort)
{
    *effort = ts_text_equals(name, "low")    ? TS_EFFORT_LOW
              : ts_text_equals(name, "high") ? TS_EFFORT_HIGH
              : ts_text_equals(name, "max")  ? TS_EFFORT_MAX
                                             : TS_EFFORT_DEFAULT;
    return *effort != TS_EFFORT_DEFAULT && (*effort != TS_EFFORT_LOW || release == TS_RELEASE_0731);
}

const char *ts_effort_names(enum ts_release release)
{
    return release == TS_RELEASE_0731 ? "low, high or max" : "high or max";
}

static const char *effort_prefix(const struct ts_prompt_options *options)
{
    bool later = options->release == TS_RELEASE_0731;
    if (options->effort == TS_EFFORT_MAX) {
        return ts_protocol_text(later ? TS_PROTOCOL_REASONING_EFFORT_BEYOND_PREFIX
                                      : TS_PROTOCOL_REASONING_EFFORT_MAX_PREFIX);
    }
    return later && options->effort == TS_EFFORT_HIGH
               ? ts_protocol_text(TS_PROTOCOL_REASONING_EFFORT_MAX_PREFIX)
               : "";
}

/* ---- turns ---- */

static void find_turns(struct render *r, const struct ts_conversation *conversation)
{
    for (size_t i = 0; i < conversation->count; i++) {
        const struct ts_message *m = &conversation->messages[i];
        struct turn *last = r->count > 0 ? &r->turns[r->count - 1] : NULL;
        bool tool = m->role == TS_SPEAKER_TOOL;
        r->order[i] = i;
        if (last && last->role == TS_SPEAKER_USER &&
            (tool || (m->role == TS_SPEAKER_USER && last->task == TS_TASK_NONE))) {
            last->count++;
            continue;
        }
        r->turns[r->count++] = (struct turn){.role = tool ? TS_SPEAKER_USER : m->role,
                                             .task = tool ? TS_TASK_NONE : m->task,
                                             .first = i,
                                             .count = 1};
    }
}

static void find_last_user(struct render *r)
{
    r->last_user = SIZE_MAX;
    for (size_t i = 0; i < r->count; i++) {
        if (r->turns[i].role == TS_SPEAKER_USER || r->turns[i].role == TS_SPEAKER_DEVELOPER) {
            r->last_user = i;
        }
    }
}

static void drop_developers(struct render *r)
{
    size_t kept = 0;
    find_last_user(r);
    for (size_t i = 0; i < r->count; i++) {
        if (r->turns[i].role != TS_SPEAKER_DEVELOPER || i == r->last_user) {
            r->turns[kept++] = r->turns[i];
        }
    }
    r->count = kept;
}

/* ---- tool results in the order of their calls ---- */

struct ranked {
    struct ts_text id;
    size_t rank, message;
};

static int compare_ids(const void *left, const void *right)
{
    const struct ranked *a = left, *b = right;
    int order = ts_text_compare(a->id, b->id);
    return order != 0 ? order : (a->rank > b->rank) - (a->rank < b->rank);
}

static int compare_ranks(const void *left, const void *right)
{
    const struct ranked *a = left, *b = right;
    return a->rank != b->rank ? (a->rank > b->rank) - (a->rank < b->rank)
                              : (a->message > b->message) - (a->message < b->message);
}

/* Calls with an id, by id. */
static size_t rank_calls(const struct ts_message *assistant, struct ranked *calls)
{
    size_t count = 0;
    for (size_t i = 0; i < assistant->call_count; i++) {
        if (assistant->calls[i].id.length > 0) {
            calls[count++] = (struct ranked){assistant->calls[i].id, i, 0};
        }
    }
    qsort(calls, count, sizeof *calls, compare_ids);
    return count;
}

/* The place of the call: of several with the id the last, of an unknown id the first place, which
 * is where the original encoder puts it. */
static size_t find_rank(struct ts_text id, const struct ranked *calls, size_t count)
{
    size_t low = 0;
    for (size_t high = count; low < high;) {
        size_t middle = low + (high - low) / 2;
        if (ts_text_compare(calls[middle].id, id) <= 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low > 0 && ts_text_compare(calls[low - 1].id, id) == 0 ? calls[low - 1].rank : 0;
}

/* Texts keep their places between the results. */
static void sort_results(struct render *r, const struct turn *turn, const struct ranked *calls,
                         size_t call_count, struct ranked *results)
{
    size_t count = 0, next = 0;
    for (size_t i = turn->first; i < turn->first + turn->count; i++) {
        const struct ts_message *m = &r->messages[i];
        if (m->role == TS_SPEAKER_TOOL) {
            results[count++] =
                (struct ranked){m->call_id, find_rank(m->call_id, calls, call_count), i};
        }
    }
    qsort(results, count, sizeof *results, compare_ranks);
    for (size_t i = turn->first; i < turn->first + turn->count; i++) {
        if (r->messages[i].role == TS_SPEAKER_TOOL) {
            r->order[i] = results[next++].message;
        }
    }
}

static bool order_results(struct render *r, struct ts_error *error)
{
    size_t most_calls = 0, most_results = 0, count = 0;
    for (size_t i = 0; i < r->count; i++) {
        size_t calls = r->messages[r->turns[i].first].call_count;
        most_calls = calls > most_calls ? calls : most_calls;
        most_results = r->turns[i].count > most_results ? r->turns[i].count : most_results;
    }
    struct ranked *calls = malloc((most_calls + 1) * sizeof *calls);
    struct ranked *results = malloc((most_results + 1) * sizeof *results);
    bool ok = calls && results;
    for (size_t i = 0; ok && i < r->count; i++) {
        const struct turn *turn = &r->turns[i];
        const struct ts_message *m = &r->messages[turn->first];
        if (turn->role == TS_SPEAKER_ASSISTANT && m->call_count > 0) {
            count = rank_calls(m, calls);
        } else if (turn->role == TS_SPEAKER_USER && turn->count > 1 && count > 0) {
            sort_results(r, turn, calls, count, results);
        }
    }
    free(calls);
    free(results);
    return ok || ts_fail_memory(error, "the order of tool results",
                                (most_calls + most_results) * sizeof *calls);
}

/* ---- text ---- */

static void put(struct render *r, const char *string)
{
    ts_writer_add_string(r->out, string);
}

/* What was written since `begin` is a message's own. */
static void note_content(struct render *r, size_t begin)
{
    struct ts_prompt *p = r->prompt;
    size_t end = r->out->length;
    if (r->out->failed || begin == end) {
        return;
    }
    if (p->content_count > 0 && p->contents[p->content_count - 1].end == begin) {
        p->contents[p->content_count - 1].end = end;
        return;
    }
    if (p->content_count == p->content_capacity) {
        size_t capacity = p->content_capacity ? 2 * p->content_capacity : 16;
        struct ts_span *larger = realloc(p->contents, capacity * sizeof *larger);
        if (!larger) {
            r->out->failed = true; /* told with the text's own */
            return;
        }
        p->contents = larger;
        p->content_capacity = capacity;
    }
    p->contents[p->content_count++] = (struct ts_span){begin, end};
}

static void put_content(struct render *r, struct ts_text text)
{
    size_t begin = r->out->length;
    ts_writer_add_text(r->out, text);
    note_content(r, begin);
}

static void put_json(struct render *r, const struct ts_json *json)
{
    size_t begin = r->out->length;
    ts_json_print(json, r->out);
    note_content(r, begin);
}

static void put_tools(struct render *r, const struct ts_message *m)
{
    if (m->tools) {
        const char *at = ts_protocol_text(TS_PROTOCOL_TOOLS_TEMPLATE);
        put(r, "\n\n");
        while (ts_protocol_next(&at, r->out) != TS_FILL_END) {
            for (const struct ts_json *tool = m->tools->as.list.first; tool; tool = tool->next) {
                put_json(r, ts_json_find(tool, "function"));
                put(r, tool->next ? "\n" : "");
            }
        }
    }
    if (m->response_format) {
        const char *at = ts_protocol_text(TS_PROTOCOL_RESPONSE_FORMAT_TEMPLATE);
        put(r, "\n\n");
        while (ts_protocol_next(&at, r->out) != TS_FILL_END) {
            put_json(r, m->response_format);
        }
    }
}

static void put_arguments(struct render *r, const struct ts_json *arguments)
{
    for (const struct ts_json *value = arguments->as.list.first; value; value = value->next) {
        bool string = value->kind == TS_JSON_STRING;
        const char *at = ts_protocol_text(TS_PROTOCOL_PARAMETER_TEMPLATE);
        for (enum ts_fill slot; (slot = ts_protocol_next(&at, r->out)) != TS_FILL_END;) {
            if (slot == TS_FILL_KEY) {
                put_content(r, value->key);
            } else if (slot == TS_FILL_IS_STRING) {
                put(r, string ? "true" : "false");
            } else if (string) {
                put_content(r, value->as.text);
            } else {
                put_json(r, value);
            }
        }
        put(r, value->next ? "\n" : "");
    }
}

static void put_call(struct render *r, const struct ts_call *call)
{
    const char *at = ts_protocol_text(TS_PROTOCOL_TOOL_CALL_TEMPLATE);
    for (enum ts_fill slot; (slot = ts_protocol_next(&at, r->out)) != TS_FILL_END;) {
        if (slot == TS_FILL_NAME) {
            put_content(r, call->name);
        } else {
            put_arguments(r, call->arguments);
        }
    }
}

static void put_calls(struct render *r, const struct ts_message *m)
{
    const char *at = ts_protocol_text(TS_PROTOCOL_TOOL_CALLS_TEMPLATE);
    put(r, "\n\n");
    while (ts_protocol_next(&at, r->out) != TS_FILL_END) {
        for (size_t i = 0; i < m->call_count; i++) {
            put(r, i > 0 ? "\n" : "");
            put_call(r, &m->calls[i]);
        }
    }
}

static void put_user(struct render *r, const struct turn *turn)
{
    put(r, TS_USER);
    for (size_t i = turn->first; i < turn->first + turn->count; i++) {
        const struct ts_message *m = &r->messages[r->order[i]];
        put(r, i > turn->first ? "\n\n" : "");
        if (m->role == TS_SPEAKER_TOOL) {
            const char *at = ts_protocol_text(TS_PROTOCOL_TOOL_RESULT_TEMPLATE);
            while (ts_protocol_next(&at, r->out) != TS_FILL_END) {
                put_content(r, m->content);
            }
        } else {
            put_content(r, m->content);
        }
    }
}

/* Whether the assistant's turn at `index` begins with reasoning and </think>. */
static bool has_reasoning(const struct render *r, size_t index)
{
    bool task = index > 0 && r->turns[index - 1].task != TS_TASK_NONE;
    bool recent = r->last_user == SIZE_MAX || index > r->last_user;
    return r->thinking && !task && (!r->drop || recent);
}

static void put_assistant(struct render *r, size_t index)
{
    const struct ts_message *m = &r->messages[r->turns[index].first];
    if (has_reasoning(r, index)) {
        put_content(r, m->reasoning);
        put(r, TS_END_THINK);
    }
    put_content(r, m->content);
    if (m->call_count > 0) {
        put_calls(r, m);
    }
    put(r, m->open ? "" : TS_EOS);
}

static void put_ending(struct render *r, size_t index)
{
    const struct turn *turn = &r->turns[index];
    const struct turn *next = index + 1 < r->count ? turn + 1 : NULL;
    bool asks = turn->role == TS_SPEAKER_USER || turn->role == TS_SPEAKER_DEVELOPER;
    if (next && next->role != TS_SPEAKER_ASSISTANT && next->role != TS_SPEAKER_LATEST_REMINDER) {
        return;
    }
    if (turn->task == TS_TASK_ACTION) {
        put(r, TS_ASSISTANT);
        put(r, r->thinking ? TS_THINK : TS_END_THINK);
    } else if (turn->task == TS_TASK_NONE && asks) {
        bool think = r->thinking && (!r->drop || index >= r->last_user);
        put(r, TS_ASSISTANT);
        put(r, think ? TS_THINK : TS_END_THINK);
    }
    put(r, ts_task_token(turn->task));
}

static void put_turn(struct render *r, size_t index)
{
    const struct turn *turn = &r->turns[index];
    const struct ts_message *m = &r->messages[turn->first];
    switch (turn->role) {
    case TS_SPEAKER_DEVELOPER: put(r, TS_USER); /* fall through */
    case TS_SPEAKER_SYSTEM:
        put_content(r, m->content);
        put_tools(r, m);
        break;
    case TS_SPEAKER_TOOL:
    case TS_SPEAKER_USER: put_user(r, turn); break;
    case TS_SPEAKER_ASSISTANT: put_assistant(r, index); break;
    case TS_SPEAKER_LATEST_REMINDER:
        put(r, TS_LATEST_REMINDER);
        put_content(r, m->content);
        break;
    }
}

static void put_prompt(struct render *r, const char *prefix, struct ts_prompt *prompt)
{
    put(r, TS_BOS);
    put(r, r->thinking && r->count > 0 ? prefix : "");
    for (size_t i = 0; i < r->count; i++) {
        prompt->reply = r->out->length;
        put_turn(r, i);
        prompt->reply_length = r->out->length - prompt->reply;
        put_ending(r, i);
    }
    const struct turn *last = r->count > 0 ? &r->turns[r->count - 1] : NULL;
    if (last && last->role == TS_SPEAKER_ASSISTANT) {
        prompt->reasoning = has_reasoning(r, r->count - 1);
    } else {
        prompt->reply = r->out->length;
        prompt->reply_length = 0;
        prompt->reasoning = r->thinking && last && last->task == TS_TASK_NONE &&
                            (last->role == TS_SPEAKER_USER || last->role == TS_SPEAKER_DEVELOPER);
    }
}

bool ts_prompt_render(const struct ts_conversation *conversation,
                      const struct ts_prompt_options *options, struct ts_prompt *prompt,
                      struct ts_error *error)
{
    struct render r = {.messages = conversation->messages,
                       .thinking = !options->chat,
                       .drop = !options->keep_thinking,
                       .out = &prompt->text,
                       .prompt = prompt};
    size_t count = conversation->count;
    r.order = calloc(count + 1, sizeof *r.order);
    r.turns = calloc(count + 1, sizeof *r.turns);
    bool ok = (r.order && r.turns) ||
              ts_fail_memory(error, "turns", count * (sizeof *r.order + sizeof *r.turns));
    for (size_t i = 0; i < count; i++) {
        r.drop = r.drop && !conversation->messages[i].tools;
    }
    if (ok) {
        find_turns(&r, conversation);
    }
    ok = ok && order_results(&r, error);
    if (ok) {
        if (r.thinking && r.drop) {
            drop_developers(&r);
        }
        find_last_user(&r);
        put_prompt(&r, effort_prefix(options), prompt);
        ok = ts_writer_ok(&prompt->text, error);
    }
    free(r.order);
    free(r.turns);
    return ok;
}

void ts_prompt_free(struct ts_prompt *prompt)
{
    ts_writer_free(&prompt->text);
    free(prompt->contents);
    prompt->contents = NULL;
    prompt->content_count = prompt->content_capacity = 0;
}
