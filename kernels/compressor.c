#include "kernels/ops.h"

#include <math.h>

void ts_extent_compressor_gate(const void *args, uint64_t *elements)
{
    const struct ts_compressor_gate_args *a = args;
    elements[0] = elements[2] = (uint64_t)a->tokens * a->width;
    elements[1] = (uint64_t)a->ratio * a->width;
}

void ts_work_compressor_gate(const void *args, struct ts_work *work)
{
    const struct ts_compressor_gate_args *a = args;
    work->flops = (uint64_t)a->tokens * a->width;
    work->touched[1] = (uint64_t)(a->tokens < a->ratio ? a->tokens : a->ratio) * a->width;
}

/* The operands that compressor_pool and the fused operations around it share, at places 0 to 3. */
static void extent_inputs(uint32_t tokens, uint32_t width, uint32_t ratio, uint32_t overlap,
                          uint64_t *elements)
{
    uint64_t row = (uint64_t)(1 + overlap) * width;
    elements[0] = elements[1] = tokens * row;
    elements[2] = elements[3] = (uint64_t)(1 + overlap) * ratio * row;
}

void ts_extent_compressor_pool(const void *args, uint64_t *elements)
{
    const struct ts_compressor_pool_args *a = args;
    extent_inputs(a->tokens, a->width, a->ratio, a->overlap, elements);
    elements[4] = (uint64_t)a->blocks * a->width;
}

void ts_work_compressor_pool(const void *args, struct ts_work *work)
{
    const struct ts_compressor_pool_args *a = args;
    uint64_t fresh = 0, old = 0; /* candidates of one channel, of this call and of the frontier */
    for (uint64_t half = 0; half <= a->overlap && a->blocks > 0; half++) {
        /* the second half of a row serves its own block, the first half the block behind it */
        uint64_t first = a->block > half ? a->block - half : 0, end = a->block + a->blocks - half;
        uint64_t begin = first * a->ratio, behind = end * a->ratio;
        uint64_t split = a->position < begin ? begin : a->position;
        split = split < behind ? split : behind;
        old += split - begin;
        fresh += behind - split;
    }
    work->flops = 4 * (old + fresh) * a->width; /* exp, add, multiply-add */
    work->touched[0] = work->touched[1] = fresh * a->width;
    work->touched[2] = work->touched[3] = old * a->width;
}

static struct ts_compressor_pool_args pool_of(const struct ts_compressor_kv_args *a)
{
    return (struct ts_compressor_pool_args){.position = a->position,
                                            .block = a->block,
                                            .tokens = a->tokens,
                                            .blocks = a->blocks,
                                            .width = a->width,
                                            .ratio = a->ratio,
                                            .overlap = a->overlap};
}

enum {
    EMIT_K,
    EMIT_GATE,
    EMIT_KF,
    EMIT_GF,
    EMIT_NORM,
    EMIT_ANGLES,
    EMIT_POOLED,
    EMIT_NORMED,
    EMIT_ROTATED,
    EMIT_KV_ROWS,
    EMIT_TRANSFORMED = EMIT_KV_ROWS,
    EMIT_INDEX_ROWS
};

static void extent_emit(const struct ts_compressor_kv_args *a, uint64_t *elements)
{
    extent_inputs(a->tokens, a->width, a->ratio, a->overlap, elements);
    elements[EMIT_NORM] = a->width;
    elements[EMIT_ANGLES] = (uint64_t)a->blocks * a->rotary;
    elements[EMIT_POOLED] = elements[EMIT_NORMED] = elements[EMIT_ROTATED] =
        elements[EMIT_KV_ROWS] = (uint64_t)a->blocks * a->width;
}

/* Pool and norm: the steps that both kinds begin with. */
static void expand_pool_norm(const struct ts_compressor_kv_args *a, struct ts_expansion *expansion)
{
    struct ts_compressor_pool_args pool = pool_of(a);
    struct ts_rms_norm_args norm = {.rows = a->blocks, .width = a->width, .epsilon = a->epsilon};
    TS_ADD_STEP(expansion, compressor_pool, &pool, EMIT_K, EMIT_GATE, EMIT_KF, EMIT_GF,
                EMIT_POOLED);
    TS_ADD_STEP(expansion, rms_norm, &norm, EMIT_POOLED, EMIT_NORM, EMIT_NORMED);
}

static struct ts_rope_args rope_of(const struct ts_compressor_kv_args *a)
{
    return (struct ts_rope_args){
        .tokens = a->blocks, .heads = 1, .width = a->width, .rotary = a->rotary};
}

void ts_extent_compressor_kv(const void *args, uint64_t *elements)
{
    extent_emit(args, elements);
}

void ts_expand_compressor_kv(const void *args, struct ts_expansion *expansion)
{
    const struct ts_compressor_kv_args *a = args;
    struct ts_rope_args rope = rope_of(a);
    struct ts_fp8_round_args fp8 = {
        .rows = a->blocks, .width = a->width, .rounded = a->width - a->rotary};
    expand_pool_norm(a, expansion);
    TS_ADD_STEP(expansion, rope, &rope, EMIT_NORMED, EMIT_ANGLES,
                a->round ? EMIT_ROTATED : EMIT_KV_ROWS);
    if (a->round) {
        TS_ADD_STEP(expansion, fp8_round, &fp8, EMIT_ROTATED, EMIT_KV_ROWS);
    }
}

void ts_extent_compressor_index(const void *args, uint64_t *elements)
{
    extent_emit(args, elements);
    elements[EMIT_INDEX_ROWS] = elements[EMIT_TRANSFORMED];
}

void ts_expand_compressor_index(const void *args, struct ts_expansion *expansion)
{
    const struct ts_compressor_index_args *a = args;
    struct ts_rope_args rope = rope_of(a);
    struct ts_hadamard_args hadamard = {.rows = a->blocks, .width = a->width};
    struct ts_fp4_round_args fp4 = {.rows = a->blocks, .width = a->width};
    expand_pool_norm(a, expansion);
    TS_ADD_STEP(expansion, rope, &rope, EMIT_NORMED, EMIT_ANGLES, EMIT_ROTATED);
    TS_ADD_STEP(expansion, hadamard, &hadamard, EMIT_ROTATED,
                a->round ? EMIT_TRANSFORMED : EMIT_INDEX_ROWS);
    if (a->round) {
        TS_ADD_STEP(expansion, fp4_round, &fp4, EMIT_TRANSFORMED, EMIT_INDEX_ROWS);
    }
}

enum {
    STEP_X,
    STEP_KV,
    STEP_GATE,
    STEP_APE,
    STEP_Z,
    STEP_K,
    STEP_GATED,
    STEP_K_FRONTIER,
    STEP_GATE_FRONTIER
};

void ts_extent_compressor_step(const void *args, uint64_t *elements)
{
    const struct ts_compressor_step_args *a = args;
    elements[STEP_X] = (uint64_t)a->tokens * a->columns;
    elements[STEP_KV] = elements[STEP_GATE] = (uint64_t)a->width * a->columns;
    elements[STEP_APE] = (uint64_t)a->ratio * a->width;
    elements[STEP_Z] = elements[STEP_K] = elements[STEP_GATED] = (uint64_t)a->tokens * a->width;
    elements[STEP_K_FRONTIER] = elements[STEP_GATE_FRONTIER] = (uint64_t)a->capacity * a->width;
}

void ts_expand_compressor_step(const void *args, struct ts_expansion *expansion)
{
    const struct ts_compressor_step_args *a = args;
    struct ts_matmul_args product = {.tokens = a->tokens, .rows = a->width, .columns = a->columns};
    struct ts_compressor_gate_args gate = {
        .position = a->position, .tokens = a->tokens, .width = a->width, .ratio = a->ratio};
    struct ts_ring_store_args store = {
        .position = a->position, .tokens = a->tokens, .width = a->width, .capacity = a->capacity};
    TS_ADD_STEP(expansion, matmul, &product, STEP_X, STEP_KV, STEP_K);
    TS_ADD_STEP(expansion, matmul, &product, STEP_X, STEP_GATE, STEP_Z);
    TS_ADD_STEP(expansion, compressor_gate, &gate, STEP_Z, STEP_APE, STEP_GATED);
    TS_ADD_STEP(expansion, ring_store, &store, STEP_K, STEP_K_FRONTIER);
    TS_ADD_STEP(expansion, ring_store, &store, STEP_GATED, STEP_GATE_FRONTIER);
}

TS_CASES(compressor_gate, NULL, 4, {0, 1, 1, 1, 0}, {6, 1, 96, 4, 0}, {6, 300, 96, 128, 0},
         {1023, 33, 1024, 4, 0}, {4095, 4096, 512, 128, 0})

TS_CASES(compressor_pool, NULL, 6, {0, 0, 4, 1, 96, 4, 1, 0}, {131, 32, 1, 1, 96, 4, 1, 0},
         {130, 32, 11, 3, 96, 4, 1, 0}, {127, 0, 1, 1, 512, 128, 0, 0},
         {100, 0, 300, 3, 96, 128, 0, 0}, {4, 1, 4, 1, 1, 4, 1, 0},
         {3, 0, 4096, 1024, 512, 4, 1, 0}, {4000, 31, 4096, 32, 512, 128, 0, 0})

/* Gates and values of very different size: the round trips have small codes and large ones. */
static void emission_inputs(const void *args, unsigned operand, struct ts_rng *rng, uint64_t count,
                            int32_t *ids, double *values)
{
    const struct ts_compressor_kv_args *a = args;
    (void)ids;
    bool k = operand == EMIT_K || operand == EMIT_KF;
    uint64_t row = (1ull + a->overlap) * a->width;
    for (uint64_t i = 0; k && i < count; i++) {
        values[i] = ldexp(ts_rng_bell(rng), -(int)(i % row * 7 % 17));
    }
}

TS_CASES(compressor_kv, emission_inputs, 5, {0, 0, 4, 1, 128, 4, 1, 64, 1, 1e-6f},
         {3, 0, 1, 1, 70, 4, 1, 6, 1, 1e-6f}, {130, 32, 11, 3, 512, 4, 1, 64, 0, 1e-6f},
         {100, 0, 300, 3, 512, 128, 0, 64, 1, 1e-6f}, {1023, 255, 1, 1, 512, 4, 1, 64, 1, 1e-6f},
         {3, 0, 4096, 1024, 512, 4, 1, 64, 1, 1e-6f})

TS_CASES(compressor_index, NULL, 4, {3, 0, 1, 1, 128, 4, 1, 64, 1, 1e-6f},
         {130, 32, 11, 3, 256, 4, 1, 64, 0, 1e-6f}, {0, 0, 4, 1, 32, 4, 1, 6, 1, 1e-6f},
         {100, 25, 33, 8, 128, 4, 1, 64, 1, 1e-6f}, {3, 0, 4096, 1024, 128, 4, 1, 64, 1, 1e-6f})

TS_CASES(compressor_step, NULL, 5, {5, 1, 1, 1, 4, 8, 0}, {4, 3, 6, 32, 4, 8, 0},
         {7, 1, 6, 96, 4, 8, 0}, {1022, 1, 256, 256, 4, 8, 0}, {1022, 1, 512, 4096, 128, 128, 0},
         {5, 1, 1024, 4096, 4, 8, 0})

/* ---- sizes ---------------------------------------------------------------------------------- */

/* Positions up to the model's last, from which a call ends some blocks. */
#define NEAR_END(n, ratio) (1048576 - 1 - (n) / (ratio) * (ratio))
#define BLOCKS(n, ratio) ((NEAR_END(n, ratio) + (n)) / (ratio)-NEAR_END(n, ratio) / (ratio))

#define GATE(n)                                                                                    \
    {                                                                                              \
        .position = NEAR_END(n, 4), .tokens = n, .width = 20, .ratio = 4                           \
    }

TS_SIZES(compressor_gate, tokens, TS_COUNTS(GATE),
         {.position = 65500, .tokens = 300, .width = 3, .ratio = 128},
         {.position = 262143, .tokens = 4097, .width = 2, .ratio = 128},
         {.position = 70000, .tokens = 2, .width = 16400, .ratio = 4})

#define POOL_OVERLAP(n)                                                                            \
    {                                                                                              \
        .position = NEAR_END(n, 4), .block = NEAR_END(n, 4) / 4, .tokens = n,                      \
        .blocks = BLOCKS(n, 4), .width = 3, .ratio = 4, .overlap = 1                               \
    }
#define POOL(p, n, w)                                                                              \
    {                                                                                              \
        .position = p, .block = (p) / 128, .tokens = n, .blocks = ((p) + (n)) / 128 - (p) / 128,   \
        .width = w, .ratio = 128                                                                   \
    }

TS_SIZES(compressor_pool, tokens, TS_COUNTS(POOL_OVERLAP), POOL(65535, 130, 5),
         POOL(1048575, 1, 66), POOL(262100, 300, 5), POOL(1048000, 512, 3), POOL(100, 127, 3),
         POOL(127, 128, 3), POOL(126, 129, 3),
         {.position = 1048574,
          .block = 149796,
          .tokens = 14,
          .blocks = 2,
          .width = 3,
          .ratio = 7,
          .overlap = 1},
         {.position = 70003,
          .block = 17500,
          .tokens = 4,
          .blocks = 1,
          .width = 1030,
          .ratio = 4,
          .overlap = 1},
         {.position = 3, .tokens = 4097, .blocks = 1025, .width = 2, .ratio = 4, .overlap = 1})

#define EMIT(n)                                                                                    \
    {                                                                                              \
        .position = NEAR_END(n, 4), .block = NEAR_END(n, 4) / 4, .tokens = n,                      \
        .blocks = BLOCKS(n, 4), .width = 70, .ratio = 4, .overlap = 1, .rotary = 6, .round = 1,    \
        .epsilon = 1e-6f                                                                           \
    }
#define EMIT_128(p, n)                                                                             \
    {                                                                                              \
        .position = p, .block = (p) / 128, .tokens = n, .blocks = ((p) + (n)) / 128 - (p) / 128,   \
        .width = 70, .ratio = 128, .rotary = 6, .round = 1, .epsilon = 1e-6f                       \
    }

TS_SIZES(compressor_kv, tokens, TS_COUNTS(EMIT), EMIT_128(65535, 130), EMIT_128(1048575, 1),
         EMIT_128(262100, 300), EMIT_128(127, 128), EMIT_128(126, 129),
         {.position = 70003,
          .block = 17500,
          .tokens = 4,
          .blocks = 1,
          .width = 1024,
          .ratio = 4,
          .overlap = 1,
          .rotary = 64,
          .round = 1,
          .epsilon = 1e-6f},
         {.position = 3,
          .tokens = 4097,
          .blocks = 1025,
          .width = 4,
          .ratio = 4,
          .overlap = 1,
          .rotary = 2,
          .epsilon = 1e-6f})

#define INDEX(n)                                                                                   \
    {                                                                                              \
        .position = NEAR_END(n, 4), .block = NEAR_END(n, 4) / 4, .tokens = n,                      \
        .blocks = BLOCKS(n, 4), .width = 32, .ratio = 4, .overlap = 1, .rotary = 6, .round = 1,    \
        .epsilon = 1e-6f                                                                           \
    }

TS_SIZES(compressor_index, tokens, TS_COUNTS(INDEX),
         {.position = 65535,
          .block = 16383,
          .tokens = 9,
          .blocks = 3,
          .width = 128,
          .ratio = 4,
          .overlap = 1,
          .rotary = 64,
          .round = 1,
          .epsilon = 1e-6f},
         {.position = 70003,
          .block = 17500,
          .tokens = 4,
          .blocks = 1,
          .width = 1024,
          .ratio = 4,
          .overlap = 1,
          .rotary = 64,
          .round = 1,
          .epsilon = 1e-6f},
         {.position = 3,
          .tokens = 4097,
          .blocks = 1025,
          .width = 4,
          .ratio = 4,
          .overlap = 1,
          .rotary = 2,
          .epsilon = 1e-6f})

#define STEP(p, r)                                                                                 \
    {                                                                                              \
        .position = p, .tokens = 1, .width = 5, .columns = 256, .ratio = r,                        \
        .capacity = r == 4 ? 8 : 128                                                               \
    }

TS_SIZES(
    compressor_step, tokens, STEP(1048575, 4), STEP(1048574, 128), STEP(65535, 128), STEP(65536, 4),
    STEP(262146, 128), STEP(300, 128),
    {.position = 1048573, .tokens = 1, .width = 4163, .columns = 256, .ratio = 4, .capacity = 8},
    {.position = 70002, .tokens = 1, .width = 3, .columns = 66048, .ratio = 4, .capacity = 8})
