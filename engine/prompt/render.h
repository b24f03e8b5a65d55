/* A conversation as the text that the model continues.
 *
 * Text = BOS, the prefix of the effort (thinking only), then the turns:
 * - system: its text, tools, response format, with blank lines between;
 * - user: <｜User｜> and the texts of neighbouring user and tool messages with blank lines between,
 *   tool results as <tool_result> blocks, which stand in the order of the calls that they answer.
 *   A user message after one with a task begins its own turn; else a task counts only on the first
 *   message of a turn;
 * - developer: like user, but never joined, and with tools and response format behind;
 * - assistant: reasoning, </think>, content, calls, EOS;
 * - latest_reminder: its token and its text.
 * A turn that is the last one, or has an assistant or latest_reminder turn behind it, ends with its
 * task's token (action: behind <｜Assistant｜> and the think token); if it has no task and is a
 * user's or developer's, with <｜Assistant｜> and <think>, or </think> where no reasoning follows.
 *
 * Dropping of old reasoning is on unless `keep_thinking` or any message carries tools, and is for
 * thinking mode: in front of the last user or developer turn, developer turns are left out, and
 * answers lose their reasoning and its </think>, their users ending with </think> instead. An
 * answer to a task has no reasoning.
 *
 * Text of a message that spells a protocol token is not escaped, but told apart: `contents` are the
 * spans that do not come from the protocol's own templates. */
#ifndef TS_ENGINE_PROMPT_RENDER_H
#define TS_ENGINE_PROMPT_RENDER_H

#include "engine/prompt/messages.h"

/* The words for efforts changed their meaning between the preview of April 2026 and the release of
 * 31 July: what the former calls max the latter calls high. */
enum ts_release { TS_RELEASE_PREVIEW, TS_RELEASE_0731 };
enum ts_effort { TS_EFFORT_DEFAULT, TS_EFFORT_LOW, TS_EFFORT_HIGH, TS_EFFORT_MAX };

/* "preview" or "0731"; false for another. */
bool ts_release_find(struct ts_text name, enum ts_release *release);
/* What the release calls an effort: "high" and "max", or "low", "high" and "max"; false for another. */
bool ts_effort_find(struct ts_text name, enum ts_release release, enum ts_effort *effort);
/* The efforts of a release for a message, such as "high or max". */
const char *ts_effort_names(enum ts_release release);

struct ts_prompt_options {
    bool chat; /* no reasoning; else thinking mode */
    enum ts_release release;
    enum ts_effort effort;
    bool keep_thinking;
};

struct ts_prompt {
    struct ts_writer text;
    size_t reply;        /* where the assistant's own text begins: of the last turn if that is one,
                          * else at the end, where the model goes on */
    size_t reply_length; /* of that text with its EOS; a task's token may follow */
    bool reasoning;      /* it begins with reasoning and </think> */
    /* what the messages say, in ascending order, none touching another; all else is the protocol's */
    struct ts_span *contents;
    size_t content_count, content_capacity;
};

/* Fills *prompt, which begins as {0}; the caller frees it, also after a failure. Linear up to a
 * logarithm. Fails only without memory. */
bool ts_prompt_render(const struct ts_conversation *conversation,
                      const struct ts_prompt_options *options, struct ts_prompt *prompt,
                      struct ts_error *error);

void ts_prompt_free(struct ts_prompt *prompt);

#endif
