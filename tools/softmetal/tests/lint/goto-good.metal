#include <metal_stdlib>
using namespace metal;

#define GOTO(x) (x)
kernel void k(device float *goto_x [[buffer(0)]]) // goto is a word here
{
    switch (int(goto_x[0])) {
    case 1: goto_x[1] = GOTO(2); break;
    default: break;
    }
    /* goto end;
       goto end; */
}
