#include "kernels/ops.h"

void ts_extent_embed(const void *args, uint64_t *elements)
{
    const struct ts_embed_args *a = args;
    elements[0] = a->tokens;
    elements[1] = (uint64_t)a->vocab * a->width;
    elements[2] = (uint64_t)a->tokens * a->streams * a->width;
}

void ts_work_embed(const void *args, struct ts_work *work)
{
    const struct ts_embed_args *a = args;
    work->flops = 0;
    /* one row a token, but tokens may share */
    work->touched[1] = (uint64_t)(a->tokens < a->vocab ? a->tokens : a->vocab) * a->width;
}

TS_CASES(embed, NULL, 3, {1, 1, 1, 1}, {9, 32, 4, 5}, {3, 4096, 4, 129280})
