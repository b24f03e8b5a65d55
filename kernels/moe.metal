#include "kernels/weights.h"

#include "kernels/expand.h"
#include "kernels/moe.h"
#include "kernels/tile.h"

/* One threadgroup. A thread counts and places the slots of one expert (and of every 256th behind
 * it), in their order, so that nothing depends on which thread comes first. */
kernel void expert_sort(constant ts_expert_sort_args &a [[buffer(0)]],
                        device const int *ids [[buffer(1)]],
                        device int *order [[buffer(2)]],
                        device int *tile_list [[buffer(3)]],
                        uint index [[thread_index_in_threadgroup]])
{
    threadgroup uint counts[2048];
    uint slots = a.tokens * a.used, tiles = 0;
    for (uint e = index; e < a.experts; e += 256) {
        uint count = 0;
        for (uint i = 0; i < slots; i++) {
            count += uint(ids[i]) == e ? 1 : 0;
        }
        counts[e] = count;
    }
    threadgroup_barrier(mem_flags::mem_threadgroup);
    for (uint e = index; e < a.experts; e += 256) {
        uint place = 0, tile = 0, count = counts[e];
        for (uint other = 0; other < e; other++) {
            place += counts[other];
            tile += (counts[other] + TS_MUTANT(22, 0, TS_EXPERT_TILE - 1)) / TS_EXPERT_TILE;
        }
        for (uint i = 0; i < count; i += TS_EXPERT_TILE, tile++) {
            tile_list[3 * tile] = int(e);
            tile_list[3 * tile + 1] = int(TS_MUTANT(23, place, place + i));
            tile_list[3 * tile + 2] = int(min(count - i, uint(TS_EXPERT_TILE)));
        }
        for (uint i = TS_MUTANT(24, a.used, 0); i < slots && count > 0; i++) {
            if (uint(ids[i]) == e) {
                order[place++] = int(TS_MUTANT(26, ushort(i), i));
            }
        }
    }
    for (uint e = 0; e < a.experts; e++) {
        tiles += (counts[e] + TS_EXPERT_TILE - 1) / TS_EXPERT_TILE;
    }
    for (uint i = 3 * tiles + index; i < 3 * a.tiles - TS_MUTANT(25, 1, 0); i += 256) {
        tile_list[i] = -1;
    }
}

/* A slot at a time: two simdgroups, each two rows of its expert. */
template <typename F>
kernel void expert_rows(constant ts_expert_matmul_args &a [[buffer(0)]],
                        device const float *x [[buffer(1)]],
                        device const uchar *w [[buffer(2)]],
                        device const int *ids [[buffer(3)]],
                        device float *y [[buffer(6)]],
                        uint3 group [[threadgroup_position_in_grid]],
                        uint simd [[simdgroup_index_in_threadgroup]],
                        uint lane [[thread_index_in_simdgroup]])
{
    ulong slot = ulong(group.z) * a.used + group.y;
    uint first = 4 * group.x + 2 * simd;
    ulong row = ulong(ids[slot]) * a.rows + first;
    float sums[2] = {0.0f, 0.0f};
    ts_dot_rows<F, 2, 1>(x + (a.per_slot != 0 ? slot : group.z) * a.columns, 1,
                         w + row * F::row_bytes(a.columns), first, a.rows, a.columns, lane, sums);
    for (uint r = 0; r < 2; r++) {
        float sum = simd_sum(sums[r]);
        if (lane == 0 && first + r < a.rows) {
            y[slot * a.rows + first + r] = sum;
        }
    }
}
TS_INSTANTIATE(expert_rows)

/* A tile of slots of one expert by 64 of its rows. */
template <typename F>
kernel void expert_tile(constant ts_expert_matmul_args &a [[buffer(0)]],
                        device const float *x [[buffer(1)]],
                        device const uchar *w [[buffer(2)]],
                        device const int *order [[buffer(4)]],
                        device const int *tile_list [[buffer(5)]],
                        device float *y [[buffer(6)]],
                        uint2 group [[threadgroup_position_in_grid]],
                        uint index [[thread_index_in_threadgroup]],
                        uint simd [[simdgroup_index_in_threadgroup]])
{
    threadgroup ts_tile tile;
    device const int *entry = tile_list + 3 * group.y;
    if (entry[0] < 0) {
        return;
    }
    uint row = 64 * group.x, rows = min(64u, a.rows - row), count = uint(entry[2]);
    device const int *slots = order + entry[1];
    for (uint i = index; i < 32; i += 128) {
        uint slot = uint(slots[min(i, count - 1)]);
        tile.x_rows[i] = TS_MUTANT(9, 0, a.per_slot) != 0 ? slot : slot / a.used;
    }
    ts_tile_product<F>(tile, x, w + (ulong(entry[0]) * a.rows + row) * F::row_bytes(a.columns),
                       rows, a.columns, index, simd);
    for (uint i = index; i < 64 * count - TS_MUTANT(10, 65 - rows, 0); i += 128) {
        if (i % 64 < rows) {
            y[ulong(slots[i / 64]) * a.rows + row + i % 64] = tile.w[i];
        }
    }
}
TS_INSTANTIATE(expert_tile)

/* silu(gate) * up, clamped: gate from above only. Comparisons, because min and max drop a NaN. */
inline float gated(float gate, float up, float limit)
{
    if (limit != 0.0f) {
        gate = gate > limit ? limit : TS_MUTANT(15, gate < -limit ? -limit : gate, gate);
        up = up > limit ? limit : TS_MUTANT(16, up, up < -limit ? -limit : up);
    }
    return gate / (1.0f + precise::exp(-gate)) * TS_MUTANT(17, 1.0f, up);
}

kernel void swiglu(constant ts_swiglu_args &a [[buffer(0)]],
                   device const float *gate [[buffer(1)]],
                   device const float *up [[buffer(2)]],
                   device const float *weight [[buffer(3)]],
                   device float *y [[buffer(4)]],
                   uint2 group [[threadgroup_position_in_grid]],
                   uint index [[thread_index_in_threadgroup]])
{
    uint i = 256 * group.x + index;
    ulong at = ulong(group.y) * a.width + i;
    if (i < a.width) {
        float factor = ts_empty(2) ? 1.0f : weight[TS_MUTANT(18, group.y / 2 * 2, group.y)];
        y[at] = gated(gate[at], up[at], a.limit) * factor;
    }
}

kernel void expert_sum(constant ts_expert_sum_args &a [[buffer(0)]],
                       device const float *routed [[buffer(1)]],
                       device const float *shared [[buffer(2)]],
                       device float *sum [[buffer(3)]],
                       uint2 group [[threadgroup_position_in_grid]],
                       uint index [[thread_index_in_threadgroup]])
{
    uint i = 256 * group.x + index;
    if (i >= a.width) {
        return;
    }
    float total = TS_MUTANT(20, 0.0f, shared[ulong(group.y) * a.width + i]);
    for (uint k = 0; k < TS_MUTANT(21, a.used - 1, a.used); k++) {
        total += routed[(ulong(group.y) * a.used + k) * a.width + i];
    }
    sum[ulong(group.y) * a.width + i] = total;
}

/* y of two rows of an expert's gate and up, from row `first` of `rows` on. */
template <typename F>
inline void gate_up_rows(device const float *x, device const uchar *gate, device const uchar *up,
                         uint first, uint rows, uint columns, float limit, float factor,
                         device float *y, uint lane)
{
    float a[2] = {0.0f, 0.0f}, b[2] = {0.0f, 0.0f};
    ts_dot_rows<F, 2, 1>(x, 1, gate, first, rows, columns, lane, a);
    ts_dot_rows<F, 2, 1>(x, 1, up, first, rows, columns, lane, b);
    for (uint r = 0; r < 2; r++) {
        float value = gated(simd_sum(a[r]), simd_sum(b[r]), limit) * factor;
        if (lane == 0 && first + r < rows) {
            y[first + r] = value;
        }
    }
}

/* One token; the grid's y is the slot, and behind the slots the shared expert. Weights of the
 * shared expert are in format G, of the others in F. */
template <typename G, typename F>
kernel void moe_gate_up(constant ts_moe_gate_up_args &a [[buffer(0)]],
                        device const float *x [[buffer(1)]],
                        device const uchar *gate [[buffer(2)]],
                        device const uchar *up [[buffer(3)]],
                        device const uchar *shared_gate [[buffer(4)]],
                        device const uchar *shared_up [[buffer(5)]],
                        device const int *ids [[buffer(6)]],
                        device const float *weights [[buffer(7)]],
                        device float *hidden [[buffer(14)]],
                        device float *shared_hidden [[buffer(15)]],
                        uint2 group [[threadgroup_position_in_grid]],
                        uint simd [[simdgroup_index_in_threadgroup]],
                        uint lane [[thread_index_in_simdgroup]])
{
    uint first = 4 * group.x + 2 * simd, slot = group.y;
    if (slot < a.used) {
        ulong begin = (ulong(ids[slot]) * a.rows + first) * F::row_bytes(a.columns);
        gate_up_rows<F>(x, gate + begin, up + begin, first, a.rows, a.columns, a.limit,
                        weights[TS_MUTANT(18, slot / 2 * 2, slot)],
                        hidden + ulong(slot) * a.rows, lane);
    } else {
        ulong begin = ulong(first) * G::row_bytes(a.columns);
        gate_up_rows<G>(x, shared_gate + begin, shared_up + begin, first, a.shared_rows, a.columns,
                        TS_MUTANT(19, 0.0f, a.shared_limit), 1.0f, shared_hidden, lane);
    }
}

/* One token: a simdgroup adds the products of two rows of all experts. */
template <typename G, typename F>
kernel void moe_down_expand(constant ts_moe_down_expand_args &a [[buffer(0)]],
                            device const float *hidden [[buffer(1)]],
                            device const uchar *down [[buffer(2)]],
                            device const int *ids [[buffer(3)]],
                            device const float *shared_hidden [[buffer(6)]],
                            device const uchar *shared_down [[buffer(7)]],
                            device const float *streams [[buffer(8)]],
                            device const float *post [[buffer(9)]],
                            device const float *comb [[buffer(10)]],
                            device float *expanded [[buffer(14)]],
                            uint group [[threadgroup_position_in_grid]],
                            uint simd [[simdgroup_index_in_threadgroup]],
                            uint lane [[thread_index_in_simdgroup]])
{
    const ts_mixing mixing = {streams, post, comb, expanded, a.streams, a.rows};
    uint first = 4 * group + 2 * simd;
    float sums[2] = {0.0f, 0.0f};
    for (uint slot = 0; slot < TS_MUTANT(14, a.used - 1, a.used); slot++) {
        ulong row = ulong(ids[slot]) * a.rows + first;
        ts_dot_rows<F, 2, 1>(hidden + ulong(slot) * a.columns, 1,
                             down + row * F::row_bytes(a.columns), first, a.rows, a.columns, lane,
                             sums);
    }
    ts_dot_rows<G, 2, 1>(shared_hidden, 1,
                         shared_down + ulong(first) * G::row_bytes(a.shared_columns), first, a.rows,
                         a.shared_columns, lane, sums);
    for (uint r = 0; r < 2; r++) {
        float sum = simd_sum(sums[r]);
        if (first + r < a.rows) {
            ts_expand_column(mixing, 0, first + r, sum, lane);
        }
    }
}

/* Beside a shared expert in Q8_0, as files have it, or in the plain format of all. */
#define MOE_INSTANTIATE_TWO(name, g, f)                                                            \
    typedef decltype(name<weight_##g, weight_##f>) name##_##g##_##f;                               \
    template [[host_name(#name "_" #g "_" #f)]] kernel name##_##g##_##f                            \
        name<weight_##g, weight_##f>;
#define MOE_INSTANTIATE(name)                                                                      \
    MOE_INSTANTIATE_TWO(name, q8_0, f32)                                                           \
    MOE_INSTANTIATE_TWO(name, q8_0, f16)                                                           \
    MOE_INSTANTIATE_TWO(name, q8_0, bf16)                                                          \
    MOE_INSTANTIATE_TWO(name, q8_0, q8_0)                                                          \
    MOE_INSTANTIATE_TWO(name, q8_0, q2_k)                                                          \
    MOE_INSTANTIATE_TWO(name, q8_0, q4_k)                                                          \
    MOE_INSTANTIATE_TWO(name, q8_0, iq2_xxs)                                                       \
    MOE_INSTANTIATE_TWO(name, q8_0, mxfp4)                                                         \
    MOE_INSTANTIATE_TWO(name, f16, f16)                                                            \
    MOE_INSTANTIATE_TWO(name, bf16, bf16)                                                          \
    MOE_INSTANTIATE_TWO(name, f32, f32)
MOE_INSTANTIATE(moe_gate_up)
MOE_INSTANTIATE(moe_down_expand)
