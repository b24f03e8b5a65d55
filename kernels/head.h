/* Collapse of the streams before the logits (spec 2.14). */
#ifndef TS_KERNELS_HEAD_H
#define TS_KERNELS_HEAD_H

#include "kernels/abi.h"

/* pre = sigmoid(mix * scale[0] + base) + epsilon. mix, pre [tokens, streams]; base [streams];
 * scale [1]. */
struct ts_head_weights_args {
    uint32_t tokens;
    uint32_t streams;
    float epsilon;
};
TS_ABI_SIZE(ts_head_weights_args, 12);
TS_ABI_FIELD(ts_head_weights_args, tokens, 0);
TS_ABI_FIELD(ts_head_weights_args, streams, 4);
TS_ABI_FIELD(ts_head_weights_args, epsilon, 8);

/* hc_mix, head_weights, hc_reduce, rms_norm. streams [tokens, streams, width];
 * fn [streams, streams * width]; base [streams]; scale [1]; norm [width];
 * normed [tokens, width]. */
struct ts_head_collapse_args {
    uint32_t tokens;
    uint32_t width;
    uint32_t streams;
    float norm_epsilon; /* of both RMS norms */
    float hc_epsilon;   /* of head_weights */
};
TS_ABI_SIZE(ts_head_collapse_args, 20);
TS_ABI_FIELD(ts_head_collapse_args, tokens, 0);
TS_ABI_FIELD(ts_head_collapse_args, width, 4);
TS_ABI_FIELD(ts_head_collapse_args, streams, 8);
TS_ABI_FIELD(ts_head_collapse_args, norm_epsilon, 12);
TS_ABI_FIELD(ts_head_collapse_args, hc_epsilon, 16);

#endif
