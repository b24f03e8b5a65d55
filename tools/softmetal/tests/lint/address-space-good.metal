#include <metal_stdlib>
using namespace metal;

struct item {
    float weight;
    uint next;
};
static_assert(sizeof(item) == 8 && __builtin_offsetof(item, weight) == 0, "item");
static_assert(__builtin_offsetof(item, next) == 4, "item");
constant float table[4] = {1.0, 2.0, 3.0, 4.0};
constant uint rows [[function_constant(0)]];
constant bool wide [[function_constant(1)]];
constant uint used = is_function_constant_defined(rows) ? 2 : 1;

template <typename T> T first(const device T *p)
{
    return p[0];
}
template <typename T> T first(const threadgroup T *p)
{
    return p[0];
}
float weight_of(constant item &a)
{
    return a.weight;
}
struct functor {
    float scale;
    float operator()(float x) const thread
    {
        return x * scale;
    }
};
template <typename T, int N> void tiles(const device T *x, threadgroup T *s, device float *y)
{
    simdgroup_matrix<T, 8, 8> a, b(T(0));
    simdgroup_float8x8 c = make_filled_simdgroup_matrix<float, 8, 8>(0.f);
    simdgroup_load(a, x, N, ulong2(0, 1), true);
    simdgroup_load(b, s, N);
    simdgroup_multiply_accumulate(c, a, b, c);
    c.thread_elements()[0] += 1.0;
    simdgroup_store(c, y, N);
}
template [[host_name("tiles_half")]] void tiles<half, 8>(const device half *, threadgroup half *,
                                                           device float *);

kernel void k(device float *x [[buffer(0)]], constant item &a [[buffer(1)]],
              device item *items [[buffer(2)]], threadgroup float *s [[threadgroup(0)]],
              device atomic_uint *count [[buffer(3)]], constant float4x4 &m [[buffer(4)]],
              device packed_float3 *packed [[buffer(5)]], device float4 *v [[buffer(6)]],
              ushort lane [[thread_index_in_simdgroup]], uint3 id [[thread_position_in_grid]])
{
    threadgroup float tile[8][9];
    threadgroup uint seen;
    float held[4] = {};
    item copy = a;
    device item &there = items[id.x];
    there = copy;
    copy = items[1];
    thread float *p = held;
    thread float &q = p[1];
    q = first(x) + first(s) + weight_of(a) + table[lane & 3];
    float4 zero = {0}, one = {1.0f};
#define FEW(a, b) ((a) < (b) ? (a) : (b))
#pragma unroll(FEW(2, 4))
    for (int j = 0; j < 2; j++) {
        zero += one;
    }
    const float4 u = float4(v[0].xyz, 1.0) * float4(q) + (float4)half4(1.0h) - (float4)v[1].wzyx;
    float3 r = float3(packed[0]) * 2.0 + select(float3(0), float3(1), bool3(true));
    tile[lane & 7][1] = dot(u, m[2]) + r.x + max(u.x, 0.0f) + functor{2.0f}(q);
    seen = atomic_fetch_add_explicit(count, 1u, memory_order_relaxed);
    threadgroup_barrier(mem_flags::mem_threadgroup | mem_flags::mem_device);
    float2 pair = vec<float, 2>(simd_sum(q), simd_shuffle_down(q, ushort(1)));
    uchar4 bytes = as_type<uchar4>(seen);
    v[2] = fma(u, float4(bytes), clamp(u, 0.0, 1.0));
    x[id.x] = tile[0][lane & 7] + pair.y + float(used) + (wide ? 1.0 : float(rows));
}
