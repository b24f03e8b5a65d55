#include <metal_stdlib>
using namespace metal;

constant float scale = 2;
constexpr constant int lanes = 32;
static constant const float names[2] = {1, 2};
constant uint rows [[function_constant(0)]];
template <typename T> constexpr constant int bytes = sizeof(T);
namespace inner
{
constant int top = 3;
int later(int);
}
struct limits {
    static constexpr constant int top = 3;
    int low = 1;
    int static_of() const thread;
};
enum kinds { first, second };
enum class others : uint { third };
struct forward;
union both {
    uint u;
    float f;
};
typedef struct {
    int a;
} plain;
using number = float;
kernel void k(device float *x [[buffer(0)]])
{
    const int local = 2;
    constexpr int known = 4;
    static constant constexpr int kept = 5;
    x[0] = scale + lanes + names[1] + rows + limits::top + local + known + kept + bytes<float>;
}
