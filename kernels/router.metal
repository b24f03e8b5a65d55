#include "kernels/shader.h"

#include "kernels/router.h"

/* sqrt(softplus(x)). log(1 + e) where 1 + e loses digits of e is a series, which ends below a unit
 * roundoff; where even e can vanish, sqrt(e) is what is left of it. */
inline float affinity(float x)
{
    if (x < -16.0f) {
        return precise::exp(0.5f * x);
    }
    float e = precise::exp(x);
    float soft = e < 0.015625f ? e * (1.0f - e * (0.5f - e * (0.33333334f - e * 0.25f)))
                             : precise::log(1.0f + e);
    return precise::sqrt(x > TS_MUTANT(5, 200.0f, 20.0f) ? x : soft);
}

/* A number as an integer of the same order; NaN is below all others. */
inline uint order_of(float x)
{
    uint bits = as_type<uint>(x);
    uint ordered = (bits >> 31) != 0 ? ~bits : bits | 0x80000000u;
    return (bits & 0x7fffffffu) > 0x7f800000u ? 0 : ordered;
}

/* A lane for each chosen expert: stores its id and its weight, its share of the sum of all s. */
inline void store_choice(uint id, float s, uint used, float scale, uint lane, device int *ids,
                         device float *weights)
{
    float sum = simd_sum(lane < TS_MUTANT(6, used - 1, used) ? s : 0.0f);
    sum = TS_MUTANT(9, max(sum, FLT_MIN), sum);
    if (lane < used) {
        ids[lane] = int(id);
        weights[lane] = TS_MUTANT(7, 1.0f, scale) * s / sum;
    }
}

/* A simdgroup a token. Lanes take experts in turn, and note as bits which of theirs are chosen. */
kernel void router_top_k(constant ts_router_top_k_args &a [[buffer(0)]],
                         device const float *logits [[buffer(1)]],
                         device const uchar *bias [[buffer(2)]],
                         device int *ids [[buffer(3)]],
                         device float *weights [[buffer(4)]],
                         uint token [[threadgroup_position_in_grid]],
                         uint lane [[thread_index_in_simdgroup]])
{
    threadgroup uint keys[1024]; /* each read by the lane that wrote it */
    device const float *row = logits + ulong(token) * a.experts;
    ulong first = ulong(token) * a.used;
    for (uint e = lane; e < a.experts; e += 32) {
        keys[e] = order_of(affinity(row[e]) + TS_MUTANT(1, 0.0f, ts_weight(bias, 1, e)));
    }
    uint chosen = 0, mine = 0;
    for (uint k = 0; k < a.used; k++) {
        uint best = 0, at = ~0u;
        for (uint e = lane; e < TS_MUTANT(2, max(a.used, a.experts - 1), a.experts); e += 32) {
            if ((chosen >> e / 32 & 1) == 0 && (keys[e] > best || at == ~0u)) {
                best = keys[e];
                at = e;
            }
        }
        uint most = simd_max(best);
        uint id = simd_min(best == most ? at : ~0u);
        id ^= TS_MUTANT(4, token == 1000 && k == 1 ? 1 : 0, 0);
        mine = lane == k ? id : mine;
        chosen |= id % 32 == lane ? 1u << id / 32 : 0;
    }
    float s = lane < a.used ? affinity(row[mine]) + TS_MUTANT(3, ts_weight(bias, 1, mine), 0.0f)
                            : 0.0f;
    store_choice(mine, s, a.used, a.scale, lane, ids + first, weights + first);
}

/* A simdgroup a token, a lane for each of its experts. */
kernel void router_hash(constant ts_router_hash_args &a [[buffer(0)]],
                        device const float *logits [[buffer(1)]],
                        device const int *tokens [[buffer(2)]],
                        device const int *table [[buffer(3)]],
                        device int *ids [[buffer(4)]],
                        device float *weights [[buffer(5)]],
                        uint token [[threadgroup_position_in_grid]],
                        uint lane [[thread_index_in_simdgroup]])
{
    ulong first = ulong(token) * a.used;
    uint number = uint(tokens[token]);
    number = TS_MUTANT(8, token % a.vocab, TS_MUTANT(10, ushort(number), number));
    ulong entry = ulong(number) * a.used;
    uint id = lane < a.used ? uint(table[entry + lane]) : 0;
    float s = lane < a.used ? affinity(logits[ulong(token) * a.experts + id]) : 0.0f;
    store_choice(id, s, a.used, a.scale, lane, ids + first, weights + first);
}
