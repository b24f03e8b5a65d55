// simd_* and quad_*: every operation is a meeting of the lanes that take part. The last to arrive
// computes the results of all; values travel in the slots of the simdgroup.
#pragma once

#include "softmetal/sync.h"

namespace softmetal
{

// The slots for a type: 8 bytes a lane, or 32.
template <class T> struct slots {
    static_assert(sizeof(T) <= 32, "a value of this type does not travel between lanes");
    static constexpr bool wide = sizeof(T) > 8;

    static T get_in(const simd &s, uint32_t lane)
    {
        return read(wide ? s.wide_in[lane] : &s.in[lane]);
    }
    static T get_out(const simd &s, uint32_t lane)
    {
        return read(wide ? s.wide_out[lane] : &s.out[lane]);
    }
    static void put_in(simd &s, uint32_t lane, const T &value)
    {
        __builtin_memcpy(wide ? s.wide_in[lane] : &s.in[lane], &value, sizeof(T));
    }
    static void put_out(simd &s, uint32_t lane, const T &value)
    {
        __builtin_memcpy(wide ? s.wide_out[lane] : &s.out[lane], &value, sizeof(T));
    }

  private:
    static T read(const uint64_t *from)
    {
        T value;
        __builtin_memcpy(&value, from, sizeof(T));
        return value;
    }
};

template <class T> inline T meet(const T &value, uint64_t aux, uint32_t site, resolver resolve)
{
    thread &t = self();
    simd &s = *t.simd;
    slots<T>::put_in(s, t.lane, value);
    s.aux[t.lane] = aux;
    wait_simd(t, site, resolve);
    return slots<T>::get_out(s, t.lane);
}

template <class F> inline void each_lane(uint32_t mask, F f)
{
    if (mask == UINT32_MAX) {
        for (uint32_t lane = 0; lane < simd_width; lane++) {
            f(lane);
        }
        return;
    }
    for (; mask; mask &= mask - 1) {
        f(first_bit(mask));
    }
}

constexpr uint32_t groups_mask(uint32_t width, uint32_t first)
{
    return width == simd_width ? UINT32_MAX : ((1u << width) - 1) << first;
}

// The adversary's order: any two parts, until one is left. Metal promises no order.
template <class T, class Op> inline bool combine_anyhow([[maybe_unused]] T *v, uint32_t n)
{
#if defined(SOFTMETAL_CHECK)
    if (!hooks.adversarial) {
        return false;
    }
    for (; n > 1; n--) {
        uint32_t a = uint32_t(hooks.random() % n), b = uint32_t(hooks.random() % (n - 1));
        b += b >= a;
        T both = Op::of(v[a], v[b]);
        v[a < b ? a : b] = both;
        v[a < b ? b : a] = v[n - 1];
    }
    return true;
#endif
    return n == 0; // nothing to combine
}

// Pairs at falling distance when all lanes take part, as a GPU's tree; in order otherwise.
template <class T, class Op, uint32_t Width> inline void reduce(simd &s, uint32_t mask)
{
    for (uint32_t first = 0; first < simd_width; first += Width) {
        uint32_t part = mask & groups_mask(Width, first);
        T v[Width];
        uint32_t n = 0;
        each_lane(part, [&](uint32_t lane) { v[n++ % Width] = slots<T>::get_in(s, lane); });
        if (combine_anyhow<T, Op>(v, n)) {
        } else if (n == Width) {
            for (uint32_t step = Width / 2; step; step /= 2) {
                for (uint32_t i = 0; i < step; i++) {
                    v[i] = Op::of(v[i], v[i + step]);
                }
            }
        } else {
            for (uint32_t i = 1; i < n; i++) {
                v[0] = Op::of(v[0], v[i]);
            }
        }
        each_lane(part, [&](uint32_t lane) { slots<T>::put_out(s, lane, v[0]); });
    }
}

template <class T, class Op, uint32_t Width, bool Inclusive>
inline void prefix(simd &s, uint32_t mask)
{
    for (uint32_t first = 0; first < simd_width; first += Width) {
        T sum = Op::template identity<T>();
        each_lane(mask & groups_mask(Width, first), [&](uint32_t lane) {
            T value = slots<T>::get_in(s, lane);
            if (!Inclusive) {
                slots<T>::put_out(s, lane, sum);
            }
            sum = Op::of(sum, value);
            if (Inclusive) {
                slots<T>::put_out(s, lane, sum);
            }
        });
    }
}

// Each lane takes the value of the lane named in aux; its own if that lane takes no part.
template <class T> inline void take(simd &s, uint32_t mask)
{
    each_lane(mask, [&](uint32_t lane) {
        uint32_t from = uint32_t(s.aux[lane]) % simd_width;
        slots<T>::put_out(s, lane, slots<T>::get_in(s, mask >> from & 1 ? from : lane));
    });
}

// All take the value of the first lane that is there.
template <bool Wide> inline void give_first(simd &s, uint32_t mask)
{
    uint32_t first = first_bit(mask);
    each_lane(mask, [&](uint32_t lane) {
        if (Wide) {
            __builtin_memcpy(s.wide_out[lane], s.wide_in[first], sizeof s.wide_in[first]);
        } else {
            s.out[lane] = s.in[first];
        }
    });
}

struct op_sum {
    template <class T> static T of(const T &a, const T &b)
    {
        return T(a + b);
    }
    template <class T> static T identity()
    {
        return T(0);
    }
};
struct op_product {
    template <class T> static T of(const T &a, const T &b)
    {
        return T(a * b);
    }
    template <class T> static T identity()
    {
        return T(1);
    }
};
struct op_and {
    template <class T> static T of(const T &a, const T &b)
    {
        return T(a & b);
    }
};
struct op_or {
    template <class T> static T of(const T &a, const T &b)
    {
        return T(a | b);
    }
};
struct op_xor {
    template <class T> static T of(const T &a, const T &b)
    {
        return T(a ^ b);
    }
};
template <class T> inline T lesser(const T &a, const T &b)
{
    return b < a || a != a ? b : a;
}
template <class T> inline T greater(const T &a, const T &b)
{
    return a < b || a != a ? b : a;
}
struct op_min {
    template <class T> static T of(const T &a, const T &b)
    {
        return lesser(a, b);
    }
    template <class T, int N> static vec<T, N> of(vec<T, N> a, const vec<T, N> &b)
    {
        for (int i = 0; i < N; i++) {
            a.e[i] = lesser(a.e[i], b.e[i]);
        }
        return a;
    }
};
struct op_max {
    template <class T> static T of(const T &a, const T &b)
    {
        return greater(a, b);
    }
    template <class T, int N> static vec<T, N> of(vec<T, N> a, const vec<T, N> &b)
    {
        for (int i = 0; i < N; i++) {
            a.e[i] = greater(a.e[i], b.e[i]);
        }
        return a;
    }
};

inline void count_votes(simd &s, uint32_t mask)
{
    uint64_t votes = 0;
    each_lane(mask, [&](uint32_t lane) { votes |= (s.in[lane] & 1) << lane; });
    each_lane(mask, [&](uint32_t lane) {
        s.out[lane] = votes;
        s.aux[lane] = mask;
    });
}

// The votes of the lanes that take part; `mask` becomes those lanes.
inline uint32_t vote(bool value, uint32_t site, uint32_t &mask)
{
    uint32_t votes = uint32_t(meet(uint64_t(value), 0, site, count_votes));
    thread &t = self();
    mask = uint32_t(t.simd->aux[t.lane]);
    return votes;
}

__attribute__((const, noinline)) inline uint32_t self_lane()
{
    return self().lane;
}

} // namespace softmetal

namespace metal
{

#define SOFTMETAL_REDUCE(name, op)                                                                 \
    template <class T> inline T simd_##name(T value, SOFTMETAL_SITE)                               \
    {                                                                                              \
        return softmetal::meet(value, 0, site, softmetal::reduce<T, softmetal::op, 32>);           \
    }                                                                                              \
    template <class T> inline T quad_##name(T value, SOFTMETAL_SITE)                               \
    {                                                                                              \
        return softmetal::meet(value, 0, site, softmetal::reduce<T, softmetal::op, 4>);            \
    }
SOFTMETAL_REDUCE(sum, op_sum)
SOFTMETAL_REDUCE(product, op_product)
SOFTMETAL_REDUCE(min, op_min)
SOFTMETAL_REDUCE(max, op_max)
SOFTMETAL_REDUCE(and, op_and)
SOFTMETAL_REDUCE(or, op_or)
SOFTMETAL_REDUCE(xor, op_xor)
#undef SOFTMETAL_REDUCE

#define SOFTMETAL_PREFIX(name, op, inclusive)                                                      \
    template <class T> inline T simd_##name(T value, SOFTMETAL_SITE)                               \
    {                                                                                              \
        return softmetal::meet(value, 0, site,                                                     \
                               softmetal::prefix<T, softmetal::op, 32, inclusive>);                \
    }                                                                                              \
    template <class T> inline T quad_##name(T value, SOFTMETAL_SITE)                               \
    {                                                                                              \
        return softmetal::meet(value, 0, site, softmetal::prefix<T, softmetal::op, 4, inclusive>); \
    }
SOFTMETAL_PREFIX(prefix_inclusive_sum, op_sum, true)
SOFTMETAL_PREFIX(prefix_exclusive_sum, op_sum, false)
SOFTMETAL_PREFIX(prefix_inclusive_product, op_product, true)
SOFTMETAL_PREFIX(prefix_exclusive_product, op_product, false)
#undef SOFTMETAL_PREFIX

template <class T> inline T simd_shuffle(T value, ushort lane, SOFTMETAL_SITE)
{
    return softmetal::meet(value, lane, site, softmetal::take<T>);
}
template <class T> inline T simd_broadcast(T value, ushort lane, SOFTMETAL_SITE)
{
    return softmetal::meet(value, lane, site, softmetal::take<T>);
}
template <class T> inline T simd_shuffle_xor(T value, ushort mask, SOFTMETAL_SITE)
{
    return simd_shuffle(value, ushort(softmetal::self_lane() ^ mask), site);
}
// Lanes whose source would lie outside keep their own value.
template <class T> inline T simd_shuffle_up(T value, ushort delta, SOFTMETAL_SITE)
{
    uint32_t lane = softmetal::self_lane();
    return simd_shuffle(value, ushort(lane < delta ? lane : lane - delta), site);
}
template <class T> inline T simd_shuffle_down(T value, ushort delta, SOFTMETAL_SITE)
{
    uint32_t lane = softmetal::self_lane();
    return simd_shuffle(value, ushort(lane + delta > 31 ? lane : lane + delta), site);
}
template <class T> inline T simd_shuffle_rotate_up(T value, ushort delta, SOFTMETAL_SITE)
{
    return simd_shuffle(value, ushort((softmetal::self_lane() + 32 - delta % 32) % 32), site);
}
template <class T> inline T simd_shuffle_rotate_down(T value, ushort delta, SOFTMETAL_SITE)
{
    return simd_shuffle(value, ushort((softmetal::self_lane() + delta) % 32), site);
}
// Where a shift leaves the simdgroup, or the part of `modulo` lanes, `fill` supplies the value.
template <class T>
inline T simd_shuffle_and_fill_up(T value, T fill, ushort delta, ushort modulo = 32, SOFTMETAL_SITE)
{
    uint32_t lane = softmetal::self_lane(), in = lane % modulo, first = lane - in;
    T moved = simd_shuffle(value, ushort(in < delta ? lane : lane - delta), site);
    softmetal::leave_uncounted(softmetal::self());
    T filler =
        simd_shuffle(fill, ushort(first + (in + modulo - delta % modulo) % modulo), site + 1);
    return in < delta ? filler : moved;
}
template <class T>
inline T simd_shuffle_and_fill_down(T value, T fill, ushort delta, ushort modulo = 32,
                                    SOFTMETAL_SITE)
{
    uint32_t lane = softmetal::self_lane(), in = lane % modulo, first = lane - in;
    bool outside = in + delta >= modulo;
    T moved = simd_shuffle(value, ushort(outside ? lane : lane + delta), site);
    softmetal::leave_uncounted(softmetal::self());
    T filler = simd_shuffle(fill, ushort(first + (in + delta) % modulo), site + 1);
    return outside ? filler : moved;
}

inline bool simd_all(bool value, SOFTMETAL_SITE)
{
    uint32_t mask;
    return softmetal::vote(value, site, mask) == mask;
}
inline bool simd_any(bool value, SOFTMETAL_SITE)
{
    uint32_t mask;
    return softmetal::vote(value, site, mask) != 0;
}
inline bool simd_is_first(SOFTMETAL_SITE)
{
    uint32_t mask;
    softmetal::vote(true, site, mask);
    return softmetal::first_bit(mask) == softmetal::self_lane();
}
inline bool simd_is_helper_thread()
{
    return false;
}
template <class T> inline T simd_broadcast_first(T value, SOFTMETAL_SITE)
{
    return softmetal::meet(value, 0, site, softmetal::give_first<softmetal::slots<T>::wide>);
}

// A set of lanes.
struct simd_vote {
    using vote_t = ulong;

    simd_vote() = default;
    explicit constexpr simd_vote(vote_t v) : votes(v)
    {
    }
    explicit constexpr operator vote_t() const
    {
        return votes;
    }
    constexpr bool all() const
    {
        return votes == 0xffffffffu;
    }
    constexpr bool any() const
    {
        return votes != 0;
    }

  private:
    vote_t votes;
};
inline simd_vote simd_ballot(bool value, SOFTMETAL_SITE)
{
    uint32_t mask;
    return simd_vote(softmetal::vote(value, site, mask));
}
inline simd_vote simd_active_threads_mask(SOFTMETAL_SITE)
{
    uint32_t mask;
    softmetal::vote(true, site, mask);
    return simd_vote(mask);
}

} // namespace metal
