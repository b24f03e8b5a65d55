/* Inside of results: one line of runs.jsonl, and the lines of samples.jsonl. */
#ifndef TS_BENCH_RECORD_RESULTS_RECORD_H
#define TS_BENCH_RECORD_RESULTS_RECORD_H

#include "bench/record/results.h"

/* Fills *result, which holds zeros, from the object of line `line` of the file `path`. Takes over
 * json. TS_ERR_INPUT names path and line; then too the result is freed with the others. */
bool ts_result_read(const char *path, unsigned line, struct cJSON *json, struct ts_result *result,
                    struct ts_error *error);

/* Counts the samples in the text of samples.jsonl, which is taken apart, whose cell has no record
 * among the results, and these cells. TS_ERR_INPUT names path and line. */
bool ts_samples_count(const char *path, char *data, size_t length, struct ts_results *results,
                      struct ts_error *error);

#endif
