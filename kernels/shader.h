/* What every .metal file begins with.
 *
 * A kernel takes its argument struct as buffer 0 and the operands of its line in ops.def, in their
 * order, as buffers 1 and up; where an operand is empty some memory is bound that must not be used. */
#ifndef TS_KERNELS_SHADER_H
#define TS_KERNELS_SHADER_H

#include "kernels/abi.h"

using namespace metal;

/* Planted bugs: the check must find each (CONTRIBUTING.md). Numbered through a file. */
#ifndef MUTANT
#define MUTANT 0
#endif
#define TS_MUTANT(number, wrong, right) (MUTANT == (number) ? (wrong) : (right))

/* By operand (bit 0 is the first): its weights are F16, or (16 bits higher) BF16, not F32; it is empty. */
constant uint ts_half_operands [[function_constant(0)]];
constant uint ts_empty_operands [[function_constant(1)]];

inline bool ts_empty(uint operand)
{
    return (ts_empty_operands >> operand & 1) != 0;
}

inline bool ts_is_half(uint operand)
{
    return (ts_half_operands >> operand & 1) != 0;
}

inline bool ts_is_bfloat(uint operand)
{
    return (ts_half_operands >> (16 + operand) & 1) != 0;
}

/* BF16 is the upper half of a float. By integers: Metal has bfloat only since 3.1. */
inline float ts_from_bfloat(ushort upper)
{
    return as_type<float>(uint(upper) << 16);
}

/* Element i of a weight operand that is F32, F16 or BF16. */
inline float ts_weight(device const uchar *data, uint operand, ulong i)
{
    if (ts_is_bfloat(operand)) {
        return ts_from_bfloat(((device const ushort *)data)[i]);
    }
    return ts_is_half(operand) ? float(((device const half *)data)[i])
                               : ((device const float *)data)[i];
}

/* The sum of every thread's value, in all threads. partial has room for a number a simdgroup. */
inline float ts_threadgroup_sum(float value, threadgroup float *partial, uint simd, uint simds,
                                uint lane)
{
    value = simd_sum(value);
    if (lane == 0) {
        partial[simd] = value;
    }
    threadgroup_barrier(mem_flags::mem_threadgroup);
    value = simd_sum(lane < simds ? partial[lane] : 0.0f);
    threadgroup_barrier(mem_flags::mem_threadgroup);
    return value;
}

#endif
