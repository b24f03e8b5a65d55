#include <metal_stdlib>
using namespace metal;

thread_local float counter; // finds: thread-local program-scope
kernel void k(device float *x [[buffer(0)]])
{
    thread_local int n = 0; // finds: thread-local
    x[0] = n + counter;
}
