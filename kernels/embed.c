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

/* Ids of the vocabulary, the last one first. */
static void embed_inputs(const void *args, unsigned operand, struct ts_rng *rng, uint64_t count,
                         int32_t *ids, double *values)
{
    const struct ts_embed_args *a = args;
    (void)operand;
    (void)values;
    for (uint64_t i = 0; ids && i < count; i++) {
        ids[i] = (int32_t)(i == 0 ? a->vocab - 1 : ts_rng_below(rng, a->vocab));
    }
}

TS_CASES(embed, embed_inputs, 5, {1, 1, 1, 1}, {9, 32, 4, 5}, {5, 43, 3, 7}, {4, 256, 4, 9},
         {7, 4096, 4, 100}, {600, 4096, 4, 1000})

/* ---- sizes ---------------------------------------------------------------------------------- */

/* Tables of a little more than 4 GiB in each format, by their rows of 4096. */
#define EMBED(n)                                                                                   \
    {                                                                                              \
        .tokens = n, .width = 256, .streams = 2, .vocab = 300                                      \
    }
#define EMBED_FAR(v)                                                                               \
    {                                                                                              \
        .tokens = 9, .width = 4096, .streams = 1, .vocab = v                                       \
    }

TS_SIZES(embed, tokens, TS_COUNTS(EMBED),
         {.tokens = 7, .width = 4096, .streams = 4, .vocab = 129280},
         {.tokens = 2, .width = 16384, .streams = 3, .vocab = 5},
         {.tokens = 1, .width = 66048, .streams = 1, .vocab = 3},
         {.tokens = 4097, .width = 32, .streams = 1, .vocab = 70000}, EMBED_FAR((1 << 18) + 9),
         EMBED_FAR((1 << 19) + 9), EMBED_FAR(1000000), EMBED_FAR(2000000), EMBED_FAR(3300000),
         EMBED_FAR(4200000))
