/* The tokens and templates of the model's prompt protocol. */
#ifndef TS_ENGINE_PROMPT_PROTOCOL_H
#define TS_ENGINE_PROMPT_PROTOCOL_H

#include "engine/prompt/writer.h"

/* Tokens of the vocabulary, as text. TS_DSML stands between a bracket and a tag's name. */
#define TS_BOS "<｜begin▁of▁sentence｜>"
#define TS_EOS "<｜end▁of▁sentence｜>"
#define TS_USER "<｜User｜>"
#define TS_ASSISTANT "<｜Assistant｜>"
#define TS_LATEST_REMINDER "<｜latest_reminder｜>"
#define TS_THINK "<think>"
#define TS_END_THINK "</think>"
#define TS_DSML "｜DSML｜"

enum ts_protocol {
#define TS_PROTOCOL(constant, name, text) TS_PROTOCOL_##constant,
#include "engine/prompt/protocol.def"
#undef TS_PROTOCOL
    /* one that the model's file of strings spells out in its code instead */
    TS_PROTOCOL_PARAMETER_TEMPLATE,
    TS_PROTOCOL_COUNT
};

/* The string, ended by a zero. */
const char *ts_protocol_text(enum ts_protocol string);

/* What a template leaves to its caller. */
enum ts_fill {
    TS_FILL_END, /* none any more: the whole template is written */
    TS_FILL_TOOL_SCHEMAS,
    TS_FILL_SCHEMA,
    TS_FILL_NAME,
    TS_FILL_ARGUMENTS,
    TS_FILL_TOOL_CALLS,
    TS_FILL_CONTENT,
    TS_FILL_KEY,
    TS_FILL_IS_STRING,
    TS_FILL_VALUE
};

/* Writes a template up to its next slot that the caller fills, and returns it; the fixed ones
 * (the DSML and think tokens, the name of a call block) are filled on the way. *at begins as the
 * template's text and is moved behind the slot. */
enum ts_fill ts_protocol_next(const char **at, struct ts_writer *out);

/* Tasks of which the protocol has tokens. */
enum ts_task {
    TS_TASK_NONE,
    TS_TASK_ACTION,
    TS_TASK_QUERY,
    TS_TASK_AUTHORITY,
    TS_TASK_DOMAIN,
    TS_TASK_TITLE,
    TS_TASK_READ_URL
};

/* "action", "query", "authority", "domain", "title" or "read_url"; TS_TASK_NONE for another. */
enum ts_task ts_task_find(struct ts_text name);
const char *ts_task_token(enum ts_task task); /* "" for TS_TASK_NONE */

#endif
