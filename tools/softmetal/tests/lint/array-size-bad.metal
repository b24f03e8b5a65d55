#include <metal_stdlib>
using namespace metal;

constant uint rows [[function_constant(0)]];
constant uint twice = rows * 2;
constant uint four = 4;
kernel void k(device float *x [[buffer(0)]], uint i [[thread_position_in_grid]])
{
    float held[rows];               // finds: array-size
    threadgroup float tile[8][twice + 1]; // finds: array-size
    float a[four], b[rows];         // finds: array-size
    array<float, rows> c;           // finds: array-size
    vec<float, 4> wide[rows];       // finds: array-size
    held[0] = tile[0][0] + a[0] + b[0] + c[0] + wide[0].x;
    x[i] = held[0];
}
