/* Query and KV rows, and the rings that hold the last rows of a sequence (spec 2.7, 3). */
#ifndef TS_KERNELS_KV_H
#define TS_KERNELS_KV_H

#include "kernels/abi.h"

/* Weightless RMSNorm of each head, then RoPE. x, rotated [tokens, heads, width];
 * angles [tokens, rotary / 2, 2]. */
struct ts_query_row_args {
    uint32_t tokens;
    uint32_t heads;
    uint32_t width;
    uint32_t rotary;
    float epsilon;
};
TS_ABI_SIZE(ts_query_row_args, 20);
TS_ABI_FIELD(ts_query_row_args, tokens, 0);
TS_ABI_FIELD(ts_query_row_args, heads, 4);
TS_ABI_FIELD(ts_query_row_args, width, 8);
TS_ABI_FIELD(ts_query_row_args, rotary, 12);
TS_ABI_FIELD(ts_query_row_args, epsilon, 16);

/* RMSNorm, RoPE, FP8 round trip: one row is key and value of every head. x, row [tokens, width];
 * norm [width]; angles [tokens, rotary / 2, 2]. */
struct ts_kv_row_args {
    uint32_t tokens;
    uint32_t width;
    uint32_t rotary;
    uint32_t round; /* 1: FP8 round trip on the dims that are not rotary */
    float epsilon;
};
TS_ABI_SIZE(ts_kv_row_args, 20);
TS_ABI_FIELD(ts_kv_row_args, tokens, 0);
TS_ABI_FIELD(ts_kv_row_args, width, 4);
TS_ABI_FIELD(ts_kv_row_args, rotary, 8);
TS_ABI_FIELD(ts_kv_row_args, round, 12);
TS_ABI_FIELD(ts_kv_row_args, epsilon, 16);

/* kv_row, and ring_store of its rows. x, row [tokens, width]; norm [width];
 * angles [tokens, rotary / 2, 2]; ring [capacity, width]. */
struct ts_kv_row_store_args {
    uint64_t position; /* of x[0] */
    uint32_t tokens;
    uint32_t width;
    uint32_t rotary;
    uint32_t round;    /* 1: FP8 round trip on the dims that are not rotary */
    uint32_t capacity; /* rows of the ring */
    float epsilon;
};
TS_ABI_SIZE(ts_kv_row_store_args, 32);
TS_ABI_FIELD(ts_kv_row_store_args, position, 0);
TS_ABI_FIELD(ts_kv_row_store_args, tokens, 8);
TS_ABI_FIELD(ts_kv_row_store_args, width, 12);
TS_ABI_FIELD(ts_kv_row_store_args, rotary, 16);
TS_ABI_FIELD(ts_kv_row_store_args, round, 20);
TS_ABI_FIELD(ts_kv_row_store_args, capacity, 24);
TS_ABI_FIELD(ts_kv_row_store_args, epsilon, 28);

/* ring[(position + t) mod capacity, :] = rows[t, :] for the last `capacity` rows; other slots stay.
 * rows [tokens, width]; ring [capacity, width]. */
struct ts_ring_store_args {
    uint64_t position; /* of rows[0] */
    uint32_t tokens;
    uint32_t width;
    uint32_t capacity; /* rows of the ring */
    uint32_t padding;
};
TS_ABI_SIZE(ts_ring_store_args, 24);
TS_ABI_FIELD(ts_ring_store_args, position, 0);
TS_ABI_FIELD(ts_ring_store_args, tokens, 8);
TS_ABI_FIELD(ts_ring_store_args, width, 12);
TS_ABI_FIELD(ts_ring_store_args, capacity, 16);
TS_ABI_FIELD(ts_ring_store_args, padding, 20);

#endif
