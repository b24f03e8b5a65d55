#include "kernels/ops.h"

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
    ts_expansion_add(expansion, TS_OP_rms_norm, &norm, (uint8_t[]){X, TS_NO_OPERAND, NORMED});
    ts_expansion_add(expansion, TS_OP_rope, &rope, (uint8_t[]){NORMED, ANGLES, ROTATED});
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
    ts_expansion_add(expansion, TS_OP_rms_norm, &norm, (uint8_t[]){KV_X, KV_NORM, KV_NORMED});
    if (!a->round) {
        ts_expansion_add(expansion, TS_OP_rope, &rope, (uint8_t[]){KV_NORMED, KV_ANGLES, KV_ROW});
        return;
    }
    ts_expansion_add(expansion, TS_OP_rope, &rope, (uint8_t[]){KV_NORMED, KV_ANGLES, KV_ROTATED});
    ts_expansion_add(expansion, TS_OP_fp8_round, &fp8, (uint8_t[]){KV_ROTATED, KV_ROW});
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

TS_CASES(query_row, NULL, 3, {1, 1, 2, 2, 1e-6f}, {7, 3, 96, 64, 1e-6f}, {128, 64, 512, 64, 1e-6f})

TS_CASES(kv_row, NULL, 3, {1, 66, 2, 1, 1e-6f}, {7, 512, 64, 1, 1e-6f}, {7, 512, 64, 0, 1e-6f})

TS_CASES(ring_store, NULL, 2, {5, 3, 96, 128, 0}, {1000, 300, 96, 128, 0})
