#include "engine/gguf/gguf.h"

#include "base/format.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

_Static_assert(sizeof(size_t) == 8, "files larger than 4 GiB are mapped whole");
_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "values are used as they are mapped");

enum {
    DEFAULT_ALIGNMENT = 32,
    MIN_ALIGNMENT = 8,
    MAX_ALIGNMENT = 65536,
    MAX_NAME = 65535,                  /* the format's own limit for keys */
    MAX_STRINGS = 1 << 22,             /* in one array: opening has to walk over each */
    MIN_KEY = 8 + 1 + 4 + 1,           /* name length, name, type, value */
    MIN_TENSOR = 8 + 1 + 4 + 8 + 4 + 8 /* name length, name, dimensions, shape, type, offset */
};

struct reader {
    struct ts_gguf *gguf;
    uint64_t at; /* never beyond gguf->size */
    struct ts_error *error;
};

__attribute__((format(printf, 3, 4))) static bool refuse(const struct reader *r, uint64_t at,
                                                         const char *format, ...)
{
    char text[384];
    va_list list;
    va_start(list, format);
    vsnprintf(text, sizeof text, format, list);
    va_end(list);
    return ts_fail(r->error, TS_ERR_INPUT, NULL, "%.300s: offset %" PRIu64 ": %s", r->gguf->path,
                   at, text);
}

static uint64_t remaining(const struct reader *r)
{
    return r->gguf->size - r->at;
}

static bool take(struct reader *r, void *value, uint64_t bytes, const char *what)
{
    if (bytes > remaining(r)) {
        return refuse(r, r->at, "expected %s (%" PRIu64 " bytes), but the file ends after %" PRIu64,
                      what, bytes, remaining(r));
    }
    memcpy(value, r->gguf->data + r->at, bytes);
    r->at += bytes;
    return true;
}

static bool take_text(struct reader *r, struct ts_text *text, const char *what)
{
    uint64_t start = r->at;
    uint64_t length = 0;
    if (!take(r, &length, sizeof length, what)) {
        return false;
    }
    if (length > remaining(r)) {
        return refuse(r, start, "%s has length %" PRIu64 ", but only %" PRIu64 " bytes follow",
                      what, length, remaining(r));
    }
    text->data = (const char *)r->gguf->data + r->at;
    text->length = length;
    r->at += length;
    return true;
}

static bool take_name(struct reader *r, struct ts_text *name, const char *what)
{
    uint64_t start = r->at;
    if (!take_text(r, name, what)) {
        return false;
    }
    if (name->length == 0 || name->length > MAX_NAME) {
        return refuse(r, start, "%s has length %zu, expected 1 to %d", what, name->length,
                      MAX_NAME);
    }
    return true;
}

static bool read_header(struct reader *r, uint64_t *tensors, uint64_t *keys)
{
    char magic[4];
    if (!take(r, magic, sizeof magic, "the magic 'GGUF'")) {
        return false;
    }
    if (memcmp(magic, "GGUF", sizeof magic) != 0) {
        return refuse(r, 0, "not a GGUF file: expected the magic 'GGUF'");
    }
    uint32_t version;
    if (!take(r, &version, sizeof version, "the version")) {
        return false;
    }
    if (version != 2 && version != 3) {
        bool swapped = (version & 0xffff) == 0 && version != 0;
        return refuse(r, 4, "GGUF version %" PRIu32 "%s, expected 2 or 3", version,
                      swapped ? " (a big-endian file)" : "");
    }
    r->gguf->version = version;
    if (!take(r, tensors, sizeof *tensors, "the tensor count") ||
        !take(r, keys, sizeof *keys, "the key count")) {
        return false;
    }
    if (*tensors > remaining(r) / MIN_TENSOR) {
        return refuse(r, 8, "%" PRIu64 " tensors do not fit into the %" PRIu64 " bytes that follow",
                      *tensors, remaining(r));
    }
    if (*keys > remaining(r) / MIN_KEY) {
        return refuse(r, 16, "%" PRIu64 " keys do not fit into the %" PRIu64 " bytes that follow",
                      *keys, remaining(r));
    }
    return true;
}

/* Makes room for one more item. A count is believed only as far as entries were really read, so
 * the directory never takes more than a small multiple of the bytes it was read from. */
static void *grow(struct reader *r, void *items, uint64_t used, uint64_t total, size_t item)
{
    bool full = used == 0 || (used >= 64 && (used & (used - 1)) == 0);
    if (!full) {
        return items;
    }
    uint64_t room = used ? 2 * used : 64;
    room = room < total ? room : total;
    void *larger = room > SIZE_MAX / item ? NULL : realloc(items, room * item);
    if (!larger) {
        ts_fail_memory(r->error, "the directory of a GGUF file", room * item);
    }
    return larger;
}

static bool skip_strings(struct reader *r, uint64_t count, const char *name)
{
    if (count > remaining(r) / sizeof(uint64_t) || count > MAX_STRINGS) {
        return refuse(r, r->at - sizeof count,
                      "key '%s' is an array of %" PRIu64 " strings, but %" PRIu64
                      " bytes follow (and at most %d strings are read)",
                      name, count, remaining(r), MAX_STRINGS);
    }
    for (uint64_t i = 0; i < count; i++) {
        struct ts_text text;
        if (!take_text(r, &text, "a string of an array")) {
            return false;
        }
    }
    return true;
}

static bool read_array(struct reader *r, struct ts_gguf_key *key, const char *name)
{
    uint64_t start = r->at;
    uint32_t element;
    if (!take(r, &element, sizeof element, "the element type of an array") ||
        !take(r, &key->count, sizeof key->count, "the length of an array")) {
        return false;
    }
    key->value = r->gguf->data + r->at;
    if (element == TS_GGUF_STRING) {
        key->element = TS_GGUF_STRING;
        return skip_strings(r, key->count, name);
    }
    uint32_t bytes = ts_gguf_type_bytes(element);
    if (bytes == 0) {
        return refuse(r, start,
                      "key '%s' is an array of type %" PRIu32 " (%s), expected strings or numbers",
                      name, element, ts_gguf_type_name(element));
    }
    key->element = (enum ts_gguf_type)element;
    if (key->count > remaining(r) / bytes) {
        return refuse(r, start + 4,
                      "key '%s' is an array of %" PRIu64 " values of %s, but %" PRIu64
                      " bytes follow",
                      name, key->count, ts_gguf_type_name(element), remaining(r));
    }
    r->at += key->count * bytes;
    return true;
}

static bool read_key(struct reader *r, struct ts_gguf_key *key)
{
    memset(key, 0, sizeof *key);
    uint32_t type;
    if (!take_name(r, &key->name, "the name of a key") ||
        !take(r, &type, sizeof type, "the type of a key")) {
        return false;
    }
    struct ts_shown shown = ts_text_show(key->name);
    const char *name = shown.text;
    if (type > TS_GGUF_F64) {
        return refuse(r, r->at - sizeof type, "key '%s' has type %" PRIu32 ", expected 0 to 12",
                      name, type);
    }
    key->type = (enum ts_gguf_type)type;
    key->element = key->type;
    key->count = 1;
    key->value = r->gguf->data + r->at;
    if (key->type == TS_GGUF_ARRAY) {
        if (!read_array(r, key, name)) {
            return false;
        }
    } else if (key->type == TS_GGUF_STRING) {
        struct ts_text text;
        if (!take_text(r, &text, "the string of a key")) {
            return false;
        }
    } else {
        uint8_t value[8];
        if (!take(r, value, ts_gguf_type_bytes(type), "the value of a key")) {
            return false;
        }
        if (key->type == TS_GGUF_BOOL && value[0] > 1) {
            return refuse(r, r->at - 1, "key '%s' is the bool %u, expected 0 or 1", name, value[0]);
        }
    }
    key->bytes = (uint64_t)(r->gguf->data + r->at - key->value);
    return true;
}

static bool read_keys(struct reader *r, uint64_t count)
{
    struct ts_gguf *gguf = r->gguf;
    while (gguf->key_count < count) {
        struct ts_gguf_key *keys =
            grow(r, gguf->keys, gguf->key_count, count, sizeof gguf->keys[0]);
        if (!keys) {
            return false;
        }
        gguf->keys = keys;
        if (!read_key(r, &keys[gguf->key_count])) {
            return false;
        }
        gguf->key_count++;
    }
    return true;
}

/* Leaves the offset as the file has it, from the start of the tensor data. */
static bool read_tensor(struct reader *r, struct ts_gguf_tensor *tensor)
{
    memset(tensor, 0, sizeof *tensor);
    uint64_t start = r->at;
    uint32_t *dimensions = &tensor->dimensions;
    if (!take_name(r, &tensor->name, "the name of a tensor") ||
        !take(r, dimensions, sizeof *dimensions, "the dimensions of a tensor")) {
        return false;
    }
    struct ts_shown shown = ts_text_show(tensor->name);
    const char *name = shown.text;
    if (*dimensions < 1 || *dimensions > TS_GGUF_MAX_DIMS) {
        return refuse(r, r->at - 4, "tensor '%s' has %" PRIu32 " dimensions, expected 1 to %d",
                      name, *dimensions, TS_GGUF_MAX_DIMS);
    }
    for (uint32_t i = 0; i < TS_GGUF_MAX_DIMS; i++) {
        tensor->shape[i] = 1;
        if (i < *dimensions &&
            !take(r, &tensor->shape[i], sizeof tensor->shape[i], "the shape of a tensor")) {
            return false;
        }
    }
    if (!take(r, &tensor->format, sizeof tensor->format, "the type of a tensor") ||
        !take(r, &tensor->offset, sizeof tensor->offset, "the offset of a tensor")) {
        return false;
    }
    const uint64_t *shape = tensor->shape;
    const char *problem = ts_gguf_shape_bytes(tensor->format, *dimensions, shape, &tensor->bytes);
    if (problem) {
        return refuse(r, start,
                      "tensor '%s' of type %" PRIu32 " (%s), shape [%" PRIu64 ", %" PRIu64
                      ", %" PRIu64 ", %" PRIu64 "], has %s",
                      name, tensor->format, ts_format_name(tensor->format), shape[0], shape[1],
                      shape[2], shape[3], problem);
    }
    return true;
}

static bool read_tensors(struct reader *r, uint64_t count)
{
    struct ts_gguf *gguf = r->gguf;
    while (gguf->tensor_count < count) {
        struct ts_gguf_tensor *tensors =
            grow(r, gguf->tensors, gguf->tensor_count, count, sizeof gguf->tensors[0]);
        if (!tensors) {
            return false;
        }
        gguf->tensors = tensors;
        if (!read_tensor(r, &tensors[gguf->tensor_count])) {
            return false;
        }
        gguf->tensor_count++;
    }
    return true;
}

static int compare_names(const void *left, const void *right)
{
    const struct ts_text *a = *(const struct ts_text *const *)left;
    const struct ts_text *b = *(const struct ts_text *const *)right;
    int order = ts_text_compare(*a, *b);
    return order ? order : (a->data > b->data) - (a->data < b->data);
}

/* Sorts pointers to the names of `count` entries of `stride` bytes, each of which begins with its
 * name. Two equal names, now neighbours, are refused. NULL with an error, or if there are none. */
static const struct ts_text **index_names(const struct reader *r, const void *entries,
                                          uint64_t count, size_t stride, const char *what)
{
    if (count == 0) {
        return NULL;
    }
    const struct ts_text **index = calloc(count, sizeof(struct ts_text *));
    if (!index) {
        ts_fail_memory(r->error, "the names in a GGUF file", count * sizeof(struct ts_text *));
        return NULL;
    }
    for (uint64_t i = 0; i < count; i++) {
        index[i] = (const void *)((const char *)entries + i * stride);
    }
    qsort(index, count, sizeof(struct ts_text *), compare_names);
    for (uint64_t i = 1; i < count; i++) {
        if (ts_text_compare(*index[i - 1], *index[i]) == 0) {
            uint64_t at = (uint64_t)((const uint8_t *)index[i]->data - r->gguf->data);
            refuse(r, at, "there is another %s '%s', expected different names", what,
                   ts_text_show(*index[i]).text);
            free(index);
            return NULL;
        }
    }
    return index;
}

static bool index_all(struct reader *r)
{
    struct ts_gguf *g = r->gguf;
    g->keys_by_name = index_names(r, g->keys, g->key_count, sizeof *g->keys, "key");
    if (g->key_count > 0 && !g->keys_by_name) {
        return false;
    }
    g->tensors_by_name = index_names(r, g->tensors, g->tensor_count, sizeof *g->tensors, "tensor");
    return g->tensor_count == 0 || g->tensors_by_name;
}

static bool read_alignment(struct reader *r)
{
    struct ts_gguf *gguf = r->gguf;
    gguf->alignment = DEFAULT_ALIGNMENT;
    const struct ts_gguf_key *key = ts_gguf_find_key(gguf, "general.alignment");
    if (!key) {
        return true;
    }
    uint64_t at = (uint64_t)(key->value - gguf->data);
    if (key->type != TS_GGUF_U32 && key->type != TS_GGUF_I32 && key->type != TS_GGUF_U64) {
        return refuse(r, at, "general.alignment is of type %s, expected u32, i32 or u64",
                      ts_gguf_type_name(key->type));
    }
    uint64_t value = 0; /* of an i32 the low half: a negative one is then out of range as well */
    memcpy(&value, key->value, key->bytes);
    if (value < MIN_ALIGNMENT || value > MAX_ALIGNMENT || (value & (value - 1)) != 0) {
        return refuse(r, at, "general.alignment is %" PRIu64 ", expected a power of two, %d to %d",
                      value, MIN_ALIGNMENT, MAX_ALIGNMENT);
    }
    gguf->alignment = value;
    return true;
}

static int compare_offsets(const void *left, const void *right)
{
    uint64_t a = (*(const struct ts_gguf_tensor *const *)left)->offset;
    uint64_t b = (*(const struct ts_gguf_tensor *const *)right)->offset;
    return (a > b) - (a < b);
}

static uint64_t entry_offset(const struct ts_gguf *gguf, const struct ts_gguf_tensor *tensor)
{
    return (uint64_t)((const uint8_t *)tensor->name.data - gguf->data) - sizeof(uint64_t);
}

static bool check_overlap(struct reader *r)
{
    struct ts_gguf *gguf = r->gguf;
    uint64_t count = gguf->tensor_count;
    const struct ts_gguf_tensor **order = calloc(count ? count : 1, sizeof *order);
    if (!order) {
        return ts_fail_memory(r->error, "the tensors of a GGUF file", count * sizeof *order);
    }
    for (uint64_t i = 0; i < count; i++) {
        order[i] = &gguf->tensors[i];
    }
    qsort(order, count, sizeof *order, compare_offsets);
    bool ok = true;
    for (uint64_t i = 1; i < count && ok; i++) {
        const struct ts_gguf_tensor *a = order[i - 1];
        const struct ts_gguf_tensor *b = order[i];
        if (b->offset - a->offset < a->bytes) {
            ok = refuse(r, entry_offset(gguf, b),
                        "the data of tensor '%s' at %" PRIu64 " overlaps tensor '%s' (%" PRIu64
                        " bytes at %" PRIu64 ")",
                        ts_text_show(b->name).text, b->offset, ts_text_show(a->name).text, a->bytes,
                        a->offset);
        }
    }
    free(order);
    return ok;
}

/* Turns offsets into those of the file, having checked that the data lies inside it. */
static bool place_tensors(struct reader *r)
{
    struct ts_gguf *gguf = r->gguf;
    uint64_t padding = (0 - r->at) & (gguf->alignment - 1);
    if (padding > remaining(r)) {
        if (gguf->tensor_count > 0) {
            return refuse(r, r->at, "expected tensor data, but the file ends here");
        }
        padding = remaining(r);
    }
    gguf->data_offset = r->at + padding;
    uint64_t room = gguf->size - gguf->data_offset;
    for (uint64_t i = 0; i < gguf->tensor_count; i++) {
        struct ts_gguf_tensor *t = &gguf->tensors[i];
        uint64_t at = entry_offset(gguf, t);
        if (t->offset % gguf->alignment != 0) {
            return refuse(
                r, at, "the data of tensor '%s' is at %" PRIu64 ", expected a multiple of %" PRIu64,
                ts_text_show(t->name).text, t->offset, gguf->alignment);
        }
        if (t->offset > room || t->bytes > room - t->offset) {
            return refuse(r, at,
                          "tensor '%s' has %" PRIu64 " bytes at %" PRIu64
                          " of the tensor data, which ends at %" PRIu64 ": the file is cut short",
                          ts_text_show(t->name).text, t->bytes, t->offset, room);
        }
        t->offset += gguf->data_offset;
    }
    return check_overlap(r);
}

static bool parse(struct ts_gguf *gguf, struct ts_error *error)
{
    struct reader r = {.gguf = gguf, .error = error};
    uint64_t tensors;
    uint64_t keys;
    return read_header(&r, &tensors, &keys) && read_keys(&r, keys) && read_tensors(&r, tensors) &&
           index_all(&r) && read_alignment(&r) && place_tensors(&r);
}

void ts_gguf_close(struct ts_gguf *gguf)
{
    if (!gguf) {
        return;
    }
    for (uint32_t i = 1; i < gguf->part_count; i++) {
        ts_gguf_close(gguf->more[i - 1]);
    }
    free(gguf->more);
    if (gguf->release) {
        gguf->release(gguf->data, gguf->size);
    }
    free(gguf->keys_by_name);
    free(gguf->tensors_by_name);
    free(gguf->keys);
    free(gguf->tensors);
    free(gguf->path);
    free(gguf);
}

struct ts_gguf *ts_gguf_open_memory(const char *path, const void *data, uint64_t size,
                                    struct ts_error *error)
{
    struct ts_gguf *gguf = calloc(1, sizeof *gguf);
    if (!gguf || !(gguf->path = strdup(path))) {
        free(gguf);
        ts_fail_memory(error, "a GGUF file's path", sizeof *gguf + strlen(path));
        return NULL;
    }
    gguf->data = data;
    gguf->size = size;
    gguf->part_count = 1;
    if (!parse(gguf, error)) {
        ts_gguf_close(gguf);
        return NULL;
    }
    return gguf;
}
