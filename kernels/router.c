#include "kernels/ops.h"

void ts_extent_router_top_k(const void *args, uint64_t *elements)
{
    const struct ts_router_top_k_args *a = args;
    elements[0] = (uint64_t)a->tokens * a->experts;
    elements[1] = a->experts;
    elements[2] = elements[3] = (uint64_t)a->tokens * a->used;
}

void ts_work_router_top_k(const void *args, struct ts_work *work)
{
    const struct ts_router_top_k_args *a = args;
    work->flops = 3ull * a->tokens * a->experts; /* softplus, root, bias */
}

void ts_extent_router_hash(const void *args, uint64_t *elements)
{
    const struct ts_router_hash_args *a = args;
    elements[0] = (uint64_t)a->tokens * a->experts;
    elements[1] = a->tokens;
    elements[2] = (uint64_t)a->vocab * a->used;
    elements[3] = elements[4] = (uint64_t)a->tokens * a->used;
}

void ts_work_router_hash(const void *args, struct ts_work *work)
{
    const struct ts_router_hash_args *a = args;
    work->flops = 3ull * a->tokens * a->used;
    work->touched[0] = (uint64_t)a->tokens * a->used;
    /* one row a token, but tokens may share */
    work->touched[2] = (uint64_t)(a->tokens < a->vocab ? a->tokens : a->vocab) * a->used;
}

TS_CASES(router_top_k, NULL, 1, {7, 8, 6, 1.5f})

TS_CASES(router_hash, NULL, 2, {7, 8, 6, 5, 1.5f}, {7, 256, 6, 129280, 1.5f})
