#include <metal_stdlib>
using namespace metal;

kernel void k(device float *x [[buffer(0)]])
{
    if (x[0] > 1) {
        goto end; // finds: goto
    }
    x[0] = 2;
end:
    x[1] = 3;
    // finds below: goto
    go\
to end;
}
