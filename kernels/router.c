#include "kernels/ops.h"

#include <math.h>

void ts_extent_router_top_k(const void *args, uint64_t *elements)
{
    const struct ts_router_top_k_args *a = args;
    elements[0] = (uint64_t)a->tokens * a->experts;
    elements[1] = a->experts;
    elements[2] = elements[3] = (uint64_t)a->tokens * a->used;
}

void ts_work_router_top_k(const void *args, struct ts_work *work)
{
    const struct ts_router_top_k_args *a = args;
    work->flops = 3ull * a->tokens * a->experts; /* softplus, root, bias */
}

void ts_extent_router_hash(const void *args, uint64_t *elements)
{
    const struct ts_router_hash_args *a = args;
    elements[0] = (uint64_t)a->tokens * a->experts;
    elements[1] = a->tokens;
    elements[2] = (uint64_t)a->vocab * a->used;
    elements[3] = elements[4] = (uint64_t)a->tokens * a->used;
}

void ts_work_router_hash(const void *args, struct ts_work *work)
{
    const struct ts_router_hash_args *a = args;
    work->flops = 3ull * a->tokens * a->used;
    work->touched[0] = (uint64_t)a->tokens * a->used;
    /* one row a token, but tokens may share */
    work->touched[2] = (uint64_t)(a->tokens < a->vocab ? a->tokens : a->vocab) * a->used;
}

/* Logits of a real model's spread. Of seven rows one has pairs that are equal, one is far below 0, one
 * has an infinite logit and one hardly any number at all; where there are a thousand rows a last one is
 * beyond what exp can hold. */
static void logits_case(uint32_t tokens, uint32_t experts, double *values)
{
    enum { EQUAL = 4, LOW, INFINITE, NAN_ONLY = 2 };
    for (uint64_t t = 0; t < tokens; t++) {
        for (uint64_t e = 0; e < experts; e++) {
            double *logit = &values[t * experts + e];
            *logit = t % 7 == EQUAL && e % 2 == 1 ? logit[-1] : *logit * 4;
            *logit -= t % 7 == LOW ? 40 : 0;
            *logit += t > 1000 && t + 1 == tokens ? 120 : 0;
            *logit = t % 7 == INFINITE && e == experts / 2 ? INFINITY : *logit;
            *logit = t % 7 == NAN_ONLY && e != experts / 3 ? NAN : *logit;
        }
    }
}

static void inputs_router_top_k(const void *args, unsigned operand, struct ts_rng *rng,
                                uint64_t count, int32_t *ids, double *values)
{
    const struct ts_router_top_k_args *a = args;
    (void)rng;
    (void)count;
    (void)ids;
    if (operand == 0) {
        logits_case(a->tokens, a->experts, values);
    }
}

static void inputs_router_hash(const void *args, unsigned operand, struct ts_rng *rng,
                               uint64_t count, int32_t *ids, double *values)
{
    const struct ts_router_hash_args *a = args;
    if (operand == 0) {
        logits_case(a->tokens, a->experts, values);
    }
    for (uint64_t i = 0; i < count && operand == 1; i++) {
        ids[i] = (int32_t)(i == 0 ? a->vocab - 1 : ts_rng_below(rng, a->vocab));
    }
    for (uint64_t i = 0; i < count && operand == 2;
         i++) { /* the experts of an entry are distinct */
        uint64_t first = i % a->used ? (uint64_t)ids[i - 1] + 1 : ts_rng_below(rng, a->experts);
        ids[i] = (int32_t)(first % a->experts);
    }
}

TS_CASES(router_top_k, inputs_router_top_k, 5, {1, 1, 1, 1.5f}, {7, 8, 6, 1.5f}, {5, 37, 3, 2.5f},
         {9, 256, 6, 1.5f}, {1003, 8, 6, 1.5f}, {4096, 384, 6, 2.5f})

TS_CASES(router_hash, inputs_router_hash, 4, {1, 1, 1, 1, 1.5f}, {7, 8, 6, 5, 1.5f},
         {7, 256, 6, 129280, 1.5f}, {1003, 8, 6, 99, 1.5f}, {4096, 256, 6, 129280, 1.5f})

/* ---- sizes ---------------------------------------------------------------------------------- */

#define TOP_K(n)                                                                                   \
    {                                                                                              \
        .tokens = n, .experts = 16, .used = 3, .scale = 1.5f                                       \
    }

TS_SIZES(router_top_k, tokens, TS_COUNTS(TOP_K),
         {.tokens = 2, .experts = 256, .used = 6, .scale = 1.5f},
         {.tokens = 3, .experts = 1024, .used = 32, .scale = 2.5f},
         {.tokens = 4097, .experts = 2, .used = 1, .scale = 1.5f})

#define HASH(n)                                                                                    \
    {                                                                                              \
        .tokens = n, .experts = 16, .used = 3, .vocab = 99, .scale = 1.5f                          \
    }

TS_SIZES(router_hash, tokens, TS_COUNTS(HASH),
         {.tokens = 9, .experts = 1030, .used = 32, .vocab = 129280, .scale = 1.5f},
         {.tokens = 4097, .experts = 4, .used = 2, .vocab = 70000, .scale = 1.5f})
