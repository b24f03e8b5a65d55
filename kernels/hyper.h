/* Hyper-connections: four residual streams, mixed by input-dependent weights (spec 2.3, 2.4). */
#ifndef TS_KERNELS_HYPER_H
#define TS_KERNELS_HYPER_H

#include "kernels/abi.h"

/* Kernels that mix streams take at most as many: a simdgroup of 32 holds the matrix. */
#define TS_MIX_STREAMS 5

/* mix[t] = fn @ X / sqrt(mean(X^2) + epsilon), X = flatten(streams[t]), stream-major.
 * streams [tokens, streams, width]; fn [rows, streams * width]; mix [tokens, rows]. */
struct ts_hc_mix_args {
    uint32_t tokens;
    uint32_t width; /* hidden size */
    uint32_t streams;
    uint32_t rows; /* rows of fn: streams * (2 + streams), or streams at the head */
    float epsilon; /* of the RMS */
};
TS_ABI_SIZE(ts_hc_mix_args, 20);
TS_ABI_FIELD(ts_hc_mix_args, tokens, 0);
TS_ABI_FIELD(ts_hc_mix_args, width, 4);
TS_ABI_FIELD(ts_hc_mix_args, streams, 8);
TS_ABI_FIELD(ts_hc_mix_args, rows, 12);
TS_ABI_FIELD(ts_hc_mix_args, epsilon, 16);

/* From mix [tokens, streams * (2 + streams)]: pre = sigmoid(m * scale[0] + base) + epsilon,
 * post = 2 sigmoid(m * scale[1] + base), comb = sinkhorn(softmax over rows(m * scale[2] + base)
 * + epsilon), which divides columns, then rows and columns in turn, by their sum + epsilon.
 * pre, post [tokens, streams]; comb [tokens, source stream, destination stream];
 * base [streams * (2 + streams)]; scale [3]. */
struct ts_hc_weights_args {
    uint32_t tokens;
    uint32_t streams;
    uint32_t iterations; /* of Sinkhorn; the first is the softmax and a division of columns */
    float epsilon;
};
TS_ABI_SIZE(ts_hc_weights_args, 16);
TS_ABI_FIELD(ts_hc_weights_args, tokens, 0);
TS_ABI_FIELD(ts_hc_weights_args, streams, 4);
TS_ABI_FIELD(ts_hc_weights_args, iterations, 8);
TS_ABI_FIELD(ts_hc_weights_args, epsilon, 12);

/* reduced[t, c] = sum_h pre[t, h] * streams[t, h, c]. streams [tokens, streams, width];
 * pre [tokens, streams]; reduced [tokens, width]. */
struct ts_hc_reduce_args {
    uint32_t tokens;
    uint32_t width;
    uint32_t streams;
};
TS_ABI_SIZE(ts_hc_reduce_args, 12);
TS_ABI_FIELD(ts_hc_reduce_args, tokens, 0);
TS_ABI_FIELD(ts_hc_reduce_args, width, 4);
TS_ABI_FIELD(ts_hc_reduce_args, streams, 8);

/* expanded[t, j, c] = post[t, j] * sublayer[t, c] + sum_i comb[t, i, j] * streams[t, i, c].
 * Row i of comb is the source stream, column j the destination. sublayer [tokens, width];
 * streams, expanded [tokens, streams, width]; post [tokens, streams];
 * comb [tokens, streams, streams]. */
struct ts_hc_expand_args {
    uint32_t tokens;
    uint32_t width;
    uint32_t streams;
};
TS_ABI_SIZE(ts_hc_expand_args, 12);
TS_ABI_FIELD(ts_hc_expand_args, tokens, 0);
TS_ABI_FIELD(ts_hc_expand_args, width, 4);
TS_ABI_FIELD(ts_hc_expand_args, streams, 8);

/* hc_mix, hc_weights, hc_reduce and rms_norm in one; operands as there, norm [width],
 * normed [tokens, width]. */
struct ts_hc_pre_norm_args {
    uint32_t tokens;
    uint32_t width;
    uint32_t streams;
    uint32_t iterations;
    float norm_epsilon; /* of both RMS norms */
    float hc_epsilon;   /* of hc_weights */
};
TS_ABI_SIZE(ts_hc_pre_norm_args, 24);
TS_ABI_FIELD(ts_hc_pre_norm_args, tokens, 0);
TS_ABI_FIELD(ts_hc_pre_norm_args, width, 4);
TS_ABI_FIELD(ts_hc_pre_norm_args, streams, 8);
TS_ABI_FIELD(ts_hc_pre_norm_args, iterations, 12);
TS_ABI_FIELD(ts_hc_pre_norm_args, norm_epsilon, 16);
TS_ABI_FIELD(ts_hc_pre_norm_args, hc_epsilon, 20);

#endif
