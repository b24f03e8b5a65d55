/* What a bench says on a terminal: the plan before, agreement and kernels after. Tables are the
 * report's. */
#ifndef TS_BENCH_RUN_SUMMARY_H
#define TS_BENCH_RUN_SUMMARY_H

#include "bench/run/sweep.h"

#include <stdio.h>

/* Models, settings and the trials of the first round in their order. */
bool ts_summary_plan(const struct ts_plan *plan, const struct ts_subject *subjects, FILE *out,
                     struct ts_error *error);

/* What comparing the passes of each model on each device gave. */
void ts_summary_agreement(const struct ts_plan *plan, const struct ts_subject *subjects, FILE *out);

/* A line for each device whose kernels were checked, and one for each kernel that is wrong. */
void ts_summary_kernels(const struct ts_sweep *sweep, FILE *out);

#endif
