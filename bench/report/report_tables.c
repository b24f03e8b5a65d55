/* The tables of the page: the numbers that the charts show, and those that they cannot. */
#include "bench/report/html.h"
#include "bench/report/report.h"
#include "bench/report/report_cells.h"

#include <math.h>
#include <string.h>

/* Where n is too small for an interval of the median: all samples lie within the range. */
static void cell_interval(FILE *out, const struct ts_result *r)
{
    char low[48], high[48];
    const struct ts_result_stats *stats = &r->stats;
    if (!stats->has_ci && r->sample_count < 2) {
        ts_cell_number(out, "\xe2\x80\x93");
        return;
    }
    ts_speed_text(low, sizeof low, stats->has_ci ? stats->ci_low : stats->low);
    ts_speed_text(high, sizeof high, stats->has_ci ? stats->ci_high : stats->high);
    fprintf(out, "<td class=\"n\">%s to %s<small>%s</small></td>", low, high,
            stats->has_ci ? "95 % interval" : "range");
}

/* "4 of 7"; the number alone where the plan is not known. */
static const char *count_text(const struct ts_results *results, const struct ts_result *r,
                              char *text, size_t size)
{
    unsigned long long n = r->stats.n, planned = results->planned;
    snprintf(text, size, planned >= n ? "%llu of %llu" : "%llu", n, planned);
    return text;
}

/* Which columns this phase has something to say in. */
struct columns {
    bool ttft, load, canary, gpu;
};

static struct columns find_columns(const struct ts_results *results, enum ts_result_phase phase)
{
    struct columns columns = {false, false, false, false};
    for (size_t i = 0; i < results->count; i++) {
        const struct ts_result *r = &results->items[i];
        if (ts_result_measured(r) && r->phase == phase) {
            columns.ttft |= !isnan(r->ttft);
            columns.load |= !isnan(r->load);
            columns.canary |= !isnan(r->canary_drift);
            columns.gpu |= !isnan(r->gpu_share);
        }
    }
    return columns;
}

static unsigned width_of(struct columns c)
{
    return 7u + (c.ttft ? 1u : 0u) + (c.gpu ? 1u : 0u) + (c.load ? 1u : 0u) + (c.canary ? 1u : 0u);
}

static void cell_doubt(FILE *out, const char *text, bool known, bool doubt)
{
    fprintf(out, "<td class=\"n%s\">%s</td>", doubt ? " doubt" : "", known ? text : "\xe2\x80\x93");
}

static void write_measured(FILE *out, const struct ts_results *results, const struct ts_result *r,
                           struct columns columns)
{
    char text[160];
    fputs("<td class=\"n main\">", out);
    ts_html_text(out, ts_speed_text(text, sizeof text, r->stats.median));
    fputs("</td>", out);
    cell_interval(out, r);
    cell_doubt(out, count_text(results, r, text, sizeof text), true, ts_result_short(results, r));
    if (columns.load) {
        snprintf(text, sizeof text, "%.1f", r->load);
        cell_doubt(out, text, !isnan(r->load), r->busy);
    }
    if (columns.canary) {
        double percent = round(r->canary_drift * 1000) / 10;
        snprintf(text, sizeof text, percent == 0 ? "0.0 %%" : "%+.1f %%", percent);
        cell_doubt(out, text, !isnan(r->canary_drift), ts_result_drifted(r));
    }
    if (columns.ttft) {
        ts_cell_number(out, ts_seconds_text(text, sizeof text, r->ttft));
    }
    if (columns.gpu) {
        snprintf(text, sizeof text, "%.0f %%", 100 * r->gpu_share);
        ts_cell_number(out, isnan(r->gpu_share) ? "\xe2\x80\x93" : text);
    }
    ts_stop_text(results, r, text, sizeof text);
    fputs("<td class=\"words\">", out);
    ts_html_text(out, text);
    fputs("</td>", out);
}

static void write_head(FILE *out, struct columns columns)
{
    fputs("<thead><tr><th class=\"verdict\">status</th><th>model</th><th class=\"n\">prompt</th>"
          "<th class=\"n\">median t/s</th><th class=\"n\">interval</th><th class=\"n\">n</th>",
          out);
    fputs(columns.load ? "<th class=\"n\">load</th>" : "", out);
    fputs(columns.canary ? "<th class=\"n\">canary</th>" : "", out);
    fputs(columns.ttft ? "<th class=\"n\">first token</th>" : "", out);
    fputs(columns.gpu ? "<th class=\"n\">device time</th>" : "", out);
    fputs("<th>sampling</th></tr></thead>\n", out);
}

static void write_row(FILE *out, const struct ts_results *results, const struct ts_result *r,
                      struct columns columns)
{
    char label[512], beside[96] = "", count[48];
    bool measured = ts_result_measured(r);
    if (ts_result_short(results, r)) {
        count_text(results, r, count, sizeof count);
        snprintf(beside, sizeof beside, "%s%s", count, ts_result_doubtful(r) ? ", doubtful" : "");
    } else if (measured && ts_result_doubtful(r)) {
        snprintf(beside, sizeof beside, "doubtful");
    }
    ts_chart_line_label(results, r, label, sizeof label);
    fputs("<tr>", out);
    ts_cell_state(out, r->status, ts_status_name(r->status), beside[0] ? beside : NULL);
    ts_cell_name(out, label);
    ts_cell_count(out, r->prompt);
    if (measured) {
        write_measured(out, results, r, columns);
        fputs("</tr>\n", out);
    } else {
        fprintf(out, "<td class=\"none\" colspan=\"%u\"></td></tr>\n", width_of(columns) - 3);
    }
    if (!measured || (r->reason[0] && r->status == TS_STATUS_MARGINAL)) {
        ts_row_reason(out, width_of(columns), r->reason[0] ? r->reason : "no reason given");
    }
}

void ts_report_speeds(FILE *out, const struct ts_results *results, enum ts_result_phase phase)
{
    struct columns columns = find_columns(results, phase);
    if (ts_chart_cells_measured(results, phase) + ts_chart_cells_missing(results, phase) == 0) {
        fputs("<p>No cell of this phase is in the records.</p>\n", out);
        return;
    }
    fputs("<div class=\"scroll\" tabindex=\"0\"><table>\n", out);
    write_head(out, columns);
    fputs("<tbody>\n", out);
    for (size_t i = 0; i < results->count; i++) {
        const struct ts_result *r = &results->items[i];
        if (r->kind == TS_RESULT_SWEEP && !r->superseded && r->phase == phase) {
            write_row(out, results, r, columns);
        }
    }
    fputs("</tbody></table></div>\n<p class=\"note\">n: samples of those planned. Interval: of the "
          "median, with 95 % confidence; where n is below 6 there is none, and the range from the "
          "slowest to the fastest sample stands there.</p>\n",
          out);
    fputs(columns.load ? "<p class=\"note\">Load: how many programs wanted to run, on average over "
                         "the minute before; above the number of cores they took turns with what "
                         "was measured.</p>\n"
                       : "",
          out);
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
