#include "kernels/ops.h"

#include <math.h>

/* Fewest experts that `tokens` tokens with `used` each can touch, in elements of one matrix. Which
 * experts are touched depends on the data, so the floor is that all tokens choose the same. */
static uint64_t least_experts(uint32_t used, uint32_t rows, uint32_t columns)
{
    return (uint64_t)used * rows * columns;
}

void ts_extent_expert_sort(const void *args, uint64_t *elements)
{
    const struct ts_expert_sort_args *a = args;
    elements[0] = elements[1] = (uint64_t)a->tokens * a->used;
    elements[2] = 3ull * a->tiles;
}

void ts_work_expert_sort(const void *args, struct ts_work *work)
{
    (void)args; /* counts and moves */
    (void)work;
}

void ts_extent_expert_matmul(const void *args, uint64_t *elements)
{
    const struct ts_expert_matmul_args *a = args;
    elements[0] = (uint64_t)a->tokens * (a->per_slot ? a->used : 1) * a->columns;
    elements[1] = (uint64_t)a->experts * a->rows * a->columns;
    elements[2] = (uint64_t)a->tokens * a->used;
    elements[3] = a->tiles > 0 ? elements[2] : 0;
    elements[4] = 3ull * a->tiles;
    elements[5] = elements[2] * a->rows;
}

void ts_work_expert_matmul(const void *args, struct ts_work *work)
{
    const struct ts_expert_matmul_args *a = args;
    work->flops = 2ull * a->tokens * a->used * a->rows * a->columns;
    work->touched[1] = a->tokens > 0 ? least_experts(a->used, a->rows, a->columns) : 0;
}

void ts_extent_swiglu(const void *args, uint64_t *elements)
{
    const struct ts_swiglu_args *a = args;
    elements[0] = elements[1] = elements[3] = (uint64_t)a->rows * a->width;
    elements[2] = a->rows;
}

void ts_work_swiglu(const void *args, struct ts_work *work)
{
    const struct ts_swiglu_args *a = args;
    work->flops = 5ull * a->rows * a->width; /* exp, add, divide, two products */
}

void ts_extent_expert_sum(const void *args, uint64_t *elements)
{
    const struct ts_expert_sum_args *a = args;
    elements[1] = elements[2] = (uint64_t)a->tokens * a->width;
    elements[0] = elements[1] * a->used;
}

void ts_work_expert_sum(const void *args, struct ts_work *work)
{
    const struct ts_expert_sum_args *a = args;
    work->flops = (uint64_t)a->tokens * a->used * a->width;
}

enum {
    UP_X,
    UP_GATE,
    UP_UP,
    UP_SHARED_GATE,
    UP_SHARED_UP,
    UP_IDS,
    UP_WEIGHTS,
    UP_ORDER,
    UP_TILE_LIST,
    UP_A,
    UP_B,
    UP_C,
    UP_D,
    UP_HIDDEN,
    UP_SHARED_HIDDEN
};

void ts_extent_moe_gate_up(const void *args, uint64_t *elements)
{
    const struct ts_moe_gate_up_args *a = args;
    elements[UP_X] = (uint64_t)a->tokens * a->columns;
    elements[UP_GATE] = elements[UP_UP] = (uint64_t)a->experts * a->rows * a->columns;
    elements[UP_SHARED_GATE] = elements[UP_SHARED_UP] = (uint64_t)a->shared_rows * a->columns;
    elements[UP_IDS] = elements[UP_WEIGHTS] = (uint64_t)a->tokens * a->used;
    elements[UP_ORDER] = a->tiles > 0 ? elements[UP_IDS] : 0;
    elements[UP_TILE_LIST] = 3ull * a->tiles;
    elements[UP_A] = elements[UP_B] = elements[UP_HIDDEN] = elements[UP_IDS] * a->rows;
    elements[UP_C] = elements[UP_D] = elements[UP_SHARED_HIDDEN] =
        (uint64_t)a->tokens * a->shared_rows;
}

void ts_expand_moe_gate_up(const void *args, struct ts_expansion *expansion)
{
    const struct ts_moe_gate_up_args *a = args;
    struct ts_expert_matmul_args routed = {.tokens = a->tokens,
                                           .used = a->used,
                                           .experts = a->experts,
                                           .rows = a->rows,
                                           .columns = a->columns,
                                           .tiles = a->tiles};
    struct ts_matmul_args shared = {
        .tokens = a->tokens, .rows = a->shared_rows, .columns = a->columns};
    struct ts_swiglu_args swiglu = {
        .rows = a->tokens * a->used, .width = a->rows, .limit = a->limit};
    struct ts_swiglu_args shared_swiglu = {
        .rows = a->tokens, .width = a->shared_rows, .limit = a->shared_limit};
    TS_ADD_STEP(expansion, expert_matmul, &routed, UP_X, UP_GATE, UP_IDS, UP_ORDER, UP_TILE_LIST,
                UP_A);
    TS_ADD_STEP(expansion, expert_matmul, &routed, UP_X, UP_UP, UP_IDS, UP_ORDER, UP_TILE_LIST,
                UP_B);
    TS_ADD_STEP(expansion, swiglu, &swiglu, UP_A, UP_B, UP_WEIGHTS, UP_HIDDEN);
    TS_ADD_STEP(expansion, matmul, &shared, UP_X, UP_SHARED_GATE, UP_C);
    TS_ADD_STEP(expansion, matmul, &shared, UP_X, UP_SHARED_UP, UP_D);
    TS_ADD_STEP(expansion, swiglu, &shared_swiglu, UP_C, UP_D, TS_NO_OPERAND, UP_SHARED_HIDDEN);
}

enum {
    DOWN_HIDDEN,
    DOWN_DOWN,
    DOWN_IDS,
    DOWN_ORDER,
    DOWN_TILE_LIST,
    DOWN_SHARED_HIDDEN,
    DOWN_SHARED_DOWN,
    DOWN_STREAMS,
    DOWN_POST,
    DOWN_COMB,
    DOWN_ROUTED,
    DOWN_SHARED,
    DOWN_SUM,
    DOWN_EXPANDED
};

void ts_extent_moe_down_expand(const void *args, uint64_t *elements)
{
    const struct ts_moe_down_expand_args *a = args;
    elements[DOWN_IDS] = (uint64_t)a->tokens * a->used;
    elements[DOWN_ORDER] = a->tiles > 0 ? elements[DOWN_IDS] : 0;
    elements[DOWN_TILE_LIST] = 3ull * a->tiles;
    elements[DOWN_HIDDEN] = elements[DOWN_IDS] * a->columns;
    elements[DOWN_DOWN] = (uint64_t)a->experts * a->rows * a->columns;
    elements[DOWN_SHARED_HIDDEN] = (uint64_t)a->tokens * a->shared_columns;
    elements[DOWN_SHARED_DOWN] = (uint64_t)a->rows * a->shared_columns;
    elements[DOWN_SHARED] = elements[DOWN_SUM] = (uint64_t)a->tokens * a->rows;
    elements[DOWN_ROUTED] = elements[DOWN_IDS] * a->rows;
    elements[DOWN_STREAMS] = elements[DOWN_EXPANDED] = elements[DOWN_SUM] * a->streams;
    elements[DOWN_POST] = (uint64_t)a->tokens * a->streams;
    elements[DOWN_COMB] = elements[DOWN_POST] * a->streams;
}

void ts_expand_moe_down_expand(const void *args, struct ts_expansion *expansion)
{
    const struct ts_moe_down_expand_args *a = args;
    struct ts_expert_matmul_args routed = {.tokens = a->tokens,
                                           .used = a->used,
                                           .experts = a->experts,
                                           .rows = a->rows,
                                           .columns = a->columns,
                                           .per_slot = 1,
                                           .tiles = a->tiles};
    struct ts_matmul_args shared = {
        .tokens = a->tokens, .rows = a->rows, .columns = a->shared_columns};
    struct ts_expert_sum_args sum = {.tokens = a->tokens, .used = a->used, .width = a->rows};
    struct ts_hc_expand_args expand = {
        .tokens = a->tokens, .width = a->rows, .streams = a->streams};
    TS_ADD_STEP(expansion, expert_matmul, &routed, DOWN_HIDDEN, DOWN_DOWN, DOWN_IDS, DOWN_ORDER,
                DOWN_TILE_LIST, DOWN_ROUTED);
    TS_ADD_STEP(expansion, matmul, &shared, DOWN_SHARED_HIDDEN, DOWN_SHARED_DOWN, DOWN_SHARED);
    TS_ADD_STEP(expansion, expert_sum, &sum, DOWN_ROUTED, DOWN_SHARED, DOWN_SUM);
    TS_ADD_STEP(expansion, hc_expand, &expand, DOWN_SUM, DOWN_STREAMS, DOWN_POST, DOWN_COMB,
                DOWN_EXPANDED);
}

/* ---- cases ---------------------------------------------------------------------------------- */

/* What token t uses as its k-th expert in the cases: some experts often, each at most once a token; of very
 * many the last one and others down to the first. It depends on the sizes alone, because ids, order and
 * tile_list must agree. */
static int32_t case_expert(uint32_t experts, uint64_t t, uint64_t k)
{
    if (experts > 256) {
        return (int32_t)((experts - 1 - (k * (experts / 7) + t) % experts));
    }
    uint64_t draw = (t + 1) * 2654435761u >> 7 & 1023;
    return (int32_t)((draw * draw * experts / (1 << 20) + k) % experts);
}

/* Fills ids, order or tile_list, as `what` says: 0, 1, 2. */
static void case_indices(int what, uint32_t tokens, uint32_t used, uint32_t experts, uint64_t count,
                         int32_t *values)
{
    uint64_t slots = (uint64_t)tokens * used, place = 0, tile = 0;
    for (uint64_t i = 0; i < count; i++) {
        values[i] = what == 0 ? case_expert(experts, i / used, i % used) : -1;
    }
    for (uint32_t e = 0; e < experts && what > 0; e++) {
        uint64_t first = place;
        for (uint64_t i = 0; i < slots; i++) {
            if (case_expert(experts, i / used, i % used) == (int32_t)e) {
                if (what == 1) {
                    values[place] = (int32_t)i;
                }
                place++;
            }
        }
        for (; first < place && what == 2; first += TS_EXPERT_TILE, tile++) {
            uint64_t left = place - first;
            values[3 * tile] = (int32_t)e;
            values[3 * tile + 1] = (int32_t)first;
            values[3 * tile + 2] = (int32_t)(left < TS_EXPERT_TILE ? left : TS_EXPERT_TILE);
        }
    }
}

static void inputs_expert_sort(const void *args, unsigned operand, struct ts_rng *rng,
                               uint64_t count, int32_t *ids, double *values)
{
    const struct ts_expert_sort_args *a = args;
    (void)operand;
    (void)values;
    for (uint64_t i = 0; i < count; i++) { /* the first experts often, the last ones hardly ever */
        uint64_t most = 1 + ts_rng_below(rng, a->experts);
        ids[i] = (int32_t)ts_rng_below(rng, most);
    }
}

static void inputs_expert_matmul(const void *args, unsigned operand, struct ts_rng *rng,
                                 uint64_t count, int32_t *ids, double *values)
{
    const struct ts_expert_matmul_args *a = args;
    (void)rng;
    (void)values;
    if (ids) {
        case_indices((int)operand - 2, a->tokens, a->used, a->experts, count, ids);
    }
}

/* Gates and ups on both sides of the limit. */
static void inputs_swiglu(const void *args, unsigned operand, struct ts_rng *rng, uint64_t count,
                          int32_t *ids, double *values)
{
    (void)args;
    (void)rng;
    (void)ids;
    for (uint64_t i = 0; i < count && operand < 2; i++) {
        values[i] *= 8;
    }
}

static void inputs_moe_gate_up(const void *args, unsigned operand, struct ts_rng *rng,
                               uint64_t count, int32_t *ids, double *values)
{
    const struct ts_moe_gate_up_args *a = args;
    (void)rng;
    (void)values;
    if (ids) {
        int what = operand == UP_IDS ? 0 : operand == UP_ORDER ? 1 : 2;
        case_indices(what, a->tokens, a->used, a->experts, count, ids);
    }
}

static void inputs_moe_down_expand(const void *args, unsigned operand, struct ts_rng *rng,
                                   uint64_t count, int32_t *ids, double *values)
{
    const struct ts_moe_down_expand_args *a = args;
    (void)rng;
    if (ids) {
        case_indices((int)operand - DOWN_IDS, a->tokens, a->used, a->experts, count, ids);
    }
    for (uint64_t i = 0; i < count && operand == DOWN_COMB; i++) {
        values[i] = fabs(values[i]);
    }
}

TS_CASES(expert_sort, inputs_expert_sort, 5, {1, 1, 1, 1}, {11, 6, 8, TS_EXPERT_TILES(66, 8)},
         {9, 6, 256, TS_EXPERT_TILES(54, 256)}, {171, 6, 9, TS_EXPERT_TILES(1026, 9)},
         {64, 6, 300, TS_EXPERT_TILES(384, 300)}, {4096, 6, 256, TS_EXPERT_TILES(24576, 256)})

TS_CASES(expert_matmul, inputs_expert_matmul, 10, {1, 1, 1, 1, 1, 0, 0},
         {40, 2, 2, 66, 256, 0, TS_EXPERT_TILES(80, 2)}, {7, 6, 8, 97, 33, 1, 0},
         {1, 6, 9, 66, 256, 0, 0}, {3, 3, 8, 37, 768, 1, 0}, {1, 6, 12, 32, 4096, 0, 0},
         {33, 6, 8, 66, 256, 0, TS_EXPERT_TILES(198, 8)},
         {70, 3, 5, 65, 32, 1, TS_EXPERT_TILES(210, 5)},
         {11, 2, 3, 3, 45, 0, TS_EXPERT_TILES(22, 3)},
         {33, 6, 16, 64, 2048, 1, TS_EXPERT_TILES(198, 16)},
         {1024, 6, 32, 512, 4096, 0, TS_EXPERT_TILES(6144, 32)})

TS_CASES_WITHOUT(swiglu, 1 << 2, inputs_swiglu, 6, {1, 1, 0}, {7, 96, 10}, {12, 2049, 7},
                 {3, 300, 5}, {4, 130, 0}, {2, 64, 100}, {6144, 2048, 10})

TS_CASES(expert_sum, NULL, 3, {1, 1, 1}, {7, 6, 97}, {2, 6, 4096}, {1024, 6, 4096})

TS_CASES(moe_gate_up, inputs_moe_gate_up, 6, {1, 1, 1, 1, 1, 1, 0, 0, 0},
         {1, 3, 8, 97, 32, 33, 0, 0.5f, 0.25f}, {1, 6, 9, 34, 256, 70, 0, 0.25f, 0.5f},
         {1, 6, 8, 70, 4096, 45, 0, 10, 10}, {9, 3, 5, 21, 256, 19, TS_EXPERT_TILES(27, 5), 1, 1},
         {1, 2, 3, 19, 512, 37, 0, 0, 0},
         {512, 6, 32, 512, 4096, 512, TS_EXPERT_TILES(3072, 32), 10, 10})

TS_CASES(moe_down_expand, inputs_moe_down_expand, 6, {1, 1, 1, 1, 1, 1, 1, 0},
         {1, 3, 8, 33, 96, 32, 3, 0}, {1, 6, 9, 70, 256, 512, 4, 0},
         {1, 6, 8, 130, 2048, 2048, 4, 0}, {9, 3, 5, 21, 256, 64, 4, TS_EXPERT_TILES(27, 5)},
         {1, 2, 3, 19, 256, 32, 3, 0}, {512, 6, 32, 1024, 2048, 2048, 4, TS_EXPERT_TILES(3072, 32)})

/* ---- sizes ---------------------------------------------------------------------------------- */

#define SORT(n, u, e)                                                                              \
    {                                                                                              \
        .tokens = n, .used = u, .experts = e, .tiles = TS_EXPERT_TILES(n * u, e)                   \
    }
#define SORT_COUNT(n) SORT(n, 3, 7)

TS_SIZES(expert_sort, tokens, TS_COUNTS(SORT_COUNT), SORT(4097, 1, 2), SORT(12000, 6, 7),
         SORT(9, 6, 2048), SORT(2, 300, 400))

/* Experts of which the last lie beyond 4 GiB, in each format; an expert with thousands of slots. */
#define EXPERTS(n, u, e, r, c)                                                                     \
    {                                                                                              \
        .tokens = n, .used = u, .experts = e, .rows = r, .columns = c, .per_slot = n % 2,          \
        .tiles = TS_EXPERT_TILES(n * u, e)                                                         \
    }
#define EXPERTS_COUNT(n) EXPERTS(n, 2, 3, 5, 256)
#define EXPERTS_FAR(e) EXPERTS(1, 2, e, 8, 4096)

TS_SIZES(expert_matmul, tokens, TS_COUNTS(EXPERTS_COUNT), EXPERTS(3000, 1, 1, 3, 32),
         EXPERTS(2, 6, 300, 7, 256), EXPERTS(1, 2, 2, 4163, 256), EXPERTS(2, 1, 1, 3, 16384),
         EXPERTS(1, 1, 1, 2, 66048), EXPERTS(3, 40, 50, 5, 256), EXPERTS_FAR(32770),
         EXPERTS_FAR(65540), EXPERTS_FAR(125000), EXPERTS_FAR(250000), EXPERTS_FAR(412500),
         EXPERTS_FAR(525000))

#define SWIGLU(n)                                                                                  \
    {                                                                                              \
        .rows = n, .width = 20, .limit = 10                                                        \
    }

TS_SIZES(swiglu, rows, TS_COUNTS(SWIGLU), {.rows = 4097, .width = 3}, {.rows = 66000, .width = 2},
         {.rows = 2, .width = 16385, .limit = 7}, {.rows = 1, .width = 66000})

#define SUM(n)                                                                                     \
    {                                                                                              \
        .tokens = n, .used = 3, .width = 20                                                        \
    }

TS_SIZES(expert_sum, tokens, TS_COUNTS(SUM), {.tokens = 4097, .used = 2, .width = 3},
         {.tokens = 2, .used = 300, .width = 5}, {.tokens = 2, .used = 6, .width = 16385},
         {.tokens = 1, .used = 1, .width = 66000})

#define GATE_UP(u, e, r, c, s)                                                                     \
    {                                                                                              \
        .tokens = 1, .used = u, .experts = e, .rows = r, .columns = c, .shared_rows = s,           \
        .limit = 10, .shared_limit = 10                                                            \
    }
#define GATE_UP_FAR(e) GATE_UP(2, e, 8, 4096, 5)

TS_SIZES(moe_gate_up, tokens, GATE_UP(6, 300, 11, 256, 6), GATE_UP(2, 2, 4163, 256, 67),
         GATE_UP(1, 2, 66, 256, 4163), GATE_UP(1, 1, 3, 66048, 2), GATE_UP(40, 50, 5, 256, 6),
         GATE_UP_FAR(32770), GATE_UP_FAR(65540), GATE_UP_FAR(125000), GATE_UP_FAR(250000),
         GATE_UP_FAR(412500), GATE_UP_FAR(525000))

#define DOWN(u, e, r, c, s)                                                                        \
    {                                                                                              \
        .tokens = 1, .used = u, .experts = e, .rows = r, .columns = c, .shared_columns = s,        \
        .streams = 4                                                                               \
    }
#define DOWN_FAR(e) DOWN(2, e, 8, 4096, 32)

TS_SIZES(moe_down_expand, tokens, DOWN(6, 300, 11, 256, 64), DOWN(2, 2, 4163, 256, 64),
         DOWN(1, 1, 3, 66048, 32), DOWN(1, 1, 3, 256, 66048), DOWN(40, 50, 5, 256, 32),
         DOWN_FAR(32770), DOWN_FAR(65540), DOWN_FAR(125000), DOWN_FAR(250000), DOWN_FAR(412500),
         DOWN_FAR(525000))
