#include <metal_stdlib>
using namespace metal;

template <int N> int sum(const device int *x)
{
    return x[N] + sum<N - 1>(x); // unrolled by the compiler
}
template <> int sum<0>(const device int *x)
{
    return x[0];
}
float total(float2 v)
{
    return v.x + v.y;
}
float total(float4 v, int)
{
    return total(v.xy) + total(v.zw);
}
float3 max(float3 a, float b)
{
    return float3(max(a.x, b), max(a.y, b), max(a.z, b));
}
float exp(float x, int)
{
    return metal::exp(x);
}
struct shape {
    int area;
    int size() const thread
    {
        return area;
    }
};
int size(shape s)
{
    return s.size(); // the member, not this function
}
kernel void k(device float *x [[buffer(0)]], device int *y [[buffer(1)]])
{
    int total = 2; // a variable, not a call
    x[0] = max(float3(x[1]), 0.0f).x + exp(x[1], 0) + ::total(float2(x[2])) + total;
    y[0] = sum<2>(y) + size(shape{y[1]}); // recursion: recursion(recursion())
}
