/* A conversation as the text that the model continues.
 *
 * Text = BOS, the prefix of maximal effort (thinking only), then the turns:
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
 * answer to a task has no reasoning. Text that spells a protocol token is not escaped. */
#ifndef TS_ENGINE_PROMPT_RENDER_H
#define TS_ENGINE_PROMPT_RENDER_H

#include "engine/prompt/messages.h"

enum ts_effort { TS_EFFORT_DEFAULT, TS_EFFORT_HIGH, TS_EFFORT_MAX };

struct ts_prompt_options {
    bool chat;             /* no reasoning; else thinking mode */
    enum ts_effort effort; /* high is as default */
    bool keep_thinking;
};

struct ts_prompt {
    struct ts_writer text;
    size_t reply;        /* where the assistant's own text begins: of the last turn if that is one,
                          * else at the end, where the model goes on */
    size_t reply_length; /* of that text with its EOS; a task's token may follow */
    bool reasoning;      /* it begins with reasoning and </think> */
};

/* Fills *prompt, which begins as {0}; the caller frees it, also after a failure. Linear up to a
 * logarithm. Fails only without memory. */
bool ts_prompt_render(const struct ts_conversation *conversation,
                      const struct ts_prompt_options *options, struct ts_prompt *prompt,
                      struct ts_error *error);

void ts_prompt_free(struct ts_prompt *prompt);

#endif
