/* Random blocks of every format: what the kinds promise of the values that come out. */
#include "reference/quant.h"
#include "reference/quant_random.h"

#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

enum { ELEMENTS = 256 * 64 };
static const uint32_t formats[] = {TS_F32, TS_F16, TS_Q8_0, TS_Q2_K, TS_Q4_K, TS_IQ2_XXS, TS_MXFP4};
enum { FORMATS = sizeof formats / sizeof formats[0] };
static const uint64_t seed = 7;

static uint8_t bytes[ELEMENTS * 4];
static double values[ELEMENTS];

static void make(uint32_t format, enum ts_random_kind kind)
{
    struct ts_rng rng;
    ts_rng_seed(&rng, seed);
    cr_assert(ts_random_weights(format, kind, &rng, ELEMENTS, bytes), "%s", ts_format_name(format));
    ts_decode(format, bytes, ELEMENTS, values);
}

static double largest(void)
{
    double most = 0;
    for (int i = 0; i < ELEMENTS; i++) {
        most = fabs(values[i]) > most ? fabs(values[i]) : most;
    }
    return most;
}

/* All formats that hold weights have all kinds, with finite values that the gain brings to a sane size. */
Test(quant_random, kinds)
{
    for (unsigned f = 0; f < FORMATS; f++) {
        for (int kind = TS_RANDOM_SANE; kind <= TS_RANDOM_SIGNED; kind++) {
            make(formats[f], (enum ts_random_kind)kind);
            double most = largest() * ts_random_gain(formats[f], (enum ts_random_kind)kind);
            cr_expect(most > 1e-3 && most < 1e4, "%s, kind %d: %g", ts_format_name(formats[f]),
                      kind, most);
        }
    }
}

/* Scales are of either sign: halves with the sign bit and without, in d and dmin alike. */
Test(quant_random, signs)
{
    const struct {
        uint32_t format;
        unsigned place;
    } scales[] = {{TS_Q8_0, 0}, {TS_Q2_K, 80}, {TS_Q2_K, 82},
                  {TS_Q4_K, 0}, {TS_Q4_K, 2},  {TS_IQ2_XXS, 0}};
    for (unsigned i = 0; i < sizeof scales / sizeof scales[0]; i++) {
        for (int kind = TS_RANDOM_TINY; kind <= TS_RANDOM_SIGNED; kind++) {
            unsigned negative = 0, zero = 0, subnormal = 0;
            unsigned blocks = ELEMENTS / ts_format_block_elements(scales[i].format);
            make(scales[i].format, (enum ts_random_kind)kind);
            for (unsigned b = 0; b < blocks; b++) {
                uint16_t d;
                memcpy(&d, bytes + b * ts_format_block_bytes(scales[i].format) + scales[i].place,
                       2);
                negative += d >> 15;
                zero += (d & 0x7fff) == 0;
                subnormal += (d & 0x7c00) == 0 && (d & 0x3ff) != 0;
            }
            cr_expect(negative > 0 && negative < blocks);
            cr_expect((zero > 0) == (kind == TS_RANDOM_SIGNED), "%u of %u are 0", zero, blocks);
            cr_expect(subnormal == (kind == TS_RANDOM_TINY ? blocks : 0), "%u subnormal",
                      subnormal);
        }
    }
}

Test(quant_random, unknown_formats_are_refused)
{
    struct ts_rng rng;
    uint16_t halves[16] = {0};
    ts_rng_seed(&rng, seed);
    memset(bytes, 0x5a, 64);
    const uint32_t others[] = {TS_I32, TS_Q8_K, TS_F64, 31, 1000};
    for (unsigned i = 0; i < sizeof others / sizeof others[0]; i++) {
        cr_expect(!ts_random_weights(others[i], TS_RANDOM_SANE, &rng, 256, bytes), "%u", others[i]);
        cr_expect(!ts_random_special(others[i], TS_SPECIAL_NAN, &rng, bytes), "%u", others[i]);
        cr_expect(!ts_random_centred(others[i], &rng, halves, bytes), "%u", others[i]);
        cr_expect(ts_random_deviation(others[i]) == 0);
    }
    for (int i = 0; i < 64; i++) {
        cr_expect(bytes[i] == 0x5a, "written for a format that was refused");
    }
}

/* A block with a NaN scale has no number; one with infinity has at least one that is none. */
Test(quant_random, specials)
{
    for (unsigned f = 0; f < FORMATS; f++) {
        uint64_t block = ts_format_block_elements(formats[f]);
        for (int special = 0; special < TS_SPECIAL_COUNT; special++) {
            struct ts_rng rng;
            uint64_t nan = 0, infinite = 0;
            make(formats[f], TS_RANDOM_SANE);
            ts_rng_seed(&rng, seed);
            bool can = ts_random_special(formats[f], (enum ts_special)special, &rng, bytes);
            cr_expect(can == (formats[f] != TS_MXFP4 || special != TS_SPECIAL_MINUS));
            ts_decode(formats[f], bytes, ELEMENTS, values);
            for (uint64_t i = 0; i < ELEMENTS; i++) {
                nan += isnan(values[i]) ? 1 : 0;
                infinite += isinf(values[i]) ? 1 : 0;
            }
            if (special == TS_SPECIAL_NAN) {
                cr_expect(nan == block, "%s: %llu", ts_format_name(formats[f]),
                          (unsigned long long)nan);
            } else if (can) {
                cr_expect(infinite > 0 && nan + infinite <= block, "%s",
                          ts_format_name(formats[f]));
            }
        }
    }
}
