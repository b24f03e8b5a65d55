/* A file with something else about it: a key, a tensor's format or shape, its data or absence. Tensors hold
 * zeros: the result is for opening, not for running. */
#ifndef TS_TESTS_SUPPORT_CHANGE_H
#define TS_TESTS_SUPPORT_CHANGE_H

#include "engine/gguf/write.h"

#include <criterion/criterion.h>
#include <stdio.h>

/* What a variant of a file changes. Names not given stay as they are. */
struct change {
    const char *key; /* replaced by the value below, or left out if there is none */
    const char *text;
    const uint32_t *numbers; /* an array, or one number if count is 1 */
    const float *reals;
    uint32_t count;
    const char *missing[3]; /* tensors left out */
    const char *tensor;     /* whose format, shape or data changes */
    uint32_t format;        /* with shape[0] > 0 */
    uint64_t shape[3];
    int32_t first_id; /* of an expert id table, if its format is not changed */
};

static inline void put_changed(struct ts_gguf_writer *w, const struct change *change)
{
    if (change->text) {
        ts_gguf_put_text(w, change->key, change->text);
    } else if (change->numbers && change->count == 1) {
        ts_gguf_put_u32(w, change->key, change->numbers[0]);
    } else if (change->numbers) {
        ts_gguf_put_array(w, change->key, TS_GGUF_U32, change->numbers, change->count);
    } else if (change->reals && change->count == 1) {
        ts_gguf_put_f32(w, change->key, change->reals[0]);
    } else if (change->reals) {
        ts_gguf_put_array(w, change->key, TS_GGUF_F32, change->reals, change->count);
    }
}

static inline void copy_key(struct ts_gguf_writer *w, const struct ts_gguf *from,
                            const struct ts_gguf_key *key)
{
    char name[128], text[128];
    uint64_t whole;
    double real;
    bool yes;
    snprintf(name, sizeof name, "%.*s", (int)key->name.length, key->name.data);
    if (key->type == TS_GGUF_ARRAY && key->element != TS_GGUF_STRING) {
        ts_gguf_put_array(w, name, key->element, key->value, key->count);
    } else if (key->type == TS_GGUF_STRING) {
        struct ts_text value;
        cr_assert(ts_gguf_get_text(from, name, &value, NULL));
        snprintf(text, sizeof text, "%.*s", (int)value.length, value.data);
        ts_gguf_put_text(w, name, text);
    } else if (ts_gguf_get_u64(from, name, &whole, NULL)) {
        ts_gguf_put_u32(w, name, (uint32_t)whole);
    } else if (ts_gguf_get_bool(from, name, &yes, NULL)) {
        ts_gguf_put_bool(w, name, yes);
    } else if (ts_gguf_get_f64(from, name, &real, NULL)) {
        ts_gguf_put_f32(w, name, (float)real);
    } /* arrays of texts are the vocabulary: not needed here */
}

static inline bool is_missing(const struct change *change, struct ts_text name)
{
    for (int i = 0; i < 3; i++) {
        if (change->missing[i] && ts_text_equals(name, change->missing[i])) {
            return true;
        }
    }
    return false;
}

static inline void copy_tensors(struct ts_gguf_writer *w, const struct ts_gguf *from,
                                const struct change *change, bool data)
{
    for (uint64_t i = 0; i < from->tensor_count; i++) {
        const struct ts_gguf_tensor *tensor = &from->tensors[i];
        bool changed = change->tensor && ts_text_equals(tensor->name, change->tensor);
        bool reshaped = changed && change->shape[0] > 0;
        char name[128];
        snprintf(name, sizeof name, "%.*s", (int)tensor->name.length, tensor->name.data);
        if (is_missing(change, tensor->name)) {
            continue;
        }
        if (!data) {
            ts_gguf_declare(w, name, reshaped ? change->format : tensor->format,
                            reshaped ? 3 : tensor->dimensions,
                            reshaped ? change->shape : tensor->shape);
        } else if (reshaped) {
            uint64_t bytes;
            cr_assert(!ts_gguf_shape_bytes(change->format, 3, change->shape, &bytes));
            ts_gguf_skip_data(w, bytes);
        } else if (changed) {
            ts_gguf_write_data(w, &change->first_id, sizeof change->first_id);
            ts_gguf_skip_data(w, tensor->bytes - sizeof change->first_id);
        } else {
            ts_gguf_skip_data(w, tensor->bytes); /* zeros do here */
        }
    }
}

static inline void write_variant(const char *path, const struct ts_gguf *from,
                                 const struct change *change)
{
    struct ts_error error = {.code = TS_OK};
    struct ts_gguf_writer *w = ts_gguf_writer_open(path, &error);
    cr_assert(w != NULL, "%s", error.message);
    for (uint64_t i = 0; i < from->key_count; i++) {
        if (!change->key || !ts_text_equals(from->keys[i].name, change->key)) {
            copy_key(w, from, &from->keys[i]);
        }
    }
    put_changed(w, change);
    copy_tensors(w, from, change, false);
    copy_tensors(w, from, change, true);
    cr_assert(ts_gguf_writer_close(w, &error), "%s", error.message);
}

#endif
