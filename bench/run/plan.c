#include "bench/run/plan.h"

#include "base/rng.h"

#include <stdlib.h>
#include <string.h>

enum { AGREEMENT_TOKENS = 128 };

static int ascending(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

static void drop_repeated_devices(struct ts_plan *plan)
{
    unsigned kept = 0;
    for (unsigned i = 0; i < plan->device_count; i++) {
        bool known = false;
        for (unsigned k = 0; k < kept; k++) {
            known = known || strcmp(plan->devices[k], plan->devices[i]) == 0;
        }
        if (!known) {
            plan->devices[kept++] = plan->devices[i];
        }
    }
    plan->device_count = kept;
}

bool ts_plan_check(struct ts_plan *plan, struct ts_error *error)
{
    if (plan->models == 0) {
        return ts_fail(error, TS_ERR_USAGE, "see touchstone bench --help",
                       "bench needs a model: -m FILE");
    }
    if (plan->prompt_count == 0 || plan->reps == 0 || plan->device_count == 0) {
        return ts_fail(error, TS_ERR_USAGE, NULL, "bench: nothing to measure: no %s",
                       plan->reps == 0           ? "repetition"
                       : plan->device_count == 0 ? "device"
                                                 : "prompt length");
    }
    if (plan->gen == 1) {
        return ts_fail(error, TS_ERR_USAGE, "0 measures prefill only",
                       "--gen: 1 is no generation speed, as the first token belongs to the prompt; "
                       "expected 0, or 2 and more");
    }
    qsort(plan->prompts, plan->prompt_count, sizeof plan->prompts[0], ascending);
    unsigned kept = 1;
    for (unsigned i = 1; i < plan->prompt_count; i++) {
        if (plan->prompts[i] != plan->prompts[kept - 1]) {
            plan->prompts[kept++] = plan->prompts[i];
        }
    }
    plan->prompt_count = kept;
    drop_repeated_devices(plan);
    return true;
}

unsigned ts_plan_subjects(const struct ts_plan *plan)
{
    return plan->models * plan->device_count;
}

unsigned ts_plan_cells(const struct ts_plan *plan)
{
    return ts_plan_subjects(plan) * plan->prompt_count;
}

unsigned ts_plan_subject(const struct ts_plan *plan, unsigned cell)
{
    return cell / plan->prompt_count;
}

uint64_t ts_plan_prompt(const struct ts_plan *plan, unsigned cell)
{
    return plan->prompts[cell % plan->prompt_count];
}

uint64_t ts_plan_context(const struct ts_plan *plan)
{
    return plan->prompts[plan->prompt_count - 1] + plan->gen;
}

bool ts_plan_too_long(const struct ts_plan *plan, bool software, uint64_t prompt)
{
    return software && plan->software_prompt > 0 && prompt > plan->software_prompt;
}

uint64_t ts_plan_agreement(const struct ts_plan *plan, bool software)
{
    uint64_t longest = plan->prompts[plan->prompt_count - 1];
    longest = longest < AGREEMENT_TOKENS ? longest : AGREEMENT_TOKENS;
    return ts_plan_too_long(plan, software, longest) ? plan->software_prompt : longest;
}

void ts_plan_round(const struct ts_plan *plan, uint64_t round, unsigned *order)
{
    unsigned cells = ts_plan_cells(plan);
    struct ts_rng rng;
    ts_rng_seed(&rng, plan->seed + round / 2);
    for (unsigned i = 0; i < cells; i++) {
        order[i] = i;
    }
    for (unsigned i = cells; i > 1; i--) {
        unsigned other = (unsigned)ts_rng_below(&rng, i);
        unsigned kept = order[i - 1];
        order[i - 1] = order[other];
        order[other] = kept;
    }
    for (unsigned i = 0; round % 2 == 1 && i < cells / 2; i++) {
        unsigned kept = order[i];
        order[i] = order[cells - 1 - i];
        order[cells - 1 - i] = kept;
    }
}
