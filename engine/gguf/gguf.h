/* GGUF files, versions 2 and 3 (format: ggml's docs/gguf.md).
 *
 * The file is mapped read-only; only the directory (key and tensor entries) is copied, never a
 * string, an array or tensor data. Every count, length, offset and type is checked against the
 * bytes that remain before it is used; errors name the file, the offset and what was expected. */
#ifndef TS_ENGINE_GGUF_GGUF_H
#define TS_ENGINE_GGUF_GGUF_H

#include "base/error.h"
#include "base/text.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum ts_gguf_type {
    TS_GGUF_U8,
    TS_GGUF_I8,
    TS_GGUF_U16,
    TS_GGUF_I16,
    TS_GGUF_U32,
    TS_GGUF_I32,
    TS_GGUF_F32,
    TS_GGUF_BOOL,
    TS_GGUF_STRING,
    TS_GGUF_ARRAY,
    TS_GGUF_U64,
    TS_GGUF_I64,
    TS_GGUF_F64
};

struct ts_gguf_key {
    struct ts_text name;
    enum ts_gguf_type type;    /* TS_GGUF_ARRAY for arrays */
    enum ts_gguf_type element; /* element type of an array */
    uint64_t count;            /* elements of an array, else 1 */
    const uint8_t *value;      /* first byte of the value (of the first element) in the mapping */
    uint64_t bytes;            /* length of the value in the mapping */
};

enum { TS_GGUF_MAX_DIMS = 4 };

struct ts_gguf_tensor {
    struct ts_text name;
    uint32_t dimensions;
    uint64_t shape[TS_GGUF_MAX_DIMS]; /* shape[0] is contiguous; unused dimensions are 1 */
    uint32_t format;                  /* enum ts_format */
    uint32_t part;                    /* of a split model, from 0 */
    uint64_t offset;                  /* from the start of the part's FILE */
    uint64_t bytes;
};

struct ts_gguf {
    char *path;
    uint32_t version;
    uint64_t alignment;  /* of tensor data, bytes */
    const uint8_t *data; /* the whole file, mapped */
    uint64_t size;
    uint64_t data_offset; /* where tensor data begins; the end of the file if it has no tensors */
    uint64_t key_count;
    struct ts_gguf_key *keys;
    uint64_t tensor_count;
    struct ts_gguf_tensor *tensors;         /* those of all parts */
    const struct ts_text **keys_by_name;    /* the names of all keys, sorted, for lookup */
    const struct ts_text **tensors_by_name; /* the names of all tensors, sorted */
    void (*release)(const void *data, uint64_t size); /* what close does with data, or NULL */
    uint32_t part_count;                              /* files; 1 unless the model is split */
    struct ts_gguf **more;                            /* [part_count - 1] the others, open */
};

/* Opens and checks a file, and of a split model, whose first part must be named, all its parts: their
 * tensors are then those of one model, its keys those of the first part. Returns NULL with *error (TS_ERR_INPUT, also for a file that cannot be
 * opened; TS_ERR_ENVIRONMENT without memory); the caller closes it. */
struct ts_gguf *ts_gguf_open(const char *path, struct ts_error *error);

/* The same for `size` bytes in memory (one part alone of a split model), which must stay until close; `path` only names them in
 * messages. */
struct ts_gguf *ts_gguf_open_memory(const char *path, const void *data, uint64_t size,
                                    struct ts_error *error);
void ts_gguf_close(struct ts_gguf *gguf); /* NULL is allowed */

/* Part `part` (below part_count) of a split model; the file itself is part 0. Messages about a tensor
 * name its part's path, and offsets in it. */
const struct ts_gguf *ts_gguf_part(const struct ts_gguf *gguf, uint32_t part);

/* Bytes of all parts together: of the whole files, and of their tensor data. */
uint64_t ts_gguf_file_bytes(const struct ts_gguf *gguf);
uint64_t ts_gguf_data_bytes(const struct ts_gguf *gguf);

/* NULL where there is none. */
const struct ts_gguf_key *ts_gguf_find_key(const struct ts_gguf *gguf, const char *name);
const struct ts_gguf_tensor *ts_gguf_find_tensor(const struct ts_gguf *gguf, const char *name);

/* First byte of a tensor's data. */
const void *ts_gguf_tensor_data(const struct ts_gguf *gguf, const struct ts_gguf_tensor *tensor);

/* Where a key's value begins in the file; 0 where there is no such key. For messages. */
uint64_t ts_gguf_key_offset(const struct ts_gguf *gguf, const char *name);

/* Fails with TS_ERR_INPUT: "FILE: offset N: key NAME <formatted text>". Returns false. */
bool ts_gguf_refuse_key(const struct ts_gguf *gguf, const char *name, struct ts_error *error,
                        const char *format, ...) __attribute__((format(printf, 4, 5)));

/* Typed values. Each fails (naming file, key and the type found) when the key is absent, has
 * another kind of type, or does not fit: get_u64 takes every integer type that is not negative,
 * and a float that is a whole number below 2^53; get_f64 every integer or floating type; get_bool
 * only bool; get_text only string. */
bool ts_gguf_get_u64(const struct ts_gguf *gguf, const char *name, uint64_t *value,
                     struct ts_error *error);
bool ts_gguf_get_f64(const struct ts_gguf *gguf, const char *name, double *value,
                     struct ts_error *error);
bool ts_gguf_get_bool(const struct ts_gguf *gguf, const char *name, bool *value,
                      struct ts_error *error);
bool ts_gguf_get_text(const struct ts_gguf *gguf, const char *name, struct ts_text *value,
                      struct ts_error *error);

/* Element `index` of an array key of numbers, as above; false if it is no such array or index is
 * beyond its end. */
bool ts_gguf_array_u64(const struct ts_gguf_key *key, uint64_t index, uint64_t *value);
bool ts_gguf_array_f64(const struct ts_gguf_key *key, uint64_t index, double *value);

/* Walks an array of strings: set *cursor to key->value, call key->count times. The bounds were
 * checked at open. */
struct ts_text ts_gguf_next_text(const uint8_t **cursor);

/* Bytes of one value of a type: 0 for strings, arrays and unknown types. */
uint32_t ts_gguf_type_bytes(uint32_t type);
/* "u32", "string" and so on; "unknown". */
const char *ts_gguf_type_name(uint32_t type);

/* Bytes of a tensor of `shape` (shape[0] contiguous) and enum ts_format `format`. Returns NULL and
 * sets *bytes, or returns what is wrong: a type that is not supported, 0 or more than 4 dimensions,
 * a dimension of 0, a row that is not a whole number of blocks, a size beyond 2^63 - 1. */
const char *ts_gguf_shape_bytes(uint32_t format, uint32_t dimensions, const uint64_t *shape,
                                uint64_t *bytes);

#endif
