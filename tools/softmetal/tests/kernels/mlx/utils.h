// Helpers in the style of MLX: traits, a complex type with a conversion for every address space,
// overloads by address space, limits.
#pragma once

#include <metal_math>

using namespace metal;

using bfloat16_t = bfloat;
#define MLX_CONST static constant constexpr const

struct complex64;

template <typename T>
static constexpr constant bool can_convert_to_complex =
    !is_same_v<T, complex64> && is_convertible_v<T, float>;

struct complex64 {
    float real;
    float imag;

    constexpr complex64(float real, float imag) : real(real), imag(imag){};

    template <typename T, typename = typename enable_if<can_convert_to_complex<T>>::type>
    constexpr complex64(T x) thread : real(x), imag(0)
    {
    }

    template <typename T, typename = typename enable_if<can_convert_to_complex<T>>::type>
    constexpr complex64(T x) threadgroup : real(x), imag(0)
    {
    }

    template <typename T, typename = typename enable_if<can_convert_to_complex<T>>::type>
    constexpr complex64(T x) device : real(x), imag(0)
    {
    }

    template <typename T, typename = typename enable_if<can_convert_to_complex<T>>::type>
    constexpr complex64(T x) constant : real(x), imag(0)
    {
    }

    float norm() const thread
    {
        return real * real + imag * imag;
    }
    float norm() const device
    {
        return real * real + imag * imag;
    }
    float norm() const constant
    {
        return real * real + imag * imag;
    }
};

constexpr complex64 operator+(complex64 a, complex64 b)
{
    return {a.real + b.real, a.imag + b.imag};
}

constexpr complex64 operator*(complex64 a, complex64 b)
{
    return {a.real * b.real - a.imag * b.imag, a.real * b.imag + a.imag * b.real};
}

template <typename T> struct pointer_element {
};
template <typename T> struct pointer_element<device T *> {
    using type = remove_cv_t<T>;
};
template <typename T> struct pointer_element<threadgroup T *> {
    using type = remove_cv_t<T>;
};
template <typename T> struct pointer_element<constant T *> {
    using type = remove_cv_t<T>;
};

template <typename U> struct Limits {
    static const constant U max;
    static const constant U min;
};
#define instantiate_limit(type)                                                                    \
    template <> struct Limits<type> {                                                              \
        static constexpr constant type max = metal::numeric_limits<type>::max();                   \
        static constexpr constant type min = metal::numeric_limits<type>::lowest();                \
    };
instantiate_limit(float) instantiate_limit(half) instantiate_limit(bfloat16_t)
    instantiate_limit(int32_t) instantiate_limit(uint8_t)

        inline size_t
    elem_to_loc(uint elem, device const int *shape, device const size_t *strides, int ndim)
{
    size_t loc = 0;
    for (int i = ndim - 1; i >= 0; --i) {
        loc += (elem % shape[i]) * strides[i];
        elem /= shape[i];
    }
    return loc;
}
inline size_t elem_to_loc(uint elem, constant const int *shape, constant const size_t *strides,
                          int ndim)
{
    size_t loc = 0;
    for (int i = ndim - 1; i >= 0; --i) {
        loc += (elem % shape[i]) * strides[i];
        elem /= shape[i];
    }
    return loc;
}

namespace metal
{
METAL_FUNC bfloat16_t max(bfloat16_t x, bfloat16_t y)
{
    return static_cast<bfloat16_t>(
        __metal_fmax(static_cast<float>(x), static_cast<float>(y), __METAL_MAYBE_FAST_MATH__));
}
METAL_FUNC bfloat16_t simd_max(bfloat16_t x)
{
    return static_cast<bfloat16_t>(__metal_simd_max(static_cast<float>(x)));
}
} // namespace metal
