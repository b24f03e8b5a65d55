/* make-model: writes a random model file in the published names, shapes, formats and metadata. */
#ifndef TS_TOOLS_MAKE_MODEL_H
#define TS_TOOLS_MAKE_MODEL_H

#include "base/rng.h"
#include "engine/gguf/write.h"
#include "engine/model/recipe.h"
#include "engine/model/tensors.h"

/* ---- geometry.c ---- */

/* Fills config for "tiny", "layers4" or "flash" (false for another name). experts 0 means the
 * geometry's own number. config->vocab is what the geometry has by itself. */
bool ts_geometry(const char *name, uint32_t experts, struct ts_config *config);

/* Writes general.* and deepseek4.* (spec 4.3), so that ts_config_read gives the same config. The
 * file says of itself that it is synthetic (key touchstone.synthetic). */
void ts_geometry_metadata(struct ts_gguf_writer *w, const struct ts_config *config,
                          const char *name, enum ts_recipe recipe, uint64_t seed);

/* ---- vocabulary.c ---- */

/* What tokenizer.ggml.tokens and .token_type hold; everything else is copied from `source` or, for
 * the built-in vocabulary, written from constants. */
struct ts_vocabulary {
    struct ts_gguf *source; /* NULL: built in */
    uint32_t count;
    uint64_t bytes; /* that the keys take in a file, roughly and never less */
    struct ts_text *tokens;
    int32_t *types;
    char *texts; /* the made ones */
};

/* Takes the vocabulary of a GGUF file, or the built-in one of 512 tokens if path is NULL, and pads
 * it with placeholder tokens up to `at_least`. The caller frees it. */
bool ts_vocabulary_open(struct ts_vocabulary *vocabulary, const char *path, uint32_t at_least,
                        struct ts_error *error);
void ts_vocabulary_close(struct ts_vocabulary *vocabulary);

/* Writes the tokenizer.* keys; false for a key of a kind that cannot be copied. */
bool ts_vocabulary_write(const struct ts_vocabulary *vocabulary, struct ts_gguf_writer *w,
                         struct ts_error *error);

/* ---- builtin.c ---- */

enum { TS_BUILTIN_TOKENS = 512, TS_BUILTIN_MERGES = 248, TS_BUILTIN_TEXT = 8192 };

/* Fills tokens and types [512]: 3 control tokens, the 256 bytes, one token for each merge, the
 * tokens of the chat protocol. Made texts are put into `texts` [TS_BUILTIN_TEXT]. */
void ts_builtin_tokens(struct ts_text *tokens, int32_t *types, char *texts);
void ts_builtin_merges(struct ts_text *merges); /* [248], alive forever */

/* ---- fill.c ---- */

/* Random data of one tensor, made piece by piece in the order of the file. */
struct ts_fill {
    struct ts_rng rng;
    const struct ts_tensor_spec *spec;
    uint32_t format;
    uint32_t experts; /* bound of the ids in an expert id table */
    double mean;
    double deviation;
    uint16_t scales[16]; /* of a block, as half numbers, around what gives the deviation */
    uint16_t *halves;    /* random values of the wanted deviation, for F16 */
};

enum { TS_FILL_HALVES = 4096 };

/* Prepares a tensor. Its data depends on the seed and its own name only: models of one seed and
 * geometry that differ in their recipe share all tensors but the experts. halves has
 * TS_FILL_HALVES places and stays the caller's. */
void ts_fill_start(struct ts_fill *fill, const struct ts_tensor_spec *spec, uint32_t format,
                   uint32_t experts, uint64_t seed, uint16_t *halves);

/* Bytes of the smallest piece: whole blocks (whole rows of an expert id table). */
uint64_t ts_fill_unit(const struct ts_fill *fill);

/* Makes the next `bytes` bytes, a multiple of the unit. False for a format without random blocks. */
bool ts_fill_next(struct ts_fill *fill, uint8_t *data, uint64_t bytes);

#endif
