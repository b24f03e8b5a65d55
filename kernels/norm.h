/* RMSNorm (Zhang and Sennrich 2019; spec 2.1). */
#ifndef TS_KERNELS_NORM_H
#define TS_KERNELS_NORM_H

#include "kernels/abi.h"

/* y[r, i] = x[r, i] * weight[i] / sqrt(mean_j(x[r, j]^2) + epsilon); without weight, weight = 1.
 * x, y [rows, width]; weight [width]. */
struct ts_rms_norm_args {
    uint32_t rows;
    uint32_t width;
    float epsilon;
};
TS_ABI_SIZE(ts_rms_norm_args, 12);
TS_ABI_FIELD(ts_rms_norm_args, rows, 0);
TS_ABI_FIELD(ts_rms_norm_args, width, 4);
TS_ABI_FIELD(ts_rms_norm_args, epsilon, 8);

#endif
