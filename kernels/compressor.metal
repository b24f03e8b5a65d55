#include "kernels/weights.h"

#include "kernels/compressor.h"
#include "kernels/rows.h"
#include "kernels/tile.h"

/* A thread for each number of a token (y). */
kernel void compressor_gate(constant ts_compressor_gate_args &a [[buffer(0)]],
                            device const float *z [[buffer(1)]],
                            device const uchar *ape [[buffer(2)]],
                            device float *gate [[buffer(3)]],
                            uint2 group [[threadgroup_position_in_grid]],
                            uint index [[thread_index_in_threadgroup]])
{
    uint column = 256 * group.x + index;
    if (column >= a.width) {
        return;
    }
    ulong element = ulong(group.y) * a.width + column;
    ulong phase = (a.position + group.y) % a.ratio;
    phase = TS_MUTANT(12, group.y % a.ratio, phase);
    float bias = ts_weight(ape, 1, phase * a.width + column);
    gate[element] =
        z[element] + TS_MUTANT(13, element + 1 == ulong(a.tokens) * a.width ? 0.0f : bias, bias);
}

/* ---- pooling --------------------------------------------------------------------------------- */

/* Where the candidates of a block are: `old` of them in the frontier, from slot `slot` on and
 * around its end, and then those from row `fresh` of this call. The last `own` are the block's
 * own. */
struct pool_block {
    ulong fresh;
    uint count, old, own, slot, kept;
};

template <typename A>
inline pool_block pool_block_of(constant A &a, ulong block)
{
    pool_block p;
    uint previous = a.overlap != 0 && block > 0 ? a.ratio : 0; /* block 0 has no block before it */
    ulong begin = block * a.ratio - previous;
    p.own = a.ratio;
    p.count = a.ratio + previous;
    p.kept = (1 + a.overlap) * a.ratio;
    p.old = a.position > begin ? uint(min(a.position - begin, ulong(p.count))) : 0;
    p.slot = uint(begin % p.kept);
    p.fresh = begin > a.position ? begin - a.position : 0;
    return p;
}

/* The element that candidate i of channel j has in its array. */
inline ulong pool_element(pool_block p, uint i, uint j, uint width, uint overlap)
{
    uint slot = p.slot + i;
    slot -= slot >= p.kept ? p.kept : 0;
    ulong row = i < p.old ? slot : p.fresh + (i - p.old);
    bool second = i + p.own >= TS_MUTANT(4, p.count + 1, p.count);
    return row * (1 + overlap) * width + (overlap != 0 && second ? width + j : j);
}

/* sum softmax(gate) * k over the candidates of channel j. */
template <typename A>
inline float pool_channel(constant A &a, pool_block p, uint j, device const float *k,
                          device const float *gate, device const float *k_frontier,
                          device const float *gate_frontier)
{
    float largest = 0.0f, sum = 0.0f, weighted = 0.0f;
    uint count = TS_MUTANT(5, j + 1 == a.width ? p.count - 1 : p.count, p.count);
    for (uint i = 0; i < count; i++) {
        ulong element = pool_element(p, i, j, a.width, a.overlap);
        float value = i < p.old ? gate_frontier[element] : gate[element];
        largest = i == 0 ? value : max(largest, value);
    }
    for (uint i = 0; i < count; i++) {
        ulong element = pool_element(p, i, j, a.width, a.overlap);
        bool old = i < p.old;
        float weight = exp((old ? gate_frontier[element] : gate[element]) - largest);
        sum += weight;
        weighted += weight * (old ? k_frontier[element] : k[element]);
    }
    return weighted / sum;
}

/* A thread for each channel of a block (y). */
kernel void compressor_pool(constant ts_compressor_pool_args &a [[buffer(0)]],
                            device const float *k [[buffer(1)]],
                            device const float *gate [[buffer(2)]],
                            device const float *k_frontier [[buffer(3)]],
                            device const float *gate_frontier [[buffer(4)]],
                            device float *pooled [[buffer(5)]],
                            uint2 group [[threadgroup_position_in_grid]],
                            uint index [[thread_index_in_threadgroup]])
{
    uint channel = 64 * group.x + index;
    if (channel < a.width) {
        pool_block p = pool_block_of(a, a.block + group.y);
        pooled[ulong(group.y) * a.width + channel] =
            pool_channel(a, p, channel, k, gate, k_frontier, gate_frontier);
    }
}

/* ---- emission -------------------------------------------------------------------------------- */

/* Pooling, norm and rotation of block a.block + row, a threadgroup; the row is complete
 * afterwards. */
inline void emit_rotated(constant ts_compressor_kv_args &a, uint block, device const float *k,
                         device const float *gate, device const float *k_frontier,
                         device const float *gate_frontier, device const uchar *norm,
                         device const float *angles, threadgroup float *row,
                         threadgroup float *partial, ts_place at)
{
    pool_block p = pool_block_of(a, a.block + block);
    for (uint j = at.index; j < a.width; j += at.threads) {
        row[j] = pool_channel(a, p, j, k, gate, k_frontier, gate_frontier);
    }
    float scale = ts_row_inverse_rms(row, a.width, a.epsilon, partial, at);
    for (uint j = at.index; j < a.width; j += at.threads) {
        row[j] = row[j] * scale * ts_weight(norm, 4, j);
    }
    threadgroup_barrier(mem_flags::mem_threadgroup);
    ts_row_rope(row, a.width, a.rotary, angles + ulong(block) * a.rotary, at);
}

/* A threadgroup of 256 for each block. */
kernel void compressor_kv(constant ts_compressor_kv_args &a [[buffer(0)]],
                          device const float *k [[buffer(1)]],
                          device const float *gate [[buffer(2)]],
                          device const float *k_frontier [[buffer(3)]],
                          device const float *gate_frontier [[buffer(4)]],
                          device const uchar *norm [[buffer(5)]],
                          device const float *angles [[buffer(6)]],
                          device float *rows [[buffer(10)]],
                          uint block [[threadgroup_position_in_grid]],
                          uint index [[thread_index_in_threadgroup]],
                          uint simd [[simdgroup_index_in_threadgroup]],
                          uint lane [[thread_index_in_simdgroup]])
{
    threadgroup float row[TS_ROW_WIDTH], partial[32];
    ts_place at = {index, 256, simd, lane};
    emit_rotated(a, block, k, gate, k_frontier, gate_frontier, norm, angles, row, partial, at);
    ts_row_store_fp8(row, a.width, a.round != 0 ? a.width - a.rotary : 0,
                     rows + ulong(block) * a.width, at);
}

/* A threadgroup of 128 for each block. */
kernel void compressor_index(constant ts_compressor_index_args &a [[buffer(0)]],
                             device const float *k [[buffer(1)]],
                             device const float *gate [[buffer(2)]],
                             device const float *k_frontier [[buffer(3)]],
                             device const float *gate_frontier [[buffer(4)]],
                             device const uchar *norm [[buffer(5)]],
                             device const float *angles [[buffer(6)]],
                             device float *rows [[buffer(11)]],
                             uint block [[threadgroup_position_in_grid]],
                             uint index [[thread_index_in_threadgroup]],
                             uint simd [[simdgroup_index_in_threadgroup]],
                             uint lane [[thread_index_in_simdgroup]])
{
    threadgroup float row[TS_ROW_WIDTH], partial[32];
    ts_place at = {index, 128, simd, lane};
    emit_rotated(a, block, k, gate, k_frontier, gate_frontier, norm, angles, row, partial, at);
    ts_row_hadamard(row, a.width, at);
    device float *to = rows + ulong(block) * a.width;
    for (uint first = 32 * simd; first < a.width; first += 128) {
        if (a.round != 0) { /* the width is a multiple of 32 */
            to[first + lane] = ts_fp4_block(row[first + lane]);
        } else if (first + lane < a.width) {
            to[first + lane] = row[first + lane];
        }
    }
}

/* ---- a step of one token --------------------------------------------------------------------- */

/* Both projections, the gate's bias, and their rows of the frontiers. Matrix y (0 kv, 1 gate): two
 * simdgroups, each two rows of it. */
template <typename F>
kernel void compressor_step(constant ts_compressor_step_args &a [[buffer(0)]],
                            device const float *x [[buffer(1)]],
                            device const uchar *kv [[buffer(2)]],
                            device const uchar *gate [[buffer(3)]],
                            device const uchar *ape [[buffer(4)]],
                            device float *k [[buffer(6)]],
                            device float *gated [[buffer(7)]],
                            device float *k_frontier [[buffer(8)]],
                            device float *gate_frontier [[buffer(9)]],
                            uint2 group [[threadgroup_position_in_grid]],
                            uint simd [[simdgroup_index_in_threadgroup]],
                            uint lane [[thread_index_in_simdgroup]])
{
    uint first = 4 * group.x + 2 * simd;
    float sums[2] = {0.0f, 0.0f};
    device const uchar *w = group.y == 0 ? kv : gate;
    ts_dot_rows<F, 2, 1>(x, 1, w + ulong(first) * F::row_bytes(a.columns), first, a.width,
                         a.columns, lane, sums);
    uint slot = uint(a.position % a.capacity), phase = uint(a.position % a.ratio);
    phase = TS_MUTANT(14, 0, phase);
    slot = TS_MUTANT(18, a.position >= 262144 ? phase : slot, slot);
    for (uint r = first; r < min(first + 2, a.width); r++) {
        float sum = simd_sum(sums[r - first]);
        if (lane != 0) {
            continue;
        }
        ulong stored = ulong(TS_MUTANT(15, phase, slot)) * a.width + r;
        if (group.y == 0) {
            k[r] = sum;
            k_frontier[stored] = sum;
        } else {
            float z = sum + ts_weight(ape, 3, ulong(phase) * a.width + r);
            z = TS_MUTANT(17, max(z, -FLT_MAX), z);
            gated[r] = z;
            gate_frontier[stored] = TS_MUTANT(16, r + 1 == a.width ? sum : z, z);
        }
    }
}
TS_INSTANTIATE(compressor_step)
