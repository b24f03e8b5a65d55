#include <metal_stdlib>
using namespace metal;

kernel void copy(device const float *x [[buffer(0)]], device float *y [[buffer(1)]],
                 uint i [[thread_position_in_grid]])
{
    y[i] = x[i];
}

kernel void strided(device const float *x [[buffer(0)]], device float *y [[buffer(1)]],
                    uint i [[thread_position_in_grid]])
{
    y[i] = x[i * 32];
}

kernel void shifted(device const float *x [[buffer(0)]], device float *y [[buffer(1)]],
                    uint i [[thread_position_in_grid]])
{
    y[i] = x[i + 1];
}

kernel void again(device const float *x [[buffer(0)]], device float *y [[buffer(1)]],
                  uint i [[thread_position_in_grid]], uint t [[thread_position_in_threadgroup]])
{
    y[i] = x[t % 8] + x[t % 8 + 8];
}

kernel void vectors(device const float4 *x [[buffer(0)]], device float4 *y [[buffer(1)]],
                    uint i [[thread_position_in_grid]])
{
    y[i] = x[i] * 2.0f + 1.0f;
}

kernel void whole_vectors(device const float4 *x [[buffer(0)]], device float4 *y [[buffer(1)]],
                          uint i [[thread_position_in_grid]])
{
    y[i] = x[i];
}

kernel void packed(device const packed_float3 *x [[buffer(0)]],
                   device packed_float3 *y [[buffer(1)]], uint i [[thread_position_in_grid]])
{
    y[i] = packed_float3(float3(x[i]) * 2.0f);
}

kernel void chars(device const char4 *x [[buffer(0)]], device float4 *y [[buffer(1)]],
                  uint i [[thread_position_in_grid]])
{
    y[i] = float4(x[i]);
}

// Each lane goes along a row of its own.
kernel void rows(device const float *x [[buffer(0)]], device float *y [[buffer(1)]],
                 uint i [[thread_position_in_grid]])
{
    float sum = 0.0f;
    for (uint k = 0; k < 4; k++) {
        sum += x[i * 64 + k];
    }
    y[i] = sum;
}

// Odd lanes go round twice.
kernel void uneven(device const float *x [[buffer(0)]], device float *y [[buffer(1)]],
                   uint i [[thread_position_in_grid]])
{
    float sum = 0.0f;
    for (uint k = 0; k <= i % 2; k++) {
        sum += x[k * 1024 + i];
    }
    y[i] = sum;
}

// Lanes that met apart from the others are apart from them until all meet.
kernel void apart(device const float *x [[buffer(0)]], device float *y [[buffer(1)]],
                  uint i [[thread_position_in_grid]])
{
    float sum = 0.0f;
    if (i < 8) {
        sum = simd_sum(x[i]);
    }
    sum += x[i + 32];
    sum = simd_sum(sum);
    y[i] = sum;
}

kernel void atomics(device atomic_uint *y [[buffer(1)]])
{
    atomic_fetch_add_explicit(y, 1u, memory_order_relaxed);
}

kernel void operations(device float *y [[buffer(1)]], threadgroup float *shared [[threadgroup(0)]],
                       uint i [[thread_position_in_grid]],
                       uint t [[thread_position_in_threadgroup]])
{
    shared[t] = float(t);
    threadgroup_barrier(mem_flags::mem_threadgroup);
    float v = shared[t ^ 1];
    threadgroup_barrier(mem_flags::mem_threadgroup);
    v = simd_sum(v);
    simdgroup_barrier(mem_flags::mem_none);
    v = simd_shuffle_and_fill_up(v, 0.0f, 1);
    simdgroup_barrier(mem_flags::mem_threadgroup);
    v = quad_broadcast_first(v);
    v = simd_any(v > 1.0f) ? v : 0.0f;
    threadgroup_barrier(mem_flags::mem_device);
    y[i] = v;
}

kernel void matrices(device const float *x [[buffer(0)]], device float *y [[buffer(1)]],
                     uint group [[threadgroup_position_in_grid]])
{
    simdgroup_float8x8 a, b, c = make_filled_simdgroup_matrix<float, 8>(0.0f);
    simdgroup_load(a, x);
    simdgroup_load(b, x + 64, 64);
    simdgroup_multiply_accumulate(c, a, b, c);
    c.thread_elements()[0] += 1.0f;
    simdgroup_store(c, y + group * 64);
}
