#include <metal_stdlib>
using namespace metal;

struct item {
    float weight;
    uint next;
};
struct holder {
    device float *data;
};
static_assert(sizeof(item) == 8 && __builtin_offsetof(item, weight) == 0, "item");
static_assert(__builtin_offsetof(item, next) == 4, "item");
constant float table[2] = {1.0, 2.0};

void fill(threadgroup float *to, float value)
{
    to[0] = value;
}
template <typename T> void copy(device T *to, const threadgroup T *from)
{
#define COUNT 4
    float4 sum = {0.f};
#pragma unroll(COUNT)
    for (int i = 0; i < COUNT; i++) {
        sum += from[i];
    }
    const device T *other = from; // finds: address-space
    to[0] = other[0] + from[0];
}

kernel void k(device float *x [[buffer(0)]], constant item &a [[buffer(1)]],
              device atomic_uint *count [[buffer(2)]], threadgroup float *s [[threadgroup(0)]],
              uint i [[thread_position_in_grid]])
{
    threadgroup float tile[32], total;
    device float *wrong = s;               // finds: address-space
    thread float *mine = &x[i];            // finds: address-space
    const device float *w = &a.weight;     // finds: address-space
    constant float *c = x;                 // finds: address-space
    const device float *t = table;         // finds: address-space
    thread float &element = tile[i];       // finds: address-space
    fill(x, 1.0);                          // finds: address-space
    threadgroup float *all = i > 1 ? x : s; // finds: address-space
    threadgroup atomic_uint *n = count;    // finds: address-space
    holder h;
    h.data = tile; // finds: address-space
    h.data = &total; // finds: address-space
    copy(x, tile);
    mine[0] = wrong[0] + w[0] + c[0] + t[0] + element + all[0] + h.data[0];
    atomic_fetch_add_explicit(n, 1u, memory_order_relaxed);
}
