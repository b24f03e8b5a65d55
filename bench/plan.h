/* What a bench is asked to measure, and in which order.
 *
 * A cell is a model at a prompt length. One trial of it is one prefill sample and one generation
 * sample: the prompt is fed into an empty context, then the first token is chosen, then gen - 1
 * more are generated. */
#ifndef TS_BENCH_PLAN_H
#define TS_BENCH_PLAN_H

#include "base/error.h"

#include <stdbool.h>
#include <stdint.h>

enum { TS_BENCH_MODELS = 16, TS_BENCH_PROMPTS = 64, TS_BENCH_REPS = 10000 };

struct ts_plan {
    const char *paths[TS_BENCH_MODELS];
    unsigned models;
    uint64_t prompts[TS_BENCH_PROMPTS]; /* tokens */
    unsigned prompt_count;
    uint64_t gen; /* tokens to generate, the first one included; 0: prefill only */
    uint64_t reps;
    uint64_t seed;      /* of prompts and of the order */
    double max_seconds; /* for agreement, warm-up and all trials */
    const char *device;
    unsigned threads; /* 0: all cores */
    uint32_t chunk;   /* tokens of one prefill step */
};

/* Sorts the prompt lengths, drops repeated ones, and refuses what cannot be measured
 * (TS_ERR_USAGE). */
bool ts_plan_check(struct ts_plan *plan, struct ts_error *error);

unsigned ts_plan_cells(const struct ts_plan *plan);

/* Cell `index` is model index / prompt_count at prompt index % prompt_count. */
unsigned ts_plan_model(const struct ts_plan *plan, unsigned cell);
uint64_t ts_plan_prompt(const struct ts_plan *plan, unsigned cell);

/* Tokens of the longest trial: the context that a session needs. */
uint64_t ts_plan_context(const struct ts_plan *plan);

/* Tokens of the agreement pass: the longest prompt, at most 128. */
uint64_t ts_plan_agreement(const struct ts_plan *plan);

/* Writes the order of cells [ts_plan_cells] of a round: shuffled with the seed in every even round,
 * and the same backwards in the next one, so that a drift of the machine's speed cancels between
 * models and prompt lengths. */
void ts_plan_round(const struct ts_plan *plan, uint64_t round, unsigned *order);

#endif
