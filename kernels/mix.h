/* Weights of the residual streams and what they weigh, shared by the kernels of hyper-connections and
 * of the head (spec 2.3, 2.14). fn, base, scale and norm are F32 or F16. */
#ifndef TS_KERNELS_MIX_H
#define TS_KERNELS_MIX_H

#include "kernels/hyper.h"
#include "kernels/shader.h"

/* Numbers that ts_mix_sums needs room for: a part of each simdgroup, of x . x and of each row. */
constant constexpr uint TS_MIX_PARTS = 32 * (1 + TS_MIX_STREAMS * (2 + TS_MIX_STREAMS));

/* Four numbers from i on; the memory is aligned to single ones. */
inline float4 ts_four(device const float *x, ulong i)
{
    packed_float4 four = *(device const packed_float4 *)(x + i);
    return float4(four[0], four[1], four[2], four[3]);
}

inline float4 ts_weight_four(device const uchar *data, uint operand, ulong i)
{
    if (ts_is_bfloat(operand)) {
        packed_ushort4 upper = *(device const packed_ushort4 *)((device const ushort *)data + i);
        return float4(ts_from_bfloat(upper[0]), ts_from_bfloat(upper[1]), ts_from_bfloat(upper[2]),
                      ts_from_bfloat(upper[3]));
    }
    if (!ts_is_half(operand)) {
        return ts_four((device const float *)data, i);
    }
    packed_half4 four = *(device const packed_half4 *)((device const half *)data + i);
    return float4(four[0], four[1], four[2], four[3]);
}

/* The simdgroup's part of the products of x [columns] with rows first to first + count - 1 of fn, to
 * parts[32 * (1 + row) + simd], and of x with itself, to parts[simd]. count is at most 8. */
inline void ts_mix_parts(device const float *x, device const uchar *fn, uint operand, uint first,
                         uint count, uint columns, threadgroup float *parts, uint index,
                         uint threads)
{
    float square = 0.0f, sums[8] = {0.0f};
    uint whole = columns / 4 * 4;
    for (uint i = 4 * index; i < whole; i += 4 * threads) {
        float4 v = ts_four(x, i);
        square += dot(v, v);
        for (uint r = 0; r < 8; r++) {
            if (r < count) {
                sums[r] += dot(v, ts_weight_four(fn, operand, ulong(first + r) * columns + i));
            }
        }
    }
    for (uint i = whole + index; i < TS_MUTANT(1, whole, columns); i += threads) {
        square += x[i] * x[i];
        for (uint r = 0; r < 8; r++) {
            if (r < count) {
                sums[r] += x[i] * ts_weight(fn, operand, ulong(first + r) * columns + i);
            }
        }
    }
    square = simd_sum(square);
    for (uint r = 0; r < 8; r++) {
        sums[r] = simd_sum(sums[r]);
    }
    if (index % 32 == 0) {
        parts[index / 32] = square;
        for (uint r = 0; r < count; r++) {
            parts[32 * (1 + first + r) + index / 32] = sums[r];
        }
    }
}

/* The whole threadgroup: afterwards parts[0] is x . x, and parts[32 * (1 + r)] the product of x
 * [columns] with row r of fn [rows, columns]. */
inline void ts_mix_sums(device const float *x, device const uchar *fn, uint operand, uint rows,
                        uint columns, threadgroup float *parts, uint index, uint threads)
{
    uint simd = index / 32, lane = index % 32, simds = threads / 32;
    for (uint first = 0; first < rows; first += 8) {
        ts_mix_parts(x, fn, operand, first, min(8u, rows - first), columns, parts, index, threads);
    }
    threadgroup_barrier(mem_flags::mem_threadgroup);
    for (uint r = simd; r <= rows; r += simds) {
        float sum = simd_sum(lane < simds ? parts[32 * r + lane] : 0.0f);
        if (lane == 0) {
            parts[32 * r] = sum;
        }
    }
    threadgroup_barrier(mem_flags::mem_threadgroup);
}

/* Of the result of ts_mix_sums: what the products are to be multiplied by. */
inline float ts_mix_scale(threadgroup const float *parts, uint columns, float epsilon)
{
    return rsqrt(parts[0] / float(TS_MUTANT(2, columns + 1, columns)) + epsilon);
}

/* Without infinity for either sign. */
inline float ts_sigmoid(float x)
{
    float e = exp(-fabs(x));
    return (x < 0.0f ? e : 1.0f) / (1.0f + e);
}

/* The whole threadgroup: normed = RMSNorm(sum over streams of pre[h] * streams[h, :]), for one token.
 * streams [streams, width]; pre [streams], written before a barrier; normed [width] holds the sum
 * meanwhile, and so does reduced, unless it is the same memory. */
inline void ts_mix_reduce_norm(device const float *streams, threadgroup const float *pre,
                               uint count, uint width, float epsilon, device const uchar *norm,
                               uint norm_operand, device float *reduced, device float *normed,
                               threadgroup float *parts, uint index, uint threads)
{
    float square = 0.0f;
    for (uint c = index; c < width; c += threads) {
        float sum = 0.0f;
        for (uint h = 0; h < count; h++) {
            sum += pre[h] * streams[ulong(h) * width + c];
        }
        square += sum * sum;
        reduced[c] = sum;
    }
    square = ts_threadgroup_sum(square, parts, index / 32, threads / 32, index % 32);
    float scale = rsqrt(square / float(width) + epsilon);
    for (uint c = index; c < width; c += threads) {
        float factor = ts_weight(norm, norm_operand, TS_MUTANT(3, c / 2 * 2, c));
        normed[c] = reduced[c] * scale * factor;
    }
}

#endif
