/* The end of kernels that add a sublayer's output to the residual streams (hc_expand). */
#ifndef TS_KERNELS_EXPAND_H
#define TS_KERNELS_EXPAND_H

#include "kernels/shader.h"

/* The residual streams [tokens, streams, width] and what mixes them: post [tokens, streams], comb
 * [tokens, source stream, destination stream]. */
struct ts_mixing {
    device const float *streams, *post, *comb;
    device float *expanded;
    uint count, width;
};

/* The lanes of a simdgroup write column c of a token's new streams; y is the sublayer's output
 * there, in every lane. */
inline void ts_expand_column(thread const ts_mixing &mixing, uint token, uint c, float y, uint lane)
{
    uint count = mixing.count;
    ulong first = ulong(token) * count;
    for (uint j = lane; j < TS_MUTANT(11, count - 1, count); j += 32) {
        float sum = mixing.post[first + j] * y;
        for (uint i = 0; i < count; i++) {
            float factor = mixing.comb[first * count + TS_MUTANT(12, j * count + i, i * count + j)];
            sum += factor * mixing.streams[(first + i) * mixing.width + c];
        }
        mixing.expanded[(first + TS_MUTANT(13, count - 1 - j, j)) * mixing.width + c] = sum;
    }
}

#endif
