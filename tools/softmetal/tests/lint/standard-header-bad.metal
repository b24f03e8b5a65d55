#include <metal_stdlib>
#include <vector> // finds: standard-header
#include <math.h> // finds: standard-header
#include "host.h"
using namespace metal;
kernel void k(device float *x [[buffer(0)]])
{
    x[0] = HOST;
}
