/* A conversation: OpenAI-style messages, read and checked. */
#ifndef TS_ENGINE_PROMPT_MESSAGES_H
#define TS_ENGINE_PROMPT_MESSAGES_H

#include "engine/prompt/json.h"
#include "engine/prompt/protocol.h"

enum ts_speaker {
    TS_SPEAKER_SYSTEM,
    TS_SPEAKER_DEVELOPER,
    TS_SPEAKER_USER,
    TS_SPEAKER_ASSISTANT,
    TS_SPEAKER_TOOL,
    TS_SPEAKER_LATEST_REMINDER
};

struct ts_call {
    struct ts_text name;
    struct ts_text id;               /* empty: none */
    const struct ts_json *arguments; /* an object */
};

struct ts_message {
    enum ts_speaker role;
    enum ts_task task;
    struct ts_text content;                /* parts of a list already joined */
    struct ts_text reasoning;              /* assistant */
    struct ts_text call_id;                /* tool: of the call that it answers; empty: none */
    const struct ts_json *tools;           /* system and developer: array [count > 0], or NULL */
    const struct ts_json *response_format; /* system and developer; NULL: none */
    const struct ts_call *calls;           /* assistant: [call_count] */
    size_t call_count;
    bool open; /* assistant: its turn is not ended ("wo_eos") */
};

struct ts_conversation {
    struct ts_message *messages; /* [count] */
    size_t count;
};

/* Reads an array of messages. Texts stay in the JSON or go to the arena. `name` stands in front of
 * messages, such as the file's.
 *
 * content: a string, or a list of parts ({"type": "text", "text": ...}; others become
 * "[Unsupported TYPE]"), joined by a blank line. It may be null or left out for system and
 * assistant messages, and must not be empty for a developer's.
 * arguments: a string with a JSON object, or the object itself.
 * Members with a null are as if left out; unknown ones are skipped.
 *
 * TS_ERR_INPUT names message (index and role) and member: an unknown role or task, content that is
 * null or of another type, arguments that are no JSON object, a tool without "function", tools or
 * response_format on a message other than system and developer. */
bool ts_conversation_read(struct ts_arena *arena, const char *name, const struct ts_json *messages,
                          struct ts_conversation *conversation, struct ts_error *error);

/* The texts of `content` as above; a NULL or null is {"", 0}. `where` names it in errors. */
bool ts_content_read(struct ts_arena *arena, const char *where, const struct ts_json *content,
                     struct ts_text *text, struct ts_error *error);

/* Tools as above; *tools is NULL if there are none. */
bool ts_tools_check(const char *where, const struct ts_json *value, const struct ts_json **tools,
                    struct ts_error *error);

#endif
