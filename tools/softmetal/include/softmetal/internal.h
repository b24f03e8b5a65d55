// Names that MSL's own headers use underneath, which some projects call directly. The last argument
// of most chooses fast or precise arithmetic.
#pragma once

#include "softmetal/common.h"
#include "softmetal/simdgroup.h"

#define SOFTMETAL_INTERNAL1(name, f)                                                               \
    template <class T, class... Mode> inline T __metal_##name(T x, Mode...)                        \
    {                                                                                              \
        return T(metal::f(x));                                                                     \
    }
#define SOFTMETAL_INTERNAL2(name, f)                                                               \
    template <class T, class... Mode> inline T __metal_##name(T x, T y, Mode...)                   \
    {                                                                                              \
        return T(metal::f(x, y));                                                                  \
    }
#define SOFTMETAL_INTERNAL3(name, f)                                                               \
    template <class T, class... Mode> inline T __metal_##name(T x, T y, T z, Mode...)              \
    {                                                                                              \
        return T(metal::f(x, y, z));                                                               \
    }
SOFTMETAL_INTERNAL1(fabs, fabs)
SOFTMETAL_INTERNAL1(acos, acos)
SOFTMETAL_INTERNAL1(acosh, acosh)
SOFTMETAL_INTERNAL1(asin, asin)
SOFTMETAL_INTERNAL1(asinh, asinh)
SOFTMETAL_INTERNAL1(atan, atan)
SOFTMETAL_INTERNAL1(atanh, atanh)
SOFTMETAL_INTERNAL1(ceil, ceil)
SOFTMETAL_INTERNAL1(cos, cos)
SOFTMETAL_INTERNAL1(cosh, cosh)
SOFTMETAL_INTERNAL1(cospi, cospi)
SOFTMETAL_INTERNAL1(exp, exp)
SOFTMETAL_INTERNAL1(exp2, exp2)
SOFTMETAL_INTERNAL1(exp10, exp10)
SOFTMETAL_INTERNAL1(floor, floor)
SOFTMETAL_INTERNAL1(fract, fract)
SOFTMETAL_INTERNAL1(log, log)
SOFTMETAL_INTERNAL1(log2, log2)
SOFTMETAL_INTERNAL1(log10, log10)
SOFTMETAL_INTERNAL1(rint, rint)
SOFTMETAL_INTERNAL1(round, round)
SOFTMETAL_INTERNAL1(rsqrt, rsqrt)
SOFTMETAL_INTERNAL1(sin, sin)
SOFTMETAL_INTERNAL1(sinh, sinh)
SOFTMETAL_INTERNAL1(sinpi, sinpi)
SOFTMETAL_INTERNAL1(sqrt, sqrt)
SOFTMETAL_INTERNAL1(tan, tan)
SOFTMETAL_INTERNAL1(tanh, tanh)
SOFTMETAL_INTERNAL1(tanpi, tanpi)
SOFTMETAL_INTERNAL1(trunc, trunc)
SOFTMETAL_INTERNAL2(atan2, atan2)
SOFTMETAL_INTERNAL2(divide, divide)
SOFTMETAL_INTERNAL2(fmax, fmax)
SOFTMETAL_INTERNAL2(fmin, fmin)
SOFTMETAL_INTERNAL2(fmod, fmod)
SOFTMETAL_INTERNAL2(nextafter, nextafter)
SOFTMETAL_INTERNAL2(pow, pow)
SOFTMETAL_INTERNAL2(powr, powr)
SOFTMETAL_INTERNAL3(fma, fma)
SOFTMETAL_INTERNAL3(fmax3, fmax3)
SOFTMETAL_INTERNAL3(fmin3, fmin3)
SOFTMETAL_INTERNAL3(fmedian3, fmedian3)
SOFTMETAL_INTERNAL3(select, select)
#undef SOFTMETAL_INTERNAL1
#undef SOFTMETAL_INTERNAL2
#undef SOFTMETAL_INTERNAL3

template <class T, class... Mode> inline T __metal_ldexp(T x, int k, Mode...)
{
    return metal::ldexp(x, k);
}
template <class T> inline T __metal_frexp(T x, int *e)
{
    return metal::frexp(x, *e);
}
inline ushort __metal_get_simdgroup_size(ushort)
{
    return 32;
}

#define SOFTMETAL_INTERNAL(name)                                                                   \
    template <class T> inline T __metal_##name(T x, SOFTMETAL_SITE)                                \
    {                                                                                              \
        return metal::name(x, site);                                                               \
    }
SOFTMETAL_INTERNAL(simd_sum)
SOFTMETAL_INTERNAL(simd_product)
SOFTMETAL_INTERNAL(simd_min)
SOFTMETAL_INTERNAL(simd_max)
SOFTMETAL_INTERNAL(simd_broadcast_first)
SOFTMETAL_INTERNAL(simd_prefix_inclusive_sum)
SOFTMETAL_INTERNAL(simd_prefix_exclusive_sum)
SOFTMETAL_INTERNAL(simd_prefix_inclusive_product)
SOFTMETAL_INTERNAL(simd_prefix_exclusive_product)
#undef SOFTMETAL_INTERNAL

// Declared for float too by what calls them; metal:: has them for integers. Of float: its bits.
#define SOFTMETAL_INTERNAL(name)                                                                   \
    template <class T> inline T __metal_##name(T x, SOFTMETAL_SITE)                                \
    {                                                                                              \
        if constexpr (__is_floating_point(T)) {                                                    \
            using bits = metal::conditional_t<sizeof(T) == 2, uint16_t, uint32_t>;                 \
            return __builtin_bit_cast(T, metal::name(__builtin_bit_cast(bits, x), site));          \
        } else {                                                                                   \
            return metal::name(x, site);                                                           \
        }                                                                                          \
    }
SOFTMETAL_INTERNAL(simd_and)
SOFTMETAL_INTERNAL(simd_or)
SOFTMETAL_INTERNAL(simd_xor)
#undef SOFTMETAL_INTERNAL

#define SOFTMETAL_INTERNAL(name)                                                                   \
    template <class T> inline T __metal_##name(T x, ushort y, SOFTMETAL_SITE)                      \
    {                                                                                              \
        return metal::name(x, y, site);                                                            \
    }
SOFTMETAL_INTERNAL(simd_broadcast)
SOFTMETAL_INTERNAL(simd_shuffle)
SOFTMETAL_INTERNAL(simd_shuffle_xor)
SOFTMETAL_INTERNAL(simd_shuffle_up)
SOFTMETAL_INTERNAL(simd_shuffle_down)
SOFTMETAL_INTERNAL(simd_shuffle_rotate_up)
SOFTMETAL_INTERNAL(simd_shuffle_rotate_down)
#undef SOFTMETAL_INTERNAL

#define SOFTMETAL_INTERNAL(name)                                                                   \
    template <class T>                                                                             \
    inline T __metal_##name(T x, T fill, ushort delta, ushort modulo, SOFTMETAL_SITE)              \
    {                                                                                              \
        return metal::name(x, fill, delta, modulo, site);                                          \
    }
SOFTMETAL_INTERNAL(simd_shuffle_and_fill_up)
SOFTMETAL_INTERNAL(simd_shuffle_and_fill_down)
#undef SOFTMETAL_INTERNAL
