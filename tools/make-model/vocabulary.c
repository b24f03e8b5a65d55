#include "tools/make-model/make_model.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TOKENS "tokenizer.ggml.tokens"
#define TYPES "tokenizer.ggml.token_type"

enum { USER_DEFINED = 4, PLACEHOLDER_TEXT = 48 };

static bool is_tokenizer_key(const struct ts_gguf_key *key)
{
    static const char prefix[] = "tokenizer.";
    return key->name.length >= sizeof prefix - 1 &&
           memcmp(key->name.data, prefix, sizeof prefix - 1) == 0;
}

static bool open_source(struct ts_vocabulary *v, const char *path, struct ts_error *error)
{
    v->source = ts_gguf_open(path, error);
    if (!v->source) {
        return false;
    }
    const struct ts_gguf_key *tokens = ts_gguf_find_key(v->source, TOKENS);
    const struct ts_gguf_key *types = ts_gguf_find_key(v->source, TYPES);
    if (!tokens || tokens->type != TS_GGUF_ARRAY || tokens->element != TS_GGUF_STRING || !types ||
        types->type != TS_GGUF_ARRAY || types->count != tokens->count || tokens->count == 0 ||
        tokens->count > 1 << 24) {
        return ts_fail(error, TS_ERR_INPUT, "a model's own file has them",
                       "%.300s: keys " TOKENS " and " TYPES
                       ": expected two arrays, strings and numbers, of one length",
                       path);
    }
    v->count = (uint32_t)tokens->count;
    return true;
}

static bool load_source(struct ts_vocabulary *v, struct ts_error *error)
{
    const struct ts_gguf_key *types = ts_gguf_find_key(v->source, TYPES);
    const uint8_t *cursor = ts_gguf_find_key(v->source, TOKENS)->value;
    for (uint32_t i = 0; i < v->count; i++) {
        uint64_t type;
        if (!ts_gguf_array_u64(types, i, &type) || type > INT32_MAX) {
            return ts_fail(error, TS_ERR_INPUT, NULL,
                           "%.300s: key " TYPES ": entry %" PRIu32 " is not a token type",
                           v->source->path, i);
        }
        v->tokens[i] = ts_gguf_next_text(&cursor);
        v->types[i] = (int32_t)type;
    }
    for (uint64_t i = 0; i < v->source->key_count; i++) {
        if (is_tokenizer_key(&v->source->keys[i])) {
            v->bytes += v->source->keys[i].bytes + v->source->keys[i].name.length + 32;
        }
    }
    return true;
}

static void load_builtin(struct ts_vocabulary *v)
{
    ts_builtin_tokens(v->tokens, v->types, v->texts);
    v->bytes = 64 * TS_BUILTIN_TOKENS;
}

bool ts_vocabulary_open(struct ts_vocabulary *v, const char *path, uint32_t at_least,
                        struct ts_error *error)
{
    memset(v, 0, sizeof *v);
    if (path && !open_source(v, path, error)) {
        ts_vocabulary_close(v);
        return false;
    }
    uint32_t own = path ? v->count : TS_BUILTIN_TOKENS;
    uint32_t count = own > at_least ? own : at_least;
    size_t room = TS_BUILTIN_TEXT + (size_t)(count - own) * PLACEHOLDER_TEXT;
    v->tokens = calloc(count, sizeof *v->tokens);
    v->types = calloc(count, sizeof *v->types);
    v->texts = calloc(room, 1);
    if (!v->tokens || !v->types || !v->texts) {
        ts_vocabulary_close(v);
        return ts_fail_memory(error, "a vocabulary", room);
    }
    if (!path) {
        load_builtin(v);
    } else if (!load_source(v, error)) {
        ts_vocabulary_close(v);
        return false;
    }
    char *text = v->texts + TS_BUILTIN_TEXT;
    for (uint32_t i = own; i < count; i++, text += PLACEHOLDER_TEXT) {
        int length = snprintf(text, PLACEHOLDER_TEXT, "<｜place▁holder▁no▁%" PRIu32 "｜>", i - own);
        v->tokens[i] = (struct ts_text){text, (size_t)length};
        v->types[i] = USER_DEFINED;
    }
    v->bytes += (uint64_t)(count - own) * (PLACEHOLDER_TEXT + 12);
    v->count = count;
    return true;
}

void ts_vocabulary_close(struct ts_vocabulary *v)
{
    ts_gguf_close(v->source);
    free(v->tokens);
    free(v->types);
    free(v->texts);
    memset(v, 0, sizeof *v);
}

static bool copy_texts(const struct ts_gguf_key *key, const char *name, struct ts_gguf_writer *w,
                       struct ts_error *error)
{
    if (key->count == 0) {
        ts_gguf_put_text_array(w, name, NULL, 0);
        return true;
    }
    struct ts_text *texts = calloc(key->count, sizeof *texts);
    if (!texts) {
        return ts_fail_memory(error, name, key->count * sizeof *texts);
    }
    const uint8_t *cursor = key->value;
    for (uint64_t i = 0; i < key->count; i++) {
        texts[i] = ts_gguf_next_text(&cursor);
    }
    ts_gguf_put_text_array(w, name, texts, key->count);
    free(texts);
    return true;
}

static bool copy_text(const struct ts_gguf *source, const char *name, struct ts_gguf_writer *w,
                      struct ts_error *error)
{
    struct ts_text text;
    if (!ts_gguf_get_text(source, name, &text, error)) {
        return false;
    }
    char *copy = calloc(text.length + 1, 1);
    if (!copy) {
        return ts_fail_memory(error, name, text.length);
    }
    memcpy(copy, text.data, text.length);
    ts_gguf_put_text(w, name, copy);
    free(copy);
    return true;
}

static bool copy_key(const struct ts_gguf *source, const struct ts_gguf_key *key,
                     struct ts_gguf_writer *w, struct ts_error *error)
{
    char name[160];
    uint64_t whole;
    double real;
    bool yes;
    snprintf(name, sizeof name, "%.*s", (int)key->name.length, key->name.data);
    if (key->name.length < sizeof name) {
        if (key->type == TS_GGUF_STRING) {
            return copy_text(source, name, w, error);
        }
        if (key->type == TS_GGUF_ARRAY && key->element == TS_GGUF_STRING) {
            return copy_texts(key, name, w, error);
        }
        if (key->type == TS_GGUF_ARRAY && key->element != TS_GGUF_BOOL &&
            ts_gguf_type_bytes(key->element) > 0) {
            ts_gguf_put_array(w, name, key->element, key->value, key->count);
            return true;
        }
        if (key->type == TS_GGUF_BOOL && ts_gguf_get_bool(source, name, &yes, NULL)) {
            ts_gguf_put_bool(w, name, yes);
            return true;
        }
        if (ts_gguf_get_u64(source, name, &whole, NULL) && whole <= UINT32_MAX) {
            ts_gguf_put_u32(w, name, (uint32_t)whole);
            return true;
        }
        if (key->type == TS_GGUF_F32 && ts_gguf_get_f64(source, name, &real, NULL)) {
            ts_gguf_put_f32(w, name, (float)real);
            return true;
        }
    }
    return ts_fail(error, TS_ERR_INPUT, NULL, "%.300s: key %.100s: cannot be copied (type %s)",
                   source->path, name, ts_gguf_type_name(key->type));
}

static void write_builtin(struct ts_gguf_writer *w)
{
    struct ts_text merges[TS_BUILTIN_MERGES];
    ts_builtin_merges(merges);
    ts_gguf_put_text(w, "tokenizer.ggml.model", "gpt2");
    ts_gguf_put_text(w, "tokenizer.ggml.pre", "joyai-llm");
    ts_gguf_put_text_array(w, "tokenizer.ggml.merges", merges, TS_BUILTIN_MERGES);
    ts_gguf_put_u32(w, "tokenizer.ggml.bos_token_id", 0);
    ts_gguf_put_u32(w, "tokenizer.ggml.eos_token_id", 1);
    ts_gguf_put_u32(w, "tokenizer.ggml.padding_token_id", 1);
    ts_gguf_put_bool(w, "tokenizer.ggml.add_bos_token", false);
    ts_gguf_put_bool(w, "tokenizer.ggml.add_eos_token", false);
}

bool ts_vocabulary_write(const struct ts_vocabulary *v, struct ts_gguf_writer *w,
                         struct ts_error *error)
{
    ts_gguf_put_text_array(w, TOKENS, v->tokens, v->count);
    ts_gguf_put_array(w, TYPES, TS_GGUF_I32, v->types, v->count);
    if (!v->source) {
        write_builtin(w);
        return true;
    }
    for (uint64_t i = 0; i < v->source->key_count; i++) {
        const struct ts_gguf_key *key = &v->source->keys[i];
        if (is_tokenizer_key(key) && !ts_text_equals(key->name, TOKENS) &&
            !ts_text_equals(key->name, TYPES) && !copy_key(v->source, key, w, error)) {
            return false;
        }
    }
    return true;
}
