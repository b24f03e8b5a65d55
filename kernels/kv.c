#include "kernels/ops.h"

#include <math.h>

void ts_extent_query_row(const void *args, uint64_t *elements)
{
    const struct ts_query_row_args *a = args;
    elements[0] = elements[2] = elements[3] = (uint64_t)a->tokens * a->heads * a->width;
    elements[1] = (uint64_t)a->tokens * a->rotary;
}

void ts_expand_query_row(const void *args, struct ts_expansion *expansion)
{
    const struct ts_query_row_args *a = args;
    enum { X, ANGLES, NORMED, ROTATED };
    struct ts_rms_norm_args norm = {
        .rows = a->tokens * a->heads, .width = a->width, .epsilon = a->epsilon};
    struct ts_rope_args rope = {
        .tokens = a->tokens, .heads = a->heads, .width = a->width, .rotary = a->rotary};
    TS_ADD_STEP(expansion, rms_norm, &norm, X, TS_NO_OPERAND, NORMED);
    TS_ADD_STEP(expansion, rope, &rope, NORMED, ANGLES, ROTATED);
}

enum { KV_X, KV_NORM, KV_ANGLES, KV_NORMED, KV_ROTATED, KV_ROW };

void ts_extent_kv_row(const void *args, uint64_t *elements)
{
    const struct ts_kv_row_args *a = args;
    elements[KV_X] = elements[KV_NORMED] = elements[KV_ROTATED] = elements[KV_ROW] =
        (uint64_t)a->tokens * a->width;
    elements[KV_NORM] = a->width;
    elements[KV_ANGLES] = (uint64_t)a->tokens * a->rotary;
}

void ts_expand_kv_row(const void *args, struct ts_expansion *expansion)
{
    const struct ts_kv_row_args *a = args;
    struct ts_rms_norm_args norm = {.rows = a->tokens, .width = a->width, .epsilon = a->epsilon};
    struct ts_rope_args rope = {
        .tokens = a->tokens, .heads = 1, .width = a->width, .rotary = a->rotary};
    struct ts_fp8_round_args fp8 = {
        .rows = a->tokens, .width = a->width, .rounded = a->width - a->rotary};
    TS_ADD_STEP(expansion, rms_norm, &norm, KV_X, KV_NORM, KV_NORMED);
    if (!a->round) {
        TS_ADD_STEP(expansion, rope, &rope, KV_NORMED, KV_ANGLES, KV_ROW);
        return;
    }
    TS_ADD_STEP(expansion, rope, &rope, KV_NORMED, KV_ANGLES, KV_ROTATED);
    TS_ADD_STEP(expansion, fp8_round, &fp8, KV_ROTATED, KV_ROW);
}

static struct ts_kv_row_args row_of(const struct ts_kv_row_store_args *a)
{
    return (struct ts_kv_row_args){.tokens = a->tokens,
                                   .width = a->width,
                                   .rotary = a->rotary,
                                   .round = a->round,
                                   .epsilon = a->epsilon};
}

enum { STORE_RING = KV_ROW + 1 };

void ts_extent_kv_row_store(const void *args, uint64_t *elements)
{
    const struct ts_kv_row_store_args *a = args;
    struct ts_kv_row_args row = row_of(a);
    ts_extent_kv_row(&row, elements);
    elements[STORE_RING] = (uint64_t)a->capacity * a->width;
}

void ts_expand_kv_row_store(const void *args, struct ts_expansion *expansion)
{
    const struct ts_kv_row_store_args *a = args;
    struct ts_kv_row_args row = row_of(a);
    struct ts_ring_store_args store = {
        .position = a->position, .tokens = a->tokens, .width = a->width, .capacity = a->capacity};
    ts_expand_kv_row(&row, expansion); /* the operands have the same places */
    TS_ADD_STEP(expansion, ring_store, &store, KV_ROW, STORE_RING);
}

void ts_extent_ring_store(const void *args, uint64_t *elements)
{
    const struct ts_ring_store_args *a = args;
    elements[0] = (uint64_t)a->tokens * a->width;
    elements[1] = (uint64_t)a->capacity * a->width;
}

void ts_work_ring_store(const void *args, struct ts_work *work)
{
    const struct ts_ring_store_args *a = args;
    uint64_t rows = a->tokens < a->capacity ? a->tokens : a->capacity;
    work->flops = 0;
    work->touched[0] = work->touched[1] = rows * a->width;
}

/* Numbers of very different size: the round trips have small codes and large ones. */
static void wide_inputs(const void *args, unsigned operand, struct ts_rng *rng, uint64_t count,
                        int32_t *ids, double *values)
{
    (void)args;
    (void)ids;
    for (uint64_t i = 0; operand == KV_X && i < count; i++) {
        values[i] = ldexp(ts_rng_bell(rng), -(int)ts_rng_below(rng, 16));
    }
}

TS_CASES(query_row, NULL, 4, {1, 1, 2, 2, 1e-6f}, {7, 3, 96, 64, 1e-6f}, {1, 64, 512, 64, 1e-6f},
         {33, 5, 512, 64, 1e-6f}, {512, 64, 512, 64, 1e-6f})

TS_CASES(kv_row, wide_inputs, 5, {1, 66, 2, 1, 1e-6f}, {7, 512, 64, 1, 1e-6f}, {7, 75, 6, 0, 1e-6f},
         {1, 512, 64, 1, 1e-6f}, {64, 512, 64, 1, 1e-6f}, {4096, 512, 64, 1, 1e-6f})

TS_CASES(ring_store, NULL, 4, {0, 1, 1, 1, 0}, {5, 3, 96, 128, 0}, {1000, 300, 96, 128, 0},
         {1048575, 1, 512, 128, 0}, {4000, 4096, 1024, 8, 0})

TS_CASES(kv_row_store, wide_inputs, 4, {0, 1, 66, 2, 1, 1, 1e-6f}, {126, 5, 75, 6, 0, 128, 1e-6f},
         {1048573, 1, 512, 64, 1, 128, 1e-6f}, {2, 3, 128, 64, 1, 4, 1e-6f})

/* ---- sizes ---------------------------------------------------------------------------------- */

#define QUERY(n)                                                                                   \
    {                                                                                              \
        .tokens = n, .heads = 3, .width = 20, .rotary = 6, .epsilon = 1e-6f                        \
    }

TS_SIZES(query_row, tokens, TS_COUNTS(QUERY),
         {.tokens = 4097, .heads = 1, .width = 4, .rotary = 2, .epsilon = 1e-6f},
         {.tokens = 2, .heads = 64, .width = 512, .rotary = 64, .epsilon = 1e-6f},
         {.tokens = 2, .heads = 300, .width = 10, .rotary = 4, .epsilon = 1e-6f},
         {.tokens = 2, .heads = 2, .width = 1024, .rotary = 600, .epsilon = 1e-6f},
         {.tokens = 1030, .heads = 64, .width = 4, .rotary = 2, .epsilon = 1e-6f})

#define KV(n)                                                                                      \
    {                                                                                              \
        .tokens = n, .width = 70, .rotary = 6, .round = 1, .epsilon = 1e-6f                        \
    }

TS_SIZES(kv_row, tokens, TS_COUNTS(KV), {.tokens = 4097, .width = 4, .rotary = 2, .epsilon = 1e-6f},
         {.tokens = 2, .width = 1024, .rotary = 64, .round = 1, .epsilon = 1e-6f})

/* Rings that a call fills to the last row, or but for one. */
#define RING(n)                                                                                    \
    {                                                                                              \
        .position = 1048576 - n, .tokens = n, .width = 20, .capacity = 128                         \
    }

TS_SIZES(ring_store, tokens, TS_COUNTS(RING),
         {.position = 1048000, .tokens = 130, .width = 300, .capacity = 131},
         {.position = 65530, .tokens = 8, .width = 3, .capacity = 8},
         {.position = 262140, .tokens = 9, .width = 1030, .capacity = 8},
         {.position = 300, .tokens = 4097, .width = 2, .capacity = 4098},
         {.position = 70000, .tokens = 3, .width = 66000, .capacity = 2})

#define STORE(n)                                                                                   \
    {                                                                                              \
        .position = 1048576 - n / 2, .tokens = n, .width = 70, .rotary = 6, .round = 1,            \
        .capacity = n <= 128 ? 128 : 2 * n, .epsilon = 1e-6f                                       \
    }
#define STORE_FULL(n)                                                                              \
    {                                                                                              \
        .position = 65530 + n, .tokens = n, .width = 8, .rotary = 2, .capacity = n,                \
        .epsilon = 1e-6f                                                                           \
    }

TS_SIZES(kv_row_store, tokens, TS_COUNTS(STORE), TS_COUNTS(STORE_FULL),
         {.position = 1048570,
          .tokens = 5,
          .width = 512,
          .rotary = 64,
          .round = 1,
          .capacity = 128,
          .epsilon = 1e-6f},
         {.position = 262144,
          .tokens = 4097,
          .width = 4,
          .rotary = 2,
          .capacity = 4099,
          .epsilon = 1e-6f})
