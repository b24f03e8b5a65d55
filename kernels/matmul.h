/* Matrix products with weights of any format (spec 2.7, 2.11, 2.14). */
#ifndef TS_KERNELS_MATMUL_H
#define TS_KERNELS_MATMUL_H

#include "kernels/abi.h"

/* y[t, r] = sum_c w[r, c] * x[t, c]. x [tokens, columns]; w [rows, columns]; y [tokens, rows]. */
struct ts_matmul_args {
    uint32_t tokens;
    uint32_t rows;    /* outputs */
    uint32_t columns; /* inputs */
};
TS_ABI_SIZE(ts_matmul_args, 12);
TS_ABI_FIELD(ts_matmul_args, tokens, 0);
TS_ABI_FIELD(ts_matmul_args, rows, 4);
TS_ABI_FIELD(ts_matmul_args, columns, 8);

/* Two products of the same x: matmul with wa, and with wb. x [tokens, columns]; wa [rows_a, columns];
 * wb [rows_b, columns]; ya [tokens, rows_a]; yb [tokens, rows_b]. */
struct ts_matmul_pair_args {
    uint32_t tokens;
    uint32_t rows_a;
    uint32_t rows_b;
    uint32_t columns;
};
TS_ABI_SIZE(ts_matmul_pair_args, 16);
TS_ABI_FIELD(ts_matmul_pair_args, tokens, 0);
TS_ABI_FIELD(ts_matmul_pair_args, rows_a, 4);
TS_ABI_FIELD(ts_matmul_pair_args, rows_b, 8);
TS_ABI_FIELD(ts_matmul_pair_args, columns, 12);

/* y[t, g, r] = sum_c w[g * rows + r, c] * x[t, g, c]. x [tokens, groups, columns];
 * w [groups * rows, columns]; y [tokens, groups, rows]. */
struct ts_matmul_grouped_args {
    uint32_t tokens;
    uint32_t groups;
    uint32_t rows;    /* outputs of one group */
    uint32_t columns; /* inputs of one group */
};
TS_ABI_SIZE(ts_matmul_grouped_args, 16);
TS_ABI_FIELD(ts_matmul_grouped_args, tokens, 0);
TS_ABI_FIELD(ts_matmul_grouped_args, groups, 4);
TS_ABI_FIELD(ts_matmul_grouped_args, rows, 8);
TS_ABI_FIELD(ts_matmul_grouped_args, columns, 12);

/* matmul, then hc_expand of its result. x [tokens, columns]; w [rows, columns]; streams, expanded
 * [tokens, streams, rows]; post [tokens, streams]; comb [tokens, streams, streams]. */
struct ts_matmul_expand_args {
    uint32_t tokens;
    uint32_t rows; /* outputs = hidden size */
    uint32_t columns;
    uint32_t streams;
};
TS_ABI_SIZE(ts_matmul_expand_args, 16);
TS_ABI_FIELD(ts_matmul_expand_args, tokens, 0);
TS_ABI_FIELD(ts_matmul_expand_args, rows, 4);
TS_ABI_FIELD(ts_matmul_expand_args, columns, 8);
TS_ABI_FIELD(ts_matmul_expand_args, streams, 12);

#endif
