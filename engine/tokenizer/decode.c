/* From ids to text, at once or as a stream. */
#include "engine/tokenizer/internal.h"

#include <stdlib.h>
#include <string.h>

enum { HELD = 3 }; /* an incomplete UTF-8 sequence has at most 3 bytes */

struct ts_text ts_tokenizer_bytes(const struct ts_tokenizer *tokenizer, int32_t id)
{
    if (id < 0 || (uint32_t)id >= tokenizer->count) {
        return (struct ts_text){NULL, 0};
    }
    return tokenizer->tokens[id].bytes;
}

static bool refuse_id(const struct ts_tokenizer *tokenizer, int32_t id, struct ts_error *error)
{
    return ts_fail(error, TS_ERR_INPUT, NULL, "token id %d is not in the vocabulary (0 to %u)", id,
                   tokenizer->count - 1);
}

bool ts_tokenizer_decode(const struct ts_tokenizer *tokenizer, const int32_t *ids, size_t count,
                         char **text, size_t *length, struct ts_error *error)
{
    size_t total = 0;
    for (size_t i = 0; i < count; i++) {
        if (ids[i] < 0 || (uint32_t)ids[i] >= tokenizer->count) {
            return ts_fail(error, TS_ERR_INPUT, NULL,
                           "token id %d at index %zu is not in the vocabulary (0 to %u)", ids[i], i,
                           tokenizer->count - 1);
        }
        size_t bytes = tokenizer->tokens[ids[i]].bytes.length;
        if (bytes > SIZE_MAX - 1 - total) {
            return ts_fail_memory(error, "decoded text", SIZE_MAX);
        }
        total += bytes;
    }
    char *buffer = malloc(total + 1);
    if (!buffer) {
        return ts_fail_memory(error, "decoded text", total);
    }
    size_t at = 0;
    for (size_t i = 0; i < count; i++) {
        struct ts_text bytes = tokenizer->tokens[ids[i]].bytes;
        memcpy(buffer + at, bytes.data, bytes.length);
        at += bytes.length;
    }
    buffer[total] = '\0';
    *text = buffer;
    *length = total;
    return true;
}

struct ts_decoder {
    const struct ts_tokenizer *tokenizer;
    size_t begin; /* of the bytes that are held back, in buffer */
    size_t end;
    char buffer[]; /* [HELD + longest token] */
};

struct ts_decoder *ts_decoder_open(const struct ts_tokenizer *tokenizer, struct ts_error *error)
{
    size_t bytes = sizeof(struct ts_decoder) + HELD + tokenizer->longest;
    struct ts_decoder *decoder = calloc(1, bytes);
    if (!decoder) {
        ts_fail_memory(error, "a text decoder", bytes);
        return NULL;
    }
    decoder->tokenizer = tokenizer;
    return decoder;
}

void ts_decoder_close(struct ts_decoder *decoder)
{
    free(decoder);
}

bool ts_decoder_push(struct ts_decoder *decoder, int32_t id, struct ts_text *text,
                     struct ts_error *error)
{
    const struct ts_tokenizer *tokenizer = decoder->tokenizer;
    if (id < 0 || (uint32_t)id >= tokenizer->count) {
        return refuse_id(tokenizer, id, error);
    }
    struct ts_text bytes = tokenizer->tokens[id].bytes;
    size_t held = decoder->end - decoder->begin;
    memmove(decoder->buffer, decoder->buffer + decoder->begin, held);
    memcpy(decoder->buffer + held, bytes.data, bytes.length);
    decoder->end = held + bytes.length;
    size_t ready = 0;
    while (ready < decoder->end) {
        int sequence =
            ts_utf8_sequence((const uint8_t *)decoder->buffer + ready, decoder->end - ready);
        if (sequence < 0) {
            break;
        }
        ready += sequence == 0 ? 1 : (size_t)sequence;
    }
    decoder->begin = ready;
    *text = (struct ts_text){decoder->buffer, ready};
    return true;
}

struct ts_text ts_decoder_flush(struct ts_decoder *decoder)
{
    struct ts_text text = {decoder->buffer + decoder->begin, decoder->end - decoder->begin};
    decoder->begin = decoder->end = 0;
    return text;
}
