/* Random weights of every format, for whoever needs some: the check of kernels, tests, synthetic models.
 * The one place that knows where a format has its scales; a format that is not here is refused. */
#ifndef TS_REFERENCE_QUANT_RANDOM_H
#define TS_REFERENCE_QUANT_RANDOM_H

#include "base/format.h"
#include "base/rng.h"

#include <stdbool.h>
#include <stdint.h>

/* What the scales of blocks are; codes, and scales inside of a block, are any bits. Plain numbers have
 * the sizes that the values of blocks have. */
enum ts_random_kind {
    TS_RANDOM_SANE, /* positive, near 0.01: what a model has */
    TS_RANDOM_UNIT, /* 1 (times the format's own steps), so that sums are exact; plain: -1, 0, 1 */
    TS_RANDOM_TINY, /* subnormal halves, of either sign; the least exponents; plain F32 and BF16: near 2^-100 */
    TS_RANDOM_HUGE, /* at and near the largest finite ones, of either sign; plain F32 and BF16: near 2^40,
                        * because two of them meet in hyper-connections */
    TS_RANDOM_SIGNED /* as SANE, but negative and zero too; minimums apart from scales */
};

/* Fills `elements`, a multiple of the format's block. False, and nothing written, for a format that is no
 * weight's or not known here. */
bool ts_random_weights(uint32_t format, enum ts_random_kind kind, struct ts_rng *rng,
                       uint64_t elements, uint8_t *bytes);

/* A power of two that brings products with weights of a kind to about 1. */
double ts_random_gain(uint32_t format, enum ts_random_kind kind);

/* Numbers that a weight may be by accident, or by a damaged file. */
enum ts_special { TS_SPECIAL_NAN, TS_SPECIAL_PLUS, TS_SPECIAL_MINUS, TS_SPECIAL_COUNT };

/* Makes the scale (one of the scales, if there are several) of a block, or a plain number, NaN or an
 * infinity; in MXFP4, which has none, infinity is the exponent whose larger codes float32 does not hold. */
bool ts_random_special(uint32_t format, enum ts_special special, struct ts_rng *rng,
                       uint8_t *block);

/* A block (plain formats have none) of values with mean 0, under one of 16 scales (halves). What the values'
 * standard deviation is where the scale is 1: ts_random_deviation, which is 0 for formats that have no
 * such blocks. False for those. */
bool ts_random_centred(uint32_t format, struct ts_rng *rng, const uint16_t *scales, uint8_t *block);
double ts_random_deviation(uint32_t format);

#endif
