#include "reference/quant.h"

#include "base/thread_sanitizer.h"
#include "reference/quant_iq2.h"

#include <math.h>
#include <stdbool.h>
#include <string.h>

/* GGUF is little endian, and so is every machine this runs on. */
#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "block formats are read as little-endian words"
#endif

enum { MAX_BLOCK = 256 };

/* ---- small floating-point formats ------------------------------------------------------------ */

double ts_half_to_real(uint16_t half)
{
    /* The bits of a half, moved to where a float has them, are the same number times 2^-112; this
     * covers subnormal halfs too. */
    uint32_t bits = (uint32_t)(half & 0x7fff) << 13;
    if (bits >= 0x0f800000) {
        bits |= 0x7f800000; /* infinity or NaN; times 2^112 they stay what they are */
    }
    bits |= (uint32_t)(half & 0x8000) << 16;
    float value;
    memcpy(&value, &bits, sizeof value);
    return (double)value * 0x1p112;
}

/* A binary format with `mantissa` stored bits and exponent bias `bias`, magnitude only. */
static uint32_t encode(double magnitude, int mantissa, int bias)
{
    int exponent;
    if (magnitude == 0.0) {
        return 0;
    }
    frexp(magnitude, &exponent); /* magnitude in [2^(exponent - 1), 2^exponent) */
    int scale = exponent - 1 < 1 - bias ? 1 - bias : exponent - 1;
    /* Steps of 2^(scale - mantissa); where rounding reaches the next power of two, the carry runs
     * into the exponent, as it should. */
    uint32_t steps = (uint32_t)rint(ldexp(magnitude, mantissa - scale));
    return steps + ((uint32_t)(scale + bias - 1) << mantissa);
}

static double decode_small(uint32_t code, int mantissa, int bias)
{
    uint32_t fraction = code & ((1u << mantissa) - 1);
    int exponent = (int)(code >> mantissa);
    if (exponent == 0) {
        return ldexp(fraction, 1 - bias - mantissa);
    }
    return ldexp(fraction + (1u << mantissa), exponent - bias - mantissa);
}

uint16_t ts_real_to_half(double value)
{
    unsigned sign = signbit(value) ? 0x8000 : 0;
    double magnitude = fabs(value);
    if (isnan(value)) {
        return (uint16_t)(sign | 0x7e00);
    }
    if (magnitude >= 65520.0) { /* half way between the largest half and 2^16 */
        return (uint16_t)(sign | 0x7c00);
    }
    return (uint16_t)(sign | encode(magnitude, 10, 15));
}

double ts_e4m3_to_real(uint8_t code)
{
    double magnitude = (code & 0x7f) == 0x7f ? (double)NAN : decode_small(code & 0x7f, 3, 7);
    return code & 0x80 ? -magnitude : magnitude;
}

uint8_t ts_real_to_e4m3(double value)
{
    unsigned sign = signbit(value) ? 0x80 : 0;
    double magnitude = fabs(value);
    if (isnan(value)) {
        return (uint8_t)(sign | 0x7f);
    }
    return (uint8_t)(sign | encode(magnitude > 448.0 ? 448.0 : magnitude, 3, 7));
}

double ts_e2m1_to_real(uint8_t code)
{
    double magnitude = decode_small(code & 7, 1, 1);
    return code & 8 ? -magnitude : magnitude;
}

uint8_t ts_real_to_e2m1(double value)
{
    unsigned sign = signbit(value) ? 8 : 0;
    double magnitude = fabs(value);
    return (uint8_t)(sign | encode(magnitude < 6.0 ? magnitude : 6.0, 1, 1));
}

double ts_ue8m0_to_real(uint8_t code)
{
    return code == 255 ? (double)NAN : ldexp(1.0, code - 127);
}

/* ---- blocks of weights ----------------------------------------------------------------------- */

/* All of them unwatched: ts_decode names what they read. */

TS_UNWATCHED static double read_half(const uint8_t *bytes)
{
    uint16_t half;
    memcpy(&half, bytes, sizeof half);
    return ts_half_to_real(half);
}

/* d * q - m as float32 arithmetic gives it: both products are exact there, the difference is
 * rounded once. */
TS_UNWATCHED static double affine(double d, int q, double m)
{
    return (double)(float)(d * q - m);
}

TS_UNWATCHED static void decode_q8_0(const uint8_t *block, double *values)
{
    double d = read_half(block);
    const uint8_t *codes = block + 2;
    for (int i = 0; i < 32; i++) {
        values[i] = d * (int8_t)codes[i];
    }
}

TS_UNWATCHED static void decode_q2_k(const uint8_t *block, double *values)
{
    const uint8_t *scales = block;
    const uint8_t *codes = block + 16;
    double d = read_half(block + 80), dmin = read_half(block + 82);
    for (int group = 0; group < 16; group++) { /* of 16 values with one scale and one minimum */
        double scale = d * (scales[group] & 15), least = dmin * (scales[group] >> 4);
        const double levels[4] = {affine(scale, 0, least), affine(scale, 1, least),
                                  affine(scale, 2, least), affine(scale, 3, least)};
        const uint8_t *bytes = codes + 32 * (group / 8) + 16 * (group % 2);
        int shift = 2 * (group % 8 / 2);
        for (int i = 0; i < 16; i++) {
            values[16 * group + i] = levels[bytes[i] >> shift & 3];
        }
    }
}

TS_UNWATCHED static void decode_q4_k(const uint8_t *block, double *values)
{
    double d = read_half(block), dmin = read_half(block + 2);
    const uint8_t *s = block + 4;
    const uint8_t *codes = block + 16;
    for (int j = 0; j < 8; j++) { /* sub-blocks of 32 values */
        int scale = j < 4 ? s[j] & 63 : (s[j + 4] & 15) | (s[j - 4] >> 6) << 4;
        int least = j < 4 ? s[j + 4] & 63 : s[j + 4] >> 4 | (s[j] >> 6) << 4;
        double levels[16];
        for (int q = 0; q < 16; q++) {
            levels[q] = affine(d * scale, q, dmin * least);
        }
        const uint8_t *bytes = codes + 32 * (j / 2);
        int shift = 4 * (j % 2);
        for (int i = 0; i < 32; i++) {
            values[32 * j + i] = levels[bytes[i] >> shift & 15];
        }
    }
}

TS_UNWATCHED static void decode_iq2_xxs(const uint8_t *block, double *values)
{
    double d = read_half(block);
    for (int group = 0; group < 8; group++) {
        ts_decode_iq2_xxs_group(d, block + 2 + 8 * group, values + 32 * group);
    }
}

TS_UNWATCHED static void decode_mxfp4(const uint8_t *block, double *values)
{
    double scale = ts_ue8m0_to_real(block[0]);
    const uint8_t *codes = block + 1;
    /* Twice an E2M1 number, by code; code 8 is +0. */
    static const int8_t twice[16] = {0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12};
    for (int i = 0; i < 16; i++) {
        /* As float32 numbers, which with exponent 254 end at 1.5 times the scale: infinity behind. */
        values[i] = (double)(float)(twice[codes[i] & 15] * 0.5 * scale);
        values[i + 16] = (double)(float)(twice[codes[i] >> 4] * 0.5 * scale);
    }
}

TS_UNWATCHED static void decode_f32(const uint8_t *bytes, uint64_t elements, double *values)
{
    for (uint64_t i = 0; i < elements; i++) {
        float value;
        memcpy(&value, bytes + 4 * i, sizeof value);
        values[i] = (double)value;
    }
}

TS_UNWATCHED static void decode_f16(const uint8_t *bytes, uint64_t elements, double *values)
{
    for (uint64_t i = 0; i < elements; i++) {
        values[i] = read_half(bytes + 2 * i);
    }
}

TS_UNWATCHED static void decode_bf16(const uint8_t *bytes, uint64_t elements, double *values)
{
    for (uint64_t i = 0; i < elements; i++) {
        values[i] = ts_bfloat_to_real((uint16_t)(bytes[2 * i] | bytes[2 * i + 1] << 8));
    }
}

/* What is written belongs to the caller, who names it if other threads see it. */
static void name_blocks(uint32_t format, const void *blocks, uint64_t elements)
{
#ifdef TS_THREAD_SANITIZER
    uint64_t bytes = 0;
    ts_format_row_bytes(format, elements, &bytes);
    ts_will_read(blocks, bytes);
#else
    (void)format, (void)blocks, (void)elements;
#endif
}

void ts_decode(uint32_t format, const void *blocks, uint64_t elements, double *values)
{
    const uint8_t *bytes = blocks;
    name_blocks(format, blocks, elements);
    switch (format) {
    case TS_F64: memcpy(values, bytes, elements * sizeof *values); break;
    case TS_F32: decode_f32(bytes, elements, values); break;
    case TS_F16: decode_f16(bytes, elements, values); break;
    case TS_BF16: decode_bf16(bytes, elements, values); break;
    case TS_Q8_0:
        for (uint64_t i = 0; i < elements / 32; i++) {
            decode_q8_0(bytes + 34 * i, values + 32 * i);
        }
        break;
    case TS_MXFP4:
        for (uint64_t i = 0; i < elements / 32; i++) {
            decode_mxfp4(bytes + 17 * i, values + 32 * i);
        }
        break;
    case TS_Q2_K:
        for (uint64_t i = 0; i < elements / 256; i++) {
            decode_q2_k(bytes + 84 * i, values + 256 * i);
        }
        break;
    case TS_Q4_K:
        for (uint64_t i = 0; i < elements / 256; i++) {
            decode_q4_k(bytes + 144 * i, values + 256 * i);
        }
        break;
    case TS_IQ2_XXS:
        for (uint64_t i = 0; i < elements / 256; i++) {
            decode_iq2_xxs(bytes + 66 * i, values + 256 * i);
        }
        break;
    default: break;
    }
}

void ts_decode_range(uint32_t format, const void *row, uint64_t first, uint64_t count,
                     double *values)
{
    uint64_t elements = ts_format_block_elements(format), size = ts_format_block_bytes(format);
    if (elements == 0) {
        return;
    }
    const uint8_t *block = (const uint8_t *)row + first / elements * size;
    uint64_t skip = first % elements;
    while (count > 0) {
        uint64_t step;
        if (skip == 0 && count >= elements) {
            step = count - count % elements;
            ts_decode(format, block, step, values);
            block += step / elements * size;
        } else { /* the range begins or ends inside this block */
            double part[MAX_BLOCK];
            step = elements - skip < count ? elements - skip : count;
            ts_decode(format, block, elements, part);
            memcpy(values, part + skip, step * sizeof *values);
            block += size;
            skip = 0;
        }
        values += step;
        count -= step;
    }
}

/* ---- bfloat16: the upper half of a float32 ---------------------------------------------------- */

double ts_bfloat_to_real(uint16_t bfloat)
{
    uint32_t bits = (uint32_t)bfloat << 16;
    float value;
    memcpy(&value, &bits, sizeof value);
    return (double)value;
}

uint16_t ts_real_to_bfloat(double value)
{
    float single = (float)value;
    uint32_t bits;
    memcpy(&bits, &single, sizeof bits);
    if ((bits & 0x7fffffff) > 0x7f800000) {
        return (uint16_t)(bits >> 16 | 0x40); /* a NaN stays one */
    }
    return (uint16_t)((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

/* ---- quantisation of activations ------------------------------------------------------------- */

void ts_quantize_q8_0(const float *x, uint64_t elements, void *blocks)
{
    uint8_t *block = blocks;
    for (uint64_t first = 0; first < elements; first += 32, block += 34) {
        float largest = 0.0f;
        for (int i = 0; i < 32; i++) {
            largest = fmaxf(largest, fabsf(x[first + (uint64_t)i]));
        }
        float d = largest / 127.0f;
        float inverse = d != 0.0f ? 1.0f / d : 0.0f;
        uint16_t half = ts_real_to_half((double)d);
        memcpy(block, &half, sizeof half);
        for (int i = 0; i < 32; i++) {
            float q = roundf(x[first + (uint64_t)i] * inverse);
            block[2 + i] = (uint8_t)(int8_t)fmaxf(-127.0f, fminf(q, 127.0f));
        }
    }
}
