// Functions of numbers, for scalars and, component by component, for vectors. `fast`, `precise`
// and plain are one implementation, float for half and bfloat; a GPU's fast functions differ from
// it by their documented error.
#pragma once

#include "softmetal/vec_ops.h"

namespace softmetal
{

// The type in which a function of T computes: integers are converted as MSL's overloads do.
template <class T> struct computing {
    using type = float;
};

// 2^x and so on, without the names of the C library in the way of the kernel's own.
inline float sinpi(float x)
{
    return __builtin_sinf(3.14159265358979323846f * (x - 2.0f * __builtin_floorf(x * 0.5f)));
}
inline float cospi(float x)
{
    return __builtin_cosf(3.14159265358979323846f * (x - 2.0f * __builtin_floorf(x * 0.5f)));
}
inline float rsqrt(float x)
{
    return float(1.0 / __builtin_sqrt(double(x))); // rounded once
}
inline float sign(float x)
{
    return x > 0.0f ? 1.0f : x < 0.0f ? -1.0f : x == 0.0f ? x : 0.0f;
}
// Below 1 in the type of the result.
template <class T> inline float fract(float x)
{
    constexpr float top = __is_same(T, half)     ? 0x1.ffcp-1f
                          : __is_same(T, bfloat) ? 0x1.fep-1f
                                                 : 0x1.fffffep-1f;
    float f = x - __builtin_floorf(x);
    return f < top || f != f ? f : top;
}
// The next number of a type of 16 bits, which orders as its bits do.
template <class T> inline float nextafter(float x, float y)
{
    if constexpr (!__is_same(T, half) && !__is_same(T, bfloat)) {
        return __builtin_nextafterf(x, y);
    } else {
        if (x != x || y != y || x == y) {
            return x == y ? y : x + y;
        }
        ushort bits = __builtin_bit_cast(ushort, T(x));
        bits = x == 0.0f ? ushort(y > 0.0f ? 1 : 0x8001)
                         : ushort((x < y) == (x > 0.0f) ? bits + 1 : bits - 1);
        return float(__builtin_bit_cast(T, bits));
    }
}
inline float saturate(float x)
{
    return x > 0.0f ? (x < 1.0f ? x : 1.0f) : 0.0f;
}
inline float exp10(float x)
{
    return float(__builtin_exp10(double(x)));
}
inline float powr(float x, float y)
{
    return x < 0.0f ? __builtin_nanf("") : __builtin_powf(x, y);
}
inline float fdim(float x, float y)
{
    return x > y ? x - y : x <= y ? 0.0f : x + y;
}
inline float mix(float x, float y, float a)
{
    return x + (y - x) * a;
}
inline float step(float edge, float x)
{
    return x < edge ? 0.0f : 1.0f;
}
inline float smoothstep(float a, float b, float x)
{
    float t = saturate((x - a) / (b - a));
    return t * t * (3.0f - 2.0f * t);
}

template <class T> constexpr bool is_float = metal::is_floating_point_v<T>;
template <class T> using if_number = metal::enable_if_t<is_scalar<T>, T>;

} // namespace softmetal

namespace metal
{

// An integer argument is a float to these functions.
template <class T> using softmetal_real = conditional_t<is_floating_point_v<T>, T, float>;

#define SOFTMETAL_MATH1(name, f)                                                                   \
    template <class T, class = enable_if_t<softmetal::is_scalar<T>>>                               \
    inline softmetal_real<T> name(T x)                                                             \
    {                                                                                              \
        return softmetal_real<T>(f(float(x)));                                                     \
    }                                                                                              \
    template <class T, int N> inline vec<T, N> name(const vec<T, N> &x)                            \
    {                                                                                              \
        vec<T, N> r;                                                                               \
        SOFTMETAL_UNROLL                                                                           \
        for (int i = 0; i < N; i++) {                                                              \
            r.e[i] = T(f(float(x.e[i])));                                                          \
        }                                                                                          \
        return r;                                                                                  \
    }
// Two arguments: of one type, or one a scalar that takes the type of the other.
#define SOFTMETAL_MATH2(name, f)                                                                   \
    template <class A, class B,                                                                    \
              class = enable_if_t<softmetal::is_scalar<A> && softmetal::is_scalar<B>>>             \
    inline auto name(A x, B y)                                                                     \
    {                                                                                              \
        using T = softmetal_real<softmetal::wider<A, B>>;                                          \
        return T(f(float(x), float(y)));                                                           \
    }                                                                                              \
    template <class T, int N> inline vec<T, N> name(const vec<T, N> &x, const vec<T, N> &y)        \
    {                                                                                              \
        vec<T, N> r;                                                                               \
        SOFTMETAL_UNROLL                                                                           \
        for (int i = 0; i < N; i++) {                                                              \
            r.e[i] = T(f(float(x.e[i]), float(y.e[i])));                                           \
        }                                                                                          \
        return r;                                                                                  \
    }                                                                                              \
    template <class T, int N, class S, class = enable_if_t<softmetal::is_scalar<S>>>               \
    inline vec<T, N> name(const vec<T, N> &x, S y)                                                 \
    {                                                                                              \
        return name(x, vec<T, N>(y));                                                              \
    }                                                                                              \
    template <class T, int N, class S, class = enable_if_t<softmetal::is_scalar<S>>>               \
    inline vec<T, N> name(S x, const vec<T, N> &y)                                                 \
    {                                                                                              \
        return name(vec<T, N>(x), y);                                                              \
    }
#define SOFTMETAL_MATH3(name, f)                                                                   \
    template <class T, class U, class V,                                                           \
              class = enable_if_t<softmetal::is_scalar<T> && softmetal::is_scalar<U> &&            \
                                  softmetal::is_scalar<V>>>                                        \
    inline auto name(T x, U y, V z)                                                                \
    {                                                                                              \
        using R = softmetal_real<softmetal::wider<softmetal::wider<T, U>, V>>;                     \
        return R(f(float(x), float(y), float(z)));                                                 \
    }                                                                                              \
    template <class A, class B, class C, class V = softmetal::vector_of<A, B, C>>                  \
    inline V name(const A &x, const B &y, const C &z)                                              \
    {                                                                                              \
        using T = typename V::value_type;                                                          \
        V r, a = V(x), b = V(y), c = V(z);                                                         \
        SOFTMETAL_UNROLL                                                                           \
        for (int i = 0; i < V::size; i++) {                                                        \
            r.e[i] = T(f(float(a.e[i]), float(b.e[i]), float(c.e[i])));                            \
        }                                                                                          \
        return r;                                                                                  \
    }

} // namespace metal

namespace softmetal
{

// The type of `a op b` for two scalars; half and bfloat are not promoted.
template <class T, class U, bool = metal::is_floating_point_v<T>,
          bool = metal::is_floating_point_v<U>>
struct wider_type {
    using type = decltype(T() + U());
};
template <class T, class U> struct wider_type<T, U, true, false> {
    using type = T;
};
template <class T, class U> struct wider_type<T, U, false, true> {
    using type = U;
};
template <class T, class U> struct wider_type<T, U, true, true> {
    using type = metal::conditional_t<metal::is_same_v<T, U>, T, float>;
};
template <class T> struct wider_type<T, T, false, false> {
    using type = T;
};
template <class T, class U> using wider = typename wider_type<T, U>::type;

// The one vector type among arguments that are otherwise scalars.
template <class... A> struct find_vector {
};
template <class T, int N, class... A> struct find_vector<vec<T, N>, A...> {
    using type = vec<T, N>;
};
template <class F, class S, class... A> struct find_vector<F, S, A...> : find_vector<S, A...> {
};
template <class T, int N, class S, class... A> struct find_vector<vec<T, N>, S, A...> {
    using type = vec<T, N>;
};
template <class... A> using vector_of = typename find_vector<A...>::type;

} // namespace softmetal

#define SOFTMETAL_FUNCTIONS                                                                        \
    SOFTMETAL_MATH1(acos, SOFTMETAL_FAST(acos, __builtin_acosf))                                   \
    SOFTMETAL_MATH1(acosh, SOFTMETAL_FAST(acosh, __builtin_acoshf))                                \
    SOFTMETAL_MATH1(asin, SOFTMETAL_FAST(asin, __builtin_asinf))                                   \
    SOFTMETAL_MATH1(asinh, SOFTMETAL_FAST(asinh, __builtin_asinhf))                                \
    SOFTMETAL_MATH1(atan, SOFTMETAL_FAST(atan, __builtin_atanf))                                   \
    SOFTMETAL_MATH1(atanh, SOFTMETAL_FAST(atanh, __builtin_atanhf))                                \
    SOFTMETAL_MATH1(ceil, __builtin_ceilf)                                                         \
    SOFTMETAL_MATH1(cos, SOFTMETAL_FAST(cos, __builtin_cosf))                                      \
    SOFTMETAL_MATH1(cosh, SOFTMETAL_FAST(cosh, __builtin_coshf))                                   \
    SOFTMETAL_MATH1(cospi, SOFTMETAL_FAST(cospi, softmetal::cospi))                                \
    SOFTMETAL_MATH1(exp, SOFTMETAL_FAST(exp, __builtin_expf))                                      \
    SOFTMETAL_MATH1(exp2, SOFTMETAL_FAST(exp2, __builtin_exp2f))                                   \
    SOFTMETAL_MATH1(exp10, SOFTMETAL_FAST(exp10, softmetal::exp10))                                \
    SOFTMETAL_MATH1(fabs, __builtin_fabsf)                                                         \
    SOFTMETAL_MATH1(floor, __builtin_floorf)                                                       \
    SOFTMETAL_MATH1(fract, softmetal::fract<T>)                                                    \
    SOFTMETAL_MATH1(log, SOFTMETAL_FAST(log, __builtin_logf))                                      \
    SOFTMETAL_MATH1(log2, SOFTMETAL_FAST(log2, __builtin_log2f))                                   \
    SOFTMETAL_MATH1(log10, SOFTMETAL_FAST(log10, __builtin_log10f))                                \
    SOFTMETAL_MATH1(rint, __builtin_rintf)                                                         \
    SOFTMETAL_MATH1(round, __builtin_roundf)                                                       \
    SOFTMETAL_MATH1(rsqrt, SOFTMETAL_FAST(rsqrt, softmetal::rsqrt))                                \
    SOFTMETAL_MATH1(saturate, softmetal::saturate)                                                 \
    SOFTMETAL_MATH1(sign, softmetal::sign)                                                         \
    SOFTMETAL_MATH1(sin, SOFTMETAL_FAST(sin, __builtin_sinf))                                      \
    SOFTMETAL_MATH1(sinh, SOFTMETAL_FAST(sinh, __builtin_sinhf))                                   \
    SOFTMETAL_MATH1(sinpi, SOFTMETAL_FAST(sinpi, softmetal::sinpi))                                \
    SOFTMETAL_MATH1(sqrt, SOFTMETAL_FAST(sqrt, __builtin_sqrtf))                                   \
    SOFTMETAL_MATH1(tan, SOFTMETAL_FAST(tan, __builtin_tanf))                                      \
    SOFTMETAL_MATH1(tanh, SOFTMETAL_FAST(tanh, __builtin_tanhf))                                   \
    SOFTMETAL_MATH1(tanpi, SOFTMETAL_FAST(tanpi, softmetal::tanpi))                                \
    SOFTMETAL_MATH1(trunc, __builtin_truncf)                                                       \
    SOFTMETAL_MATH2(atan2, SOFTMETAL_FAST(atan2, __builtin_atan2f))                                \
    SOFTMETAL_MATH2(copysign, __builtin_copysignf)                                                 \
    SOFTMETAL_MATH2(divide, SOFTMETAL_FAST(divide, softmetal::divide))                             \
    SOFTMETAL_MATH2(fdim, softmetal::fdim)                                                         \
    SOFTMETAL_MATH2(fmax, __builtin_fmaxf)                                                         \
    SOFTMETAL_MATH2(fmin, __builtin_fminf)                                                         \
    SOFTMETAL_MATH2(fmod, __builtin_fmodf)                                                         \
    SOFTMETAL_MATH2(nextafter, softmetal::nextafter<T>)                                            \
    SOFTMETAL_MATH2(pow, SOFTMETAL_FAST(pow, __builtin_powf))                                      \
    SOFTMETAL_MATH2(powr, SOFTMETAL_FAST(powr, softmetal::powr))                                   \
    SOFTMETAL_MATH2(step, softmetal::step)                                                         \
    SOFTMETAL_MATH3(fma, __builtin_fmaf)                                                           \
    SOFTMETAL_MATH3(mix, softmetal::mix)                                                           \
    SOFTMETAL_MATH3(smoothstep, softmetal::smoothstep)

namespace softmetal
{
inline float tanpi(float x)
{
    return sinpi(x) / cospi(x);
}
inline float divide(float x, float y)
{
    return x / y;
}
} // namespace softmetal

#include "softmetal/check_math.h"

namespace metal
{
SOFTMETAL_FUNCTIONS
}
