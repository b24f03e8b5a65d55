/* gnuplot's commands for the map of kernels: rectangles and texts at computed places. Every verdict
 * has a text of its own, so that the map can be read without its colours. */
#include "bench/report/chart.h"
#include "bench/report/heatmap.h"

#include <math.h>
#include <string.h>

static const double LEFT = 24, RIGHT = 28, LEAST_WIDTH = 960, LABEL_WIDTH = 232, CELL_WIDTH = 88;
static const double KEY_TOP = 80, KEY_HEIGHT = 22, TOP = 152, ROW = 24, GAP = 1, BELOW = 24;
static const double CAPTION_ROW = 17;
static const char INK[] = "1f2328", GREY[] = "57606a";
/* texts on cells, which but for unchecked ones keep their colours on a dark page: so these are no
 * colours of the page's own */
static const char DARK[] = "1f2329", LIGHT[] = "fffffe";

/* A rectangle from (x, y), with a border if border is a colour. */
static void rectangle(const struct ts_canvas *c, double x, double y, double width, double height,
                      const char *fill, const char *border)
{
    fprintf(c->out, "set object rectangle from screen %.5f,%.5f to screen %.5f,%.5f fc rgb '#%s' ",
            x / c->width, 1 - (y + height) / c->height, (x + width) / c->width, 1 - y / c->height,
            fill);
    if (border) {
        fprintf(c->out, "fs solid 1 border lc rgb '#%s' lw 2\n", border);
    } else {
        fputs("fs solid 1 noborder\n", c->out);
    }
}

static void cell(const struct ts_canvas *c, double x, double y, double width,
                 enum ts_heat_verdict verdict, double rho, const char *text)
{
    static const char *const fills[] = {"ffffff", "eceff2", "c9efdc", "", "ffd37a", "b3261e"};
    static const char *const borders[] = {NULL, NULL, NULL, NULL, "8a5a00", "000000"};
    static const char *const inks[] = {LIGHT, "57606b", "0b4f36", "", "3d2800", LIGHT};
    double inset = borders[verdict] ? 2 : GAP;
    char colour[7];
    bool dark = false;
    ts_heat_colour(rho, colour, &dark);
    bool pass = verdict == TS_HEAT_PASS;
    rectangle(c, x + inset, y + inset, width - 2 * inset, ROW - 2 * inset,
              pass ? colour : fills[verdict], borders[verdict]);
    ts_gnuplot_label(c, x + width / 2, y + ROW / 2, "center", 12,
                     !pass  ? inks[verdict]
                     : dark ? LIGHT
                            : DARK,
                     text);
}

/* A row of samples; the scale of those that pass is logarithmic. */
static void write_key(const struct ts_canvas *c)
{
    enum { STEPS = 32 };
    const double scale_left = 188, scale_width = 160, y = KEY_TOP;
    cell(c, LEFT, y, 56, TS_HEAT_EXACT, 0, "exact");
    ts_gnuplot_label(c, LEFT + 62, y + ROW / 2, "left", 12, GREY, "same numbers");
    for (int i = 0; i < STEPS; i++) {
        char colour[7];
        bool dark;
        ts_heat_colour(pow(10, -4 + 4 * (i + 0.5) / STEPS), colour, &dark);
        rectangle(c, scale_left + scale_width * i / STEPS, y + GAP, scale_width / STEPS + 0.5,
                  KEY_HEIGHT, colour, NULL);
    }
    ts_gnuplot_label(c, scale_left + 6, y + ROW / 2, "left", 12, DARK, "0.0001");
    ts_gnuplot_label(c, scale_left + scale_width / 2, y + ROW / 2, "center", 12, DARK, "0.01");
    ts_gnuplot_label(c, scale_left + scale_width - 6, y + ROW / 2, "right", 12, LIGHT, "1");
    ts_gnuplot_label(c, scale_left + scale_width + 6, y + ROW / 2, "left", 12, GREY,
                     "pass: share of the budget");
    cell(c, 522, y, 56, TS_HEAT_MARGINAL, 0, "0.9 !");
    ts_gnuplot_label(c, 584, y + ROW / 2, "left", 12, GREY, "over 4 times its record");
    cell(c, 738, y, 56, TS_HEAT_FAIL, 0, "FAIL");
    ts_gnuplot_label(c, 800, y + ROW / 2, "left", 12, GREY, "fails");
    cell(c, 848, y, 32, TS_HEAT_UNCHECKED, 0, "\xe2\x80\x93");
    ts_gnuplot_label(c, 884, y + ROW / 2, "left", 12, GREY, "not checked");
}

static void write_texts(const struct ts_canvas *c, const struct ts_heatmap *map)
{
    double bottom = TOP + ROW * (double)map->row_count + BELOW;
    char text[1024];
    ts_gnuplot_label(c, LEFT, 30, "left", 20, INK, "Agreement of kernels with the reference");
    bool warning = ts_heat_provenance(map, text, sizeof text);
    ts_gnuplot_label(c, LEFT, 56, "left", 14, warning ? "9a3b00" : GREY, text);
    write_key(c);
    ts_machine_text(map->results, text, sizeof text);
    ts_gnuplot_label(c, LEFT, bottom, "left", 12, GREY, text);
    ts_heat_counts(map, text, sizeof text);
    ts_gnuplot_label(c, LEFT, bottom + CAPTION_ROW, "left", 12, GREY, text);
    ts_gnuplot_label(
        c, LEFT, bottom + 2 * CAPTION_ROW, "left", 12, GREY,
        "a cell: the worst element's error as a share of its own error budget; above 1 "
        "the kernel is wrong");
}

static bool write_script(FILE *out, enum ts_chart_format format, const void *context)
{
    const struct ts_heatmap *map = context;
    double right = LEFT + LABEL_WIDTH + CELL_WIDTH * (double)map->format_count + RIGHT;
    struct ts_canvas canvas = {out, format, fmax(right, LEAST_WIDTH),
                               TOP + ROW * (double)map->row_count + BELOW + 3 * CAPTION_ROW + 4};
    fputs("set encoding utf8\n", out);
    ts_gnuplot_terminal(&canvas, "agreement");
    write_texts(&canvas, map);
    for (size_t k = 0; k < map->format_count; k++) {
        const char *name = map->formats[k][0] ? map->formats[k] : "no format";
        ts_gnuplot_label(&canvas, LEFT + LABEL_WIDTH + CELL_WIDTH * ((double)k + 0.5), TOP - 14,
                         "center", 12, GREY, name);
    }
    for (size_t i = 0; i < map->row_count; i++) {
        double y = TOP + ROW * (double)i;
        ts_gnuplot_label(&canvas, LEFT + LABEL_WIDTH - 10, y + ROW / 2, "right", 13, INK,
                         map->rows[i].label);
        for (size_t k = 0; k < map->format_count; k++) {
            const struct ts_result *r = map->cells[i * map->format_count + k];
            char text[32];
            if (r) {
                cell(&canvas, LEFT + LABEL_WIDTH + CELL_WIDTH * (double)k, y, CELL_WIDTH,
                     ts_heat_verdict_of(r), r->kernel.rho, ts_heat_text(r, text, sizeof text));
            }
        }
    }
    fputs("unset key\nunset border\nunset tics\nset xrange [0:1]\nset yrange [0:1]\n"
          "plot -1 notitle\n",
          out);
    return true;
}

bool ts_heatmap_draw(const char *dir, const struct ts_heatmap *map, bool *drawn,
                     struct ts_error *error)
{
    return ts_gnuplot_draw(dir, "agreement", map->row_count > 0 ? write_script : NULL, map, drawn,
                           error);
}
