/*
Kernels in the style of Apple's samples: explicit buffer indices, structures shared with the host,
simple grids, atomics, a reduction, a particle step.
*/
#include <metal_stdlib>
#include <simd/simd.h>

using namespace metal;

typedef struct
{
    vector_float4 position;
    packed_float3 velocity;
    float mass;
} Particle;

typedef struct
{
    float dt;
    float softening;
    uint count;
} Parameters;

enum BufferIndex {
    ParticlesIn = 0,
    ParticlesOut = 1,
    Params = 2,
};

static float3 acceleration(float3 from, float3 to, float mass, float softening)
{
    const float3 r = to - from;
    const float d = dot(r, r) + softening * softening;
    return r * (mass * rsqrt(d) / d);
}

/// Adds two arrays, a thread an element.
kernel void add_arrays(device const float* inA,
                       device const float* inB,
                       device float* result,
                       uint index [[thread_position_in_grid]])
{
    // the for-loop is replaced with a collection of threads
    result[index] = inA[index] + inB[index];
}

/// One step of the bodies under each other's attraction, staged through threadgroup memory.
kernel void nbody_step(device const Particle*  in      [[ buffer(ParticlesIn) ]],
                       device Particle*        out     [[ buffer(ParticlesOut) ]],
                       constant Parameters&    params  [[ buffer(Params) ]],
                       threadgroup float4*     shared  [[ threadgroup(0) ]],
                       const uint              tid     [[ thread_position_in_grid ]],
                       const uint              local   [[ thread_position_in_threadgroup ]],
                       const uint              width   [[ threads_per_threadgroup ]])
{
    Particle self = in[min(tid, params.count - 1)];
    float3 total = 0.0;
    for (uint base = 0; base < params.count; base += width)
    {
        threadgroup_barrier(mem_flags::mem_threadgroup);
        if (base + local < params.count)
        {
            shared[local] = float4(in[base + local].position.xyz, in[base + local].mass);
        }
        threadgroup_barrier(mem_flags::mem_threadgroup);
        const uint n = min(width, params.count - base);
        for (uint i = 0; i < n; i++)
        {
            total += acceleration(self.position.xyz, shared[i].xyz, shared[i].w, params.softening);
        }
    }
    if (tid >= params.count)
    {
        return;
    }
    self.velocity += total * params.dt;
    self.position.xyz += self.velocity * params.dt;
    out[tid] = self;
}

/// Counts values in 16 bins, with atomics in threadgroup and device memory.
kernel void histogram(device const float* values        [[buffer(0)]],
                      device atomic_uint* bins          [[buffer(1)]],
                      constant uint& count              [[buffer(2)]],
                      device atomic_float* sum          [[buffer(3)]],
                      uint2 gid                         [[thread_position_in_grid]],
                      uint2 size                        [[threads_per_grid]],
                      ushort index                      [[thread_index_in_threadgroup]])
{
    threadgroup atomic_uint local_bins[16];
    if (index < 16)
    {
        atomic_store_explicit(&local_bins[index], 0, memory_order_relaxed);
    }
    threadgroup_barrier(mem_flags::mem_threadgroup);
    const uint i = gid.y * size.x + gid.x;
    if (i < count)
    {
        uint bin = uint(clamp(values[i], 0.0, 0.999) * 16.0);
        atomic_fetch_add_explicit(&local_bins[bin], 1, memory_order_relaxed);
        atomic_fetch_add_explicit(sum, values[i], memory_order_relaxed);
    }
    threadgroup_barrier(mem_flags::mem_threadgroup);
    if (index < 16)
    {
        const uint n = atomic_load_explicit(&local_bins[index], memory_order_relaxed);
        atomic_fetch_add_explicit(&bins[index], n, memory_order_relaxed);
    }
}
