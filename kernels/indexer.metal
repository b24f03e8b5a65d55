#include "kernels/shader.h"

#include "kernels/indexer.h"
#include "kernels/rows.h"

/* Rows that the token at `position` sees, of `rows`. */
inline uint visible_rows(ulong position, uint ratio, uint rows)
{
    return uint(min((position + TS_MUTANT(6, 0, 1)) / ratio, ulong(rows)));
}

/* Element i of a vector, rotated if it is one of its last `rotary`. */
inline float rotated(device const float *from, device const float *angles, uint i, uint width,
                     uint rotary)
{
    uint first = width - rotary;
    if (i < first || TS_MUTANT(1, i + 2 >= width, false)) {
        return from[i];
    }
    uint pair = (i - first) & ~1u;
    float cosine = angles[pair], sine = angles[pair + 1];
    return (i & 1) == 0 ? from[i] * cosine - from[i + 1] * sine
                        : from[i - 1] * sine + from[i] * cosine;
}

/* One simdgroup: values = H values / sqrt(width), Sylvester order, for a row of which each lane has
 * element lane + 32 i in values[i]. Elements behind width, a power of two up to 128, are 0. */
inline void transform(thread float *values, uint width, uint lane)
{
    for (uint step = 1; step < 32 && step < width; step *= 2) {
        for (uint i = 0; i < 4; i++) {
            float other = simd_shuffle_xor(values[i], ushort(step));
            values[i] = (lane & step) != 0 ? other - values[i] : values[i] + other;
        }
    }
    for (uint step = 1; step < 4 && 32 * step < width; step *= 2) {
        for (uint i = 0; i < 4; i++) {
            if ((i & step) == 0) {
                float low = values[i], high = values[i + step];
                values[i] = low + high;
                values[i + step] = low - high;
            }
        }
    }
    float scale = 1.0f / precise::sqrt(float(width));
    for (uint i = 0; i < 4; i++) {
        values[i] *= scale;
    }
}

/* Widths up to 128. A simdgroup for each head of each token. */
kernel void index_query(constant ts_index_query_args &a [[buffer(0)]],
                        device const float *q [[buffer(1)]],
                        device const float *angles [[buffer(2)]],
                        device float *query [[buffer(5)]],
                        uint group [[threadgroup_position_in_grid]],
                        uint simd [[simdgroup_index_in_threadgroup]],
                        uint lane [[thread_index_in_simdgroup]])
{
    uint row = 4 * group + simd, rows = a.tokens * a.heads;
    if (row >= rows) {
        return;
    }
    device const float *from = q + ulong(row) * a.width;
    device float *to = query + ulong(row) * a.width;
    angles += ulong(TS_MUTANT(2, 0, row / a.heads)) * a.rotary;
    float values[4];
    for (uint i = 0; i < 4; i++) {
        uint at = lane + 32 * i;
        values[i] = at < a.width ? rotated(from, angles, at, a.width, a.rotary) : 0.0f;
    }
    transform(values, TS_MUTANT(3, a.width / 2, a.width), lane);
    for (uint i = 0; i < 4 && 32 * i < a.width; i++) {
        uint at = lane + 32 * i;
        float value = a.round != 0 ? ts_fp4_block(values[i]) : values[i];
        value = TS_MUTANT(4, row + 1 == rows && at + 1 == a.width, false) ? values[0] : value;
        if (at < a.width) {
            to[at] = value;
        }
    }
}

/* ---- scores --------------------------------------------------------------------------------- */

/* weight * max(0, product). */
inline float weighted(float weight, float product)
{
    return weight * (TS_MUTANT(7, false, product < 0.0f) ? 0.0f : product);
}

/* 1 / sqrt(width * heads). */
inline float score_scale(uint width, uint heads)
{
    return 1.0f / precise::sqrt(float(width) * float(TS_MUTANT(8, heads + 1, heads)));
}

/* Any width and heads: 64 rows of a token, a thread for each. */
kernel void index_scores(constant ts_index_scores_args &a [[buffer(0)]],
                         device const float *query [[buffer(1)]],
                         device const float *weights [[buffer(2)]],
                         device const float *keys [[buffer(3)]],
                         device float *scores [[buffer(4)]],
                         uint2 group [[threadgroup_position_in_grid]],
                         uint index [[thread_index_in_threadgroup]])
{
    uint row = 64 * group.x + index, token = group.y;
    if (row >= a.rows) {
        return;
    }
    float sum = -INFINITY;
    if (row < visible_rows(a.position + token, a.ratio, a.rows)) {
        device const float *key = keys + ulong(row) * a.width;
        sum = 0.0f;
        for (uint h = 0; h < a.heads; h++) {
            device const float *q = query + (ulong(token) * a.heads + h) * a.width;
            float product = 0.0f;
            for (uint c = 0; c < TS_MUTANT(5, max(a.width, 2u) - 1, a.width); c++) {
                product += q[c] * key[c];
            }
            sum += weighted(weights[ulong(token) * a.heads + h], product);
        }
        sum *= score_scale(a.width, a.heads);
    }
    scores[ulong(token) * a.rows + row] = sum;
}

/* Sizes of score_tile: the width of a key, keys at a time, heads of a simdgroup and of a token at
 * most, and the stride of a key in memory (loads of columns from 128 would meet in one bank). */
enum { WIDTH = 128, KEYS = 16, SIMD_HEADS = 16, HEADS = 64, STRIDE = 132 };

struct score_tile {
    float keys[KEYS * STRIDE];
    float products[HEADS * KEYS];
    float weights[HEADS];
    float sums[HEADS / SIMD_HEADS * KEYS];
};

/* 128 threads: the keys [first, first + KEYS) of `rows` that exist; 0 behind them. */
inline void load_keys(threadgroup score_tile &tile, device const float *keys, uint first, uint rows,
                      uint index)
{
    for (uint i = 0; i < KEYS; i++) {
        uint row = first + i;
        bool here = row < rows;
        row = TS_MUTANT(10, row + 1 == rows && i > 0 ? row - 1 : row, row);
        tile.keys[STRIDE * i + index] = here ? keys[ulong(row) * WIDTH + index] : 0.0f;
    }
}

/* One simdgroup: the products of its 16 heads, q, with the tile's keys, and in tile.sums for each
 * key their weighted sum. */
inline void score_keys(threadgroup score_tile &tile, thread simdgroup_float8x8 (&q)[2][WIDTH / 8],
                       uint simd, uint lane)
{
    threadgroup float *products = tile.products + SIMD_HEADS * KEYS * simd;
    for (uint j = 0; j < KEYS; j += 8) {
        simdgroup_float8x8 sums[2], key;
        sums[0] = make_filled_simdgroup_matrix<float, 8, 8>(0.0f);
        sums[1] = make_filled_simdgroup_matrix<float, 8, 8>(0.0f);
        for (uint k = 0; k < WIDTH / 8; k++) {
            simdgroup_load(key, tile.keys + STRIDE * j + 8 * k, STRIDE, ulong2(0, 0), true);
            simdgroup_multiply_accumulate(sums[0], q[0][k], key, sums[0]);
            simdgroup_multiply_accumulate(sums[1], q[1][k], key, sums[1]);
        }
        simdgroup_store(sums[0], products + j, KEYS);
        simdgroup_store(sums[1], products + 8 * KEYS + j, KEYS);
    }
    simdgroup_barrier(mem_flags::mem_threadgroup);
    float sum = 0.0f;
    for (uint i = 0; i < SIMD_HEADS / 2; i++) {
        uint head = SIMD_HEADS / 2 * (lane / KEYS) + i;
        float weight = tile.weights[SIMD_HEADS * simd + head];
        sum += weighted(weight, products[KEYS * head + lane % KEYS]);
    }
    sum += simd_shuffle_xor(sum, ushort(KEYS));
    if (lane < KEYS) {
        tile.sums[KEYS * simd + lane] = sum;
    }
}

/* Width 128 and 16, 32, 48 or 64 heads, as 8x8 matrices: 64 rows of a token, 16 at a time. Each of
 * the 4 simdgroups keeps 16 heads in registers, so that only keys are loaded as the rows go by. */
kernel void index_scores_tile(constant ts_index_scores_args &a [[buffer(0)]],
                              device const float *query [[buffer(1)]],
                              device const float *weights [[buffer(2)]],
                              device const float *keys [[buffer(3)]],
                              device float *scores [[buffer(4)]],
                              uint2 group [[threadgroup_position_in_grid]],
                              uint index [[thread_index_in_threadgroup]],
                              uint simd [[simdgroup_index_in_threadgroup]],
                              uint lane [[thread_index_in_simdgroup]])
{
    threadgroup score_tile tile;
    simdgroup_float8x8 q[2][WIDTH / 8];
    uint token = group.y, simds = a.heads / SIMD_HEADS;
    uint visible = visible_rows(a.position + token, a.ratio, a.rows);
    ulong head = ulong(token) * a.heads + SIMD_HEADS * simd;
    if (64 * group.x < visible && simd < simds) {
        for (uint k = 0; k < WIDTH / 8; k++) {
            simdgroup_load(q[0][k], query + head * WIDTH + 8 * k, WIDTH);
            simdgroup_load(q[1][k], query + (head + 8) * WIDTH + 8 * k, WIDTH);
        }
    }
    if (index < a.heads) {
        tile.weights[index] = weights[ulong(token) * a.heads + index];
    }
    float scale = score_scale(WIDTH, a.heads);
    for (uint first = 64 * group.x; first < min(64 * group.x + 64, a.rows); first += KEYS) {
        if (first < visible) {
            load_keys(tile, keys, first, a.rows, index);
            threadgroup_barrier(mem_flags::mem_threadgroup);
            if (simd < simds) {
                score_keys(tile, q, simd, lane);
            }
#if MUTANT != 9
            threadgroup_barrier(mem_flags::mem_threadgroup);
#endif
        }
        uint row = first + index;
        if (index < KEYS && row < a.rows) {
            float sum = 0.0f;
            for (uint i = 0; row < visible && i < simds; i++) {
                sum += tile.sums[KEYS * i + index];
            }
            scores[ulong(token) * a.rows + row] = row < visible ? sum * scale : -INFINITY;
        }
    }
}

/* ---- selection ------------------------------------------------------------------------------ */

/* Unsigned numbers in the order of the scores: both zeros are equal, NaN is behind -infinity. Works
 * on bits, as a device may flush subnormals. */
inline uint order_of(uint bits)
{
    if ((bits & 0x7fffffff) > 0x7f800000) {
        return 0;
    }
    bits = bits == TS_MUTANT(15, 0x7f800000, 0x80000000) ? 0 : bits;
    return (bits >> 31) != 0 ? TS_MUTANT(11, bits ^ 0x80000000, ~bits) : bits | 0x80000000;
}

/* The least order that is selected, found digit by digit from the top, and how many rows of exactly
 * that order are selected. */
struct top_k {
    uint digit, left; /* `left` rows are still to be found among those that begin with the digits */
    uint above[8], equal[8];
    uint totals[8];
};

/* 256 threads. Counts the rows that begin with `prefix`, by their next digit. */
inline void count_digits(threadgroup atomic_uint *bins, device const uint *scores, uint visible,
                         uint prefix, uint shift, uint bits, uint index)
{
    for (uint i = index; i < 2048; i += 256) {
        atomic_store_explicit(&bins[i], 0u, memory_order_relaxed);
    }
    threadgroup_barrier(mem_flags::mem_threadgroup);
    for (uint first = 0; first < visible; first += 4 * 256) {
        uint orders[4];
        for (uint i = 0; i < 4; i++) {
            uint row = first + 256 * i + index;
            orders[i] = row < visible ? order_of(scores[row]) : 0;
        }
        for (uint i = 0; i < 4; i++) {
            bool begins = shift + bits == 32 || orders[i] >> (shift + bits) == prefix;
            if (first + 256 * i + index < visible && begins) {
                uint digit = orders[i] >> shift & ((1u << bits) - 1);
                atomic_fetch_add_explicit(&bins[digit], 1u, memory_order_relaxed);
            }
        }
    }
    threadgroup_barrier(mem_flags::mem_threadgroup);
}

/* 256 threads. The digit of the row that is number `left` from the top, into state.digit; how many
 * of its digit are still to be found, into state.left. Each thread has 8 bins, thread 0 the top. */
inline void find_digit(threadgroup top_k &state, threadgroup atomic_uint *bins, uint left,
                       uint index, uint simd, uint lane)
{
    uint counts[8], own = 0;
    for (uint i = 0; i < 8; i++) {
        counts[i] = atomic_load_explicit(&bins[2047 - 8 * index - i], memory_order_relaxed);
        own += counts[i];
    }
    uint before = simd_prefix_exclusive_sum(own);
    if (lane == 31) {
        state.totals[simd] = before + own;
    }
    threadgroup_barrier(mem_flags::mem_threadgroup);
    for (uint i = 0; i < simd; i++) {
        before += state.totals[i];
    }
    for (uint i = 0; i < 8; i++) {
        if (before < left && left <= before + counts[i]) {
            state.digit = 2047 - 8 * index - i;
            state.left = left - before;
        }
        before += counts[i];
    }
    threadgroup_barrier(mem_flags::mem_threadgroup);
}

/* One of 8 simdgroups: of the rows [first, end) those above the least order, and of those equal to
 * it the ones that come first. Before them `base` ids are written, and `equal` rows have the least
 * order. */
inline void write_ids(device const uint *scores, device int *ids, uint first, uint end, uint least,
                      uint left, uint base, uint equal, uint lane)
{
    for (; first < end; first += 32) {
        uint row = first + lane;
        uint order = row < end ? order_of(scores[row]) : 0;
        bool over = row < end && order > least, same = row < end && order == least;
        if (!simd_any(over || same)) {
            continue;
        }
        uint rank = equal + simd_prefix_exclusive_sum(uint(same));
        bool taken = over || (same && rank < TS_MUTANT(12, left - 1, left));
        uint at = base + simd_prefix_exclusive_sum(uint(taken));
        if (taken) {
            ids[at] = int(TS_MUTANT(16, ushort(row), row));
        }
        base += simd_sum(uint(taken));
        equal += simd_sum(uint(same));
    }
}

/* A threadgroup of 256 for each token: three passes find the least selected order, of digits of 11,
 * 11 and 10 bits; one counts what each simdgroup's part of the rows holds; one writes. */
kernel void index_top_k(constant ts_index_top_k_args &a [[buffer(0)]],
                        device const uint *scores [[buffer(1)]],
                        device int *ids [[buffer(2)]],
                        uint token [[threadgroup_position_in_grid]],
                        uint index [[thread_index_in_threadgroup]],
                        uint simd [[simdgroup_index_in_threadgroup]],
                        uint lane [[thread_index_in_simdgroup]])
{
    threadgroup atomic_uint bins[2048];
    threadgroup top_k state;
    uint visible = visible_rows(a.position + token, a.ratio, a.rows != 0 ? a.rows : 0x7fffffff);
    ids += ulong(token) * a.selected;
    if (visible <= a.selected) {
        for (uint i = index; i < a.selected; i += 256) {
            ids[i] = i < visible ? int(i) : TS_MUTANT(13, 0, -1);
        }
        return;
    }
    scores += ulong(token) * a.rows;
    visible -= TS_MUTANT(14, visible > a.selected + 1 ? 1 : 0, 0);
    uint least = 0, left = a.selected;
    for (uint pass = 0; pass < 3; pass++) {
        uint shift = pass == 0 ? 21 : pass == 1 ? 10 : 0, bits = pass == 2 ? 10 : 11;
        count_digits(bins, scores, visible, least, shift, bits, index);
        find_digit(state, bins, left, index, simd, lane);
        least = least << bits | state.digit;
        left = state.left;
    }
    uint part = (visible + 255) / 256 * 32, above = 0, equal = 0;
    uint first = min(part * simd, visible), end = min(first + part, visible);
    for (uint row = first + lane; row < end; row += 32) {
        uint order = order_of(scores[row]);
        above += order > least ? 1 : 0;
        equal += order == least ? 1 : 0;
    }
    above = simd_sum(above);
    equal = simd_sum(equal);
    if (lane == 0) {
        state.above[simd] = above;
        state.equal[simd] = equal;
    }
    threadgroup_barrier(mem_flags::mem_threadgroup);
    above = 0;
    equal = 0;
    for (uint i = 0; i < simd; i++) {
        above += state.above[i];
        equal += state.equal[i];
    }
    write_ids(scores, ids, first, end, least, left, above + min(equal, left), equal, lane);
}
