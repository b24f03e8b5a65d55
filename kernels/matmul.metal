#include "kernels/weights.h"

#include "kernels/matmul.h"
#include "kernels/tile.h"

/* One token. Two simdgroups, each two rows of w: the lanes take chunks of 16 columns in turn. */
template <typename F>
kernel void matmul_row(constant ts_matmul_args &a [[buffer(0)]],
                       device const float *x [[buffer(1)]],
                       device const uchar *w [[buffer(2)]],
                       device float *y [[buffer(3)]],
                       uint group [[threadgroup_position_in_grid]],
                       uint simd [[simdgroup_index_in_threadgroup]],
                       uint lane [[thread_index_in_simdgroup]])
{
    uint first = 4 * group + 2 * simd;
    float sums[2] = {0.0f, 0.0f};
    ts_dot_rows<F, 2, 1>(x, 1, w + ulong(first) * F::row_bytes(a.columns), first, a.rows, a.columns,
                         lane, sums);
    for (uint r = 0; r < 2; r++) {
        float sum = simd_sum(sums[r]);
        if (lane == 0 && first + r < a.rows) {
            y[first + r] = sum;
        }
    }
}
TS_INSTANTIATE(matmul_row)

/* The same for up to 8 tokens: weights are read and decoded once. */
template <typename F>
kernel void matmul_rows(constant ts_matmul_args &a [[buffer(0)]],
                        device const float *x [[buffer(1)]],
                        device const uchar *w [[buffer(2)]],
                        device float *y [[buffer(3)]],
                        uint group [[threadgroup_position_in_grid]],
                        uint simd [[simdgroup_index_in_threadgroup]],
                        uint lane [[thread_index_in_simdgroup]])
{
    uint first = 4 * group + 2 * simd;
    float sums[2 * 8] = {0.0f};
    ts_dot_rows<F, 2, 8>(x, a.tokens, w + ulong(first) * F::row_bytes(a.columns), first, a.rows,
                         a.columns, lane, sums);
    for (uint r = 0; r < 2; r++) {
        for (uint t = 0; t < a.tokens; t++) {
            float sum = simd_sum(sums[8 * r + t]);
            if (lane == 0 && first + r < a.rows) {
                y[ulong(t) * a.rows + first + r] = sum;
            }
        }
    }
}
TS_INSTANTIATE(matmul_rows)

/* Two products of the same x, for up to TOKENS tokens: the rows of wa in threadgroups of 4, then those
 * of wb. */
template <typename F, uint TOKENS>
inline void pair_rows(constant ts_matmul_pair_args &a, device const float *x,
                      device const uchar *wa, device const uchar *wb, device float *ya,
                      device float *yb, uint tokens, uint group, uint simd, uint lane)
{
    uint groups = (a.rows_a + 3) / 4;
    bool second = group >= groups;
    uint first = 4 * (second ? group - groups : group) + 2 * simd;
    uint rows = second ? a.rows_b : a.rows_a;
    device const uchar *w = TS_MUTANT(20, wa, second ? wb : wa);
    device float *y = second ? yb : ya;
    float sums[2 * TOKENS] = {0.0f};
    ts_dot_rows<F, 2, TOKENS>(x, tokens, w + ulong(first) * F::row_bytes(a.columns), first, rows,
                              a.columns, lane, sums);
    for (uint r = 0; r < 2; r++) {
        for (uint t = 0; t < tokens; t++) {
            float sum = simd_sum(sums[TOKENS * r + t]);
            if (lane == 0 && first + r < rows) {
                bool last = second && first + r + 1 == rows && t + 1 == tokens;
                y[ulong(t) * rows + first + r] = TS_MUTANT(21, last ? 0.0f : sum, sum);
            }
        }
    }
}

template <typename F>
kernel void matmul_pair_row(constant ts_matmul_pair_args &a [[buffer(0)]],
                            device const float *x [[buffer(1)]],
                            device const uchar *wa [[buffer(2)]],
                            device const uchar *wb [[buffer(3)]],
                            device float *ya [[buffer(4)]],
                            device float *yb [[buffer(5)]],
                            uint group [[threadgroup_position_in_grid]],
                            uint simd [[simdgroup_index_in_threadgroup]],
                            uint lane [[thread_index_in_simdgroup]])
{
    pair_rows<F, 1>(a, x, wa, wb, ya, yb, 1, group, simd, lane);
}
TS_INSTANTIATE(matmul_pair_row)

template <typename F>
kernel void matmul_pair_rows(constant ts_matmul_pair_args &a [[buffer(0)]],
                             device const float *x [[buffer(1)]],
                             device const uchar *wa [[buffer(2)]],
                             device const uchar *wb [[buffer(3)]],
                             device float *ya [[buffer(4)]],
                             device float *yb [[buffer(5)]],
                             uint group [[threadgroup_position_in_grid]],
                             uint simd [[simdgroup_index_in_threadgroup]],
                             uint lane [[thread_index_in_simdgroup]])
{
    pair_rows<F, 8>(a, x, wa, wb, ya, yb, a.tokens, group, simd, lane);
}
TS_INSTANTIATE(matmul_pair_rows)

/* Any number of tokens: tiles of 64 rows of w by 32 tokens, multiplied as 8x8 matrices. */
template <typename F>
kernel void matmul_tile(constant ts_matmul_args &a [[buffer(0)]],
                        device const float *x [[buffer(1)]],
                        device const uchar *w [[buffer(2)]],
                        device float *y [[buffer(3)]],
                        uint2 group [[threadgroup_position_in_grid]],
                        uint index [[thread_index_in_threadgroup]],
                        uint simd [[simdgroup_index_in_threadgroup]])
{
    threadgroup ts_tile tile;
    uint row = 64 * group.x, token = 32 * group.y;
    uint rows = min(64u, a.rows - row), tokens = min(32u, a.tokens - token);
    for (uint t = index; t < 32; t += 128) {
        tile.x_rows[t] = token + min(t, tokens - 1);
    }
    ts_tile_product<F>(tile, x, w + ulong(row) * F::row_bytes(a.columns), rows, a.columns, index,
                       simd);
    for (uint i = index; i < tokens * 64; i += 128) {
        if (i % 64 < rows) {
            y[ulong(token + i / 64) * a.rows + row + i % 64] = tile.w[i];
        }
    }
}
TS_INSTANTIATE(matmul_tile)
