#include <metal_stdlib>
#include <metal_simdgroup_matrix>
#include <simd/simd.h>
#include "shared.h"
// #include <vector>
#ifndef __METAL_VERSION__
#include <stdint.h>
#include <vector>
#endif
using namespace metal;
kernel void k(device float *x [[buffer(0)]], constant shared_args &a [[buffer(1)]])
{
    x[0] = a.eps;
}
