/* What a report says of its numbers: a busy machine, few samples, samples of no record, captions; and
 * that its charts can be read in the dark. */
#include "bench/report/html.h"
#include "bench/report/report.h"
#include "tests/support/run_folder.h"

#include <criterion/criterion.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A cell of the sample's machine, which has 2 cores, and plan, which has 5 repetitions. */
static void add_cell(char *records, size_t size, const char *id, unsigned prompt, unsigned n,
                     const char *stop, double load, double canary)
{
    size_t used = strlen(records);
    char samples[256] = "";
    for (unsigned i = 0; i < n; i++) {
        size_t at = strlen(samples);
        snprintf(samples + at, sizeof samples - at, "%s%u", i ? "," : "", 1000000 * (i + 8));
    }
    unsigned middle = 500000 * (n + 15);
    snprintf(records + used, size - used,
             "{\"schema\":1,\"kind\":\"sweep\",\"id\":\"%s\",\"axes\":{\"device\":\"reference\","
             "\"model\":\"m\",\"quant\":\"q2\",\"phase\":\"prefill\",\"prompt\":%u,\"depth\":0,"
             "\"tokens\":16,\"chunk\":128},\"samples_ns\":[%s],\"canary\":[1000,%.0f],"
             "\"load\":%.2f,\"stats\":{\"median\":%u,\"ci95\":null,\"p5\":8000000,"
             "\"p95\":%u,\"mad\":1,\"n\":%u,\"stop\":\"%s\"},\"provenance\":{\"device\":\"cpu\","
             "\"model\":\"synthetic\",\"projection\":false},\"status\":\"pass\",\"reason\":\"\"}\n",
             id, prompt, samples, 1000 * canary, load, middle, 1000000 * (n + 7), n, stop);
}

static char *table_of(const char *dir)
{
    struct ts_results results;
    struct ts_error error = {TS_OK, "", ""};
    char *text = NULL;
    size_t size = 0;
    cr_assert(ts_results_read(dir, &results, &error), "%s", error.message);
    FILE *out = open_memstream(&text, &size);
    ts_report_table(out, &results);
    fclose(out);
    ts_results_free(&results);
    return text;
}

static char *page_of(const char *dir)
{
    struct ts_error error = {TS_OK, "", ""};
    cr_assert(ts_report_write(dir, &error), "%s", error.message);
    return ts_run_slurp(ts_run_path(dir, "report.html").text);
}

/* Load on 2 cores, factor of the canary, and what is doubtful. */
Test(report_warnings, a_busy_machine)
{
    char records[8192] = "";
    add_cell(records, sizeof records, "a", 16, 5, "reps", 2.4, 1.0); /* its own load */
    add_cell(records, sizeof records, "b", 32, 5, "reps", 11.25, 1.0);
    add_cell(records, sizeof records, "c", 64, 5, "reps", 0.5, 0.95);
    struct ts_run_path dir = ts_run_make("busy", records);
    char *table = table_of(dir.text), *page = page_of(dir.text);
    static const char said[] =
        "The machine was busy: 2 of 3 speeds are doubtful; load average up to "
        "11.2 on 2 cores; a fixed loop took up to 5.0 % more or less time";
    cr_expect(strstr(table, said), "%s", table);
    const char *first = strstr(page, "<h2"), *place = strstr(page, said);
    cr_expect(place && place < first, "the page does not begin with it");
    cr_expect(strstr(table, "11.2  pass ?") && strstr(table, "0.5  pass ?") &&
                  strstr(table, "2.4  pass\n"),
              "%s", table);
    cr_expect(strstr(page, "<td class=\"n doubt\">11.2</td>") &&
              strstr(page, "<td class=\"n doubt\">-5.0 %</td>") &&
              strstr(page, "<td class=\"n\">2.4</td>"));
    free(table);
    free(page);
    ts_run_clear(dir.text);
}

/* Records that do not know their load are judged by the load around the sweep. */
Test(report_warnings, a_busy_machine_of_older_records)
{
    struct ts_run_path dir = ts_run_sample("older");
    char *environment = ts_run_slurp(ts_run_path(dir.text, "environment.json").text);
    char *load = strstr(environment, "0.5,");
    cr_assert(load);
    char *table = table_of(dir.text);
    cr_expect(!strstr(table, "doubtful"), "%s", table);
    free(table);
    memcpy(load, "7.5", 3);
    ts_run_spill(ts_run_path(dir.text, "environment.json").text, environment);
    table = table_of(dir.text);
    cr_expect(strstr(table, "14 of 14 speeds are doubtful; load average up to 7.5 on 2 cores."),
              "%s", table);
    free(table);
    free(environment);
    ts_run_clear(dir.text);
}

Test(report_warnings, fewer_samples_than_planned)
{
    char records[8192] = "";
    add_cell(records, sizeof records, "a", 16, 4, "time", 0.5, 1);
    add_cell(records, sizeof records, "b", 32, 1, "interrupted", 0.5, 1);
    add_cell(records, sizeof records, "c", 64, 5, "reps", 0.5, 1);
    struct ts_run_path dir = ts_run_make("short", records);
    char *table = table_of(dir.text), *page = page_of(dir.text);
    static const char said[] = "2 of 3 speeds are from fewer samples than the 5 planned.";
    cr_expect(strstr(table, said) && strstr(page, said), "%s", table);
    cr_expect(strstr(table, "4/5") && strstr(table, "1/5") && strstr(table, "5/5"), "%s", table);
    cr_expect(strstr(page, "stopped: time ran out after 4 of 5 repetitions") &&
              strstr(page, "stopped: interrupted after 1 of 5 repetitions") &&
              strstr(page, "all repetitions done"));
    cr_expect(strstr(page, "pass</span><small class=\"doubt\">4 of 5</small>"));
    cr_expect(strstr(page, "median of n = 1 to 5 of 5 planned"));
    free(table);
    free(page);
    ts_run_clear(dir.text);
}

/* What a sweep leaves that was killed; ids a and b have records, and the last line is cut off. */
Test(report_warnings, samples_without_a_record)
{
    static const struct {
        const char *samples, *said;
    } cases[] = {
        {"{\"id\":\"a\",\"ns\":1}\n{\"id\":\"b\",\"ns\":1}\n", NULL},
        {"", NULL},
        {"{\"id\":\"a\",\"ns\":1}\n{\"id\":\"z\",\"ns\":1}\n{\"id\":\"z\",\"n",
         "1 sample of 1 cell without a record"},
        {"{\"id\":\"z\"}\n{\"id\":\"y\"}\n\n{\"id\":\"z\"}\n",
         "3 samples of 2 cells without a record"},
    };
    char records[4096] = "";
    add_cell(records, sizeof records, "a", 16, 5, "reps", 0.5, 1);
    add_cell(records, sizeof records, "b", 32, 5, "reps", 0.5, 1);
    struct ts_run_path dir = ts_run_make("killed", records);
    struct ts_run_path samples = ts_run_path(dir.text, "samples.jsonl");
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        ts_run_spill(samples.text, cases[i].samples);
        char *table = table_of(dir.text), *page = page_of(dir.text);
        bool silent = !strstr(table, "without a record") && !strstr(page, "without a record");
        cr_expect(cases[i].said ? strstr(table, cases[i].said) && strstr(page, cases[i].said)
                                : silent,
                  "case %zu: %s", i, table);
        free(table);
        free(page);
    }
    struct ts_results results;
    struct ts_error error = {TS_OK, "", ""};
    ts_run_spill(samples.text, "{\"id\":\"a\"}\n{\"ns\":1}\n");
    cr_expect(!ts_results_read(dir.text, &results, &error) && error.code == TS_ERR_INPUT);
    cr_expect(strstr(error.message, "samples.jsonl line 2"), "%s", error.message);
    ts_results_free(&results);
    ts_run_clear(dir.text);
}

static double luminance(const char *colour)
{
    unsigned parts[3];
    static const double weights[] = {0.2126, 0.7152, 0.0722};
    double sum = 0;
    cr_assert(sscanf(colour, "%2x%2x%2x", &parts[0], &parts[1], &parts[2]) == 3, "%s", colour);
    for (int i = 0; i < 3; i++) {
        double c = parts[i] / 255.0;
        sum += weights[i] * (c <= 0.04045 ? c / 12.92 : pow((c + 0.055) / 1.055, 2.4));
    }
    return sum;
}

static double contrast(const char *one, const char *other)
{
    double a = luminance(one) + 0.05, b = luminance(other) + 0.05;
    return a > b ? a / b : b / a;
}

/* The grounds are those of the page's charts. */
Test(report_warnings, series_stand_out_in_the_light_and_in_the_dark)
{
    cr_expect(fabs(contrast("000000", "ffffff") - 21) < 1e-9);
    for (unsigned i = 0; i < TS_CHART_COLOURS; i++) {
        cr_expect(contrast(ts_chart_colour(i, false), "ffffff") >= 3, "series %u", i);
        cr_expect(contrast(ts_chart_colour(i, true), "161b22") >= 3, "series %u in the dark", i);
        cr_expect(ts_chart_colour(i + TS_CHART_COLOURS, true) == ts_chart_colour(i, true));
    }
}

/* Every colour of a chart of speeds has another one in the dark, and is itself without it. */
Test(report_warnings, charts_follow_the_page)
{
    struct ts_run_path dir = ts_run_sample("dark");
    char *page = page_of(dir.text);
    const char *dark = strstr(page, "@media (prefers-color-scheme:dark)");
    cr_assert(dark);
    unsigned colours = 0;
    cr_expect(strstr(page, "var(--cffffff,#ffffff)"), "the ground is white in the dark");
    for (const char *at = strstr(page, "var(--c"), *card = "var(--card)"; at;
         at = strstr(at + 1, "var(--c")) {
        char colour[8] = "", definition[16], both[32];
        if (strncmp(at, card, strlen(card)) == 0) {
            continue;
        }
        memcpy(colour, at + strlen("var(--c"), 6);
        snprintf(definition, sizeof definition, "--c%s:#", colour);
        snprintf(both, sizeof both, "var(--c%s,#%s)", colour, colour);
        cr_expect(strstr(dark, definition), "%s is the same in the dark", colour);
        cr_expect(strncmp(at, both, strlen(both)) == 0, "%.30s", at);
        colours++;
    }
    cr_expect(colours > 20, "%u colours", colours);
    cr_expect(!strstr(strstr(page, "<svg"), "rgb("), "a colour is left as it was");
    free(page);
    ts_run_clear(dir.text);
}

/* A text that looks like a colour stays one. */
Test(report_warnings, colours_are_those_of_tags)
{
    char records[4096] = "";
    ts_run_add_cell(records, sizeof records, "", "a='rgb(1,2,3)' id='x' '#aabbcc'", "prefill", 16,
                    1e9);
    struct ts_run_path dir = ts_run_make("colours", records);
    char *page = page_of(dir.text);
    cr_expect(strstr(strstr(page, "<svg"), "a='rgb(1,2,3)' id='x' '#aabbcc'"), "a name is changed");
    free(page);
    ts_run_clear(dir.text);
}

/* Bars mean one thing on a chart: intervals only where every cell has one. */
Test(report_warnings, captions_say_what_bars_and_samples_are)
{
    char text[512];
    double samples[21] = {0};
    struct ts_result items[3] = {
        {.kind = TS_RESULT_SWEEP, .has_stats = true, .canary_drift = NAN, .load = NAN}};
    items[0].stats.n = 6;
    items[0].stats.has_ci = true;
    items[0].samples = samples;
    items[0].sample_count = 6;
    items[1] = items[2] = items[0];
    items[1].sample_count = 21;
    items[1].canary_drift = -0.03;
    items[2].has_stats = false;
    struct ts_results results = {.items = items, .count = 1};
    ts_sample_text(&results, TS_PHASE_PREFILL, text, sizeof text);
    cr_expect_str_eq(text, "median of n = 6 \xc2\xb7 bars: 95 % interval \xc2\xb7 dots: samples");
    results.count = 3;
    items[0].sample_count = 21;
    items[1].stats.has_ci = false;
    items[1].stats.n = 4;
    ts_sample_text(&results, TS_PHASE_PREFILL, text, sizeof text);
    cr_expect_str_eq(text, "median of n = 4 to 6 \xc2\xb7 bars: range of the samples \xc2\xb7 "
                           "1 doubtful cell \xc2\xb7 1 cell not drawn: see report.html");
    results.planned = 6;
    results.cores = 2;
    items[0].load = 0.5;
    items[1].load = 11.25;
    ts_sample_text(&results, TS_PHASE_PREFILL, text, sizeof text);
    cr_expect_str_eq(text, "median of n = 4 to 6 of 6 planned \xc2\xb7 bars: range of the samples "
                           "\xc2\xb7 load 0.5 to 11.2 on 2 cores \xc2\xb7 1 doubtful cell \xc2\xb7 "
                           "1 cell not drawn: see report.html");
    ts_sample_text(&results, TS_PHASE_GENERATION, text, sizeof text);
    cr_expect_str_eq(text, "");
}
