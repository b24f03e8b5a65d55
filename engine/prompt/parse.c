#include "engine/prompt/parse.h"

#include <stdlib.h>
#include <string.h>

#define OPEN "<" TS_DSML
#define CLOSE "</" TS_DSML
#define BLOCK "\n\n" OPEN "tool_calls"

/* Where in a reply the next byte stands. */
enum state {
    REASONING,
    CONTENT,
    BLOCK_OPEN, /* behind <｜DSML｜tool_calls */
    BETWEEN,    /* calls: at the next or the end of the block */
    CALL_OPEN,  /* behind <｜DSML｜invoke */
    CALL_NAME,  /* within the quotes */
    FIRST_PARAMETER,
    PARAMETER_OPEN, /* behind <｜DSML｜parameter */
    KEY,
    VALUE,
    VALUE_END, /* behind </｜DSML｜parameter> */
    NEXT_PARAMETER,
    CALL_END,  /* behind </｜DSML｜invoke> */
    BLOCK_END, /* behind </｜DSML｜tool_calls> */
    ENDED,
    STOPPED /* at a problem */
};

struct ts_reply_parser {
    struct ts_reply reply;
    struct ts_writer text; /* everything fed */
    struct ts_arena arena; /* names and arguments */
    enum state state;
    size_t at;    /* bytes in front of it are settled */
    size_t begin; /* of the name, key, value or content being read */
    size_t reasoning_end, content_begin, content_end;
    struct ts_call *calls;
    size_t capacity;
    struct ts_call call; /* being read; the rest too */
    struct ts_json *arguments, *last;
    struct ts_text key;
    bool string;
};

/* One of several texts that may stand at a place; the first of a list that fits counts, so a text
 * stands before its beginnings. */
struct choice {
    const char *text;
    enum state next;               /* go there, behind the text; or */
    enum ts_reply_problem problem; /* stop in front of it */
};

enum outcome { TAKEN, WAITING, OTHER, FAILED };

static bool stop(struct ts_reply_parser *p, enum ts_reply_problem problem, size_t position)
{
    p->state = STOPPED;
    p->reply.problem = problem;
    p->reply.position = position;
    return true;
}

/* Looks at p->at. TAKEN: *taken says which; else nothing changed. */
static enum outcome choose(struct ts_reply_parser *p, const struct choice *choices, size_t count,
                           const struct choice **taken)
{
    size_t left = p->text.length - p->at;
    const char *text = p->text.data + p->at;
    for (size_t i = 0; left > 0 && i < count; i++) {
        size_t length = *text == *choices[i].text ? strlen(choices[i].text) : 0;
        if (length > 0 && memcmp(text, choices[i].text, left < length ? left : length) == 0) {
            if (left < length) {
                return WAITING;
            }
            *taken = &choices[i];
            return TAKEN;
        }
    }
    return left > 0 ? OTHER : WAITING;
}

static bool take(struct ts_reply_parser *p, const struct choice *choice)
{
    if (choice->problem != TS_REPLY_OK) {
        return stop(p, choice->problem, p->at);
    }
    p->state = choice->next;
    p->at += strlen(choice->text);
    p->begin = p->at;
    return true;
}

/* The text at p->at must be one of the choices. False: wait for more bytes. */
static bool expect(struct ts_reply_parser *p, const struct choice *choices, size_t count,
                   enum ts_reply_problem otherwise)
{
    const struct choice *taken = NULL;
    switch (choose(p, choices, count, &taken)) {
    case TAKEN: return take(p, taken);
    case OTHER: return stop(p, otherwise, p->at);
    default: return false;
    }
}

/* Moves p->at to the first place where one of the choices stands. NULL: wait for more bytes. */
static const struct choice *scan(struct ts_reply_parser *p, const struct choice *choices,
                                 size_t count)
{
    const struct choice *taken = NULL;
    enum outcome outcome;
    while ((outcome = choose(p, choices, count, &taken)) == OTHER) {
        p->at++;
    }
    return outcome == TAKEN ? taken : NULL;
}

#define COUNT(list) (sizeof(list) / sizeof *(list))

/* ---- text ---- */

static bool step_reasoning(struct ts_reply_parser *p)
{
    static const struct choice choices[] = {
        {TS_END_THINK, CONTENT, TS_REPLY_OK}, {TS_EOS, STOPPED, TS_REPLY_UNCLOSED},
        {BLOCK, STOPPED, TS_REPLY_UNCLOSED},  {TS_BOS, STOPPED, TS_REPLY_STRAY},
        {TS_THINK, STOPPED, TS_REPLY_STRAY},  {TS_DSML, STOPPED, TS_REPLY_STRAY}};
    const struct choice *found = scan(p, choices, COUNT(choices));
    p->reasoning_end = p->at;
    if (!found) {
        return false;
    }
    take(p, found);
    p->content_begin = p->content_end = p->at;
    return true;
}

static bool step_content(struct ts_reply_parser *p)
{
    static const struct choice choices[] = {{TS_EOS, ENDED, TS_REPLY_OK},
                                            {BLOCK, BLOCK_OPEN, TS_REPLY_OK},
                                            {TS_BOS, STOPPED, TS_REPLY_STRAY},
                                            {TS_THINK, STOPPED, TS_REPLY_STRAY},
                                            {TS_END_THINK, STOPPED, TS_REPLY_STRAY},
                                            {TS_DSML, STOPPED, TS_REPLY_STRAY}};
    const struct choice *found = scan(p, choices, COUNT(choices));
    p->content_end = p->at;
    return found && take(p, found);
}

/* Copies what stands between p->begin and p->at. */
static enum outcome keep(struct ts_reply_parser *p, struct ts_text *copy, struct ts_error *error)
{
    struct ts_text text = {p->text.data + p->begin, p->at - p->begin};
    for (size_t i = 0; i < text.length;) {
        int bytes = ts_utf8_sequence((const uint8_t *)text.data + i, text.length - i);
        if (bytes <= 0) {
            stop(p, TS_REPLY_NOT_UTF8, p->begin + i);
            return OTHER;
        }
        i += (size_t)bytes;
    }
    return ts_arena_copy(&p->arena, text, copy, error) ? TAKEN : FAILED;
}

/* ---- calls ---- */

/* Names and keys end with a quote and what follows it. */
static enum outcome step_name(struct ts_reply_parser *p, struct ts_error *error)
{
    static const struct choice choices[] = {{"\">\n", FIRST_PARAMETER, TS_REPLY_OK},
                                            {TS_EOS, STOPPED, TS_REPLY_UNCLOSED},
                                            {OPEN, STOPPED, TS_REPLY_UNCLOSED},
                                            {CLOSE, STOPPED, TS_REPLY_UNCLOSED}};
    const struct choice *found = scan(p, choices, COUNT(choices));
    if (!found) {
        return WAITING;
    }
    enum outcome outcome = found->problem == TS_REPLY_OK ? keep(p, &p->call.name, error) : TAKEN;
    if (outcome == TAKEN && found->problem == TS_REPLY_OK) {
        p->arguments = ts_arena_take(&p->arena, sizeof *p->arguments, error);
        p->last = NULL;
        if (!p->arguments) {
            return FAILED;
        }
        *p->arguments = (struct ts_json){.kind = TS_JSON_OBJECT, .offset = p->begin};
    }
    if (outcome == TAKEN) {
        take(p, found);
    }
    return outcome;
}

static enum outcome step_key(struct ts_reply_parser *p, struct ts_error *error)
{
    static const struct choice choices[] = {{"\" string=\"true\">", VALUE, TS_REPLY_OK},
                                            {"\" string=\"false\">", VALUE, TS_REPLY_OK},
                                            {TS_EOS, STOPPED, TS_REPLY_UNCLOSED},
                                            {OPEN, STOPPED, TS_REPLY_UNCLOSED},
                                            {CLOSE, STOPPED, TS_REPLY_UNCLOSED}};
    const struct choice *found = scan(p, choices, COUNT(choices));
    if (!found) {
        return WAITING;
    }
    enum outcome outcome = found->problem == TS_REPLY_OK ? keep(p, &p->key, error) : TAKEN;
    p->string = found == &choices[0];
    if (outcome == TAKEN) {
        take(p, found);
    }
    return outcome;
}

/* The value as a member of the arguments; its offset is its place in the reply. */
static enum outcome add_value(struct ts_reply_parser *p, struct ts_error *error)
{
    struct ts_json *value = ts_arena_take(&p->arena, sizeof *value, error);
    struct ts_text text = {"", 0};
    enum outcome outcome = TAKEN;
    size_t offset = 0;
    if (!value) {
        return FAILED;
    }
    if (p->string) {
        outcome = keep(p, &text, error);
        *value = (struct ts_json){.kind = TS_JSON_STRING, .as.text = text};
    } else if (!ts_arena_copy(&p->arena,
                              (struct ts_text){p->text.data + p->begin, p->at - p->begin}, &text,
                              error)) {
        return FAILED;
    } else {
        struct ts_error reason = {.code = TS_OK};
        const struct ts_json *json = ts_json_read(&p->arena, "value", text, &offset, &reason);
        if (json) {
            *value = *json;
        } else if (reason.code == TS_ERR_INPUT) {
            stop(p, TS_REPLY_NOT_JSON, p->begin + offset);
            outcome = OTHER;
        } else {
            outcome = FAILED;
            ts_fail(error, reason.code, NULL, "%s", reason.message);
        }
    }
    if (outcome != TAKEN) {
        return outcome;
    }
    value->key = p->key;
    value->offset = p->begin;
    value->next = NULL;
    *(p->last ? &p->last->next : &p->arguments->as.list.first) = value;
    p->last = value;
    p->arguments->as.list.count++;
    return TAKEN;
}

static enum outcome step_value(struct ts_reply_parser *p, struct ts_error *error)
{
    static const struct choice choices[] = {{CLOSE "parameter>", VALUE_END, TS_REPLY_OK},
                                            {CLOSE, STOPPED, TS_REPLY_UNCLOSED},
                                            {OPEN, STOPPED, TS_REPLY_NESTED},
                                            {TS_EOS, STOPPED, TS_REPLY_UNCLOSED}};
    const struct choice *found = scan(p, choices, COUNT(choices));
    if (!found) {
        return WAITING;
    }
    enum outcome outcome = found->problem == TS_REPLY_OK ? add_value(p, error) : TAKEN;
    if (outcome == TAKEN) {
        take(p, found);
    }
    return outcome;
}

/* Behind </｜DSML｜invoke>. */
static enum outcome finish_call(struct ts_reply_parser *p, struct ts_error *error)
{
    bool memory = true;
    const struct ts_json *twice = ts_json_duplicate(p->arguments, &memory);
    if (!memory) {
        ts_fail_memory(error, "the keys of a call", 0);
        return FAILED;
    }
    if (twice) {
        stop(p, TS_REPLY_DUPLICATE, twice->offset);
        return TAKEN;
    }
    if (p->reply.call_count == p->capacity) {
        size_t capacity = p->capacity ? p->capacity * 2 : 4;
        struct ts_call *larger = realloc(p->calls, capacity * sizeof *larger);
        if (!larger) {
            ts_fail_memory(error, "tool calls", capacity * sizeof *larger);
            return FAILED;
        }
        p->calls = larger;
        p->capacity = capacity;
    }
    p->call.id = (struct ts_text){"", 0};
    p->call.arguments = p->arguments;
    p->calls[p->reply.call_count++] = p->call;
    return TAKEN;
}

/* At a tag within a call; an empty line stands for no parameters. */
static enum outcome step_parameter(struct ts_reply_parser *p, struct ts_error *error)
{
    static const struct choice choices[] = {{OPEN "parameter", PARAMETER_OPEN, TS_REPLY_OK},
                                            {CLOSE "invoke>", CALL_END, TS_REPLY_OK},
                                            {"\n" CLOSE "invoke>", CALL_END, TS_REPLY_OK},
                                            {OPEN, STOPPED, TS_REPLY_NESTED},
                                            {CLOSE, STOPPED, TS_REPLY_UNCLOSED},
                                            {TS_EOS, STOPPED, TS_REPLY_UNCLOSED}};
    const struct choice *taken = NULL;
    enum outcome outcome = choose(p, choices, COUNT(choices), &taken);
    if (outcome == OTHER || (taken == &choices[2] && p->state != FIRST_PARAMETER)) {
        stop(p, TS_REPLY_TAG, p->at);
        return OTHER;
    }
    if (outcome == TAKEN && taken->next == CALL_END) {
        outcome = finish_call(p, error);
    }
    if (outcome == TAKEN && p->state != STOPPED) {
        take(p, taken);
    }
    return outcome;
}

static bool step_between(struct ts_reply_parser *p)
{
    static const struct choice choices[] = {{OPEN "invoke", CALL_OPEN, TS_REPLY_OK},
                                            {CLOSE "tool_calls>", BLOCK_END, TS_REPLY_OK},
                                            {OPEN "tool_calls", STOPPED, TS_REPLY_NESTED},
                                            {OPEN, STOPPED, TS_REPLY_STRAY},
                                            {CLOSE, STOPPED, TS_REPLY_STRAY},
                                            {TS_EOS, STOPPED, TS_REPLY_UNCLOSED}};
    return expect(p, choices, COUNT(choices), TS_REPLY_TAG);
}

/* ---- the machine ---- */

/* The places where only one text may stand. */
static bool step_fixed(struct ts_reply_parser *p)
{
    static const struct choice block_open = {">\n", BETWEEN, TS_REPLY_OK};
    static const struct choice call_open = {" name=\"", CALL_NAME, TS_REPLY_OK};
    static const struct choice parameter_open = {" name=\"", KEY, TS_REPLY_OK};
    static const struct choice value_end = {"\n", NEXT_PARAMETER, TS_REPLY_OK};
    static const struct choice call_end = {"\n", BETWEEN, TS_REPLY_OK};
    static const struct choice block_end = {TS_EOS, ENDED, TS_REPLY_OK};
    switch (p->state) {
    case BLOCK_OPEN: return expect(p, &block_open, 1, TS_REPLY_TAG);
    case CALL_OPEN: return expect(p, &call_open, 1, TS_REPLY_TAG);
    case PARAMETER_OPEN: return expect(p, &parameter_open, 1, TS_REPLY_TAG);
    case VALUE_END: return expect(p, &value_end, 1, TS_REPLY_TAG);
    case CALL_END: return expect(p, &call_end, 1, TS_REPLY_TAG);
    case BLOCK_END: return expect(p, &block_end, 1, TS_REPLY_AFTER_CALLS);
    case ENDED: return p->at < p->text.length && stop(p, TS_REPLY_AFTER_END, p->at);
    default: return false;
    }
}

/* WAITING: nothing more can be told from the bytes so far. */
static enum outcome step(struct ts_reply_parser *p, struct ts_error *error)
{
    switch (p->state) {
    case REASONING: return step_reasoning(p) ? TAKEN : WAITING;
    case CONTENT: return step_content(p) ? TAKEN : WAITING;
    case BETWEEN: return step_between(p) ? TAKEN : WAITING;
    case CALL_NAME: return step_name(p, error);
    case KEY: return step_key(p, error);
    case VALUE: return step_value(p, error);
    case FIRST_PARAMETER:
    case NEXT_PARAMETER: return step_parameter(p, error);
    default: return step_fixed(p) ? TAKEN : WAITING;
    }
}

/* The slices move with the buffer. */
static void show(struct ts_reply_parser *p)
{
    struct ts_reply *reply = &p->reply;
    const char *text = ts_writer_text(&p->text).data;
    reply->reasoning = (struct ts_text){text, p->reasoning_end};
    reply->content = (struct ts_text){text + p->content_begin, p->content_end - p->content_begin};
    reply->calls = p->calls;
    reply->ended = p->state == ENDED || reply->problem == TS_REPLY_AFTER_END;
}

struct ts_reply_parser *ts_reply_open(bool reasoning, struct ts_error *error)
{
    struct ts_reply_parser *p = calloc(1, sizeof *p);
    if (!p) {
        ts_fail_memory(error, "a reply", sizeof *p);
        return NULL;
    }
    p->state = reasoning ? REASONING : CONTENT;
    show(p);
    return p;
}

void ts_reply_close(struct ts_reply_parser *parser)
{
    if (parser) {
        ts_writer_free(&parser->text);
        ts_arena_free(&parser->arena);
        free(parser->calls);
        free(parser);
    }
}

bool ts_reply_feed(struct ts_reply_parser *parser, const char *bytes, size_t length,
                   struct ts_error *error)
{
    enum outcome outcome = TAKEN;
    if (parser->state == STOPPED || length == 0) {
        return true;
    }
    ts_writer_add(&parser->text, bytes, length);
    if (!ts_writer_ok(&parser->text, error)) {
        return false;
    }
    while (parser->state != STOPPED && (outcome == TAKEN || outcome == OTHER)) {
        outcome = step(parser, error);
    }
    show(parser);
    return outcome != FAILED;
}

void ts_reply_finish(struct ts_reply_parser *parser)
{
    struct ts_reply_parser *p = parser;
    size_t held = p->text.length - p->at;
    switch (p->state) {
    case STOPPED:
    case ENDED: break;
    case CONTENT:
        /* What was held back may be the beginning of a tag: of calls for sure once it has the
         * token of tags. */
        if (held >= strlen("\n\n" OPEN) && p->text.data[p->at] == '\n') {
            stop(p, TS_REPLY_CUT, p->at);
        } else {
            p->content_end = p->at = p->text.length;
        }
        break;
    case REASONING: p->reasoning_end = p->at = p->text.length; /* fall through */
    default:
        if (p->state != BLOCK_END || held > 0) {
            stop(p, TS_REPLY_CUT, p->text.length);
        }
    }
    show(p);
}

const struct ts_reply *ts_reply_get(const struct ts_reply_parser *parser)
{
    return &parser->reply;
}

const char *ts_reply_problem_name(enum ts_reply_problem problem)
{
    static const char *const names[] = {"ok",
                                        "cut",
                                        "unclosed tag",
                                        "nested call",
                                        "misplaced token",
                                        "malformed tag",
                                        "invalid JSON",
                                        "invalid UTF-8",
                                        "duplicate parameter",
                                        "text after calls",
                                        "text after the end"};
    return names[problem];
}

bool ts_reply_check(const struct ts_reply *reply, struct ts_error *error)
{
    return reply->problem == TS_REPLY_OK ||
           ts_fail(error, TS_ERR_INPUT, NULL, "reply: byte %zu: %s", reply->position,
                   ts_reply_problem_name(reply->problem));
}
