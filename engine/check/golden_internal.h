/* Shared by the files that compare operation vectors. */
#ifndef TS_ENGINE_CHECK_GOLDEN_INTERNAL_H
#define TS_ENGINE_CHECK_GOLDEN_INTERNAL_H

#include "engine/check/golden.h"

#include "base/format.h"

/* Where a check stands: the file, the list it adds to, where errors go. */
struct ts_golden {
    const struct ts_gguf *gguf;
    struct ts_golden_result *result;
    struct ts_error *error;
};

/* A tensor [columns, rows] (columns contiguous) of a given format; columns 0 or rows 0: any. NULL
 * with an error. */
const struct ts_gguf_tensor *ts_golden_tensor(const struct ts_golden *golden, const char *name,
                                              uint32_t format, uint64_t columns, uint64_t rows);
const void *ts_golden_data(const struct ts_golden *golden, const struct ts_gguf_tensor *tensor);
/* Fails (TS_ERR_DATA) because of tensor `name`: `what` says what is wrong. Returns false. */
bool ts_golden_bad(const struct ts_golden *golden, const char *name, const char *what);

/* Adds one comparison of rows: relative L2 against a bound (values and want [rows, columns]), or
 * bit for bit (rows of row_bytes bytes, which are row_elements elements). False only where the
 * result has no room for it; a disagreement is noted there. */
bool ts_golden_compare(const struct ts_golden *golden, const char *name, const double *values,
                       const float *want, uint64_t rows, uint64_t columns, double bound);
bool ts_golden_compare_bits(const struct ts_golden *golden, const char *name, const void *values,
                            const void *want, uint64_t rows, uint64_t row_elements,
                            uint64_t row_bytes);

/* The groups; each is called only where at least one of its tensors is in the file. False with an
 * error for a tensor that is missing or makes no sense. */
bool ts_golden_quant(const struct ts_golden *golden, const char *format_name);
bool ts_golden_rope(const struct ts_golden *golden, const char *policy);
bool ts_golden_fp8(const struct ts_golden *golden);
bool ts_golden_fp4(const struct ts_golden *golden);
bool ts_golden_hadamard(const struct ts_golden *golden);
bool ts_golden_hyper(const struct ts_golden *golden);
bool ts_golden_router(const struct ts_golden *golden);
bool ts_golden_attention(const struct ts_golden *golden);

#endif
