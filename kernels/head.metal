#include "kernels/shader.h"

#include "kernels/head.h"
#include "kernels/mix.h"

/* A thread for each stream of a token. */
kernel void head_weights(constant ts_head_weights_args &a [[buffer(0)]],
                         device const float *mix [[buffer(1)]],
                         device const uchar *base [[buffer(2)]],
                         device const uchar *scale [[buffer(3)]],
                         device float *pre [[buffer(4)]],
                         uint i [[thread_position_in_grid]])
{
    if (i < a.tokens * a.streams) {
        uint stream = TS_MUTANT(5, i == 65 ? 0 : i % a.streams, i % a.streams);
        uint from = TS_MUTANT(7, i & 65535, i);
        float z = mix[from] * ts_weight(scale, 2, 0) + ts_weight(base, 1, stream);
        z = TS_MUTANT(6, min(z, 80.0f), z);
        pre[i] = ts_sigmoid(z) + TS_MUTANT(4, 0.0f, a.epsilon);
    }
}

/* A threadgroup of 1024 for each token. */
[[max_total_threads_per_threadgroup(1024)]]
kernel void head_collapse(constant ts_head_collapse_args &a [[buffer(0)]],
                          device const float *streams [[buffer(1)]],
                          device const uchar *fn [[buffer(2)]],
                          device const uchar *base [[buffer(3)]],
                          device const uchar *scale [[buffer(4)]],
                          device const uchar *norm [[buffer(5)]],
                          device float *normed [[buffer(9)]],
                          uint group [[threadgroup_position_in_grid]],
                          uint index [[thread_index_in_threadgroup]])
{
    threadgroup float parts[TS_MIX_PARTS], pre[TS_MIX_STREAMS];
    uint columns = a.streams * a.width;
    device const float *x = streams + ulong(group) * columns;
    device float *to = normed + ulong(group) * a.width;
    ts_mix_sums(x, fn, 1, a.streams, columns, parts, index, 1024);
    if (index < a.streams) {
        float mix = parts[32 * (1 + index)] * ts_mix_scale(parts, columns, a.norm_epsilon);
        float z = mix * ts_weight(scale, 3, 0) + ts_weight(base, 2, index);
        pre[index] = ts_sigmoid(z) + TS_MUTANT(4, 0.0f, a.hc_epsilon);
    }
    threadgroup_barrier(mem_flags::mem_threadgroup);
    ts_mix_reduce_norm(x, pre, a.streams, a.width, a.norm_epsilon, norm, 4, to, to, parts, index,
                       1024);
}
