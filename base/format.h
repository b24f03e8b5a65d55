/* Number formats of tensors: the ids, block sizes and names of GGUF (ggml's type numbers).
 * How a block is decoded is in reference/quant.h. */
#ifndef TS_BASE_FORMAT_H
#define TS_BASE_FORMAT_H

#include <stdbool.h>
#include <stdint.h>

enum ts_format {
    TS_F32 = 0,
    TS_F16 = 1,
    TS_Q8_0 = 8,
    TS_Q2_K = 10,
    TS_Q4_K = 12,
    TS_Q8_K = 15,
    TS_IQ2_XXS = 16,
    TS_I8 = 24,
    TS_I32 = 26,
    TS_F64 = 28,
    TS_BF16 = 30,
    TS_MXFP4 = 39
};

enum { TS_FORMAT_IDS = 43 }; /* above every id that ggml has given out */

/* Returns false for an id without a block size here: one that ggml has not given out, or has taken
 * back. Then the other functions return 0, and ts_format_name "unknown" or the name that it had. */
bool ts_format_known(uint32_t format);
const char *ts_format_name(uint32_t format);
uint32_t ts_format_block_elements(uint32_t format); /* elements in a block; 1 for plain types */
uint32_t ts_format_block_bytes(uint32_t format);

/* True where rows of this format can be decoded to real numbers: those of enum ts_format but I8, I32
 * and Q8_K. Of ggml's other formats only names and sizes are known. */
bool ts_format_is_weight(uint32_t format);

/* True for the floating formats that every kernel takes for small weights: F32, F16 and BF16. */
bool ts_format_is_plain(uint32_t format);

/* Bytes of one row of `elements` values. False if the row is not a whole number of blocks, the
 * format is unknown, or the product overflows. */
bool ts_format_row_bytes(uint32_t format, uint64_t elements, uint64_t *bytes);

#endif
