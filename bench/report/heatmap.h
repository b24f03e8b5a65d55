/* The agreement of single kernels as a map: kernels by weight formats, each cell the share of its error
 * budget that a kernel used. */
#ifndef TS_BENCH_REPORT_HEATMAP_H
#define TS_BENCH_REPORT_HEATMAP_H

#include "bench/report/gnuplot.h"
#include "bench/record/results.h"

enum ts_heat_verdict {
    TS_HEAT_NONE, /* there is no such kernel */
    TS_HEAT_UNCHECKED,
    TS_HEAT_EXACT,
    TS_HEAT_PASS,
    TS_HEAT_MARGINAL,
    TS_HEAT_FAIL
};
enum { TS_HEAT_VERDICTS = TS_HEAT_FAIL + 1 };

/* Kernels that differ only in the format axis. */
struct ts_heat_row {
    const struct ts_result *first; /* device, operation, version, format of further weights */
    char label[96];                /* clean UTF-8, cut to fit */
};

struct ts_heatmap {
    const struct ts_results *results;
    struct ts_heat_row *rows; /* in the order of the table of operations */
    size_t row_count;
    const char **formats; /* of the columns, in the order of GGUF's numbers; "": no format axis */
    size_t format_count;
    const struct ts_result **cells;   /* [row_count, format_count]; NULL: no such kernel */
    size_t kernels[TS_HEAT_VERDICTS]; /* how many have this verdict */
};

/* Collects the records of kernels. The caller frees *map with ts_heatmap_free, also after an error.
 * Errors: no memory. */
bool ts_heatmap_collect(const struct ts_results *results, struct ts_heatmap *map,
                        struct ts_error *error);
void ts_heatmap_free(struct ts_heatmap *map);

/* NULL is no kernel. */
enum ts_heat_verdict ts_heat_verdict_of(const struct ts_result *result);

/* How a cell is written: "exact", rho, rho with a mark, "FAIL" with rho if that is a number, a dash.
 * Returns the buffer. */
const char *ts_heat_text(const struct ts_result *result, char *buffer, size_t size);

/* The colour of a rho that passes, as in HTML: pale at 0.0001 and below, dark at 1, logarithmic
 * between. dark: whether white text is the one to read on it. */
void ts_heat_colour(double rho, char colour[7], bool *dark);

/* What the kernels ran on, in plain words; true if it is a warning. */
bool ts_heat_provenance(const struct ts_heatmap *map, char *text, size_t size);

/* "22 kernels: 1 exact, 20 pass, ..." */
void ts_heat_counts(const struct ts_heatmap *map, char *text, size_t size);

/* Draws dir/agreement.svg and .png, as ts_gnuplot_draw does. */
bool ts_heatmap_draw(const char *dir, const struct ts_heatmap *map, bool *drawn,
                     struct ts_error *error);

#endif
