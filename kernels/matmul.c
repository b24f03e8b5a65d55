#include "kernels/ops.h"

#include <math.h>

void ts_extent_matmul(const void *args, uint64_t *elements)
{
    const struct ts_matmul_args *a = args;
    elements[0] = (uint64_t)a->tokens * a->columns;
    elements[1] = (uint64_t)a->rows * a->columns;
    elements[2] = (uint64_t)a->tokens * a->rows;
}

void ts_work_matmul(const void *args, struct ts_work *work)
{
    const struct ts_matmul_args *a = args;
    work->flops = 2ull * a->tokens * a->rows * a->columns;
}

enum { PAIR_X, PAIR_WA, PAIR_WB, PAIR_YA, PAIR_YB };

void ts_extent_matmul_pair(const void *args, uint64_t *elements)
{
    const struct ts_matmul_pair_args *a = args;
    elements[PAIR_X] = (uint64_t)a->tokens * a->columns;
    elements[PAIR_WA] = (uint64_t)a->rows_a * a->columns;
    elements[PAIR_WB] = (uint64_t)a->rows_b * a->columns;
    elements[PAIR_YA] = (uint64_t)a->tokens * a->rows_a;
    elements[PAIR_YB] = (uint64_t)a->tokens * a->rows_b;
}

void ts_expand_matmul_pair(const void *args, struct ts_expansion *expansion)
{
    const struct ts_matmul_pair_args *a = args;
    struct ts_matmul_args first = {.tokens = a->tokens, .rows = a->rows_a, .columns = a->columns};
    struct ts_matmul_args second = {.tokens = a->tokens, .rows = a->rows_b, .columns = a->columns};
    TS_ADD_STEP(expansion, matmul, &first, PAIR_X, PAIR_WA, PAIR_YA);
    TS_ADD_STEP(expansion, matmul, &second, PAIR_X, PAIR_WB, PAIR_YB);
}

TS_CASES(matmul_pair, NULL, 6, {1, 1, 1, 1}, {7, 5, 6, 32}, {3, 9, 4, 256}, {1, 1024, 512, 4096},
         {1, 5, 7, 256}, {2, 33, 3, 43}, {12, 6, 7, 96})

void ts_extent_matmul_grouped(const void *args, uint64_t *elements)
{
    const struct ts_matmul_grouped_args *a = args;
    elements[0] = (uint64_t)a->tokens * a->groups * a->columns;
    elements[1] = (uint64_t)a->groups * a->rows * a->columns;
    elements[2] = (uint64_t)a->tokens * a->groups * a->rows;
}

void ts_work_matmul_grouped(const void *args, struct ts_work *work)
{
    const struct ts_matmul_grouped_args *a = args;
    work->flops = 2ull * a->tokens * a->groups * a->rows * a->columns;
}

enum { EXPAND_X, EXPAND_W, EXPAND_STREAMS, EXPAND_POST, EXPAND_COMB, EXPAND_Y, EXPAND_EXPANDED };

void ts_extent_matmul_expand(const void *args, uint64_t *elements)
{
    const struct ts_matmul_expand_args *a = args;
    elements[EXPAND_X] = (uint64_t)a->tokens * a->columns;
    elements[EXPAND_W] = (uint64_t)a->rows * a->columns;
    elements[EXPAND_Y] = (uint64_t)a->tokens * a->rows;
    elements[EXPAND_STREAMS] = elements[EXPAND_EXPANDED] = elements[EXPAND_Y] * a->streams;
    elements[EXPAND_POST] = (uint64_t)a->tokens * a->streams;
    elements[EXPAND_COMB] = elements[EXPAND_POST] * a->streams;
}

void ts_expand_matmul_expand(const void *args, struct ts_expansion *expansion)
{
    const struct ts_matmul_expand_args *a = args;
    struct ts_matmul_args matmul = {.tokens = a->tokens, .rows = a->rows, .columns = a->columns};
    struct ts_hc_expand_args expand = {
        .tokens = a->tokens, .width = a->rows, .streams = a->streams};
    TS_ADD_STEP(expansion, matmul, &matmul, EXPAND_X, EXPAND_W, EXPAND_Y);
    TS_ADD_STEP(expansion, hc_expand, &expand, EXPAND_Y, EXPAND_STREAMS, EXPAND_POST, EXPAND_COMB,
                EXPAND_EXPANDED);
}

static void inputs_matmul_expand(const void *args, unsigned operand, struct ts_rng *rng,
                                 uint64_t count, int32_t *ids, double *values)
{
    (void)args;
    (void)rng;
    (void)ids;
    for (uint64_t i = 0; i < count && operand == EXPAND_COMB; i++) {
        values[i] = fabs(values[i]);
    }
}

TS_CASES(matmul, NULL, 14, {1, 1, 1}, {1, 5, 33}, {1, 37, 256}, {1, 130, 1024}, {1, 4096, 4096},
         {2, 3, 1}, {3, 34, 544}, {8, 66, 768}, {5, 1024, 4096}, {9, 1, 1}, {33, 65, 39},
         {32, 64, 512}, {41, 129, 1280}, {64, 4096, 1024}, {1, 129280, 4096}, {4096, 4096, 4096})

TS_CASES(matmul_grouped, NULL, 8, {1, 1, 1, 1}, {1, 3, 35, 768}, {7, 2, 33, 512}, {1, 3, 67, 45},
         {5, 3, 98, 32}, {1, 8, 18, 4096}, {33, 2, 66, 256}, {70, 3, 5, 75}, {128, 8, 1024, 4096},
         {4096, 8, 64, 4096})

TS_CASES(matmul_expand, inputs_matmul_expand, 6, {1, 1, 1, 1}, {3, 65, 512, 4}, {7, 97, 32, 3},
         {1, 66, 256, 4}, {1, 18, 8192, 4}, {9, 33, 96, 4}, {128, 4096, 8192, 4})

/* ---- sizes ---------------------------------------------------------------------------------- */

/* Rows of few columns behind 4096 and 65536, and few rows of many columns; columns of 32 where that is a
 * block. */
#define MATMUL(n)                                                                                  \
    {                                                                                              \
        .tokens = n, .rows = 5 + n % 3, .columns = 256                                             \
    }

TS_SIZES(matmul, tokens, TS_COUNTS(MATMUL), {.tokens = 1, .rows = 4163, .columns = 256},
         {.tokens = 1, .rows = 65601, .columns = 32}, {.tokens = 1, .rows = 65601, .columns = 256},
         {.tokens = 2, .rows = 65601, .columns = 256}, {.tokens = 9, .rows = 4163, .columns = 32},
         {.tokens = 2, .rows = 35, .columns = 4096}, {.tokens = 1, .rows = 67, .columns = 8192},
         {.tokens = 33, .rows = 66, .columns = 4096}, {.tokens = 1, .rows = 3, .columns = 66048},
         {.tokens = 1100, .rows = 2, .columns = 32})

#define PAIR(n)                                                                                    \
    {                                                                                              \
        .tokens = n, .rows_a = 5 + n % 3, .rows_b = 4, .columns = 256                              \
    }

TS_SIZES(matmul_pair, tokens, TS_FEW_COUNTS(PAIR),
         {.tokens = 1, .rows_a = 4163, .rows_b = 67, .columns = 256},
         {.tokens = 2, .rows_a = 66, .rows_b = 4163, .columns = 256},
         {.tokens = 2, .rows_a = 3, .rows_b = 5, .columns = 16384},
         {.tokens = 1, .rows_a = 2, .rows_b = 3, .columns = 66048})

#define GROUPED(n)                                                                                 \
    {                                                                                              \
        .tokens = n, .groups = 2, .rows = 5 + n % 3, .columns = 256                                \
    }

TS_SIZES(matmul_grouped, tokens, TS_COUNTS(GROUPED),
         {.tokens = 1, .groups = 8, .rows = 1031, .columns = 256},
         {.tokens = 9, .groups = 8, .rows = 1031, .columns = 32},
         {.tokens = 9, .groups = 1, .rows = 4163, .columns = 32},
         {.tokens = 2, .groups = 300, .rows = 3, .columns = 32},
         {.tokens = 33, .groups = 2, .rows = 66, .columns = 4096},
         {.tokens = 1, .groups = 2, .rows = 3, .columns = 33024},
         {.tokens = 1100, .groups = 2, .rows = 2, .columns = 32})

#define MATMUL_EXPAND(n)                                                                           \
    {                                                                                              \
        .tokens = n, .rows = 5 + n % 3, .columns = 256, .streams = 4                               \
    }

TS_SIZES(matmul_expand, tokens, TS_FEW_COUNTS(MATMUL_EXPAND),
         {.tokens = 1, .rows = 4163, .columns = 256, .streams = 4},
         {.tokens = 2, .rows = 7, .columns = 8192, .streams = 4},
         {.tokens = 1, .rows = 3, .columns = 66048, .streams = 4},
         {.tokens = 2, .rows = 5, .columns = 32, .streams = 40})
