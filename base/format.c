#include "base/format.h"

#include <stddef.h>

struct traits {
    uint32_t id;
    const char *name;
    uint32_t block_elements;
    uint32_t block_bytes;
    bool weight;
};

/* All of ggml's types (ggml.h). Those without a size were taken back: no file has them any more. */
static const struct traits table[] = {
    {TS_F32, "F32", 1, 4, true},
    {TS_F16, "F16", 1, 2, true},
    {2, "Q4_0", 32, 18, false},
    {3, "Q4_1", 32, 20, false},
    {4, "Q4_2", 0, 0, false},
    {5, "Q4_3", 0, 0, false},
    {6, "Q5_0", 32, 22, false},
    {7, "Q5_1", 32, 24, false},
    {TS_Q8_0, "Q8_0", 32, 34, true},
    {9, "Q8_1", 32, 36, false},
    {TS_Q2_K, "Q2_K", 256, 84, true},
    {11, "Q3_K", 256, 110, false},
    {TS_Q4_K, "Q4_K", 256, 144, true},
    {13, "Q5_K", 256, 176, false},
    {14, "Q6_K", 256, 210, false},
    {TS_Q8_K, "Q8_K", 256, 292, false},
    {TS_IQ2_XXS, "IQ2_XXS", 256, 66, true},
    {17, "IQ2_XS", 256, 74, false},
    {18, "IQ3_XXS", 256, 98, false},
    {19, "IQ1_S", 256, 50, false},
    {20, "IQ4_NL", 32, 18, false},
    {21, "IQ3_S", 256, 110, false},
    {22, "IQ2_S", 256, 82, false},
    {23, "IQ4_XS", 256, 136, false},
    {TS_I8, "I8", 1, 1, false},
    {25, "I16", 1, 2, false},
    {TS_I32, "I32", 1, 4, false},
    {27, "I64", 1, 8, false},
    {TS_F64, "F64", 1, 8, true},
    {29, "IQ1_M", 256, 56, false},
    {TS_BF16, "BF16", 1, 2, true},
    {31, "Q4_0_4_4", 0, 0, false},
    {32, "Q4_0_4_8", 0, 0, false},
    {33, "Q4_0_8_8", 0, 0, false},
    {34, "TQ1_0", 256, 54, false},
    {35, "TQ2_0", 256, 66, false},
    {36, "IQ4_NL_4_4", 0, 0, false},
    {37, "IQ4_NL_4_8", 0, 0, false},
    {38, "IQ4_NL_8_8", 0, 0, false},
    {TS_MXFP4, "MXFP4", 32, 17, true},
    {40, "NVFP4", 64, 36, false},
    {41, "Q1_0", 128, 18, false},
    {42, "Q2_0", 64, 18, false},
};

_Static_assert(sizeof table / sizeof table[0] == TS_FORMAT_IDS, "one entry an id, in their order");

/* NULL for what has no block size */
static const struct traits *find(uint32_t format)
{
    return format < TS_FORMAT_IDS && table[format].block_bytes > 0 ? &table[format] : NULL;
}

bool ts_format_known(uint32_t format)
{
    return find(format) != NULL;
}

const char *ts_format_name(uint32_t format)
{
    return format < TS_FORMAT_IDS ? table[format].name : "unknown";
}

uint32_t ts_format_block_elements(uint32_t format)
{
    const struct traits *t = find(format);
    return t ? t->block_elements : 0;
}

uint32_t ts_format_block_bytes(uint32_t format)
{
    const struct traits *t = find(format);
    return t ? t->block_bytes : 0;
}

bool ts_format_is_weight(uint32_t format)
{
    const struct traits *t = find(format);
    return t && t->weight;
}

bool ts_format_is_plain(uint32_t format)
{
    return format == TS_F32 || format == TS_F16 || format == TS_BF16;
}

bool ts_format_row_bytes(uint32_t format, uint64_t elements, uint64_t *bytes)
{
    const struct traits *t = find(format);
    if (!t || elements % t->block_elements != 0) {
        return false;
    }
    uint64_t blocks = elements / t->block_elements;
    if (blocks > UINT64_MAX / t->block_bytes) {
        return false;
    }
    *bytes = blocks * t->block_bytes;
    return true;
}
