// Operators of vectors, component by component; a scalar operand takes the vector's type.
#pragma once

#include "softmetal/vec.h"

namespace metal
{

#define SOFTMETAL_BINARY(op)                                                                       \
    template <class T, int N>                                                                      \
    constexpr vec<T, N> operator op(const vec<T, N> &a, const vec<T, N> &b)                        \
    {                                                                                              \
        vec<T, N> r;                                                                               \
        SOFTMETAL_UNROLL                                                                           \
        for (int i = 0; i < N; i++) {                                                              \
            r.e[i] = T(a.e[i] op b.e[i]);                                                          \
        }                                                                                          \
        return r;                                                                                  \
    }                                                                                              \
    template <class T, int N, class S, class = enable_if_t<softmetal::is_scalar<S>>>               \
    constexpr vec<T, N> operator op(const vec<T, N> &a, S b)                                       \
    {                                                                                              \
        return a op vec<T, N>(b);                                                                  \
    }                                                                                              \
    template <class T, int N, class S, class = enable_if_t<softmetal::is_scalar<S>>>               \
    constexpr vec<T, N> operator op(S a, const vec<T, N> &b)                                       \
    {                                                                                              \
        return vec<T, N>(a) op b;                                                                  \
    }                                                                                              \
    template <class T, int N, class B>                                                             \
    constexpr auto operator op##=(vec<T, N> &a, const B &b)->decltype(a = a op b)                  \
    {                                                                                              \
        return a = a op b;                                                                         \
    }                                                                                              \
    template <class T, int N, class B>                                                             \
    constexpr auto operator op(const packed_vec<T, N> &a, const B &b)->decltype(vec<T, N>(a) op b) \
    {                                                                                              \
        return vec<T, N>(a) op b;                                                                  \
    }                                                                                              \
    template <class T, int N, class S, class = enable_if_t<softmetal::is_scalar<S>>>               \
    constexpr vec<T, N> operator op(S a, const packed_vec<T, N> &b)                                \
    {                                                                                              \
        return a op vec<T, N>(b);                                                                  \
    }                                                                                              \
    template <class T, int N>                                                                      \
    constexpr vec<T, N> operator op(const vec<T, N> &a, const packed_vec<T, N> &b)                 \
    {                                                                                              \
        return a op vec<T, N>(b);                                                                  \
    }                                                                                              \
    template <class T, int N>                                                                      \
    constexpr vec<T, N> operator op(const packed_vec<T, N> &a, const packed_vec<T, N> &b)          \
    {                                                                                              \
        return vec<T, N>(a) op vec<T, N>(b);                                                       \
    }                                                                                              \
    template <class T, int N, class B>                                                             \
    constexpr auto operator op##=(packed_vec<T, N> &a, const B &b)->decltype(a = a op b)           \
    {                                                                                              \
        return a = a op b;                                                                         \
    }
SOFTMETAL_BINARY(+)
SOFTMETAL_BINARY(-)
SOFTMETAL_BINARY(*)
SOFTMETAL_BINARY(/)
SOFTMETAL_BINARY(%)
SOFTMETAL_BINARY(&)
SOFTMETAL_BINARY(|)
SOFTMETAL_BINARY(^)
SOFTMETAL_BINARY(<<)
SOFTMETAL_BINARY(>>)
#undef SOFTMETAL_BINARY

#define SOFTMETAL_COMPARE(op)                                                                      \
    template <class T, int N>                                                                      \
    constexpr vec<bool, N> operator op(const vec<T, N> &a, const vec<T, N> &b)                     \
    {                                                                                              \
        vec<bool, N> r;                                                                            \
        SOFTMETAL_UNROLL                                                                           \
        for (int i = 0; i < N; i++) {                                                              \
            r.e[i] = a.e[i] op b.e[i];                                                             \
        }                                                                                          \
        return r;                                                                                  \
    }                                                                                              \
    template <class T, int N, class S, class = enable_if_t<softmetal::is_scalar<S>>>               \
    constexpr vec<bool, N> operator op(const vec<T, N> &a, S b)                                    \
    {                                                                                              \
        return a op vec<T, N>(b);                                                                  \
    }                                                                                              \
    template <class T, int N, class S, class = enable_if_t<softmetal::is_scalar<S>>>               \
    constexpr vec<bool, N> operator op(S a, const vec<T, N> &b)                                    \
    {                                                                                              \
        return vec<T, N>(a) op b;                                                                  \
    }
SOFTMETAL_COMPARE(<)
SOFTMETAL_COMPARE(>)
SOFTMETAL_COMPARE(<=)
SOFTMETAL_COMPARE(>=)
SOFTMETAL_COMPARE(==)
SOFTMETAL_COMPARE(!=)
SOFTMETAL_COMPARE(&&)
SOFTMETAL_COMPARE(||)
#undef SOFTMETAL_COMPARE

#define SOFTMETAL_UNARY(op, R)                                                                     \
    template <class T, int N> constexpr vec<R, N> operator op(const vec<T, N> &a)                  \
    {                                                                                              \
        vec<R, N> r;                                                                               \
        SOFTMETAL_UNROLL                                                                           \
        for (int i = 0; i < N; i++) {                                                              \
            r.e[i] = R(op a.e[i]);                                                                 \
        }                                                                                          \
        return r;                                                                                  \
    }
SOFTMETAL_UNARY(-, T)
SOFTMETAL_UNARY(+, T)
SOFTMETAL_UNARY(~, T)
SOFTMETAL_UNARY(!, bool)
#undef SOFTMETAL_UNARY

template <class T, int N> constexpr vec<T, N> &operator++(vec<T, N> &a)
{
    return a = a + vec<T, N>(1);
}
template <class T, int N> constexpr vec<T, N> &operator--(vec<T, N> &a)
{
    return a = a - vec<T, N>(1);
}
template <class T, int N> constexpr vec<T, N> operator++(vec<T, N> &a, int)
{
    vec<T, N> old = a;
    ++a;
    return old;
}
template <class T, int N> constexpr vec<T, N> operator--(vec<T, N> &a, int)
{
    vec<T, N> old = a;
    --a;
    return old;
}

#define SOFTMETAL_PACKED(N, ...)                                                                   \
    template <class T> struct packed_vec<T, N> {                                                   \
        union {                                                                                    \
            T e[N];                                                                                \
            struct {                                                                               \
                T __VA_ARGS__;                                                                     \
            };                                                                                     \
        };                                                                                         \
        packed_vec() = default;                                                                    \
        constexpr packed_vec(const vec<T, N> &v) : e{}                                             \
        {                                                                                          \
            SOFTMETAL_UNROLL                                                                       \
            for (int i = 0; i < N; i++) {                                                          \
                e[i] = v.e[i];                                                                     \
            }                                                                                      \
        }                                                                                          \
        template <class A, class = enable_if_t<softmetal::is_scalar<A>>>                           \
        constexpr packed_vec(A a) : packed_vec(vec<T, N>(a))                                       \
        {                                                                                          \
        }                                                                                          \
        template <class A, class B, class... R>                                                    \
        constexpr packed_vec(const A &a, const B &b, const R &...rest)                             \
            : packed_vec(vec<T, N>(a, b, rest...))                                                 \
        {                                                                                          \
        }                                                                                          \
        T &operator[](size_t i)                                                                    \
        {                                                                                          \
            return e[i];                                                                           \
        }                                                                                          \
        const T &operator[](size_t i) const                                                        \
        {                                                                                          \
            return e[i];                                                                           \
        }                                                                                          \
    };
SOFTMETAL_PACKED(2, x, y)
SOFTMETAL_PACKED(3, x, y, z)
SOFTMETAL_PACKED(4, x, y, z, w)
#undef SOFTMETAL_PACKED

#define SOFTMETAL_PACKED_NAMES(T)                                                                  \
    using packed_##T##2 = metal::packed_vec<T, 2>;                                                 \
    using packed_##T##3 = metal::packed_vec<T, 3>;                                                 \
    using packed_##T##4 = metal::packed_vec<T, 4>;
SOFTMETAL_EACH_NAME(SOFTMETAL_PACKED_NAMES)

} // namespace metal
SOFTMETAL_EACH_NAME(SOFTMETAL_PACKED_NAMES)
