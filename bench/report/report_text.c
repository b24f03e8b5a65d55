/* The results as a table for a terminal. */
#include "bench/report/html.h"
#include "bench/report/report.h"

#include <math.h>
#include <string.h>

static size_t width_of(const char *text)
{
    size_t width = 0;
    for (; *text; text++) {
        width += ((unsigned char)*text & 0xc0) != 0x80 ? 1 : 0;
    }
    return width;
}

static void pad(FILE *out, const char *text, int width, bool right)
{
    int space = width - (int)width_of(text);
    space = space > 0 ? space : 0;
    fprintf(out, "%*s%s%*s", right ? space : 0, "", text, right ? 0 : space, "");
}

static bool same_reason(const struct ts_results *results, const struct ts_result *a,
                        const struct ts_result *b)
{
    char one[512], other[512];
    ts_chart_line_label(results, a, one, sizeof one);
    ts_chart_line_label(results, b, other, sizeof other);
    return strcmp(one, other) == 0 && a->status == b->status && strcmp(a->reason, b->reason) == 0;
}

/* The cells from first to last, which stand one after the other, have no speed for one reason. */
static void write_reason(FILE *out, const struct ts_results *results, const struct ts_result *first,
                         const struct ts_result *last)
{
    char label[512], name[96], reason[200], cells[96];
    ts_chart_line_label(results, first, label, sizeof label);
    ts_clean_text(name, sizeof name, 40, label);
    ts_clean_text(reason, sizeof reason, 190, first->reason);
    if (first == last) {
        snprintf(cells, sizeof cells, "prompt %llu, %s", (unsigned long long)first->prompt,
                 ts_phase_name(first->phase));
    } else if (first->prompt == last->prompt) {
        snprintf(cells, sizeof cells, "prompt %llu", (unsigned long long)first->prompt);
    } else {
        snprintf(cells, sizeof cells, "prompts %llu to %llu", (unsigned long long)first->prompt,
                 (unsigned long long)last->prompt);
    }
    fprintf(out, "%s, %s: %s%s%s\n", name, cells, ts_status_name(first->status),
            reason[0] ? ": " : "", reason);
}

static void write_reasons(FILE *out, const struct ts_results *results)
{
    const struct ts_result *first = NULL, *last = NULL;
    bool any = false;
    for (size_t i = 0; i <= results->count; i++) {
        const struct ts_result *r = i < results->count ? &results->items[i] : NULL;
        if (r && (r->kind != TS_RESULT_SWEEP || r->superseded)) {
            continue;
        }
        bool missing = r && !ts_result_measured(r);
        if (first && (!missing || !same_reason(results, first, r))) {
            write_reason(out, results, first, last);
            first = NULL;
        }
        if (missing) {
            fputs(any ? "" : "\n", out);
            any = true;
            first = first ? first : r;
            last = r;
        }
    }
}

/* What a run's table needs a word about. */
struct marks {
    bool range, interval, doubt;
};

static void write_cell(FILE *out, const struct ts_results *results, const struct ts_result *r,
                       struct marks *marks)
{
    char text[48], low[40], high[40], spread[96] = "", count[48], load[32] = "", status[32];
    const struct ts_result_stats *s = &r->stats;
    bool ranged = !s->has_ci && r->sample_count > 1;
    if (s->has_ci || ranged) {
        snprintf(spread, sizeof spread, "%s..%s%s",
                 ts_speed_text(low, sizeof low, ranged ? s->low : s->ci_low),
                 ts_speed_text(high, sizeof high, ranged ? s->high : s->ci_high),
                 ranged ? "*" : "");
    }
    unsigned long long n = s->n, planned = results->planned;
    snprintf(count, sizeof count, planned >= n ? "%llu/%llu" : "%llu", n, planned);
    if (!isnan(r->load)) {
        snprintf(load, sizeof load, "%.1f", r->load);
    }
    pad(out, ts_speed_text(text, sizeof text, s->median), 8, true);
    fputs("  ", out);
    pad(out, spread, 16, false);
    fputs("  ", out);
    pad(out, count, 5, true);
    fputs("  ", out);
    pad(out, load, 5, true);
    snprintf(status, sizeof status, "%s%s", ts_status_name(r->status),
             ts_result_doubtful(r) ? " ?" : "");
    bool first = !isnan(r->ttft);
    fprintf(out, "  %-*s%s\n", first ? 12 : 0, status,
            first ? ts_seconds_text(text, sizeof text, r->ttft) : "");
    marks->range = marks->range || ranged;
    marks->interval = marks->interval || s->has_ci;
    marks->doubt = marks->doubt || ts_result_doubtful(r);
}

static int widest_name(const struct ts_results *results)
{
    char label[512], name[96];
    int width = 5;
    for (size_t i = 0; i < results->count; i++) {
        if (results->items[i].kind == TS_RESULT_SWEEP) {
            ts_chart_line_label(results, &results->items[i], label, sizeof label);
            ts_clean_text(name, sizeof name, 40, label);
            width = (int)width_of(name) > width ? (int)width_of(name) : width;
        }
    }
    return width;
}

static void write_legend(FILE *out, const struct marks *marks)
{
    fputs(marks->interval ? "interval: of the median, with 95 % confidence\n" : "", out);
    fputs(marks->range ? "* range of the samples: n is too small for an interval\n" : "", out);
    fputs(marks->doubt ? "? doubtful: the machine was busy or its own speed moved\n" : "", out);
}

void ts_report_table(FILE *out, const struct ts_results *results)
{
    char label[512], name[96], text[1024];
    int width = widest_name(results);
    struct marks marks = {false, false, false};
    ts_provenance_text(results, text, sizeof text);
    fprintf(out, "%s\n", text);
    for (int i = 0; i < TS_WARNINGS; i++) {
        if (ts_warning_text(results, (enum ts_warning)i, text, sizeof text)) {
            fprintf(out, "%s\n", text);
        }
    }
    fprintf(out, "\n%-*s  %6s  %-10s  %8s  %-16s  %5s  %5s  %-10s  %s\n", width, "model", "prompt",
            "phase", "tokens/s", "interval", "n", "load", "status", "first token");
    for (size_t i = 0; i < results->count; i++) {
        const struct ts_result *r = &results->items[i];
        if (r->kind != TS_RESULT_SWEEP || r->superseded) {
            continue;
        }
        ts_chart_line_label(results, r, label, sizeof label);
        ts_clean_text(name, sizeof name, 40, label);
        pad(out, name, width, false);
        fprintf(out, "  %6llu  %-10s  ", (unsigned long long)r->prompt, ts_phase_name(r->phase));
        if (ts_result_measured(r)) {
            write_cell(out, results, r, &marks);
        } else {
            fprintf(out, "%8s  %-16s  %5s  %5s  %s\n", "-", "", "", "", ts_status_name(r->status));
        }
    }
    write_legend(out, &marks);
    write_reasons(out, results);
}
