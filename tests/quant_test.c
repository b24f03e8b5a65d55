/* Block formats against golden vectors, against their definitions and against themselves. */
#include "engine/gguf/gguf.h"
#include "reference/quant.h"
#include "tests/support/operand.h"

#include <stdio.h>

TestSuite(quant, .fini = test_free_all);

static struct ts_gguf *open_golden(void)
{
    struct ts_error error = {0};
    struct ts_gguf *gguf = ts_gguf_open("tests/data/ops.gguf", &error);
    cr_assert(gguf != NULL, "%s", error.message);
    return gguf;
}

static const void *golden(const struct ts_gguf *gguf, const char *format, const char *part,
                          uint64_t *elements)
{
    char name[64];
    snprintf(name, sizeof name, "quant.%s.%s", format, part);
    const struct ts_gguf_tensor *tensor = ts_gguf_find_tensor(gguf, name);
    cr_assert(tensor != NULL, "no tensor %s", name);
    *elements = tensor->shape[0] * tensor->shape[1];
    return ts_gguf_tensor_data(gguf, tensor);
}

static bool same_float(double value, float expected)
{
    float rounded = (float)value;
    return (double)rounded == value && memcmp(&rounded, &expected, sizeof rounded) == 0;
}

static const uint32_t formats[] = {TS_Q8_0, TS_Q2_K, TS_Q4_K, TS_IQ2_XXS, TS_MXFP4};
enum { FORMATS = sizeof formats / sizeof formats[0] };

Test(quant, golden_blocks_decode_bit_exactly)
{
    struct ts_gguf *gguf = open_golden();
    for (unsigned f = 0; f < FORMATS; f++) {
        const char *name = ts_format_name(formats[f]);
        uint64_t bytes, count;
        const uint8_t *blocks = golden(gguf, name, "blocks", &bytes);
        const float *expected = golden(gguf, name, "values", &count);
        double *values = test_reals(count);
        cr_assert(count == 32 * ts_format_block_elements(formats[f]));
        ts_decode(formats[f], blocks, count, values);
        for (uint64_t i = 0; i < count; i++) {
            cr_assert(same_float(values[i], expected[i]), "%s value %llu: %.9g, golden %.9g", name,
                      (unsigned long long)i, values[i], (double)expected[i]);
        }
    }
    ts_gguf_close(gguf);
}

/* The decoder must look at every byte: with any one byte changed, some value changes. */
Test(quant, every_byte_of_a_block_matters)
{
    struct ts_gguf *gguf = open_golden();
    for (unsigned f = 0; f < FORMATS; f++) {
        const char *name = ts_format_name(formats[f]);
        uint64_t bytes, count, elements = ts_format_block_elements(formats[f]);
        uint64_t block_bytes = ts_format_block_bytes(formats[f]);
        const uint8_t *blocks = golden(gguf, name, "blocks", &bytes);
        const float *expected = golden(gguf, name, "values", &count);
        uint8_t *changed = test_alloc(block_bytes);
        double *values = test_reals(elements);
        memcpy(changed, blocks, block_bytes);
        for (uint64_t i = 0; i < block_bytes; i++) {
            /* the lowest bit but one of every field; it is not a sign of zero */
            changed[i] ^= 2;
            ts_decode(formats[f], changed, elements, values);
            uint64_t different = 0;
            for (uint64_t j = 0; j < elements; j++) {
                different += !same_float(values[j], expected[j]);
            }
            cr_assert(different > 0, "%s: byte %llu changes nothing", name, (unsigned long long)i);
            changed[i] ^= 2;
        }
    }
    ts_gguf_close(gguf);
}

/* Every code is a float32 with 16 bits of zeros behind it, and comes back as it was. */
Test(quant, bf16_is_exact)
{
    for (uint32_t code = 0; code < 65536; code++) {
        uint16_t upper = (uint16_t)code;
        uint32_t bits = code << 16;
        float expected;
        double value;
        memcpy(&expected, &bits, sizeof bits);
        ts_decode(TS_BF16, &upper, 1, &value);
        if (isnan(expected)) {
            cr_assert(isnan(value) && isnan(ts_bfloat_to_real(ts_real_to_bfloat(value))), "%x",
                      code);
            continue;
        }
        cr_assert(value == (double)expected && !signbit(value) == !signbit(expected), "%x", code);
        cr_assert(ts_real_to_bfloat(value) == upper, "%x", code);
    }
    /* to the nearest, ties to even, beyond the largest to infinity */
    cr_expect(ts_real_to_bfloat(0x1.01p0) == 0x3f80 && ts_real_to_bfloat(0x1.03p0) == 0x3f82);
    cr_expect(ts_real_to_bfloat(0x1.010002p0) == 0x3f81 && ts_real_to_bfloat(-3.4e38) == 0xff80);
}

/* Of all of ggml's types: names, and the sizes of those that files can have. */
Test(quant, every_type_has_a_name)
{
    static const struct {
        uint32_t id, elements, bytes;
        const char *name;
    } some[] = {{2, 32, 18, "Q4_0"},    {4, 0, 0, "Q4_2"},        {13, 256, 176, "Q5_K"},
                {14, 256, 210, "Q6_K"}, {23, 256, 136, "IQ4_XS"}, {27, 1, 8, "I64"},
                {30, 1, 2, "BF16"},     {31, 0, 0, "Q4_0_4_4"},   {35, 256, 66, "TQ2_0"},
                {40, 64, 36, "NVFP4"},  {43, 0, 0, "unknown"}};
    for (size_t i = 0; i < sizeof some / sizeof some[0]; i++) {
        cr_expect_str_eq(ts_format_name(some[i].id), some[i].name);
        cr_expect(ts_format_block_elements(some[i].id) == some[i].elements &&
                      ts_format_block_bytes(some[i].id) == some[i].bytes,
                  "%s", some[i].name);
        cr_expect(ts_format_known(some[i].id) == (some[i].bytes > 0));
    }
    for (uint32_t id = 0; id < TS_FORMAT_IDS; id++) {
        cr_expect(strcmp(ts_format_name(id), "unknown") != 0, "type %u", id);
    }
}

/* Any part of a row, at any alignment, is what the whole row gives. */
Test(quant, ranges_agree_with_whole_rows)
{
    static const uint32_t all[] = {TS_F32,  TS_F16,  TS_BF16,    TS_F64,  TS_Q8_0,
                                   TS_Q2_K, TS_Q4_K, TS_IQ2_XXS, TS_MXFP4};
    enum { ROW = 1024, SEED = 71 };
    struct ts_rng rng;
    ts_rng_seed(&rng, SEED);
    for (unsigned f = 0; f < sizeof all / sizeof all[0]; f++) {
        uint64_t bytes;
        cr_assert(ts_format_row_bytes(all[f], ROW, &bytes));
        uint8_t *row = (uint8_t *)test_alloc(bytes + 3) + 3;
        for (uint64_t i = 0; i < bytes; i++) {
            row[i] = (uint8_t)(ts_rng_next(&rng) & 0x3b); /* no NaN in any format */
        }
        double *whole = test_reals(ROW), *part = test_reals(ROW);
        ts_decode(all[f], row, ROW, whole);
        for (int k = 0; k < 200; k++) {
            uint64_t first = ts_rng_below(&rng, ROW), count = ts_rng_below(&rng, ROW - first + 1);
            ts_decode_range(all[f], row, first, count, part);
            cr_assert(memcmp(part, whole + first, count * sizeof *part) == 0,
                      "%s, seed %d: elements %llu to %llu differ", ts_format_name(all[f]), SEED,
                      (unsigned long long)first, (unsigned long long)(first + count));
        }
    }
}

Test(quant, q8_0_blocks_equal_golden)
{
    struct ts_gguf *gguf = open_golden();
    uint64_t bytes, count;
    const uint8_t *blocks = golden(gguf, "Q8_0", "blocks", &bytes);
    const float *source = golden(gguf, "Q8_0", "source", &count);
    uint8_t *quantised = test_alloc(count / 32 * 34);
    ts_quantize_q8_0(source, count, quantised);
    cr_assert(count == 16 * 32);
    for (uint64_t i = 0; i < count / 32 * 34; i++) {
        cr_assert(quantised[i] == blocks[i], "block %llu, byte %llu: %d, golden %d",
                  (unsigned long long)(i / 34), (unsigned long long)(i % 34), quantised[i],
                  blocks[i]);
    }
    ts_gguf_close(gguf);
}

/* Halves round away from zero; a block of zeros has scale 0 and no infinities. */
Test(quant, q8_0_ties_and_zeros)
{
    float x[64] = {127.0f, 0.5f, -0.5f, 1.5f, -2.5f, 126.49f};
    uint8_t blocks[68];
    ts_quantize_q8_0(x, 64, blocks);
    static const int8_t expected[6] = {127, 1, -1, 2, -3, 126};
    for (int i = 0; i < 6; i++) {
        cr_expect((int8_t)blocks[2 + i] == expected[i], "x = %g: %d", (double)x[i],
                  (int8_t)blocks[2 + i]);
    }
    for (int i = 34; i < 68; i++) {
        cr_expect(blocks[i] == 0, "block of zeros, byte %d: %d", i - 34, blocks[i]);
    }
}

/* Every half there is, both ways; then the nearest half of numbers between two. */
Test(quant, halfs)
{
    cr_expect(ts_half_to_real(0x3c00) == 1.0 && ts_half_to_real(0x0001) == 0x1p-24);
    cr_expect(ts_half_to_real(0x7bff) == 65504.0 && ts_half_to_real(0xfc00) == -INFINITY);
    for (unsigned code = 0; code < 0x10000; code++) {
        double value = ts_half_to_real((uint16_t)code);
        if (isnan(value)) {
            cr_assert((code & 0x7fff) > 0x7c00 && isnan(ts_half_to_real(ts_real_to_half(value))));
            continue;
        }
        cr_assert(ts_real_to_half(value) == code, "%04x reads as %g", code, value);
    }
    for (unsigned code = 0; code < 0x7bff; code++) {
        double low = ts_half_to_real((uint16_t)code), high = ts_half_to_real((uint16_t)(code + 1));
        double middle = (low + high) / 2, step = (high - low) / 64;
        unsigned even = code & 1 ? code + 1 : code;
        cr_assert(ts_real_to_half(middle) == even, "tie above %04x", code);
        cr_assert(ts_real_to_half(middle - step) == code &&
                      ts_real_to_half(middle + step) == code + 1,
                  "beside the tie above %04x", code);
    }
    cr_expect(ts_real_to_half(65519.9) == 0x7bff && ts_real_to_half(65520.0) == 0x7c00);
}

/* Nearest code of a small format by search over all codes, ties to the even one. */
static void check_small(double (*decode)(uint8_t), uint8_t (*encode)(double), unsigned codes,
                        unsigned sign, const char *name)
{
    for (unsigned code = 0; code < codes; code++) {
        double value = decode((uint8_t)code);
        cr_assert(encode(value) == code && encode(-value) == (code | sign), "%s code %u is %g",
                  name, code, value);
        if (code + 1 == codes) {
            cr_assert(encode(1e30) == code && encode(-value * 1.2) == (code | sign), "%s %g", name,
                      value);
            break;
        }
        double next = decode((uint8_t)(code + 1)), middle = (value + next) / 2;
        cr_assert(next > value, "%s codes %u and %u", name, code, code + 1);
        cr_assert(encode(middle) == (code & 1 ? code + 1 : code), "%s: tie %g", name, middle);
        cr_assert(encode(middle * 0.999999) == code && encode(middle * 1.000001) == code + 1,
                  "%s: beside %g", name, middle);
    }
}

Test(quant, small_formats)
{
    static const double e2m1[8] = {0, 0.5, 1, 1.5, 2, 3, 4, 6};
    for (int i = 0; i < 8; i++) {
        cr_expect(ts_e2m1_to_real((uint8_t)i) == e2m1[i], "E2M1 code %d", i);
    }
    check_small(ts_e2m1_to_real, ts_real_to_e2m1, 8, 8, "E2M1");
    check_small(ts_e4m3_to_real, ts_real_to_e4m3, 127, 128, "E4M3");
    cr_expect(ts_e4m3_to_real(126) == 448.0 && ts_e4m3_to_real(1) == 0x1p-9);
    cr_expect(isnan(ts_e4m3_to_real(127)) && ts_real_to_e4m3((double)NAN) == 127);
    cr_expect(ts_ue8m0_to_real(127) == 1.0 && ts_ue8m0_to_real(0) == 0x1p-127);
    cr_expect(isnan(ts_ue8m0_to_real(255)));
}
