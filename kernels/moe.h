/* Routed and shared experts (spec 2.13). */
#ifndef TS_KERNELS_MOE_H
#define TS_KERNELS_MOE_H

#include "kernels/abi.h"

/* y[t, k, r] = sum_c w[ids[t, k], r, c] * x[t, (k,) c]. w [experts, rows, columns];
 * ids [tokens, used], below experts; y [tokens, used, rows]. */
struct ts_expert_matmul_args {
    uint32_t tokens;
    uint32_t used; /* experts a token */
    uint32_t experts;
    uint32_t rows;     /* outputs */
    uint32_t columns;  /* inputs */
    uint32_t per_slot; /* 1: x is [tokens, used, columns], else [tokens, columns] */
};
TS_ABI_SIZE(ts_expert_matmul_args, 24);
TS_ABI_FIELD(ts_expert_matmul_args, tokens, 0);
TS_ABI_FIELD(ts_expert_matmul_args, used, 4);
TS_ABI_FIELD(ts_expert_matmul_args, experts, 8);
TS_ABI_FIELD(ts_expert_matmul_args, rows, 12);
TS_ABI_FIELD(ts_expert_matmul_args, columns, 16);
TS_ABI_FIELD(ts_expert_matmul_args, per_slot, 20);

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

/* expert_matmul with gate and up, then swiglu with the route weights. x [tokens, columns]; gate, up
 * [experts, rows, columns]; ids, weights [tokens, used]; hidden [tokens, used, rows]. */
struct ts_expert_gate_up_args {
    uint32_t tokens;
    uint32_t used;
    uint32_t experts;
    uint32_t rows;    /* expert inner size */
    uint32_t columns; /* hidden size */
    float limit;      /* of swiglu; 0: no clamp */
};
TS_ABI_SIZE(ts_expert_gate_up_args, 24);
TS_ABI_FIELD(ts_expert_gate_up_args, tokens, 0);
TS_ABI_FIELD(ts_expert_gate_up_args, used, 4);
TS_ABI_FIELD(ts_expert_gate_up_args, experts, 8);
TS_ABI_FIELD(ts_expert_gate_up_args, rows, 12);
TS_ABI_FIELD(ts_expert_gate_up_args, columns, 16);
TS_ABI_FIELD(ts_expert_gate_up_args, limit, 20);

/* matmul with gate and up, then swiglu without weights. x [tokens, columns];
 * gate, up [rows, columns]; hidden [tokens, rows]. */
struct ts_shared_gate_up_args {
    uint32_t tokens;
    uint32_t rows;    /* shared expert inner size */
    uint32_t columns; /* hidden size */
    float limit;      /* of swiglu; 0: no clamp */
};
TS_ABI_SIZE(ts_shared_gate_up_args, 16);
TS_ABI_FIELD(ts_shared_gate_up_args, tokens, 0);
TS_ABI_FIELD(ts_shared_gate_up_args, rows, 4);
TS_ABI_FIELD(ts_shared_gate_up_args, columns, 8);
TS_ABI_FIELD(ts_shared_gate_up_args, limit, 12);

/* expert_matmul and matmul with the down matrices, expert_sum, hc_expand. hidden [tokens, used,
 * columns]; down [experts, rows, columns]; ids [tokens, used]; shared_hidden [tokens,
 * shared_columns]; shared_down [rows, shared_columns]; streams, post, comb and expanded as in
 * matmul_expand. */
struct ts_moe_down_expand_args {
    uint32_t tokens;
    uint32_t used;
    uint32_t experts;
    uint32_t rows;           /* hidden size */
    uint32_t columns;        /* expert inner size */
    uint32_t shared_columns; /* shared expert inner size */
    uint32_t streams;
};
TS_ABI_SIZE(ts_moe_down_expand_args, 28);
TS_ABI_FIELD(ts_moe_down_expand_args, tokens, 0);
TS_ABI_FIELD(ts_moe_down_expand_args, used, 4);
TS_ABI_FIELD(ts_moe_down_expand_args, experts, 8);
TS_ABI_FIELD(ts_moe_down_expand_args, rows, 12);
TS_ABI_FIELD(ts_moe_down_expand_args, columns, 16);
TS_ABI_FIELD(ts_moe_down_expand_args, shared_columns, 20);
TS_ABI_FIELD(ts_moe_down_expand_args, streams, 24);

#endif
