/* Steps of kernels that keep a row in threadgroup memory: the scale of a norm, rotation, round trips
 * and the Hadamard transform, shared by the families kv, compressor and rounding. Mutants 4 and 5 are
 * those of the file that includes this. */
#ifndef TS_KERNELS_ROWS_H
#define TS_KERNELS_ROWS_H

#include "kernels/rounding.h"
#include "kernels/shader.h"

/* Where a thread stands in its threadgroup of `threads`. Element i of a row is in the hands of thread
 * i mod threads until a step says otherwise; steps that mix threads end with a barrier. */
struct ts_place {
    uint index, threads, simd, lane;
};

/* 1 / sqrt(mean square + epsilon) of a row: each thread reads its own elements. */
inline float ts_row_inverse_rms(threadgroup const float *row, uint width, float epsilon,
                                threadgroup float *partial, ts_place at)
{
    float sum = 0.0f;
    for (uint i = at.index; i < width; i += at.threads) {
        sum += row[i] * row[i];
    }
    sum = ts_threadgroup_sum(sum, partial, at.simd, at.threads / 32, at.lane);
    return rsqrt(sum / float(TS_MUTANT(6, width - 1, width)) + epsilon);
}

/* Rotates the last `rotary` elements in pairs. The row must be complete: there is a barrier before the
 * call and one at the end. angles [rotary / 2, 2] = (cos, sin). */
inline void ts_row_rope(threadgroup float *row, uint width, uint rotary, device const float *angles,
                        ts_place at)
{
    threadgroup float *rotated = row + width - rotary;
    for (uint i = 2 * at.index; i < rotary; i += 2 * at.threads) {
        float x0 = rotated[i], x1 = rotated[i + 1], c = angles[i], s = angles[i + 1];
        s = TS_MUTANT(7, i + 2 == rotary ? -s : s, s);
        rotated[i] = x0 * c - x1 * s;
        rotated[i + 1] = x0 * s + x1 * c;
    }
    threadgroup_barrier(mem_flags::mem_threadgroup);
}

/* y = H x / sqrt(width) in place, Sylvester order. Barriers as above; so is every element at the end
 * again in the hands of its thread. */
inline void ts_row_hadamard(threadgroup float *row, uint width, ts_place at)
{
    for (uint step = 1; step < width; step *= 2) {
        for (uint i = at.index; i < width / 2; i += at.threads) {
            uint first = 2 * i - (i & (step - 1));
            float a = row[first], b = row[first + step];
            row[first] = a + b;
            row[first + step] = TS_MUTANT(8, step == 2 && first == 1 ? b - a : a - b, a - b);
        }
        threadgroup_barrier(mem_flags::mem_threadgroup);
    }
    uint bits = 31 - clz(width);
    bool odd = bits % 2 != 0;
    float scale = as_type<float>((127 - bits / 2) << 23); /* times sqrt(1/2), if odd */
    for (uint i = at.index; i < width; i += at.threads) {
        float x = row[i];
        row[i] = scale * (odd ? fma(x, 0.70710677f, x * 1.2101617e-8f) : x);
    }
    threadgroup_barrier(mem_flags::mem_threadgroup);
}

/* ---- round trips (spec 2.12): bit for bit those of the reference ------------------------------- */

inline float ts_power_of_two(int exponent)
{
    return as_type<float>(uint(exponent + 127) << 23);
}

/* log2 of a block's scale: that of max(largest, least) * reciprocal, rounded up. The first two are the
 * bits of numbers that are not negative: as integers these compare like the numbers, NaN above all. */
inline int ts_scale_exponent(uint largest, uint least, float reciprocal, bool up)
{
    uint bits = as_type<uint>(as_type<float>(max(largest, least)) * reciprocal);
    return int(bits >> 23) - 127 + (up && (bits & 0x7fffff) != 0 ? 1 : 0);
}

/* To the nearest E4M3 number: 3 bits behind the first one, a last bit of 2^-9 at least, at most 448;
 * ties to even. */
inline float ts_to_e4m3(float x)
{
    int exponent = int(as_type<uint>(x) >> 23 & 255) - 127;
    exponent = max(exponent, TS_MUTANT(3, -20, -6));
    float steps = x * ts_power_of_two(3 - exponent);
    steps = TS_MUTANT(1, round(steps), rint(steps));
    return clamp(steps * ts_power_of_two(exponent - 3), -448.0f, 448.0f);
}

/* To the nearest E2M1 number: 0, 1/2, 1, 3/2, 2, 3, 4, 6; ties to the even code. */
inline float ts_to_e2m1(float x)
{
    float magnitude = fabs(x);
    int exponent = magnitude < 2.0f ? -1 : magnitude < TS_MUTANT(10, 8.0f, 4.0f) ? 0 : 1;
    float steps = magnitude * ts_power_of_two(-exponent);
    steps = TS_MUTANT(11, round(steps), rint(steps));
    magnitude = min(steps * ts_power_of_two(exponent), 6.0f);
    return x < 0.0f ? -magnitude : magnitude;
}

/* y, or NaN where the block's largest number (its bits) is not finite. Chosen among bits, because fast
 * math may take a choice among numbers as if NaN did not exist. */
inline float ts_unless_infinite(float y, uint largest)
{
    return as_type<float>(largest < 0x7f800000 ? as_type<uint>(y) : 0x7fc00000);
}

/* A simdgroup: the round trip of a block of 64, two elements a lane. Infinity or NaN in a block makes
 * all of it NaN. */
inline float2 ts_fp8_block(float2 x)
{
    uint largest = max(as_type<uint>(x.x) & 0x7fffffff, as_type<uint>(x.y) & 0x7fffffff);
    largest = simd_max(largest);
    /* 1e-4, and 1 / 448 rounded to float */
    int exponent = ts_scale_exponent(largest, 0x38d1b717, as_type<float>(0x3b124925), MUTANT != 2);
    float shrink = ts_power_of_two(-exponent), grow = ts_power_of_two(exponent);
    return float2(ts_unless_infinite(ts_to_e4m3(x.x * shrink) * grow, largest),
                  ts_unless_infinite(ts_to_e4m3(x.y * shrink) * grow, largest));
}

/* The same for a block of 32, one element a lane. */
inline float ts_fp4_block(float x)
{
    uint largest = simd_max(as_type<uint>(x) & 0x7fffffff);
    /* 6 * 2^-126, and 1 / 6 rounded to float */
    int exponent = ts_scale_exponent(largest, 0x01c00000, as_type<float>(0x3e2aaaab), MUTANT != 9);
    float y = ts_to_e2m1(x * ts_power_of_two(-exponent)) * ts_power_of_two(exponent);
    return ts_unless_infinite(y, largest);
}

/* Writes a row; with `rounded` (a multiple of 64) its elements before that go through the round trip.
 * The row must be complete. */
inline void ts_row_store_fp8(threadgroup const float *row, uint width, uint rounded,
                             device float *to, ts_place at)
{
    for (uint first = 64 * at.simd; first < rounded; first += 2 * at.threads) {
        float2 y = ts_fp8_block(float2(row[first + at.lane], row[first + 32 + at.lane]));
        to[first + at.lane] = y.x;
        to[first + 32 + at.lane] = y.y;
    }
    for (uint i = rounded + at.index; i < width; i += at.threads) {
        to[i] = row[i];
    }
}

#endif
