#include "kernels/shader.h"

#include "kernels/norm.h"

/* A threadgroup of 256 for each row. */
kernel void rms_norm(constant ts_rms_norm_args &a [[buffer(0)]],
                     device const float *x [[buffer(1)]],
                     device const uchar *weight [[buffer(2)]],
                     device float *y [[buffer(3)]],
                     uint row [[threadgroup_position_in_grid]],
                     uint index [[thread_index_in_threadgroup]],
                     uint threads [[threads_per_threadgroup]],
                     uint simd [[simdgroup_index_in_threadgroup]],
                     uint lane [[thread_index_in_simdgroup]])
{
    threadgroup float partial[32];
    device const float *from = x + ulong(row) * a.width;
    device float *to = y + ulong(row) * a.width;
    float sum = 0.0f;
    for (uint i = index; i < TS_MUTANT(1, a.width / 32 * 32, a.width); i += threads) {
        sum += from[i] * from[i];
    }
    sum = ts_threadgroup_sum(sum, partial, simd, threads / 32, lane);
    float mean = sum / float(TS_MUTANT(2, a.width - 1, a.width));
    float scale = rsqrt(mean + TS_MUTANT(3, 0.0f, a.epsilon));
    scale = TS_MUTANT(6, max(scale, 0.0f), scale);
    scale = TS_MUTANT(7, a.width % 512 == 0 ? rsqrt(mean + 1e-9f) : scale, scale);
    for (uint i = index; i < a.width; i += threads) {
        float factor = ts_empty(1) ? 1.0f : ts_weight(weight, 1, TS_MUTANT(4, i ^ 1, i));
        to[i] = from[i] * scale *
                TS_MUTANT(5, row + 1 == a.rows && i + 1 == a.width ? 1.0f : factor, factor);
    }
}
