#include "kernels/shader.h"

/* Does this device compute at all? One simdgroup: out[0] is the sum of 1 to 32, then the product
 * of two 8x8 matrices of small integers, a[i][j] = i + 2 j and b[i][j] = 3 i - j, all exact. No
 * operation of the model. */
kernel void probe(device float *out [[buffer(0)]], uint lane [[thread_index_in_simdgroup]])
{
    threadgroup float a[64], b[64];
    for (uint i = lane; i < 64; i += 32) {
        a[i] = float(i / 8) + 2.0f * float(i % 8);
        b[i] = 3.0f * float(i / 8) - float(i % 8);
    }
    threadgroup_barrier(mem_flags::mem_threadgroup);
    float sum = simd_sum(float(lane + 1));
    if (lane == 0) {
        out[0] = sum;
    }
    simdgroup_float8x8 left, right, product = make_filled_simdgroup_matrix<float, 8, 8>(0.0f);
    simdgroup_load(left, a, 8);
    simdgroup_load(right, b, 8);
    simdgroup_multiply_accumulate(product, left, right, product);
    simdgroup_store(product, out + 1, 8);
}
