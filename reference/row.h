/* Rows of real operands, and their products in the fixed order that every sparse operation uses: the
 * result depends on the numbers alone, never on threads, tiles or how tokens were split into calls. */
#ifndef TS_REFERENCE_ROW_H
#define TS_REFERENCE_ROW_H

#include "base/thread_sanitizer.h"
#include "reference/budget.h"
#include "reference/spread.h"

#include <stdint.h>
#include <string.h>

/* Columns handled at a time where rows may be of any width; a multiple of TS_ROW_LANES, so that
 * tiles do not change which partial sum an element goes to. */
enum { TS_ROW_TILE = 256, TS_ROW_LANES = 8 };

/* `count` elements from `first` on of an operand of TS_F64 or TS_F32: where they are, or converted
 * into `scratch` [count]. For the thread sanitizer the caller names them (ts_row_name). */
static inline const double *ts_row(const struct ts_ref_in *in, uint64_t first, uint64_t count,
                                   double *scratch)
{
    if (in->format == TS_F64) {
        return (const double *)in->data + first;
    }
    const float *from = (const float *)in->data + first;
    for (uint64_t i = 0; i < count; i++) {
        scratch[i] = (double)from[i];
    }
    return scratch;
}

static inline void ts_row_name(const struct ts_ref_in *in, uint64_t first, uint64_t count)
{
    uint64_t size = in->format == TS_F64 ? sizeof(double) : sizeof(float);
    ts_will_read((const char *)in->data + first * size, count * size);
}

/* One element of a weight of any format and alignment. */
static inline double ts_row_weight(const struct ts_ref_in *in, uint64_t element)
{
    if (in->format == TS_F32) {
        float value;
        memcpy(&value, (const char *)in->data + element * sizeof value, sizeof value);
        return (double)value;
    }
    double value;
    ts_ref_load(in, element, 1, &value);
    return value;
}

static inline int32_t ts_row_index(const struct ts_ref_in *in, uint64_t element)
{
    int32_t value;
    memcpy(&value, (const char *)in->data + element * sizeof value, sizeof value);
    return value;
}

/* Adds a[i] * b[i] to partial sum i mod 8. Unwatched. */
TS_UNWATCHED static inline void ts_row_dot_add(const double *a, const double *b, uint64_t count,
                                               double *sums)
{
    uint64_t whole = count - count % TS_ROW_LANES;
    for (uint64_t i = 0; i < whole; i += TS_ROW_LANES) {
        for (uint64_t lane = 0; lane < TS_ROW_LANES; lane++) {
            sums[lane] += a[i + lane] * b[i + lane];
        }
    }
    for (uint64_t i = whole; i < count; i++) {
        sums[i - whole] += a[i] * b[i];
    }
}

static inline double ts_row_dot_total(const double *sums)
{
    return ((sums[0] + sums[1]) + (sums[2] + sums[3])) +
           ((sums[4] + sums[5]) + (sums[6] + sums[7]));
}

static inline double ts_row_dot(const double *a, const double *b, uint64_t count)
{
    double sums[TS_ROW_LANES] = {0};
    ts_row_dot_add(a, b, count, sums);
    return ts_row_dot_total(sums);
}

/* The blocks of `ratio` tokens that the token at `position` sees, of `rows` that exist: also the one
 * that it completes itself. */
static inline uint64_t ts_row_visible(uint64_t position, uint32_t ratio, uint64_t rows)
{
    uint64_t visible = ratio ? (position + 1) / ratio : 0;
    return visible < rows ? visible : rows;
}

#endif
