/* A growing text. Writers add without looking at results: the first allocation that fails is
 * remembered, later additions do nothing, and one ts_writer_ok at the end tells. */
#ifndef TS_ENGINE_PROMPT_WRITER_H
#define TS_ENGINE_PROMPT_WRITER_H

#include "base/error.h"
#include "base/text.h"

#include <stddef.h>

/* Begins as {0}; ends with ts_writer_free. */
struct ts_writer {
    char *data; /* not terminated; NULL while empty */
    size_t length;
    size_t capacity;
    bool failed;
};

void ts_writer_add(struct ts_writer *writer, const char *data, size_t length);
void ts_writer_add_text(struct ts_writer *writer, struct ts_text text);
void ts_writer_add_string(struct ts_writer *writer, const char *string); /* ends with a zero */

/* What was added, alive until the next addition; {"", 0} if nothing was. */
struct ts_text ts_writer_text(const struct ts_writer *writer);

/* False with *error if an addition found no memory. */
bool ts_writer_ok(const struct ts_writer *writer, struct ts_error *error);

void ts_writer_free(struct ts_writer *writer); /* frees the data; the writer is then as new */

#endif
