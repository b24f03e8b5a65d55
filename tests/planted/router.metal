/* Kernels that are wrong on purpose (tests/metal_planted_test.c): one makes a number of what is
 * none, one gives a wrong index. */
#define router_top_k router_top_k_right
#define router_hash router_hash_right
#include "kernels/router.metal"
#undef router_top_k
#undef router_hash

kernel void router_top_k(constant ts_router_top_k_args &a [[buffer(0)]],
                         device const float *logits [[buffer(1)]],
                         device const uchar *bias [[buffer(2)]],
                         device int *ids [[buffer(3)]],
                         device float *weights [[buffer(4)]],
                         uint token [[threadgroup_position_in_grid]],
                         uint lane [[thread_index_in_simdgroup]])
{
    device const float *row = logits + ulong(token) * a.experts;
    ulong first = ulong(token) * a.used;
    ulong chosen[16] = {};
    uint mine = 0;
    for (uint k = 0; k < a.used; k++) {
        uint best = 0, at = ~0u;
        for (uint e = 0; e < a.experts; e++) {
            uint key = order_of(affinity(row[e]) + ts_weight(bias, 1, e));
            if ((chosen[e / 64] >> e % 64 & 1) == 0 && (key > best || at == ~0u)) {
                best = key;
                at = e;
            }
        }
        chosen[at / 64] |= 1ul << at % 64;
        mine = lane == k ? at : mine;
    }
    float s = lane < a.used ? affinity(row[mine]) : 0.0f;
    store_choice(mine, s, a.used, a.scale, lane, ids + first, weights + first);
    if (lane < a.used && isnan(weights[first + lane])) {
        weights[first + lane] = 0.0f;
    }
}

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
    ulong entry = ulong(uint(tokens[token])) * a.used;
    uint id = lane < a.used ? uint(table[entry + lane]) : 0;
    float s = lane < a.used ? affinity(logits[ulong(token) * a.experts + id]) : 0.0f;
    store_choice(id, s, a.used, a.scale, lane, ids + first, weights + first);
    if (token + 1 == a.tokens && lane + 1 == a.used) {
        ids[first + lane] ^= 1;
    }
}
