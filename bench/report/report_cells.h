/* Cells of the page's tables. */
#ifndef TS_BENCH_REPORT_REPORT_CELLS_H
#define TS_BENCH_REPORT_REPORT_CELLS_H

#include "bench/record/results.h"

#include <stdio.h>

void ts_cell_text(FILE *out, const char *text);
void ts_cell_number(FILE *out, const char *text); /* to the right */
void ts_cell_count(FILE *out, uint64_t count);
/* NaN is a dash, and what is tiny keeps its power of ten. */
void ts_cell_real(FILE *out, double value);
void ts_cell_state(FILE *out, enum ts_result_status status);

#endif
