#include "kernels/ops.h"

/* Window rows that token t of the call attends to. */
static uint64_t window_rows(const struct ts_attention_args *a, uint64_t t)
{
    uint64_t past = a->position + t + 1;
    return past < a->window ? past : a->window;
}

/* Compressed rows that token t of the call attends to. */
static uint64_t compressed_rows(const struct ts_attention_args *a, uint64_t t)
{
    if (a->ratio == 0) {
        return 0;
    }
    uint64_t visible = (a->position + t + 1) / a->ratio;
    visible = visible < a->rows ? visible : a->rows;
    return a->selected > 0 && visible > a->selected ? a->selected : visible;
}

void ts_extent_attention(const void *args, uint64_t *elements)
{
    const struct ts_attention_args *a = args;
    elements[0] = elements[6] = (uint64_t)a->tokens * a->heads * a->width;
    elements[1] = (uint64_t)a->tokens * a->width;
    elements[2] = (uint64_t)a->window * a->width;
    elements[3] = (uint64_t)a->rows * a->width;
    elements[4] = (uint64_t)a->tokens * a->selected;
    elements[5] = a->heads;
}

void ts_work_attention(const void *args, struct ts_work *work)
{
    const struct ts_attention_args *a = args;
    uint64_t most = 0;
    work->flops = 0;
    for (uint64_t t = 0; t < a->tokens; t++) {
        uint64_t compressed = compressed_rows(a, t);
        most = compressed > most ? compressed : most;
        /* a dot product and a weighted sum of each row */
        work->flops += 4 * (window_rows(a, t) + compressed) * a->heads * a->width;
    }
    /* of the ring all but the oldest row, which token 0 no longer sees */
    uint64_t before = a->tokens > 0 ? window_rows(a, 0) - 1 : 0;
    work->touched[2] = before * a->width;
    work->touched[3] = most * a->width; /* at least what the widest token selects */
}

TS_CASES(attention, NULL, 4, {0, 1, 1, 1, 1, 0, 0, 0, 0}, {130, 7, 3, 96, 128, 0, 0, 0, 0},
         {130, 7, 3, 96, 128, 4, 34, 16, 0}, {50, 300, 3, 96, 128, 128, 2, 0, 0})
