#include <metal_stdlib>
using namespace metal;

kernel float wrong(device float *x [[buffer(0)]]) // finds: kernel-result
{
    return x[0];
}
[[kernel]] device void *other( // finds: kernel-result
    device float *x [[buffer(0)]])
{
    return x;
}
template <typename T>
kernel uint made(device T *x [[buffer(0)]]) // finds: kernel-result
{
    return x[0];
}
