#include "reference/quant_random.h"

#include "reference/quant.h"

#include <math.h>
#include <string.h>

/* Of a format of blocks: where its half scales are, or that it has an exponent byte at 0. */
struct layout {
    uint32_t format;
    unsigned halves;    /* scales that are halves */
    unsigned places[2]; /* of d and dmin in the block */
};

static const struct layout layouts[] = {
    {TS_Q8_0, 1, {0, 0}},    {TS_Q2_K, 2, {80, 82}}, {TS_Q4_K, 2, {0, 2}},
    {TS_IQ2_XXS, 1, {0, 0}}, {TS_MXFP4, 0, {0, 0}},
};

static const struct layout *layout_of(uint32_t format)
{
    for (unsigned i = 0; i < sizeof layouts / sizeof layouts[0]; i++) {
        if (layouts[i].format == format) {
            return &layouts[i];
        }
    }
    return NULL;
}

static void put_half(uint8_t *block, unsigned place, uint16_t half)
{
    memcpy(block + place, &half, sizeof half);
}

static void put_random(struct ts_rng *rng, uint8_t *data, uint64_t bytes)
{
    for (uint64_t i = 0; i < bytes; i += 8) {
        uint64_t bits = ts_rng_next(rng);
        memcpy(data + i, &bits, bytes - i < 8 ? bytes - i : 8);
    }
}

/* ---- scales by kind ---------------------------------------------------------------------------- */

static uint16_t sign_of(struct ts_rng *rng)
{
    return ts_rng_below(rng, 2) ? 0x8000 : 0;
}

/* The least and the largest subnormal half among others; the two largest finite ones. */
static uint16_t tiny_half(struct ts_rng *rng)
{
    uint16_t code = (uint16_t)(1 + ts_rng_below(rng, 0x3ff));
    uint64_t edge = ts_rng_below(rng, 8);
    return sign_of(rng) | (edge == 0 ? 1 : edge == 1 ? 0x3ff : code);
}

static uint16_t huge_half(struct ts_rng *rng)
{
    return sign_of(rng) |
           (uint16_t)(0x7bff - (ts_rng_below(rng, 2) ? 0 : ts_rng_below(rng, 0x400)));
}

static uint16_t scale_half(enum ts_random_kind kind, struct ts_rng *rng)
{
    double sane = 0.01 * (0.5 + ts_rng_uniform(rng));
    switch (kind) {
    case TS_RANDOM_UNIT: return ts_real_to_half(1.0);
    case TS_RANDOM_TINY: return tiny_half(rng);
    case TS_RANDOM_HUGE: return huge_half(rng);
    case TS_RANDOM_SIGNED:
        return sign_of(rng) | (ts_rng_below(rng, 8) == 0 ? 0 : ts_real_to_half(sane));
    default: return ts_real_to_half(sane);
    }
}

static uint8_t exponent_of(enum ts_random_kind kind, struct ts_rng *rng)
{
    switch (kind) {
    case TS_RANDOM_UNIT: return 127;
    case TS_RANDOM_TINY: return (uint8_t)ts_rng_below(rng, 3);
    case TS_RANDOM_HUGE: return (uint8_t)(250 + ts_rng_below(rng, 3));
    default: return (uint8_t)(118 + ts_rng_below(rng, 8));
    }
}

static void fill_block(const struct layout *layout, enum ts_random_kind kind, struct ts_rng *rng,
                       uint8_t *block)
{
    uint16_t scales[2];
    put_random(rng, block, ts_format_block_bytes(layout->format));
    scales[0] = scale_half(kind, rng);
    scales[1] = scale_half(kind, rng);
    for (unsigned i = 0; i < layout->halves; i++) {
        put_half(block, layout->places[i], scales[i]);
    }
    if (layout->halves == 0) {
        block[0] = exponent_of(kind, rng);
    }
}

/* ---- plain numbers ----------------------------------------------------------------------------- */

static double plain_of(uint32_t format, enum ts_random_kind kind, struct ts_rng *rng)
{
    double value = kind == TS_RANDOM_UNIT ? (double)ts_rng_below(rng, 3) - 1.0 : ts_rng_gauss(rng);
    switch (kind) {
    case TS_RANDOM_TINY:
        return format == TS_F16 ? ts_half_to_real(tiny_half(rng)) : value * 0x1p-100;
    case TS_RANDOM_HUGE: return format == TS_F16 ? ts_half_to_real(huge_half(rng)) : value * 0x1p40;
    case TS_RANDOM_SIGNED: return ts_rng_below(rng, 8) == 0 ? -0.0 : value;
    default: return value;
    }
}

static void put_plain(uint32_t format, double value, uint8_t *bytes)
{
    float single = (float)value;
    if (format == TS_F16) {
        put_half(bytes, 0, ts_real_to_half(value));
    } else if (format == TS_BF16) {
        put_half(bytes, 0, ts_real_to_bfloat(value));
    } else {
        memcpy(bytes, &single, sizeof single);
    }
}

bool ts_random_weights(uint32_t format, enum ts_random_kind kind, struct ts_rng *rng,
                       uint64_t elements, uint8_t *bytes)
{
    const struct layout *layout = layout_of(format);
    bool plain = ts_format_is_plain(format);
    uint64_t size = ts_format_block_bytes(format);
    if (!plain && !layout) {
        return false;
    }
    uint64_t blocks = elements / ts_format_block_elements(format);
    for (uint64_t b = 0; b < blocks; b++) {
        if (plain) {
            put_plain(format, plain_of(format, kind, rng), bytes + b * size);
        } else {
            fill_block(layout, kind, rng, bytes + b * size);
        }
    }
    return true;
}

double ts_random_gain(uint32_t format, enum ts_random_kind kind)
{
    if (kind == TS_RANDOM_TINY) {
        return format == TS_MXFP4                               ? 0x1p124
               : ts_format_is_plain(format) && format != TS_F16 ? 0x1p100
                                                                : 0x1p16;
    }
    if (kind == TS_RANDOM_HUGE) {
        return format == TS_MXFP4                               ? 0x1p-116
               : ts_format_is_plain(format) && format != TS_F16 ? 0x1p-40
                                                                : 0x1p-16;
    }
    return 1;
}

bool ts_random_special(uint32_t format, enum ts_special special, struct ts_rng *rng, uint8_t *block)
{
    const struct layout *layout = layout_of(format);
    double value = special == TS_SPECIAL_NAN    ? (double)NAN
                   : special == TS_SPECIAL_PLUS ? (double)INFINITY
                                                : (double)-INFINITY;
    if (ts_format_is_plain(format)) {
        put_plain(format, value, block);
        return true;
    }
    if (!layout || (layout->halves == 0 && special == TS_SPECIAL_MINUS)) {
        return false;
    }
    /* Under codes of 0 a scale that should be NaN shows whatever else it is taken for. */
    if (special == TS_SPECIAL_NAN && (layout->halves == 0 || ts_rng_below(rng, 2))) {
        memset(block, 0, ts_format_block_bytes(format));
    }
    if (layout->halves == 0) {
        block[0] = special == TS_SPECIAL_NAN ? 255 : 254;
    } else {
        put_half(block, layout->places[ts_rng_below(rng, layout->halves)], ts_real_to_half(value));
    }
    return true;
}

/* ---- blocks of a given deviation --------------------------------------------------------------- */

/* d, 32 codes. Each code is the sum of two random 7-bit numbers minus 127, eight at a time. */
static void centred_q8_0(struct ts_rng *rng, const uint16_t *scales, uint8_t *block)
{
    const uint64_t low = 0x7f7f7f7f7f7f7f7fu, one = 0x0101010101010101u, top = one << 7;
    uint64_t draw = 0;
    for (int i = 0; i < 32; i += 8) {
        draw = ts_rng_next(rng);
        uint64_t sum = (draw & low) + (ts_rng_next(rng) >> 1 & low);
        /* adds 129, which is -127, to each byte without carrying into the next */
        uint64_t codes = ((sum & low) + one) ^ ((sum ^ top) & top);
        memcpy(block + 2 + i, &codes, sizeof codes);
    }
    unsigned pick = (unsigned)(draw >> 7 & 1) | (unsigned)(draw >> 15 & 1) << 1 |
                    (unsigned)(draw >> 23 & 1) << 2 | (unsigned)(draw >> 31 & 1) << 3;
    put_half(block, 0, scales[pick]); /* the codes do not use these four bits */
}

/* sc[16], qs[64], d, dmin. The minimum is what centres the values: 1.5 d. */
static void centred_q2_k(struct ts_rng *rng, const uint16_t *scales, uint8_t *block)
{
    put_random(rng, block, 80);
    for (int i = 0; i < 16; i++) {
        block[i] |= 0x88;
    }
    uint16_t d = scales[ts_rng_next(rng) >> 60];
    put_half(block, 80, d);
    put_half(block, 82, ts_real_to_half(1.5 * ts_half_to_real(d)));
}

/* d, dmin, s[12], qs[128]. The bits set make all scales and minima 32 or more. */
static void centred_q4_k(struct ts_rng *rng, const uint16_t *scales, uint8_t *block)
{
    put_random(rng, block + 4, 140);
    for (int i = 0; i < 8; i++) {
        block[4 + i] |= 0xA0;
    }
    uint16_t d = scales[ts_rng_next(rng) >> 60];
    put_half(block, 0, d);
    put_half(block, 2, ts_real_to_half(7.5 * ts_half_to_real(d)));
}

/* d, 8 groups of 8 bytes, all of whose values are valid. */
static void centred_iq2_xxs(struct ts_rng *rng, const uint16_t *scales, uint8_t *block)
{
    put_random(rng, block + 2, 64);
    put_half(block, 0, scales[ts_rng_next(rng) >> 60]);
}

static const struct centred {
    uint32_t format;
    double deviation;
    void (*make)(struct ts_rng *rng, const uint16_t *scales, uint8_t *block);
} centred[] = {
    {TS_Q8_0, 52.2526, centred_q8_0},       /* sum of two numbers below 128, minus 127 */
    {TS_Q2_K, 13.9821, centred_q2_k},       /* sc q - 1.5 m; sc and m in 8..15, q in 0..3 */
    {TS_Q4_K, 243.6134, centred_q4_k},      /* sc q - 7.5 m; sc and m in 32..63, q in 0..15 */
    {TS_IQ2_XXS, 53.3621, centred_iq2_xxs}, /* every code alike */
};

static const struct centred *centred_of(uint32_t format)
{
    for (unsigned i = 0; i < sizeof centred / sizeof centred[0]; i++) {
        if (centred[i].format == format) {
            return &centred[i];
        }
    }
    return NULL;
}

bool ts_random_centred(uint32_t format, struct ts_rng *rng, const uint16_t *scales, uint8_t *block)
{
    const struct centred *c = centred_of(format);
    if (c) {
        c->make(rng, scales, block);
    }
    return c != NULL;
}

double ts_random_deviation(uint32_t format)
{
    const struct centred *c = centred_of(format);
    return c ? c->deviation : 0;
}
