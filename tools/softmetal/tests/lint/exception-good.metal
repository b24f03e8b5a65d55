#include <metal_stdlib>
using namespace metal;

float try_it(float x) noexcept // throw, try and catch
{
    return x;
}
kernel void k(device float *x [[buffer(0)]])
{
    bool thrown = x[0] > 1, catching = false;
    x[1] = try_it(thrown || catching);
}
