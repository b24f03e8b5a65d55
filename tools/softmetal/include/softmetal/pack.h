// Vectors packed into integers: first component lowest, rounded to the nearest.
#pragma once

#include "softmetal/geometry.h"

namespace softmetal
{

inline uint pack_parts(const float4 &v, const int (&bits)[4], bool has_sign)
{
    uint all = 0;
    for (int i = 0, at = 0; i < 4 && bits[i] > 0; at += bits[i++]) {
        float top = float((1u << (bits[i] - has_sign)) - 1);
        float low = has_sign ? -1.0f : 0.0f, x = v.e[i] > low ? v.e[i] : low; // not a number: low
        float scaled = __builtin_rintf((x < 1.0f ? x : 1.0f) * top);
        all |= (uint(int(scaled)) & ((1u << bits[i]) - 1)) << at;
    }
    return all;
}
inline float4 unpack_parts(uint all, const int (&bits)[4], bool has_sign)
{
    float4 v(0);
    for (int i = 0, at = 0; i < 4 && bits[i] > 0; at += bits[i++]) {
        float top = float((1u << (bits[i] - has_sign)) - 1);
        uint part = all >> at & ((1u << bits[i]) - 1);
        int value = has_sign ? int(part << (32 - bits[i])) >> (32 - bits[i]) : int(part);
        float x = float(value) / top;
        v.e[i] = x > -1.0f ? x : -1.0f;
    }
    return v;
}
inline float4 to_srgb(const float4 &v)
{
    float4 r = v;
    for (int i = 0; i < 3; i++) {
        float x = v.e[i] > 0.0f ? v.e[i] : 0.0f;
        r.e[i] = x < 0.0031308f ? 12.92f * x : 1.055f * __builtin_powf(x, 1.0f / 2.4f) - 0.055f;
    }
    return r;
}
inline float4 from_srgb(const float4 &v)
{
    float4 r = v;
    for (int i = 0; i < 3; i++) {
        float x = v.e[i];
        r.e[i] = x <= 0.04045f ? x / 12.92f : __builtin_powf((x + 0.055f) / 1.055f, 2.4f);
    }
    return r;
}

constexpr int bits_4x8[4] = {8, 8, 8, 8}, bits_2x16[4] = {16, 16}, bits_10a2[4] = {10, 10, 10, 2};

} // namespace softmetal

namespace metal
{

#define SOFTMETAL_PACK4(format, bits, has_sign, T)                                                 \
    inline uint pack_##T##_to_##format(const vec<T, 4> &v)                                         \
    {                                                                                              \
        return softmetal::pack_parts(float4(v), softmetal::bits, has_sign);                        \
    }                                                                                              \
    inline vec<T, 4> unpack_##format##_to_##T(uint x)                                              \
    {                                                                                              \
        return vec<T, 4>(softmetal::unpack_parts(x, softmetal::bits, has_sign));                   \
    }
#define SOFTMETAL_PACK2(format, has_sign, T)                                                       \
    inline uint pack_##T##_to_##format(const vec<T, 2> &v)                                         \
    {                                                                                              \
        return softmetal::pack_parts(float4(float2(v), 0.0f, 0.0f), softmetal::bits_2x16,          \
                                     has_sign);                                                    \
    }                                                                                              \
    inline vec<T, 2> unpack_##format##_to_##T(uint x)                                              \
    {                                                                                              \
        return vec<T, 2>(softmetal::unpack_parts(x, softmetal::bits_2x16, has_sign).xy);           \
    }
#define SOFTMETAL_PACK(T)                                                                          \
    SOFTMETAL_PACK4(unorm4x8, bits_4x8, false, T)                                                  \
    SOFTMETAL_PACK4(snorm4x8, bits_4x8, true, T)                                                   \
    SOFTMETAL_PACK4(unorm10a2, bits_10a2, false, T)                                                \
    SOFTMETAL_PACK2(unorm2x16, false, T)                                                           \
    SOFTMETAL_PACK2(snorm2x16, true, T)                                                            \
    inline uint pack_##T##_to_srgb_unorm4x8(const vec<T, 4> &v)                                    \
    {                                                                                              \
        return pack_float_to_unorm4x8(softmetal::to_srgb(float4(v)));                              \
    }                                                                                              \
    inline vec<T, 4> unpack_unorm4x8_srgb_to_##T(uint x)                                           \
    {                                                                                              \
        return vec<T, 4>(softmetal::from_srgb(unpack_unorm4x8_to_float(x)));                       \
    }
SOFTMETAL_PACK(float)
SOFTMETAL_PACK(half)
#undef SOFTMETAL_PACK
#undef SOFTMETAL_PACK2
#undef SOFTMETAL_PACK4

} // namespace metal
