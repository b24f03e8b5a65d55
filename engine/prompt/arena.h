/* Memory that is freed all at once: for trees that live and die together. */
#ifndef TS_ENGINE_PROMPT_ARENA_H
#define TS_ENGINE_PROMPT_ARENA_H

#include "base/error.h"
#include "engine/gguf.h"

#include <stddef.h>

struct ts_arena_block;

/* Begins as {0}; ends with ts_arena_free. */
struct ts_arena {
    struct ts_arena_block *newest;
};

/* `bytes` of memory for any type, not cleared, alive until ts_arena_free. NULL with *error if there
 * is none. */
void *ts_arena_take(struct ts_arena *arena, size_t bytes, struct ts_error *error);

/* Copies a text and puts a zero behind it. False with *error if there is no memory. */
bool ts_arena_copy(struct ts_arena *arena, struct ts_text text, struct ts_text *copy,
                   struct ts_error *error);

/* Frees everything; the arena is then as new. */
void ts_arena_free(struct ts_arena *arena);

#endif
