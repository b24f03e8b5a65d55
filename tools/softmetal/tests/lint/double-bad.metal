#include <metal_stdlib>
using namespace metal;

typedef double real; // finds: double
#define WIDE double
double widen(float x) // finds: double
{
    return (double)x; // finds: double
}
kernel void k(device float *x [[buffer(0)]])
{
    WIDE y = x[0]; // finds: double
    // finds below: double
    dou\
ble z = 1;
    x[1] = real(y) + widen(x[0]) + z;
}
