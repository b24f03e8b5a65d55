#include <metal_stdlib>
using namespace metal;

float *global_pointer; // finds: pointer program-scope
struct args {          // finds: layout
    uint n;
};
kernel int k(constant args &a [[buffer(31)]], device float *x [[buffer(0)]]) // finds: kernel-result buffers
{
    double d = sin(x[0]); // finds: double fast-math
    auto f = [](float y) { return y; }; // finds: lambda
    threadgroup float *t = x;           // finds: address-space
    if constexpr (sizeof(args) > 4) {   // finds: c++14
        throw 1;                        // finds: exception
    }
    return int(d) + int(t[0]) + int(f(1));
}
