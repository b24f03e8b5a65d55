/* Variants of a model file: its keys and tensors in memory, to be changed and written again, as one
 * file or split into parts. Memory comes from test_alloc. */
#ifndef TS_TESTS_VARIANT_H
#define TS_TESTS_VARIANT_H

#include "engine/gguf/write.h"
#include "tests/support/operand.h"
#include "tests/support/path.h"

enum { TEST_MOST_TENSORS = 300, TEST_MOST_KEYS = 96 };

struct test_tensor {
    char name[96];
    uint32_t format, dimensions;
    uint64_t shape[TS_GGUF_MAX_DIMS];
    const void *data; /* NULL: zeros */
    uint64_t bytes;
};

struct test_key {
    char name[96];
    const struct ts_gguf_key *copied; /* of the base file; NULL: a number or numbers */
    uint32_t number;
    const void *elements;
    enum ts_gguf_type type;
    uint64_t count; /* of elements; 0: the number */
};

struct test_variant {
    struct ts_gguf *base;
    struct test_key keys[TEST_MOST_KEYS];
    unsigned key_count;
    struct test_tensor tensors[TEST_MOST_TENSORS];
    unsigned tensor_count;
};

static inline struct test_variant *test_variant_open(const char *path)
{
    struct test_variant *v = test_alloc(sizeof *v);
    struct ts_error error = {.code = TS_OK};
    v->base = ts_gguf_open(path, &error);
    cr_assert(v->base != NULL, "%s", error.message);
    cr_assert(v->base->key_count < TEST_MOST_KEYS && v->base->tensor_count < TEST_MOST_TENSORS);
    for (uint64_t i = 0; i < v->base->key_count; i++) {
        struct test_key *key = &v->keys[v->key_count++];
        key->copied = &v->base->keys[i];
        snprintf(key->name, sizeof key->name, "%.*s", (int)key->copied->name.length,
                 key->copied->name.data);
    }
    for (uint64_t i = 0; i < v->base->tensor_count; i++) {
        const struct ts_gguf_tensor *from = &v->base->tensors[i];
        struct test_tensor *tensor = &v->tensors[v->tensor_count++];
        snprintf(tensor->name, sizeof tensor->name, "%.*s", (int)from->name.length,
                 from->name.data);
        tensor->format = from->format;
        tensor->dimensions = from->dimensions;
        memcpy(tensor->shape, from->shape, sizeof tensor->shape);
        tensor->data = ts_gguf_tensor_data(v->base, from);
        tensor->bytes = from->bytes;
    }
    return v;
}

static inline void test_variant_close(struct test_variant *v)
{
    ts_gguf_close(v->base);
}

/* The key of that name, new if there is none; what it was is forgotten. */
static inline struct test_key *test_variant_key(struct test_variant *v, const char *name)
{
    unsigned at = 0;
    while (at < v->key_count && strcmp(v->keys[at].name, name) != 0) {
        at++;
    }
    v->key_count += at == v->key_count;
    cr_assert(v->key_count <= TEST_MOST_KEYS);
    v->keys[at] = (struct test_key){.count = 0};
    snprintf(v->keys[at].name, sizeof v->keys[at].name, "%s", name);
    return &v->keys[at];
}

static inline void test_variant_number(struct test_variant *v, const char *name, uint32_t number)
{
    test_variant_key(v, name)->number = number;
}

static inline void test_variant_numbers(struct test_variant *v, const char *name,
                                        enum ts_gguf_type type, const void *elements,
                                        uint64_t count)
{
    struct test_key *key = test_variant_key(v, name);
    key->type = type;
    key->elements = elements;
    key->count = count;
}

/* A tensor of zeros, which may be filled; shape[0] x shape[1]. */
static inline struct test_tensor *test_variant_tensor(struct test_variant *v, const char *name,
                                                      uint32_t format, uint64_t columns,
                                                      uint64_t rows)
{
    struct test_tensor *tensor = &v->tensors[v->tensor_count++];
    cr_assert(v->tensor_count <= TEST_MOST_TENSORS);
    *tensor = (struct test_tensor){
        .format = format, .dimensions = rows > 1 ? 2 : 1, .shape = {columns, rows, 1, 1}};
    snprintf(tensor->name, sizeof tensor->name, "%s", name);
    cr_assert(!ts_gguf_shape_bytes(format, tensor->dimensions, tensor->shape, &tensor->bytes));
    return tensor;
}

static inline void test_variant_drop(struct test_variant *v, const char *name)
{
    unsigned kept = 0;
    for (unsigned i = 0; i < v->tensor_count; i++) {
        if (strcmp(v->tensors[i].name, name) != 0) {
            v->tensors[kept++] = v->tensors[i];
        }
    }
    cr_assert(kept + 1 == v->tensor_count, "no tensor %s", name);
    v->tensor_count = kept;
}

static inline void test_put_key(struct ts_gguf_writer *w, const struct ts_gguf *base,
                                const struct test_key *key)
{
    const struct ts_gguf_key *from = key->copied;
    uint64_t whole;
    double real;
    bool yes;
    struct ts_text text;
    if (!from && key->count > 0) {
        ts_gguf_put_array(w, key->name, key->type, key->elements, key->count);
    } else if (!from) {
        ts_gguf_put_u32(w, key->name, key->number);
    } else if (from->type == TS_GGUF_ARRAY && from->element == TS_GGUF_STRING) {
        struct ts_text *texts = test_alloc(from->count * sizeof *texts);
        const uint8_t *cursor = from->value;
        for (uint64_t i = 0; i < from->count; i++) {
            texts[i] = ts_gguf_next_text(&cursor);
        }
        ts_gguf_put_text_array(w, key->name, texts, from->count);
    } else if (from->type == TS_GGUF_ARRAY) {
        ts_gguf_put_array(w, key->name, from->element, from->value, from->count);
    } else if (ts_gguf_get_text(base, key->name, &text, NULL)) {
        char *copy = test_alloc(text.length + 1);
        memcpy(copy, text.data, text.length);
        ts_gguf_put_text(w, key->name, copy);
    } else if (ts_gguf_get_bool(base, key->name, &yes, NULL)) {
        ts_gguf_put_bool(w, key->name, yes);
    } else if (from->type != TS_GGUF_F32 && ts_gguf_get_u64(base, key->name, &whole, NULL)) {
        ts_gguf_put_u32(w, key->name, (uint32_t)whole);
    } else if (ts_gguf_get_f64(base, key->name, &real, NULL)) {
        ts_gguf_put_f32(w, key->name, (float)real);
    }
}

static inline void test_put_tensors(struct ts_gguf_writer *w, const struct test_tensor *tensors,
                                    unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        ts_gguf_declare(w, tensors[i].name, tensors[i].format, tensors[i].dimensions,
                        tensors[i].shape);
    }
    for (unsigned i = 0; i < count; i++) {
        if (tensors[i].data) {
            ts_gguf_write_data(w, tensors[i].data, tensors[i].bytes);
        } else {
            ts_gguf_skip_data(w, tensors[i].bytes);
        }
    }
}

static inline struct ts_gguf_writer *test_writer(const char *path)
{
    struct ts_error error = {.code = TS_OK};
    struct ts_gguf_writer *w = ts_gguf_writer_open(path, &error);
    cr_assert(w != NULL, "%s", error.message);
    return w;
}

static inline void test_writer_close(struct ts_gguf_writer *w)
{
    struct ts_error error = {.code = TS_OK};
    bool written = ts_gguf_writer_close(w, &error);
    cr_assert(written, "%s", error.message);
}

static inline void test_variant_write(const struct test_variant *v, const char *path)
{
    struct ts_gguf_writer *w = test_writer(path);
    for (unsigned i = 0; i < v->key_count; i++) {
        test_put_key(w, v->base, &v->keys[i]);
    }
    test_put_tensors(w, v->tensors, v->tensor_count);
    test_writer_close(w);
}

#endif
