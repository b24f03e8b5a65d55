#include "kernels/weights.h"

#include "kernels/expand.h"
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

/* Two products of the same x, for up to TOKENS tokens: the rows of wa in threadgroups of 4, then
 * those of wb. */
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
            uint from = TS_MUTANT(23, tokens == 7 && t == 6 ? 5 : t, t);
            float sum = simd_sum(sums[TOKENS * r + from]);
            sum = TS_MUTANT(22, fabs(sum) < INFINITY ? sum : 0.0f, sum);
            if (lane == 0 && first + r < rows) {
                y[ulong(t) * rows + first + r] = TS_MUTANT(
                    21, second && first + r + 1 == rows && t + 1 == tokens ? 0.0f : sum, sum);
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
    ulong place = TS_MUTANT(14, row & 4095, row);
    ts_tile_product<F>(tile, x, w + place * F::row_bytes(a.columns), rows, a.columns, index, simd);
    for (uint i = index; i < tokens * 64; i += 128) {
        if (i % 64 < rows) {
            y[ulong(token + i / 64) * a.rows + row + i % 64] = tile.w[i];
        }
    }
}
TS_INSTANTIATE(matmul_tile)

/* Up to TOKENS tokens of a grouped product: a group of heads has rows of w and columns of x of its
 * own. Two simdgroups, each two rows of w. */
template <typename F, uint TOKENS>
inline void grouped_rows(constant ts_matmul_grouped_args &a, device const float *x,
                         device const uchar *w, device float *y, uint tokens, uint2 group,
                         uint simd, uint lane)
{
    uint first = 4 * group.x + 2 * simd;
    float sums[2 * TOKENS] = {0.0f};
    ts_dot_strided<F, 2, TOKENS>(x + ulong(TS_MUTANT(9, 0, group.y)) * a.columns,
                                 ulong(a.groups) * a.columns, tokens,
                                 w + (ulong(group.y) * a.rows + first) * F::row_bytes(a.columns),
                                 first, a.rows, a.columns, lane, sums);
    for (uint r = 0; r < 2; r++) {
        for (uint t = 0; t < tokens; t++) {
            float sum = simd_sum(sums[TOKENS * r + t]);
            if (lane == 0 && first + r < a.rows) {
                y[(ulong(t) * a.groups + group.y) * a.rows + first + r] = sum;
            }
        }
    }
}

template <typename F>
kernel void matmul_grouped_row(constant ts_matmul_grouped_args &a [[buffer(0)]],
                               device const float *x [[buffer(1)]],
                               device const uchar *w [[buffer(2)]],
                               device float *y [[buffer(3)]],
                               uint2 group [[threadgroup_position_in_grid]],
                               uint simd [[simdgroup_index_in_threadgroup]],
                               uint lane [[thread_index_in_simdgroup]])
{
    grouped_rows<F, 1>(a, x, w, y, 1, group, simd, lane);
}
TS_INSTANTIATE(matmul_grouped_row)

template <typename F>
kernel void matmul_grouped_rows(constant ts_matmul_grouped_args &a [[buffer(0)]],
                                device const float *x [[buffer(1)]],
                                device const uchar *w [[buffer(2)]],
                                device float *y [[buffer(3)]],
                                uint2 group [[threadgroup_position_in_grid]],
                                uint simd [[simdgroup_index_in_threadgroup]],
                                uint lane [[thread_index_in_simdgroup]])
{
    grouped_rows<F, 8>(a, x, w, y, a.tokens, group, simd, lane);
}
TS_INSTANTIATE(matmul_grouped_rows)

/* Any number of tokens, in tiles as matmul_tile; the grid's z is the group. */
template <typename F>
kernel void matmul_grouped_tile(constant ts_matmul_grouped_args &a [[buffer(0)]],
                                device const float *x [[buffer(1)]],
                                device const uchar *w [[buffer(2)]],
                                device float *y [[buffer(3)]],
                                uint3 group [[threadgroup_position_in_grid]],
                                uint index [[thread_index_in_threadgroup]],
                                uint simd [[simdgroup_index_in_threadgroup]])
{
    threadgroup ts_tile tile;
    uint row = 64 * group.x, token = 32 * group.y;
    uint rows = min(64u, a.rows - row), tokens = min(32u, a.tokens - token);
    for (uint t = index; t < 32; t += 128) {
        tile.x_rows[t] = (token + min(t, tokens - 1)) * a.groups + TS_MUTANT(9, 0, group.z);
    }
    ts_tile_product<F>(tile, x, w + (ulong(group.z) * a.rows + row) * F::row_bytes(a.columns), rows,
                       a.columns, index, simd);
    for (uint i = index; i < 64 * tokens; i += 128) {
        if (i % 64 < rows) {
            ulong at = ulong(token + i / 64) * a.groups + group.z;
            ulong element = at * a.rows + row + i % 64;
            y[element] = tile.w[TS_MUTANT(
                10, element + 1 == ulong(a.tokens) * a.groups * a.rows ? i - 1 : i, i)];
        }
    }
}
TS_INSTANTIATE(matmul_grouped_tile)

/* Up to TOKENS tokens of a product that goes to the residual streams at once. */
template <typename F, uint TOKENS>
inline void expand_rows(constant ts_matmul_expand_args &a, device const float *x,
                        device const uchar *w, thread const ts_mixing &mixing, uint tokens,
                        uint first, uint lane)
{
    float sums[2 * TOKENS] = {0.0f};
    ts_dot_rows<F, 2, TOKENS>(x, tokens, w + ulong(first) * F::row_bytes(a.columns), first, a.rows,
                              a.columns, lane, sums);
    for (uint r = 0; r < 2; r++) {
        for (uint t = 0; t < tokens; t++) {
            float sum = simd_sum(sums[TOKENS * r + t]);
            if (first + r < a.rows) {
                ts_expand_column(mixing, t, first + r, sum, lane);
            }
        }
    }
}

template <typename F>
kernel void matmul_expand_row(constant ts_matmul_expand_args &a [[buffer(0)]],
                              device const float *x [[buffer(1)]],
                              device const uchar *w [[buffer(2)]],
                              device const float *streams [[buffer(3)]],
                              device const float *post [[buffer(4)]],
                              device const float *comb [[buffer(5)]],
                              device float *expanded [[buffer(7)]],
                              uint group [[threadgroup_position_in_grid]],
                              uint simd [[simdgroup_index_in_threadgroup]],
                              uint lane [[thread_index_in_simdgroup]])
{
    const ts_mixing mixing = {streams, post, comb, expanded, a.streams, a.rows};
    expand_rows<F, 1>(a, x, w, mixing, 1, 4 * group + 2 * simd, lane);
}
TS_INSTANTIATE(matmul_expand_row)

template <typename F>
kernel void matmul_expand_rows(constant ts_matmul_expand_args &a [[buffer(0)]],
                               device const float *x [[buffer(1)]],
                               device const uchar *w [[buffer(2)]],
                               device const float *streams [[buffer(3)]],
                               device const float *post [[buffer(4)]],
                               device const float *comb [[buffer(5)]],
                               device float *expanded [[buffer(7)]],
                               uint group [[threadgroup_position_in_grid]],
                               uint simd [[simdgroup_index_in_threadgroup]],
                               uint lane [[thread_index_in_simdgroup]])
{
    const ts_mixing mixing = {streams, post, comb, expanded, a.streams, a.rows};
    expand_rows<F, 8>(a, x, w, mixing, a.tokens, 4 * group + 2 * simd, lane);
}
TS_INSTANTIATE(matmul_expand_rows)
