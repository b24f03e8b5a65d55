// Functions that keep the type of their arguments: minimum, maximum, bits, relations, selection;
// the namespaces fast and precise.
#pragma once

#include "softmetal/math.h"

namespace softmetal
{

// The same operation on every component.
template <class R, class T, int N, class F>
inline metal::vec<R, N> map(const metal::vec<T, N> &x, F f)
{
    metal::vec<R, N> r;
    SOFTMETAL_UNROLL
    for (int i = 0; i < N; i++) {
        r.e[i] = R(f(x.e[i]));
    }
    return r;
}
template <class T> using if_integer = metal::enable_if_t<metal::is_integral_v<T>, T>;
template <class T> using unsigned_of = metal::make_unsigned_t<T>;

// NaN loses against a number, as fmin and fmax.
template <class T> inline T least(T x, T y)
{
    return y < x || x != x ? y : x;
}
template <class T> inline T greatest(T x, T y)
{
    return x < y || x != x ? y : x;
}
template <class T> inline T clamped(T x, T low, T high)
{
    return least(greatest(x, low), high);
}
template <class T> inline T median(T x, T y, T z)
{
    return greatest(least(x, y), least(greatest(x, y), z));
}
template <class T> inline T absolute(T x)
{
    if constexpr (metal::is_floating_point_v<T>) {
        return T(__builtin_fabsf(float(x)));
    } else {
        return x < T(0) ? T(T(0) - x) : x;
    }
}
template <class T> inline T distance_of(T x, T y) // of integers, without overflow
{
    using U = unsigned_of<T>;
    return x < y ? T(U(y) - U(x)) : T(U(x) - U(y));
}
template <class T> inline T leading_zeros(T x)
{
    using U = unsigned_of<T>;
    int spare = 64 - int(sizeof(T)) * 8;
    return T(U(x) ? __builtin_clzl(ulong(U(x))) - spare : int(sizeof(T)) * 8);
}
template <class T> inline T trailing_zeros(T x)
{
    using U = unsigned_of<T>;
    return T(U(x) ? __builtin_ctzl(ulong(U(x))) : int(sizeof(T)) * 8);
}
template <class T> inline T count_ones(T x)
{
    return T(__builtin_popcountl(ulong(unsigned_of<T>(x))));
}
template <class T> inline T reversed_bits(T x)
{
    return T(__builtin_bitreverse64(ulong(unsigned_of<T>(x))) >> (64 - sizeof(T) * 8));
}
template <class T> inline T high_half(T x, T y)
{
    if constexpr (sizeof(T) == 8) {
        using W = metal::conditional_t<metal::is_signed_v<T>, __int128, unsigned __int128>;
        return T(W(x) * W(y) >> 64);
    } else {
        using W = metal::conditional_t<metal::is_signed_v<T>, long, ulong>;
        return T(W(x) * W(y) >> (sizeof(T) * 8));
    }
}
template <class T> inline T sum_saturated(T x, T y)
{
    T r;
    bool over = __builtin_add_overflow(x, y, &r);
    constexpr T top = T(metal::is_signed_v<T> ? unsigned_of<T>(-1) >> 1 : unsigned_of<T>(-1));
    return !over ? r : metal::is_signed_v<T> && x < T(0) ? T(-top - 1) : top;
}
template <class T> inline T difference_saturated(T x, T y)
{
    T r;
    bool over = __builtin_sub_overflow(x, y, &r);
    constexpr T top = T(metal::is_signed_v<T> ? unsigned_of<T>(-1) >> 1 : unsigned_of<T>(-1));
    return !over ? r : metal::is_signed_v<T> ? (x < T(0) ? T(-top - 1) : top) : T(0);
}
template <class T> inline T half_sum(T x, T y)
{
    return T((x >> 1) + (y >> 1) + (x & y & 1));
}
template <class T> inline T half_sum_up(T x, T y)
{
    return T((x >> 1) + (y >> 1) + ((x | y) & 1));
}
template <class T> inline T rotated(T x, T by)
{
    using U = unsigned_of<T>;
    unsigned bits = sizeof(T) * 8, n = unsigned(by) % bits;
    return T(n ? U(U(x) << n) | U(U(x) >> (bits - n)) : U(x));
}

// Arguments of one kind: all scalars, or vectors of one type with scalars among them.
template <class... A> struct common_number;
template <class A> struct common_number<A> {
    using type = A;
};
template <class A, class B, class... R>
struct common_number<A, B, R...> : common_number<wider<A, B>, R...> {
};
template <class... A> constexpr bool scalars = (is_scalar<A> && ...);
template <class... A>
using common_scalar =
    typename metal::conditional_t<scalars<A...>, common_number<A...>, common_number<float>>::type;

} // namespace softmetal

#define SOFTMETAL_EACH1(name, f, constraint)                                                       \
    template <class T, class = metal::enable_if_t<(constraint)>> inline T name(T x)                \
    {                                                                                              \
        return softmetal::f(x);                                                                    \
    }                                                                                              \
    template <class T, int N> inline metal::vec<T, N> name(const metal::vec<T, N> &x)              \
    {                                                                                              \
        return softmetal::map<T>(x, [](T v) { return softmetal::f(v); });                          \
    }
#define SOFTMETAL_EACH2(name, f)                                                                   \
    template <class A, class B, class = metal::enable_if_t<softmetal::scalars<A, B>>>              \
    inline auto name(A x, B y)                                                                     \
    {                                                                                              \
        using R = softmetal::common_scalar<A, B>;                                                  \
        return softmetal::f<R>(R(x), R(y));                                                        \
    }                                                                                              \
    template <class A, class B, class V = softmetal::vector_of<A, B>>                              \
    inline V name(const A &x, const B &y)                                                          \
    {                                                                                              \
        V r, a = V(x), b = V(y);                                                                   \
        SOFTMETAL_UNROLL                                                                           \
        for (int i = 0; i < V::size; i++) {                                                        \
            r.e[i] = softmetal::f(a.e[i], b.e[i]);                                                 \
        }                                                                                          \
        return r;                                                                                  \
    }
#define SOFTMETAL_EACH3(name, f)                                                                   \
    template <class A, class B, class C, class = metal::enable_if_t<softmetal::scalars<A, B, C>>>  \
    inline auto name(A x, B y, C z)                                                                \
    {                                                                                              \
        using R = softmetal::common_scalar<A, B, C>;                                               \
        return softmetal::f<R>(R(x), R(y), R(z));                                                  \
    }                                                                                              \
    template <class A, class B, class C, class V = softmetal::vector_of<A, B, C>>                  \
    inline V name(const A &x, const B &y, const C &z)                                              \
    {                                                                                              \
        V r, a = V(x), b = V(y), c = V(z);                                                         \
        SOFTMETAL_UNROLL                                                                           \
        for (int i = 0; i < V::size; i++) {                                                        \
            r.e[i] = softmetal::f(a.e[i], b.e[i], c.e[i]);                                         \
        }                                                                                          \
        return r;                                                                                  \
    }
#define SOFTMETAL_TEST1(name, f)                                                                   \
    template <class T, class = metal::enable_if_t<softmetal::is_scalar<T>>> inline bool name(T x)  \
    {                                                                                              \
        return f(float(x));                                                                        \
    }                                                                                              \
    template <class T, int N> inline metal::vec<bool, N> name(const metal::vec<T, N> &x)           \
    {                                                                                              \
        return softmetal::map<bool>(x, [](T v) { return f(float(v)); });                           \
    }

namespace softmetal
{
template <class T> inline T least3(T x, T y, T z)
{
    return least(least(x, y), z);
}
template <class T> inline T greatest3(T x, T y, T z)
{
    return greatest(greatest(x, y), z);
}
template <class T> inline T product_sum_saturated(T x, T y, T z)
{
    using U = unsigned_of<T>;
    using W = metal::conditional_t<metal::is_signed_v<T>, __int128, unsigned __int128>;
    W top = metal::is_signed_v<T> ? U(-1) >> 1 : U(-1), low = metal::is_signed_v<T> ? -top - 1 : 0;
    W all = W(x) * W(y), sum = all + W(z);
    return T(sum > top || (!metal::is_signed_v<T> && sum < all) ? top : sum < low ? low : sum);
}
template <class T> inline T high_sum(T x, T y, T z)
{
    return T(high_half(x, y) + z);
}
// Half's normal numbers begin higher than float's, so isnormal of a half is asked of float: both
// count a half's subnormals as what they are only through fpclassify of its own type.
inline bool is_nan(float x)
{
    return x != x;
}
inline bool is_inf(float x)
{
    return __builtin_isinf(x);
}
inline bool is_finite(float x)
{
    return __builtin_isfinite(x);
}
inline bool is_normal(float x)
{
    return __builtin_isnormal(x);
}
inline bool sign_bit(float x)
{
    return __builtin_signbit(x);
}
} // namespace softmetal

namespace metal
{

SOFTMETAL_EACH1(abs, absolute, softmetal::is_scalar<T>)
SOFTMETAL_EACH1(clz, leading_zeros, is_integral_v<T>)
SOFTMETAL_EACH1(ctz, trailing_zeros, is_integral_v<T>)
SOFTMETAL_EACH1(popcount, count_ones, is_integral_v<T>)
SOFTMETAL_EACH1(reverse_bits, reversed_bits, is_integral_v<T>)
SOFTMETAL_EACH2(min, least)
SOFTMETAL_EACH2(max, greatest)
SOFTMETAL_EACH2(absdiff, distance_of)
SOFTMETAL_EACH2(mulhi, high_half)
SOFTMETAL_EACH2(addsat, sum_saturated)
SOFTMETAL_EACH2(subsat, difference_saturated)
SOFTMETAL_EACH2(hadd, half_sum)
SOFTMETAL_EACH2(rhadd, half_sum_up)
SOFTMETAL_EACH2(rotate, rotated)
SOFTMETAL_EACH3(clamp, clamped)
SOFTMETAL_EACH3(min3, least3)
SOFTMETAL_EACH3(max3, greatest3)
SOFTMETAL_EACH3(fmin3, least3)
SOFTMETAL_EACH3(fmax3, greatest3)
SOFTMETAL_EACH3(median3, median)
SOFTMETAL_EACH3(fmedian3, median)
SOFTMETAL_EACH3(madhi, high_sum)
SOFTMETAL_EACH3(madsat, product_sum_saturated)
SOFTMETAL_TEST1(isnan, softmetal::is_nan)
SOFTMETAL_TEST1(isinf, softmetal::is_inf)
SOFTMETAL_TEST1(isfinite, softmetal::is_finite)
SOFTMETAL_TEST1(signbit, softmetal::sign_bit)

inline bool isnormal(half x)
{
    return softmetal::is_finite(float(x)) && __builtin_fabsf(float(x)) >= 0x1p-14f;
}
template <class T, class = enable_if_t<softmetal::is_scalar<T>>> inline bool isnormal(T x)
{
    return softmetal::is_normal(float(x));
}
template <class T, int N> inline vec<bool, N> isnormal(const vec<T, N> &x)
{
    return softmetal::map<bool>(x, [](T v) { return isnormal(v); });
}
template <class A, class B> inline auto isordered(const A &x, const B &y)
{
    return (x == x) && (y == y);
}
template <class A, class B> inline auto isunordered(const A &x, const B &y)
{
    return !isordered(x, y);
}
template <class A, class B> inline auto isequal(const A &x, const B &y)
{
    return x == y;
}
template <class A, class B> inline auto isless(const A &x, const B &y)
{
    return x < y;
}
template <class A, class B> inline auto isgreater(const A &x, const B &y)
{
    return x > y;
}

inline bool all(bool x)
{
    return x;
}
inline bool any(bool x)
{
    return x;
}
template <class T, int N> inline bool all(const vec<T, N> &x)
{
    bool r = true;
    SOFTMETAL_UNROLL
    for (int i = 0; i < N; i++) {
        r = r && x.e[i];
    }
    return r;
}
template <class T, int N> inline bool any(const vec<T, N> &x)
{
    bool r = false;
    SOFTMETAL_UNROLL
    for (int i = 0; i < N; i++) {
        r = r || x.e[i];
    }
    return r;
}

// The second where the condition holds, the first where it does not.
template <class A, class B, class = enable_if_t<softmetal::scalars<A, B>>>
inline auto select(A a, B b, bool c)
{
    using R = softmetal::common_scalar<A, B>;
    return c ? R(b) : R(a);
}
template <class A, class B, class C, int N, class V = softmetal::vector_of<A, B, vec<C, N>>>
inline auto select(const A &a, const B &b, const vec<C, N> &c)
{
    using R = conditional_t<softmetal::scalars<A, B>, vec<softmetal::common_scalar<A, B>, N>, V>;
    R r, x = R(a), y = R(b);
    SOFTMETAL_UNROLL
    for (int i = 0; i < N; i++) {
        r.e[i] = c.e[i] ? y.e[i] : x.e[i];
    }
    return r;
}
template <class T, int N> inline vec<T, N> select(const vec<T, N> &a, const vec<T, N> &b, bool c)
{
    return c ? b : a;
}

template <class T> inline T extract_bits(T x, uint offset, uint bits)
{
    using U = make_unsigned_t<T>;
    constexpr uint size = sizeof(T) * 8;
    if (bits == 0) {
        return T(0);
    }
    U up = U(U(x) << (size - bits - offset));
    return T(is_signed_v<T> ? T(T(up) >> (size - bits)) : T(up >> (size - bits)));
}
template <class T> inline T insert_bits(T base, T insert, uint offset, uint bits)
{
    using U = make_unsigned_t<T>;
    U mask = U((bits >= sizeof(T) * 8 ? U(-1) : U((U(1) << bits) - 1)) << offset);
    return T((U(base) & U(~mask)) | (U(U(insert) << offset) & mask));
}
template <class T, int N> inline vec<T, N> extract_bits(vec<T, N> x, uint offset, uint bits)
{
    return softmetal::map<T>(x, [=](T v) { return extract_bits(v, offset, bits); });
}
template <class T, int N>
inline vec<T, N> insert_bits(vec<T, N> base, const vec<T, N> &insert, uint offset, uint bits)
{
    for (int i = 0; i < N; i++) {
        base.e[i] = insert_bits(base.e[i], insert.e[i], offset, bits);
    }
    return base;
}
template <class T, class U> inline T mad24(T x, T y, U z)
{
    return T(x * y + z);
}
template <class T> inline T mul24(T x, T y)
{
    return T(x * y);
}

// ---- functions with a second result, or of another type ------------------------------------------

template <class T> inline T ldexp(T x, int k)
{
    return T(__builtin_ldexpf(float(x), k));
}
template <class T, int N> inline vec<T, N> ldexp(vec<T, N> x, const vec<int, N> &k)
{
    SOFTMETAL_UNROLL
    for (int i = 0; i < N; i++) {
        x.e[i] = ldexp(x.e[i], k.e[i]);
    }
    return x;
}
template <class T> inline T frexp(T x, int &e)
{
    return T(__builtin_frexpf(float(x), &e));
}
template <class T, int N> inline vec<T, N> frexp(vec<T, N> x, vec<int, N> &e)
{
    SOFTMETAL_UNROLL
    for (int i = 0; i < N; i++) {
        x.e[i] = frexp(x.e[i], e.e[i]);
    }
    return x;
}
template <class T, class = enable_if_t<softmetal::is_scalar<T>>> inline int ilogb(T x)
{
    return __builtin_ilogbf(float(x));
}
template <class T, int N> inline vec<int, N> ilogb(const vec<T, N> &x)
{
    return softmetal::map<int>(x, [](T v) { return ilogb(v); });
}
template <class T> inline T modf(T x, T &whole)
{
    whole = trunc(x);
    return T(copysign(isinf(x) ? T(0) : T(x - whole), x));
}
template <class T, int N> inline vec<T, N> modf(vec<T, N> x, vec<T, N> &whole)
{
    for (int i = 0; i < N; i++) {
        x.e[i] = modf(x.e[i], whole.e[i]);
    }
    return x;
}
#define SOFTMETAL_SINCOS                                                                           \
    template <class T> inline T sincos(T x, T &c)                                                  \
    {                                                                                              \
        c = cos(x);                                                                                \
        return sin(x);                                                                             \
    }
SOFTMETAL_SINCOS
#define SOFTMETAL_BOTH                                                                             \
    SOFTMETAL_FUNCTIONS                                                                            \
    SOFTMETAL_EACH1(abs, absolute, softmetal::is_scalar<T>)                                        \
    SOFTMETAL_EACH2(min, least)                                                                    \
    SOFTMETAL_EACH2(max, greatest)                                                                 \
    SOFTMETAL_EACH3(clamp, clamped)                                                                \
    SOFTMETAL_EACH3(min3, least3)                                                                  \
    SOFTMETAL_EACH3(max3, greatest3)                                                               \
    SOFTMETAL_EACH3(fmin3, least3)                                                                 \
    SOFTMETAL_EACH3(fmax3, greatest3)                                                              \
    SOFTMETAL_EACH3(fmedian3, median)                                                              \
    using metal::frexp;                                                                            \
    using metal::ilogb;                                                                            \
    using metal::ldexp;                                                                            \
    using metal::modf;                                                                             \
    SOFTMETAL_SINCOS
namespace fast
{
SOFTMETAL_BOTH
}
namespace precise
{
SOFTMETAL_BOTH
}

} // namespace metal

using metal::as_type;
