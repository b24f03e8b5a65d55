/* Compressed KV rows: a block of `ratio` tokens pooled into one row (spec 2.8).
 * The frontier is a ring of the last (1 + overlap) * ratio rows of k and gate, slot = position mod
 * its capacity, so that a block may begin in one chunk and end in another. */
#ifndef TS_KERNELS_COMPRESSOR_H
#define TS_KERNELS_COMPRESSOR_H

#include "kernels/abi.h"

/* gate[t, :] = z[t, :] + ape[(position + t) mod ratio, :]. z, gate [tokens, width];
 * ape [ratio, width]. */
struct ts_compressor_gate_args {
    uint64_t position; /* of token 0 */
    uint32_t tokens;
    uint32_t width;
    uint32_t ratio;
    uint32_t padding;
};
TS_ABI_SIZE(ts_compressor_gate_args, 24);
TS_ABI_FIELD(ts_compressor_gate_args, position, 0);
TS_ABI_FIELD(ts_compressor_gate_args, tokens, 8);
TS_ABI_FIELD(ts_compressor_gate_args, width, 12);
TS_ABI_FIELD(ts_compressor_gate_args, ratio, 16);
TS_ABI_FIELD(ts_compressor_gate_args, padding, 20);

/* pooled[b, j] = sum_t softmax_t(gate[t, .]) * k[t, .], for each channel j on its own: over the
 * tokens of block b, and with overlap also those of block b - 1, which use channels [0, width) while
 * block b uses [width, 2 width). Tokens before `position` are read from the frontier. Block 0 has no
 * previous block. k, gate [tokens, (1 + overlap) * width]; frontiers [(1 + overlap) * ratio,
 * (1 + overlap) * width]; pooled [blocks, width]. */
struct ts_compressor_pool_args {
    uint64_t position; /* of the first token of k and gate */
    uint64_t block;    /* first block that is emitted */
    uint32_t tokens;
    uint32_t blocks;  /* that are emitted */
    uint32_t width;   /* of a row */
    uint32_t ratio;   /* tokens a block */
    uint32_t overlap; /* 1: the previous block takes part, rows are 2 * width wide */
    uint32_t padding;
};
TS_ABI_SIZE(ts_compressor_pool_args, 40);
TS_ABI_FIELD(ts_compressor_pool_args, position, 0);
TS_ABI_FIELD(ts_compressor_pool_args, block, 8);
TS_ABI_FIELD(ts_compressor_pool_args, tokens, 16);
TS_ABI_FIELD(ts_compressor_pool_args, blocks, 20);
TS_ABI_FIELD(ts_compressor_pool_args, width, 24);
TS_ABI_FIELD(ts_compressor_pool_args, ratio, 28);
TS_ABI_FIELD(ts_compressor_pool_args, overlap, 32);
TS_ABI_FIELD(ts_compressor_pool_args, padding, 36);

/* compressor_pool, rms_norm, rope (position of the block's first token), fp8_round of the dims that
 * are not rotary. Inputs as in compressor_pool; norm [width]; angles [blocks, rotary / 2, 2];
 * rows [blocks, width]. */
struct ts_compressor_kv_args {
    uint64_t position; /* of the first token of k and gate */
    uint64_t block;    /* first block that is emitted */
    uint32_t tokens;
    uint32_t blocks;  /* that are emitted */
    uint32_t width;   /* of a row */
    uint32_t ratio;   /* tokens a block */
    uint32_t overlap; /* 1: the previous block takes part, rows are 2 * width wide */
    uint32_t rotary;
    uint32_t round; /* 1: round trip at the end */
    float epsilon;  /* of the norm */
};
TS_ABI_SIZE(ts_compressor_kv_args, 48);
TS_ABI_FIELD(ts_compressor_kv_args, position, 0);
TS_ABI_FIELD(ts_compressor_kv_args, block, 8);
TS_ABI_FIELD(ts_compressor_kv_args, tokens, 16);
TS_ABI_FIELD(ts_compressor_kv_args, blocks, 20);
TS_ABI_FIELD(ts_compressor_kv_args, width, 24);
TS_ABI_FIELD(ts_compressor_kv_args, ratio, 28);
TS_ABI_FIELD(ts_compressor_kv_args, overlap, 32);
TS_ABI_FIELD(ts_compressor_kv_args, rotary, 36);
TS_ABI_FIELD(ts_compressor_kv_args, round, 40);
TS_ABI_FIELD(ts_compressor_kv_args, epsilon, 44);

/* compressor_pool, rms_norm, rope, hadamard, fp4_round of the whole row. Operands as in
 * compressor_kv, and the same arguments; round is the FP4 round trip. */
#define ts_compressor_index_args ts_compressor_kv_args

/* A step's part that does not depend on emission: k = kv @ x, gated = gate @ x + ape (compressor_gate),
 * and ring_store of both into the frontiers. It must come after the emission of the same tokens, unless
 * there is only one: an emission does not read the slot that its last token overwrites.
 * x [tokens, columns]; kv, gate [width, columns]; ape [ratio, width]; k, gated [tokens, width];
 * frontiers [capacity, width]. */
struct ts_compressor_step_args {
    uint64_t position; /* of token 0 */
    uint32_t tokens;
    uint32_t width;    /* of k and gated: (1 + overlap) times that of a row */
    uint32_t columns;  /* inputs */
    uint32_t ratio;    /* tokens a block */
    uint32_t capacity; /* rows of the frontiers */
    uint32_t padding;
};
TS_ABI_SIZE(ts_compressor_step_args, 32);
TS_ABI_FIELD(ts_compressor_step_args, position, 0);
TS_ABI_FIELD(ts_compressor_step_args, tokens, 8);
TS_ABI_FIELD(ts_compressor_step_args, width, 12);
TS_ABI_FIELD(ts_compressor_step_args, columns, 16);
TS_ABI_FIELD(ts_compressor_step_args, ratio, 20);
TS_ABI_FIELD(ts_compressor_step_args, capacity, 24);
TS_ABI_FIELD(ts_compressor_step_args, padding, 28);

#endif
