/* Memory that is freed all at once: for trees that live and die together. */
#ifndef TS_ENGINE_PROMPT_ARENA_H
#define TS_ENGINE_PROMPT_ARENA_H

#include "base/error.h"
#include "base/text.h"

#include <stddef.h>

struct ts_arena_block;

/* What one arena gives, so that a small hostile file cannot ask for much. A conversation that fills
 * the model's million tokens needs less than half of it. */
enum { TS_ARENA_MOST = 40 << 20 };

/* Begins as {0}; ends with ts_arena_free. */
struct ts_arena {
    struct ts_arena_block *newest;
    size_t taken; /* bytes, padded to alignment */
};

/* `bytes` of memory for any type, not cleared, alive until ts_arena_free. NULL with *error:
 * TS_ERR_INPUT beyond TS_ARENA_MOST, TS_ERR_ENVIRONMENT if there is no memory. */
void *ts_arena_take(struct ts_arena *arena, size_t bytes, struct ts_error *error);

/* Copies a text and puts a zero behind it. False with *error as above. */
bool ts_arena_copy(struct ts_arena *arena, struct ts_text text, struct ts_text *copy,
                   struct ts_error *error);

/* Frees everything; the arena is then as new. */
void ts_arena_free(struct ts_arena *arena);

#endif
