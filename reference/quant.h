/* Block formats: decoding of every weight format to real numbers, and quantisation to the formats
 * of activations (layouts: ggml; spec section 5). Decoding is exact: values are what the format
 * defines, as float32 numbers. */
#ifndef TS_REFERENCE_QUANT_H
#define TS_REFERENCE_QUANT_H

#include "base/format.h"

/* Decodes `elements` values that start at `blocks`; elements is a multiple of the format's block
 * (ts_format_block_elements), format one of ts_format_is_weight. One shared decoder for all uses:
 * callers decode a few blocks at a time, so weights are never copied as a whole. */
void ts_decode(uint32_t format, const void *blocks, uint64_t elements, double *values);

/* Decodes elements [first, first + count) of a row that starts at `row`, of any alignment. */
void ts_decode_range(uint32_t format, const void *row, uint64_t first, uint64_t count,
                     double *values);

/* Quantises: x [elements], elements a multiple of 32. */
void ts_quantize_q8_0(const float *x, uint64_t elements, void *blocks);

/* IEEE binary16 and E4M3FN / E2M1 / UE8M0 codes to values, and values to the nearest code, ties to
 * even. */
double ts_half_to_real(uint16_t half);
uint16_t ts_real_to_half(double value);
double ts_bfloat_to_real(uint16_t bfloat); /* bfloat16 */
uint16_t ts_real_to_bfloat(double value);  /* by way of float32 */
double ts_e4m3_to_real(uint8_t code);
uint8_t ts_real_to_e4m3(double value); /* saturates at +-448 */
double ts_e2m1_to_real(uint8_t code);
uint8_t ts_real_to_e2m1(double value); /* saturates at +-6 */
double ts_ue8m0_to_real(uint8_t code);

#endif
