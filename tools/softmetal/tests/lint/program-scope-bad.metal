#include <metal_stdlib>
using namespace metal;

float scale = 2;                  // finds: program-scope
constexpr int lanes = 32;         // finds: program-scope
static const float names[2] = {}; // finds: program-scope
namespace inner
{
device float *everywhere; // finds: program-scope
}
struct limits {
    static constexpr int top = 3; // finds: program-scope
    int low;
};
kernel void k(device float *x [[buffer(0)]])
{
    static int calls = 0; // finds: program-scope
    x[0] = scale + lanes + names[0] + limits::top + calls;
}
