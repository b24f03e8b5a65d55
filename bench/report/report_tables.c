/* The tables of the page: the numbers that the charts show, and those that they cannot. */
#include "bench/report/html.h"
#include "bench/report/report.h"
#include "bench/report/report_cells.h"

#include <math.h>
#include <string.h>

static void cell_speed(FILE *out, double speed)
{
    char text[48];
    ts_cell_number(out, ts_speed_text(text, sizeof text, speed));
}

static void cell_interval(FILE *out, const struct ts_result_stats *stats)
{
    char low[48], high[48], text[112];
    snprintf(text, sizeof text, "%s to %s", ts_speed_text(low, sizeof low, stats->ci_low),
             ts_speed_text(high, sizeof high, stats->ci_high));
    ts_cell_number(out, stats->has_ci ? text : "\xe2\x80\x93");
}

/* Which columns this phase has something to say in. */
struct columns {
    bool ttft, ci, canary, gpu;
};

static struct columns find_columns(const struct ts_results *results, enum ts_result_phase phase)
{
    struct columns columns = {false, false, false, false};
    for (size_t i = 0; i < results->count; i++) {
        const struct ts_result *r = &results->items[i];
        if (ts_result_measured(r) && r->phase == phase) {
            columns.ttft |= !isnan(r->ttft);
            columns.ci |= r->stats.has_ci;
            columns.canary |= !isnan(r->canary_drift);
            columns.gpu |= !isnan(r->gpu_share);
        }
    }
    return columns;
}

static void write_measured(FILE *out, const struct ts_result *r, struct columns columns)
{
    char text[48];
    fputs("<td class=\"n main\">", out);
    ts_html_text(out, ts_speed_text(text, sizeof text, r->stats.median));
    fputs("</td>", out);
    if (columns.ci) {
        cell_interval(out, &r->stats);
    }
    cell_speed(out, r->stats.p5);
    cell_speed(out, r->stats.p95);
    ts_cell_count(out, r->stats.n);
    if (columns.ttft) {
        ts_cell_number(out, ts_seconds_text(text, sizeof text, r->ttft));
    }
    if (columns.gpu) {
        snprintf(text, sizeof text, "%.0f %%", 100 * r->gpu_share);
        ts_cell_number(out, isnan(r->gpu_share) ? "\xe2\x80\x93" : text);
    }
    if (columns.canary) {
        double percent = round(r->canary_drift * 1000) / 10;
        snprintf(text, sizeof text, percent == 0 ? "0.0 %%" : "%+.1f %%", percent);
        fprintf(out, "<td class=\"n%s\">%s</td>", ts_result_doubtful(r) ? " doubt" : "",
                isnan(r->canary_drift) ? "\xe2\x80\x93" : text);
    }
    ts_cell_text(out, r->stats.stop);
    ts_cell_state(out, r->status);
}

static void write_missing(FILE *out, const struct ts_result *r, struct columns columns)
{
    unsigned width = 5u + (columns.ci ? 1u : 0u) + (columns.ttft ? 1u : 0u) +
                     (columns.gpu ? 1u : 0u) + (columns.canary ? 1u : 0u);
    fprintf(out, "<td class=\"none\" colspan=\"%u\">", width);
    ts_html_text(out, r->reason[0] ? r->reason : "no reason given");
    fputs("</td>", out);
    ts_cell_state(out, r->status);
}

static void write_head(FILE *out, struct columns columns)
{
    fputs("<thead><tr><th>model</th><th class=\"n\">prompt</th><th class=\"n\">median t/s</th>",
          out);
    fputs(columns.ci ? "<th class=\"n\">95 % interval</th>" : "", out);
    fputs("<th class=\"n\">p5</th><th class=\"n\">p95</th><th class=\"n\">n</th>", out);
    fputs(columns.ttft ? "<th class=\"n\">first token</th>" : "", out);
    fputs(columns.gpu ? "<th class=\"n\">device time</th>" : "", out);
    fputs(columns.canary ? "<th class=\"n\">canary</th>" : "", out);
    fputs("<th>stop</th><th>status</th></tr></thead>\n", out);
}

void ts_report_speeds(FILE *out, const struct ts_results *results, enum ts_result_phase phase)
{
    struct columns columns = find_columns(results, phase);
    if (ts_chart_cells_measured(results, phase) + ts_chart_cells_missing(results, phase) == 0) {
        fputs("<p>No cell of this phase is in the records.</p>\n", out);
        return;
    }
    fputs("<div class=\"scroll\"><table>\n", out);
    write_head(out, columns);
    fputs("<tbody>\n", out);
    for (size_t i = 0; i < results->count; i++) {
        const struct ts_result *r = &results->items[i];
        char label[512];
        if (r->kind != TS_RESULT_SWEEP || r->superseded || r->phase != phase) {
            continue;
        }
        ts_chart_line_label(results, r, label, sizeof label);
        fputs("<tr>", out);
        ts_cell_text(out, label);
        ts_cell_count(out, r->prompt);
        if (ts_result_measured(r)) {
            write_measured(out, r, columns);
        } else {
            write_missing(out, r, columns);
        }
        fputs("</tr>\n", out);
        if (ts_result_measured(r) && r->reason[0] && r->status == TS_STATUS_MARGINAL) {
            fputs("<tr><td class=\"none\" colspan=\"11\">", out);
            ts_html_text(out, r->reason);
            fputs("</td></tr>\n", out);
        }
    }
    fputs("</tbody></table></div>\n", out);
    fputs(columns.gpu
              ? "<p class=\"note\">Device time: the share of the wall time by the device's own "
                "clock; the rest is the host's.</p>\n"
              : "",
          out);
    fputs(columns.canary ? "<p class=\"note\">Canary: how much longer a fixed loop took after the "
                           "cell than before it. Beyond 2 % the machine's speed was moving.</p>\n"
                         : "",
          out);
}
