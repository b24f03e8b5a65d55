#include "kernels/shader.h"

#include "kernels/kv.h"
#include "kernels/rows.h"

/* A threadgroup of 128 for each head (x) of a token (y). */
kernel void query_row(constant ts_query_row_args &a [[buffer(0)]],
                      device const float *x [[buffer(1)]],
                      device const float *angles [[buffer(2)]],
                      device float *rotated [[buffer(4)]],
                      uint2 group [[threadgroup_position_in_grid]],
                      uint index [[thread_index_in_threadgroup]],
                      uint simd [[simdgroup_index_in_threadgroup]],
                      uint lane [[thread_index_in_simdgroup]])
{
    threadgroup float row[TS_ROW_WIDTH], partial[32];
    ts_place at = {index, 128, simd, lane};
    ulong first = (ulong(group.y) * a.heads + group.x) * a.width;
    for (uint i = index; i < a.width; i += 128) {
        row[i] = x[first + i];
    }
    float scale = ts_row_inverse_rms(row, a.width, a.epsilon, partial, at);
    for (uint i = index; i < a.width; i += 128) {
        row[i] *= scale;
    }
    threadgroup_barrier(mem_flags::mem_threadgroup);
    ts_row_rope(row, a.width, a.rotary, angles + ulong(group.y) * a.rotary, at);
    for (uint i = index; i < a.width; i += 128) {
        rotated[first + i] = row[i];
    }
}

/* Norm and rotation of a KV row, a threadgroup of 256. The row is complete afterwards. */
template <typename A>
inline void kv_rotated(constant A &a, uint token, device const float *x, device const uchar *norm,
                       device const float *angles, threadgroup float *row,
                       threadgroup float *partial, ts_place at)
{
    for (uint i = at.index; i < a.width; i += at.threads) {
        row[i] = x[ulong(token) * a.width + i];
    }
    float scale = ts_row_inverse_rms(row, a.width, a.epsilon, partial, at);
    for (uint i = at.index; i < a.width; i += at.threads) {
        row[i] = row[i] * scale * ts_weight(norm, 1, TS_MUTANT(4, i ^ 1, i));
    }
    threadgroup_barrier(mem_flags::mem_threadgroup);
    uint turn = TS_MUTANT(5, 0, token);
    ts_row_rope(row, a.width, a.rotary, angles + ulong(turn) * a.rotary, at);
}

/* A threadgroup for each token. */
kernel void kv_row(constant ts_kv_row_args &a [[buffer(0)]],
                   device const float *x [[buffer(1)]],
                   device const uchar *norm [[buffer(2)]],
                   device const float *angles [[buffer(3)]],
                   device float *to [[buffer(6)]],
                   uint token [[threadgroup_position_in_grid]],
                   uint index [[thread_index_in_threadgroup]],
                   uint simd [[simdgroup_index_in_threadgroup]],
                   uint lane [[thread_index_in_simdgroup]])
{
    threadgroup float row[TS_ROW_WIDTH], partial[32];
    ts_place at = {index, 256, simd, lane};
    kv_rotated(a, token, x, norm, angles, row, partial, at);
    ts_row_store_fp8(row, a.width, a.round != 0 ? a.width - a.rotary : 0,
                     to + ulong(token) * a.width, at);
}

/* The same for at most as many tokens as the ring has rows, so that each has a slot of its own. */
kernel void kv_row_store(constant ts_kv_row_store_args &a [[buffer(0)]],
                         device const float *x [[buffer(1)]],
                         device const uchar *norm [[buffer(2)]],
                         device const float *angles [[buffer(3)]],
                         device float *to [[buffer(6)]],
                         device float *ring [[buffer(7)]],
                         uint token [[threadgroup_position_in_grid]],
                         uint index [[thread_index_in_threadgroup]],
                         uint simd [[simdgroup_index_in_threadgroup]],
                         uint lane [[thread_index_in_simdgroup]])
{
    threadgroup float row[TS_ROW_WIDTH], partial[32];
    ts_place at = {index, 256, simd, lane};
    uint slot = uint((a.position + TS_MUTANT(13, 1, 0) + token) % a.capacity);
    uint rounded = a.round != 0 ? a.width - a.rotary : 0;
    kv_rotated(a, token, x, norm, angles, row, partial, at);
    ts_row_store_fp8(row, a.width, rounded, to + ulong(token) * a.width, at);
    ts_row_store_fp8(row, a.width, TS_MUTANT(12, 0, rounded), ring + ulong(slot) * a.width, at);
}

/* A thread for each number of a row (x) that stays, of the last `capacity` rows (y). */
kernel void ring_store(constant ts_ring_store_args &a [[buffer(0)]],
                       device const float *rows [[buffer(1)]],
                       device float *ring [[buffer(2)]],
                       uint2 group [[threadgroup_position_in_grid]],
                       uint index [[thread_index_in_threadgroup]])
{
    uint column = 256 * group.x + index;
    uint skipped = a.tokens > a.capacity ? a.tokens - a.capacity : 0;
    uint token = TS_MUTANT(14, 0, skipped) + group.y;
    ulong slot = (a.position + TS_MUTANT(17, uchar(token), token)) % a.capacity;
    if (column < a.width && !TS_MUTANT(15, column + 1 == a.width && group.y == 0, false)) {
        float value = rows[ulong(token) * a.width + column];
        ring[slot * a.width + column] = TS_MUTANT(16, clamp(value, -448.0f, 448.0f), value);
    }
}
