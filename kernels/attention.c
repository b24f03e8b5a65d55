#include "kernels/inputs.h"
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

static struct ts_attention_args core_of(const struct ts_attention_unrotate_args *a)
{
    return (struct ts_attention_args){.position = a->position,
                                      .tokens = a->tokens,
                                      .heads = a->heads,
                                      .width = a->width,
                                      .window = a->window,
                                      .ratio = a->ratio,
                                      .rows = a->rows,
                                      .selected = a->selected};
}

enum { Q, KV, RING, ROWS, IDS, SINK, ANGLES, HEADS, UNROTATED };

void ts_extent_attention_unrotate(const void *args, uint64_t *elements)
{
    const struct ts_attention_unrotate_args *a = args;
    struct ts_attention_args core = core_of(a);
    ts_extent_attention(&core, elements); /* the first six are the same */
    elements[ANGLES] = (uint64_t)a->tokens * a->rotary;
    elements[HEADS] = elements[UNROTATED] = elements[Q];
}

void ts_expand_attention_unrotate(const void *args, struct ts_expansion *expansion)
{
    const struct ts_attention_unrotate_args *a = args;
    struct ts_attention_args core = core_of(a);
    struct ts_rope_args inverse = {.tokens = a->tokens,
                                   .heads = a->heads,
                                   .width = a->width,
                                   .rotary = a->rotary,
                                   .inverse = 1};
    TS_ADD_STEP(expansion, attention, &core, Q, KV, RING, ROWS, IDS, SINK, HEADS);
    TS_ADD_STEP(expansion, rope, &inverse, HEADS, ANGLES, UNROTATED);
}

/* For each token up to `selected` of the rows that it sees, ascending, -1 behind them: as
 * index_top_k gives them, but that here and there one is missing. */
static void attention_ids(const struct ts_attention_args *a, struct ts_rng *rng, int32_t *ids)
{
    for (uint64_t t = 0; t < a->tokens; t++) {
        uint64_t visible = a->ratio ? (a->position + t + 1) / a->ratio : 0;
        visible = visible < a->rows ? visible : a->rows;
        uint64_t wanted = visible < a->selected ? visible : a->selected, count = 0;
        for (uint64_t row = 0; row < visible; row++) {
            if (ts_rng_below(rng, visible - row) < wanted - count) {
                ids[count++] = (int32_t)row;
            }
        }
        for (; count < a->selected; count++) {
            ids[count] = -1;
        }
        if (ts_rng_below(rng, 2)) {
            ids[ts_rng_below(rng, a->selected)] = -1;
        }
        ids += a->selected;
    }
}

static void attention_inputs(const void *args, unsigned operand, struct ts_rng *rng, uint64_t count,
                             int32_t *ids, double *values)
{
    (void)values;
    if (operand == IDS && count > 0) {
        attention_ids(args, rng, ids);
    }
}

static void unrotate_inputs(const void *args, unsigned operand, struct ts_rng *rng, uint64_t count,
                            int32_t *ids, double *values)
{
    struct ts_attention_args core = core_of(args);
    if (operand == ANGLES) {
        ts_inputs_angles(rng, count, values);
    }
    attention_inputs(&core, operand, rng, count, ids, values);
}

TS_CASES(attention, attention_inputs, 11, {0, 1, 1, 1, 1, 0, 0, 0, 0}, {5, 7, 5, 33, 8, 4, 3, 0, 0},
         {130, 7, 3, 96, 128, 4, 34, 16, 0}, {130, 7, 3, 96, 128, 0, 0, 0, 0},
         {50, 300, 3, 96, 128, 128, 2, 0, 0}, {14, 9, 27, 72, 16, 4, 5, 3, 0},
         {126, 9, 17, 80, 128, 4, 33, 40, 0}, {60, 7, 5, 512, 128, 0, 0, 0, 0},
         {1048575, 1, 64, 512, 128, 4, 700, 512, 0}, {1048570, 7, 64, 512, 128, 128, 300, 0, 0},
         {1000, 33, 16, 512, 128, 4, 258, 128, 0}, {0, 4096, 4, 512, 128, 0, 0, 0, 0},
         {1048575, 1, 64, 512, 128, 128, 8192, 0, 0}, {1048575, 1, 8, 128, 128, 4, 262144, 512, 0},
         {3000, 1024, 4, 512, 128, 4, 1006, 512, 0}, {1048000, 256, 64, 512, 128, 4, 1000, 512, 0})

TS_CASES(attention_unrotate, unrotate_inputs, 9, {0, 1, 1, 2, 1, 0, 0, 0, 2},
         {5, 7, 3, 34, 8, 4, 3, 0, 2}, {130, 7, 3, 96, 128, 4, 34, 16, 64},
         {60, 7, 5, 512, 128, 0, 0, 0, 64}, {50, 12, 17, 96, 128, 4, 15, 0, 64},
         {14, 9, 27, 72, 16, 4, 5, 3, 64}, {1048575, 1, 64, 512, 128, 4, 700, 512, 64},
         {300, 70, 2, 64, 128, 0, 0, 0, 64}, {1000, 9, 64, 512, 128, 4, 252, 128, 64},
         {0, 4096, 4, 512, 128, 128, 32, 0, 64})

/* ---- sizes ---------------------------------------------------------------------------------- */

/* Windows of few rows, so that what comes behind them matters; ids behind 65535; a compressed cache of more
 * than 4 GiB. */
#define ATTEND(n)                                                                                  \
    {                                                                                              \
        .position = 1048576 - n, .tokens = n, .heads = 2 + n % 2, .width = 10, .window = 7,        \
        .ratio = 4, .rows = 40, .selected = 2                                                      \
    }
#define ATTEND_HEADS(h)                                                                            \
    {                                                                                              \
        .position = 70, .tokens = 2, .heads = h, .width = 66, .window = 4                          \
    }

TS_SIZES(attention, tokens, TS_COUNTS(ATTEND), ATTEND_HEADS(15), ATTEND_HEADS(16), ATTEND_HEADS(31),
         ATTEND_HEADS(63), ATTEND_HEADS(64), ATTEND_HEADS(65), ATTEND_HEADS(300),
         {.tokens = 520, .heads = 1, .width = 4, .window = 2},
         {.position = 100, .tokens = 129, .heads = 1, .width = 3, .window = 128},
         {.position = 65530, .tokens = 9, .heads = 1, .width = 64, .window = 128},
         {.position = 262140,
          .tokens = 3,
          .heads = 2,
          .width = 512,
          .window = 128,
          .ratio = 128,
          .rows = 2047},
         {.position = 1048575,
          .tokens = 1,
          .heads = 1,
          .width = 8,
          .window = 2,
          .ratio = 128,
          .rows = 8192},
         {.position = 1048570,
          .tokens = 5,
          .heads = 2,
          .width = 128,
          .window = 8,
          .ratio = 4,
          .rows = 262144,
          .selected = 40},
         {.position = 8800000,
          .tokens = 2,
          .heads = 2,
          .width = 512,
          .window = 8,
          .ratio = 4,
          .rows = 2200000,
          .selected = 40})

#define ATTEND_UNROTATE(n)                                                                         \
    {                                                                                              \
        .position = 1048576 - n, .tokens = n, .heads = 2 + n % 2, .width = 10, .window = 7,        \
        .ratio = 4, .rows = 40, .selected = 2, .rotary = 4                                         \
    }
#define UNROTATE_HEADS(h)                                                                          \
    {                                                                                              \
        .position = 70, .tokens = 2, .heads = h, .width = 66, .window = 4, .rotary = 10            \
    }

TS_SIZES(attention_unrotate, tokens, TS_COUNTS(ATTEND_UNROTATE), UNROTATE_HEADS(15),
         UNROTATE_HEADS(16), UNROTATE_HEADS(31), UNROTATE_HEADS(63), UNROTATE_HEADS(64),
         UNROTATE_HEADS(65), UNROTATE_HEADS(300),
         {.tokens = 520, .heads = 1, .width = 4, .window = 2, .rotary = 2},
         {.position = 100, .tokens = 129, .heads = 1, .width = 4, .window = 128, .rotary = 2},
         {.position = 262140,
          .tokens = 3,
          .heads = 2,
          .width = 512,
          .window = 128,
          .ratio = 128,
          .rows = 2047,
          .rotary = 64},
         {.position = 1048575,
          .tokens = 1,
          .heads = 1,
          .width = 8,
          .window = 2,
          .ratio = 128,
          .rows = 8192,
          .rotary = 2},
         {.position = 1048570,
          .tokens = 5,
          .heads = 2,
          .width = 128,
          .window = 8,
          .ratio = 4,
          .rows = 262144,
          .selected = 40,
          .rotary = 64},
         {.position = 8800000,
          .tokens = 2,
          .heads = 2,
          .width = 512,
          .window = 8,
          .ratio = 4,
          .rows = 2200000,
          .selected = 40,
          .rotary = 64})
