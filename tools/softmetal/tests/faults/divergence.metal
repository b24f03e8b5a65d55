// Meetings to which not all come.
#include <metal_stdlib>
using namespace metal;

kernel void barrier_after_return(device float *out [[buffer(0)]],
                                 uint tid [[thread_index_in_threadgroup]])
{
    threadgroup float a[128];
#ifdef FAULT
    if (tid >= 100) {
        return;
    }
#endif
    a[tid] = tid;
    threadgroup_barrier(mem_flags::mem_threadgroup); // FAULT barrier_after_return barrier
    out[tid] = a[tid ^ 1];
}

kernel void barrier_in_branch(device float *out [[buffer(0)]],
                              uint tid [[thread_index_in_threadgroup]])
{
    threadgroup float a[128];
    a[tid] = tid;
    threadgroup_barrier(mem_flags::mem_threadgroup);
    if (tid < 64) {
        out[tid] = a[tid + 1];
#ifdef FAULT
        threadgroup_barrier(mem_flags::mem_threadgroup); // FAULT barrier_in_branch barrier
#endif
    }
    threadgroup_barrier(mem_flags::mem_none);
}

kernel void sum_in_branch(device float *out [[buffer(0)]],
                          uint tid [[thread_index_in_threadgroup]],
                          uint lane [[thread_index_in_simdgroup]])
{
    float v = lane < 20 ? 1.0f : 0.0f;
#ifdef FAULT
    if (lane < 20) {
        v = simd_sum(v); // FAULT sum_in_branch simd
    }
#else
    v = simd_sum(v);
#endif
    out[tid] = v;
}

kernel void shuffle_in_loop(device float *out [[buffer(0)]],
                            uint tid [[thread_index_in_threadgroup]],
                            uint lane [[thread_index_in_simdgroup]])
{
    float v = lane;
#ifdef FAULT
    uint turns = lane;
#else
    uint turns = 3;
#endif
    for (uint i = 0; i < turns; i++) {
        v += simd_shuffle_xor(v, 1); // FAULT shuffle_in_loop simd
    }
    out[tid] = v;
}

kernel void matrix_in_branch(device const float *in [[buffer(0)]],
                             device float *out [[buffer(1)]],
                             uint lane [[thread_index_in_simdgroup]],
                             uint simd [[simdgroup_index_in_threadgroup]])
{
    simdgroup_float8x8 m;
    simdgroup_load(m, in, 8);
#ifdef FAULT
    if (lane < 16) {
        simdgroup_multiply(m, m, m); // FAULT matrix_in_branch simd
    }
#else
    simdgroup_multiply(m, m, m);
#endif
    simdgroup_store(m, out + simd * 64, 8);
}

// What MSL defines for the lanes that are there; the fault asks for more.
kernel void first_in_branch(device float *out [[buffer(0)]],
                            uint tid [[thread_index_in_threadgroup]],
                            uint lane [[thread_index_in_simdgroup]])
{
    out[tid] = 0.0f;
    if (lane >= 5) {
        float4 first = simd_broadcast_first(float4(lane));
        out[tid] = first.w + simd_broadcast_first(float(lane)) + (simd_any(lane == 6) ? 1 : 0);
#ifdef FAULT
        out[tid] += simd_broadcast(float(lane), 0); // FAULT first_in_branch simd
#endif
    }
}
