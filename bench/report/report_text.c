/* The results as a table for a terminal. */
#include "bench/report/html.h"
#include "bench/report/report.h"

#include <math.h>
#include <string.h>

/* The other phase of the same cell, with a result or without; NULL if it has no record. */
static const struct ts_result *find_phase(const struct ts_results *results,
                                          const struct ts_result *like, enum ts_result_phase phase)
{
    char want[512], label[512];
    ts_chart_line_label(results, like, want, sizeof want);
    for (size_t i = 0; i < results->count; i++) {
        const struct ts_result *r = &results->items[i];
        if (r->kind != TS_RESULT_SWEEP || r->superseded || r->phase != phase ||
            r->prompt != like->prompt) {
            continue;
        }
        ts_chart_line_label(results, r, label, sizeof label);
        if (strcmp(label, want) == 0) {
            return r;
        }
    }
    return NULL;
}

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

/* Median and spread of a phase in two columns. */
static void write_speed(FILE *out, const struct ts_result *r)
{
    char median[48], low[48], high[48], spread[104] = "";
    const char *text = "-";
    if (r && ts_result_measured(r)) {
        text = ts_speed_text(median, sizeof median, r->stats.median);
        snprintf(spread, sizeof spread, "%s..%s", ts_speed_text(low, sizeof low, r->stats.p5),
                 ts_speed_text(high, sizeof high, r->stats.p95));
    } else if (r) {
        text = ts_status_name(r->status);
    }
    pad(out, text, 10, true);
    fputs("  ", out);
    pad(out, spread, 14, false);
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

void ts_report_table(FILE *out, const struct ts_results *results)
{
    char label[512], name[96], ttft[48], text[512];
    int width = 5;
    for (size_t i = 0; i < results->count; i++) {
        if (results->items[i].kind == TS_RESULT_SWEEP) {
            ts_chart_line_label(results, &results->items[i], label, sizeof label);
            ts_clean_text(name, sizeof name, 40, label);
            width = (int)width_of(name) > width ? (int)width_of(name) : width;
        }
    }
    ts_provenance_text(results, text, sizeof text);
    fprintf(out, "%s; tokens/s, median and p5..p95\n\n%-*s  %6s  %10s  %-14s  %10s  %-14s  %s\n",
            text, width, "model", "prompt", "prefill", "", "generation", "", "first token");
    for (size_t i = 0; i < results->count; i++) {
        const struct ts_result *r = &results->items[i];
        bool generation = r->kind == TS_RESULT_SWEEP && r->phase == TS_PHASE_GENERATION;
        const struct ts_result *prefill = generation ? find_phase(results, r, TS_PHASE_PREFILL) : r;
        /* a generation is shown beside its prefill, or alone if there is none */
        if (r->kind != TS_RESULT_SWEEP || r->superseded || (generation && prefill)) {
            continue;
        }
        ts_chart_line_label(results, r, label, sizeof label);
        ts_clean_text(name, sizeof name, 40, label);
        pad(out, name, width, false);
        fprintf(out, "  %6llu  ", (unsigned long long)r->prompt);
        write_speed(out, prefill);
        fputs("  ", out);
        write_speed(out, generation ? r : find_phase(results, r, TS_PHASE_GENERATION));
        bool first = prefill && ts_result_measured(prefill) && !isnan(prefill->ttft);
        fprintf(out, "  %s\n", first ? ts_seconds_text(ttft, sizeof ttft, prefill->ttft) : "");
    }
    write_reasons(out, results);
}
