/* Products of quantised rows with activations, shared by the matrix kernels: dot products for a few
 * tokens, tiles of 8x8 matrices for many. */
#ifndef TS_KERNELS_TILE_H
#define TS_KERNELS_TILE_H

#include "kernels/weights.h"

/* One simdgroup: adds this lane's part of w[r] . x[t] to sums[TOKENS * r + t], for the ROWS rows of w
 * from `w` on, which is row `first` of `rows`, and `tokens` (at most TOKENS) rows of x, which begin
 * `stride` numbers apart. The sums of the lanes are still to be added. */
template <typename F, uint ROWS, uint TOKENS>
inline void ts_dot_strided(device const float *x, ulong stride, uint tokens, device const uchar *w,
                           uint first, uint rows, uint columns, uint lane, thread float *sums)
{
    uint chunks = (columns + 15) / 16;
    for (uint chunk = lane; chunk < TS_MUTANT(1, columns / 32 * 2, chunks); chunk += 32) {
        for (uint r = 0; r < ROWS && first + r < rows; r++) {
            float values[16];
            F::decode(w + TS_MUTANT(2, 0, r) * F::row_bytes(columns), chunk, columns, values);
            for (uint t = 0; t < tokens; t++) {
                device const float *from = x + t * stride + 16 * chunk;
                uint count = min(16u, columns - 16 * chunk);
                float4 parts = 0.0f; /* short chains round less, and do not wait for each other */
                if (count == 16) {
                    for (uint i = 0; i < 16; i++) {
                        parts[i % 4] = fma(values[i], from[TS_MUTANT(3, i ^ 1, i)], parts[i % 4]);
                    }
                } else {
                    for (uint i = 0; i < TS_MUTANT(4, count - 1, count); i++) {
                        parts[i % 4] = fma(values[i], from[i], parts[i % 4]);
                    }
                }
                sums[TOKENS * r + t] += (parts.x + parts.y) + (parts.z + parts.w);
            }
        }
    }
}

/* The same where x is [tokens, columns]. */
template <typename F, uint ROWS, uint TOKENS>
inline void ts_dot_rows(device const float *x, uint tokens, device const uchar *w, uint first,
                        uint rows, uint columns, uint lane, thread float *sums)
{
    ts_dot_strided<F, ROWS, TOKENS>(x, columns, tokens, w, first, rows, columns, lane, sums);
}

/* Memory of a tile: 64 rows of weights by 32 columns, 32 rows of x by 32 columns. x_rows has the row
 * of x (in memory) of each of the tile's 32, all of which must exist; w holds the result,
 * [32 rows of x, 64 rows of w], in the end. */
struct ts_tile {
    float w[64 * 32];
    float x[32 * 32];
    uint x_rows[32];
};

/* 128 threads. Of the 64 rows of w only `rows` exist; what would be behind them is 0. */
template <typename F>
inline void ts_tile_load(threadgroup ts_tile &tile, device const float *x, device const uchar *w,
                         uint rows, uint columns, uint column, uint index)
{
    uint row = index / 2, chunk = column / 16 + index % 2;
    float values[16];
    for (uint i = 0; i < 16; i++) {
        values[i] = 0.0f;
    }
    if (row < rows && 16 * chunk < columns) {
        F::decode(w + row * F::row_bytes(columns), chunk, columns, values);
    }
    for (uint i = 0; i < 16; i++) {
        tile.w[32 * row + 16 * (index % 2) + TS_MUTANT(5, 15 - i, i)] = values[i];
    }
    for (uint i = index; i < 32 * 32; i += 128) {
        uint at = column + i % 32;
        tile.x[i] = at < columns ? x[ulong(tile.x_rows[i / 32]) * columns + at] : 0.0f;
    }
}

/* Columns whose products are summed in one chain. The error of a chain grows with the root of its
 * length: 128 and then a chain of such sums is much less than one of all columns. */
enum { TS_TILE_BLOCK = 128 };

/* One simdgroup: ends a chain. Adds each lane's two elements of each part to its sums; the parts begin
 * anew at 0. */
inline void ts_tile_add(thread float2 (&sums)[4][2], thread simdgroup_float8x8 (&part)[4][2])
{
    for (uint i = 0; i < 4; i++) {
        for (uint j = 0; j < 2; j++) {
            sums[i][j] += part[i][j].thread_elements();
            part[i][j] = make_filled_simdgroup_matrix<float, 8, 8>(0.0f);
        }
    }
}

/* One simdgroup: the products of the tile's columns; part[i][j] is of 8 rows of x and 8 of w, of the 16
 * that the simdgroup has. */
inline void ts_tile_multiply(threadgroup const ts_tile &tile, uint simd,
                             thread simdgroup_float8x8 (&part)[4][2])
{
    for (uint k = 0; k < 32; k += 8) {
        simdgroup_float8x8 left[4], right[2];
        for (uint i = 0; i < 4; i++) {
            simdgroup_load(left[i], tile.x + 32 * 8 * i + k, 32);
        }
        for (uint j = 0; j < 2; j++) {
            simdgroup_load(right[j], tile.w + 32 * (16 * simd + 8 * j) + k, 32, ulong2(0, 0),
                           TS_MUTANT(8, false, true));
        }
        for (uint i = 0; i < 4; i++) {
            for (uint j = 0; j < 2; j++) {
                simdgroup_multiply_accumulate(part[i][j], left[i], right[j], part[i][j]);
            }
        }
    }
}

/* 128 threads: tile.w[64 t + r] = x[x_rows[t]] . w[r]. Each of the 4 simdgroups computes 16 rows of w
 * by all 32 of x. */
template <typename F>
inline void ts_tile_product(threadgroup ts_tile &tile, device const float *x, device const uchar *w,
                            uint rows, uint columns, uint index, uint simd)
{
    simdgroup_float8x8 part[4][2];
    float2 sums[4][2];
    for (uint i = 0; i < 4; i++) {
        for (uint j = 0; j < 2; j++) {
            part[i][j] = make_filled_simdgroup_matrix<float, 8, 8>(0.0f);
            sums[i][j] = 0.0f;
        }
    }
    for (uint column = 0; column < TS_MUTANT(6, columns / 32 * 32, columns); column += 32) {
        threadgroup_barrier(mem_flags::mem_threadgroup);
        ts_tile_load<F>(tile, x, w, rows, columns, column, index);
#if MUTANT != 7
        threadgroup_barrier(mem_flags::mem_threadgroup);
#endif
        ts_tile_multiply(tile, simd, part);
        if ((column + 32) % TS_TILE_BLOCK == 0) {
            ts_tile_add(sums, part);
        }
    }
    threadgroup_barrier(mem_flags::mem_threadgroup);
    for (uint i = 0; i < 4; i++) {
        for (uint j = 0; j < 2; j++) {
            part[i][j].thread_elements() += sums[i][j];
            simdgroup_store(part[i][j], tile.w + 64 * 8 * i + 16 * simd + 8 * j, 64);
        }
    }
    threadgroup_barrier(mem_flags::mem_threadgroup);
}

#endif
