#include <metal_stdlib>
using namespace metal;

// A virtual function would be refused; so would /* virtual */ ones.
struct shape {
    float virtual_area;
    float area() const thread
    {
        return virtual_area;
    }
};
struct square : shape {
};
kernel void virtual_kernel(device float *x [[buffer(0)]])
{
    square s;
    s.virtual_area = x[0];
    x[1] = s.area();
}
