#include <metal_stdlib>
using namespace metal;

using place = device float;
struct node {
    device float *data;
    threadgroup node *device *next;
    thread node &operator=(thread const node &other);
};
template <typename A, typename B> A product(A a, B b)
{
    return a * b & A(7);
}
template <int N> struct count {
    int n = N * 2;
};
float apply(float x, float y = 2 * 3, int z = (4 & 5));

kernel void k(device float *x [[buffer(0)]], const device float *__restrict y [[buffer(1)]],
              constant float2 *pairs [[buffer(2)]], threadgroup int *s [[threadgroup(0)]],
              uint i [[thread_position_in_grid]])
{
    float a = x[i], b = y[i];
    device float *p = x, *q = x + 1;
    place *named = p;
    auto *deduced = q;
    thread auto &local = a;
    int mask = 3;
    for (uint j = 0; mask & s[j]; j++) {
        s[j] = mask * s[j];
    }
    if (a * b > 1 && (mask & s[0])) {
        x[0] = (a * b) + product(mask * s[0], mask & s[1]);
    }
    float both[] = {a * b, a > b ? a * b : b * a};
    bool less = a < b && b > a;
    x[1] = both[0] * *p + named[0] + *deduced + local + less + pairs[0].x * count<2>().n;
    x[2] = -a * (b) * sizeof(device float *) * (2 * mask);
    const thread float &r = both[1];
    x[3] = r;
}
