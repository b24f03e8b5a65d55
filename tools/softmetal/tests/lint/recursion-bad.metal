#include <metal_stdlib>
using namespace metal;

int factorial(int n)
{
    return n < 2 ? 1 : n * factorial(n - 1); // finds: recursion
}
int odd(int n);
int even(int n)
{
    return n == 0 ? 1 : odd(n - 1); // finds: recursion
}
int odd(int n)
{
    return n == 0 ? 0 : even(n - 1); // finds: recursion
}
template <typename T> T power(T x, int n)
{
    return n == 0 ? T(1) : x * power(x, n - 1); // finds: recursion
}
struct tree {
    int depth(int n) const thread
    {
        return n > 0 ? depth(n - 1) + 1 : 0; // finds: recursion
    }
};
kernel void k(device int *x [[buffer(0)]])
{
    x[0] = factorial(x[1]) + even(x[2]) + power(x[3], 2) + tree().depth(3);
}
