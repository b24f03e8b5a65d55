#include "kernels/shader.h"

#include "kernels/rounding.h"
#include "kernels/rows.h"

/* Four simdgroups, a block of 64 each. */
kernel void fp8_round(constant ts_fp8_round_args &a [[buffer(0)]],
                      device const float *x [[buffer(1)]],
                      device float *y [[buffer(2)]],
                      uint2 group [[threadgroup_position_in_grid]],
                      uint simd [[simdgroup_index_in_threadgroup]],
                      uint lane [[thread_index_in_simdgroup]])
{
    uint first = 64 * (4 * group.x + simd);
    device const float *from = x + ulong(group.y) * a.width;
    device float *to = y + ulong(group.y) * a.width;
    if (first < a.rounded) {
        float2 rounded = ts_fp8_block(float2(from[first + lane], from[first + 32 + lane]));
        to[first + lane] = rounded.x;
        to[first + 32 + lane] = rounded.y;
        return;
    }
    uint end = min(first + 64, a.width);
    for (uint i = first + lane; i < end; i += 32) {
        to[i] = from[TS_MUTANT(4, group.y + 1 == a.rows && i + 1 == a.width ? i - 1 : i, i)];
    }
}

/* A threadgroup of 64 for each row. */
kernel void hadamard(constant ts_hadamard_args &a [[buffer(0)]],
                     device const float *x [[buffer(1)]],
                     device float *y [[buffer(2)]],
                     uint group [[threadgroup_position_in_grid]],
                     uint index [[thread_index_in_threadgroup]],
                     uint simd [[simdgroup_index_in_threadgroup]],
                     uint lane [[thread_index_in_simdgroup]])
{
    threadgroup float row[TS_ROW_WIDTH];
    ts_place at = {index, 64, simd, lane};
    ulong first = ulong(group) * a.width;
    for (uint i = index; i < a.width; i += 64) {
        row[i] = x[first + i];
    }
    threadgroup_barrier(mem_flags::mem_threadgroup);
    ts_row_hadamard(row, a.width, at);
    for (uint i = index; i < a.width; i += 64) {
        y[first + i] = row[i];
    }
}

/* Four simdgroups, a block of 32 each. */
kernel void fp4_round(constant ts_fp4_round_args &a [[buffer(0)]],
                      device const float *x [[buffer(1)]],
                      device float *y [[buffer(2)]],
                      uint2 group [[threadgroup_position_in_grid]],
                      uint simd [[simdgroup_index_in_threadgroup]],
                      uint lane [[thread_index_in_simdgroup]])
{
    uint column = 32 * (4 * group.x + simd) + lane;
    ulong element = ulong(group.y) * a.width + column;
    if (column < a.width) {
        ulong from = TS_MUTANT(13, ushort(group.y) * ulong(a.width) + column, element);
        float rounded = ts_fp4_block(x[from]);
        y[element] = TS_MUTANT(12, max(rounded, -FLT_MAX), rounded);
    }
}
