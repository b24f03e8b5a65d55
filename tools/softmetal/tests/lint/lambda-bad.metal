#include <metal_stdlib>
using namespace metal;

kernel void k(device float *x [[buffer(0)]])
{
    float a = x[0];
    auto add = [&](float b) { return a + b; };  // finds: lambda
    x[1] = [a]() -> float { return a; }();      // finds: lambda
    x[2] = add([] { return 1.0f; }());          // finds: lambda
}
