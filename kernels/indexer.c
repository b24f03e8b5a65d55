#include "kernels/inputs.h"
#include "kernels/ops.h"

enum { QUERY_Q, QUERY_ANGLES, QUERY_ROTATED, QUERY_TRANSFORMED, QUERY_QUERY };

void ts_extent_index_query(const void *args, uint64_t *elements)
{
    const struct ts_index_query_args *a = args;
    elements[QUERY_Q] = elements[QUERY_ROTATED] = elements[QUERY_TRANSFORMED] =
        elements[QUERY_QUERY] = (uint64_t)a->tokens * a->heads * a->width;
    elements[QUERY_ANGLES] = (uint64_t)a->tokens * a->rotary;
}

void ts_expand_index_query(const void *args, struct ts_expansion *expansion)
{
    const struct ts_index_query_args *a = args;
    uint32_t rows = a->tokens * a->heads;
    struct ts_rope_args rope = {
        .tokens = a->tokens, .heads = a->heads, .width = a->width, .rotary = a->rotary};
    struct ts_hadamard_args hadamard = {.rows = rows, .width = a->width};
    struct ts_fp4_round_args fp4 = {.rows = rows, .width = a->width};
    TS_ADD_STEP(expansion, rope, &rope, QUERY_Q, QUERY_ANGLES, QUERY_ROTATED);
    TS_ADD_STEP(expansion, hadamard, &hadamard, QUERY_ROTATED,
                a->round ? QUERY_TRANSFORMED : QUERY_QUERY);
    if (a->round) {
        TS_ADD_STEP(expansion, fp4_round, &fp4, QUERY_TRANSFORMED, QUERY_QUERY);
    }
}

void ts_extent_index_scores(const void *args, uint64_t *elements)
{
    const struct ts_index_scores_args *a = args;
    elements[0] = (uint64_t)a->tokens * a->heads * a->width;
    elements[1] = (uint64_t)a->tokens * a->heads;
    elements[2] = (uint64_t)a->rows * a->width;
    elements[3] = (uint64_t)a->tokens * a->rows;
}

/* Rows that token t of a call sees. */
static uint64_t visible_rows(uint64_t position, uint64_t t, uint32_t ratio, uint32_t rows)
{
    uint64_t visible = (position + t + 1) / ratio;
    return visible < rows ? visible : rows;
}

void ts_work_index_scores(const void *args, struct ts_work *work)
{
    const struct ts_index_scores_args *a = args;
    uint64_t most = 0;
    work->flops = 0;
    for (uint64_t t = 0; t < a->tokens; t++) {
        most = visible_rows(a->position, t, a->ratio, a->rows);
        work->flops += 2 * most * a->heads * (a->width + 1ull);
    }
    work->touched[2] = most * a->width;
}

void ts_extent_index_top_k(const void *args, uint64_t *elements)
{
    const struct ts_index_top_k_args *a = args;
    elements[0] = (uint64_t)a->tokens * a->rows;
    elements[1] = (uint64_t)a->tokens * a->selected;
}

void ts_work_index_top_k(const void *args, struct ts_work *work)
{
    const struct ts_index_top_k_args *a = args;
    work->flops = 0; /* comparisons only */
    work->touched[0] = 0;
    for (uint64_t t = 0; t < a->tokens; t++) {
        uint64_t visible = visible_rows(a->position, t, a->ratio, a->rows);
        work->touched[0] += visible > a->selected ? visible : 0; /* else no score is read */
    }
}

static void query_inputs(const void *args, unsigned operand, struct ts_rng *rng, uint64_t count,
                         int32_t *ids, double *values)
{
    (void)args;
    (void)ids;
    if (operand == QUERY_ANGLES) {
        ts_inputs_angles(rng, count, values);
    }
}

/* Scores of a token as they may come: all different; of nine values, both zeros among them; all equal;
 * mostly -infinity. */
static void top_k_inputs(const void *args, unsigned operand, struct ts_rng *rng, uint64_t count,
                         int32_t *ids, double *values)
{
    const struct ts_index_top_k_args *a = args;
    uint64_t kind = 0;
    (void)operand;
    (void)ids;
    for (uint64_t i = 0; i < count; i++) {
        if (i % a->rows == 0) {
            kind = i == 0 && a->rows > 65536 ? 0 : ts_rng_below(rng, 4);
        }
        if (kind == 0) {
            values[i] = (double)(float)ts_rng_bell(rng);
        } else if (kind == 1) {
            double step = (double)ts_rng_below(rng, 9) - 4;
            values[i] = step == 0 && ts_rng_below(rng, 2) ? -0.0 : step / 4;
        } else {
            uint64_t rare = ts_rng_below(rng, 40);
            values[i] = kind == 2   ? 0.75
                        : rare == 0 ? (double)-1e-40f
                        : rare == 1 ? NAN
                                    : -INFINITY;
        }
    }
}

TS_CASES(index_query, query_inputs, 6, {1, 1, 32, 2, 1}, {7, 3, 128, 64, 1}, {7, 3, 128, 64, 0},
         {2, 3, 64, 32, 1}, {1, 64, 128, 64, 1}, {33, 64, 128, 64, 1}, {4096, 64, 128, 64, 1})

TS_CASES(index_scores, NULL, 8, {3, 1, 1, 1, 1, 4, 0}, {130, 7, 3, 128, 34, 4, 0},
         {2, 9, 5, 33, 2, 4, 0}, {66, 7, 16, 128, 18, 4, 0}, {77, 3, 64, 128, 20, 4, 0},
         {250, 6, 48, 128, 64, 4, 0}, {1048575, 1, 64, 128, 1003, 4, 0},
         {1020, 33, 64, 128, 263, 4, 0}, {1048575, 1, 64, 128, 262144, 4, 0},
         {0, 4096, 64, 128, 1024, 4, 0})

TS_CASES(index_top_k, top_k_inputs, 8, {130, 7, 34, 4, 16}, {62, 7, 17, 4, 16}, {5, 9, 3, 4, 1},
         {3, 7, 0, 4, 16}, {1048568, 8, 5003, 4, 512}, {1200, 33, 308, 4, 128},
         {2044, 8, 513, 4, 512}, {2040, 8, 512, 4, 512}, {1048575, 1, 262144, 4, 512},
         {0, 4096, 1024, 4, 512})

/* ---- sizes ---------------------------------------------------------------------------------- */

#define QUERY(n)                                                                                   \
    {                                                                                              \
        .tokens = n, .heads = 3, .width = 32, .rotary = 6, .round = 1                              \
    }

TS_SIZES(index_query, tokens, TS_COUNTS(QUERY),
         {.tokens = 4097, .heads = 1, .width = 2, .rotary = 2},
         {.tokens = 2, .heads = 300, .width = 8, .rotary = 4},
         {.tokens = 1030, .heads = 64, .width = 2, .rotary = 2})

/* Each number of heads that a kernel takes; rows behind 65536; up to the model's last position. */
#define SCORES(n)                                                                                  \
    {                                                                                              \
        .position = n % 16, .tokens = n, .heads = 16, .width = 128, .rows = 3 + n % 2, .ratio = 4  \
    }
#define SCORES_HEADS(h)                                                                            \
    {                                                                                              \
        .position = 262141, .tokens = 5, .heads = h, .width = 128, .rows = 70, .ratio = 4          \
    }

TS_SIZES(index_scores, tokens, TS_COUNTS(SCORES), SCORES_HEADS(16), SCORES_HEADS(32),
         SCORES_HEADS(48), SCORES_HEADS(64), SCORES_HEADS(80),
         {.position = 262399, .tokens = 1, .heads = 16, .width = 128, .rows = 65620, .ratio = 4},
         {.position = 262410, .tokens = 5, .heads = 1, .width = 2, .rows = 65603, .ratio = 4},
         {.position = 1048570, .tokens = 3, .heads = 2, .width = 1, .rows = 262144, .ratio = 4},
         {.position = 3, .tokens = 2, .heads = 300, .width = 3, .rows = 2, .ratio = 4},
         {.position = 5, .tokens = 4097, .heads = 1, .width = 1, .rows = 3, .ratio = 4})

/* The last has more than 4 GiB of scores, of which few are seen. */
#define TOP_K(n)                                                                                   \
    {                                                                                              \
        .position = 16 + n % 7, .tokens = n, .rows = 9, .ratio = 4, .selected = 3                  \
    }

TS_SIZES(index_top_k, tokens, TS_COUNTS(TOP_K),
         {.position = 1048575, .tokens = 1, .rows = 262144, .ratio = 4, .selected = 512},
         {.position = 524400, .tokens = 3, .rows = 131090, .ratio = 4, .selected = 300},
         {.position = 262400, .tokens = 3, .rows = 0, .ratio = 4, .selected = 65602},
         {.position = 9, .tokens = 4097, .rows = 4, .ratio = 4, .selected = 1},
         {.position = 700, .tokens = 5, .rows = 1 << 28, .ratio = 4, .selected = 100})
