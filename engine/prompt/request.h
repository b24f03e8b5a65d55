/* A JSON text with a conversation and how to render it: what a client of a chat API sends. */
#ifndef TS_ENGINE_PROMPT_REQUEST_H
#define TS_ENGINE_PROMPT_REQUEST_H

#include "engine/prompt/render.h"

struct ts_prompt_request {
    struct ts_conversation conversation;
    struct ts_prompt_options options;
};

/* Takes an array of messages, or an object with `messages` and, each of which may be missing or
 * null: `tools` and `response_format`, which go to the first system message (an empty one is put in
 * front if there is none), `thinking_mode` ("thinking", the default, or "chat"),
 * `release` ("preview" or "0731"; by default that of the argument) and in its words `reasoning_effort`, `drop_thinking`
 * (true by default). Other members are skipped.
 * The request lives as long as the JSON and the arena. TS_ERR_INPUT for what is of another kind,
 * for tools (or a format) both outside and inside that message, and as ts_conversation_read. */
bool ts_prompt_request_read(struct ts_arena *arena, const char *name, const struct ts_json *json,
                            enum ts_release release, struct ts_prompt_request *request,
                            struct ts_error *error);

#endif
