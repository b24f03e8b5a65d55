/* What a GGUF directory says: lookup by name, typed values, sizes. The bounds of every value were
 * checked when the file was opened. */
#include "engine/gguf/gguf.h"

#include "base/format.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct {
    const char *name;
    uint32_t bytes;
} types[] = {
    {"u8", 1},   {"i8", 1},     {"u16", 2},   {"i16", 2}, {"u32", 4}, {"i32", 4}, {"f32", 4},
    {"bool", 1}, {"string", 0}, {"array", 0}, {"u64", 8}, {"i64", 8}, {"f64", 8},
};

uint32_t ts_gguf_type_bytes(uint32_t type)
{
    return type < sizeof types / sizeof types[0] ? types[type].bytes : 0;
}

const char *ts_gguf_type_name(uint32_t type)
{
    return type < sizeof types / sizeof types[0] ? types[type].name : "unknown";
}

const char *ts_gguf_shape_bytes(uint32_t format, uint32_t dimensions, const uint64_t *shape,
                                uint64_t *bytes)
{
    static const char too_large[] = "a size beyond 2^63 - 1 bytes or elements";
    if (!ts_format_known(format)) {
        return format < TS_FORMAT_IDS ? "a type that ggml has taken back"
                                      : "a type that is not supported";
    }
    if (dimensions < 1 || dimensions > TS_GGUF_MAX_DIMS) {
        return "a number of dimensions other than 1 to 4";
    }
    uint64_t elements = 1;
    for (uint32_t i = 0; i < dimensions; i++) {
        if (shape[i] == 0) {
            return "a dimension of 0";
        }
        if (shape[i] > INT64_MAX / elements) {
            return too_large;
        }
        elements *= shape[i];
    }
    uint64_t total;
    if (shape[0] % ts_format_block_elements(format) != 0) {
        return "a row that is not a whole number of blocks";
    }
    if (!ts_format_row_bytes(format, shape[0], &total)) {
        return too_large;
    }
    for (uint32_t i = 1; i < dimensions; i++) {
        if (total > INT64_MAX / shape[i]) {
            return too_large;
        }
        total *= shape[i];
    }
    if (total > INT64_MAX) {
        return too_large;
    }
    *bytes = total;
    return NULL;
}

static int compare_name(const void *name, const void *entry)
{
    const struct ts_text *a = name;
    const struct ts_text *b = *(const struct ts_text *const *)entry;
    return ts_text_compare(*a, *b);
}

/* The first member of the entry is its name, so that a pointer to one is a pointer to the other. */
static const void *find(const struct ts_text **index, uint64_t count, const char *name)
{
    if (count == 0) {
        return NULL;
    }
    struct ts_text wanted = {name, strlen(name)};
    const struct ts_text *const *found =
        bsearch(&wanted, index, count, sizeof(struct ts_text *), compare_name);
    return found ? *found : NULL;
}

const struct ts_gguf_key *ts_gguf_find_key(const struct ts_gguf *gguf, const char *name)
{
    return find(gguf->keys_by_name, gguf->key_count, name);
}

const struct ts_gguf_tensor *ts_gguf_find_tensor(const struct ts_gguf *gguf, const char *name)
{
    return find(gguf->tensors_by_name, gguf->tensor_count, name);
}

const void *ts_gguf_tensor_data(const struct ts_gguf *gguf, const struct ts_gguf_tensor *tensor)
{
    return ts_gguf_part(gguf, tensor->part)->data + tensor->offset;
}

uint64_t ts_gguf_key_offset(const struct ts_gguf *gguf, const char *name)
{
    const struct ts_gguf_key *key = ts_gguf_find_key(gguf, name);
    return key ? (uint64_t)(key->value - gguf->data) : 0;
}

bool ts_gguf_refuse_key(const struct ts_gguf *gguf, const char *name, struct ts_error *error,
                        const char *format, ...)
{
    char text[384];
    va_list list;
    va_start(list, format);
    vsnprintf(text, sizeof text, format, list);
    va_end(list);
    return ts_fail(error, TS_ERR_INPUT, NULL, "%.300s: offset %" PRIu64 ": key %s %s", gguf->path,
                   ts_gguf_key_offset(gguf, name), name, text);
}

static bool load_signed(enum ts_gguf_type type, const uint8_t *at, int64_t *value)
{
    int8_t narrow;
    int16_t half;
    int32_t word;
    switch (type) {
    case TS_GGUF_I8:
        memcpy(&narrow, at, sizeof narrow);
        *value = narrow;
        return true;
    case TS_GGUF_I16:
        memcpy(&half, at, sizeof half);
        *value = half;
        return true;
    case TS_GGUF_I32:
        memcpy(&word, at, sizeof word);
        *value = word;
        return true;
    case TS_GGUF_I64: memcpy(value, at, sizeof *value); return true;
    default: return false;
    }
}

static bool load_unsigned(enum ts_gguf_type type, const uint8_t *at, uint64_t *value)
{
    if (type != TS_GGUF_U8 && type != TS_GGUF_U16 && type != TS_GGUF_U32 && type != TS_GGUF_U64) {
        return false;
    }
    *value = 0; /* little-endian: the low bytes come first */
    memcpy(value, at, ts_gguf_type_bytes(type));
    return true;
}

static bool load_real(enum ts_gguf_type type, const uint8_t *at, double *value)
{
    float single;
    if (type == TS_GGUF_F64) {
        memcpy(value, at, sizeof *value);
        return true;
    }
    if (type == TS_GGUF_F32) {
        memcpy(&single, at, sizeof single);
        *value = (double)single;
        return true;
    }
    return false;
}

/* Some writers have one type for all numbers: a float that is a whole number counts as one, below
 * 2^53, where every whole number is a double. */
static bool load_u64(enum ts_gguf_type type, const uint8_t *at, uint64_t *value)
{
    int64_t number;
    double real;
    if (load_real(type, at, &real)) {
        if (!(real >= 0 && real < 0x1p53) || (double)(uint64_t)real != real) {
            return false;
        }
        *value = (uint64_t)real;
        return true;
    }
    if (!load_signed(type, at, &number)) {
        return load_unsigned(type, at, value);
    }
    if (number < 0) {
        return false;
    }
    *value = (uint64_t)number;
    return true;
}

static bool load_f64(enum ts_gguf_type type, const uint8_t *at, double *value)
{
    int64_t number;
    uint64_t count;
    if (load_real(type, at, value)) {
        return true;
    }
    if (load_signed(type, at, &number)) {
        *value = (double)number;
    } else if (load_unsigned(type, at, &count)) {
        *value = (double)count;
    } else {
        return false;
    }
    return true;
}

static bool fail_missing(const struct ts_gguf *gguf, const char *name, const char *expected,
                         struct ts_error *error)
{
    return ts_fail(error, TS_ERR_INPUT, NULL, "%.300s: key '%s' is missing, expected %s",
                   gguf->path, name, expected);
}

static bool fail_type(const struct ts_gguf *gguf, const struct ts_gguf_key *key, const char *name,
                      const char *expected, struct ts_error *error)
{
    double number;
    char found[64];
    if (key->type == TS_GGUF_ARRAY) {
        snprintf(found, sizeof found, "an array of %s", ts_gguf_type_name(key->element));
    } else if (load_f64(key->type, key->value, &number)) {
        snprintf(found, sizeof found, "the %s %.9g", ts_gguf_type_name(key->type), number);
    } else {
        snprintf(found, sizeof found, "a %s", ts_gguf_type_name(key->type));
    }
    return ts_fail(error, TS_ERR_INPUT, NULL,
                   "%.300s: offset %" PRIu64 ": key '%s' is %s, expected %s", gguf->path,
                   (uint64_t)(key->value - gguf->data), name, found, expected);
}

bool ts_gguf_get_u64(const struct ts_gguf *gguf, const char *name, uint64_t *value,
                     struct ts_error *error)
{
    static const char expected[] = "an integer that is not negative";
    const struct ts_gguf_key *key = ts_gguf_find_key(gguf, name);
    if (!key) {
        return fail_missing(gguf, name, expected, error);
    }
    return load_u64(key->type, key->value, value) || fail_type(gguf, key, name, expected, error);
}

bool ts_gguf_get_f64(const struct ts_gguf *gguf, const char *name, double *value,
                     struct ts_error *error)
{
    static const char expected[] = "a number";
    const struct ts_gguf_key *key = ts_gguf_find_key(gguf, name);
    if (!key) {
        return fail_missing(gguf, name, expected, error);
    }
    return load_f64(key->type, key->value, value) || fail_type(gguf, key, name, expected, error);
}

bool ts_gguf_get_bool(const struct ts_gguf *gguf, const char *name, bool *value,
                      struct ts_error *error)
{
    static const char expected[] = "a bool";
    const struct ts_gguf_key *key = ts_gguf_find_key(gguf, name);
    if (!key) {
        return fail_missing(gguf, name, expected, error);
    }
    if (key->type != TS_GGUF_BOOL) {
        return fail_type(gguf, key, name, expected, error);
    }
    *value = key->value[0] != 0;
    return true;
}

bool ts_gguf_get_text(const struct ts_gguf *gguf, const char *name, struct ts_text *value,
                      struct ts_error *error)
{
    static const char expected[] = "a string";
    const struct ts_gguf_key *key = ts_gguf_find_key(gguf, name);
    if (!key) {
        return fail_missing(gguf, name, expected, error);
    }
    if (key->type != TS_GGUF_STRING) {
        return fail_type(gguf, key, name, expected, error);
    }
    const uint8_t *cursor = key->value;
    *value = ts_gguf_next_text(&cursor);
    return true;
}

/* First byte of element `index`, NULL if there is none of a fixed size. */
static const uint8_t *element(const struct ts_gguf_key *key, uint64_t index)
{
    if (!key || key->type != TS_GGUF_ARRAY || index >= key->count) {
        return NULL;
    }
    uint32_t bytes = ts_gguf_type_bytes(key->element);
    return bytes ? key->value + index * bytes : NULL;
}

bool ts_gguf_array_u64(const struct ts_gguf_key *key, uint64_t index, uint64_t *value)
{
    const uint8_t *at = element(key, index);
    return at && load_u64(key->element, at, value);
}

bool ts_gguf_array_f64(const struct ts_gguf_key *key, uint64_t index, double *value)
{
    const uint8_t *at = element(key, index);
    return at && load_f64(key->element, at, value);
}

struct ts_text ts_gguf_next_text(const uint8_t **cursor)
{
    uint64_t length;
    memcpy(&length, *cursor, sizeof length);
    struct ts_text text = {(const char *)*cursor + sizeof length, length};
    *cursor += sizeof length + length;
    return text;
}
