// Shuffles and votes of four lanes; sums and the like are beside those of the simdgroup.
#pragma once

#include "softmetal/simdgroup.h"

namespace metal
{

template <class T> inline T quad_shuffle(T value, ushort lane, SOFTMETAL_SITE)
{
    return simd_shuffle(value, ushort((softmetal::self_lane() & ~3u) + lane % 4), site);
}
template <class T> inline T quad_broadcast(T value, ushort lane, SOFTMETAL_SITE)
{
    return quad_shuffle(value, lane, site);
}
template <class T> inline T quad_shuffle_xor(T value, ushort mask, SOFTMETAL_SITE)
{
    return quad_shuffle(value, ushort((softmetal::self_lane() ^ mask) % 4), site);
}
template <class T> inline T quad_shuffle_up(T value, ushort delta, SOFTMETAL_SITE)
{
    uint32_t lane = softmetal::self_lane() % 4;
    return quad_shuffle(value, ushort(lane < delta ? lane : lane - delta), site);
}
template <class T> inline T quad_shuffle_down(T value, ushort delta, SOFTMETAL_SITE)
{
    uint32_t lane = softmetal::self_lane() % 4;
    return quad_shuffle(value, ushort(lane + delta > 3 ? lane : lane + delta), site);
}
template <class T> inline T quad_shuffle_rotate_up(T value, ushort delta, SOFTMETAL_SITE)
{
    return quad_shuffle(value, ushort((softmetal::self_lane() + 4 - delta % 4) % 4), site);
}
template <class T> inline T quad_shuffle_rotate_down(T value, ushort delta, SOFTMETAL_SITE)
{
    return quad_shuffle(value, ushort((softmetal::self_lane() + delta) % 4), site);
}
// Groups of 4 divide a simdgroup: the same there.
template <class T>
inline T quad_shuffle_and_fill_up(T value, T fill, ushort delta, ushort modulo = 4, SOFTMETAL_SITE)
{
    return simd_shuffle_and_fill_up(value, fill, delta, modulo, site);
}
template <class T>
inline T quad_shuffle_and_fill_down(T value, T fill, ushort delta, ushort modulo = 4,
                                    SOFTMETAL_SITE)
{
    return simd_shuffle_and_fill_down(value, fill, delta, modulo, site);
}
// The lanes of this quad among `lanes`.
inline uint32_t softmetal_quad_part(uint32_t lanes)
{
    return lanes >> (softmetal::self_lane() & ~3u) & 15u;
}
inline bool quad_all(bool value, SOFTMETAL_SITE)
{
    uint32_t mask, votes = softmetal::vote(value, site, mask);
    return softmetal_quad_part(votes) == softmetal_quad_part(mask);
}
inline bool quad_any(bool value, SOFTMETAL_SITE)
{
    uint32_t mask, votes = softmetal::vote(value, site, mask);
    return softmetal_quad_part(votes) != 0;
}
inline bool quad_is_first(SOFTMETAL_SITE)
{
    uint32_t mask;
    softmetal::vote(true, site, mask);
    return softmetal::first_bit(softmetal_quad_part(mask)) == softmetal::self_lane() % 4;
}
template <class T> inline T quad_broadcast_first(T value, SOFTMETAL_SITE)
{
    uint32_t mask;
    softmetal::vote(true, site, mask);
    softmetal::leave_uncounted(softmetal::self());
    return quad_broadcast(value, ushort(softmetal::first_bit(softmetal_quad_part(mask))), site + 1);
}
struct quad_vote {
    using vote_t = uint;

    explicit constexpr quad_vote(vote_t v) : votes(v)
    {
    }
    explicit constexpr operator vote_t() const
    {
        return votes;
    }
    constexpr bool all() const
    {
        return votes == 15u;
    }
    constexpr bool any() const
    {
        return votes != 0;
    }

  private:
    vote_t votes;
};
inline quad_vote quad_ballot(bool value, SOFTMETAL_SITE)
{
    uint32_t mask, votes = softmetal::vote(value, site, mask);
    return quad_vote(softmetal_quad_part(votes));
}
inline quad_vote quad_active_threads_mask(SOFTMETAL_SITE)
{
    uint32_t mask;
    softmetal::vote(true, site, mask);
    return quad_vote(softmetal_quad_part(mask));
}

} // namespace metal
