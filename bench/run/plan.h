/* What a bench is asked to measure, and in which order.
 *
 * A subject is a model on a device, a cell is a subject at a prompt length. One trial of it is one prefill sample and one generation
 * sample: the prompt is fed into an empty context, then the first token is chosen, then gen - 1
 * more are generated. */
#ifndef TS_BENCH_RUN_PLAN_H
#define TS_BENCH_RUN_PLAN_H

#include "base/error.h"

#include <stdbool.h>
#include <stdint.h>

enum { TS_BENCH_MODELS = 16, TS_BENCH_DEVICES = 4, TS_BENCH_PROMPTS = 64, TS_BENCH_REPS = 10000 };

struct ts_plan {
    const char *paths[TS_BENCH_MODELS];
    unsigned models;
    uint64_t prompts[TS_BENCH_PROMPTS]; /* tokens */
    unsigned prompt_count;
    uint64_t gen; /* tokens to generate, the first one included; 0: prefill only */
    uint64_t reps;
    uint64_t seed;      /* of prompts and of the order */
    double max_seconds; /* for agreement, warm-up and all trials */
    const char *devices[TS_BENCH_DEVICES];
    unsigned device_count;
    uint64_t software_prompt; /* longest prompt on a software device; 0: no limit */
    bool all_kernels;         /* check all kernels of a device, not only those that were used */
    unsigned threads;         /* 0: all cores */
    uint32_t chunk;           /* tokens of one prefill step */
};

/* Sorts the prompt lengths, drops repeated lengths and devices, and refuses what cannot be measured
 * (TS_ERR_USAGE). */
bool ts_plan_check(struct ts_plan *plan, struct ts_error *error);

/* Subject `index` is model index / device_count on device index % device_count. */
unsigned ts_plan_subjects(const struct ts_plan *plan);

unsigned ts_plan_cells(const struct ts_plan *plan);

/* Cell `index` is subject index / prompt_count at prompt index % prompt_count. */
unsigned ts_plan_subject(const struct ts_plan *plan, unsigned cell);
uint64_t ts_plan_prompt(const struct ts_plan *plan, unsigned cell);

/* Tokens of the longest trial: the context that a session needs. */
uint64_t ts_plan_context(const struct ts_plan *plan);

/* True if a software device is not asked for a prompt of this length. */
bool ts_plan_too_long(const struct ts_plan *plan, bool software, uint64_t prompt);

/* Tokens of the agreement pass: the longest prompt, at most 128; on a software device also at most
 * the longest that it is asked for. */
uint64_t ts_plan_agreement(const struct ts_plan *plan, bool software);

/* Writes the order of cells [ts_plan_cells] of a round: shuffled with the seed in every even round,
 * and the same backwards in the next one, so that a drift of the machine's speed cancels between
 * models and prompt lengths. */
void ts_plan_round(const struct ts_plan *plan, uint64_t round, unsigned *order);

#endif
