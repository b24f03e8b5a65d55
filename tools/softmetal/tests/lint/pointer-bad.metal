#include <metal_stdlib>
using namespace metal;

float first(const float *p) // finds: pointer
{
    return p[0];
}
const int &pick(thread int &a) // finds: pointer
{
    return a;
}
struct node {
    float *data;        // finds: pointer
    device node **next; // finds: pointer
    node &operator=(thread const node &other); // finds: pointer
};
template <typename T> void fill(T *to, T value) // finds: pointer
{
    to[0] = value;
}
kernel void k(device float *x [[buffer(0)]], uint i [[thread_position_in_grid]])
{
    float value = x[i];
    float *p = &value;                       // finds: pointer
    const float &r = value;                  // finds: pointer
    for (float *q = p; q < p + 1; q++) {     // finds: pointer
        *q = *(float *)p + r;                // finds: pointer
    }
    x[i] = *reinterpret_cast<uint *>(p);     // finds: pointer
    device float *thread *ok = &x;
    vec<float, 2> *pairs = nullptr;          // finds: pointer
    x[1] = ok[0][0] + pairs[0].x;
}
