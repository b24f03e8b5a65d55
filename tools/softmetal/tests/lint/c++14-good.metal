#include <metal_stdlib>
using namespace metal;

template <typename T> constexpr constant int size_of = sizeof(T);
template <typename T> struct is_half {
    static constexpr constant bool value = false;
};
template <> struct is_half<half> {
    static constexpr constant bool value = true;
};
template <int N> constexpr int twice()
{
    int n = N; // more than one statement, as C++14 allows
    n += N;
    return n;
}
static_assert(sizeof(int) == 4, "the second argument is there");

kernel void k(device int *x [[buffer(0)]])
{
    if (is_half<float>::value) {
        x[0] = twice<3>() + size_of<half> + 0b101 + 1'000;
    }
    for (auto i = 0; i < 2; i++) {
        x[i] += 1;
    }
}
