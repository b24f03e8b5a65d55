#include "kernels/ops.h"

void ts_extent_hc_mix(const void *args, uint64_t *elements)
{
    const struct ts_hc_mix_args *a = args;
    uint64_t flat = (uint64_t)a->streams * a->width;
    elements[0] = a->tokens * flat;
    elements[1] = a->rows * flat;
    elements[2] = (uint64_t)a->tokens * a->rows;
}

void ts_work_hc_mix(const void *args, struct ts_work *work)
{
    const struct ts_hc_mix_args *a = args;
    work->flops = 2ull * a->tokens * a->streams * a->width * (a->rows + 1ull);
}

void ts_extent_hc_weights(const void *args, uint64_t *elements)
{
    const struct ts_hc_weights_args *a = args;
    uint64_t mixes = (uint64_t)a->streams * (2 + a->streams);
    elements[0] = a->tokens * mixes;
    elements[1] = mixes;
    elements[2] = 3;
    elements[3] = elements[4] = (uint64_t)a->tokens * a->streams;
    elements[5] = elements[3] * a->streams;
}

void ts_work_hc_weights(const void *args, struct ts_work *work)
{
    const struct ts_hc_weights_args *a = args;
    /* each Sinkhorn iteration adds and divides every entry twice */
    work->flops = (uint64_t)a->tokens * a->streams * a->streams * 4 * a->iterations;
}

void ts_extent_hc_reduce(const void *args, uint64_t *elements)
{
    const struct ts_hc_reduce_args *a = args;
    elements[0] = (uint64_t)a->tokens * a->streams * a->width;
    elements[1] = (uint64_t)a->tokens * a->streams;
    elements[2] = (uint64_t)a->tokens * a->width;
}

void ts_work_hc_reduce(const void *args, struct ts_work *work)
{
    const struct ts_hc_reduce_args *a = args;
    work->flops = 2ull * a->tokens * a->streams * a->width;
}

void ts_extent_hc_expand(const void *args, uint64_t *elements)
{
    const struct ts_hc_expand_args *a = args;
    elements[0] = (uint64_t)a->tokens * a->width;
    elements[1] = elements[4] = elements[0] * a->streams;
    elements[2] = (uint64_t)a->tokens * a->streams;
    elements[3] = elements[2] * a->streams;
}

void ts_work_hc_expand(const void *args, struct ts_work *work)
{
    const struct ts_hc_expand_args *a = args;
    work->flops = 2ull * a->tokens * a->streams * a->width * (a->streams + 1ull);
}

enum {
    PRE_STREAMS,
    PRE_FN,
    PRE_BASE,
    PRE_SCALE,
    PRE_NORM,
    PRE_MIX,
    PRE_PRE,
    PRE_REDUCED,
    PRE_NORMED,
    PRE_POST,
    PRE_COMB
};

void ts_extent_hc_pre_norm(const void *args, uint64_t *elements)
{
    const struct ts_hc_pre_norm_args *a = args;
    uint64_t flat = (uint64_t)a->streams * a->width;
    uint64_t mixes = (uint64_t)a->streams * (2 + a->streams);
    elements[PRE_STREAMS] = a->tokens * flat;
    elements[PRE_FN] = mixes * flat;
    elements[PRE_BASE] = mixes;
    elements[PRE_SCALE] = 3;
    elements[PRE_NORM] = a->width;
    elements[PRE_MIX] = a->tokens * mixes;
    elements[PRE_PRE] = elements[PRE_POST] = (uint64_t)a->tokens * a->streams;
    elements[PRE_REDUCED] = elements[PRE_NORMED] = (uint64_t)a->tokens * a->width;
    elements[PRE_COMB] = elements[PRE_POST] * a->streams;
}

void ts_expand_hc_pre_norm(const void *args, struct ts_expansion *expansion)
{
    const struct ts_hc_pre_norm_args *a = args;
    struct ts_hc_mix_args mix = {.tokens = a->tokens,
                                 .width = a->width,
                                 .streams = a->streams,
                                 .rows = a->streams * (2 + a->streams),
                                 .epsilon = a->norm_epsilon};
    struct ts_hc_weights_args weights = {.tokens = a->tokens,
                                         .streams = a->streams,
                                         .iterations = a->iterations,
                                         .epsilon = a->hc_epsilon};
    struct ts_hc_reduce_args reduce = {
        .tokens = a->tokens, .width = a->width, .streams = a->streams};
    struct ts_rms_norm_args norm = {
        .rows = a->tokens, .width = a->width, .epsilon = a->norm_epsilon};
    TS_ADD_STEP(expansion, hc_mix, &mix, PRE_STREAMS, PRE_FN, PRE_MIX);
    TS_ADD_STEP(expansion, hc_weights, &weights, PRE_MIX, PRE_BASE, PRE_SCALE, PRE_PRE, PRE_POST,
                PRE_COMB);
    TS_ADD_STEP(expansion, hc_reduce, &reduce, PRE_STREAMS, PRE_PRE, PRE_REDUCED);
    TS_ADD_STEP(expansion, rms_norm, &norm, PRE_REDUCED, PRE_NORM, PRE_NORMED);
}

TS_CASES(hc_mix, NULL, 7, {1, 1, 1, 1, 1e-6f}, {5, 96, 4, 24, 1e-6f}, {3, 37, 3, 15, 1e-6f},
         {1, 4096, 4, 24, 1e-6f}, {35, 33, 3, 15, 1e-6f}, {33, 4096, 4, 24, 1e-6f},
         {17, 21, 5, 35, 1e-6f}, {512, 4096, 4, 24, 1e-6f})

TS_CASES(hc_weights, NULL, 5, {1, 1, 1, 1e-6f}, {7, 4, 20, 1e-6f}, {6, 3, 3, 1e-2f},
         {9, 5, 2, 1e-3f}, {64, 4, 20, 1e-6f}, {4096, 4, 20, 1e-6f})

TS_CASES(hc_reduce, NULL, 4, {1, 1, 1}, {5, 96, 4}, {3, 4096, 4}, {64, 259, 3}, {2048, 4096, 4})

TS_CASES(hc_expand, NULL, 4, {1, 1, 1}, {5, 96, 4}, {3, 4096, 4}, {64, 259, 3}, {2048, 4096, 4})

TS_CASES(hc_pre_norm, NULL, 5, {1, 1, 1, 1, 1e-6f, 1e-6f}, {7, 37, 3, 3, 1e-6f, 1e-2f},
         {8, 40, 5, 2, 1e-6f, 1e-3f}, {1, 4096, 4, 20, 1e-6f, 1e-6f}, {3, 64, 4, 20, 1e-6f, 1e-6f},
         {128, 4096, 4, 20, 1e-6f, 1e-6f})

/* ---- sizes ---------------------------------------------------------------------------------- */

#define MIX(n)                                                                                     \
    {                                                                                              \
        .tokens = n, .width = 20, .streams = 4, .rows = 24, .epsilon = 1e-6f                       \
    }

TS_SIZES(hc_mix, tokens, TS_COUNTS(MIX), MIX(15), MIX(16), MIX(17),
         {.tokens = 8, .width = 4096, .streams = 4, .rows = 24, .epsilon = 1e-6f},
         {.tokens = 3, .width = 9, .streams = 2, .rows = 300, .epsilon = 1e-6f},
         {.tokens = 2, .width = 17000, .streams = 4, .rows = 3, .epsilon = 1e-6f},
         {.tokens = 4097, .width = 2, .streams = 1, .rows = 2, .epsilon = 1e-6f})

#define WEIGHTS(n)                                                                                 \
    {                                                                                              \
        .tokens = n, .streams = 4, .iterations = 3, .epsilon = 1e-6f                               \
    }

TS_SIZES(hc_weights, tokens, TS_COUNTS(WEIGHTS),
         {.tokens = 4097, .streams = 2, .iterations = 2, .epsilon = 1e-6f},
         {.tokens = 3, .streams = 4, .iterations = 300, .epsilon = 1e-6f})

#define REDUCE(n)                                                                                  \
    {                                                                                              \
        .tokens = n, .width = 20, .streams = 4                                                     \
    }

TS_SIZES(hc_reduce, tokens, TS_COUNTS(REDUCE), {.tokens = 4097, .width = 3, .streams = 2},
         {.tokens = 2, .width = 16385, .streams = 4}, {.tokens = 1, .width = 66000, .streams = 2},
         {.tokens = 2, .width = 5, .streams = 300})

TS_SIZES(hc_expand, tokens, TS_COUNTS(REDUCE), {.tokens = 4097, .width = 3, .streams = 2},
         {.tokens = 2, .width = 16385, .streams = 4}, {.tokens = 1, .width = 66000, .streams = 2},
         {.tokens = 2, .width = 5, .streams = 40})

#define PRE_NORM(n)                                                                                \
    {                                                                                              \
        .tokens = n, .width = 40, .streams = 4, .iterations = 3, .norm_epsilon = 1e-6f,            \
        .hc_epsilon = 1e-6f                                                                        \
    }

TS_SIZES(hc_pre_norm, tokens, TS_FEW_COUNTS(PRE_NORM),
         {.tokens = 8,
          .width = 4096,
          .streams = 4,
          .iterations = 20,
          .norm_epsilon = 1e-6f,
          .hc_epsilon = 1e-6f},
         {.tokens = 1,
          .width = 17000,
          .streams = 4,
          .iterations = 2,
          .norm_epsilon = 1e-6f,
          .hc_epsilon = 1e-6f})
