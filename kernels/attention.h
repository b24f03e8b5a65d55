/* Attention of every head over window, selected compressed rows and sink (spec 2.10). */
#ifndef TS_KERNELS_ATTENTION_H
#define TS_KERNELS_ATTENTION_H

#include "kernels/abi.h"

/* o[t, h] = sum_i exp(l_i) K_i / (exp(sink[h]) + sum_i exp(l_i)), l_i = q[t, h] . K_i / sqrt(width),
 * over the positions max(0, p - window + 1) .. p (kv[i] for those of this chunk, ring[i mod window]
 * before it) and the compressed rows b < floor((p + 1) / ratio), or of these the ones in ids[t]
 * (-1: none); p = position + t. q, heads [tokens, heads, width]; kv [tokens, width];
 * ring [window, width]; rows [rows, width]; ids [tokens, selected]; sink [heads], -infinity for
 * none. The inverse RoPE is not part of it. */
struct ts_attention_args {
    uint64_t position; /* of token 0 */
    uint32_t tokens;
    uint32_t heads;
    uint32_t width;    /* of a row */
    uint32_t window;   /* rows of the ring */
    uint32_t ratio;    /* of the compressed rows; 0: none */
    uint32_t rows;     /* compressed rows that exist */
    uint32_t selected; /* ids a token; 0: all visible rows */
    uint32_t padding;
};
TS_ABI_SIZE(ts_attention_args, 40);
TS_ABI_FIELD(ts_attention_args, position, 0);
TS_ABI_FIELD(ts_attention_args, tokens, 8);
TS_ABI_FIELD(ts_attention_args, heads, 12);
TS_ABI_FIELD(ts_attention_args, width, 16);
TS_ABI_FIELD(ts_attention_args, window, 20);
TS_ABI_FIELD(ts_attention_args, ratio, 24);
TS_ABI_FIELD(ts_attention_args, rows, 28);
TS_ABI_FIELD(ts_attention_args, selected, 32);
TS_ABI_FIELD(ts_attention_args, padding, 36);

/* The same, followed by the inverse RoPE: values carried the rotation of the keys (spec 2.10).
 * angles [tokens, rotary / 2, 2], of the tokens' positions; unrotated as heads. */
struct ts_attention_unrotate_args {
    uint64_t position; /* as ts_attention_args */
    uint32_t tokens;
    uint32_t heads;
    uint32_t width;
    uint32_t window;
    uint32_t ratio;
    uint32_t rows;
    uint32_t selected;
    uint32_t rotary; /* rotated dims, the last of width */
};
TS_ABI_SIZE(ts_attention_unrotate_args, 40);
TS_ABI_FIELD(ts_attention_unrotate_args, position, 0);
TS_ABI_FIELD(ts_attention_unrotate_args, tokens, 8);
TS_ABI_FIELD(ts_attention_unrotate_args, heads, 12);
TS_ABI_FIELD(ts_attention_unrotate_args, width, 16);
TS_ABI_FIELD(ts_attention_unrotate_args, window, 20);
TS_ABI_FIELD(ts_attention_unrotate_args, ratio, 24);
TS_ABI_FIELD(ts_attention_unrotate_args, rows, 28);
TS_ABI_FIELD(ts_attention_unrotate_args, selected, 32);
TS_ABI_FIELD(ts_attention_unrotate_args, rotary, 36);

#endif
