#include <metal_stdlib>
using namespace metal;

namespace ours
{
float sin(float x)
{
    return x - x * x * x / 6;
}
}
struct wave {
    float s;
    float cos() const thread
    {
        return s;
    }
};
kernel void k(device float *x [[buffer(0)]])
{
    wave cosine = {x[0]};
    float sin_of = precise::sin(x[0]) + metal::precise::cos(x[1]); // not sin(x[0])
    float pow = precise::pow(x[2], x[3]) * ours::sin(x[1]);
    x[4] = sin_of + pow + cosine.cos() + pow * (x[5]) + exp(x[6]) + cos(0.5f) + asin(x[7]) + sinh(x[8]);
}
