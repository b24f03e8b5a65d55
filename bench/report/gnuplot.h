/* Runs gnuplot, and what its scripts have in common. */
#ifndef TS_BENCH_REPORT_GNUPLOT_H
#define TS_BENCH_REPORT_GNUPLOT_H

#include "base/error.h"

#include <stdbool.h>
#include <stdio.h>

/* The formats that a chart is drawn in. */
enum ts_chart_format { TS_CHART_SVG, TS_CHART_PNG };

/* Writes gnuplot's commands, data included; the picture goes to its standard output. False without
 * memory. */
typedef bool ts_script_fn(FILE *out, enum ts_chart_format format, const void *context);

/* Draws dir/name.svg and .png; existing ones are replaced. fn NULL: there is nothing to draw, and
 * charts of before are removed. *drawn tells which.
 * Errors: TS_ERR_ENVIRONMENT (no gnuplot, a gnuplot that fails, an unwritable folder). */
bool ts_gnuplot_draw(const char *dir, const char *name, ts_script_fn *fn, const void *context,
                     bool *drawn, struct ts_error *error);

/* A script whose positions are points from the top left corner. */
struct ts_canvas {
    FILE *out;
    enum ts_chart_format format;
    double width, height;
};

void ts_gnuplot_terminal(const struct ts_canvas *canvas, const char *name);

/* align: left, center or right; size in points of the canvas; colour as in HTML. */
void ts_gnuplot_label(const struct ts_canvas *canvas, double x, double y, const char *align,
                      double size, const char *colour, const char *text);

/* A string of gnuplot. Within single quotes nothing has a meaning but the quote itself, and its
 * doubling fails where two stand together: it goes into a string of its own. */
void ts_gnuplot_quoted(FILE *out, const char *text);

#endif
