/* Writes GGUF version 3 files: logits dumps, synthetic models and test files. Keys and tensor
 * declarations first (only these are held in memory), then the data of each tensor in the order of
 * declaration. Names must differ: the reader refuses a file with two alike. */
#ifndef TS_ENGINE_GGUF_WRITE_H
#define TS_ENGINE_GGUF_WRITE_H

#include "engine/gguf/gguf.h"

struct ts_gguf_writer;

/* Creates (truncates) the file. Returns NULL with *error (TS_ERR_ENVIRONMENT). Errors after this
 * are remembered and reported by ts_gguf_writer_close. */
struct ts_gguf_writer *ts_gguf_writer_open(const char *path, struct ts_error *error);

void ts_gguf_put_u32(struct ts_gguf_writer *w, const char *name, uint32_t value);
void ts_gguf_put_f32(struct ts_gguf_writer *w, const char *name, float value);
void ts_gguf_put_bool(struct ts_gguf_writer *w, const char *name, bool value);
void ts_gguf_put_text(struct ts_gguf_writer *w, const char *name, const char *value);
/* Copies `count` elements; type any fixed-size type but bool, in the host's layout. */
void ts_gguf_put_array(struct ts_gguf_writer *w, const char *name, enum ts_gguf_type type,
                       const void *elements, uint64_t count);
void ts_gguf_put_text_array(struct ts_gguf_writer *w, const char *name,
                            const struct ts_text *elements, uint64_t count);

/* Declares a tensor; shape[0] is contiguous. A shape that ts_gguf_shape_bytes refuses is an
 * error. */
void ts_gguf_declare(struct ts_gguf_writer *w, const char *name, uint32_t format,
                     uint32_t dimensions, const uint64_t *shape);
/* Appends bytes to the data of the next tensor that is not complete; more than that tensor still
 * needs is an error. The first call writes the header (no key or tensor can follow); padding
 * between tensors, to multiples of 32 bytes, is added as needed. */
void ts_gguf_write_data(struct ts_gguf_writer *w, const void *data, uint64_t bytes);
/* Leaves a hole of the given length instead (the file reads as zeros there). */
void ts_gguf_skip_data(struct ts_gguf_writer *w, uint64_t bytes);

/* Finishes and closes the file; frees w. On any error so far, removes the file and returns false
 * with *error: TS_ERR_ENVIRONMENT where the system refuses (no space, no memory), TS_ERR_INPUT
 * where the calls do not fit together. Data missing from a declared tensor is such an error, so
 * closing early is also how to give up a file. */
bool ts_gguf_writer_close(struct ts_gguf_writer *w, struct ts_error *error);

#endif
