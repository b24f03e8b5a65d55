#include <metal_stdlib>
using namespace metal;

struct table {
    float v[4];
    float operator[](int i) const thread
    {
        return v[i];
    }
};
kernel void k [[max_total_threads_per_threadgroup(64)]] (device float *x [[buffer(0)]],
                                                         uint i [[thread_position_in_grid]])
{
    float a[2][2] = {{x[0], x[1]}, {x[2], x[3]}};
    table t = {{a[0][1], a[1][0], 0, 1}};
    x[i] = (a[0])[1] + t[2] + (x + 1)[i];
    // auto f = [&](int i) { return i; };
}
