#include "kernels/ops.h"

/* Fewest experts that `tokens` tokens with `used` each can touch, in elements of one matrix. Which
 * experts are touched depends on the data, so the floor is that all tokens choose the same. */
static uint64_t least_experts(uint32_t used, uint32_t rows, uint32_t columns)
{
    return (uint64_t)used * rows * columns;
}

void ts_extent_expert_matmul(const void *args, uint64_t *elements)
{
    const struct ts_expert_matmul_args *a = args;
    elements[0] = (uint64_t)a->tokens * (a->per_slot ? a->used : 1) * a->columns;
    elements[1] = (uint64_t)a->experts * a->rows * a->columns;
    elements[2] = (uint64_t)a->tokens * a->used;
    elements[3] = elements[2] * a->rows;
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

void ts_extent_expert_gate_up(const void *args, uint64_t *elements)
{
    const struct ts_expert_gate_up_args *a = args;
    elements[0] = (uint64_t)a->tokens * a->columns;
    elements[1] = elements[2] = (uint64_t)a->experts * a->rows * a->columns;
    elements[3] = elements[4] = (uint64_t)a->tokens * a->used;
    elements[5] = elements[6] = elements[7] = elements[3] * a->rows;
}

void ts_expand_expert_gate_up(const void *args, struct ts_expansion *expansion)
{
    const struct ts_expert_gate_up_args *a = args;
    enum { X, GATE, UP, IDS, WEIGHTS, A, B, HIDDEN };
    struct ts_expert_matmul_args matmul = {.tokens = a->tokens,
                                           .used = a->used,
                                           .experts = a->experts,
                                           .rows = a->rows,
                                           .columns = a->columns};
    struct ts_swiglu_args swiglu = {
        .rows = a->tokens * a->used, .width = a->rows, .limit = a->limit};
    ts_expansion_add(expansion, TS_OP_expert_matmul, &matmul, (uint8_t[]){X, GATE, IDS, A});
    ts_expansion_add(expansion, TS_OP_expert_matmul, &matmul, (uint8_t[]){X, UP, IDS, B});
    ts_expansion_add(expansion, TS_OP_swiglu, &swiglu, (uint8_t[]){A, B, WEIGHTS, HIDDEN});
}

void ts_extent_shared_gate_up(const void *args, uint64_t *elements)
{
    const struct ts_shared_gate_up_args *a = args;
    elements[0] = (uint64_t)a->tokens * a->columns;
    elements[1] = elements[2] = (uint64_t)a->rows * a->columns;
    elements[3] = elements[4] = elements[5] = (uint64_t)a->tokens * a->rows;
}

void ts_expand_shared_gate_up(const void *args, struct ts_expansion *expansion)
{
    const struct ts_shared_gate_up_args *a = args;
    enum { X, GATE, UP, A, B, HIDDEN };
    struct ts_matmul_args matmul = {.tokens = a->tokens, .rows = a->rows, .columns = a->columns};
    struct ts_swiglu_args swiglu = {.rows = a->tokens, .width = a->rows, .limit = a->limit};
    ts_expansion_add(expansion, TS_OP_matmul, &matmul, (uint8_t[]){X, GATE, A});
    ts_expansion_add(expansion, TS_OP_matmul, &matmul, (uint8_t[]){X, UP, B});
    ts_expansion_add(expansion, TS_OP_swiglu, &swiglu, (uint8_t[]){A, B, TS_NO_OPERAND, HIDDEN});
}

enum {
    DOWN_HIDDEN,
    DOWN_DOWN,
    DOWN_IDS,
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
                                           .per_slot = 1};
    struct ts_matmul_args shared = {
        .tokens = a->tokens, .rows = a->rows, .columns = a->shared_columns};
    struct ts_expert_sum_args sum = {.tokens = a->tokens, .used = a->used, .width = a->rows};
    struct ts_hc_expand_args expand = {
        .tokens = a->tokens, .width = a->rows, .streams = a->streams};
    ts_expansion_add(expansion, TS_OP_expert_matmul, &routed,
                     (uint8_t[]){DOWN_HIDDEN, DOWN_DOWN, DOWN_IDS, DOWN_ROUTED});
    ts_expansion_add(expansion, TS_OP_matmul, &shared,
                     (uint8_t[]){DOWN_SHARED_HIDDEN, DOWN_SHARED_DOWN, DOWN_SHARED});
    ts_expansion_add(expansion, TS_OP_expert_sum, &sum,
                     (uint8_t[]){DOWN_ROUTED, DOWN_SHARED, DOWN_SUM});
    ts_expansion_add(expansion, TS_OP_hc_expand, &expand,
                     (uint8_t[]){DOWN_SUM, DOWN_STREAMS, DOWN_POST, DOWN_COMB, DOWN_EXPANDED});
}

TS_CASES(expert_matmul, NULL, 2, {7, 6, 8, 96, 32, 0}, {7, 6, 8, 96, 32, 1})

TS_CASES(swiglu, NULL, 1, {7, 96, 10})

TS_CASES(expert_sum, NULL, 1, {7, 6, 96})

TS_CASES(expert_gate_up, NULL, 3, {1, 1, 1, 1, 1, 0}, {7, 6, 8, 96, 32, 10},
         {128, 6, 256, 2048, 4096, 10})

TS_CASES(shared_gate_up, NULL, 2, {1, 1, 1, 0}, {7, 96, 32, 10})

TS_CASES(moe_down_expand, NULL, 3, {1, 1, 1, 1, 1, 1, 1}, {7, 6, 8, 32, 96, 48, 3},
         {128, 6, 256, 4096, 2048, 2048, 4})
