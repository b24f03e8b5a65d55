#include <metal_stdlib>
using namespace metal;

constant uint rows [[function_constant(0)]];
constant uint columns = 8;
#define ROWS 4
kernel void k(device float *x [[buffer(0)]], uint i [[thread_position_in_grid]])
{
    constexpr int n = 2 * ROWS;
    float held[n], more[columns]; // not [rows]
    threadgroup float tile[ROWS][columns + 1];
    held[0] = x[rows] + more[i];
    x[rows - 1] = held[rows & 1];
    if (i > rows) {
        tile[i & 3][rows & 7] = 1;
        x[i] = i < rows && i > held[rows & 3] ? tile[0][rows & 7] : 0;
    }
}
