#include <metal_stdlib>
using namespace metal;
#include "shared.h"
struct inner { // never an argument
    uint n;
};
struct weights { // not in constant memory: nothing that the host writes as a struct of its own
    half scale;
    uchar codes[30];
};
kernel void k(device float *x [[buffer(0)]], constant shared_args &a [[buffer(1)]],
              const device weights *w [[buffer(2)]], constant float4 &v [[buffer(3)]],
              constant uint *list [[buffer(4)]])
{
    inner i = {a.n};
    x[0] = i.n + a.eps + w[0].scale + v.x + list[0];
}
