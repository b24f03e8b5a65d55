/* Conversations in files, as the verbs prompt and run take them. */
#ifndef TS_TOOLS_TOUCHSTONE_MESSAGES_H
#define TS_TOOLS_TOUCHSTONE_MESSAGES_H

#include "tools/touchstone/options.h"
#include "engine/prompt/render.h"

struct ts_messages_flags {
    const char *effort; /* NULL: as the file says */
    bool think, no_think, keep_thinking;
};

/* --think, --no-think, --effort and --keep-thinking. The former two belong to the modes `turns` of the
 * verb, the others to `messages`. */
void ts_options_add_messages(struct ts_options *options, struct ts_messages_flags *flags,
                             uint32_t turns, uint32_t messages);

/* Reads FILE ("-" is standard input; engine/prompt/request.h says what it holds) and renders it,
 * flags going before what the file says. The caller frees *prompt, which begins as {0}, also after
 * a failure. TS_ERR_USAGE for flags, TS_ERR_INPUT for the file. */
bool ts_messages_render(const char *path, const struct ts_messages_flags *flags,
                        struct ts_prompt *prompt, struct ts_error *error);

#endif
