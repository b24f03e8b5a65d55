/* Byte-level BPE with the vocabulary, merges and token types of a GGUF file (tokenizer.ggml.*), for
 * the pre-tokenizer that GGUF calls "joyai-llm" or "deepseek-v3".
 *
 * Text is bytes with a length: zeros are allowed, and so is invalid UTF-8, whose bad bytes become
 * one token each and decode to the same bytes. Nothing is added to a text (no automatic BOS). */
#ifndef TS_ENGINE_TOKENIZER_TOKENIZER_H
#define TS_ENGINE_TOKENIZER_TOKENIZER_H

#include "base/error.h"
#include "engine/gguf/gguf.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

struct ts_tokenizer;

/* A growing list of token ids. Start with {0}; end with ts_ids_free. */
struct ts_ids {
    int32_t *data;
    size_t count;
    size_t capacity;
};

bool ts_ids_append(struct ts_ids *ids, int32_t id, struct ts_error *error);
void ts_ids_free(struct ts_ids *ids); /* frees the data and empties the list */

/* Builds a tokenizer. Token texts stay in the mapping, so `gguf` must stay open as long as the
 * tokenizer. Fails with TS_ERR_INPUT (file, key and index named) on another tokenizer model or
 * pre-tokenizer, missing keys, arrays of different length, a byte without a token, and merges that
 * name unknown tokens. The caller closes it. */
struct ts_tokenizer *ts_tokenizer_open(const struct ts_gguf *gguf, struct ts_error *error);
void ts_tokenizer_close(struct ts_tokenizer *tokenizer); /* NULL is allowed */

uint32_t ts_tokenizer_vocab(const struct ts_tokenizer *tokenizer); /* number of ids */
int32_t ts_tokenizer_bos(const struct ts_tokenizer *tokenizer);    /* -1 if the file names none */
int32_t ts_tokenizer_eos(const struct ts_tokenizer *tokenizer);    /* -1 if the file names none */

/* The id whose stored text is `text`, such as "<think>" (ordinary tokens are stored in the byte
 * map's alphabet, a space as U+0120); the lowest if several, -1 if none. */
int32_t ts_tokenizer_find(const struct ts_tokenizer *tokenizer, const char *text);

/* What the id decodes to, not terminated by a zero, alive as long as the tokenizer; it may be part
 * of a UTF-8 sequence. {NULL, 0} for ids outside the vocabulary. */
struct ts_text ts_tokenizer_bytes(const struct ts_tokenizer *tokenizer, int32_t id);

/* Appends the ids of a text to *ids. With `specials`, added tokens written out in the text become
 * their ids (leftmost first, the longest at a place); without, they are ordinary text. Linear in
 * the length up to a logarithm. Not reentrant: it uses scratch memory and a cache of the tokenizer.
 * TS_ERR_INPUT for a text of 2 GiB or more. After a failure *ids holds a part. */
bool ts_tokenizer_encode(struct ts_tokenizer *tokenizer, const char *text, size_t length,
                         bool specials, struct ts_ids *ids, struct ts_error *error);

/* The same with specials, but what lies in a span (in ascending order, none touching another) is ordinary
 * text: an added token that would reach into one is not matched. Text in and around a span is split as
 * if it were one. */
bool ts_tokenizer_encode_around(struct ts_tokenizer *tokenizer, struct ts_text text,
                                const struct ts_span *spans, size_t span_count, struct ts_ids *ids,
                                struct ts_error *error);

/* Entries taken off the merge queue since open: the work of encoding, independent of a clock. */
uint64_t ts_tokenizer_work(const struct ts_tokenizer *tokenizer);

/* Decodes ids, added tokens verbatim. The caller frees *text (a zero is appended, not counted in
 * *length). TS_ERR_INPUT names the first id that is not in the vocabulary and its index. */
bool ts_tokenizer_decode(const struct ts_tokenizer *tokenizer, const int32_t *ids, size_t count,
                         char **text, size_t *length, struct ts_error *error);

/* Decodes a stream of ids, one at a time: bytes of an incomplete UTF-8 sequence (at most 3) are
 * held back until it is complete, or cannot become valid; then they are passed on as they are. */
struct ts_decoder;

struct ts_decoder *ts_decoder_open(const struct ts_tokenizer *tokenizer, struct ts_error *error);
void ts_decoder_close(struct ts_decoder *decoder); /* NULL is allowed */

/* Sets *text to the bytes that are ready (perhaps none), alive until the next call. Allocates
 * nothing. TS_ERR_INPUT for an id that is not in the vocabulary. */
bool ts_decoder_push(struct ts_decoder *decoder, int32_t id, struct ts_text *text,
                     struct ts_error *error);

/* The bytes still held back, at the end of a stream; the decoder is then as new. */
struct ts_text ts_decoder_flush(struct ts_decoder *decoder);

struct ts_vector_counts {
    uint64_t passed;
    uint64_t failed;
};

/* Checks a JSONL text of {"text": ..., "ids": [...]} lines both ways: the text must encode (with
 * specials) to the ids, and the ids must decode to the text. A line counts once; a damaged one is a
 * failure, a blank one is skipped. Each failure is one line in `report`, beginning with name:line.
 * Returns true if lines were read and all passed; else TS_ERR_DATA if any was damaged or none was
 * read, and TS_ERR_CHECK otherwise. */
bool ts_tokenizer_check_vectors(struct ts_tokenizer *tokenizer, const char *name, const char *data,
                                size_t length, FILE *report, struct ts_vector_counts *counts,
                                struct ts_error *error);

#endif
