#include "base/format.h"

#include <stddef.h>

struct traits {
    uint32_t id;
    const char *name;
    uint32_t block_elements;
    uint32_t block_bytes;
    bool weight;
};

static const struct traits table[] = {
    {TS_F32, "F32", 1, 4, true},
    {TS_F16, "F16", 1, 2, true},
    {TS_Q8_0, "Q8_0", 32, 34, true},
    {TS_Q2_K, "Q2_K", 256, 84, true},
    {TS_Q4_K, "Q4_K", 256, 144, true},
    {TS_Q8_K, "Q8_K", 256, 292, false},
    {TS_IQ2_XXS, "IQ2_XXS", 256, 66, true},
    {TS_I8, "I8", 1, 1, false},
    {TS_I32, "I32", 1, 4, false},
    {TS_F64, "F64", 1, 8, true},
    {TS_MXFP4, "MXFP4", 32, 17, true},
};

static const struct traits *find(uint32_t format)
{
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        if (table[i].id == format) {
            return &table[i];
        }
    }
    return NULL;
}

bool ts_format_known(uint32_t format)
{
    return find(format) != NULL;
}

const char *ts_format_name(uint32_t format)
{
    const struct traits *t = find(format);
    return t ? t->name : "unknown";
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
