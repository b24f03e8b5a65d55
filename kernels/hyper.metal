#include "kernels/shader.h"

#include "kernels/hyper.h"
#include "kernels/mix.h"

/* Up to 8 tokens: a threadgroup of 256 for each row of fn. */
kernel void hc_mix_rows(constant ts_hc_mix_args &a [[buffer(0)]],
                        device const float *streams [[buffer(1)]],
                        device const uchar *fn [[buffer(2)]],
                        device float *mix [[buffer(3)]],
                        uint row [[threadgroup_position_in_grid]],
                        uint index [[thread_index_in_threadgroup]])
{
    threadgroup float parts[64];
    uint columns = a.streams * a.width;
    uint bytes = ts_is_half(1) || ts_is_bfloat(1) ? 2 : 4;
    device const uchar *from = fn + ulong(row) * columns * bytes;
    for (uint t = 0; t < a.tokens; t++) {
        ts_mix_sums(streams + ulong(t) * columns, from, 1, 1, columns, parts, index, 256);
        if (index == 0) {
            mix[ulong(t) * a.rows + row] = parts[32] * ts_mix_scale(parts, columns, a.epsilon);
        }
        threadgroup_barrier(mem_flags::mem_threadgroup);
    }
}

/* A tile of 16 tokens by 32 rows of fn: 64 columns of both, then what each of the 8 simdgroups
 * made of its 8 columns of every 64. */
struct mix_tile {
    float numbers[8 * 16 * 32];
    float squares[2 * 16];
};

/* Loads columns from `column` on: fn to numbers[64 * row], x to numbers[64 * (32 + token)].
 * squares[j] takes x . x of this thread's part of token index / 64 + 4 j. */
inline void mix_load(constant ts_hc_mix_args &a, device const float *x, device const uchar *fn,
                     uint2 group, uint column, threadgroup float *numbers, thread float *squares,
                     uint index)
{
    uint columns = a.streams * a.width, at = column + index % 64;
    for (uint j = 0; j < 8; j++) {
        uint row = 32 * group.x + index / 64 + 4 * j;
        bool inside = row < a.rows && at < columns;
        numbers[index + 256 * j] = inside ? ts_weight(fn, 1, ulong(row) * columns + at) : 0.0f;
    }
    for (uint j = 0; j < 4; j++) {
        uint token = 16 * group.y + index / 64 + 4 * j;
        bool inside = token < TS_MUTANT(8, a.tokens / 16 * 16, a.tokens) && at < columns;
        float value = inside ? x[ulong(token) * columns + at] : 0.0f;
        numbers[64 * 32 + index + 256 * j] = value;
        squares[j] += value * value;
    }
}

/* numbers[512 * simd + 32 * token + row]: the simdgroup's part of the products. */
inline void mix_product(constant ts_hc_mix_args &a, device const float *x, device const uchar *fn,
                        uint2 group, threadgroup float *numbers, thread float *squares, uint index,
                        uint simd)
{
    simdgroup_float8x8 sums[2][4];
    for (uint i = 0; i < 2; i++) {
        for (uint j = 0; j < 4; j++) {
            sums[i][j] = make_filled_simdgroup_matrix<float, 8, 8>(0.0f);
        }
    }
    for (uint column = 0; column < a.streams * a.width; column += 64) {
        threadgroup_barrier(mem_flags::mem_threadgroup);
        mix_load(a, x, fn, group, column, numbers, squares, index);
        threadgroup_barrier(mem_flags::mem_threadgroup);
        simdgroup_float8x8 left[2], right;
        for (uint i = 0; i < 2; i++) {
            simdgroup_load(left[i], numbers + 64 * (32 + 8 * i) + 8 * simd, 64);
        }
        for (uint j = 0; j < 4; j++) {
            simdgroup_load(right, numbers + 64 * 8 * j + 8 * simd, 64, ulong2(0, 0), true);
            for (uint i = 0; i < 2; i++) {
                simdgroup_multiply_accumulate(sums[i][j], left[i], right, sums[i][j]);
            }
        }
    }
#if MUTANT != 9
    threadgroup_barrier(mem_flags::mem_threadgroup);
#endif
    for (uint i = 0; i < 2; i++) {
        for (uint j = 0; j < 4; j++) {
            simdgroup_store(sums[i][j], numbers + 512 * simd + 32 * 8 * i + 8 * j, 32);
        }
    }
}

/* Any number of tokens. */
kernel void hc_mix_tile(constant ts_hc_mix_args &a [[buffer(0)]],
                        device const float *streams [[buffer(1)]],
                        device const uchar *fn [[buffer(2)]],
                        device float *mix [[buffer(3)]],
                        uint2 group [[threadgroup_position_in_grid]],
                        uint index [[thread_index_in_threadgroup]],
                        uint simd [[simdgroup_index_in_threadgroup]],
                        uint lane [[thread_index_in_simdgroup]])
{
    threadgroup mix_tile tile;
    float squares[4] = {0.0f};
    mix_product(a, streams, fn, group, tile.numbers, squares, index, simd);
    for (uint j = 0; j < 4; j++) {
        float square = simd_sum(squares[j]);
        if (lane == 0) {
            tile.squares[2 * (simd / 2 + 4 * j) + simd % 2] = square;
        }
    }
    threadgroup_barrier(mem_flags::mem_threadgroup);
    for (uint i = index; i < 16 * 32; i += 256) {
        uint t = i / 32, token = 16 * group.y + t, row = 32 * group.x + i % 32;
        float sum = 0.0f;
        for (uint part = 0; part < TS_MUTANT(10, 7, 8); part++) {
            sum += tile.numbers[512 * part + i];
        }
        float square = tile.squares[2 * t] + tile.squares[2 * t + 1];
        if (token < a.tokens && row < a.rows) {
            float mean = square / float(a.streams * a.width);
            mix[ulong(token) * a.rows + row] = sum * rsqrt(mean + a.epsilon);
        }
    }
}

/* ---- weights --------------------------------------------------------------------------------- */

/* What a row or column of the matrix is multiplied by: 1 / (the sum over k < n of what lanes first
 * + k * step hold, + epsilon). All lanes of the simdgroup. Every entry of a line gets the very
 * same number, whose error the next step divides out again; a division of each would leave errors
 * of its own. */
inline float line_scale(float value, uint first, uint step, uint n, float epsilon)
{
    float sum = 0.0f;
    for (uint k = 0; k < n; k++) {
        sum += simd_shuffle(value, ushort(first + k * step));
    }
    return simd_shuffle(1.0f / (sum + epsilon), ushort(first));
}

/* A simdgroup: entry (i, j) of the mixing matrix [n, n] of a token is made in lane i * n + j, from
 * its logit. n * n is at most 32; lanes behind the last entry repeat it. */
inline float sinkhorn(float logit, uint n, uint iterations, float epsilon, uint lane)
{
    uint entry = min(lane, n * n - 1), row = entry / n * n, column = entry % n;
    float largest = simd_shuffle(logit, ushort(row));
    for (uint k = 1; k < n; k++) {
        largest = max(largest, simd_shuffle(logit, ushort(row + k)));
    }
    float value = exp(logit - largest);
    value = value * line_scale(value, row, 1, n, 0.0f) + epsilon;
    value *= line_scale(value, column, n, n, epsilon);
    for (uint k = 1; k < TS_MUTANT(4, iterations - 1, iterations); k++) {
        value *= line_scale(value, row, 1, n, epsilon);
        value *= line_scale(value, column, n, n, epsilon);
    }
    return value;
}

/* The logit of an entry of the matrix, from its mix. */
inline float comb_logit(float mix, device const uchar *base, uint base_operand, uint entry,
                        device const uchar *scale, uint scale_operand, uint n)
{
    return mix * ts_weight(scale, scale_operand, 2) + ts_weight(base, base_operand, 2 * n + entry);
}

/* Gate i < 2 n of a token, without factor and shift: those of pre, then those of post. */
inline float gate(float mix, uint i, device const uchar *base, uint base_operand,
                  device const uchar *scale, uint scale_operand, uint n)
{
    float factor = ts_weight(scale, scale_operand, TS_MUTANT(5, 0, i / n));
    return ts_sigmoid(mix * factor + ts_weight(base, base_operand, i));
}

/* A simdgroup for each token, four a threadgroup. */
kernel void hc_weights(constant ts_hc_weights_args &a [[buffer(0)]],
                       device const float *mix [[buffer(1)]],
                       device const uchar *base [[buffer(2)]],
                       device const uchar *scale [[buffer(3)]],
                       device float *pre [[buffer(4)]],
                       device float *post [[buffer(5)]],
                       device float *comb [[buffer(6)]],
                       uint group [[threadgroup_position_in_grid]],
                       uint simd [[simdgroup_index_in_threadgroup]],
                       uint lane [[thread_index_in_simdgroup]])
{
    uint n = a.streams, entry = min(lane, n * n - 1);
    ulong token = 4 * group + simd;
    if (token >= a.tokens) {
        return;
    }
    device const float *m = mix + token * n * (2 + n);
    float logit = comb_logit(m[2 * n + entry], base, 1, entry, scale, 2, n);
    float value = sinkhorn(logit, n, a.iterations, a.epsilon, lane);
    if (lane < n * n) {
        uint to = TS_MUTANT(6, entry % n * n + entry / n, entry);
        comb[token * n * n + to] = value;
    }
    if (lane < 2 * n) {
        float open = gate(m[lane], lane, base, 1, scale, 2, n);
        if (lane < n) {
            pre[token * n + lane] = open + TS_MUTANT(7, 0.0f, a.epsilon);
        } else {
            post[token * n + lane - n] = 2.0f * open;
        }
    }
}

/* ---- streams --------------------------------------------------------------------------------- */

/* A thread for each column of a token. */
kernel void hc_reduce(constant ts_hc_reduce_args &a [[buffer(0)]],
                      device const float *streams [[buffer(1)]],
                      device const float *pre [[buffer(2)]],
                      device float *reduced [[buffer(3)]],
                      uint2 group [[threadgroup_position_in_grid]],
                      uint index [[thread_index_in_threadgroup]])
{
    uint column = 256 * group.x + index;
    ulong token = group.y;
    float sum = 0.0f;
    if (column >= a.width) {
        return;
    }
    for (uint h = 0; h < a.streams; h++) {
        ulong row = token * a.streams + h;
        sum += pre[TS_MUTANT(11, token * a.streams, row)] * streams[row * a.width + column];
    }
    reduced[token * a.width + column] = sum;
}

/* The same, for each stream that comes out. */
kernel void hc_expand(constant ts_hc_expand_args &a [[buffer(0)]],
                      device const float *sublayer [[buffer(1)]],
                      device const float *streams [[buffer(2)]],
                      device const float *post [[buffer(3)]],
                      device const float *comb [[buffer(4)]],
                      device float *expanded [[buffer(5)]],
                      uint2 group [[threadgroup_position_in_grid]],
                      uint index [[thread_index_in_threadgroup]])
{
    uint column = 256 * group.x + index, n = a.streams;
    ulong token = group.y;
    if (column >= a.width) {
        return;
    }
    float v = sublayer[token * a.width + column];
    device const float *from = streams + token * n * a.width + column;
    device const float *c = comb + token * n * n;
    for (uint j = 0; j < n; j++) {
        float sum = post[token * n + j] * v;
        for (uint i = 0; i < n; i++) {
            sum += c[TS_MUTANT(12, j * n + i, i * n + j)] * from[ulong(i) * a.width];
        }
        ulong element = (token * n + j) * a.width + column;
        sum = TS_MUTANT(14, min(sum, FLT_MAX), sum);
        expanded[element] = TS_MUTANT(
            13, element + 1 == ulong(a.tokens) * n * a.width ? v : sum, sum);
    }
}

/* ---- fused ----------------------------------------------------------------------------------- */

/* A few tokens: a threadgroup of 1024 for each. */
[[max_total_threads_per_threadgroup(1024)]]
kernel void hc_pre_norm(constant ts_hc_pre_norm_args &a [[buffer(0)]],
                        device const float *streams [[buffer(1)]],
                        device const uchar *fn [[buffer(2)]],
                        device const uchar *base [[buffer(3)]],
                        device const uchar *scale [[buffer(4)]],
                        device const uchar *norm [[buffer(5)]],
                        device float *reduced [[buffer(8)]],
                        device float *normed [[buffer(9)]],
                        device float *post [[buffer(10)]],
                        device float *comb [[buffer(11)]],
                        uint group [[threadgroup_position_in_grid]],
                        uint index [[thread_index_in_threadgroup]])
{
    threadgroup float parts[TS_MIX_PARTS], pre[TS_MIX_STREAMS];
    uint n = a.streams, columns = n * a.width, entry = min(index, n * n - 1);
    ulong token = group;
    device const float *x = streams + token * columns;
    ts_mix_sums(x, fn, 1, n * (2 + n), columns, parts, index, 1024);
    float rms = ts_mix_scale(parts, columns, a.norm_epsilon);
    if (index < 2 * n) {
        float open = gate(parts[32 * (1 + index)] * rms, index, base, 2, scale, 3, n);
        if (index < n) {
            pre[index] = open + TS_MUTANT(7, 0.0f, a.hc_epsilon);
        } else {
            post[token * n + index - n] = 2.0f * open;
        }
    }
    if (index < 32) {
        float mix = parts[32 * (1 + 2 * n + entry)] * rms;
        float logit = comb_logit(mix, base, 2, entry, scale, 3, n);
        float value = sinkhorn(logit, n, a.iterations, a.hc_epsilon, index);
        if (index < n * n) {
            uint to = TS_MUTANT(6, entry % n * n + entry / n, entry);
            comb[token * n * n + to] = value;
        }
    }
    threadgroup_barrier(mem_flags::mem_threadgroup);
    ts_mix_reduce_norm(x, pre, n, a.width, a.norm_epsilon, norm, 4, reduced + token * a.width,
                       normed + token * a.width, parts, index, 1024);
}
