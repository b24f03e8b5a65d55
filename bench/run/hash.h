/* XXH3-64 hashes as text. */
#ifndef TS_BENCH_RUN_HASH_H
#define TS_BENCH_RUN_HASH_H

#include "base/error.h"

#include <stdint.h>

enum { TS_HASH_TEXT = 17 }; /* 16 hex digits and a zero */

void ts_hash_bytes(const void *data, uint64_t size, char text[TS_HASH_TEXT]);

struct ts_gguf;

/* Hash of a model file; returns what it covers, for the record. Up to 1 GiB that is every byte; of
 * a larger one, as it would take minutes, the size, the directory and 1,024 blocks of 64 KiB spread
 * evenly over the tensor data. Of a split model all parts count, and the blocks are shared out. */
const char *ts_hash_model(const struct ts_gguf *gguf, char text[TS_HASH_TEXT]);

#endif
