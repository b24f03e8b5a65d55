/* The report of a run's folder: charts, a page, and tables for a terminal. */
#ifndef TS_BENCH_REPORT_REPORT_H
#define TS_BENCH_REPORT_REPORT_H

#include "bench/report/chart.h"
#include "bench/report/heatmap.h"
#include "bench/record/results.h"

#include <stdbool.h>
#include <stdio.h>

/* Reads dir/environment.json and dir/runs.jsonl and writes prefill, generation and agreement as .svg
 * and .png and report.html, in place of those of before. Errors: TS_ERR_INPUT for what cannot be read;
 * TS_ERR_ENVIRONMENT for what cannot be written, and without a working gnuplot, in which case the
 * page is written all the same, with its tables. */
bool ts_report_write(const char *dir, struct ts_error *error);

/* Writes the results as text: the warnings, a line a cell with its speed, interval, samples, load and
 * status, and the reasons of those that have no speed. */
void ts_report_table(FILE *out, const struct ts_results *results);

/* Parts of the page: its style; the speeds of one phase, the agreement of the models and of the kernels, the
 * environment, and how to do it again. */
void ts_report_style(FILE *out);
void ts_report_speeds(FILE *out, const struct ts_results *results, enum ts_result_phase phase);
void ts_report_agreement(FILE *out, const struct ts_results *results);
void ts_report_kernels(FILE *out, const struct ts_heatmap *map);
void ts_report_environment(FILE *out, const struct ts_results *results);
void ts_report_reproduce(FILE *out, const struct ts_results *results);

#endif
