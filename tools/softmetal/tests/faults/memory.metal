// Accesses that are wrong by themselves.
#include <metal_stdlib>
using namespace metal;

kernel void read_past_end(device const float *in [[buffer(0)]], device float *out [[buffer(1)]],
                          constant uint &n [[buffer(2)]], uint i [[thread_position_in_grid]])
{
#ifdef FAULT
    float next = in[i + 1]; // FAULT read_past_end read
#else
    float next = i + 1 < n ? in[i + 1] : 0.0f;
#endif
    out[i] = in[i] + next;
}

kernel void write_past_end(device float *out [[buffer(0)]], constant uint &n [[buffer(2)]],
                           uint i [[thread_position_in_grid]])
{
#ifndef FAULT
    if (i >= n) {
        return;
    }
#endif
    out[i] = 1.0f; // FAULT write_past_end write
}

kernel void read_before_start(device const float *in [[buffer(0)]],
                              device float *out [[buffer(1)]],
                              uint i [[thread_position_in_grid]])
{
#ifdef FAULT
    int before = int(i) - 1;
#else
    int before = max(int(i) - 1, 0);
#endif
    out[i] = in[before]; // FAULT read_before_start read
}

// A vector at the end of a buffer whose length is no multiple of it.
kernel void vector_past_end(device const float *in [[buffer(0)]], device float *out [[buffer(1)]],
                            uint i [[thread_position_in_grid]])
{
#ifdef FAULT
    float4 v = *(device const float4 *)(in + i); // FAULT vector_past_end read
#else
    float4 v = float4(in[i]);
#endif
    out[i] = v.x + v.y + v.z + v.w;
}

kernel void threadgroup_past_end(device float *out [[buffer(0)]],
                                 threadgroup float *a [[threadgroup(0)]],
                                 threadgroup float *b [[threadgroup(1)]],
                                 uint tid [[thread_index_in_threadgroup]])
{
    b[tid] = 0;
#ifdef FAULT
    a[tid + 1] = tid; // FAULT threadgroup_past_end write
#else
    a[tid] = tid;
#endif
    threadgroup_barrier(mem_flags::mem_threadgroup);
    out[tid] = a[tid] + b[tid];
}

kernel void static_past_end(device float *out [[buffer(0)]],
                            uint tid [[thread_index_in_threadgroup]])
{
    threadgroup float a[128];
    a[tid] = tid;
    threadgroup_barrier(mem_flags::mem_threadgroup);
#ifdef FAULT
    uint at = tid + 1;
#else
    uint at = 127 - tid;
#endif
    out[tid] = a[at]; // FAULT static_past_end array
}

kernel void write_constant(constant float *table [[buffer(0)]], device float *out [[buffer(1)]],
                           uint i [[thread_position_in_grid]])
{
#ifdef FAULT
    ((device float *)table)[i] = 1.0f; // FAULT write_constant constant
#endif
    out[i] = table[i];
}

kernel void write_const_device(device const float *in [[buffer(0)]],
                               device float *out [[buffer(1)]],
                               uint i [[thread_position_in_grid]])
{
#ifdef FAULT
    const_cast<device float *>(in)[i] = 2.0f; // FAULT write_const_device constant
#endif
    out[i] = in[i];
}

// The last thread forgets its element.
kernel void uninitialised(device float *out [[buffer(0)]],
                          uint tid [[thread_index_in_threadgroup]],
                          uint n [[threads_per_threadgroup]])
{
    threadgroup float a[128];
#ifdef FAULT
    if (tid < n - 1) {
        a[tid] = tid;
    }
#else
    a[tid] = tid;
#endif
    threadgroup_barrier(mem_flags::mem_threadgroup);
    out[tid] = a[n - 1 - tid]; // FAULT uninitialised uninitialised
}

// What a threadgroup left behind is not there for the next.
kernel void left_over(device uint *out [[buffer(0)]], uint tid [[thread_index_in_threadgroup]],
                      uint group [[threadgroup_position_in_grid]])
{
    threadgroup atomic_uint count;
#ifndef FAULT
    if (tid == 0) {
        atomic_store_explicit(&count, 0u, memory_order_relaxed);
    }
    threadgroup_barrier(mem_flags::mem_threadgroup);
#endif
    atomic_fetch_add_explicit(&count, 1u, memory_order_relaxed); // FAULT left_over uninitialised
    threadgroup_barrier(mem_flags::mem_threadgroup);
    if (tid == 0) {
        out[group] = atomic_load_explicit(&count, memory_order_relaxed);
    }
}

// A tile that hangs over the end of the matrix.
kernel void tile_past_end(device const float *in [[buffer(0)]], device float *out [[buffer(1)]],
                          uint simd [[simdgroup_index_in_threadgroup]])
{
    simdgroup_float8x8 m;
    simdgroup_load(m, in, 8);
#ifdef FAULT
    simdgroup_store(m, out + simd * 64 + 8, 8); // FAULT tile_past_end write
#else
    simdgroup_store(m, out + simd * 64, 8);
#endif
}

#ifdef FAULT
enum { ONE = 1 };
#else
enum { ONE = 0 };
#endif

// A number of a thread's own behind the last.
kernel void own_array_past_end(device float *out [[buffer(0)]], constant uint &n [[buffer(2)]],
                               uint tid [[thread_index_in_threadgroup]])
{
    float own[8];
    for (uint i = 0; i < 8; i++) {
        own[i] = float(tid + i);
    }
    out[tid] = own[n % 8 + 8 * ONE]; // FAULT own_array_past_end array
}

struct two_parts {
    uint first[32], second[32];
};

// From one member of a structure into the other.
kernel void member_before_start(device uint *out [[buffer(0)]],
                                uint tid [[thread_index_in_threadgroup]])
{
    threadgroup two_parts parts[1];
    if (tid < 32) {
        parts[0].first[tid] = tid;
        parts[0].second[tid] = tid;
    }
    threadgroup_barrier(mem_flags::mem_threadgroup);
    int at = int(tid % 32) - ONE;
    out[tid] = parts[0].second[at]; // FAULT member_before_start array
}
