/* Every function of the library but those of the simdgroup, against values worked out by hand. */
#include "support.h"

struct row {
    const char *expression;
    double want;
    double tolerance; /* relative to max(1, |want|) */
};

#define EXACT 0
#define CLOSE 1e-6

static const struct row numbers[] = {
    {"acos(-1.0)", 3.14159265358979, CLOSE},
    {"acosh(1.5430806348152437)", 1.0, CLOSE},
    {"asin(0.5)", 0.523598775598299, CLOSE},
    {"asinh(1.1752011936438014)", 1.0, CLOSE},
    {"atan(1.0)", 0.785398163397448, CLOSE},
    {"atan2(1.0, -1.0)", 2.35619449019234, CLOSE},
    {"atanh(0.5)", 0.549306144334055, CLOSE},
    {"ceil(-1.5)", -1.0, EXACT},
    {"copysign(3.0, -0.0)", -3.0, EXACT},
    {"cos(0.0)", 1.0, EXACT},
    {"cosh(1.0)", 1.54308063481524, CLOSE},
    {"cospi(1.0)", -1.0, CLOSE},
    {"divide(7.0, 2.0)", 3.5, EXACT},
    {"exp(1.0)", 2.71828182845905, CLOSE},
    {"exp2(-3.0)", 0.125, EXACT},
    {"exp10(2.0)", 100.0, CLOSE},
    {"fabs(-2.5)", 2.5, EXACT},
    {"fdim(3.0, 5.0)", 0.0, EXACT},
    {"fdim(5.0, 3.0)", 2.0, EXACT},
    {"floor(-1.5)", -2.0, EXACT},
    {"fma(2.0, 3.0, 4.0)", 10.0, EXACT},
    {"fmax(NAN, 1.0)", 1.0, EXACT},
    {"fmin(1.0, NAN)", 1.0, EXACT},
    {"max(NAN, 1.0)", 1.0, EXACT},
    {"min(2.0, -INFINITY)", -INFINITY, EXACT},
    {"fmod(-7.5, 2.0)", -1.5, EXACT},
    {"fmod(INFINITY, 2.0)", NAN, EXACT},
    {"fmin3(3.0, NAN, 2.0)", 2.0, EXACT},
    {"fmax3(3.0, NAN, 2.0)", 3.0, EXACT},
    {"fmedian3(3.0, 1.0, 2.0)", 2.0, EXACT},
    {"fma(0x1p-149, 0.5, 0.0)", 0.0, EXACT},
    {"exp(-104.0)", 0.0, EXACT},
    {"exp(NAN)", NAN, EXACT},
    {"exp2(-149.0)", 0x1p-149, EXACT},
    {"fast::tanh(0.5)", 0.46211715726001, CLOSE},
    {"fast::divide(1.0, 4.0)", 0.25, EXACT},
    {"precise::pow(2.0, 0.5)", 1.4142135623731, CLOSE},
    {"precise::sqrt(4.0)", 2.0, EXACT},
    {"fast::sqrt(4.0)", 2.0, EXACT},
    {"precise::exp(-INFINITY)", 0.0, EXACT},
    {"fract(-0.25)", 0.75, EXACT},
    {"fract(-1e-10)", 0.999999940395355, EXACT},
    {"frexp(12.0, e)", 0.75, EXACT},
    {"ldexp(0.75, 4)", 12.0, EXACT},
    {"ldexp(1.0, -149)", 0x1p-149, EXACT},
    {"log(2.718281828459045)", 1.0, CLOSE},
    {"log(-1.0)", NAN, EXACT},
    {"log2(8.0)", 3.0, EXACT},
    {"log10(0.001)", -3.0, CLOSE},
    {"log(0.0)", -INFINITY, EXACT},
    {"modf(-2.75, whole)", -0.75, EXACT},
    {"modf(-INFINITY, whole)", -0.0, EXACT},
    {"modf(float2(1, 2.5), w2).y + 10 * w2.y", 20.5, EXACT},
    {"sincos(float2(0), w2).x + w2.y", 1.0, EXACT},
    {"precise::sincos(0.5, whole)", 0.479425538604203, CLOSE},
    {"frexp(float2(3, 12), e2).x + e2.y", 4.75, EXACT},
    {"ldexp(float2(1, 3), int2(2, -1)).y", 1.5, EXACT},
    {"nextafter(1.0, 2.0)", 1.0000001192092896, EXACT},
    {"pow(2.0, 10.0)", 1024.0, EXACT},
    {"pow(-2.0, 3.0)", -8.0, EXACT},
    {"powr(4.0, 0.5)", 2.0, CLOSE},
    {"powr(-1.0, 2.0)", NAN, EXACT},
    {"rint(2.5)", 2.0, EXACT},
    {"round(2.5)", 3.0, EXACT},
    {"round(-2.5)", -3.0, EXACT},
    {"rsqrt(4.0)", 0.5, EXACT},
    {"saturate(1.5)", 1.0, EXACT},
    {"saturate(NAN)", 0.0, EXACT},
    {"sign(-3.0)", -1.0, EXACT},
    {"sign(NAN)", 0.0, EXACT},
    {"sin(1.5707963267948966)", 1.0, CLOSE},
    {"sincos(0.0, whole)", 0.0, EXACT},
    {"sinh(1.0)", 1.1752011936438, CLOSE},
    {"sinpi(0.5)", 1.0, CLOSE},
    {"sqrt(2.0)", 1.4142135623731, CLOSE},
    {"sqrt(-1.0)", NAN, EXACT},
    {"tan(0.7853981633974483)", 1.0, CLOSE},
    {"tanh(0.5)", 0.46211715726001, CLOSE},
    {"tanpi(0.25)", 1.0, CLOSE},
    {"trunc(-1.75)", -1.0, EXACT},
    {"mix(2.0, 4.0, 0.25)", 2.5, EXACT},
    {"step(1.0, 0.5)", 0.0, EXACT},
    {"smoothstep(0.0, 1.0, 0.5)", 0.5, EXACT},
    {"clamp(5.0, 0.0, 1.0)", 1.0, EXACT},
    {"clamp(-5, 0, 1)", 0.0, EXACT},
    {"min3(3.0, 1.0, 2.0)", 1.0, EXACT},
    {"max3(3.0, 1.0, 2.0)", 3.0, EXACT},
    {"median3(3.0, 1.0, 2.0)", 2.0, EXACT},
    {"fast::exp(1.0)", 2.71828182845905, CLOSE},
    {"fast::max(1.0, 2.0)", 2.0, EXACT},
    {"fast::clamp(3.0, 0.0, 2.0)", 2.0, EXACT},
    {"precise::sin(0.5)", 0.479425538604203, CLOSE},
    {"precise::rsqrt(0.25)", 2.0, EXACT},
    {"fast::rsqrt(0.0)", INFINITY, EXACT},
    {"abs(-3.5)", 3.5, EXACT},
    {"dot(float3(1, 2, 3), float3(4, 5, 6))", 32.0, EXACT},
    {"cross(float3(1, 0, 0), float3(0, 1, 0)).z", 1.0, EXACT},
    {"length(float2(3, 4))", 5.0, EXACT},
    {"length_squared(float2(3, 4))", 25.0, EXACT},
    {"distance(float2(1, 1), float2(4, 5))", 5.0, EXACT},
    {"normalize(float2(3, 4)).y", 0.8, CLOSE},
    {"reflect(float2(1, -1), float2(0, 1)).y", 1.0, EXACT},
    {"exp2(float4(0, 1, 2, 3)).w", 8.0, EXACT},
    {"max(float2(1, 5), 3.0).x", 3.0, EXACT},
    {"pow(float2(2, 3), float2(3, 2)).y", 9.0, CLOSE},
    {"mix(float2(0), float2(2), 0.5).x", 1.0, EXACT},
    {"select(float2(1, 2), float2(3, 4), bool2(true, false)).x", 3.0, EXACT},
    {"select(1.0, 2.0, false)", 1.0, EXACT},
    {"(float2x2(1, 2, 3, 4) * float2(1, 1)).x", 4.0, EXACT},
    {"(float2(1, 1) * float2x2(1, 2, 3, 4)).x", 3.0, EXACT},
    {"(float2x2(1, 2, 3, 4) * float2x2(5, 6, 7, 8))[1][0]", 31.0, EXACT},
    {"transpose(float2x3(float3(1, 2, 3), float3(4, 5, 6)))[2].y", 6.0, EXACT},
    {"determinant(float3x3(2.0))", 8.0, EXACT},
    {"determinant(float4x4(3.0))", 81.0, EXACT},
    {"float4(1, 2, 3, 4).wzyx.x", 4.0, EXACT},
    {"float4(float2(1, 2), 3, 4).zw.y", 4.0, EXACT},
    {"float4(1, float3(2, 3, 4)).xxyw.z", 2.0, EXACT},
    {"float3(half3(1.5h)).z", 1.5, EXACT},
    {"float4(packed_float4(1, 2, 3, 4)).w", 4.0, EXACT},
    {"(float2(1, 2) + packed_float2(1, 2)).y", 4.0, EXACT},
    {"(2 * float2(1, 2) - 1 / float2(1, 2)).y", 3.5, EXACT},
    {"as_type<float>(0x40490fdbu)", 3.14159274101257, EXACT},
    {"float2(as_type<half2>(0x3c004000u)).x", 2.0, EXACT},
    {"unpack_unorm4x8_to_float(0xff000080u).x", 128.0 / 255.0, CLOSE},
    {"unpack_snorm4x8_to_float(0x00000081u).x", -1.0, EXACT},
    {"unpack_snorm4x8_to_float(0x80000000u).w", -1.0, EXACT},
    {"unpack_unorm4x8_to_half(0x0000ff00u).y", 1.0, EXACT},
    {"unpack_unorm2x16_to_float(0xffff0000u).y", 1.0, EXACT},
    {"unpack_snorm2x16_to_half(0x00008001u).x", -1.0, EXACT},
    {"unpack_unorm10a2_to_float(0xbff00000u).z", 1.0, EXACT},
    {"unpack_unorm10a2_to_float(0xbff00000u).w", 2.0 / 3.0, CLOSE},
    {"unpack_unorm4x8_srgb_to_float(0x00000080u).x", 0.215860500, CLOSE},
    {"unpack_unorm4x8_srgb_to_float(0x80000000u).w", 128.0 / 255.0, CLOSE},
    {"numeric_limits<float>::max()", 3.40282346638529e38, CLOSE},
    {"numeric_limits<half>::infinity()", INFINITY, EXACT},
    {"1.0 / 3.0", 0.333333343267441, EXACT}, /* a float, not a double */
    /* half: 11 bits, rounded after every operation; overflow, subnormals */
    {"half(2049.0)", 2048.0, EXACT},
    {"half(65504.0) + half(16.0)", INFINITY, EXACT},
    {"half(65519.0)", 65504.0, EXACT},
    {"half(65520.0)", INFINITY, EXACT},
    {"half(0x1p-24)", 0x1p-24, EXACT},
    {"half(0x1p-25)", 0.0, EXACT},
    {"half(0x1p-14) * half(0.5)", 0x1p-15, EXACT},
    {"half(1.0) + half(0x1p-11) - half(1.0)", 0.0, EXACT},
    {"nextafter(half(1.0), half(2.0))", 1.0009765625, EXACT},
    {"nextafter(half(0.0), half(-1.0))", -0x1p-24, EXACT},
    {"nextafter(half2(1, -1), half2(0)).y", -0.99951171875, EXACT},
    {"nextafter(half(65504.0), half(INFINITY))", INFINITY, EXACT},
    {"nextafter(half(2.0), half(2.0))", 2.0, EXACT},
    {"fract(half(-0x1p-20))", 0.99951171875, EXACT},
    {"fract(half2(1.75h)).y", 0.75, EXACT},
    {"ldexp(half(1.0), -24)", 0x1p-24, EXACT},
    {"frexp(half(12.0), e)", 0.75, EXACT},
    {"sin(half(0.5))", 0.4794921875, EXACT},
    {"half(1.0) / half(3.0)", 0.333251953125, EXACT},
    {"half3(half2(1, 2), 3).zyx.x", 3.0, EXACT},
    {"dot(half3(1, 2, 3), half3(4))", 24.0, EXACT},
    {"exp(half(12.0))", INFINITY, EXACT},
    {"max(half(NAN), half(2.0))", 2.0, EXACT},
    {"fma(half(2.0), half(3.0), half(1.0))", 7.0, EXACT},
    {"half4(1, 2, 3, 4).w * 2.0h", 8.0, EXACT},
    {"HALF_MAX", 65504.0, EXACT},
    /* bfloat: 8 bits, ties to even */
    {"bfloat(257.0f)", 256.0, EXACT},
    {"bfloat(259.0f)", 260.0, EXACT},
    {"bfloat(1.0f) + bfloat(0x1p-8f)", 1.0, EXACT},
    {"bfloat(1.0f) * 1.5f", 1.5, EXACT},
    {"bfloat(3.4e38f) * bfloat(2)", INFINITY, EXACT},
    {"bfloat(NAN)", NAN, EXACT},
    {"bfloat(0x1p-133f)", 0x1p-133, EXACT},
    {"max(bfloat(1), bfloat(2))", 2.0, EXACT},
    {"nextafter(bfloat(1), bfloat(2))", 1.0078125, EXACT},
    {"fract(bfloat(-0x1p-20f))", 0.99609375, EXACT},
    {"exp(bfloat(1))", 2.71875, EXACT},
    {"(bfloat4(1, 2, 3, 4) * bfloat(2)).wzyx.x", 8.0, EXACT},
    {"(bfloat2(1) + bfloat2(0x1p-8f)).x", 1.0, EXACT},
    {"float2(bfloat2(1.5f)).y", 1.5, EXACT},
    {"as_type<bfloat>(ushort(0x3fc0))", 1.5, EXACT},
    {"true ? bfloat(2.5f) : 0", 2.5, EXACT},
    {"-bfloat(2)", -2.0, EXACT},
    {"numeric_limits<bfloat>::epsilon()", 0.0078125, EXACT},
    /* subnormal floats are kept */
    {"1e-40 * 1.0", 9.99994610111476e-41, EXACT},
    {"0.0 * -1.0", -0.0, EXACT},
};

static const struct row integers[] = {
    {"abs(-5)", 5, 0},
    {"abs(char(-7))", 7, 0},
    {"absdiff(-2147483647, 2147483647)", -2, 0}, /* 2^32 - 2, as int */
    {"addsat(2147483647, 1)", 2147483647, 0},
    {"addsat(uchar(250), uchar(10))", 255, 0},
    {"addsat(char(-100), char(-100))", -128, 0},
    {"subsat(3u, 5u)", 0, 0},
    {"subsat(short(-32768), short(1))", -32768, 0},
    {"clz(1u)", 31, 0},
    {"clz(uchar(1))", 7, 0},
    {"clz(0)", 32, 0},
    {"ctz(ushort(8))", 3, 0},
    {"ctz(0u)", 32, 0},
    {"ctz(ulong(0))", 64, 0},
    {"popcount(-1)", 32, 0},
    {"popcount(char(-1))", 8, 0},
    {"reverse_bits(uchar(1))", 128, 0},
    {"extract_bits(0xabcdu, 4, 8)", 0xbc, 0},
    {"extract_bits(int(0xf0), 4, 4)", -1, 0},
    {"extract_bits(5, 0, 0)", 0, 0},
    {"insert_bits(0u, 0xffu, 4, 8)", 0xff0, 0},
    {"hadd(5, 8)", 6, 0},
    {"rhadd(5, 8)", 7, 0},
    {"hadd(uchar(255), uchar(254))", 254, 0},
    {"mulhi(0x10000u, 0x10000u)", 1, 0},
    {"mulhi(-1, 1)", -1, 0},
    {"mulhi(ulong(1) << 63, ulong(4))", 2, 0},
    {"madhi(0x10000u, 0x10000u, 5u)", 6, 0},
    {"mad24(3, 4, 5)", 17, 0},
    {"mad24(int2(3), int2(4), int2(5)).y", 17, 0},
    {"mul24(-3, 4)", -12, 0},
    {"madsat(65536, 65536, 1)", 2147483647, 0},
    {"madsat(char(-100), char(2), char(50))", -128, 0},
    {"madsat(5u, 6u, 7u)", 37, 0},
    {"madsat(ulong(-1), ulong(-1), ulong(9)) == ulong(-1)", 1, 0},
    {"madsat(long(1) << 62, long(-4), long(0)) + 1 < 0", 1, 0},
    {"madhi(-1, 1, 5)", 4, 0},
    {"absdiff(uchar(3), uchar(250))", 247, 0},
    {"clz(ulong(1))", 63, 0},
    {"ctz(char(0))", 8, 0},
    {"popcount(long(-1))", 64, 0},
    {"reverse_bits(1u)", 2147483648.0, 0},
    {"reverse_bits(ushort2(1, 2)).y", 0x4000, 0},
    {"extract_bits(uint2(0xabcd), 4, 8).y", 0xbc, 0},
    {"extract_bits(0xffffffffu, 0, 32)", 4294967295.0, 0},
    {"insert_bits(int2(0), int2(-1), 4, 4).x", 0xf0, 0},
    {"insert_bits(7u, 0xffu, 0, 32)", 0xff, 0},
    {"rotate(1, 33)", 2, 0},
    {"rotate(short2(short(0x8001)), short2(1)).x", 3, 0},
    {"hadd(-5, -8)", -7, 0},
    {"rhadd(-5, -8)", -6, 0},
    {"rhadd(ulong(-1), ulong(-1)) == ulong(-1)", 1, 0},
    {"addsat(ulong(-1), ulong(1)) == ulong(-1)", 1, 0},
    {"addsat(int2(2147483647, 1), int2(1)).x", 2147483647, 0},
    {"subsat(char(-100), char(100))", -128, 0},
    {"mulhi(uchar(16), uchar(17))", 1, 0},
    {"mulhi(long(-1), long(1))", -1, 0},
    {"min3(3, 1, 2)", 1, 0},
    {"median3(uint2(5), uint2(9), uint2(7)).x", 7, 0},
    {"ilogb(float2(8, 0.5)).y", -1, 0},
    {"isnormal(float2(1, 0)).y", 0, 0},
    {"isnan(half2(1, NAN)).y", 1, 0},
    {"isinf(bfloat(INFINITY))", 1, 0},
    {"select(int3(1), int3(2), bool3(false, true, false)).y", 2, 0},
    {"select(uchar(1), uchar(2), true)", 2, 0},
    {"not(any(bool2(false)))", 1, 0},
    {"rotate(0x80000001u, 1u)", 3, 0},
    {"rotate(uchar(0x81), uchar(4))", 0x18, 0},
    {"min(3, 5u)", 3, 0},
    {"max(short(3), short(-5))", 3, 0},
    {"clamp(300, 0, 255)", 255, 0},
    {"ilogb(10.0)", 3, 0},
    {"isnan(NAN)", 1, 0},
    {"isinf(-INFINITY)", 1, 0},
    {"isfinite(1e38)", 1, 0},
    {"isnormal(1e-40)", 0, 0},
    {"isnormal(half(0x1p-15))", 0, 0},
    {"isnormal(half(0x1p-14))", 1, 0},
    {"signbit(-0.0)", 1, 0},
    {"isordered(1.0, NAN)", 0, 0},
    {"isunordered(1.0, NAN)", 1, 0},
    {"all(bool3(true, true, false))", 0, 0},
    {"any(int2(0, 4))", 1, 0},
    {"all(float2(1, 2) < float2(2, 3))", 1, 0},
    {"int4(1, 2, 3, 4).zw.x", 3, 0},
    {"(uchar4(255) + uchar4(1)).x", 0, 0},
    {"(int2(7, -7) / 2).y", -3, 0},
    {"(int2(7, -7) % 4).y", -3, 0},
    {"(uint2(1, 2) << uint2(3, 4)).y", 32, 0},
    {"(int2(-8) >> 1).x", -4, 0},
    {"(~uint2(0)).x", 4294967295.0, 0},
    {"(!bool2(true, false)).y", 1, 0},
    {"as_type<int>(1.0)", 0x3f800000, 0},
    {"as_type<ushort>(half(1.0))", 0x3c00, 0},
    {"as_type<ushort>(bfloat(1))", 0x3f80, 0},
    {"as_type<uchar4>(0x04030201u).z", 3, 0},
    {"as_type<uint>(bfloat2(1, 2))", 0x40003f80, 0},
    {"as_type<uchar>(char(-1))", 255, 0},
    {"as_type<short>(uchar2(1, 2))", 513, 0},
    {"as_type<long>(float2(0, 1)) >> 32", 0x3f800000, 0},
    {"as_type<ulong2>(float4(0, 0, 0, 1)).y >> 32", 0x3f800000, 0},
    {"as_type<half4>(ulong(0x3c00000000000000)).w == 1.0h", 1, 0},
    {"as_type<uint>(char4(1, 0, 0, -1))", 0xff000001, 0},
    {"int(-1.75)", -1, 0},
    {"uchar(3.99)", 3, 0},
    {"int(half(-2.5))", -2, 0},
    {"int(bfloat(7))", 7, 0},
    {"sizeof(float3)", 16, 0},
    {"sizeof(packed_float3)", 12, 0},
    {"sizeof(half2)", 4, 0},
    {"sizeof(char3)", 4, 0},
    {"alignof(float4)", 16, 0},
    {"sizeof(ulong3)", 32, 0},
    {"sizeof(float3x3)", 48, 0},
    {"sizeof(half4x4)", 32, 0},
    {"sizeof(bool4)", 4, 0},
    {"sizeof(long)", 8, 0},
    {"INT_MIN", -2147483648.0, 0},
    {"UINT_MAX", 4294967295.0, 0},
    {"numeric_limits<short>::lowest()", -32768, 0},
    {"numeric_limits<uchar>::max()", 255, 0},
    {"pack_float_to_unorm4x8(float4(1, 0, 0, 0.5))", 0x800000ff, 0},
    {"pack_float_to_snorm2x16(float2(-1, 1))", 0x7fff8001, 0},
    {"pack_float_to_snorm4x8(float4(-1, 1, -2, 0.5))", 0x40817f81, 0},
    {"pack_float_to_unorm2x16(float2(0.5, 7))", 0xffff8000, 0},
    {"pack_half_to_unorm4x8(half4(1, 0, NAN, 1))", 0xff0000ff, 0},
    {"pack_half_to_unorm2x16(half2(0, 1))", 0xffff0000, 0},
    {"pack_float_to_unorm10a2(float4(1, 0, 0, 1))", 0xc00003ff, 0},
    {"pack_float_to_srgb_unorm4x8(float4(0.2158605, 0, 1, 0.5))", 0x80ff0080, 0},
    {"frexp(12.0, e) > 0 ? e : 0", 4, 0},
    {"modf(-2.75, whole) < 0 ? int(whole) : 0", -2, 0},
    {"is_same_v<decltype(half(1) * half(2)), half>", 1, 0},
    {"is_same_v<decltype(bfloat(1) * 2), bfloat>", 1, 0},
    {"is_same_v<decltype(bfloat(1) * 2.0), float>", 1, 0},
    {"is_same_v<decltype(max(half(1), half(2))), half>", 1, 0},
    {"is_same_v<decltype(float4(1).xy), float2>", 1, 0},
    {"is_same_v<decltype(half2(1) * 2.0), half2>", 1, 0},
    {"is_convertible_v<float, bfloat>", 0, 0},
    {"is_convertible_v<bfloat, float>", 1, 0},
    {"is_convertible_v<bfloat, half>", 0, 0},
};

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

static char *append(char *at, const char *format, size_t index, const char *expression)
{
    return at + sprintf(at, format, index, expression);
}

/* One kernel; line 6 + i of the source is row i, so that a message names the row. */
static char *source_of(void)
{
    char *text = malloc(65536), *at = text;
    cr_assert(text != NULL);
    at += sprintf(at, "#include <metal_stdlib>\nusing namespace metal;\n"
                      "kernel void f(device float *x, device long *n)\n{\n"
                      "int e; float whole; float2 w2; int2 e2;\n");
    for (size_t i = 0; i < COUNT(numbers); i++) {
        at = append(at, "x[%zu] = float(%s);\n", i, numbers[i].expression);
    }
    for (size_t i = 0; i < COUNT(integers); i++) {
        at = append(at, "n[%zu] = long(%s);\n", i, integers[i].expression);
    }
    sprintf(at, "}\n");
    return text;
}

Test(softmetal_functions, table)
{
    struct sm_device *device = open_device();
    char *source = source_of();
    struct sm_library *library = library_of(device, source);
    struct sm_pipeline *pipeline = pipeline_of(library, "f");
    static float x[COUNT(numbers)];
    static int64_t n[COUNT(integers)];
    struct sm_dispatch d = dispatch_of(pipeline, 1, 1);
    d.buffers[0] = x;
    d.buffers[1] = n;
    run(device, &d);
    for (size_t i = 0; i < COUNT(numbers); i++) {
        const struct row *r = &numbers[i];
        double want = r->tolerance == 0 ? (double)(float)r->want : r->want;
        cr_expect(same((double)x[i], want, r->tolerance), "%s is %.9g, expected %.9g",
                  r->expression, (double)x[i], want);
    }
    for (size_t i = 0; i < COUNT(integers); i++) {
        const struct row *r = &integers[i];
        cr_expect((double)n[i] == r->want, "%s is %lld, expected %.0f", r->expression,
                  (long long)n[i], r->want);
    }
    sm_pipeline_free(pipeline);
    sm_library_free(library);
    sm_device_close(device);
    free(source);
}

/* Assignment to swizzles, components and packed elements; what the table's expressions cannot say. */
Test(softmetal_functions, assignment)
{
    const char *source =
        "#include <metal_stdlib>\nusing namespace metal;\n"
        "kernel void f(device float *x, device packed_float3 *p, device float3 *v)\n{\n"
        "float4 a = float4(1, 2, 3, 4);\n"
        "a.yx = a.zw; x[0] = a.x; x[1] = a.y;\n"
        "a.xyz += 1; x[2] = a.x; x[3] = a.z; x[4] = a.w;\n"
        "a[3] = 9; x[5] = a.w; a.rgb *= float3(2, 1, 0); x[6] = a.b;\n"
        "p[1] = a.xyz; p[1].y = 7; x[7] = p[1].x; x[8] = p[1][1];\n"
        "v[1] = float3(p[1]) * 2; x[9] = v[1].y; thread float &w = a.w; w = 3; x[10] = a.w;\n"
        "float2 h = {5, 6}; h = -h; x[11] = h.y; float4 s = 2; x[12] = s.w; h++; x[13] = h.x;\n"
        "x[14] = (h == float2(-4, -5)).x && all(h == float2(-4, -5)); }\n";
    struct sm_device *device = open_device();
    struct sm_library *library = library_of(device, source);
    struct sm_pipeline *pipeline = pipeline_of(library, "f");
    _Alignas(16) float x[15], p[6] = {0}, v[8] = {0};
    struct sm_dispatch d = dispatch_of(pipeline, 1, 1);
    d.buffers[0] = x;
    d.buffers[1] = p;
    d.buffers[2] = v;
    run(device, &d);
    const float want[] = {4, 3, 5, 4, 4, 9, 0, 10, 7, 14, 3, -6, 2, -4, 1};
    for (size_t i = 0; i < COUNT(want); i++) {
        cr_expect(x[i] == want[i], "x[%zu] is %g, expected %g", i, (double)x[i], (double)want[i]);
    }
    cr_expect(p[3] == 10 && p[4] == 7 && p[5] == 0, "a packed_float3 is 12 bytes");
    cr_expect(v[4] == 20 && v[5] == 14, "a float3 is 16 bytes");
    sm_pipeline_free(pipeline);
    sm_library_free(library);
    sm_device_close(device);
}
