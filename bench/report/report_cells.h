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

/* The verdict, which stands first in a row and stays in view; beside: more of it, or NULL. */
void ts_cell_state(FILE *out, enum ts_result_status status, const char *word, const char *beside);
void ts_cell_name(FILE *out, const char *text); /* may take several lines */

/* A row of its own for why a verdict is what it is. */
void ts_row_reason(FILE *out, unsigned columns, const char *reason);

#endif
