/* Memory that is larger than what the machine has to give: one piece, in a file without a name, mapped
 * again and again. What is read far behind the start of a tensor needs no memory of its own so. */
#ifndef TS_ENGINE_CHECK_REPEATED_H
#define TS_ENGINE_CHECK_REPEATED_H

#include "base/error.h"

#include <stdbool.h>
#include <stdint.h>

struct ts_repeated {
    uint8_t *contents; /* [bytes], at a multiple of 16384; NULL: none */
    uint64_t bytes;
    uint64_t piece; /* bytes that repeat, from the first one on */
    uint8_t *kept;  /* [piece], see ts_repeated_keep */
    void *room; /* with more before it and behind it, so that few stray accesses end the program */
    uint64_t room_bytes;
};

/* Room for `bytes` bytes, of values that are `unit` bytes long: whole ones fit into a piece, and its length
 * is no power of two, so that an offset that lost its high bits meets other numbers. The piece is to be
 * filled, then kept. False with *error (TS_ERR_ENVIRONMENT). */
bool ts_repeated_open(struct ts_repeated *r, uint64_t bytes, uint64_t unit, struct ts_error *error);
void ts_repeated_close(struct ts_repeated *r); /* also of one that was never opened, all 0 */

/* Keeps a copy of the piece, with which ts_repeated_changed compares it. */
void ts_repeated_keep(struct ts_repeated *r);
bool ts_repeated_changed(const struct ts_repeated *r);

#endif
