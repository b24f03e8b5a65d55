#include <metal_stdlib>
using namespace metal;

// virtual goto double thread_local throw try catch new delete [&](int x) { return x; } float *p;
/* #include <vector>
   kernel float k(device float *x [[buffer(31)]]); */
#define TEXT "virtual goto double thread_local throw try catch sin(x) float *p; [&] { }"
#if defined(HOST)
double host_only(float *p) { return sin(*p); }
#endif
static_assert(sizeof(TEXT) > 1, "double * goto ' virtual \" throw");
constant char quote = '"', other = '\'';
enum class mode { virtual_, goto_, double_, try_, throw_, catch_ };
struct doubled {
    int catcher, thrown, go_to, newer;
};
kernel void no_lambda(device int *doubles [[buffer(0)]], uint sin_index [[thread_position_in_grid]])
{
    doubled d = {1, 2, 3, 4};
    doubles[sin_index] = d.catcher + d.thrown * d.go_to & d.newer + int(mode::goto_) + quote + other;
}
