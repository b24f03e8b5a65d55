// simdgroup_matrix: lane 0 holds the whole 8x8 tile and does the work, without a meeting of lanes.
// thread_elements() spreads the tile over the lanes, two elements each, until the next operation
// gathers it again. The pre-pass says when a file never calls it: then no operation has to ask.
#pragma once

#include "softmetal/simdgroup.h"

// The check of the lane is inlined, so that 31 lanes pass an operation without a call.
#define SOFTMETAL_INLINE __attribute__((always_inline)) inline

namespace softmetal
{

template <class T> constexpr bool may_spread = true;

enum class tile_state : uint8_t { empty, whole, spread };

} // namespace softmetal

namespace metal
{

template <class T, int Columns, int Rows> struct simdgroup_matrix {
    static_assert(Columns == 8 && Rows == 8, "a simdgroup_matrix is 8x8");
    using storage_type = vec<T, 2>;

    T tile[64]; // row by row; of lane 0
    mutable vec<T, 2> mine;
    mutable softmetal::tile_state state = softmetal::tile_state::empty;

    simdgroup_matrix() = default;
    explicit simdgroup_matrix(T value) // a diagonal
    {
        for (int i = 0; i < 64; i++) {
            tile[i] = i % 9 == 0 ? value : T(0);
        }
        whole();
    }

    inline vec<T, 2> &thread_elements(SOFTMETAL_SITE) const;
    SOFTMETAL_INLINE void gather(SOFTMETAL_SITE) const;
    SOFTMETAL_INLINE void whole() const
    {
        if constexpr (softmetal::may_spread<T>) {
            state = softmetal::tile_state::whole;
        }
    }
};

template <class T> using simdgroup_8x8 = simdgroup_matrix<T, 8, 8>;

} // namespace metal

namespace softmetal
{

// Where a lane's two neighbouring elements lie in the tile, as on Apple's hardware.
constexpr uint32_t element_of(uint32_t lane)
{
    uint32_t quad = lane / 4;
    uint32_t row = (quad & 4) + lane / 2 % 4, column = (quad & 2) * 2 + lane % 2 * 2;
    return row * 8 + column;
}

template <class T> using tile_of = metal::simdgroup_matrix<T, 8, 8>;

template <class T, bool Spread> inline void exchange(simd &s, uint32_t mask)
{
    auto *whole = reinterpret_cast<tile_of<T> *>(s.in[0]);
    each_lane(mask, [&](uint32_t lane) {
        auto *m = reinterpret_cast<const tile_of<T> *>(s.in[lane]);
        for (uint32_t i = 0; i < 2; i++) {
            T &element = whole->tile[element_of(lane) + i];
            if (Spread) {
                m->mine.e[i] = element;
            } else {
                element = m->mine.e[i];
            }
        }
    });
}

template <class T, bool Spread> inline void meet_tiles(const tile_of<T> &m, uint32_t site)
{
    leave_uncounted(self());
    meet(uint64_t(reinterpret_cast<uintptr_t>(&m)), 0, site, exchange<T, Spread>);
}

// Eight elements in a register; half and bfloat are computed as float.
typedef float float8 __attribute__((ext_vector_type(8)));
typedef half half8 __attribute__((ext_vector_type(8)));
typedef uint16_t ushort8 __attribute__((ext_vector_type(8)));
typedef uint32_t uint8 __attribute__((ext_vector_type(8)));

template <class V> inline V load8(const void *p)
{
    V v;
    __builtin_memcpy(&v, p, sizeof v);
    return v;
}
inline float8 load_row(const float *p)
{
    return load8<float8>(p);
}
inline float8 load_row(const half *p)
{
    return __builtin_convertvector(load8<half8>(p), float8);
}
inline float8 load_row(const bfloat *p)
{
    return (float8)(__builtin_convertvector(load8<ushort8>(p), uint8) << 16);
}
inline void store_row(float *p, float8 v)
{
    __builtin_memcpy(p, &v, sizeof v);
}
inline void store_row(half *p, float8 v)
{
    half8 h = __builtin_convertvector(v, half8);
    __builtin_memcpy(p, &h, sizeof h);
}
inline void store_row(bfloat *p, float8 v)
{
    for (int i = 0; i < 8; i++) {
        p[i] = bfloat(v[i]);
    }
}

// The adversary's order: of a row's eight products, begun with the sum so far or with nothing.
inline bool sum_anyhow([[maybe_unused]] float8 left, [[maybe_unused]] const float8 *rows,
                       [[maybe_unused]] float8 &sum)
{
#if defined(SOFTMETAL_CHECK)
    if (hooks.adversarial) {
        uint64_t random = hooks.random();
        bool last = random & 1;
        float8 made = last ? float8(0.0f) : sum;
        uint32_t step = uint32_t(random >> 1 & 3) * 2 + 1, k = uint32_t(random >> 3 & 7);
        for (int i = 0; i < 8; i++, k = (k + step) % 8) {
            made = random >> (8 + i) & 1
                       ? made + left[k] * rows[k]
                       : __builtin_elementwise_fma(float8(left[k]), rows[k], made);
        }
        sum = last ? sum + made : made;
        return true;
    }
#endif
    return false;
}

template <class D, class A, class B, class C>
SOFTMETAL_QUIET __attribute__((noinline)) void multiply_tiles(D *d, const A *a, const B *b,
                                                              const C *c)
{
    float8 rows[8], sums[8];
#pragma clang loop unroll(full)
    for (int k = 0; k < 8; k++) {
        rows[k] = load_row(b + 8 * k);
    }
#pragma clang loop unroll(full)
    for (int i = 0; i < 8; i++) {
        float8 left = load_row(a + 8 * i);
        float8 sum = c ? load_row(c + 8 * i) : float8(0.0f);
        if (sum_anyhow(left, rows, sum)) {
            sums[i] = sum;
            continue;
        }
#pragma clang loop unroll(full)
        for (int k = 0; k < 8; k++) {
            sum = __builtin_elementwise_fma(float8(left[k]), rows[k], sum);
        }
        sums[i] = sum;
    }
#pragma clang loop unroll(full)
    for (int i = 0; i < 8; i++) {
        store_row(d + 8 * i, sums[i]);
    }
}

// Where kernels are watched all lanes must come to an operation of matrices; it is told, and so are
// the rows that it touches.
inline void meet_for_matrix([[maybe_unused]] uint32_t site)
{
#if defined(SOFTMETAL_CHECK)
    leave_uncounted(self());
    wait_simd(self(), site, no_result);
#endif
}
inline void note_matrix([[maybe_unused]] matrix_operation operation)
{
#if defined(SOFTMETAL_CHECK)
    hooks.matrix(operation);
#endif
}
template <class T>
inline void note_rows([[maybe_unused]] const T *p, [[maybe_unused]] ulong stride,
                      [[maybe_unused]] uint32_t kind)
{
#if defined(SOFTMETAL_CHECK)
    for (ulong i = 0; i < 8; i++) {
        note_access(p + i * stride, 8 * sizeof(T), i ? kind | access_more : kind);
    }
#endif
}

template <class T>
SOFTMETAL_QUIET __attribute__((noinline)) void load_tile(T *tile, const T *from, ulong stride,
                                                         bool transpose)
{
    for (ulong i = 0; i < 8 && !transpose; i++) {
        __builtin_memcpy(tile + 8 * i, from + i * stride, 8 * sizeof(T));
    }
    for (ulong i = 0; i < 64 && transpose; i++) {
        tile[i % 8 * 8 + i / 8] = from[i / 8 * stride + i % 8];
    }
}

template <class T>
SOFTMETAL_QUIET __attribute__((noinline)) void store_tile(const T *tile, T *to, ulong stride,
                                                          bool transpose)
{
    for (ulong i = 0; i < 8 && !transpose; i++) {
        __builtin_memcpy(to + i * stride, tile + 8 * i, 8 * sizeof(T));
    }
    for (ulong i = 0; i < 64 && transpose; i++) {
        to[i / 8 * stride + i % 8] = tile[i % 8 * 8 + i / 8];
    }
}

} // namespace softmetal

namespace metal
{

template <class T, int C, int R>
inline vec<T, 2> &simdgroup_matrix<T, C, R>::thread_elements(uint32_t site) const
{
    if (state == softmetal::tile_state::whole) {
        softmetal::meet_tiles<T, true>(*this, site);
    }
    state = softmetal::tile_state::spread;
    return mine;
}
template <class T, int C, int R>
SOFTMETAL_INLINE void simdgroup_matrix<T, C, R>::gather(uint32_t site) const
{
    if constexpr (softmetal::may_spread<T>) {
        if (state == softmetal::tile_state::spread) {
            softmetal::meet_tiles<T, false>(*this, site);
        }
        state = softmetal::tile_state::whole;
    }
}

template <class T, int C = 8, int R = 8>
inline simdgroup_matrix<T, C, R> make_filled_simdgroup_matrix(T value)
{
    simdgroup_matrix<T, C, R> m;
    if (softmetal::self_lane() == 0) {
        for (int i = 0; i < 64; i++) {
            m.tile[i] = value;
        }
    }
    m.whole();
    return m;
}
template <class T, int C = 8, int R = 8>
inline simdgroup_matrix<T, C, R> make_diagonal_simdgroup_matrix(T value)
{
    return simdgroup_matrix<T, C, R>(value);
}

template <class T>
SOFTMETAL_INLINE void simdgroup_load(simdgroup_matrix<T, 8, 8> &m, const T *from, ulong stride = 8,
                                     ulong2 origin = ulong2(0), bool transpose = false,
                                     [[maybe_unused]] SOFTMETAL_SITE)
{
    m.whole();
    softmetal::meet_for_matrix(site);
    if (softmetal::self_lane() == 0) {
        softmetal::note_matrix(softmetal::matrix_load);
        softmetal::note_rows(from + origin.y * stride + origin.x, stride, softmetal::access_read);
        softmetal::load_tile(m.tile, from + origin.y * stride + origin.x, stride, transpose);
    }
}

template <class T>
SOFTMETAL_INLINE void simdgroup_store(const simdgroup_matrix<T, 8, 8> &m, T *to, ulong stride = 8,
                                      ulong2 origin = ulong2(0), bool transpose = false,
                                      SOFTMETAL_SITE)
{
    m.gather(site);
    softmetal::meet_for_matrix(site);
    if (softmetal::self_lane() == 0) {
        softmetal::note_matrix(softmetal::matrix_store);
        softmetal::note_rows(to + origin.y * stride + origin.x, stride, softmetal::access_write);
        softmetal::store_tile(m.tile, to + origin.y * stride + origin.x, stride, transpose);
    }
}

template <class D, class A, class B, class C>
SOFTMETAL_INLINE void
simdgroup_multiply_accumulate(simdgroup_matrix<D, 8, 8> &d, const simdgroup_matrix<A, 8, 8> &a,
                              const simdgroup_matrix<B, 8, 8> &b,
                              const simdgroup_matrix<C, 8, 8> &c, SOFTMETAL_SITE)
{
    a.gather(site);
    b.gather(site);
    c.gather(site);
    d.whole();
    softmetal::meet_for_matrix(site);
    if (softmetal::self_lane() == 0) {
        softmetal::note_matrix(softmetal::matrix_multiply);
        softmetal::multiply_tiles(d.tile, a.tile, b.tile, c.tile);
    }
}
template <class D, class A, class B>
SOFTMETAL_INLINE void simdgroup_multiply(simdgroup_matrix<D, 8, 8> &d,
                                         const simdgroup_matrix<A, 8, 8> &a,
                                         const simdgroup_matrix<B, 8, 8> &b, SOFTMETAL_SITE)
{
    a.gather(site);
    b.gather(site);
    d.whole();
    softmetal::meet_for_matrix(site);
    if (softmetal::self_lane() == 0) {
        softmetal::note_matrix(softmetal::matrix_multiply);
        softmetal::multiply_tiles(d.tile, a.tile, b.tile, static_cast<const D *>(nullptr));
    }
}
template <class T>
inline simdgroup_matrix<T, 8, 8> operator*(const simdgroup_matrix<T, 8, 8> &a,
                                           const simdgroup_matrix<T, 8, 8> &b)
{
    simdgroup_matrix<T, 8, 8> d;
    simdgroup_multiply(d, a, b);
    return d;
}

using simdgroup_float8x8 = simdgroup_matrix<float, 8, 8>;
using simdgroup_half8x8 = simdgroup_matrix<half, 8, 8>;
using simdgroup_bfloat8x8 = simdgroup_matrix<bfloat, 8, 8>;

} // namespace metal
