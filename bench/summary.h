/* What a bench says on a terminal: the plan before, the agreement after. Tables are the
 * report's. */
#ifndef TS_BENCH_SUMMARY_H
#define TS_BENCH_SUMMARY_H

#include "bench/sweep.h"

#include <stdio.h>

/* Models, settings and the trials of the first round in their order. */
bool ts_summary_plan(const struct ts_plan *plan, const struct ts_subject *subjects, FILE *out,
                     struct ts_error *error);

/* One line a model: what comparing its two passes gave. */
void ts_summary_agreement(const struct ts_plan *plan, const struct ts_subject *subjects, FILE *out);

#endif
