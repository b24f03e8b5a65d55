/* make-hostile: writes files that must be refused, each named for what is wrong with it, and the
 * sound ones that they were made from. */
#ifndef TS_TOOLS_MAKE_HOSTILE_H
#define TS_TOOLS_MAKE_HOSTILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* ---- bytes.c: files of any content, byte by byte ---- */

struct bytes {
    uint8_t *data;
    size_t length;
    size_t capacity;
};

/* Without memory the program ends: it has nobody to tell. */
void bytes_add(struct bytes *bytes, const void *data, size_t length);
void bytes_number(struct bytes *bytes, uint64_t value, size_t length); /* little-endian */
void bytes_zeros(struct bytes *bytes, size_t length);
void bytes_text(struct bytes *bytes, const char *text); /* with its length before it */
void bytes_free(struct bytes *bytes);

/* Adds what words separated by spaces say:
 *   bN hN dN qN  the number N as 1, 2, 4 or 8 bytes
 *   fX gX        the number X as float32 or float64; nan and inf too
 *   sTEXT        a string with its length, ~ for a space
 *   zN           N zeros
 *   pN           zeros up to a multiple of N of the whole */
void bytes_words(struct bytes *bytes, const char *words);

/* ---- draft.c: a GGUF file in parts ---- */

enum { MOST_KEYS = 64, MOST_TENSORS = 96, MOST_DIMENSIONS = 8 };

struct draft_key {
    char name[80];
    struct bytes value; /* type and value */
};

struct draft_tensor {
    char name[80];
    uint32_t dimensions;
    uint64_t shape[MOST_DIMENSIONS];
    uint32_t type;
    bool placed; /* the offset is given, not the next free one */
    uint64_t offset;
    struct bytes data;
};

struct draft {
    uint32_t version;
    uint64_t alignment; /* of the tensor data as written, whatever the key says */
    unsigned key_count;
    struct draft_key keys[MOST_KEYS];
    unsigned tensor_count;
    struct draft_tensor tensors[MOST_TENSORS];
};

void draft_free(struct draft *draft);

/* Sets a key, adding it at the end if it is new; the words are its type and value. */
void draft_key(struct draft *draft, const char *name, const char *words);
struct draft_tensor *draft_tensor(struct draft *draft, const char *name, uint32_t type,
                                  uint32_t dimensions, const uint64_t *shape);

/* Does what instructions separated by ';' say:
 *   key NAME WORDS...         sets a key
 *   drop NAME                 removes a key or a tensor
 *   again NAME                a key or a tensor once more
 *   name OLD NEW              renames a key or a tensor
 *   dims NAME N               the number of dimensions
 *   shape NAME N...           the shape, as many dimensions as numbers
 *   type NAME N               the type of a tensor
 *   at NAME N                 the offset of a tensor
 *   data NAME OFFSET WORDS... other bytes in a tensor's data */
void draft_edit(struct draft *draft, const char *edit);

/* The whole file. */
struct bytes draft_write(const struct draft *draft);

/* ---- sound.c: what the hostile files are made from ---- */

/* Three small models (0, 1, 2) of other geometries, formats, alignments and versions. */
enum { SOUND_MODELS = 3 };
void sound_model(struct draft *draft, unsigned number);
void sound_trace(struct draft *draft);  /* of model 0, tokens and logits */
void sound_golden(struct draft *draft); /* operation vectors */

/* ---- cases*.c ---- */

enum base {
    BASE_WORDS,       /* the edit is the words behind the magic */
    BASE_TEXT,        /* the edit is the file */
    BASE_MODEL,       /* model 0, edited */
    BASE_TRACE,       /* the trace, edited */
    BASE_GOLDEN,      /* the operation vectors, edited */
    BASE_RUNS,        /* a folder; the edit is its runs.jsonl */
    BASE_ENVIRONMENT, /* a folder; the edit is its environment.json */
    BASE_CUT          /* model 0 without the last bytes; the edit says how many */
};

struct hostile_case {
    const char *name; /* of the file */
    enum base base;
    const char *edit;
    char use; /* i inspect, t tokenize, r run, n run that fails, c check --trace, g check --golden,
                           d tokenize --decode, v tokenize --vectors, p report */
    const char *expect; /* in the message; NULL: accepted */
};

extern const struct hostile_case container_cases[], model_cases[], other_cases[];
extern const unsigned container_count, model_count, other_count;

#endif
