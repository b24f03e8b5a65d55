// What the bench measures: the three shapes of work that a transformer is made of.
#include <metal_stdlib>
using namespace metal;

struct shape {
    uint rows, columns;
    float epsilon;
    uint spare;
};

struct block_q8_0 {
    half scale;
    char codes[32];
};

// One simdgroup per two rows; each lane walks the blocks of 32 columns.
kernel void q8_0_matvec(device const block_q8_0 *matrix [[buffer(0)]],
                        device const float *x [[buffer(1)]],
                        device float *y [[buffer(2)]],
                        constant shape &s [[buffer(3)]],
                        uint group [[threadgroup_position_in_grid]],
                        uint simd [[simdgroup_index_in_threadgroup]],
                        uint lane [[thread_index_in_simdgroup]])
{
    uint row = (group * 4 + simd) * 2;
    if (row >= s.rows) {
        return;
    }
    uint blocks = s.columns / 32;
    device const block_q8_0 *a = matrix + ulong(row) * blocks;
    device const block_q8_0 *b = a + blocks;
    float sum_a = 0.0, sum_b = 0.0;
    for (uint i = lane; i < blocks; i += 32) {
        float part_a = 0.0, part_b = 0.0;
        for (uint k = 0; k < 32; k++) {
            float v = x[i * 32 + k];
            part_a += v * a[i].codes[k];
            part_b += v * b[i].codes[k];
        }
        sum_a += part_a * float(a[i].scale);
        sum_b += part_b * float(b[i].scale);
    }
    sum_a = simd_sum(sum_a);
    sum_b = simd_sum(sum_b);
    if (lane == 0) {
        y[row] = sum_a;
        y[row + 1] = sum_b;
    }
}

// A threadgroup of 128 makes a 64x64 tile of C = A * B from staged 64x32 and 32x64 tiles.
kernel void matmul(device const float *a [[buffer(0)]],
                   device const float *b [[buffer(1)]],
                   device float *c [[buffer(2)]],
                   constant shape &s [[buffer(3)]],
                   threadgroup float *staged [[threadgroup(0)]],
                   uint2 group [[threadgroup_position_in_grid]],
                   ushort index [[thread_index_in_threadgroup]],
                   ushort simd [[simdgroup_index_in_threadgroup]])
{
    threadgroup float *sa = staged, *sb = staged + 64 * 32;
    uint n = s.columns, row = group.y * 64, column = group.x * 64;
    simdgroup_float8x8 sums[4][4];
    for (int i = 0; i < 4; i++) {
        for (int k = 0; k < 4; k++) {
            sums[i][k] = make_filled_simdgroup_matrix<float, 8>(0.0f);
        }
    }
    uint sub_row = simd / 2 * 32, sub_column = simd % 2 * 32;
    for (uint at = 0; at < n; at += 32) {
        for (uint i = index * 4; i < 64 * 32; i += 128 * 4) {
            *(threadgroup float4 *)(sa + i) =
                *(device const float4 *)(a + (row + i / 32) * n + at + i % 32);
            *(threadgroup float4 *)(sb + i) =
                *(device const float4 *)(b + (at + i / 64) * n + column + i % 64);
        }
        threadgroup_barrier(mem_flags::mem_threadgroup);
        for (uint k = 0; k < 32; k += 8) {
            simdgroup_float8x8 left[4], right[4];
            for (uint i = 0; i < 4; i++) {
                simdgroup_load(left[i], sa + (sub_row + i * 8) * 32 + k, 32);
                simdgroup_load(right[i], sb + k * 64 + sub_column + i * 8, 64);
            }
            for (uint i = 0; i < 4; i++) {
                for (uint j = 0; j < 4; j++) {
                    simdgroup_multiply_accumulate(sums[i][j], left[i], right[j], sums[i][j]);
                }
            }
        }
        threadgroup_barrier(mem_flags::mem_threadgroup);
    }
    for (uint i = 0; i < 4; i++) {
        for (uint j = 0; j < 4; j++) {
            simdgroup_store(sums[i][j],
                            c + (row + sub_row + i * 8) * n + column + sub_column + j * 8, n);
        }
    }
}

// A threadgroup of 256 per row.
kernel void rms_norm(device const float4 *x [[buffer(0)]],
                     device const float4 *weight [[buffer(1)]],
                     device float4 *y [[buffer(2)]],
                     constant shape &s [[buffer(3)]],
                     uint group [[threadgroup_position_in_grid]],
                     uint index [[thread_position_in_threadgroup]],
                     uint simd [[simdgroup_index_in_threadgroup]],
                     uint lane [[thread_index_in_simdgroup]],
                     uint threads [[threads_per_threadgroup]])
{
    threadgroup float partial[32];
    uint n = s.columns / 4;
    device const float4 *row = x + ulong(group) * n;
    float sum = 0.0;
    for (uint i = index; i < n; i += threads) {
        sum += dot(row[i], row[i]);
    }
    sum = simd_sum(sum);
    if (lane == 0) {
        partial[simd] = sum;
    }
    threadgroup_barrier(mem_flags::mem_threadgroup);
    sum = simd_sum(lane < threads / 32 ? partial[lane] : 0.0);
    float scale = rsqrt(sum / s.columns + s.epsilon);
    for (uint i = index; i < n; i += threads) {
        y[ulong(group) * n + i] = row[i] * scale * weight[i];
    }
}
