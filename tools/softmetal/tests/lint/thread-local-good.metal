#include <metal_stdlib>
using namespace metal;

kernel void k(device float *x [[buffer(0)]])
{
    thread float local = x[0];
    float thread_local_ = 1; // not thread_local
    x[1] = local + thread_local_;
}
