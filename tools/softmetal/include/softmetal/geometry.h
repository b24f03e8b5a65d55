// Geometric functions and matrices of columns.
#pragma once

#include "softmetal/common.h"

namespace metal
{

template <class T, int N> inline T dot(const vec<T, N> &a, const vec<T, N> &b)
{
    T sum = T(a.e[0] * b.e[0]);
    SOFTMETAL_UNROLL
    for (int i = 1; i < N; i++) {
        sum = T(sum + a.e[i] * b.e[i]);
    }
    return sum;
}
template <class T> inline vec<T, 3> cross(const vec<T, 3> &a, const vec<T, 3> &b)
{
    return vec<T, 3>(T(a.y * b.z - a.z * b.y), T(a.z * b.x - a.x * b.z), T(a.x * b.y - a.y * b.x));
}
template <class T, int N> inline T length_squared(const vec<T, N> &a)
{
    return dot(a, a);
}
template <class T, int N> inline T length(const vec<T, N> &a)
{
    return sqrt(dot(a, a));
}
template <class T, int N> inline T distance_squared(const vec<T, N> &a, const vec<T, N> &b)
{
    return length_squared(a - b);
}
template <class T, int N> inline T distance(const vec<T, N> &a, const vec<T, N> &b)
{
    return length(a - b);
}
template <class T, int N> inline vec<T, N> normalize(const vec<T, N> &a)
{
    return a * rsqrt(dot(a, a));
}
template <class T, int N>
inline vec<T, N> faceforward(const vec<T, N> &n, const vec<T, N> &i, const vec<T, N> &ref)
{
    return dot(ref, i) < T(0) ? n : -n;
}
template <class T, int N> inline vec<T, N> reflect(const vec<T, N> &i, const vec<T, N> &n)
{
    return i - n * T(T(2) * dot(n, i));
}
template <class T, int N> inline vec<T, N> refract(const vec<T, N> &i, const vec<T, N> &n, T eta)
{
    T d = dot(n, i), k = T(T(1) - eta * eta * (T(1) - d * d));
    return k < T(0) ? vec<T, N>(0) : i * eta - n * T(eta * d + sqrt(k));
}

namespace fast
{
using metal::distance;
using metal::length;
using metal::normalize;
} // namespace fast
namespace precise
{
using metal::distance;
using metal::length;
using metal::normalize;
} // namespace precise

template <class T, int C, int R> struct matrix {
    vec<T, R> columns[C];

    matrix() = default;
    explicit matrix(T diagonal)
    {
        for (int c = 0; c < C; c++) {
            for (int r = 0; r < R; r++) {
                columns[c].e[r] = c == r ? diagonal : T(0);
            }
        }
    }
    // C columns, or C * R numbers column by column.
    template <class A, class... B,
              class = enable_if_t<sizeof...(B) + 1 == C || sizeof...(B) + 1 == C * R>,
              class = enable_if_t<(sizeof...(B) > 0)>>
    matrix(const A &a, const B &...b)
    {
        if constexpr (sizeof...(B) + 1 == C) {
            int at = 0;
            columns[at++] = vec<T, R>(a);
            ((columns[at++] = vec<T, R>(b)), ...);
        } else {
            const T all[] = {T(a), T(b)...};
            for (int i = 0; i < C * R; i++) {
                columns[i / R].e[i % R] = all[i];
            }
        }
    }
    template <class U> explicit matrix(const matrix<U, C, R> &m)
    {
        for (int c = 0; c < C; c++) {
            columns[c] = vec<T, R>(m.columns[c]);
        }
    }
    vec<T, R> &operator[](size_t c)
    {
        return columns[c];
    }
    const vec<T, R> &operator[](size_t c) const
    {
        return columns[c];
    }
};

template <class T, int C, int R>
inline matrix<T, C, R> operator+(matrix<T, C, R> a, const matrix<T, C, R> &b)
{
    for (int c = 0; c < C; c++) {
        a.columns[c] += b.columns[c];
    }
    return a;
}
template <class T, int C, int R>
inline matrix<T, C, R> operator-(matrix<T, C, R> a, const matrix<T, C, R> &b)
{
    for (int c = 0; c < C; c++) {
        a.columns[c] -= b.columns[c];
    }
    return a;
}
template <class T, int C, int R, class S, class = enable_if_t<softmetal::is_scalar<S>>>
inline matrix<T, C, R> operator*(matrix<T, C, R> a, S s)
{
    for (int c = 0; c < C; c++) {
        a.columns[c] *= T(s);
    }
    return a;
}
template <class T, int C, int R, class S, class = enable_if_t<softmetal::is_scalar<S>>>
inline matrix<T, C, R> operator*(S s, const matrix<T, C, R> &a)
{
    return a * s;
}
template <class T, int C, int R>
inline vec<T, R> operator*(const matrix<T, C, R> &a, const vec<T, C> &x)
{
    vec<T, R> r = a.columns[0] * x.e[0];
    for (int c = 1; c < C; c++) {
        r += a.columns[c] * x.e[c];
    }
    return r;
}
template <class T, int C, int R>
inline vec<T, C> operator*(const vec<T, R> &x, const matrix<T, C, R> &a)
{
    vec<T, C> r;
    for (int c = 0; c < C; c++) {
        r.e[c] = dot(x, a.columns[c]);
    }
    return r;
}
template <class T, int C, int R, int K>
inline matrix<T, C, R> operator*(const matrix<T, K, R> &a, const matrix<T, C, K> &b)
{
    matrix<T, C, R> m;
    for (int c = 0; c < C; c++) {
        m.columns[c] = a * b.columns[c];
    }
    return m;
}
template <class T, int C, int R, class B>
inline auto operator*=(matrix<T, C, R> &a, const B &b) -> decltype(a = a * b)
{
    return a = a * b;
}
template <class T, int C, int R>
inline matrix<T, C, R> &operator+=(matrix<T, C, R> &a, const matrix<T, C, R> &b)
{
    return a = a + b;
}
template <class T, int C, int R>
inline matrix<T, C, R> &operator-=(matrix<T, C, R> &a, const matrix<T, C, R> &b)
{
    return a = a - b;
}
template <class T, int C, int R> inline matrix<T, R, C> transpose(const matrix<T, C, R> &a)
{
    matrix<T, R, C> m;
    for (int c = 0; c < C; c++) {
        for (int r = 0; r < R; r++) {
            m.columns[r].e[c] = a.columns[c].e[r];
        }
    }
    return m;
}
template <class T> inline T determinant(const matrix<T, 2, 2> &a)
{
    return T(a[0][0] * a[1][1] - a[1][0] * a[0][1]);
}
template <class T> inline T determinant(const matrix<T, 3, 3> &a)
{
    return dot(a[0], cross(a[1], a[2]));
}
template <class T> inline T determinant(const matrix<T, 4, 4> &a)
{
    T sum = T(0);
    for (int c = 0; c < 4; c++) {
        matrix<T, 3, 3> minor;
        for (int k = 0, at = 0; k < 4; k++) {
            if (k != c) {
                minor[size_t(at++)] = vec<T, 3>(a[size_t(k)].y, a[size_t(k)].z, a[size_t(k)].w);
            }
        }
        sum = T(sum + (c % 2 ? -a[size_t(c)].x : a[size_t(c)].x) * determinant(minor));
    }
    return sum;
}

#define SOFTMETAL_MATRIX(T)                                                                        \
    using T##2x2 = metal::matrix<T, 2, 2>;                                                         \
    using T##2x3 = metal::matrix<T, 2, 3>;                                                         \
    using T##2x4 = metal::matrix<T, 2, 4>;                                                         \
    using T##3x2 = metal::matrix<T, 3, 2>;                                                         \
    using T##3x3 = metal::matrix<T, 3, 3>;                                                         \
    using T##3x4 = metal::matrix<T, 3, 4>;                                                         \
    using T##4x2 = metal::matrix<T, 4, 2>;                                                         \
    using T##4x3 = metal::matrix<T, 4, 3>;                                                         \
    using T##4x4 = metal::matrix<T, 4, 4>;
#define SOFTMETAL_MATRICES SOFTMETAL_MATRIX(float) SOFTMETAL_MATRIX(half)
SOFTMETAL_MATRICES

} // namespace metal
SOFTMETAL_MATRICES
