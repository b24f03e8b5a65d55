/* The Hadamard rotation and the FP4 round trip of a row that one simdgroup holds in registers:
 * element lane + 32 i is values[i] of that lane, so that a block of 32 is one element of each lane. */
#ifndef TS_KERNELS_FP4_H
#define TS_KERNELS_FP4_H

#include "kernels/shader.h"

/* values = H values / sqrt(width), Sylvester order; width is a power of two, at most 32 COUNT, and
 * elements behind it are 0 (and stay so). */
template <uint COUNT>
inline void ts_hadamard(thread float *values, uint width, uint lane)
{
    for (uint half_width = 1; half_width < 32 && half_width < width; half_width *= 2) {
        for (uint i = 0; i < COUNT; i++) {
            float other = simd_shuffle_xor(values[i], ushort(half_width));
            values[i] = (lane & half_width) != 0 ? other - values[i] : values[i] + other;
        }
    }
    for (uint step = 1; step < COUNT && 32 * step < width; step *= 2) {
        for (uint i = 0; i < COUNT; i++) {
            if ((i & step) == 0) {
                float low = values[i], high = values[i + step];
                values[i] = low + high;
                values[i + step] = low - high;
            }
        }
    }
    float scale = 1.0f / precise::sqrt(float(width));
    for (uint i = 0; i < COUNT; i++) {
        values[i] *= scale;
    }
}

/* The magnitude of E2M1 (0, 1/2, 1, 3/2, 2, 3, 4, 6) nearest to a magnitude, ties to the even code. */
inline float ts_e2m1(float magnitude)
{
    float low = magnitude > 0.75f ? (magnitude > 1.25f ? 1.5f : 1.0f)
                                  : (magnitude > 0.25f ? 0.5f : 0.0f);
    low = magnitude == 0.75f ? 1.0f : low;
    float high = magnitude > 2.5f ? (magnitude >= 3.5f ? 4.0f : 3.0f) : 2.0f;
    high = magnitude > 5.0f ? 6.0f : high;
    return magnitude >= 1.75f ? high : low;
}

/* One element of a block of 32, one a lane: rounded to E2M1 under the block's scale, the least power
 * of two with largest * fp32(1 / 6) <= scale, and multiplied back. Worked out on bits, where no fast
 * arithmetic can lose an infinity: a block whose maximum is not finite becomes NaN. */
inline float ts_fp4(float value)
{
    uint bits = as_type<uint>(value) & 0x7fffffff;
    uint largest = simd_max(bits);
    const uint least = 0x01c00000; /* 6 * 2^-126 */
    float product = as_type<float>(max(largest, least)) * (1.0f / 6.0f);
    uint exponent = (as_type<uint>(product) + 0x007fffff) >> 23; /* 1 to 253 */
    float scale = as_type<float>(exponent << 23), inverse = as_type<float>((254 - exponent) << 23);
    float rounded = ts_e2m1(as_type<float>(bits) * inverse) * scale;
    bits = as_type<uint>(rounded) | (as_type<uint>(value) & 0x80000000);
    return as_type<float>(largest < 0x7f800000 ? bits : 0x7fc00000u);
}

#endif
