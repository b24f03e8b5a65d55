/* The page around the tables and charts, and the order in which the report's files are made. */
#include "bench/report/html.h"
#include "bench/report/report.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { CHARTS = 3 }; /* the two phases, and the map of kernels */

/* What became of the charts. */
struct drawing {
    struct ts_heatmap map;
    bool drawn[CHARTS];
    const char *reason; /* why those that could be drawn are not; NULL if they are */
};

/* A chart that is drawn, or why it is not; absent: what to say where there is nothing to draw. */
static bool write_chart(FILE *out, const char *dir, const char *name, bool drawn, bool any,
                        const char *absent, const char *reason, struct ts_error *error)
{
    bool ok = true;
    if (drawn) {
        size_t size = strlen(dir) + 32;
        char *path = malloc(size);
        if (!path) {
            return ts_fail_memory(error, dir, size);
        }
        snprintf(path, size, "%s/%s.svg", dir, name);
        fprintf(out, "<figure tabindex=\"0\" aria-label=\"chart: %s\">", name);
        ok = ts_html_svg(out, path, name, error);
        fprintf(out,
                "</figure>\n<p class=\"note\">The chart by itself: <a href=\"%s.svg\">SVG</a>"
                ", <a href=\"%s.png\">PNG</a></p>\n",
                name, name);
        free(path);
    } else if (!any) {
        fprintf(out, "<p class=\"warning\">%s</p>\n", absent);
    } else {
        fputs("<p class=\"warning\">The chart could not be drawn: ", out);
        ts_html_text(out, reason ? reason : "unknown reason");
        fputs("</p>\n", out);
    }
    return ok;
}

static bool write_phase(FILE *out, const char *dir, const struct ts_results *results,
                        enum ts_result_phase phase, const struct drawing *drawing,
                        struct ts_error *error)
{
    const char *name = ts_phase_name(phase);
    fprintf(out, "<h2 id=\"%s\">%s</h2>\n", name,
            phase == TS_PHASE_PREFILL ? "Prefill" : "Generation");
    fputs(phase == TS_PHASE_PREFILL
              ? "<p class=\"soft\">Feeding the whole prompt into an empty context: new tokens "
                "divided by wall time.</p>\n"
              : "<p class=\"soft\">Generating after the prompt, one token at a time. The first "
                "token is not counted here: it belongs to the time to the first token.</p>\n",
          out);
    bool ok = write_chart(out, dir, name, drawing->drawn[phase],
                          ts_chart_cells_measured(results, phase) > 0,
                          "No cell has a speed, so there is no chart.", drawing->reason, error);
    if (drawing->drawn[phase]) { /* the chart's caption, which a narrow screen cuts */
        char text[512];
        ts_sample_text(results, phase, text, sizeof text);
        fputs("<p class=\"note narrow\">", out);
        ts_html_text(out, text);
        fputs("</p>\n", out);
    }
    ts_report_speeds(out, results, phase);
    return ok;
}

static bool write_kernels(FILE *out, const char *dir, const struct drawing *drawing,
                          struct ts_error *error)
{
    fputs("<h2 id=\"kernels\">Kernels</h2>\n", out);
    if (drawing->map.row_count == 0) {
        fputs("<p class=\"soft\">No check of a kernel is in the records: no device of this run has "
              "kernels.</p>\n",
              out);
        return true;
    }
    fputs(
        "<p class=\"soft\">Each kernel against the reference: the error of its worst element as a "
        "share of that element's own error budget (rho). Above 1 a kernel is wrong, and speeds "
        "that it had part in are withheld.</p>\n",
        out);
    bool ok =
        write_chart(out, dir, "agreement", drawing->drawn[2], true, "", drawing->reason, error);
    ts_report_kernels(out, &drawing->map);
    return ok;
}

/* What a reader must know before any number. */
static void write_warnings(FILE *out, const struct ts_results *results)
{
    char text[1024];
    for (int i = 0; i < TS_WARNINGS; i++) {
        if (ts_warning_text(results, (enum ts_warning)i, text, sizeof text)) {
            fputs("<p class=\"warning\">", out);
            ts_html_text(out, text);
            fputs("</p>\n", out);
        }
    }
    if (results->truncated_line > 0) {
        fprintf(
            out,
            "<p class=\"warning\">Line %u of runs.jsonl, the last one, was cut off while it was "
            "written, and is left out.</p>\n",
            results->truncated_line);
    }
    if (results->superseded > 0) {
        fprintf(out,
                "<p class=\"warning\">%zu %s measured again later; the last one counts, and all "
                "are in runs.jsonl.</p>\n",
                results->superseded, results->superseded == 1 ? "record was" : "records were");
    }
}

static void write_header(FILE *out, const struct ts_results *results)
{
    char text[1024];
    fputs("<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
          "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>",
          out);
    ts_html_text(out, results->folder);
    fputs(" - Touchstone bench</title>\n<style>\n", out);
    ts_report_style(out);
    fputs("</style>\n</head>\n<body>\n<main>\n<h1>Touchstone bench</h1>\n<p class=\"soft\">", out);
    ts_machine_text(results, text, sizeof text);
    ts_html_text(out, text);
    fputs("</p>\n", out);
    bool warning = ts_provenance_text(results, text, sizeof text);
    fprintf(out, "<p class=\"%s\">", warning ? "warning" : "soft");
    ts_html_text(out, text);
    fputs("</p>\n", out);
    write_warnings(out, results);
}

static bool write_page(FILE *out, const char *dir, const struct ts_results *results,
                       const struct drawing *drawing, struct ts_error *error)
{
    write_header(out, results);
    if (!write_phase(out, dir, results, TS_PHASE_PREFILL, drawing, error) ||
        !write_phase(out, dir, results, TS_PHASE_GENERATION, drawing, error)) {
        return false;
    }
    fputs("<h2 id=\"agreement\">Agreement</h2>\n", out);
    ts_report_agreement(out, results);
    if (!write_kernels(out, dir, drawing, error)) {
        return false;
    }
    fputs("<h2 id=\"reproduce\">How to reproduce</h2>\n", out);
    ts_report_reproduce(out, results);
    fputs("<h2 id=\"environment\">Environment</h2>\n", out);
    ts_report_environment(out, results);
    fputs("<h2 id=\"records\">Records</h2>\n<p>Every sample, one record a line: "
          "<a href=\"runs.jsonl\">runs.jsonl</a>; the environment: "
          "<a href=\"environment.json\">environment.json</a>. Speeds are tokens per second.</p>\n"
          "</main>\n</body>\n</html>\n",
          out);
    return true;
}

/* Writes the page beside the one of before and moves it there when it is whole. */
static bool place_page(const char *dir, const struct ts_results *results,
                       const struct drawing *drawing, struct ts_error *error)
{
    size_t size = strlen(dir) + 48;
    char *path = malloc(size), *part = malloc(size);
    if (!path || !part) {
        free(path);
        free(part);
        return ts_fail_memory(error, dir, size * 2);
    }
    snprintf(path, size, "%s/report.html", dir);
    snprintf(part, size, "%s/report.html.%ld", dir, (long)getpid());
    FILE *out = fopen(part, "wb");
    bool ok = out != NULL && write_page(out, dir, results, drawing, error);
    bool other = out != NULL && !ok; /* *error is filled already */
    ok = ok && fflush(out) == 0 && !ferror(out);
    int reason = errno;
    if (out && fclose(out) != 0 && ok) {
        ok = false;
        reason = errno;
    }
    if (ok && rename(part, path) != 0) {
        ok = false;
        reason = errno;
    }
    if (!ok && !other) {
        ts_fail(error, TS_ERR_ENVIRONMENT, NULL, "%s: %s", path, strerror(reason));
    }
    if (!ok && out) {
        unlink(part);
    }
    free(path);
    free(part);
    return ok;
}

/* True where every chart is drawn that there is something for. */
static bool draw_charts(const char *dir, const struct ts_results *results,
                        const struct ts_chart_lines *lines, struct drawing *drawing,
                        struct ts_error *error)
{
    for (int phase = 0; phase < 2; phase++) {
        struct ts_chart chart = {results, lines, (enum ts_result_phase)phase};
        if (!ts_chart_draw(dir, &chart, &drawing->drawn[phase], error)) {
            return false;
        }
    }
    return ts_heatmap_draw(dir, &drawing->map, &drawing->drawn[2], error);
}

/* The page is written whatever became of the charts; the charts' error is the more telling one. */
bool ts_report_write(const char *dir, struct ts_error *error)
{
    struct ts_results results;
    struct ts_chart_lines lines = {NULL, 0};
    struct ts_error unseen = {TS_OK, "", ""};
    struct ts_error *why = error ? error : &unseen;
    struct drawing drawing = {.reason = NULL};
    bool ok = ts_results_read(dir, &results, why) &&
              ts_chart_lines_collect(&results, &lines, why) &&
              ts_heatmap_collect(&results, &drawing.map, why);
    if (ok) {
        bool charts = draw_charts(dir, &results, &lines, &drawing, why);
        drawing.reason = charts ? NULL : why->message;
        ok = place_page(dir, &results, &drawing, charts ? why : NULL) && charts;
    }
    ts_heatmap_free(&drawing.map);
    ts_chart_lines_free(&lines);
    ts_results_free(&results);
    return ok;
}
