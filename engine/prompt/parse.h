/* What the model wrote, taken apart: reasoning, content and tool calls. Works on a stream; the
 * result depends on the bytes alone, not on how they are cut into pieces.
 *
 * A reply is [reasoning </think>] content [calls] [EOS], calls being a blank line and
 *   <｜DSML｜tool_calls>
 *   <｜DSML｜invoke name="NAME">
 *   <｜DSML｜parameter name="KEY" string="true|false">VALUE</｜DSML｜parameter>
 *   </｜DSML｜invoke>
 *   </｜DSML｜tool_calls>
 * each tag on its line as written (an invoke without parameters may hold an empty line). A value is
 * text as it is (true) or JSON (false). White space is kept everywhere.
 * Reasoning and content hold no BOS, EOS, <think>, </think> or ｜DSML｜; names, keys and values no
 * EOS and no DSML tag: whoever writes one in there forgot to close something. */
#ifndef TS_ENGINE_PROMPT_PARSE_H
#define TS_ENGINE_PROMPT_PARSE_H

#include "engine/prompt/messages.h"

enum ts_reply_problem {
    TS_REPLY_OK,
    TS_REPLY_CUT,         /* the stream ended within reasoning or calls */
    TS_REPLY_UNCLOSED,    /* EOS or another closing tag instead of a missing one */
    TS_REPLY_NESTED,      /* a block, call or parameter within a call or parameter */
    TS_REPLY_STRAY,       /* a token or tag that has no place there */
    TS_REPLY_TAG,         /* a tag or what is between tags is not as above */
    TS_REPLY_NOT_JSON,    /* a value that says that it is */
    TS_REPLY_NOT_UTF8,    /* a name, key or text value */
    TS_REPLY_DUPLICATE,   /* a call has a parameter twice */
    TS_REPLY_AFTER_CALLS, /* something other than EOS behind the calls */
    TS_REPLY_AFTER_END    /* something behind EOS */
};

/* After a problem, everything in front of it stays: it is the longest part that is well formed. */
struct ts_reply {
    struct ts_text reasoning;    /* so far; both only grow, and without a protocol token's part, */
    struct ts_text content;      /* so that new bytes can be shown at once */
    const struct ts_call *calls; /* [call_count] complete ones; ids are empty */
    size_t call_count;
    bool ended;                    /* EOS was read */
    enum ts_reply_problem problem; /* the first; nothing behind it is looked at */
    size_t position;               /* of the problem: the byte of the reply, from 0 */
};

struct ts_reply_parser;

/* `reasoning`: the reply begins with it (struct ts_prompt tells). NULL with *error without memory.
 * The caller closes it. */
struct ts_reply_parser *ts_reply_open(bool reasoning, struct ts_error *error);
void ts_reply_close(struct ts_reply_parser *parser); /* NULL is allowed */

/* Takes the next bytes. Malformed replies are no errors here, but problems of the reply: false only
 * without memory, or if calls exceed TS_ARENA_MOST. Linear in the bytes altogether. */
bool ts_reply_feed(struct ts_reply_parser *parser, const char *bytes, size_t length,
                   struct ts_error *error);

/* Tells that nothing follows. A reply without EOS is fine where it could have ended: within the
 * content (what was held back joins it) and behind the calls. */
void ts_reply_finish(struct ts_reply_parser *parser);

/* What is known so far, alive until the next call with this parser. */
const struct ts_reply *ts_reply_get(const struct ts_reply_parser *parser);

/* "cut", "unclosed tag" and so on; "ok". */
const char *ts_reply_problem_name(enum ts_reply_problem problem);

/* The problem as an error (TS_ERR_INPUT) that names position and problem; true if there is none. */
bool ts_reply_check(const struct ts_reply *reply, struct ts_error *error);

#endif
