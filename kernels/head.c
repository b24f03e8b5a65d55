#include "kernels/ops.h"

void ts_extent_head_weights(const void *args, uint64_t *elements)
{
    const struct ts_head_weights_args *a = args;
    elements[0] = elements[3] = (uint64_t)a->tokens * a->streams;
    elements[1] = a->streams;
    elements[2] = 1;
}

void ts_work_head_weights(const void *args, struct ts_work *work)
{
    const struct ts_head_weights_args *a = args;
    work->flops = 5ull * a->tokens * a->streams;
}

enum {
    HEAD_STREAMS,
    HEAD_FN,
    HEAD_BASE,
    HEAD_SCALE,
    HEAD_NORM,
    HEAD_MIX,
    HEAD_PRE,
    HEAD_REDUCED,
    HEAD_NORMED
};

void ts_extent_head_collapse(const void *args, uint64_t *elements)
{
    const struct ts_head_collapse_args *a = args;
    uint64_t flat = (uint64_t)a->streams * a->width;
    elements[HEAD_STREAMS] = a->tokens * flat;
    elements[HEAD_FN] = a->streams * flat;
    elements[HEAD_BASE] = a->streams;
    elements[HEAD_SCALE] = 1;
    elements[HEAD_NORM] = a->width;
    elements[HEAD_MIX] = elements[HEAD_PRE] = (uint64_t)a->tokens * a->streams;
    elements[HEAD_REDUCED] = elements[HEAD_NORMED] = (uint64_t)a->tokens * a->width;
}

void ts_expand_head_collapse(const void *args, struct ts_expansion *expansion)
{
    const struct ts_head_collapse_args *a = args;
    struct ts_hc_mix_args mix = {.tokens = a->tokens,
                                 .width = a->width,
                                 .streams = a->streams,
                                 .rows = a->streams,
                                 .epsilon = a->norm_epsilon};
    struct ts_head_weights_args weights = {
        .tokens = a->tokens, .streams = a->streams, .epsilon = a->hc_epsilon};
    struct ts_hc_reduce_args reduce = {
        .tokens = a->tokens, .width = a->width, .streams = a->streams};
    struct ts_rms_norm_args norm = {
        .rows = a->tokens, .width = a->width, .epsilon = a->norm_epsilon};
    TS_ADD_STEP(expansion, hc_mix, &mix, HEAD_STREAMS, HEAD_FN, HEAD_MIX);
    TS_ADD_STEP(expansion, head_weights, &weights, HEAD_MIX, HEAD_BASE, HEAD_SCALE, HEAD_PRE);
    TS_ADD_STEP(expansion, hc_reduce, &reduce, HEAD_STREAMS, HEAD_PRE, HEAD_REDUCED);
    TS_ADD_STEP(expansion, rms_norm, &norm, HEAD_REDUCED, HEAD_NORM, HEAD_NORMED);
}

TS_CASES(head_weights, NULL, 4, {7, 4, 1e-6f}, {1, 1, 1e-6f}, {40, 3, 1e-2f}, {512, 4, 1e-6f})

TS_CASES(head_collapse, NULL, 4, {1, 1, 1, 1e-6f, 1e-6f}, {7, 37, 3, 1e-6f, 1e-2f},
         {2, 64, 4, 1e-6f, 1e-6f}, {1, 4096, 4, 1e-6f, 1e-6f})

/* ---- sizes ---------------------------------------------------------------------------------- */

#define WEIGHTS(n)                                                                                 \
    {                                                                                              \
        .tokens = n, .streams = 4, .epsilon = 1e-6f                                                \
    }

TS_SIZES(head_weights, tokens, TS_COUNTS(WEIGHTS), {.tokens = 4097, .streams = 1, .epsilon = 1e-6f},
         {.tokens = 17000, .streams = 4, .epsilon = 1e-6f},
         {.tokens = 2, .streams = 300, .epsilon = 1e-6f})

#define COLLAPSE(n)                                                                                \
    {                                                                                              \
        .tokens = n, .width = 40, .streams = 4, .norm_epsilon = 1e-6f, .hc_epsilon = 1e-6f         \
    }

TS_SIZES(head_collapse, tokens, TS_FEW_COUNTS(COLLAPSE),
         {.tokens = 8, .width = 4096, .streams = 4, .norm_epsilon = 1e-6f, .hc_epsilon = 1e-6f},
         {.tokens = 1, .width = 17000, .streams = 4, .norm_epsilon = 1e-6f, .hc_epsilon = 1e-6f})
