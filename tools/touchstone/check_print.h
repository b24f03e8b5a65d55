/* How check shows its results: tables for people, JSON for programs. */
#ifndef TS_TOOLS_TOUCHSTONE_CHECK_PRINT_H
#define TS_TOOLS_TOUCHSTONE_CHECK_PRINT_H

#include "engine/check/bisect.h"
#include "engine/check/far.h"
#include "engine/check/golden.h"
#include "engine/check/trace_run.h"

#include <stdio.h>

void ts_print_golden(const struct ts_golden_result *result);
void ts_print_golden_verdict(const struct ts_golden_result *result, FILE *out);
bool ts_print_golden_json(const char *path, const struct ts_golden_result *result,
                          struct ts_error *error);

/* With noise in the options: the noise floor, and nothing about intermediates. */
void ts_print_trace(const struct ts_trace *trace, const struct ts_trace_options *options,
                    const struct ts_trace_result *result);
void ts_print_trace_verdict(const struct ts_trace_result *result, FILE *out);
bool ts_print_trace_json(const struct ts_trace *trace, const struct ts_trace_options *options,
                         const struct ts_trace_result *result, struct ts_error *error);

void ts_print_far(const struct ts_far_result *result);
/* True where nothing was found. */
bool ts_print_bisect(const struct ts_bisect_result *result);

#endif
