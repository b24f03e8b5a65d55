#include "engine/prompt/arena.h"

#include <stdlib.h>
#include <string.h>

enum { SMALLEST = 4096, LARGEST = 1 << 18 };

struct ts_arena_block {
    struct ts_arena_block *older;
    size_t used, size; /* bytes of data */
    max_align_t data[];
};

/* Blocks double, so that a small tree stays small and a large one takes few of them. */
static struct ts_arena_block *add_block(struct ts_arena *arena, size_t bytes)
{
    struct ts_arena_block *newest = arena->newest;
    size_t size = newest ? newest->size * 2 : SMALLEST;
    size = size > LARGEST ? LARGEST : size;
    size = bytes > size ? bytes : size;
    struct ts_arena_block *block = malloc(sizeof *block + size);
    if (!block) {
        return NULL;
    }
    *block = (struct ts_arena_block){.older = newest, .size = size};
    arena->newest = block;
    return block;
}

void *ts_arena_take(struct ts_arena *arena, size_t bytes, struct ts_error *error)
{
    const size_t align = _Alignof(max_align_t);
    struct ts_arena_block *block = arena->newest;
    if (bytes > TS_ARENA_MOST || TS_ARENA_MOST - bytes < arena->taken) {
        ts_fail(error, TS_ERR_INPUT, NULL, "values and texts of a conversation exceed %d MiB",
                TS_ARENA_MOST >> 20);
        return NULL;
    }
    size_t padded = (bytes + align - 1) / align * align;
    if (!block || block->size - block->used < padded) {
        block = add_block(arena, padded);
    }
    if (!block) {
        ts_fail_memory(error, "a conversation", bytes);
        return NULL;
    }
    void *memory = (char *)block->data + block->used;
    block->used += padded;
    arena->taken += padded;
    return memory;
}

bool ts_arena_copy(struct ts_arena *arena, struct ts_text text, struct ts_text *copy,
                   struct ts_error *error)
{
    char *data = ts_arena_take(arena, text.length + 1, error);
    if (!data) {
        return false;
    }
    if (text.length > 0) {
        memcpy(data, text.data, text.length);
    }
    data[text.length] = '\0';
    *copy = (struct ts_text){data, text.length};
    return true;
}

void ts_arena_free(struct ts_arena *arena)
{
    for (struct ts_arena_block *block = arena->newest; block;) {
        struct ts_arena_block *older = block->older;
        free(block);
        block = older;
    }
    *arena = (struct ts_arena){0};
}
