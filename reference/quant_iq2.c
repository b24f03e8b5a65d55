/* IQ2_XXS: 2.06 bits a weight, eight weights at a time from a grid of 256 points. */
#include "reference/quant_iq2.h"

#include "base/thread_sanitizer.h"

#include <string.h>

static const uint16_t grid[256] = {
#include "base/iq2_grid.def"
};

/* Eight sign bits from an index of seven: the eighth makes the number of minus signs even. */
TS_UNWATCHED static unsigned signs_of(uint32_t index)
{
    unsigned parity = index ^ (index >> 4);
    parity ^= parity >> 2;
    parity ^= parity >> 1;
    return index | (parity & 1) << 7;
}

TS_UNWATCHED void ts_decode_iq2_xxs_group(double d, const uint8_t *group, double *values)
{
    uint32_t codes;
    memcpy(&codes, group + 4, sizeof codes);
    double scale = d * (0.5 + (double)(codes >> 28)) * 0.25;
    const double levels[8] = {scale * 8.0,  scale * 25.0,  scale * 43.0,  0.0,
                              scale * -8.0, scale * -25.0, scale * -43.0, 0.0};
    for (int k = 0; k < 4; k++) {
        unsigned point = grid[group[k]];
        unsigned signs = signs_of(codes >> (7 * k) & 127) << 2;
        for (int j = 0; j < 8; j++) {
            values[8 * k + j] = levels[(point & 3) | (signs & 4)];
            point >>= 2;
            signs >>= 1;
        }
    }
}
