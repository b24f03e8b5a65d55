#include <metal_stdlib>
using namespace metal;

kernel void k(device float *x [[buffer(0)]])
{
    try { // finds: exception
        if (x[0] > 1) {
            throw 1; // finds: exception
        }
    } catch (...) { // finds: exception
        x[1] = 0;
    }
}
