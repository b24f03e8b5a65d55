/* rms_norm, wrong on purpose (tests/metal_planted_test.c). Planted bugs 1 to 3: the second run
 * gives another float, leaves one out, writes the byte before its output; 4: every run writes an
 * input. Without them every output is off by OFF, which the test puts in. */
#include "kernels/shader.h"

#include "kernels/norm.h"

#ifndef OFF
#define OFF 0.0f
#endif

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
    for (uint i = index; i < a.width; i += threads) {
        sum += from[i] * from[i];
    }
    sum = ts_threadgroup_sum(sum, partial, simd, threads / 32, lane);
    float scale = rsqrt(sum / float(a.width) + a.epsilon);
    /* What is bound for an empty operand is nobody's, so that it is still there in the second run.
     * */
    device uint *runs = (device uint *)weight;
    bool second = ts_empty(1) && row == 0 && index == 0 && (runs[0] & 1) != 0;
    for (uint i = index; i < a.width; i += threads) {
        float factor = ts_empty(1) ? 1.0f : ts_weight(weight, 1, i);
        float value = from[i] * scale * factor * (1.0f + OFF);
        if (MUTANT == 1 && second && i == 0) {
            value = as_type<float>(as_type<uint>(value) ^ 1);
        }
        if (MUTANT != 2 || !second || i > 0) {
            to[i] = value;
        }
    }
    if (MUTANT == 3 && second) {
        ((device uchar *)y)[-1] ^= 1;
    }
    if (MUTANT == 4 && row == 0 && index == 0) {
        ((device uchar *)x)[4 * ulong(a.rows) * a.width - 1] ^= 1;
    }
    if (ts_empty(1) && row == 0 && index == 0) {
        runs[0] += 1;
    }
}
