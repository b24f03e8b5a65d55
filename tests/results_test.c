/* Reading a run's folder: order, repeated cells, and damage. */
#include "bench/report/report.h"
#include "tests/support/run_folder.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

Test(results, a_last_line_cut_off_is_left_out_and_mentioned)
{
    char *records = ts_run_slurp(SAMPLE_RUN "/runs.jsonl");
    size_t length = strlen(records);
    records[length - 40] = '\0';
    struct ts_run_path dir = ts_run_make("cut", records);
    struct ts_error error = {TS_OK, "", ""};
    cr_assert(ts_report_write(dir.text, &error), "%s", error.message);
    char *page = ts_run_slurp(ts_run_path(dir.text, "report.html").text);
    cr_expect(strstr(page, "Line 18 of runs.jsonl, the last one, was cut off"));
    free(page);
    /* the same line with its end is damage */
    strcat(records, "\n");
    ts_run_spill(ts_run_path(dir.text, "runs.jsonl").text, records);
    cr_expect(!ts_report_write(dir.text, &error) && error.code == TS_ERR_INPUT);
    cr_expect(strstr(error.message, "runs.jsonl line 18"), "%s", error.message);
    free(records);
    ts_run_clear(dir.text);
}

Test(results, damaged_records_are_named_by_file_and_line)
{
    static const char *const edits[][2] = {
        {"{\"schema\":1", "\"schema\":1"},
        {"\"schema\":1", "\"schema\":2"},
        {"\"kind\":\"sweep\"", "\"kind\":7"},
        {"\"phase\":\"prefill\"", "\"phase\":\"x\""},
        {"\"prompt\":16", "\"prompt\":0"},
        {"\"prompt\":16", "\"prompt\":1.5"},
        {"\"tokens\":16", "\"tokens\":-1"},
        {"\"status\":\"pass\"", "\"status\":\"fine\""},
        {"\"status\":\"pass\"", "\"status\":\"fail\""},
        {"\"median\":", "\"median\":-"},
        {"\"p95\":", "\"p95\":0,\"q\":"},
        {"\"n\":2", "\"n\":0"},
        {"\"ci95\":null", "\"ci95\":[2,1]"},
        {"\"samples_ns\":[", "\"samples_ns\":[0,"},
        {"\"axes\":", "\"axis\":"},
        {"\"stats\":", "\"stat\":"},
    };
    struct ts_run_path dir = ts_run_make("damaged", "");
    for (size_t i = 0; i < sizeof edits / sizeof *edits; i++) {
        char good[2048] = "", bad[4096];
        ts_run_add_cell(good, sizeof good, "", "m", "prefill", 16, 1e9);
        char *at = strstr(good, edits[i][0]);
        cr_assert(at, "%s", edits[i][0]);
        snprintf(bad, sizeof bad, "%s\n%.*s%s%s", good, (int)(at - good), good, edits[i][1],
                 at + strlen(edits[i][0]));
        ts_run_spill(ts_run_path(dir.text, "runs.jsonl").text, bad);
        struct ts_error error = {TS_OK, "", ""};
        cr_expect(!ts_report_write(dir.text, &error), "%s", edits[i][1]);
        cr_expect(error.code == TS_ERR_INPUT, "%s: %s", edits[i][1], error.message);
        cr_expect(strstr(error.message, "runs.jsonl line 3"), "%s: %s", edits[i][1], error.message);
    }
    cr_expect(!ts_run_has(dir.text, "report.html"));
    ts_run_clear(dir.text);
}

Test(results, folders_that_are_no_run)
{
    struct ts_error error = {TS_OK, "", ""};
    cr_expect(!ts_report_write("build/tmp/no-such-run", &error) && error.code == TS_ERR_INPUT);
    cr_expect(strstr(error.message, "build/tmp/no-such-run/environment.json"), "%s", error.message);
    struct ts_run_path dir = ts_run_make("no-run", "");
    ts_run_spill(ts_run_path(dir.text, "environment.json").text, "[1]");
    cr_expect(!ts_report_write(dir.text, &error) && error.code == TS_ERR_INPUT);
    cr_expect(strstr(error.message, "environment.json"), "%s", error.message);
    ts_run_spill(ts_run_path(dir.text, "environment.json").text, "{}");
    unlink(ts_run_path(dir.text, "runs.jsonl").text);
    cr_expect(!ts_report_write(dir.text, &error) && error.code == TS_ERR_INPUT);
    cr_expect(strstr(error.message, "runs.jsonl"), "%s", error.message);
    ts_run_clear(dir.text);
}

Test(results, records_are_ordered_and_a_later_one_replaces_an_earlier)
{
    char records[8192] = "";
    struct ts_results results;
    struct ts_error error = {TS_OK, "", ""};
    ts_run_add_cell(records, sizeof records, "", "z", "generation", 64, 1e9);
    ts_run_add_cell(records, sizeof records, "", "a", "prefill", 16, 1e9);
    ts_run_add_cell(records, sizeof records, "", "z", "prefill", 128, 1e9);
    ts_run_add_cell(records, sizeof records, "c0ffee", "z", "prefill", 64, 1e9);
    ts_run_add_cell(records, sizeof records, "c0ffee", "z", "prefill", 64, 2e9);
    struct ts_run_path dir = ts_run_make("order", records);
    cr_assert(ts_results_read(dir.text, &results, &error), "%s", error.message);
    cr_assert(results.count == 5 && results.superseded == 1 && results.truncated_line == 0);
    static const unsigned lines[] = {4, 5, 1, 3, 2};
    for (size_t i = 0; i < 5; i++) {
        cr_expect(results.items[i].line == lines[i], "place %zu: line %u", i,
                  results.items[i].line);
        cr_expect(results.items[i].superseded == (lines[i] == 4));
    }
    cr_expect(fabs(results.items[1].stats.median - 32) < 1e-9, "%g", results.items[1].stats.median);
    cr_expect(fabs(results.items[1].stats.p5 - 64 / 2.2) < 1e-9);
    cr_expect(fabs(results.items[1].stats.p95 - 64 / 1.8) < 1e-9);
    ts_results_free(&results);
    ts_run_clear(dir.text);
}

Test(results, environment_is_found_by_path)
{
    struct ts_results results;
    struct ts_error error = {TS_OK, "", ""};
    char text[64], little[4];
    cr_assert(ts_results_read(SAMPLE_RUN, &results, &error), "%s", error.message);
    cr_expect_str_eq(ts_results_environment(&results, "build.commit", text, sizeof text),
                     "0123456789ab");
    cr_expect_str_eq(ts_results_environment(&results, "machine.cores", text, sizeof text), "2");
    cr_expect_str_eq(ts_results_environment(&results, "build.dirty", text, sizeof text), "false");
    cr_expect_str_eq(ts_results_environment(&results, "date", little, sizeof little), "202");
    static const char *const none[] = {"machine.model", "machine", "no.such.key", "", "date.x"};
    for (size_t i = 0; i < sizeof none / sizeof *none; i++) {
        cr_expect_str_eq(ts_results_environment(&results, none[i], text, sizeof text), "");
    }
    cr_expect_str_eq(results.folder, "run-sample");
    ts_results_free(&results);
}
