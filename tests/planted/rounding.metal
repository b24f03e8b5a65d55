/* Kernels that are wrong on purpose (tests/metal_planted_test.c): one that does not end, one that
 * is a single float off where every order of sums gives the same, and one that is right. */
#include "kernels/shader.h"

#include "kernels/rounding.h"
#include "kernels/rows.h"

kernel void fp8_round(constant ts_fp8_round_args &a [[buffer(0)]],
                      device const float *x [[buffer(1)]],
                      device volatile float *y [[buffer(2)]],
                      uint index [[thread_index_in_threadgroup]])
{
    while (index > 0 || a.width > 0) {
        y[0] = x[0];
        threadgroup_barrier(mem_flags::mem_device);
    }
}

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
        bool off = row[i] != 0.0f && first + i == 0;
        y[first + i] = off ? as_type<float>(as_type<uint>(row[i]) ^ 1) : row[i];
    }
}

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
        y[element] = ts_fp4_block(x[element]);
    }
}
