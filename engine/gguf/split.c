/* Models in several files, as ggml's gguf-split writes them: NAME-00001-of-0000N.gguf, each with its
 * tensors and the keys split.no (from 0), split.count and split.tensors.count (of all parts). The first
 * has all other keys, and may have no tensors. */
#include "engine/gguf/map.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_PARTS = 65535, SUFFIX = 20 /* "-00001-of-00002.gguf" */ };

static const char NUMBER[] = "split.no", COUNT[] = "split.count", TENSORS[] = "split.tensors.count";

struct split {
    uint64_t number, count, tensors;
};

static bool read_split(const struct ts_gguf *gguf, struct split *split, struct ts_error *error)
{
    *split = (struct split){.count = 1, .tensors = gguf->tensor_count};
    if (ts_gguf_find_key(gguf, COUNT) && !ts_gguf_get_u64(gguf, COUNT, &split->count, error)) {
        return false;
    }
    if (split->count <= 1) {
        split->count = 1;
        return true;
    }
    if (!ts_gguf_get_u64(gguf, NUMBER, &split->number, error) ||
        !ts_gguf_get_u64(gguf, TENSORS, &split->tensors, error)) {
        return false;
    }
    if (split->count > MOST_PARTS) {
        return ts_gguf_refuse_key(gguf, COUNT, error, "is %" PRIu64 ", expected at most %d",
                                  split->count, MOST_PARTS);
    }
    return split->number < split->count ||
           ts_gguf_refuse_key(gguf, NUMBER, error,
                              "is %" PRIu64 ", expected less than %s, %" PRIu64, split->number,
                              COUNT, split->count);
}

/* The name of a part (from 0) in place of the end of another's. */
static void name_part(char *path, size_t length, uint64_t number, uint64_t count)
{
    snprintf(path + length - SUFFIX, SUFFIX + 1, "-%05" PRIu64 "-of-%05" PRIu64 ".gguf",
             (number + 1) % 100000, count % 100000);
}

/* A copy of the path with the first part's name, which it must have itself unless it is another part.
 * NULL with *error; the caller frees it. */
static char *first_path(const struct ts_gguf *gguf, const struct split *split,
                        struct ts_error *error)
{
    size_t length = strlen(gguf->path);
    char *first = strdup(gguf->path), expected[SUFFIX + 1];
    if (!first) {
        ts_fail_memory(error, "a GGUF file's path", length);
        return NULL;
    }
    name_part(expected, SUFFIX, split->number, split->count);
    if (length < SUFFIX || strcmp(gguf->path + length - SUFFIX, expected) != 0) {
        ts_fail(error, TS_ERR_INPUT, "the other parts are found by its name",
                "%.300s: is part %" PRIu64 " of %" PRIu64
                " of a split model, expected a name that ends in %s",
                gguf->path, split->number + 1, split->count, expected);
        free(first);
        return NULL;
    }
    name_part(first, length, 0, split->count);
    if (split->number != 0) {
        ts_fail(error, TS_ERR_INPUT, NULL,
                "%.300s: is part %" PRIu64 " of %" PRIu64
                " of a split model: name the first part, %.300s",
                gguf->path, split->number + 1, split->count, first);
        free(first);
        return NULL;
    }
    return first;
}

static bool expect(const struct ts_gguf *part, const char *name, uint64_t value, uint64_t expected,
                   const struct ts_gguf *first, struct ts_error *error)
{
    return value == expected ||
           ts_gguf_refuse_key(part, name, error,
                              "is %" PRIu64 ", expected %" PRIu64 " as a part of %.200s", value,
                              expected, first->path);
}

/* What a part says beside split.* and its alignment must be what the first says. */
static bool same_metadata(const struct ts_gguf *first, const struct ts_gguf *part,
                          struct ts_error *error)
{
    for (uint64_t i = 0; i < part->key_count; i++) {
        const struct ts_gguf_key *key = &part->keys[i];
        char name[TS_TEXT_SHOWN + 1];
        snprintf(name, sizeof name, "%s", ts_text_show(key->name).text);
        if ((key->name.length >= 6 && memcmp(key->name.data, "split.", 6) == 0) ||
            ts_text_equals(key->name, "general.alignment")) {
            continue;
        }
        const struct ts_gguf_key *other = ts_gguf_find_key(first, name);
        if (!other || !ts_text_equals(key->name, name) || other->type != key->type ||
            other->element != key->element || other->count != key->count ||
            other->bytes != key->bytes || memcmp(other->value, key->value, key->bytes) != 0) {
            return ts_fail(error, TS_ERR_INPUT, "the files are parts of different models",
                           "%.300s: offset %" PRIu64 ": key %s %s %.300s", part->path,
                           (uint64_t)((const uint8_t *)key->name.data - part->data), name,
                           other ? "has another value in" : "is missing in", first->path);
        }
    }
    return true;
}

static struct ts_gguf *open_next(const struct ts_gguf *first, const struct split *split,
                                 uint64_t number, const char *path, struct ts_error *error)
{
    struct split own;
    struct ts_error reason = {.code = TS_OK};
    struct ts_gguf *part = ts_gguf_open_part(path, &reason);
    if (!part) {
        ts_fail(error, reason.code, reason.hint[0] ? reason.hint : NULL,
                "%.3000s (part %" PRIu64 " of %" PRIu64 " of a split model)", reason.message,
                number + 1, split->count);
        return NULL;
    }
    if (!ts_gguf_find_key(part, COUNT)) {
        ts_fail(error, TS_ERR_INPUT, NULL, "%.300s: key %s is missing: it is no part of %.300s",
                path, COUNT, first->path);
    } else if (read_split(part, &own, error) &&
               expect(part, COUNT, own.count, split->count, first, error) &&
               expect(part, NUMBER, own.number, number, first, error) &&
               expect(part, TENSORS, own.tensors, split->tensors, first, error) &&
               same_metadata(first, part, error)) {
        return part;
    }
    ts_gguf_close(part);
    return NULL;
}

/* Adds the tensors of a part behind those so far. */
static bool add_tensors(struct ts_gguf *gguf, const struct ts_gguf *part, uint32_t number,
                        struct ts_error *error)
{
    uint64_t count = gguf->tensor_count + part->tensor_count;
    if (part->tensor_count == 0) {
        return true;
    }
    struct ts_gguf_tensor *tensors = realloc(gguf->tensors, count * sizeof *tensors);
    if (!tensors) {
        return ts_fail_memory(error, "the directory of a split model", count * sizeof *tensors);
    }
    gguf->tensors = tensors;
    for (uint64_t i = 0; i < part->tensor_count; i++) {
        tensors[gguf->tensor_count] = part->tensors[i];
        tensors[gguf->tensor_count++].part = number;
    }
    return true;
}

static int compare_names(const void *left, const void *right)
{
    const struct ts_gguf_tensor *a = *(const struct ts_gguf_tensor *const *)left;
    const struct ts_gguf_tensor *b = *(const struct ts_gguf_tensor *const *)right;
    int order = ts_text_compare(a->name, b->name);
    return order ? order : (a->part > b->part) - (a->part < b->part);
}

static bool index_tensors(struct ts_gguf *gguf, struct ts_error *error)
{
    uint64_t count = gguf->tensor_count;
    const struct ts_text **index = calloc(count ? count : 1, sizeof *index);
    if (!index) {
        return ts_fail_memory(error, "the names in a split model", count * sizeof *index);
    }
    for (uint64_t i = 0; i < count; i++) {
        index[i] = &gguf->tensors[i].name; /* the first member: also the tensor */
    }
    qsort(index, count, sizeof *index, compare_names);
    free(gguf->tensors_by_name);
    gguf->tensors_by_name = index;
    for (uint64_t i = 1; i < count; i++) {
        const struct ts_gguf_tensor *a = (const void *)index[i - 1], *b = (const void *)index[i];
        if (ts_text_compare(a->name, b->name) == 0) {
            return ts_fail(error, TS_ERR_INPUT, "the files are parts of different models",
                           "%.300s: tensor %s is also in %.300s", ts_gguf_part(gguf, b->part)->path,
                           ts_text_show(b->name).text, ts_gguf_part(gguf, a->part)->path);
        }
    }
    return true;
}

static bool join(struct ts_gguf *gguf, const struct split *split, char *path,
                 struct ts_error *error)
{
    size_t length = strlen(path);
    for (uint64_t number = 1; number < split->count; number++) {
        struct ts_gguf **more = realloc(gguf->more, number * sizeof(struct ts_gguf *));
        if (!more) {
            return ts_fail_memory(error, "the parts of a split model", number * sizeof *more);
        }
        gguf->more = more;
        name_part(path, length, number, split->count);
        more[number - 1] = open_next(gguf, split, number, path, error);
        if (!more[number - 1]) {
            return false;
        }
        gguf->part_count++;
        if (!add_tensors(gguf, more[number - 1], (uint32_t)number, error)) {
            return false;
        }
    }
    if (gguf->tensor_count != split->tensors) {
        return ts_gguf_refuse_key(gguf, TENSORS, error,
                                  "is %" PRIu64 ", but the %" PRIu64 " parts have %" PRIu64
                                  " tensors",
                                  split->tensors, split->count, gguf->tensor_count);
    }
    return index_tensors(gguf, error);
}

struct ts_gguf *ts_gguf_open(const char *path, struct ts_error *error)
{
    struct split split;
    struct ts_gguf *gguf = ts_gguf_open_part(path, error);
    if (gguf && read_split(gguf, &split, error)) {
        if (split.count == 1) {
            return gguf;
        }
        char *name = first_path(gguf, &split, error);
        bool joined = name && join(gguf, &split, name, error);
        free(name);
        if (joined) {
            return gguf;
        }
    }
    ts_gguf_close(gguf);
    return NULL;
}

const struct ts_gguf *ts_gguf_part(const struct ts_gguf *gguf, uint32_t part)
{
    return part == 0 ? gguf : gguf->more[part - 1];
}

uint64_t ts_gguf_file_bytes(const struct ts_gguf *gguf)
{
    uint64_t bytes = 0;
    for (uint32_t i = 0; i < gguf->part_count; i++) {
        bytes += ts_gguf_part(gguf, i)->size;
    }
    return bytes;
}

uint64_t ts_gguf_data_bytes(const struct ts_gguf *gguf)
{
    uint64_t bytes = 0;
    for (uint32_t i = 0; i < gguf->part_count; i++) {
        bytes += ts_gguf_part(gguf, i)->size - ts_gguf_part(gguf, i)->data_offset;
    }
    return bytes;
}
