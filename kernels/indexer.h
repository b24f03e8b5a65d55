/* The lightning indexer: which compressed rows a token attends to (spec 2.9). */
#ifndef TS_KERNELS_INDEXER_H
#define TS_KERNELS_INDEXER_H

#include "kernels/abi.h"

/* rope, hadamard, fp4_round of every head. q, query [tokens, heads, width];
 * angles [tokens, rotary / 2, 2]. */
struct ts_index_query_args {
    uint32_t tokens;
    uint32_t heads;
    uint32_t width;
    uint32_t rotary;
    uint32_t round; /* 1: FP4 round trip at the end */
};
TS_ABI_SIZE(ts_index_query_args, 20);
TS_ABI_FIELD(ts_index_query_args, tokens, 0);
TS_ABI_FIELD(ts_index_query_args, heads, 4);
TS_ABI_FIELD(ts_index_query_args, width, 8);
TS_ABI_FIELD(ts_index_query_args, rotary, 12);
TS_ABI_FIELD(ts_index_query_args, round, 16);

/* scores[t, b] = sum_h weights[t, h] / sqrt(width * heads) * max(0, query[t, h] . keys[b]) where
 * block b is visible, b < floor((position + t + 1) / ratio); -infinity elsewhere.
 * query [tokens, heads, width]; weights [tokens, heads]; keys [rows, width];
 * scores [tokens, rows]. */
struct ts_index_scores_args {
    uint64_t position; /* of token 0 */
    uint32_t tokens;
    uint32_t heads;
    uint32_t width;
    uint32_t rows; /* of keys */
    uint32_t ratio;
    uint32_t padding;
};
TS_ABI_SIZE(ts_index_scores_args, 32);
TS_ABI_FIELD(ts_index_scores_args, position, 0);
TS_ABI_FIELD(ts_index_scores_args, tokens, 8);
TS_ABI_FIELD(ts_index_scores_args, heads, 12);
TS_ABI_FIELD(ts_index_scores_args, width, 16);
TS_ABI_FIELD(ts_index_scores_args, rows, 20);
TS_ABI_FIELD(ts_index_scores_args, ratio, 24);
TS_ABI_FIELD(ts_index_scores_args, padding, 28);

/* ids[t, :] = the visible rows with the highest scores, lowest index first where equal, in
 * ascending order of id; -1 behind them. Where no more than `selected` rows are visible all are
 * selected and scores are not read. Visible as in index_scores. scores [tokens, rows];
 * ids [tokens, selected]. */
struct ts_index_top_k_args {
    uint64_t position; /* of token 0 */
    uint32_t tokens;
    uint32_t rows; /* columns of scores; 0: no scores, every visible row is selected */
    uint32_t ratio;
    uint32_t selected; /* ids a token */
};
TS_ABI_SIZE(ts_index_top_k_args, 24);
TS_ABI_FIELD(ts_index_top_k_args, position, 0);
TS_ABI_FIELD(ts_index_top_k_args, tokens, 8);
TS_ABI_FIELD(ts_index_top_k_args, rows, 12);
TS_ABI_FIELD(ts_index_top_k_args, ratio, 16);
TS_ABI_FIELD(ts_index_top_k_args, selected, 20);

#endif
