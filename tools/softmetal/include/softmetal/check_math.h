// The adversary's arithmetic: in checking mode functions and divisions may err at random by what the
// MSL specification grants them: its tables 8.1 (precise), 8.2 (fast math), 8.3 (half), 8.4 and 8.5
// (bfloat). What table 8.2 defines by a formula is that formula over erring parts, with its NaN where
// it overflows. Where it leaves a result undefined, this one is exact.
#pragma once

#include "softmetal/cpu/check.h"

#if defined(SOFTMETAL_CHECK)

namespace softmetal
{

inline double random_part() // -1 to 1
{
    return double(int64_t(hooks.random())) * 0x1p-63;
}

// 2^-digits of the number's binade; 0 for what is subnormal there, infinite or no number.
inline double unit_of(double exact, int digits, double smallest)
{
    double size = __builtin_fabs(exact);
    return size >= smallest && size < 0x1p128 ? __builtin_ldexp(1.0, __builtin_ilogb(size) - digits)
                                              : 0.0;
}

// The float within so many units in the last place, its own rounding included, or within `absolute`.
SOFTMETAL_UNSEEN inline float bent(double exact, double ulps, double absolute = 0)
{
    double most = __builtin_fmax((ulps - 0.5) * unit_of(exact, 23, 0x1p-126), absolute * 0.999);
    return float(most > 0 ? exact + most * random_part() : exact);
}
// As half's table wants all of its functions that are not correctly rounded: within one unit.
SOFTMETAL_UNSEEN inline float bent_half(double exact)
{
    return float(exact + 0.499 * unit_of(exact, 10, 0x1p-14) * random_part());
}

inline double exact_divide(double x, double y)
{
    return x / y;
}
inline double exact_rsqrt(double x)
{
    return 1.0 / __builtin_sqrt(x);
}
inline double exact_sinpi(double x)
{
    return __builtin_sin(3.14159265358979323846 * (x - 2.0 * __builtin_floor(x * 0.5)));
}
inline double exact_cospi(double x)
{
    return __builtin_cos(3.14159265358979323846 * (x - 2.0 * __builtin_floor(x * 0.5)));
}
inline double exact_tanpi(double x)
{
    return exact_sinpi(x) / exact_cospi(x);
}
inline double exact_powr(double x, double y)
{
    return x < 0 ? __builtin_nan("") : __builtin_pow(x, y);
}

// ---- table 8.2 ---------------------------------------------------------------------------------

SOFTMETAL_UNSEEN inline float fast_divide(float x, float y)
{
    float size = __builtin_fabsf(y);
    bool inside = size >= 0x1p-126f && size <= 0x1p126f;
    return inside ? bent(double(x) / double(y), __builtin_fabsf(x) == 1.0f ? 1.0 : 2.5) : x / y;
}
inline float fast_exp(float x)
{
    return bent(__builtin_exp(x), 3.0 + __builtin_floor(__builtin_fabs(2.0 * x)));
}
inline float fast_exp2(float x)
{
    return bent(__builtin_exp2(x), 3.0 + __builtin_floor(__builtin_fabs(2.0 * x)));
}
inline float fast_log(float x)
{
    bool near = x >= 0.5f && x <= 2.0f;
    return near ? bent(__builtin_log(x), 0, 0x1p-21) : bent(__builtin_log(x), 3);
}
inline float fast_log2(float x)
{
    bool near = x >= 0.5f && x <= 2.0f;
    return near ? bent(__builtin_log2(x), 0, 0x1p-22) : bent(__builtin_log2(x), 2);
}
// Granted between -pi and pi, and more beyond, which is not said how much.
inline float fast_sin(float x)
{
    return bent(__builtin_sin(x), 0, 0x1p-13);
}
inline float fast_cos(float x)
{
    return bent(__builtin_cos(x), 0, 0x1p-13);
}
inline float fast_rsqrt(float x)
{
    return bent(exact_rsqrt(x), 2);
}
inline float fast_sqrt(float x)
{
    return x > 0.0f && x < __builtin_inff() ? x * fast_rsqrt(x) : __builtin_sqrtf(x);
}
inline float fast_tan(float x)
{
    return fast_sin(x) * fast_divide(1.0f, fast_cos(x));
}
inline float fast_tanh(float x)
{
    float t = fast_exp(2.0f * x);
    return fast_divide(t - 1.0f, t + 1.0f);
}
inline float fast_atan(float x)
{
    return bent(__builtin_atan(x), 5);
}
inline float fast_atan2(float y, float x)
{
    if (x == 0.0f || y == 0.0f) {
        return __builtin_atan2f(y, x);
    }
    float a = fast_atan(fast_divide(y, x));
    return x > 0.0f ? a : y > 0.0f ? a + 3.14159265358979f : a - 3.14159265358979f;
}
inline float fast_pow(float x, float y)
{
    return x == 0.0f && y == 0.0f ? 1.0f : fast_exp2(y * fast_log2(x));
}
inline float fast_asin(float x)
{
    bool inside = __builtin_fabsf(x) >= 0x1p-125f;
    return inside ? bent(__builtin_asin(x), 5) : __builtin_asinf(x);
}

// ---- division ----------------------------------------------------------------------------------

template <class T, class A, class B> SOFTMETAL_UNSEEN inline T divided(A x, B y)
{
    if (hooks.adversarial && metal::is_same_v<T, float>) {
        return T(fast_divide(float(x), float(y)));
    }
    if (hooks.adversarial && metal::is_same_v<T, bfloat>) {
        double exact = double(float(x)) / double(float(y));
        return T(float(exact + 0.099 * unit_of(exact, 7, 0x1p-126) * random_part()));
    }
    return T(x / y);
}

// `a / b` becomes `a / over / b`, and `a /= b` becomes `a /= over %= b`: as strong, and of operators
// that can be had for numbers too.
struct over_sign {
};
inline constexpr over_sign over = {};
template <class T> struct dividend {
    T value;
};
template <class T> struct divisor {
    T value;
};
template <class T> constexpr bool errs = metal::is_same_v<T, float> || metal::is_same_v<T, bfloat>;

template <class T> constexpr dividend<T> operator/(const T &a, over_sign)
{
    return {a};
}
template <class T, int N>
constexpr dividend<metal::packed_vec<T, N>> operator/(const metal::packed_vec<T, N> &a, over_sign)
{
    return {a};
}
template <class T> constexpr divisor<T> operator%=(over_sign, const T &b)
{
    return {b};
}

template <class R> struct quotient {
    template <class A, class B> static constexpr R of(const A &a, const B &b)
    {
        if constexpr (errs<R>) {
            return __builtin_is_constant_evaluated() ? R(a / b) : divided<R>(a, b);
        } else {
            return a / b;
        }
    }
};
template <class T, int N> struct quotient<metal::vec<T, N>> {
    template <class A, class B> static constexpr metal::vec<T, N> of(const A &a, const B &b)
    {
        if (!errs<T> || __builtin_is_constant_evaluated()) {
            return a / b;
        }
        metal::vec<T, N> x(a), y(b);
        for (int i = 0; i < N; i++) {
            x.e[i] = divided<T>(x.e[i], y.e[i]);
        }
        return x;
    }
};
template <class A, class B>
constexpr auto operator/(const dividend<A> &a, const B &b) -> decltype(a.value / b)
{
    return quotient<decltype(a.value / b)>::of(a.value, b);
}
// Of vectors, whose own /= needs it, and of swizzles, which are properties.
template <class T, int N, class B>
constexpr auto operator/(const metal::vec<T, N> &a, const divisor<B> &b) -> decltype(a / b.value)
{
    return quotient<decltype(a / b.value)>::of(a, b.value);
}
template <class T, int N, class B>
constexpr auto operator/(const metal::packed_vec<T, N> &a, const divisor<B> &b)
    -> decltype(a / b.value)
{
    return quotient<decltype(a / b.value)>::of(a, b.value);
}
template <class A, class B, class = metal::enable_if_t<is_scalar<A>>>
constexpr A &operator/=(A &a, const divisor<B> &b)
{
    return a = A(quotient<decltype(a / b.value)>::of(a, b.value));
}
template <class A> constexpr bool has_own = !is_scalar<A>;
template <class T, int N> constexpr bool has_own<metal::vec<T, N>> = false;
template <class T, int N> constexpr bool has_own<metal::packed_vec<T, N>> = false;
template <class A, class B, class = metal::enable_if_t<has_own<A>>, class = void>
constexpr auto operator/=(A &a, const divisor<B> &b) -> decltype(a /= b.value)
{
    return a /= b.value;
}

} // namespace softmetal

// Both tables of a function of one argument: plain, exact, its precise bound and its fast form.
#define SOFTMETAL_LOOSE(name, plain, exact, ulps, fast_form)                                       \
    namespace metal                                                                                \
    {                                                                                              \
    template <class T> inline float loose_##name(float x)                                          \
    {                                                                                              \
        return !softmetal::hooks.adversarial ? plain(x)                                            \
               : is_same_v<T, half>          ? softmetal::bent_half(exact(double(x)))              \
                                             : softmetal::fast_form;                                        \
    }                                                                                              \
    namespace precise                                                                              \
    {                                                                                              \
    template <class T> inline float loose_##name(float x)                                          \
    {                                                                                              \
        return !softmetal::hooks.adversarial ? plain(x)                                            \
               : is_same_v<T, half>          ? softmetal::bent_half(exact(double(x)))              \
                                             : softmetal::bent(exact(double(x)), ulps);                     \
    }                                                                                              \
    }                                                                                              \
    }
#define SOFTMETAL_LOOSE2(name, plain, exact, ulps, fast_form)                                      \
    namespace metal                                                                                \
    {                                                                                              \
    template <class T> inline float loose_##name(float x, float y)                                 \
    {                                                                                              \
        return !softmetal::hooks.adversarial ? plain(x, y)                                         \
               : is_same_v<T, half>          ? softmetal::bent_half(exact(double(x), double(y)))   \
                                             : softmetal::fast_form;                                        \
    }                                                                                              \
    namespace precise                                                                              \
    {                                                                                              \
    template <class T> inline float loose_##name(float x, float y)                                 \
    {                                                                                              \
        return !softmetal::hooks.adversarial ? plain(x, y)                                         \
               : is_same_v<T, half>          ? softmetal::bent_half(exact(double(x), double(y)))   \
                                             : softmetal::bent(exact(double(x), double(y)), ulps);          \
    }                                                                                              \
    }                                                                                              \
    }
SOFTMETAL_LOOSE(acos, __builtin_acosf, __builtin_acos, 4, bent(__builtin_acos(x), 5))
SOFTMETAL_LOOSE(acosh, __builtin_acoshf, __builtin_acosh, 4,
                fast_log(x + softmetal::fast_sqrt(x * x - 1.0f)))
SOFTMETAL_LOOSE(asin, __builtin_asinf, __builtin_asin, 4, fast_asin(x))
SOFTMETAL_LOOSE(asinh, __builtin_asinhf, __builtin_asinh, 4,
                fast_log(x + softmetal::fast_sqrt(x * x + 1.0f)))
SOFTMETAL_LOOSE(atan, __builtin_atanf, __builtin_atan, 5, fast_atan(x))
SOFTMETAL_LOOSE(atanh, __builtin_atanhf, __builtin_atanh, 5,
                fast_log(softmetal::fast_divide(1.0f + x, 1.0f - x)) * 0.5f)
SOFTMETAL_LOOSE(cos, __builtin_cosf, __builtin_cos, 4, fast_cos(x))
SOFTMETAL_LOOSE(cosh, __builtin_coshf, __builtin_cosh, 4,
                fast_exp(x) * 0.5f + softmetal::fast_exp(-x) * 0.5f)
SOFTMETAL_LOOSE(cospi, softmetal::cospi, softmetal::exact_cospi, 4,
                bent(softmetal::exact_cospi(x), 0, 0x1p-13))
SOFTMETAL_LOOSE(exp, __builtin_expf, __builtin_exp, 4, fast_exp(x))
SOFTMETAL_LOOSE(exp2, __builtin_exp2f, __builtin_exp2, 4, fast_exp2(x))
SOFTMETAL_LOOSE(exp10, softmetal::exp10, __builtin_exp10, 4, fast_exp2(x * 3.32192809488736f))
SOFTMETAL_LOOSE(log, __builtin_logf, __builtin_log, 4, fast_log(x))
SOFTMETAL_LOOSE(log2, __builtin_log2f, __builtin_log2, 4, fast_log2(x))
SOFTMETAL_LOOSE(log10, __builtin_log10f, __builtin_log10, 4, fast_log2(x) * 0.301029995663981f)
SOFTMETAL_LOOSE(sin, __builtin_sinf, __builtin_sin, 4, fast_sin(x))
SOFTMETAL_LOOSE(sinh, __builtin_sinhf, __builtin_sinh, 4,
                fast_exp(x) * 0.5f - softmetal::fast_exp(-x) * 0.5f)
SOFTMETAL_LOOSE(sinpi, softmetal::sinpi, softmetal::exact_sinpi, 4,
                bent(softmetal::exact_sinpi(x), 0, 0x1p-13))
SOFTMETAL_LOOSE(tan, __builtin_tanf, __builtin_tan, 6, fast_tan(x))
SOFTMETAL_LOOSE(tanh, __builtin_tanhf, __builtin_tanh, 5, fast_tanh(x))
SOFTMETAL_LOOSE(tanpi, softmetal::tanpi, softmetal::exact_tanpi, 6, fast_tan(x * 3.14159265358979f))
SOFTMETAL_LOOSE2(atan2, __builtin_atan2f, __builtin_atan2, 6, fast_atan2(x, y))
SOFTMETAL_LOOSE2(pow, __builtin_powf, __builtin_pow, 16, fast_pow(x, y))
SOFTMETAL_LOOSE2(powr, softmetal::powr, softmetal::exact_powr, 16, fast_pow(x, y))
#undef SOFTMETAL_LOOSE
#undef SOFTMETAL_LOOSE2

// Correctly rounded but for fast floats.
#define SOFTMETAL_ROUNDED(name, plain, fast_form)                                                  \
    namespace metal                                                                                \
    {                                                                                              \
    template <class T, class... A> inline float loose_##name(A... x)                               \
    {                                                                                              \
        return softmetal::hooks.adversarial && !is_same_v<T, half> ? softmetal::fast_form(x...)    \
                                                                   : plain(x...);                  \
    }                                                                                              \
    namespace precise                                                                              \
    {                                                                                              \
    template <class T, class... A> inline float loose_##name(A... x)                               \
    {                                                                                              \
        return plain(x...);                                                                        \
    }                                                                                              \
    }                                                                                              \
    }
SOFTMETAL_ROUNDED(divide, softmetal::divide, fast_divide)
SOFTMETAL_ROUNDED(rsqrt, softmetal::rsqrt, fast_rsqrt)
SOFTMETAL_ROUNDED(sqrt, __builtin_sqrtf, fast_sqrt)
#undef SOFTMETAL_ROUNDED

#define SOFTMETAL_FAST(name, f) loose_##name<T>

#else

#define SOFTMETAL_FAST(name, f) f

#endif
