#include "kernels/attention_shader.h"

/* ---- few tokens ----------------------------------------------------------------------------- */

/* Heads of a threadgroup, which share every row that is loaded; its simdgroups; numbers of a row
 * that a lane holds. */
enum { HEADS = 2, SIMDS = 8, PARTS = MAX_WIDTH / 32 };

struct row_memory {
    float values[SIMDS * MAX_WIDTH];
    float best[HEADS][SIMDS], sum[HEADS][SIMDS];
};

/* Softmax so far, of one head: relative to exp(best). Element lane + 32 i of the sum of rows is
 * weighted[i]. */
struct online {
    float best, sum;
    float weighted[PARTS];
};

inline void add_key(thread online &o, thread const float *q, thread const float *key, float scale)
{
    float logit = 0.0f;
    for (uint i = 0; i < PARTS; i++) {
        logit = fma(q[i], key[i], logit);
    }
    logit = simd_sum(logit) * scale;
    if (logit > o.best) {
        float factor = precise::exp(o.best - logit);
        o.best = logit;
        o.sum *= factor;
        for (uint i = 0; i < PARTS; i++) {
            o.weighted[i] *= factor;
        }
    }
    float weight = precise::exp(logit - o.best);
    o.sum += weight;
    for (uint i = 0; i < PARTS; i++) {
        o.weighted[i] = fma(weight, key[i], o.weighted[i]);
    }
}

inline void load_row(thread float *values, device const float *row, uint width, uint lane)
{
    for (uint i = 0; i < PARTS; i++) {
        uint c = lane + 32 * i;
        values[i] = c < width ? row[c] : 0.0f;
    }
}

/* Column c of a head: of the simdgroups' sums, each times its factor. */
inline float merged(threadgroup row_memory &memory, thread const float *factors, uint c)
{
    float sum = 0.0f;
    for (uint i = 0; i < TS_MUTANT(2, SIMDS - 1, SIMDS); i++) {
        sum = fma(factors[i], memory.values[MAX_WIDTH * i + c], sum);
    }
    return sum;
}

/* 256 threads: puts the simdgroups' results for one head together, and writes it. h counts the
 * threadgroup's heads. */
inline void write_head(threadgroup row_memory &memory, device float *to, device const float *angles,
                       float sink, uint h, uint width, uint rotary, uint index)
{
    float best = sink, factors[SIMDS];
    for (uint i = 0; i < SIMDS; i++) {
        best = max(best, memory.best[h][i]);
    }
    float sum = sink_weight(sink, best);
    for (uint i = 0; i < SIMDS; i++) {
        factors[i] = precise::exp(memory.best[h][i] - best);
        sum += factors[i] * memory.sum[h][i];
    }
    for (uint c = index; c < width; c += 32 * SIMDS) {
        float value = merged(memory, factors, c);
        if (c >= width - rotary) {
            uint at = c - (width - rotary);
            float other = merged(memory, factors, c ^ 1);
            value = unrotated(value, other, at & ~1u, (at & 1) != 0, angles);
        }
        to[c] = TS_MUTANT(3, c > 0 && c + 1 == width, false) ? value : value / sum;
    }
}

/* Up to 8 tokens: a threadgroup for each two heads of each token. Its 8 simdgroups take the rows in
 * turn, and at the end put together what they have. */
template <typename A>
inline void attend_rows(constant A &a, threadgroup row_memory &memory, device const float *q,
                        thread const token_keys &keys, device const uchar *sink,
                        device const float *angles, device float *heads, uint2 group, uint index,
                        uint simd, uint lane)
{
    uint first = HEADS * group.x, count = min(uint(HEADS), a.heads - first);
    ulong start = ulong(group.y) * a.heads + first;
    float query[HEADS][PARTS], scale = logit_scale(a.width);
    online o[HEADS];
    for (uint h = 0; h < HEADS; h++) {
        load_row(query[h], q + (start + min(h, count - 1)) * a.width, a.width, lane);
        o[h].best = -FLT_MAX;
        o[h].sum = 0.0f;
        for (uint i = 0; i < PARTS; i++) {
            o[h].weighted[i] = 0.0f;
        }
    }
    for (uint i = simd; i < keys.count; i += SIMDS) {
        device const float *row = key_at(keys, i);
        if (row == nullptr) {
            continue;
        }
        float key[PARTS];
        load_row(key, row, a.width, lane);
        for (uint h = 0; h < HEADS; h++) {
            add_key(o[h], query[h], key, scale);
        }
    }
    for (uint h = 0; h < HEADS; h++) {
        if (lane == 0) {
            memory.best[h][simd] = o[h].best;
            memory.sum[h][simd] = o[h].sum;
        }
        for (uint i = 0; i < PARTS; i++) {
            memory.values[MAX_WIDTH * simd + lane + 32 * i] = o[h].weighted[i];
        }
        threadgroup_barrier(mem_flags::mem_threadgroup);
        if (h < count) {
            write_head(memory, heads + (start + h) * a.width, angles, sink_of(sink, first + h), h,
                       a.width, rotary_of(a), index);
        }
        threadgroup_barrier(mem_flags::mem_threadgroup);
    }
}

kernel void attention_row(constant ts_attention_args &a [[buffer(0)]],
                          device const float *q [[buffer(1)]],
                          device const float *kv [[buffer(2)]],
                          device const float *ring [[buffer(3)]],
                          device const float *rows [[buffer(4)]],
                          device const int *ids [[buffer(5)]],
                          device const uchar *sink [[buffer(6)]],
                          device float *heads [[buffer(7)]],
                          uint2 group [[threadgroup_position_in_grid]],
                          uint index [[thread_index_in_threadgroup]],
                          uint simd [[simdgroup_index_in_threadgroup]],
                          uint lane [[thread_index_in_simdgroup]])
{
    threadgroup row_memory memory;
    token_keys keys = keys_of(a, kv, ring, rows, ids, group.y);
    attend_rows(a, memory, q, keys, sink, q, heads, group, index, simd, lane);
}

kernel void attention_unrotate_row(constant ts_attention_unrotate_args &a [[buffer(0)]],
                                   device const float *q [[buffer(1)]],
                                   device const float *kv [[buffer(2)]],
                                   device const float *ring [[buffer(3)]],
                                   device const float *rows [[buffer(4)]],
                                   device const int *ids [[buffer(5)]],
                                   device const uchar *sink [[buffer(6)]],
                                   device const float *angles [[buffer(7)]],
                                   device float *unrotated_heads [[buffer(9)]],
                                   uint2 group [[threadgroup_position_in_grid]],
                                   uint index [[thread_index_in_threadgroup]],
                                   uint simd [[simdgroup_index_in_threadgroup]],
                                   uint lane [[thread_index_in_simdgroup]])
{
    threadgroup row_memory memory;
    token_keys keys = keys_of(a, kv, ring, rows, ids, group.y);
    attend_rows(a, memory, q, keys, sink, angles + ulong(group.y) * a.rotary, unrotated_heads,
                group, index, simd, lane);
}

/* ---- many tokens ---------------------------------------------------------------------------- */

/* Rows at a time, heads of a threadgroup, columns of a simdgroup, and the stride of its rows in
 * memory. */
enum { KEYS = 8, TILE_HEADS = 16, COLUMNS = 64, STRIDE = 68, TILES = COLUMNS / 8 };

struct tile_memory {
    float rows[SIMDS][KEYS * STRIDE];         /* of each simdgroup, its columns */
    float products[SIMDS][TILE_HEADS * KEYS]; /* q . K over its columns */
    float weights[TILE_HEADS * KEYS];         /* exp(logit - best) */
    float factors[TILE_HEADS * KEYS];         /* of the sums so far, the same in each of a row */
    float sums[TILE_HEADS];
    uint shrunk[TILE_HEADS / 4];              /* of four heads: some factor is not 1 */
};

/* What a thread keeps of the head of its logit. */
struct running {
    float best, sum;
};

/* One simdgroup: its columns of a row of `width`, to `to`; 0 if the row is null, and behind it. */
inline void stage_row(threadgroup float *to, device const float *row, uint column, uint width,
                      uint lane)
{
    for (uint c = lane; c < COLUMNS; c += 32) {
        to[c] = row != nullptr && column + c < width ? row[column + c] : 0.0f;
    }
}

/* One simdgroup: its columns of 16 heads, of which `heads` exist, from q on. */
inline void load_queries(threadgroup float *rows, thread simdgroup_float8x8 (&query)[2][TILES],
                         device const float *q, uint heads, uint column, uint width, uint lane)
{
    for (uint i = 0; i < 2; i++) {
        for (uint r = 0; r < KEYS; r++) {
            uint head = 8 * i + r;
            stage_row(rows + STRIDE * r, head < heads ? q + ulong(head) * width : nullptr, column,
                      width, lane);
        }
        simdgroup_barrier(mem_flags::mem_threadgroup);
        for (uint k = 0; k < TILES; k++) {
            simdgroup_load(query[i][k], rows + 8 * k, STRIDE);
        }
        simdgroup_barrier(mem_flags::mem_threadgroup);
    }
}

/* One simdgroup: products [16 heads, 8 rows] over its columns. */
inline void multiply_keys(threadgroup float *products, threadgroup const float *rows,
                          thread simdgroup_float8x8 (&query)[2][TILES])
{
    simdgroup_float8x8 sums[2], key;
    sums[0] = make_filled_simdgroup_matrix<float, 8, 8>(0.0f);
    sums[1] = make_filled_simdgroup_matrix<float, 8, 8>(0.0f);
    for (uint k = 0; k < TILES; k++) {
        simdgroup_load(key, rows + 8 * k, STRIDE, ulong2(0, 0), true);
        simdgroup_multiply_accumulate(sums[0], query[0][k], key, sums[0]);
        simdgroup_multiply_accumulate(sums[1], query[1][k], key, sums[1]);
    }
    simdgroup_store(sums[0], products, KEYS);
    simdgroup_store(sums[1], products + 8 * KEYS, KEYS);
}

/* Thread `index` of 128, for row index mod 8 and head index / 8: the weight of its row, and the
 * factor of its head's sums. 8 lanes in a row have the same head, and the same state of it. */
inline void weigh_keys(threadgroup tile_memory &memory, thread running &state, bool exists,
                       float scale, uint simds, uint index)
{
    float logit = 0.0f;
    for (uint i = 0; i < simds; i++) {
        logit += memory.products[i][index];
    }
    logit *= scale;
    logit = TS_MUTANT(13, max(logit, -FLT_MAX), logit);
    float best = exists ? max(state.best, logit) : state.best;
    for (ushort step = 1; step < KEYS; step *= 2) {
        best = max(best, simd_shuffle_xor(best, step));
    }
    float weight = exists ? precise::exp(logit - best) : 0.0f, sum = weight;
    for (ushort step = 1; step < KEYS; step *= 2) {
        sum += simd_shuffle_xor(sum, step);
    }
    float factor = precise::exp(state.best - best);
    state.sum = state.sum * factor + sum;
    state.best = best;
    memory.weights[index] = weight;
    memory.factors[index] = factor;
    bool shrinks = simd_any(factor != 1.0f);
    if (index % 32 == 0) {
        memory.shrunk[index / 32] = shrinks ? 1 : 0;
    }
}

/* One simdgroup: adds the weighted rows to its columns of the 16 results. */
inline void add_keys(threadgroup tile_memory &memory, threadgroup const float *rows,
                     thread simdgroup_float8x8 (&result)[2][TILES])
{
    for (uint i = 0; i < 2; i++) {
        simdgroup_float8x8 factor, weight, key;
        bool shrinks = (memory.shrunk[2 * i] | memory.shrunk[2 * i + 1]) != 0;
        if (TS_MUTANT(8, i == 0 && shrinks, shrinks)) {
            simdgroup_load(factor, memory.factors + 8 * KEYS * i, KEYS);
            for (uint k = 0; k < TILES; k++) {
                /* by elements: times a diagonal matrix, NaN of one head would be NaN of all */
                result[i][k].thread_elements() *= factor.thread_elements();
            }
        }
        simdgroup_load(weight, memory.weights + 8 * KEYS * i, KEYS);
        for (uint k = 0; k < TILES; k++) {
            simdgroup_load(key, rows + 8 * k, STRIDE);
            simdgroup_multiply_accumulate(result[i][k], weight, key, result[i][k]);
        }
    }
}

/* One simdgroup: its columns of the 16 results, divided by their sums, to `to`, [heads, width]. */
inline void write_results(threadgroup tile_memory &memory, threadgroup float *rows,
                          thread simdgroup_float8x8 (&result)[2][TILES], device float *to,
                          device const float *angles, uint heads, uint column, uint width,
                          uint rotary, uint lane)
{
    for (uint i = 0; i < 2; i++) {
        for (uint k = 0; k < TILES; k++) {
            simdgroup_store(result[i][k], rows + 8 * k, STRIDE);
        }
        simdgroup_barrier(mem_flags::mem_threadgroup);
        for (uint r = 0; r < 8 && 8 * i + r < heads; r++) {
            float sum = memory.sums[8 * i + r];
            for (uint at = lane; at < COLUMNS && column + at < width; at += 32) {
                uint c = column + at;
                float value = rows[STRIDE * r + at];
                if (c >= width - rotary) {
                    uint angle = c - (width - rotary);
                    value = unrotated(value, rows[STRIDE * r + (at ^ 1)], angle & ~1u,
                                      (angle & 1) != 0, angles);
                }
                to[ulong(8 * i + r) * width + c] = 
                    value / TS_MUTANT(10, heads < TILE_HEADS && 8 * i + r + 1 == heads &&
                                              c + 1 == width ? 1.0f : sum, sum);
            }
        }
        simdgroup_barrier(mem_flags::mem_threadgroup);
    }
}

/* Any number of tokens: a threadgroup for each 16 heads of each token, as 8x8 matrices. Each of its
 * 8 simdgroups has 64 columns of queries, rows and results. */
template <typename A>
inline void attend_tile(constant A &a, threadgroup tile_memory &memory, device const float *q,
                        thread const token_keys &keys, device const uchar *sink,
                        device const float *angles, device float *heads, uint2 group, uint index,
                        uint simd, uint lane)
{
    uint first = TILE_HEADS * group.x, count = min(uint(TILE_HEADS), a.heads - first);
    uint column = COLUMNS * simd, simds = (a.width + COLUMNS - 1) / COLUMNS;
    ulong start = (ulong(group.y) * a.heads + first) * a.width;
    simdgroup_float8x8 query[2][TILES], result[2][TILES];
    threadgroup float *rows = memory.rows[simd];
    load_queries(rows, query, q + start, count, column, a.width, lane);
    for (uint i = 0; i < 2 * TILES; i++) {
        result[i / TILES][i % TILES] = make_filled_simdgroup_matrix<float, 8, 8>(0.0f);
    }
    running state = {0.0f, 0.0f};
    if (index < TILE_HEADS * KEYS) {
        state.best = sink_of(sink, first + min(index / KEYS, count - 1));
        state.best = TS_MUTANT(12, max(state.best, -FLT_MAX), state.best);
        state.sum = sink_weight(state.best, state.best);
    }
    float scale = logit_scale(a.width);
    for (uint block = 0; block < keys.count; block += KEYS) {
        uint exist = 0;
        for (uint k = 0; k < KEYS && block + k < keys.count; k++) {
            exist |= (key_at(keys, block + k) != nullptr ? 1u : 0u) << k;
        }
        if (exist == 0) {
            continue;
        }
        for (uint k = 0; k < KEYS; k++) {
            stage_row(rows + STRIDE * k, (exist >> k & 1) != 0 ? key_at(keys, block + k) : nullptr,
                      column, a.width, lane);
        }
        simdgroup_barrier(mem_flags::mem_threadgroup);
        multiply_keys(memory.products[simd], rows, query);
#if MUTANT != 9
        threadgroup_barrier(mem_flags::mem_threadgroup);
#endif
        if (index < TILE_HEADS * KEYS) {
            weigh_keys(memory, state, (exist >> index % KEYS & 1) != 0, scale, simds, index);
        }
        threadgroup_barrier(mem_flags::mem_threadgroup);
        add_keys(memory, rows, result);
        simdgroup_barrier(mem_flags::mem_threadgroup);
    }
    if (index < TILE_HEADS * KEYS && index % KEYS == 0) {
        memory.sums[index / KEYS] = state.sum;
    }
    threadgroup_barrier(mem_flags::mem_threadgroup);
    write_results(memory, rows, result, heads + start, angles, count, column, a.width, rotary_of(a),
                  lane);
}

kernel void attention_tile(constant ts_attention_args &a [[buffer(0)]],
                           device const float *q [[buffer(1)]],
                           device const float *kv [[buffer(2)]],
                           device const float *ring [[buffer(3)]],
                           device const float *rows [[buffer(4)]],
                           device const int *ids [[buffer(5)]],
                           device const uchar *sink [[buffer(6)]],
                           device float *heads [[buffer(7)]],
                           uint2 group [[threadgroup_position_in_grid]],
                           uint index [[thread_index_in_threadgroup]],
                           uint simd [[simdgroup_index_in_threadgroup]],
                           uint lane [[thread_index_in_simdgroup]])
{
    threadgroup tile_memory memory;
    token_keys keys = keys_of(a, kv, ring, rows, ids, group.y);
    attend_tile(a, memory, q, keys, sink, q, heads, group, index, simd, lane);
}

kernel void attention_unrotate_tile(constant ts_attention_unrotate_args &a [[buffer(0)]],
                                    device const float *q [[buffer(1)]],
                                    device const float *kv [[buffer(2)]],
                                    device const float *ring [[buffer(3)]],
                                    device const float *rows [[buffer(4)]],
                                    device const int *ids [[buffer(5)]],
                                    device const uchar *sink [[buffer(6)]],
                                    device const float *angles [[buffer(7)]],
                                    device float *unrotated_heads [[buffer(9)]],
                                    uint2 group [[threadgroup_position_in_grid]],
                                    uint index [[thread_index_in_threadgroup]],
                                    uint simd [[simdgroup_index_in_threadgroup]],
                                    uint lane [[thread_index_in_simdgroup]])
{
    threadgroup tile_memory memory;
    token_keys keys = keys_of(a, kv, ring, rows, ids, group.y);
    attend_tile(a, memory, q, keys, sink, angles + ulong(group.y) * a.rotary, unrotated_heads,
                group, index, simd, lane);
}
