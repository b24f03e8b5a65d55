#include "engine/prompt/protocol.h"

#include <string.h>

static const char *const strings[] = {
#define TS_PROTOCOL(constant, name, text) text,
#include "engine/prompt/protocol.def"
#undef TS_PROTOCOL
    "<{dsml_token}parameter name=\"{key}\" string=\"{is_str}\">{value}"
    "</{dsml_token}parameter>",
};

_Static_assert(sizeof strings / sizeof *strings == TS_PROTOCOL_COUNT, "a string for each constant");

static const struct {
    const char *name, *fixed; /* fixed: NULL if the caller fills it */
    enum ts_fill slot;
} slots[] = {
    {"{dsml_token}", TS_DSML, TS_FILL_END},
    {"{thinking_start_token}", TS_THINK, TS_FILL_END},
    {"{thinking_end_token}", TS_END_THINK, TS_FILL_END},
    {"{tc_block_name}", "tool_calls", TS_FILL_END},
    {"{tool_schemas}", NULL, TS_FILL_TOOL_SCHEMAS},
    {"{schema}", NULL, TS_FILL_SCHEMA},
    {"{name}", NULL, TS_FILL_NAME},
    {"{arguments}", NULL, TS_FILL_ARGUMENTS},
    {"{tool_calls}", NULL, TS_FILL_TOOL_CALLS},
    {"{content}", NULL, TS_FILL_CONTENT},
    {"{key}", NULL, TS_FILL_KEY},
    {"{is_str}", NULL, TS_FILL_IS_STRING},
    {"{value}", NULL, TS_FILL_VALUE},
};

static const struct {
    const char *name, *token;
} tasks[] = {{"", ""},
             {"action", "<｜action｜>"},
             {"query", "<｜query｜>"},
             {"authority", "<｜authority｜>"},
             {"domain", "<｜domain｜>"},
             {"title", "<｜title｜>"},
             {"read_url", "<｜read_url｜>"}};

const char *ts_protocol_text(enum ts_protocol string)
{
    return strings[string];
}

enum ts_fill ts_protocol_next(const char **at, struct ts_writer *out)
{
    while (**at) {
        size_t length = strcspn(*at, "{"), i = 0;
        ts_writer_add(out, *at, length);
        *at += length;
        while (i < sizeof slots / sizeof *slots &&
               strncmp(*at, slots[i].name, strlen(slots[i].name)) != 0) {
            i++;
        }
        if (i == sizeof slots / sizeof *slots) {
            length = **at ? 1 : 0; /* a brace that opens no slot */
            ts_writer_add(out, *at, length);
            *at += length;
            continue;
        }
        *at += strlen(slots[i].name);
        if (!slots[i].fixed) {
            return slots[i].slot;
        }
        ts_writer_add_string(out, slots[i].fixed);
    }
    return TS_FILL_END;
}

enum ts_task ts_task_find(struct ts_text name)
{
    for (size_t i = 1; i < sizeof tasks / sizeof *tasks; i++) {
        if (ts_text_equals(name, tasks[i].name)) {
            return (enum ts_task)i;
        }
    }
    return TS_TASK_NONE;
}

const char *ts_task_token(enum ts_task task)
{
    return tasks[task].token;
}
