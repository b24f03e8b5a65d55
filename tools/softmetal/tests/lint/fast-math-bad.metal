#include <metal_stdlib>
using namespace metal;

kernel void k(device float *x [[buffer(0)]], device float4 *v [[buffer(1)]])
{
    x[0] = sin(x[0]);                    // finds: fast-math
    x[1] = metal::cos(x[1]) +            // finds: fast-math
           fast::tan(x[2]);              // finds: fast-math
    x[2] = metal::fast::pow(x[2], 2.0f); // finds: fast-math
    v[0] = cos(v[1]) * pow(v[0], v[1]);  // finds: fast-math fast-math
    float c;
    x[3] = sincos(x[3], c); // finds: fast-math
}
