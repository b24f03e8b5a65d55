#include <metal_stdlib>
using namespace metal;

template <int N, typename... A> float sum(A... a)
{
    if constexpr (N > 1) { // finds: c++14
        return (a + ...);  // finds: c++14
    }
    static_assert(N > 0); // finds: c++14
    return 0;
}
namespace outer::inner // finds: c++14
{
struct pair {
    int a, b;
};
}
kernel void k(device int *x [[buffer(0)]])
{
    outer::inner::pair p = {1, 2};
    auto [a, b] = p;                 // finds: c++14
    if (int c = x[0]; c > 0) {       // finds: c++14
        x[1] = a + b + int(sum<2>(1.0f, 2.0f));
    }
}
