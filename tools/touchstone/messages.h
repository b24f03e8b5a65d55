/* Conversations in files, as the verbs prompt and run take them. */
#ifndef TS_TOOLS_TOUCHSTONE_MESSAGES_H
#define TS_TOOLS_TOUCHSTONE_MESSAGES_H

#include "tools/touchstone/options.h"
#include "engine/prompt/render.h"
#include "engine/tokenizer/tokenizer.h"

struct ts_messages_flags {
    const char *effort;  /* NULL: as the file says */
    const char *release; /* NULL: as the file or the model says */
    bool think, no_think, keep_thinking;
    bool markers; /* protocol tokens spelled in messages are such tokens */
};

/* --think, --no-think, --effort, --release, --markers and --keep-thinking. The last belongs to the modes
 * `messages` of the verb, the others also to `turns`. */
void ts_options_add_messages(struct ts_options *options, struct ts_messages_flags *flags,
                             uint32_t turns, uint32_t messages);

/* Reads FILE ("-" is standard input; engine/prompt/request.h says what it holds) and renders it,
 * flags going before what the file says. What the words for efforts mean follows from --release, the
 * file, the model (NULL: none); else --effort means the release of 31 July, a file the preview. The caller frees *prompt, which begins as {0}, also after
 * a failure. TS_ERR_USAGE for flags, TS_ERR_INPUT for the file. */
bool ts_messages_render(const char *path, const struct ts_messages_flags *flags,
                        const struct ts_gguf *model, struct ts_prompt *prompt,
                        struct ts_error *error);

/* The same for one user's turn with this text. */
bool ts_messages_render_turn(struct ts_text text, const struct ts_messages_flags *flags,
                             const struct ts_gguf *model, struct ts_prompt *prompt,
                             struct ts_error *error);

/* Appends the prompt's ids: tokens that messages spell are ordinary text unless flags->markers. */
bool ts_messages_encode(const struct ts_prompt *prompt, const struct ts_messages_flags *flags,
                        struct ts_tokenizer *tokenizer, struct ts_ids *ids, struct ts_error *error);

#endif
