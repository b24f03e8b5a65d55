// numeric_limits, array, tuple-free utilities, logging, and the names of the simd/ headers.
#pragma once

#include "softmetal/pack.h"

namespace metal
{

template <class T> struct numeric_limits {
    static constexpr bool is_specialized = false;
};

#define SOFTMETAL_INTEGER(T)                                                                       \
    template <> struct numeric_limits<T> {                                                         \
        static constexpr bool is_specialized = true, is_integer = true, is_exact = true;           \
        static constexpr bool is_signed = (static_cast<T>(-1) < static_cast<T>(0));                \
        static constexpr bool has_infinity = false, has_quiet_NaN = false;                         \
        static constexpr int digits = int(sizeof(T)) * 8 - is_signed;                              \
        static constexpr T max()                                                                   \
        {                                                                                          \
            return static_cast<T>(static_cast<make_unsigned_t<T>>(-1) >> (is_signed ? 1 : 0));     \
        }                                                                                          \
        static constexpr T min()                                                                   \
        {                                                                                          \
            return is_signed ? static_cast<T>(-max() - 1) : static_cast<T>(0);                     \
        }                                                                                          \
        static constexpr T lowest()                                                                \
        {                                                                                          \
            return min();                                                                          \
        }                                                                                          \
    };
SOFTMETAL_INTEGER(char)
SOFTMETAL_INTEGER(signed char)
SOFTMETAL_INTEGER(uchar)
SOFTMETAL_INTEGER(short)
SOFTMETAL_INTEGER(ushort)
SOFTMETAL_INTEGER(int)
SOFTMETAL_INTEGER(uint)
SOFTMETAL_INTEGER(long)
SOFTMETAL_INTEGER(ulong)
SOFTMETAL_INTEGER(long long)
SOFTMETAL_INTEGER(unsigned long long)
#undef SOFTMETAL_INTEGER

template <> struct numeric_limits<bool> {
    static constexpr bool is_specialized = true, is_integer = true, is_signed = false;
    static constexpr int digits = 1;
    static constexpr bool max()
    {
        return true;
    }
    static constexpr bool min()
    {
        return false;
    }
    static constexpr bool lowest()
    {
        return false;
    }
};

// max, min and epsilon as float, which holds them exactly for all three types.
#define SOFTMETAL_FLOAT(T, top, small, eps, tiny, bits)                                            \
    template <> struct numeric_limits<T> {                                                         \
        static constexpr bool is_specialized = true, is_integer = false, is_exact = false;         \
        static constexpr bool is_signed = true, has_infinity = true, has_quiet_NaN = true;         \
        static constexpr int digits = bits, radix = 2;                                             \
        static constexpr T max()                                                                   \
        {                                                                                          \
            return T(top);                                                                         \
        }                                                                                          \
        static constexpr T lowest()                                                                \
        {                                                                                          \
            return T(-(top));                                                                      \
        }                                                                                          \
        static constexpr T min()                                                                   \
        {                                                                                          \
            return T(small);                                                                       \
        }                                                                                          \
        static constexpr T epsilon()                                                               \
        {                                                                                          \
            return T(eps);                                                                         \
        }                                                                                          \
        static constexpr T denorm_min()                                                            \
        {                                                                                          \
            return T(tiny);                                                                        \
        }                                                                                          \
        static constexpr T infinity()                                                              \
        {                                                                                          \
            return T(__builtin_inff());                                                            \
        }                                                                                          \
        static constexpr T quiet_NaN()                                                             \
        {                                                                                          \
            return T(__builtin_nanf(""));                                                          \
        }                                                                                          \
    };
SOFTMETAL_FLOAT(float, 0x1.fffffep127f, 0x1p-126f, 0x1p-23f, 0x1p-149f, 24)
SOFTMETAL_FLOAT(half, 65504.0f, 0x1p-14f, 0x1p-10f, 0x1p-24f, 11)
SOFTMETAL_FLOAT(bfloat, 0x1.fep127f, 0x1p-126f, 0x1p-7f, 0x1p-133f, 8)
#undef SOFTMETAL_FLOAT
template <class T> struct numeric_limits<const T> : numeric_limits<T> {
};

template <class T, size_t N> struct array {
    T data_[N > 0 ? N : 1];

    constexpr T &operator[](size_t i)
    {
        return data_[i];
    }
    constexpr const T &operator[](size_t i) const
    {
        return data_[i];
    }
    constexpr T *data()
    {
        return data_;
    }
    constexpr const T *data() const
    {
        return data_;
    }
    constexpr T *begin()
    {
        return data_;
    }
    constexpr T *end()
    {
        return data_ + N;
    }
    constexpr const T *begin() const
    {
        return data_;
    }
    constexpr const T *end() const
    {
        return data_ + N;
    }
    constexpr size_t size() const
    {
        return N;
    }
};

template <class A, class B> struct pair {
    A first;
    B second;
};

// A value that is the same in all threads: the word of who wrote make_uniform.
template <class T> struct uniform {
    T value;

    uniform() = default;
    constexpr uniform(T v) : value(v)
    {
    }
    template <class U> constexpr explicit uniform(const uniform<U> &u) : value(T(u.value))
    {
    }
    constexpr operator T() const
    {
        return value;
    }
};
template <class T> constexpr uniform<T> make_uniform(T value)
{
    return value;
}

// Messages of a kernel go nowhere here.
struct os_log {
    template <class... A> constexpr os_log(const A &...)
    {
    }
    template <class... A> void log(const A &...) const
    {
    }
    template <class... A> void log_debug(const A &...) const
    {
    }
    template <class... A> void log_info(const A &...) const
    {
    }
    template <class... A> void log_error(const A &...) const
    {
    }
    template <class... A> void log_fault(const A &...) const
    {
    }
};

} // namespace metal

#define SOFTMETAL_SIMD_NAMES(prefix, T)                                                            \
    using prefix##T##2 = metal::vec<T, 2>;                                                         \
    using prefix##T##3 = metal::vec<T, 3>;                                                         \
    using prefix##T##4 = metal::vec<T, 4>;
#define SOFTMETAL_SIMD(T)                                                                          \
    SOFTMETAL_SIMD_NAMES(vector_, T)                                                               \
    SOFTMETAL_SIMD_NAMES(simd_, T)
SOFTMETAL_SIMD(char)
SOFTMETAL_SIMD(uchar)
SOFTMETAL_SIMD(short)
SOFTMETAL_SIMD(ushort)
SOFTMETAL_SIMD(int)
SOFTMETAL_SIMD(uint)
SOFTMETAL_SIMD(long)
SOFTMETAL_SIMD(ulong)
SOFTMETAL_SIMD(half)
SOFTMETAL_SIMD(float)
#undef SOFTMETAL_SIMD
#undef SOFTMETAL_SIMD_NAMES

namespace simd
{
using namespace metal;
}
using matrix_float2x2 = metal::float2x2;
using matrix_float3x3 = metal::float3x3;
using matrix_float4x4 = metal::float4x4;
using simd_float2x2 = metal::float2x2;
using simd_float3x3 = metal::float3x3;
using simd_float4x4 = metal::float4x4;
