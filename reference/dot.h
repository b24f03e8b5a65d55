/* Dot products of weight rows with token vectors: the inner part of every matrix product.
 *
 * Order of summation, for every output alike: eight partial sums, element c goes to sum c mod 8;
 * then ((s0 + s4) + (s2 + s6)) + ((s1 + s5) + (s3 + s7)). It depends on nothing else: not on the
 * threads, the number of tokens in the call, or the place in a tile. */
#ifndef TS_REFERENCE_DOT_H
#define TS_REFERENCE_DOT_H

#include "base/pool.h"
#include "reference/budget.h"
#include "reference/reference.h"

#include <stdbool.h>
#include <stdint.h>

/* Most rows and tokens of one tile. */
enum { TS_DOT_ROWS = 4, TS_DOT_TOKENS = 64 };

/* A tile: `row_count` weight rows, the bytes of which begin `row_bytes` apart at any alignment,
 * against `tokens` vectors of TS_F32 or TS_F64 numbers, one pointer each. */
struct ts_dot_tile {
    const void *rows;
    uint64_t row_bytes;
    uint64_t columns;
    const void *const *x;
    uint32_t format;   /* of the rows */
    uint32_t x_format; /* TS_F32 or TS_F64 */
    uint32_t row_count;
    uint32_t tokens;
    bool magnitude; /* sum |w| * |x| in place of w * x: errors carried in */
};

/* sums[t * TS_DOT_ROWS + r] = sum_c row[r][c] * x[t][c]. Each weight is decoded once. x is read
 * unwatched: the caller names it (base/thread_sanitizer.h). */
void ts_ref_dot_rows(const struct ts_dot_tile *tile, double *sums);

/* The same of how far off the sums may be: u_in S, and the roundings of a sum of `chain`. */
void ts_ref_dot_bounds(const struct ts_dot_tile *tile, const struct ts_budget *budget, double chain,
                       double *bounds);

/* A whole (grouped) product, y[t, g, r] = sum_c w[g * rows + r, c] * x[t, g, c]; x, w and y as in
 * matmul_grouped, groups 1 is matmul. Only wanted elements of `out` are computed; they go to
 * `result` (as large as the whole output): set, or added if `add`. */
struct ts_dot_product {
    const struct ts_ref_in *w;
    const void *x;
    double *result;
    const struct ts_ref_out *out; /* only its want is used */
    uint64_t tokens, groups, rows, columns;
    uint32_t x_format;
    bool magnitude; /* as above */
    bool add;
    const struct ts_budget
        *budget; /* not NULL: bounds of the sums in their place, for sums of `chain` */
    double chain;
};
void ts_ref_product(const struct ts_dot_product *product, struct ts_pool *pool);

/* sum_c x[c]^2 of a run of an IN operand, in the order above. */
double ts_ref_sum_squares(const struct ts_ref_in *in, uint64_t first, uint64_t count);

#endif
