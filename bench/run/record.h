/* Records as JSON. Times are numbers in nanoseconds, numbers that are not finite are null, 64-bit
 * integers and hashes are texts. A record whose status is not pass or marginal has no stats. */
#ifndef TS_BENCH_RUN_RECORD_H
#define TS_BENCH_RUN_RECORD_H

#include "bench/run/sweep.h"

struct cJSON;

/* Each returns NULL without memory; the caller deletes what it gets. `env` is the id of the
 * environment. */
struct cJSON *ts_record_agreement(const struct ts_plan *plan, const struct ts_subject *subject,
                                  const char *env);
/* The same of its pass against subject->against. */
struct cJSON *ts_record_crossed(const struct ts_plan *plan, const struct ts_subject *subject,
                                const char *env);
/* A kernel of the subject's device; result NULL: it was not checked, and unchecked says why. */
struct cJSON *ts_record_kernel(const struct ts_plan *plan, const struct ts_subject *subject,
                               const struct ts_kernel *kernel,
                               const struct ts_kernel_result *result, const char *unchecked,
                               const char *env);
struct cJSON *ts_record_sweep(const struct ts_sweep *sweep, const struct ts_cell *cell,
                              enum ts_result_phase phase, const char *env);

/* The last sample of a series, for samples.jsonl. */
struct cJSON *ts_record_sample(const struct ts_sweep *sweep, const struct ts_cell *cell,
                               enum ts_result_phase phase);

/* Statistics of a series' durations; false if it has none. */
struct ts_stats;
bool ts_series_stats(const struct ts_series *series, struct ts_stats *stats);

#endif
