#include <metal_stdlib>
using namespace metal;

static_assert(sizeof(float) == 4, R"(a double
would be "double"; goto, throw and virtual too)");
#if 0
double unused;
#endif
float double_of(float x) // 1.0 is a float in Metal, so this has no double
{
    return 2.0 * x;
}
kernel void k(device float *x [[buffer(0)]])
{
    x[1] = double_of(x[0]); // double \
    double still_a_comment;
}
