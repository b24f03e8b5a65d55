/* A growing list of token ids. */
#include "engine/tokenizer/internal.h"

#include <stdlib.h>

bool ts_ids_append(struct ts_ids *ids, int32_t id, struct ts_error *error)
{
    if (ids->count == ids->capacity) {
        size_t capacity = ids->capacity ? ids->capacity * 2 : 64;
        int32_t *data = capacity <= SIZE_MAX / 2 / sizeof *data
                            ? realloc(ids->data, capacity * sizeof *data)
                            : NULL;
        if (!data) {
            return ts_fail_memory(error, "token ids", capacity * sizeof *data);
        }
        ids->data = data;
        ids->capacity = capacity;
    }
    ids->data[ids->count++] = id;
    return true;
}

void ts_ids_free(struct ts_ids *ids)
{
    free(ids->data);
    *ids = (struct ts_ids){NULL, 0, 0};
}
