/* The vocabulary: reading it from a GGUF file and looking things up in it. */
#include "engine/tokenizer/internal.h"

#include <stdlib.h>
#include <string.h>

#define TOKENS "tokenizer.ggml.tokens"
#define TYPES "tokenizer.ggml.token_type"
#define MERGES "tokenizer.ggml.merges"

enum {
    CONTROL = 3, /* token types of GGUF */
    USER_DEFINED = 4,
    BYTE_CHARACTERS = 324, /* code points below this one may stand for a byte */
    LONGEST_TOKEN = 1 << 20
};

int32_t ts_tokenizer_find_text(const struct ts_tokenizer *tokenizer, const char *text,
                               size_t length)
{
    struct ts_token *token = NULL;
    if (length <= LONGEST_TOKEN) {
        HASH_FIND(hh, tokenizer->by_text, text, (unsigned)length, token);
    }
    return token ? (int32_t)(token - tokenizer->tokens) : -1;
}

int32_t ts_tokenizer_find(const struct ts_tokenizer *tokenizer, const char *text)
{
    return ts_tokenizer_find_text(tokenizer, text, strlen(text));
}

uint32_t ts_tokenizer_vocab(const struct ts_tokenizer *tokenizer)
{
    return tokenizer->count;
}

int32_t ts_tokenizer_bos(const struct ts_tokenizer *tokenizer)
{
    return tokenizer->bos;
}

int32_t ts_tokenizer_eos(const struct ts_tokenizer *tokenizer)
{
    return tokenizer->eos;
}

/* An array key of strings (or of numbers), or NULL with an error that names it. */
static const struct ts_gguf_key *find_array(const struct ts_gguf *gguf, const char *name,
                                            bool strings, struct ts_error *error)
{
    const struct ts_gguf_key *key = ts_gguf_find_key(gguf, name);
    if (!key) {
        ts_fail(error, TS_ERR_INPUT, "a model file and its vocabulary file both carry it",
                "%.300s: key %s is missing: the file has no vocabulary", gguf->path, name);
        return NULL;
    }
    if (key->type != TS_GGUF_ARRAY || (key->element == TS_GGUF_STRING) != strings) {
        ts_gguf_refuse_key(gguf, name, error, "is %s of type %s, expected an array of %s",
                           key->type == TS_GGUF_ARRAY ? "an array" : "one value",
                           ts_gguf_type_name(key->element), strings ? "strings" : "numbers");
        return NULL;
    }
    return key;
}

/* Refuses what would be tokenized with the wrong rules. */
static bool check_kind(const struct ts_gguf *gguf, struct ts_error *error)
{
    struct ts_text model, pre;
    if (!ts_gguf_get_text(gguf, "tokenizer.ggml.model", &model, error) ||
        !ts_gguf_get_text(gguf, "tokenizer.ggml.pre", &pre, error)) {
        return false;
    }
    if (!ts_text_equals(model, "gpt2")) {
        return ts_gguf_refuse_key(gguf, "tokenizer.ggml.model", error,
                                  "is '%s', expected 'gpt2' (byte-level BPE)",
                                  ts_text_show(model).text);
    }
    if (!ts_text_equals(pre, "joyai-llm") && !ts_text_equals(pre, "deepseek-v3")) {
        return ts_gguf_refuse_key(gguf, "tokenizer.ggml.pre", error,
                                  "is '%s', expected 'joyai-llm' or 'deepseek-v3'",
                                  ts_text_show(pre).text);
    }
    return true;
}

static bool load_tokens(struct ts_tokenizer *tokenizer, struct ts_error *error)
{
    const struct ts_gguf *gguf = tokenizer->gguf;
    const struct ts_gguf_key *tokens = find_array(gguf, TOKENS, true, error);
    const struct ts_gguf_key *types = tokens ? find_array(gguf, TYPES, false, error) : NULL;
    if (!types) {
        return false;
    }
    if (tokens->count == 0 || tokens->count > INT32_MAX) {
        return ts_gguf_refuse_key(gguf, TOKENS, error, "has %llu entries, expected 1 to %d",
                                  (unsigned long long)tokens->count, INT32_MAX);
    }
    if (types->count != tokens->count) {
        return ts_gguf_refuse_key(gguf, TYPES, error, "has %llu entries, expected %llu as %s has",
                                  (unsigned long long)types->count,
                                  (unsigned long long)tokens->count, TOKENS);
    }
    tokenizer->count = (uint32_t)tokens->count;
    tokenizer->tokens = calloc(tokenizer->count, sizeof *tokenizer->tokens);
    if (!tokenizer->tokens) {
        return ts_fail_memory(error, TOKENS, tokens->count * sizeof *tokenizer->tokens);
    }
    const uint8_t *cursor = tokens->value;
    for (uint32_t i = 0; i < tokenizer->count; i++) {
        struct ts_token *token = &tokenizer->tokens[i];
        token->text = ts_gguf_next_text(&cursor);
        uint64_t type = 0;
        if (!ts_gguf_array_u64(types, i, &type)) {
            return ts_gguf_refuse_key(gguf, TYPES, error,
                                      "has entry %u, which is not a whole number from 0", i);
        }
        if (token->text.length > LONGEST_TOKEN) {
            return ts_gguf_refuse_key(gguf, TOKENS, error,
                                      "has entry %u of %zu bytes, expected at most %d", i,
                                      token->text.length, LONGEST_TOKEN);
        }
        token->added = (type == CONTROL || type == USER_DEFINED) && token->text.length > 0;
        if (token->text.length > tokenizer->longest) {
            tokenizer->longest = token->text.length;
        }
    }
    return true;
}

static bool index_texts(struct ts_tokenizer *tokenizer, struct ts_error *error)
{
    for (uint32_t i = 0; i < tokenizer->count; i++) {
        struct ts_token *token = &tokenizer->tokens[i];
        struct ts_token *same = NULL;
        unsigned length = (unsigned)token->text.length;
        unsigned hash = 0;
        HASH_VALUE(token->text.data, length, hash);
        HASH_FIND_BYHASHVALUE(hh, tokenizer->by_text, token->text.data, length, hash, same);
        if (same) {
            continue;
        }
        HASH_ADD_KEYPTR_BYHASHVALUE(hh, tokenizer->by_text, token->text.data, length, hash, token);
        if (!token->hh.tbl) {
            return ts_fail_memory(error, "the index of the vocabulary", tokenizer->count);
        }
    }
    return true;
}

/* GPT-2's map from bytes to printable characters, inverted: byte_of[code point], -1 for none.
 * Printable Latin-1 characters stand for themselves, U+0100 onwards for the rest in order. */
static void fill_byte_map(int16_t *byte_of)
{
    for (int i = 0; i < BYTE_CHARACTERS; i++) {
        byte_of[i] = -1;
    }
    int other = 256;
    for (int byte = 0; byte < 256; byte++) {
        bool printable = (byte >= 33 && byte <= 126) || (byte >= 161 && byte <= 172) || byte >= 174;
        byte_of[printable ? byte : other++] = (int16_t)byte;
    }
}

/* Writes the bytes that a text in the byte map's alphabet stands for to out [text.length]. False if
 * a character is not in the alphabet. */
static bool unmap(const int16_t *byte_of, struct ts_text text, char *out, size_t *length)
{
    *length = 0;
    for (size_t i = 0; i < text.length; i++) {
        unsigned point = (uint8_t)text.data[i];
        if (point >= 0x80) {
            if ((point & 0xE0) != 0xC0 || ++i == text.length ||
                ((uint8_t)text.data[i] & 0xC0) != 0x80) {
                return false;
            }
            point = (point & 0x1F) << 6 | ((uint8_t)text.data[i] & 0x3F);
        }
        if (point >= BYTE_CHARACTERS || byte_of[point] < 0) {
            return false;
        }
        out[(*length)++] = (char)byte_of[point];
    }
    return true;
}

/* What each token decodes to, and the token of each single byte. */
static bool decode_tokens(struct ts_tokenizer *tokenizer, struct ts_error *error)
{
    int16_t byte_of[BYTE_CHARACTERS];
    fill_byte_map(byte_of);
    size_t total = 1;
    for (uint32_t i = 0; i < tokenizer->count; i++) {
        total += tokenizer->tokens[i].text.length; /* at most the size of the mapped file */
    }
    tokenizer->arena = malloc(total);
    if (!tokenizer->arena) {
        return ts_fail_memory(error, "decoded tokens", total);
    }
    for (int byte = 0; byte < 256; byte++) {
        tokenizer->byte_ids[byte] = -1;
    }
    char *out = tokenizer->arena;
    for (uint32_t i = 0; i < tokenizer->count; i++) {
        struct ts_token *token = &tokenizer->tokens[i];
        size_t length = 0;
        token->bytes = token->text;
        if (!token->added && unmap(byte_of, token->text, out, &length)) {
            token->bytes = (struct ts_text){out, length};
            out += length;
            if (length == 1 && tokenizer->byte_ids[(uint8_t)token->bytes.data[0]] < 0) {
                tokenizer->byte_ids[(uint8_t)token->bytes.data[0]] = (int32_t)i;
            }
        }
    }
    for (int byte = 0; byte < 256; byte++) {
        if (tokenizer->byte_ids[byte] < 0) {
            return ts_gguf_refuse_key(tokenizer->gguf, TOKENS, error,
                                      "has no token for the byte 0x%02X, expected one for each",
                                      (unsigned)byte);
        }
    }
    return true;
}

struct added {
    struct ts_text text;
    int32_t id;
};

static int compare_added(const void *a, const void *b)
{
    const struct added *x = a, *y = b;
    size_t shorter = x->text.length < y->text.length ? x->text.length : y->text.length;
    int order = memcmp(x->text.data, y->text.data, shorter);
    if (order == 0 && x->text.length != y->text.length) {
        order = x->text.length < y->text.length ? -1 : 1;
    }
    return order != 0 ? order : (x->id > y->id) - (x->id < y->id);
}

static bool sort_added(struct ts_tokenizer *tokenizer, struct ts_error *error)
{
    struct added *list = malloc((size_t)tokenizer->count * sizeof *list);
    if (!list) {
        return ts_fail_memory(error, "added tokens", tokenizer->count * sizeof *list);
    }
    uint32_t count = 0;
    for (uint32_t i = 0; i < tokenizer->count; i++) {
        if (tokenizer->tokens[i].added) {
            list[count++] = (struct added){tokenizer->tokens[i].text, (int32_t)i};
        }
    }
    qsort(list, count, sizeof *list, compare_added);
    tokenizer->added = malloc(((size_t)count + 1) * sizeof *tokenizer->added);
    if (!tokenizer->added) {
        free(list);
        return ts_fail_memory(error, "added tokens", (count + 1ull) * sizeof *tokenizer->added);
    }
    uint32_t kept = 0;
    for (uint32_t i = 0; i < count; i++) {
        /* of equal texts only the first is kept: matching looks at the first of a range alone */
        if (i > 0 && list[i].text.length == list[i - 1].text.length &&
            memcmp(list[i].text.data, list[i - 1].text.data, list[i].text.length) == 0) {
            continue;
        }
        tokenizer->added[kept++] = list[i].id;
        tokenizer->added_first[(uint8_t)list[i].text.data[0] + 1]++;
    }
    for (int byte = 0; byte < 256; byte++) {
        tokenizer->added_first[byte + 1] += tokenizer->added_first[byte];
    }
    free(list);
    return true;
}

static bool refuse_merge(const struct ts_tokenizer *tokenizer, uint64_t index, struct ts_text line,
                         const char *problem, struct ts_error *error)
{
    const struct ts_gguf *gguf = tokenizer->gguf;
    return ts_fail(error, TS_ERR_INPUT, NULL,
                   "%.300s: offset %llu: key " MERGES " has entry %llu, '%s': %s", gguf->path,
                   (unsigned long long)((const uint8_t *)line.data - gguf->data),
                   (unsigned long long)index, ts_text_show(line).text, problem);
}

/* One line of the merges, "left right". `scratch` has room for the longest token. */
static bool add_merge(struct ts_tokenizer *tokenizer, uint64_t index, struct ts_text line,
                      char *scratch, struct ts_error *error)
{
    const char *space = line.length > 1 ? memchr(line.data + 1, ' ', line.length - 1) : NULL;
    size_t left_length = space ? (size_t)(space - line.data) : 0;
    size_t right_length = space ? line.length - left_length - 1 : 0;
    if (right_length == 0) {
        return refuse_merge(tokenizer, index, line, "expected two tokens and a space", error);
    }
    int32_t left = ts_tokenizer_find_text(tokenizer, line.data, left_length);
    int32_t right = ts_tokenizer_find_text(tokenizer, space + 1, right_length);
    int32_t merged = -1;
    if (line.length - 1 <= tokenizer->longest) {
        memcpy(scratch, line.data, left_length);
        memcpy(scratch + left_length, space + 1, right_length);
        merged = ts_tokenizer_find_text(tokenizer, scratch, line.length - 1);
    }
    if (left < 0 || right < 0 || merged < 0) {
        return refuse_merge(tokenizer, index, line,
                            left < 0    ? "the left token is not in the vocabulary"
                            : right < 0 ? "the right token is not in the vocabulary"
                                        : "the merged token is not in the vocabulary",
                            error);
    }
    ts_bpe_add_merge(tokenizer->bpe, left, right, merged);
    return true;
}

static bool load_merges(struct ts_tokenizer *tokenizer, struct ts_error *error)
{
    const struct ts_gguf *gguf = tokenizer->gguf;
    const struct ts_gguf_key *merges = find_array(gguf, MERGES, true, error);
    if (!merges) {
        return false;
    }
    if (merges->count > INT32_MAX) {
        return ts_gguf_refuse_key(gguf, MERGES, error, "has %llu entries, expected at most %d",
                                  (unsigned long long)merges->count, INT32_MAX);
    }
    tokenizer->bpe = ts_bpe_open(tokenizer->byte_ids, (uint32_t)merges->count, error);
    if (!tokenizer->bpe) {
        return false;
    }
    char *scratch = malloc(tokenizer->longest + 1);
    if (!scratch) {
        return ts_fail_memory(error, MERGES, tokenizer->longest + 1);
    }
    bool ok = true;
    const uint8_t *cursor = merges->value;
    for (uint64_t i = 0; ok && i < merges->count; i++) {
        ok = add_merge(tokenizer, i, ts_gguf_next_text(&cursor), scratch, error);
    }
    free(scratch);
    return ok;
}

/* An optional key that names a token. */
static bool load_id(const struct ts_tokenizer *tokenizer, const char *name, int32_t *id,
                    struct ts_error *error)
{
    uint64_t value = 0;
    *id = -1;
    if (!ts_gguf_find_key(tokenizer->gguf, name)) {
        return true;
    }
    if (!ts_gguf_get_u64(tokenizer->gguf, name, &value, error)) {
        return false;
    }
    if (value >= tokenizer->count) {
        return ts_gguf_refuse_key(tokenizer->gguf, name, error,
                                  "is %llu, expected one of the %u tokens of the vocabulary",
                                  (unsigned long long)value, tokenizer->count);
    }
    *id = (int32_t)value;
    return true;
}

struct ts_tokenizer *ts_tokenizer_open(const struct ts_gguf *gguf, struct ts_error *error)
{
    struct ts_tokenizer *tokenizer = calloc(1, sizeof *tokenizer);
    if (!tokenizer) {
        ts_fail_memory(error, "the tokenizer", sizeof *tokenizer);
        return NULL;
    }
    tokenizer->gguf = gguf;
    bool ok = check_kind(gguf, error) && load_tokens(tokenizer, error) &&
              index_texts(tokenizer, error) && decode_tokens(tokenizer, error) &&
              sort_added(tokenizer, error) && load_merges(tokenizer, error) &&
              load_id(tokenizer, "tokenizer.ggml.bos_token_id", &tokenizer->bos, error) &&
              load_id(tokenizer, "tokenizer.ggml.eos_token_id", &tokenizer->eos, error);
    if (ok) {
        tokenizer->splitter = ts_splitter_open(error);
        ok = tokenizer->splitter != NULL;
    }
    if (!ok) {
        ts_tokenizer_close(tokenizer);
        return NULL;
    }
    return tokenizer;
}

void ts_tokenizer_close(struct ts_tokenizer *tokenizer)
{
    if (!tokenizer) {
        return;
    }
    HASH_CLEAR(hh, tokenizer->by_text);
    free(tokenizer->tokens);
    free(tokenizer->arena);
    free(tokenizer->added);
    ts_bpe_close(tokenizer->bpe);
    ts_splitter_close(tokenizer->splitter);
    free(tokenizer);
}
