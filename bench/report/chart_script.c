/* gnuplot's commands for one chart. Texts go in as quoted strings, data as numbers. Positions are
 * computed here in points of a canvas that grows with the key, because gnuplot places a long key
 * over the plot. */
#include "bench/report/chart.h"
#include "bench/report/html.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const double WIDTH = 960, LEFT = 24, PLOT_LEFT = 66, PLOT_RIGHT = 932, PLOT_HEIGHT = 330;
static const double KEY_TOP = 84, KEY_ROW = 20, KEY_SAMPLE = 36, BELOW = 62, CAPTION_ROW = 17;
static const double SIDESTEP = 7, SIDE_BY_SIDE = 14;
static const size_t MOST_DOTS = 20;

/* The hues of Okabe and Ito's colours, safe for the colour-blind, as dark or light as the ground asks;
 * without yellow, which white swallows. */
static const char *const colours[TS_CHART_COLOURS][2] = {
    {"0072b2", "4aa3df"}, {"d55e00", "ff7f2a"}, {"009e73", "2bc79a"}, {"b35c8e", "e59bc5"},
    {"a87000", "f0b429"}, {"2f8fcc", "a6dbff"}, {"000000", "ffffff"}};
static const char *const dashes[] = {"solid", "(9,5)", "(2,4)", "(9,4,2,4)", "(5,3)"};
static const unsigned points[] = {7, 5, 9, 13, 11, 6, 4};

/* Prompt lengths that are drawn, ascending, and points a doubling of them. */
struct axis {
    double *lengths; /* [count] */
    size_t count;
    double margin, scale; /* doublings before the first and after the last length; points */
};

struct layout {
    double height, plot_top, plot_bottom, key_width;
    unsigned key_columns;
};

/* Cells of the series that are drawn in this phase. */
static size_t drawn_cells(const struct ts_results *results, const struct ts_chart_line *series,
                          enum ts_result_phase phase)
{
    size_t count = 0;
    for (size_t i = 0; i < results->count; i++) {
        const struct ts_result *r = &results->items[i];
        count += ts_result_measured(r) && r->phase == phase && ts_chart_line_has(series, r) ? 1 : 0;
    }
    return count;
}

static size_t characters_of(const char *text)
{
    size_t count = 0;
    for (; *text; text++) {
        count += ((unsigned char)*text & 0xc0) != 0x80 ? 1 : 0;
    }
    return count;
}

static struct layout plan(const struct ts_results *results, const struct ts_chart_lines *list,
                          enum ts_result_phase phase)
{
    struct layout at = {0};
    size_t entries = 0, longest = 0;
    for (size_t i = 0; i < list->count; i++) {
        if (drawn_cells(results, &list->items[i], phase) > 0) {
            size_t length = characters_of(list->items[i].name);
            entries++;
            longest = length > longest ? length : longest;
        }
    }
    at.key_width = KEY_SAMPLE + 8 + 8.0 * (double)longest + 24;
    double columns = fmax(floor((PLOT_RIGHT - LEFT + 24) / at.key_width), 1);
    at.key_columns = (unsigned)columns;
    at.plot_top = KEY_TOP + KEY_ROW * ceil((double)entries / columns) + 24;
    at.plot_bottom = at.plot_top + PLOT_HEIGHT;
    at.height = at.plot_bottom + BELOW + 2 * CAPTION_ROW + 10;
    return at;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y ? 1 : 0;
}

/* False without memory, or if nothing is drawn. The caller frees the lengths, if it is true. */
static bool plan_axis(const struct ts_results *results, enum ts_result_phase phase, struct axis *x)
{
    size_t all = 0;
    *x = (struct axis){.lengths = malloc((results->count + 1) * sizeof *x->lengths)};
    for (size_t i = 0; x->lengths && i < results->count; i++) {
        const struct ts_result *r = &results->items[i];
        if (ts_result_measured(r) && r->phase == phase) {
            x->lengths[all++] = (double)r->prompt;
        }
    }
    if (all == 0) {
        free(x->lengths);
        return false;
    }
    qsort(x->lengths, all, sizeof *x->lengths, by_value);
    for (size_t i = 0; i < all; i++) {
        if (i == 0 || x->lengths[i] > x->lengths[i - 1]) {
            x->lengths[x->count++] = x->lengths[i];
        }
    }
    double span = log2(x->lengths[x->count - 1] / x->lengths[0]);
    x->margin = span > 0 ? fmax(0.05 * span, 0.12) : 1.0;
    x->scale = (PLOT_RIGHT - PLOT_LEFT) / (span + 2 * x->margin);
    return true;
}

/* Half the room that a tick's label takes, in points. */
static double half_label(double length)
{
    return 4.0 * (floor(log10(length)) + 1) + 4;
}

/* Labels at the measured lengths. Where two would touch, the one on the right becomes a bare tick;
 * the last length always keeps its label. */
static void write_x_axis(FILE *out, const struct axis *axis)
{
    double least = axis->lengths[0], most = axis->lengths[axis->count - 1];
    double taken = -INFINITY, kept = log2(most) * axis->scale - half_label(most);
    fputs("set logscale x 2\nset xtics out nomirror (", out);
    for (size_t i = 0; i < axis->count; i++) {
        double length = axis->lengths[i], x = log2(length) * axis->scale, half = half_label(length);
        bool fits = x - half >= taken && x + half <= kept;
        fputs(i > 0 ? ", " : "", out);
        if (fits || i + 1 == axis->count) {
            fprintf(out, "'%.0f' %.0f", length, length);
            taken = x + half;
        } else {
            fprintf(out, "'' %.0f", length);
        }
    }
    fprintf(out, ")\nset xrange [%.17g:%.17g]\n", least * exp2(-axis->margin),
            most * exp2(axis->margin));
}

/* From zero to above everything that is drawn. */
static double top_speed(const struct ts_results *results, enum ts_result_phase phase)
{
    bool intervals = ts_chart_has_intervals(results, phase);
    double top = 0;
    for (size_t i = 0; i < results->count; i++) {
        const struct ts_result *r = &results->items[i];
        if (!ts_result_measured(r) || r->phase != phase) {
            continue;
        }
        top = fmax(top, fmax(r->stats.median, intervals ? r->stats.ci_high : r->stats.high));
        for (size_t k = 0; k < r->sample_count && r->sample_count <= MOST_DOTS; k++) {
            top = fmax(top, r->samples[k]);
        }
    }
    return top;
}

/* The factor of x that sets a line a few points beside the measured length, the ticks staying where
 * they are: otherwise the bars of lines with like speeds hide each other. All together take little
 * room, and at most a quarter of the way to the next length. */
static double sidestep(const struct axis *x, unsigned place, unsigned of)
{
    double gap = INFINITY;
    for (size_t i = 1; i < x->count; i++) {
        gap = fmin(gap, log2(x->lengths[i] / x->lengths[i - 1]) * x->scale);
    }
    double step = fmin(SIDESTEP, of > 1 ? fmin(SIDE_BY_SIDE, gap / 4) / (of - 1) : 0);
    return exp2(step * (place - (of - 1) / 2.0) / x->scale);
}

/* Both blocks of a series: $cN with x, median, low and high, and $sN with the samples. */
static void write_data(FILE *out, const struct ts_results *results,
                       const struct ts_chart_line *series, enum ts_result_phase phase, double step)
{
    bool intervals = ts_chart_has_intervals(results, phase);
    fprintf(out, "$c%u << END\n", series->colour);
    for (size_t i = 0; i < results->count; i++) {
        const struct ts_result *r = &results->items[i];
        if (ts_result_measured(r) && r->phase == phase && ts_chart_line_has(series, r)) {
            bool bar = intervals || r->sample_count > 0;
            fprintf(out, "%.9g %.9g %.9g %.9g\n", (double)r->prompt * step, r->stats.median,
                    !bar        ? r->stats.median
                    : intervals ? r->stats.ci_low
                                : r->stats.low,
                    !bar        ? r->stats.median
                    : intervals ? r->stats.ci_high
                                : r->stats.high);
        }
    }
    fprintf(out, "END\n$s%u << END\n", series->colour);
    for (size_t i = 0; i < results->count; i++) {
        const struct ts_result *r = &results->items[i];
        bool few = r->sample_count <= MOST_DOTS;
        if (!ts_result_measured(r) || r->phase != phase || !ts_chart_line_has(series, r) || !few) {
            continue;
        }
        for (size_t k = 0; k < r->sample_count; k++) {
            fprintf(out, "%.9g %.9g\n", (double)r->prompt * step, r->samples[k]);
        }
    }
    fputs("END\n", out);
}

static bool has_dots(const struct ts_results *results, const struct ts_chart_line *series,
                     enum ts_result_phase phase)
{
    bool dots = false;
    for (size_t i = 0; i < results->count; i++) {
        const struct ts_result *r = &results->items[i];
        dots |= ts_result_measured(r) && r->phase == phase && ts_chart_line_has(series, r) &&
                r->sample_count > 0 && r->sample_count <= MOST_DOTS;
    }
    return dots;
}

/* How a line of the chart looks. Past the last colour they begin again, with other points. */
struct look {
    const char *colour, *dash;
    unsigned point;
};

const char *ts_chart_colour(unsigned series, bool dark)
{
    return colours[series % TS_CHART_COLOURS][dark];
}

static struct look look_of(const struct ts_chart_line *line)
{
    unsigned round = line->colour / TS_CHART_COLOURS;
    return (struct look){
        .colour = ts_chart_colour(line->colour, false),
        .dash = dashes[line->dash % (sizeof dashes / sizeof *dashes)],
        .point = points[(line->colour + round) % (sizeof points / sizeof *points)],
    };
}

/* Dots first, so that nothing hides behind them; lines last. */
static void write_plots(FILE *out, const struct ts_results *results,
                        const struct ts_chart_lines *list, enum ts_result_phase phase)
{
    const char *separator = "plot ";
    for (unsigned layer = 0; layer < 3; layer++) {
        for (size_t i = 0; i < list->count; i++) {
            const struct ts_chart_line *line = &list->items[i];
            struct look look = look_of(line);
            if (drawn_cells(results, line, phase) == 0 ||
                (layer == 0 && !has_dots(results, line, phase))) {
                continue;
            }
            fprintf(out, "%s$%c%u using 1:2", separator, layer == 0 ? 's' : 'c', line->colour);
            separator = " notitle, \\\n     ";
            if (layer == 0) {
                fprintf(out, " with points pt 7 ps 0.55 lc rgb '#A8%s'", look.colour);
            } else if (layer == 1) {
                fprintf(out, ":3:4 with yerrorbars pt 7 ps 0.1 lw 1.4 lc rgb '#%s'", look.colour);
            } else {
                fprintf(out,
                        " smooth unique with linespoints lw 2.2 dt %s pt %u ps 0.85 lc rgb '#%s'",
                        look.dash, look.point, look.colour);
            }
        }
    }
    fputs(" notitle\n", out);
}

/* The key is ours, of arrows and labels, row by row: gnuplot's own is laid out by guesses at the
 * width of a text, which differ between formats. */
static void write_key(const struct ts_canvas *canvas, const struct layout *at,
                      const struct ts_results *results, const struct ts_chart_lines *list,
                      enum ts_result_phase phase)
{
    FILE *out = canvas->out;
    unsigned entry = 0;
    for (size_t i = 0; i < list->count; i++) {
        const struct ts_chart_line *line = &list->items[i];
        struct look look = look_of(line);
        if (drawn_cells(results, line, phase) == 0) {
            continue;
        }
        double x = LEFT + at->key_width * (entry % at->key_columns);
        double y = KEY_TOP + KEY_ROW * (entry / at->key_columns), height = 1 - y / at->height;
        fprintf(out,
                "set arrow from screen %.5f,%.5f to screen %.5f,%.5f nohead lw 2.2 dt %s "
                "lc rgb '#%s'\n",
                x / WIDTH, height, (x + KEY_SAMPLE) / WIDTH, height, look.dash, look.colour);
        fprintf(out, "set label '' at screen %.5f,%.5f point pt %u ps 0.85 lc rgb '#%s'\n",
                (x + KEY_SAMPLE / 2) / WIDTH, height, look.point, look.colour);
        ts_gnuplot_label(canvas, x + KEY_SAMPLE + 8, y, "left", 13, "1f2328", line->name);
        entry++;
    }
}

static void write_texts(const struct ts_canvas *canvas, const struct ts_results *results,
                        const struct ts_chart_lines *list, const struct layout *at,
                        enum ts_result_phase phase)
{
    const char *grey = "57606a";
    double bottom = at->plot_bottom + BELOW + 8;
    char text[1024];
    ts_gnuplot_label(canvas, LEFT, 30, "left", 20, "1f2328",
                     phase == TS_PHASE_PREFILL ? "Prefill speed by prompt length"
                                               : "Generation speed by prompt length");
    bool warning = ts_provenance_text(results, text, sizeof text);
    ts_gnuplot_label(canvas, LEFT, 56, "left", 14, warning ? "9a3b00" : grey, text);
    write_key(canvas, at, results, list, phase);
    ts_gnuplot_label(canvas, LEFT, at->plot_top - 14, "left", 12, grey, "tokens per second");
    ts_gnuplot_label(canvas, (PLOT_LEFT + PLOT_RIGHT) / 2, at->plot_bottom + 46, "center", 12, grey,
                     "prompt length in tokens (logarithmic)");
    ts_machine_text(results, text, sizeof text);
    ts_gnuplot_label(canvas, LEFT, bottom, "left", 12, grey, text);
    ts_sample_text(results, phase, text, sizeof text);
    ts_gnuplot_label(canvas, LEFT, bottom + CAPTION_ROW, "left", 12, grey, text);
}

static bool write_script(FILE *out, enum ts_chart_format format, const void *context)
{
    const struct ts_chart *chart = context;
    const struct ts_results *results = chart->results;
    const struct ts_chart_lines *list = chart->lines;
    struct layout at = plan(results, list, chart->phase);
    struct ts_canvas canvas = {out, format, WIDTH, at.height};
    struct axis axis;
    if (!plan_axis(results, chart->phase, &axis)) {
        return false;
    }
    fputs("set encoding utf8\n", out);
    ts_gnuplot_terminal(&canvas, ts_phase_name(chart->phase));
    for (size_t i = 0; i < list->count; i++) {
        if (drawn_cells(results, &list->items[i], chart->phase) > 0) {
            write_data(out, results, &list->items[i], chart->phase,
                       sidestep(&axis, (unsigned)i, (unsigned)list->count));
        }
    }
    write_texts(&canvas, results, list, &at, chart->phase);
    fprintf(out, "set lmargin at screen %.5f\nset rmargin at screen %.5f\n", PLOT_LEFT / WIDTH,
            PLOT_RIGHT / WIDTH);
    fprintf(out, "set tmargin at screen %.5f\nset bmargin at screen %.5f\n",
            1 - at.plot_top / at.height, 1 - at.plot_bottom / at.height);
    fputs("unset key\n", out);
    write_x_axis(out, &axis);
    fprintf(out, "set yrange [0:%.9g]\nset ytics out nomirror format '%%.6g'\n",
            top_speed(results, chart->phase) * 1.06);
    fputs("set border 3 lw 1 lc rgb '#8c959f'\nset tics textcolor rgb '#424a53'\n"
          "set grid ytics lt 1 lw 0.7 lc rgb '#e3e6ea'\n"
          "set tics scale 0.6\nset bars 0.6\n",
          out);
    write_plots(out, results, list, chart->phase);
    free(axis.lengths);
    return true;
}

bool ts_chart_draw(const char *dir, const struct ts_chart *chart, bool *drawn,
                   struct ts_error *error)
{
    bool any = ts_chart_cells_measured(chart->results, chart->phase) > 0;
    return ts_gnuplot_draw(dir, ts_phase_name(chart->phase), any ? write_script : NULL, chart,
                           drawn, error);
}
