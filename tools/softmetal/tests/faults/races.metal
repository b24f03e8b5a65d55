// Each fault is behind FAULT; the line that is wrong carries a mark. Without FAULT: correct.
#include <metal_stdlib>
using namespace metal;

// A sum over the threadgroup whose loop lacks the barrier between its steps.
kernel void missing_barrier(device const float *in [[buffer(0)]], device float *out [[buffer(1)]],
                            threadgroup float *sum [[threadgroup(0)]],
                            uint tid [[thread_index_in_threadgroup]],
                            uint n [[threads_per_threadgroup]])
{
    sum[tid] = in[tid];
    threadgroup_barrier(mem_flags::mem_threadgroup);
    for (uint step = n / 2; step > 0; step /= 2) {
        if (tid < step) {
            sum[tid] += sum[tid + step]; // FAULT missing_barrier race
        }
#ifndef FAULT
        threadgroup_barrier(mem_flags::mem_threadgroup);
#endif
    }
    if (tid == 0) {
        out[0] = sum[0];
    }
}

// The barrier is there, but orders the wrong memory.
kernel void wrong_flag(device float *data [[buffer(0)]],
                       threadgroup float *copy [[threadgroup(0)]],
                       uint tid [[thread_index_in_threadgroup]],
                       uint n [[threads_per_threadgroup]])
{
    copy[tid] = data[tid];
#ifdef FAULT
    threadgroup_barrier(mem_flags::mem_device);
#else
    threadgroup_barrier(mem_flags::mem_threadgroup);
#endif
    data[tid] = copy[n - 1 - tid]; // FAULT wrong_flag race
}

// Lanes of one simdgroup pass values through memory: that needs a simdgroup_barrier.
kernel void missing_simd_barrier(device const float *in [[buffer(0)]],
                                 device float *out [[buffer(1)]],
                                 uint lane [[thread_index_in_simdgroup]],
                                 uint tid [[thread_index_in_threadgroup]],
                                 uint simd [[simdgroup_index_in_threadgroup]])
{
    threadgroup float row[4][32];
    row[simd][lane] = in[tid];
#ifndef FAULT
    simdgroup_barrier(mem_flags::mem_threadgroup);
#endif
    out[tid] = row[simd][lane ^ 1]; // FAULT missing_simd_barrier race
}

// A simdgroup_barrier does not order simdgroups.
kernel void simd_barrier_for_group(device const float *in [[buffer(0)]],
                                   device float *out [[buffer(1)]],
                                   uint tid [[thread_index_in_threadgroup]],
                                   uint n [[threads_per_threadgroup]])
{
    threadgroup float row[128];
    row[tid] = in[tid];
#ifdef FAULT
    simdgroup_barrier(mem_flags::mem_threadgroup);
#else
    threadgroup_barrier(mem_flags::mem_threadgroup);
#endif
    out[tid] = row[(tid + 32) % n]; // FAULT simd_barrier_for_group race
}

// Memory is used again before all have read it.
kernel void reuse(device const float *in [[buffer(0)]], device float *out [[buffer(1)]],
                  uint tid [[thread_index_in_threadgroup]], uint n [[threads_per_threadgroup]])
{
    threadgroup float row[128];
    float sum = 0;
    for (uint i = 0; i < 3; i++) {
        row[tid] = in[tid] + i; // FAULT reuse race
        threadgroup_barrier(mem_flags::mem_threadgroup);
        sum += row[n - 1 - tid];
#ifndef FAULT
        threadgroup_barrier(mem_flags::mem_threadgroup);
#endif
    }
    out[tid] = sum;
}

// Threadgroups count into one place.
kernel void count_groups(device uint *count [[buffer(0)]],
                         uint tid [[thread_index_in_threadgroup]])
{
    if (tid == 0) {
#ifdef FAULT
        count[0] += 1; // FAULT count_groups groups
#else
        atomic_fetch_add_explicit((device atomic_uint *)count, 1u, memory_order_relaxed);
#endif
    }
}

// Every threadgroup writes one element more than its own part.
kernel void overlap(device half *out [[buffer(0)]], uint tid [[thread_index_in_threadgroup]],
                    uint group [[threadgroup_position_in_grid]],
                    uint n [[threads_per_threadgroup]])
{
#ifdef FAULT
    uint part = n - 1;
#else
    uint part = n;
#endif
    out[group * part + tid] = half(tid); // FAULT overlap groups
}

// A plain read beside atomic writes.
kernel void plain_beside_atomic(device uint *out [[buffer(0)]],
                                uint tid [[thread_index_in_threadgroup]])
{
    threadgroup atomic_uint count;
    if (tid == 0) {
        atomic_store_explicit(&count, 0u, memory_order_relaxed);
    }
    threadgroup_barrier(mem_flags::mem_threadgroup);
    atomic_fetch_add_explicit(&count, tid, memory_order_relaxed);
#ifndef FAULT
    threadgroup_barrier(mem_flags::mem_threadgroup);
#endif
    threadgroup uint *plain = (threadgroup uint *)&count;
    out[tid] = *plain; // FAULT plain_beside_atomic race
}

// Neighbouring bytes belong to different threads: no race, but one byte more is.
kernel void bytes(device uchar *out [[buffer(0)]], uint tid [[thread_index_in_threadgroup]])
{
    threadgroup uchar row[130];
    row[tid] = uchar(tid);
#ifdef FAULT
    row[tid + 1] = uchar(tid); // FAULT bytes race
#endif
    threadgroup_barrier(mem_flags::mem_threadgroup);
    out[tid] = row[tid];
}

// The tile is loaded before the other lanes have stored it.
kernel void tile_too_early(device const float *in [[buffer(0)]], device float *out [[buffer(1)]],
                           uint lane [[thread_index_in_simdgroup]],
                           uint simd [[simdgroup_index_in_threadgroup]])
{
    threadgroup float tiles[4][64];
    for (uint i = lane; i < 64; i += 32) {
        tiles[simd][i] = in[i];
    }
#ifndef FAULT
    simdgroup_barrier(mem_flags::mem_threadgroup);
#endif
    simdgroup_float8x8 m;
    simdgroup_load(m, tiles[simd], 8); // FAULT tile_too_early race
    simdgroup_multiply(m, m, m);
    simdgroup_store(m, out + simd * 64, 8);
}
