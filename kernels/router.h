/* Which experts a token uses, and with what weight (spec 2.13). */
#ifndef TS_KERNELS_ROUTER_H
#define TS_KERNELS_ROUTER_H

#include "kernels/abi.h"

/* s = sqrt(softplus(logits)); ids = the `used` experts with the highest s + bias, descending, lowest
 * id first where equal; weights = scale * s / sum of the chosen s: the bias selects, it does not
 * weigh. logits [tokens, experts]; bias [experts]; ids, weights [tokens, used]. */
struct ts_router_top_k_args {
    uint32_t tokens;
    uint32_t experts;
    uint32_t used; /* experts a token */
    float scale;
};
TS_ABI_SIZE(ts_router_top_k_args, 16);
TS_ABI_FIELD(ts_router_top_k_args, tokens, 0);
TS_ABI_FIELD(ts_router_top_k_args, experts, 4);
TS_ABI_FIELD(ts_router_top_k_args, used, 8);
TS_ABI_FIELD(ts_router_top_k_args, scale, 12);

/* ids[t] = table[tokens[t]]; weights from the logits as in router_top_k. logits [tokens, experts];
 * tokens [tokens]; table [vocab, used]; ids, weights [tokens, used]. */
struct ts_router_hash_args {
    uint32_t tokens;
    uint32_t experts;
    uint32_t used;
    uint32_t vocab;
    float scale;
};
TS_ABI_SIZE(ts_router_hash_args, 20);
TS_ABI_FIELD(ts_router_hash_args, tokens, 0);
TS_ABI_FIELD(ts_router_hash_args, experts, 4);
TS_ABI_FIELD(ts_router_hash_args, used, 8);
TS_ABI_FIELD(ts_router_hash_args, vocab, 12);
TS_ABI_FIELD(ts_router_hash_args, scale, 16);

#endif
