/* The charts of a run: speed against prompt length, one line a series, drawn by gnuplot. */
#ifndef TS_BENCH_REPORT_CHART_H
#define TS_BENCH_REPORT_CHART_H

#include "bench/report/gnuplot.h"
#include "bench/record/results.h"

#include <stdio.h>

/* A line of a chart: the cells that differ only in prompt length. */
struct ts_chart_line {
    const struct ts_result *first; /* the axes that all of its cells share */
    unsigned colour;               /* the number of the series */
    unsigned dash;                 /* the number of its quant */
    char name[96];                 /* of a key: clean UTF-8, cut to fit */
};

struct ts_chart_lines {
    struct ts_chart_line *items;
    size_t count;
};

/* The series of a run in the order of their first record, the same for both phases, so that a
 * colour means one thing. Names mention a device, chunk or depth only where these differ. The
 * caller frees *list with ts_chart_lines_free, also after an error. */
bool ts_chart_lines_collect(const struct ts_results *results, struct ts_chart_lines *list,
                            struct ts_error *error);
void ts_chart_lines_free(struct ts_chart_lines *list);

bool ts_chart_line_has(const struct ts_chart_line *series, const struct ts_result *result);

/* The axes by which a sweep record is called where they differ in this run: model, quant, and
 * device, chunk and depth. Cut to size, not cleaned. */
void ts_chart_line_label(const struct ts_results *results, const struct ts_result *result,
                         char *label, size_t size);

/* What kind of numbers these are, in plain words such as "CPU reference, synthetic models: not an
 * Apple figure". Returns true if the sentence is a warning, that is if the numbers are anything but
 * measurements of a real model on an Apple GPU. */
bool ts_provenance_text(const struct ts_results *results, char *text, size_t size);

/* Machine, system, commit and date, as far as known: clean UTF-8. */
void ts_machine_text(const struct ts_results *results, char *text, size_t size);

/* What the samples of a phase are, and how many cells are missing from its chart: clean UTF-8. */
void ts_sample_text(const struct ts_results *results, enum ts_result_phase phase, char *text,
                    size_t size);

/* Cells of a phase that have a speed, and those that have none. */
size_t ts_chart_cells_measured(const struct ts_results *results, enum ts_result_phase phase);
size_t ts_chart_cells_missing(const struct ts_results *results, enum ts_result_phase phase);

/* True if the bars of a chart are intervals of the median: if every cell on it has one. Else all are
 * from the slowest to the fastest sample. */
bool ts_chart_has_intervals(const struct ts_results *results, enum ts_result_phase phase);

/* Warnings about the whole run in a sentence each: how many speeds are doubtful because the machine
 * was busy or its speed moved; how many have fewer samples than planned; samples that are in no
 * record. True if there is something to say. */
enum ts_warning { TS_WARNING_BUSY, TS_WARNING_SHORT, TS_WARNING_UNFINISHED };
enum { TS_WARNINGS = TS_WARNING_UNFINISHED + 1 };
bool ts_warning_text(const struct ts_results *results, enum ts_warning warning, char *text,
                     size_t size);

/* How the sampling of a cell ended, such as "stopped: time ran out after 4 of 7 repetitions". */
void ts_stop_text(const struct ts_results *results, const struct ts_result *result, char *text,
                  size_t size);

/* The colour of a series as RRGGBB, on white, or on the dark page. Each is told from its neighbours by
 * the colour-blind and stands out from its ground by 3 to 1; past the last one they begin again. */
enum { TS_CHART_COLOURS = 7 };
const char *ts_chart_colour(unsigned series, bool dark);

/* What is on a chart. */
struct ts_chart {
    const struct ts_results *results;
    const struct ts_chart_lines *lines;
    enum ts_result_phase phase;
};

/* Draws dir/prefill.svg and .png, or generation.svg and .png, as ts_gnuplot_draw does. */
bool ts_chart_draw(const char *dir, const struct ts_chart *chart, bool *drawn,
                   struct ts_error *error);

#endif
