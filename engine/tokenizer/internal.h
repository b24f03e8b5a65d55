/* What the files of the tokenizer share; nobody but them and their test includes this. */
#ifndef TS_ENGINE_TOKENIZER_INTERNAL_H
#define TS_ENGINE_TOKENIZER_INTERNAL_H

#include "engine/tokenizer/tokenizer.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

/* uthash's default is to exit when memory ends; with this an element that could not be added is
 * left with hh.tbl NULL. */
#define HASH_NONFATAL_OOM 1
#define HASH_FUNCTION(key, length, value) (value) = (unsigned)XXH3_64bits((key), (length))
#include <uthash.h>

/* Splits valid UTF-8 into the pieces that BPE works on. tokenizer_split.c */
struct ts_splitter;

/* Takes one piece; false stops the split and is passed up. */
typedef bool ts_piece_fn(void *context, const uint8_t *piece, size_t length,
                         struct ts_error *error);

struct ts_splitter *ts_splitter_open(struct ts_error *error);
void ts_splitter_close(struct ts_splitter *splitter);
bool ts_splitter_run(struct ts_splitter *splitter, const uint8_t *text, size_t length,
                     ts_piece_fn *fn, void *context, struct ts_error *error);

/* Merges by rank. tokenizer_bpe.c */
struct ts_bpe;

/* byte_ids [256] is the token of each single byte; merges are added in the order of their rank. */
struct ts_bpe *ts_bpe_open(const int32_t *byte_ids, uint32_t merge_count, struct ts_error *error);
void ts_bpe_close(struct ts_bpe *bpe);
void ts_bpe_add_merge(struct ts_bpe *bpe, int32_t left, int32_t right, int32_t merged);
bool ts_bpe_encode(struct ts_bpe *bpe, const uint8_t *piece, size_t length, struct ts_ids *ids,
                   struct ts_error *error);
uint64_t ts_bpe_work(const struct ts_bpe *bpe);

struct ts_token {
    struct ts_text text;  /* as stored, in the mapping */
    struct ts_text bytes; /* as decoded: `text` for added tokens, else in the arena */
    bool added;
    UT_hash_handle hh; /* by text; only the first of equal texts is in the table */
};

struct ts_tokenizer {
    const struct ts_gguf *gguf;
    uint32_t count;
    struct ts_token *tokens; /* [count] */
    struct ts_token *by_text;
    char *arena;
    size_t longest;            /* bytes of the longest text */
    int32_t *added;            /* added ids, sorted by text: each prefix is one range of the list */
    uint32_t added_first[257]; /* those that begin with byte b are [b] up to [b + 1] */
    int32_t byte_ids[256];
    int32_t bos;
    int32_t eos;
    struct ts_bpe *bpe;
    struct ts_splitter *splitter;
};

/* As ts_tokenizer_find, for text with a length. */
int32_t ts_tokenizer_find_text(const struct ts_tokenizer *tokenizer, const char *text,
                               size_t length);

#endif
