/* Routed and shared experts (spec 2.13). */
#ifndef TS_KERNELS_MOE_H
#define TS_KERNELS_MOE_H

#include "kernels/abi.h"

/* A slot is one expert of a token: slot = token * used + k. With many tokens, products with experts
 * go through the slots expert by expert, in tiles of at most 32, so that a tile reads its expert's
 * weights once. Fewest tiles that are always enough, of `slots`: each of the experts in use may
 * leave one tile that is not full. */
#define TS_EXPERT_TILE 32
#define TS_EXPERT_TILES(slots, experts)                                                            \
    (((slots) + (TS_EXPERT_TILE - 1) * ((slots) < (experts) ? (slots) : (experts))) /              \
     TS_EXPERT_TILE)

/* order = the slots sorted by expert, those of one in their own order; tile_list = (expert, first
 * place in order, slots) for every tile, ascending, then -1. ids [tokens, used], below experts;
 * order [tokens * used]; tile_list [tiles, 3]. */
struct ts_expert_sort_args {
    uint32_t tokens;
    uint32_t used; /* experts a token */
    uint32_t experts;
    uint32_t tiles; /* TS_EXPERT_TILES */
};
TS_ABI_SIZE(ts_expert_sort_args, 16);
TS_ABI_FIELD(ts_expert_sort_args, tokens, 0);
TS_ABI_FIELD(ts_expert_sort_args, used, 4);
TS_ABI_FIELD(ts_expert_sort_args, experts, 8);
TS_ABI_FIELD(ts_expert_sort_args, tiles, 12);

/* y[t, k, r] = sum_c w[ids[t, k], r, c] * x[t, (k,) c]. w [experts, rows, columns]; ids [tokens,
 * used], below experts; y [tokens, used, rows]; order and tile_list as expert_sort makes them of
 * ids, where tiles is not 0: they say how to go through the slots, not what comes out. */
struct ts_expert_matmul_args {
    uint32_t tokens;
    uint32_t used; /* experts a token */
    uint32_t experts;
    uint32_t rows;     /* outputs */
    uint32_t columns;  /* inputs */
    uint32_t per_slot; /* 1: x is [tokens, used, columns], else [tokens, columns] */
    uint32_t tiles;    /* of tile_list; 0: it and order are empty */
};
TS_ABI_SIZE(ts_expert_matmul_args, 28);
TS_ABI_FIELD(ts_expert_matmul_args, tokens, 0);
TS_ABI_FIELD(ts_expert_matmul_args, used, 4);
TS_ABI_FIELD(ts_expert_matmul_args, experts, 8);
TS_ABI_FIELD(ts_expert_matmul_args, rows, 12);
TS_ABI_FIELD(ts_expert_matmul_args, columns, 16);
TS_ABI_FIELD(ts_expert_matmul_args, per_slot, 20);
TS_ABI_FIELD(ts_expert_matmul_args, tiles, 24);

/* y = silu(min(gate, limit)) * clamp(up, -limit, limit) * weight[row]; without weight, 1.
 * gate, up, y [rows, width]; weight [rows]. */
struct ts_swiglu_args {
    uint32_t rows;
    uint32_t width;
    float limit; /* 0: no clamp */
};
TS_ABI_SIZE(ts_swiglu_args, 12);
TS_ABI_FIELD(ts_swiglu_args, rows, 0);
TS_ABI_FIELD(ts_swiglu_args, width, 4);
TS_ABI_FIELD(ts_swiglu_args, limit, 8);

/* sum[t, c] = shared[t, c] + sum_k routed[t, k, c]. routed [tokens, used, width];
 * shared, sum [tokens, width]. */
struct ts_expert_sum_args {
    uint32_t tokens;
    uint32_t used;
    uint32_t width;
};
TS_ABI_SIZE(ts_expert_sum_args, 12);
TS_ABI_FIELD(ts_expert_sum_args, tokens, 0);
TS_ABI_FIELD(ts_expert_sum_args, used, 4);
TS_ABI_FIELD(ts_expert_sum_args, width, 8);

/* What experts compute before their down matrices. Routed: expert_matmul with gate and up, then
 * swiglu with the route weights. Shared: matmul with shared_gate and shared_up, then swiglu
 * without. x [tokens, columns]; gate, up [experts, rows, columns]; shared_gate, shared_up
 * [shared_rows, columns]; ids, weights [tokens, used]; order, tile_list as in expert_matmul; hidden
 * [tokens, used, rows]; shared_hidden [tokens, shared_rows]. */
struct ts_moe_gate_up_args {
    uint32_t tokens;
    uint32_t used;
    uint32_t experts;
    uint32_t rows;        /* expert inner size */
    uint32_t columns;     /* hidden size */
    uint32_t shared_rows; /* shared expert inner size */
    uint32_t tiles;       /* of tile_list; 0: it and order are empty */
    float limit;          /* of swiglu; 0: no clamp */
    float shared_limit;   /* the same of the shared expert */
};
TS_ABI_SIZE(ts_moe_gate_up_args, 36);
TS_ABI_FIELD(ts_moe_gate_up_args, tokens, 0);
TS_ABI_FIELD(ts_moe_gate_up_args, used, 4);
TS_ABI_FIELD(ts_moe_gate_up_args, experts, 8);
TS_ABI_FIELD(ts_moe_gate_up_args, rows, 12);
TS_ABI_FIELD(ts_moe_gate_up_args, columns, 16);
TS_ABI_FIELD(ts_moe_gate_up_args, shared_rows, 20);
TS_ABI_FIELD(ts_moe_gate_up_args, tiles, 24);
TS_ABI_FIELD(ts_moe_gate_up_args, limit, 28);
TS_ABI_FIELD(ts_moe_gate_up_args, shared_limit, 32);

/* expert_matmul and matmul with the down matrices, expert_sum, hc_expand. hidden [tokens, used,
 * columns]; down [experts, rows, columns]; ids [tokens, used]; order, tile_list as in
 * expert_matmul; shared_hidden [tokens, shared_columns]; shared_down [rows, shared_columns];
 * streams, post, comb and expanded as in matmul_expand. */
struct ts_moe_down_expand_args {
    uint32_t tokens;
    uint32_t used;
    uint32_t experts;
    uint32_t rows;           /* hidden size */
    uint32_t columns;        /* expert inner size */
    uint32_t shared_columns; /* shared expert inner size */
    uint32_t streams;
    uint32_t tiles; /* of tile_list; 0: it and order are empty */
};
TS_ABI_SIZE(ts_moe_down_expand_args, 32);
TS_ABI_FIELD(ts_moe_down_expand_args, tokens, 0);
TS_ABI_FIELD(ts_moe_down_expand_args, used, 4);
TS_ABI_FIELD(ts_moe_down_expand_args, experts, 8);
TS_ABI_FIELD(ts_moe_down_expand_args, rows, 12);
TS_ABI_FIELD(ts_moe_down_expand_args, columns, 16);
TS_ABI_FIELD(ts_moe_down_expand_args, shared_columns, 20);
TS_ABI_FIELD(ts_moe_down_expand_args, streams, 24);
TS_ABI_FIELD(ts_moe_down_expand_args, tiles, 28);

#endif
