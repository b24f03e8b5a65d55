#include <metal_stdlib>
using namespace metal;

kernel void k(device float *x [[buffer(0)]])
{
    thread float *p = new float(1); // finds: allocation
    x[0] = *p;
    delete p; // finds: allocation
}
