#include <metal_stdlib>
using namespace metal;

float kernel_of(float x) // returns float: a kernel would not
{
    return x;
}
kernel void a(device float *x [[buffer(0)]])
{
    x[0] = kernel_of(x[1]);
}
[[kernel]] void b(device float *x [[buffer(0)]])
{
    x[0] = 1;
}
[[host_name("c_float")]] [[kernel]] void c(device float *x [[buffer(0)]])
{
    x[0] = 1;
}
template <typename T> kernel void d(device T *x [[buffer(0)]])
{
    x[0] = 1;
}
typedef decltype(d<float>) d_t;
template [[host_name("d_float")]] kernel d_t d<float>;
template [[host_name("d_half")]] [[kernel]] decltype(d<half>) d<half>;
