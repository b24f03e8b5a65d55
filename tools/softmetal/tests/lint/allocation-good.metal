#include <metal_stdlib>
using namespace metal;

struct fixed {
    float a;
    fixed() = default;
    fixed(thread const fixed &) = delete;
};
kernel void k(device float *x [[buffer(0)]])
{
    fixed f; // no new one, nothing to delete
    int new_value = 1, deleted = 2;
    f.a = x[0];
    x[1] = f.a + new_value + deleted;
}
