// vec<T, N>: construction, components and swizzles. Swizzles are properties, so that `v.xy` IS a
// vec<T, 2> to deduction and overloading, and costs neither storage nor conversion.
#pragma once

#include "softmetal/types.h"

namespace metal
{

template <class T, int N> struct vec;
template <class T, int N> struct packed_vec;

} // namespace metal

namespace softmetal
{

using metal::packed_vec;
using metal::vec;

template <class A> struct parts {
    static constexpr int count = 1;
};
template <class T, int N> struct parts<vec<T, N>> {
    static constexpr int count = N;
};
template <class T, int N> struct parts<packed_vec<T, N>> {
    static constexpr int count = N;
};

template <class T, class A> constexpr void put_part(T *e, int &at, const A &a)
{
    e[at++] = T(a);
}
template <class T, class U, int N> constexpr void put_part(T *e, int &at, const vec<U, N> &a)
{
    SOFTMETAL_UNROLL
    for (int i = 0; i < N; i++) {
        e[at++] = T(a.e[i]);
    }
}
template <class T, class U, int N> constexpr void put_part(T *e, int &at, const packed_vec<U, N> &a)
{
    SOFTMETAL_UNROLL
    for (int i = 0; i < N; i++) {
        e[at++] = T(a.e[i]);
    }
}

template <class A> constexpr bool is_scalar = metal::is_arithmetic_v<A> || __is_enum(A);

} // namespace softmetal

#define SOFTMETAL_GET2(a, b, i, j)                                                                 \
    constexpr vec<T, 2> get_##a##b() const                                                         \
    {                                                                                              \
        return vec<T, 2>(e[i], e[j]);                                                              \
    }
#define SOFTMETAL_GET3(a, b, c, i, j, k)                                                           \
    constexpr vec<T, 3> get_##a##b##c() const                                                      \
    {                                                                                              \
        return vec<T, 3>(e[i], e[j], e[k]);                                                        \
    }
#define SOFTMETAL_GET4(a, b, c, d, i, j, k, l)                                                     \
    constexpr vec<T, 4> get_##a##b##c##d() const                                                   \
    {                                                                                              \
        return vec<T, 4>(e[i], e[j], e[k], e[l]);                                                  \
    }
#define SOFTMETAL_SW2(a, b, i, j)                                                                  \
    SOFTMETAL_GET2(a, b, i, j)                                                                     \
    void put_##a##b(vec<T, 2> v)                                                                   \
    {                                                                                              \
        static_assert(i != j, "a component is assigned twice");                                    \
        e[i] = v.e[0];                                                                             \
        e[j] = v.e[1];                                                                             \
    }                                                                                              \
    __declspec(property(get = get_##a##b, put = put_##a##b)) vec<T, 2> a##b;
#define SOFTMETAL_SW3(a, b, c, i, j, k)                                                            \
    SOFTMETAL_GET3(a, b, c, i, j, k)                                                               \
    void put_##a##b##c(vec<T, 3> v)                                                                \
    {                                                                                              \
        static_assert(i != j && i != k && j != k, "a component is assigned twice");                \
        e[i] = v.e[0];                                                                             \
        e[j] = v.e[1];                                                                             \
        e[k] = v.e[2];                                                                             \
    }                                                                                              \
    __declspec(property(get = get_##a##b##c, put = put_##a##b##c)) vec<T, 3> a##b##c;
#define SOFTMETAL_SW4(a, b, c, d, i, j, k, l)                                                      \
    SOFTMETAL_GET4(a, b, c, d, i, j, k, l)                                                         \
    void put_##a##b##c##d(vec<T, 4> v)                                                             \
    {                                                                                              \
        static_assert(i != j && i != k && i != l && j != k && j != l && k != l,                    \
                      "a component is assigned twice");                                            \
        e[i] = v.e[0];                                                                             \
        e[j] = v.e[1];                                                                             \
        e[k] = v.e[2];                                                                             \
        e[l] = v.e[3];                                                                             \
    }                                                                                              \
    __declspec(property(get = get_##a##b##c##d, put = put_##a##b##c##d)) vec<T, 4> a##b##c##d;

// Every pair, triple and quadruple of the first n of four names.
#define SOFTMETAL_OF2(M, a, i, x, y, z, w) M(a, x, i, 0) M(a, y, i, 1)
#define SOFTMETAL_OF3(M, a, i, x, y, z, w) M(a, x, i, 0) M(a, y, i, 1) M(a, z, i, 2)
#define SOFTMETAL_OF4(M, a, i, x, y, z, w) M(a, x, i, 0) M(a, y, i, 1) M(a, z, i, 2) M(a, w, i, 3)

#define SOFTMETAL_3OF2(a, b, i, j, x, y, z, w)                                                     \
    SOFTMETAL_SW3(a, b, x, i, j, 0) SOFTMETAL_SW3(a, b, y, i, j, 1)
#define SOFTMETAL_3OF3(a, b, i, j, x, y, z, w)                                                     \
    SOFTMETAL_3OF2(a, b, i, j, x, y, z, w) SOFTMETAL_SW3(a, b, z, i, j, 2)
#define SOFTMETAL_3OF4(a, b, i, j, x, y, z, w)                                                     \
    SOFTMETAL_3OF3(a, b, i, j, x, y, z, w) SOFTMETAL_SW3(a, b, w, i, j, 3)
#define SOFTMETAL_4OF2(a, b, c, i, j, k, x, y, z, w)                                               \
    SOFTMETAL_SW4(a, b, c, x, i, j, k, 0) SOFTMETAL_SW4(a, b, c, y, i, j, k, 1)
#define SOFTMETAL_4OF3(a, b, c, i, j, k, x, y, z, w)                                               \
    SOFTMETAL_4OF2(a, b, c, i, j, k, x, y, z, w) SOFTMETAL_SW4(a, b, c, z, i, j, k, 2)
#define SOFTMETAL_4OF4(a, b, c, i, j, k, x, y, z, w)                                               \
    SOFTMETAL_4OF3(a, b, c, i, j, k, x, y, z, w) SOFTMETAL_SW4(a, b, c, w, i, j, k, 3)

#define SOFTMETAL_TAIL(n, a, b, i, j, x, y, z, w)                                                  \
    SOFTMETAL_SW2(a, b, i, j)                                                                      \
    SOFTMETAL_3OF##n(a, b, i, j, x, y, z, w) SOFTMETAL_QUAD##n(a, b, i, j, x, y, z, w)
#define SOFTMETAL_QUAD2(a, b, i, j, x, y, z, w)                                                    \
    SOFTMETAL_4OF2(a, b, x, i, j, 0, x, y, z, w) SOFTMETAL_4OF2(a, b, y, i, j, 1, x, y, z, w)
#define SOFTMETAL_QUAD3(a, b, i, j, x, y, z, w)                                                    \
    SOFTMETAL_4OF3(a, b, x, i, j, 0, x, y, z, w)                                                   \
    SOFTMETAL_4OF3(a, b, y, i, j, 1, x, y, z, w) SOFTMETAL_4OF3(a, b, z, i, j, 2, x, y, z, w)
#define SOFTMETAL_QUAD4(a, b, i, j, x, y, z, w)                                                    \
    SOFTMETAL_4OF4(a, b, x, i, j, 0, x, y, z, w)                                                   \
    SOFTMETAL_4OF4(a, b, y, i, j, 1, x, y, z, w)                                                   \
    SOFTMETAL_4OF4(a, b, z, i, j, 2, x, y, z, w) SOFTMETAL_4OF4(a, b, w, i, j, 3, x, y, z, w)
#define SOFTMETAL_ROW2(a, i, x, y, z, w)                                                           \
    SOFTMETAL_TAIL(2, a, x, i, 0, x, y, z, w) SOFTMETAL_TAIL(2, a, y, i, 1, x, y, z, w)
#define SOFTMETAL_ROW3(a, i, x, y, z, w)                                                           \
    SOFTMETAL_TAIL(3, a, x, i, 0, x, y, z, w)                                                      \
    SOFTMETAL_TAIL(3, a, y, i, 1, x, y, z, w) SOFTMETAL_TAIL(3, a, z, i, 2, x, y, z, w)
#define SOFTMETAL_ROW4(a, i, x, y, z, w)                                                           \
    SOFTMETAL_TAIL(4, a, x, i, 0, x, y, z, w)                                                      \
    SOFTMETAL_TAIL(4, a, y, i, 1, x, y, z, w)                                                      \
    SOFTMETAL_TAIL(4, a, z, i, 2, x, y, z, w) SOFTMETAL_TAIL(4, a, w, i, 3, x, y, z, w)
#define SOFTMETAL_ALL2(x, y, z, w) SOFTMETAL_ROW2(x, 0, x, y, z, w) SOFTMETAL_ROW2(y, 1, x, y, z, w)
#define SOFTMETAL_ALL3(x, y, z, w)                                                                 \
    SOFTMETAL_ROW3(x, 0, x, y, z, w)                                                               \
    SOFTMETAL_ROW3(y, 1, x, y, z, w) SOFTMETAL_ROW3(z, 2, x, y, z, w)
#define SOFTMETAL_ALL4(x, y, z, w)                                                                 \
    SOFTMETAL_ROW4(x, 0, x, y, z, w)                                                               \
    SOFTMETAL_ROW4(y, 1, x, y, z, w)                                                               \
    SOFTMETAL_ROW4(z, 2, x, y, z, w) SOFTMETAL_ROW4(w, 3, x, y, z, w)

#define SOFTMETAL_VEC(N)                                                                           \
    using value_type = T;                                                                          \
    using element_type = T;                                                                        \
    static constexpr int size = N;                                                                 \
    vec() = default;                                                                               \
    template <class A, class = enable_if_t<softmetal::is_scalar<A>>> constexpr vec(A a) : e{}      \
    {                                                                                              \
        SOFTMETAL_UNROLL                                                                           \
        for (int i = 0; i < N; i++) {                                                              \
            e[i] = T(a);                                                                           \
        }                                                                                          \
    }                                                                                              \
    template <class U, class = enable_if_t<!is_same_v<T, U>>, class = void>                        \
    constexpr explicit vec(const vec<U, N> &a) : e{}                                               \
    {                                                                                              \
        SOFTMETAL_UNROLL                                                                           \
        for (int i = 0; i < N; i++) {                                                              \
            e[i] = T(a.e[i]);                                                                      \
        }                                                                                          \
    }                                                                                              \
    template <class U> constexpr vec(const packed_vec<U, N> &a) : e{}                              \
    {                                                                                              \
        SOFTMETAL_UNROLL                                                                           \
        for (int i = 0; i < N; i++) {                                                              \
            e[i] = T(a.e[i]);                                                                      \
        }                                                                                          \
    }                                                                                              \
    template <class A, class B, class... R,                                                        \
              class = enable_if_t<softmetal::parts<A>::count + softmetal::parts<B>::count +        \
                                      (0 + ... + softmetal::parts<R>::count) ==                    \
                                  N>>                                                              \
    constexpr vec(const A &a, const B &b, const R &...rest) : e{}                                  \
    {                                                                                              \
        int at = 0;                                                                                \
        softmetal::put_part(e, at, a);                                                             \
        softmetal::put_part(e, at, b);                                                             \
        (softmetal::put_part(e, at, rest), ...);                                                   \
    }                                                                                              \
    constexpr T &operator[](size_t i)                                                              \
    {                                                                                              \
        return e[i];                                                                               \
    }                                                                                              \
    constexpr const T &operator[](size_t i) const                                                  \
    {                                                                                              \
        return e[i];                                                                               \
    }

namespace metal
{

template <class T> struct alignas(2 * sizeof(T)) vec<T, 2> {
    union {
        T e[2];
        struct {
            T x, y;
        };
        struct {
            T r, g;
        };
    };
    SOFTMETAL_VEC(2)
    SOFTMETAL_ALL2(x, y, z, w)
    SOFTMETAL_SW2(r, g, 0, 1)
    SOFTMETAL_SW2(g, r, 1, 0)
};

template <class T> struct alignas(4 * sizeof(T)) vec<T, 3> {
    union {
        T e[3];
        struct {
            T x, y, z;
        };
        struct {
            T r, g, b;
        };
    };
    SOFTMETAL_VEC(3)
    SOFTMETAL_ALL3(x, y, z, w)
    SOFTMETAL_SW2(r, g, 0, 1)
    SOFTMETAL_SW2(g, b, 1, 2)
    SOFTMETAL_SW3(r, g, b, 0, 1, 2)
    SOFTMETAL_SW3(b, g, r, 2, 1, 0)
};

template <class T> struct alignas(4 * sizeof(T)) vec<T, 4> {
    union {
        T e[4];
        struct {
            T x, y, z, w;
        };
        struct {
            T r, g, b, a;
        };
    };
    SOFTMETAL_VEC(4)
    SOFTMETAL_ALL4(x, y, z, w)
    SOFTMETAL_SW2(r, g, 0, 1)
    SOFTMETAL_SW2(g, b, 1, 2)
    SOFTMETAL_SW2(b, a, 2, 3)
    SOFTMETAL_SW3(r, g, b, 0, 1, 2)
    SOFTMETAL_SW3(b, g, r, 2, 1, 0)
    SOFTMETAL_SW4(r, g, b, a, 0, 1, 2, 3)
    SOFTMETAL_SW4(b, g, r, a, 2, 1, 0, 3)
};

#define SOFTMETAL_NAMES(T)                                                                         \
    using T##2 = metal::vec<T, 2>;                                                                 \
    using T##3 = metal::vec<T, 3>;                                                                 \
    using T##4 = metal::vec<T, 4>;

#define SOFTMETAL_EACH_NAME(M)                                                                     \
    M(bool)                                                                                        \
    M(char) M(uchar) M(short) M(ushort) M(int) M(uint) M(long) M(ulong) M(half) M(float) M(bfloat)

} // namespace metal

SOFTMETAL_EACH_NAME(SOFTMETAL_NAMES)
namespace metal
{
SOFTMETAL_EACH_NAME(SOFTMETAL_NAMES)
}
