/* The report of a run's folder: charts by gnuplot, the page, the table; and what it refuses. */
#include "bench/report/html.h"
#include "bench/report/report.h"
#include "tests/support/run_folder.h"

#include <cjson/cJSON.h>
#include <criterion/criterion.h>

#include <fcntl.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char hostile[] =
    "</td></svg><script>alert('x')</script>\" & `rm` $(rm) @x %d \\n _^{a}";

static void write_report(const char *dir)
{
    struct ts_error error = {TS_OK, "", ""};
    cr_assert(ts_report_write(dir, &error), "%s", error.message);
}

/* Follows tags and entities of XML as far as gnuplot uses it: every element is closed in its order,
 * no < stands in a text or an attribute, every & begins an entity. Returns the place of the first
 * fault, or NULL. */
static const char *xml_fault(const char *at)
{
    const char *stack[64];
    size_t lengths[64], depth = 0, elements = 0;
    for (; *at; at++) {
        if (*at == '&' && at[1 + strspn(at + 1, "abcdefghijklmnopqrstuvwxyz#0123456789")] != ';') {
            return at;
        }
        if (*at != '<') {
            continue;
        }
        const char *name = at + 1 + (at[1] == '/');
        size_t length = strcspn(name, " \t\n/>");
        const char *end = name;
        for (char quote = '\0'; *end && (quote || *end != '>'); end++) {
            quote = quote ? (*end == quote ? '\0' : quote) : *end == '"' || *end == '\'' ? *end : 0;
            if (*end == '<') {
                return end;
            }
        }
        if (!*end) {
            return at;
        }
        if (at[1] == '/') {
            if (depth == 0 || lengths[depth - 1] != length ||
                strncmp(stack[depth - 1], name, length) != 0) {
                return at;
            }
            depth--;
        } else if (at[1] != '?' && at[1] != '!' && end[-1] != '/') {
            if (depth == 64) {
                return at;
            }
            stack[depth] = name;
            lengths[depth++] = length;
        }
        elements++;
        at = end;
    }
    return depth == 0 && elements > 0 ? NULL : at;
}

static void check_chart(const char *dir, const char *name, const char *const *texts)
{
    char file[64];
    snprintf(file, sizeof file, "%s.svg", name);
    char *svg = ts_run_slurp(ts_run_path(dir, file).text);
    const char *fault = xml_fault(svg);
    cr_expect(!fault, "%s: not well-formed at %.60s", file, fault);
    for (; *texts; texts++) {
        cr_expect(strstr(svg, *texts), "%s says nothing of %s", file, *texts);
    }
    free(svg);
    snprintf(file, sizeof file, "%s.png", name);
    char *png = ts_run_slurp(ts_run_path(dir, file).text);
    cr_expect(memcmp(png, "\x89PNG\r\n", 6) == 0, "%s is no PNG", file);
    free(png);
}

Test(report, checker_of_well_formed_xml_finds_faults)
{
    static const char *const bad[] = {"",          "<a>",        "<a></b>",  "<a><b></a></b>",
                                      "<a>&b</a>", "<a b='<'/>", "<a>< /a>", "</a>"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        cr_expect(xml_fault(bad[i]), "%s", bad[i]);
    }
    cr_expect(!xml_fault("<?xml v='1'?>\n<a b=\"'>\"><c/>x &amp; > y</a>"));
}

Test(report, charts_of_the_sample)
{
    static const char *const texts[] = {"synthetic-tiny-q2",
                                        "synthetic-tiny-q4",
                                        "CPU reference",
                                        "synthetic model",
                                        "not an Apple figure",
                                        "tokens per second",
                                        "Example CPU",
                                        "Debian GNU/Linux 12",
                                        "0123456789ab",
                                        "2026-11-23",
                                        "n = 5",
                                        "1 cell not drawn",
                                        ">512<",
                                        NULL};
    struct ts_run_path dir = ts_run_sample("charts");
    write_report(dir.text);
    check_chart(dir.text, "prefill", texts);
    check_chart(dir.text, "generation", texts);
    ts_run_clear(dir.text);
}

/* The cell of the page as it must stand there: `speed` with the digits that belong to it. */
static void expect_speed(const char *row, const char *what, double speed)
{
    char cell[64];
    snprintf(cell, sizeof cell, ">%.*f<", speed < 100 ? 2 : 1, speed);
    cr_expect(strstr(row, cell), "%s %s is not in %s", what, cell, row);
}

/* The row of a cell in the section of its phase, with the next one, which may be its reason; the caller
 * frees it. */
static char *find_row(const char *page, const char *phase, const char *model, int prompt)
{
    char section[64], begin[200];
    snprintf(section, sizeof section, "<h2 id=\"%s\">", phase);
    snprintf(begin, sizeof begin, "<td class=\"name\">%s</td><td class=\"n\">%d</td>", model,
             prompt);
    const char *at = strstr(page, section);
    const char *name = at ? strstr(at, begin) : NULL;
    const char *row = name;
    while (row && row > page && strncmp(row, "<tr>", 4) != 0) {
        row--;
    }
    const char *end = name ? strstr(name, "</tr>") : NULL;
    end = end && strstr(end, "<tr>") == end + 6 ? strstr(end + 1, "</tr>") : end;
    return end ? strndup(row, (size_t)(end - row)) : NULL;
}

static double number(const cJSON *object, const char *key)
{
    return cJSON_GetNumberValue(cJSON_GetObjectItemCaseSensitive(object, key));
}

static void expect_row(const char *page, const cJSON *record)
{
    const cJSON *axes = cJSON_GetObjectItemCaseSensitive(record, "axes");
    const cJSON *stats = cJSON_GetObjectItemCaseSensitive(record, "stats");
    const char *model = cJSON_GetStringValue(cJSON_GetObjectItem(axes, "model"));
    const char *phase = cJSON_GetStringValue(cJSON_GetObjectItem(axes, "phase"));
    char *row = find_row(page, phase, model, (int)number(axes, "prompt"));
    double scale = number(axes, "tokens") * 1e9, low = INFINITY, high = 0;
    const cJSON *sample;
    cr_assert(row, "no row for %s %s %g", model, phase, number(axes, "prompt"));
    if (stats) {
        expect_speed(row, "median", number(stats, "tps_median"));
        cJSON_ArrayForEach(sample, cJSON_GetObjectItemCaseSensitive(record, "samples_ns"))
        {
            low = fmin(low, scale / cJSON_GetNumberValue(sample));
            high = fmax(high, scale / cJSON_GetNumberValue(sample));
        }
        char range[80];
        snprintf(range, sizeof range, ">%.*f to %.*f<small>range<", low < 100 ? 2 : 1, low,
                 high < 100 ? 2 : 1, high);
        cr_expect(strstr(row, range), "%s is not in %s", range, row);
        cr_expect(strstr(row, ">5 of 5<") && strstr(row, ">all repetitions done<"), "%s", row);
        cr_expect(strstr(row, "<tr><td class=\"verdict\"><span class=\"status pass\">pass<") == row,
                  "the verdict does not come first: %s", row);
    } else {
        cr_expect(strstr(row, cJSON_GetStringValue(cJSON_GetObjectItem(record, "reason"))) ||
                      strstr(row, "the cell&#39;s 10 s were over before the first sample"),
                  "%s", row);
        cr_expect(strstr(row, cJSON_GetStringValue(cJSON_GetObjectItem(record, "status"))), "%s",
                  row);
    }
    free(row);
}

Test(report, page_has_the_numbers_of_the_records)
{
    struct ts_run_path dir = ts_run_sample("page");
    write_report(dir.text);
    char *page = ts_run_slurp(ts_run_path(dir.text, "report.html").text);
    char *records = ts_run_slurp(SAMPLE_RUN "/runs.jsonl");
    unsigned sweeps = 0;
    for (char *line = strtok(records, "\n"); line; line = strtok(NULL, "\n")) {
        cJSON *record = cJSON_Parse(line);
        if (strstr(line, "\"sweep\"")) {
            expect_row(page, record);
            sweeps++;
        }
        cJSON_Delete(record);
    }
    cr_expect(sweeps == 16, "%u sweep records", sweeps);
    static const char *const texts[] = {
        "3.50e-16",
        "1.00e-12",
        "200 of 200",
        "git checkout 0123",
        "build/touchstone bench -m &#39;tiny q2.gguf&#39; -m tiny-q4.gguf",
        "href=\"runs.jsonl\"",
        "not known here",
        "machine model, state after",
        "memory bytes",
        "8589934592"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        cr_expect(strstr(page, texts[i]), "%s is not in the page", texts[i]);
    }
    cr_expect(!strstr(page, "<script") && !strstr(page, "<?xml"));
    cr_expect(strstr(page, "id=\"prefill-gnuplot_canvas\"") &&
              strstr(page, "id=\"generation-gnuplot_canvas\""));
    free(records);
    free(page);
    ts_run_clear(dir.text);
}

/* Every verdict of a kernel can be told without colour, on the map and in the table. */
Test(report, map_of_kernels)
{
    char records[8192] = "";
    static const char *const texts[] = {
        ">exact<",
        ">0.31<",
        ">0.9 !<",
        ">FAIL<",
        ">FAIL 3.7<",
        ">\xe2\x80\x93<",
        ">matmul v1<",
        ">rms_norm v1<",
        ">Q8_0<",
        ">no format<",
        "not checked",
        "Example CPU",
        "software Metal device: not what an Apple GPU computes",
        "6 kernels: 1 exact, 1 pass, 1 marginal, 2 fail, 1 not checked",
        NULL};
    static const char *const page_texts[] = {
        "matmul_row_q2_k",
        "&lt;b&gt;",
        ">inf<",
        "id=\"agreement-gnuplot_canvas\"",
        ">3.70e+00<",
        ">marginal<",
        "why it is so",
        "<summary>Not checked: 1 kernel</summary>\n<ul>\n<li>matmul_row_q4_k</li>"};
    size_t size = sizeof records;
    ts_run_add_cell(records, size, "", "m", "prefill", 64, 1e9);
    ts_run_add_kernel(records, size, "rms_norm<b>", "rms_norm", "", "pass",
                      "{\"rho\":0.312,\"compared\":9,\"cases\":1,\"exact\":false}");
    ts_run_add_kernel(records, size, "matmul_row_f32", "matmul", "F32", "pass",
                      "{\"rho\":0,\"compared\":9,\"cases\":1,\"exact\":true}");
    ts_run_add_kernel(records, size, "matmul_row_q8_0", "matmul", "Q8_0", "marginal",
                      "{\"rho\":0.9,\"compared\":9,\"cases\":1,\"exact\":false}");
    ts_run_add_kernel(records, size, "matmul_row_f16", "matmul", "F16", "fail",
                      "{\"rho\":null,\"compared\":0,\"cases\":0,\"exact\":false}");
    ts_run_add_kernel(records, size, "matmul_row_q2_k", "matmul", "Q2_K", "fail",
                      "{\"rho\":3.7,\"compared\":9,\"cases\":1,\"exact\":false}");
    ts_run_add_kernel(records, size, "matmul_row_q4_k", "matmul", "Q4_K", "skip", NULL);
    struct ts_run_path dir = ts_run_make("kernels", records);
    write_report(dir.text);
    check_chart(dir.text, "agreement", texts);
    char *page = ts_run_slurp(ts_run_path(dir.text, "report.html").text);
    for (size_t i = 0; i < sizeof page_texts / sizeof *page_texts; i++) {
        cr_expect(strstr(page, page_texts[i]), "%s is not in the page", page_texts[i]);
    }
    free(page);
    ts_run_clear(dir.text);
}

Test(report, names_are_text_everywhere)
{
    char records[4096] = "";
    static const char *const texts[] = {"alert('x')", "$(rm) @x", NULL};
    ts_run_add_cell(records, sizeof records, "", hostile, "prefill", 16, 1e9);
    ts_run_add_cell(records, sizeof records, "", hostile, "prefill", 64, 5e9);
    ts_run_add_cell(records, sizeof records, "", "\x1b\xff\x01 broken 'quotes''", "prefill", 64,
                    5e9);
    struct ts_run_path dir = ts_run_make("hostile", records);
    write_report(dir.text);
    check_chart(dir.text, "prefill", texts);
    char *page = ts_run_slurp(ts_run_path(dir.text, "report.html").text);
    char *svg = ts_run_slurp(ts_run_path(dir.text, "prefill.svg").text);
    cr_expect(!strstr(page, "<script") && !strstr(svg, "<script"));
    cr_expect(strstr(page, "&lt;/td&gt;&lt;/svg&gt;&lt;script&gt;alert(&#39;x&#39;)"));
    cr_expect(strstr(svg, "\xef\xbf\xbd broken 'quotes''"), "quotes or bad bytes are not kept");
    cr_expect(!strchr(page, '\x1b') && !strchr(svg, '\x1b') && !strchr(page, '\xff'));
    free(svg);
    free(page);
    ts_run_clear(dir.text);
}

Test(report, without_gnuplot_the_page_is_written)
{
    struct ts_run_path dir = ts_run_sample("no-gnuplot");
    struct ts_error error = {TS_OK, "", ""};
    setenv("PATH", "/nonexistent", 1);
    cr_expect(!ts_report_write(dir.text, &error) && error.code == TS_ERR_ENVIRONMENT);
    cr_expect(strstr(error.message, "gnuplot") && strstr(error.hint, "gnuplot-nox"), "%s",
              error.message);
    char *page = ts_run_slurp(ts_run_path(dir.text, "report.html").text);
    cr_expect(!strstr(page, "<svg") && strstr(page, "could not be drawn: no charts: gnuplot"));
    char *row = find_row(page, "generation", "synthetic-tiny-q2", 512);
    cr_expect(row, "no table");
    free(row);
    free(page);
    cr_expect(!ts_run_has(dir.text, "prefill.svg") && !ts_run_has(dir.text, "generation.png"));
    ts_run_clear(dir.text);
}

Test(report, a_gnuplot_that_fails_is_quoted)
{
    struct ts_run_path dir = ts_run_sample("failing-gnuplot");
    struct ts_error error = {TS_OK, "", ""};
    ts_run_spill(ts_run_path(dir.text, "gnuplot").text,
                 "#!/bin/sh\necho 'no such terminal' >&2\nexit 1\n");
    chmod(ts_run_path(dir.text, "gnuplot").text, 0755);
    setenv("PATH", dir.text, 1);
    cr_expect(!ts_report_write(dir.text, &error) && error.code == TS_ERR_ENVIRONMENT);
    cr_expect(strstr(error.message, "no such terminal"), "%s", error.message);
    ts_run_spill(ts_run_path(dir.text, "gnuplot").text, "#!/bin/sh\nexit 0\n");
    cr_expect(!ts_report_write(dir.text, &error) && error.code == TS_ERR_ENVIRONMENT);
    cr_expect(strstr(error.message, "wrote nothing"), "%s", error.message);
    cr_expect(ts_run_has(dir.text, "report.html"));
    ts_run_clear(dir.text);
}

Test(report, writing_again_replaces_what_was_there)
{
    static const char *const names[] = {"report.html", "prefill.svg", "generation.png"};
    struct ts_run_path dir = ts_run_sample("again");
    write_report(dir.text);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char *before = ts_run_slurp(ts_run_path(dir.text, names[i]).text);
        ts_run_spill(ts_run_path(dir.text, names[i]).text, "old");
        write_report(dir.text);
        char *after = ts_run_slurp(ts_run_path(dir.text, names[i]).text);
        cr_expect(strcmp(before, after) == 0, "%s differs", names[i]);
        free(before);
        free(after);
    }
    /* a chart of cells that are no longer there must not stay */
    ts_run_spill(ts_run_path(dir.text, "runs.jsonl").text, "");
    write_report(dir.text);
    cr_expect(!ts_run_has(dir.text, "prefill.svg") && !ts_run_has(dir.text, "generation.png"));
    char *page = ts_run_slurp(ts_run_path(dir.text, "report.html").text);
    cr_expect(strstr(page, "No cell has a speed") && strstr(page, "nothing was measured"));
    free(page);
    ts_run_clear(dir.text);
}

Test(report, small_sets_of_points)
{
    /* one length, one series; one cell of one phase; cells that all failed */
    char one[2048] = "", failed[2048] = "";
    static const char *const texts[] = {">64<", "m, q2", NULL};
    ts_run_add_cell(one, sizeof one, "", "m", "prefill", 64, 1e9);
    struct ts_run_path dir = ts_run_make("one", one);
    write_report(dir.text);
    check_chart(dir.text, "prefill", texts);
    cr_expect(!ts_run_has(dir.text, "generation.svg"));
    snprintf(failed, sizeof failed,
             "{\"schema\":1,\"kind\":\"sweep\",\"axes\":{\"model\":\"m\",\"phase\":\"prefill\","
             "\"prompt\":64,\"tokens\":64},\"status\":\"fail\",\"reason\":\"they < differ\"}\n");
    ts_run_spill(ts_run_path(dir.text, "runs.jsonl").text, failed);
    write_report(dir.text);
    char *page = ts_run_slurp(ts_run_path(dir.text, "report.html").text);
    cr_expect(!ts_run_has(dir.text, "prefill.svg"));
    cr_expect(strstr(page, "they &lt; differ") && strstr(page, "No cell has a speed"));
    cr_expect(strstr(page, "No comparison is in the records"));
    free(page);
    ts_run_clear(dir.text);
}

Test(report, numbers_of_an_apple_gpu_and_a_real_model_carry_no_warning)
{
    static const char *const cases[][3] = {
        {"apple", "real", "Apple GPU, real model"},
        {"apple", "synthetic", "Apple GPU, synthetic model: not a measurement of the real model"},
        {"software", "real", "software Metal device, real model: not an Apple figure"},
        {"cpu", "synthetic", "CPU reference, synthetic model: not an Apple figure"},
        {"", "", "device not stated, model not stated: not an Apple figure"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[256];
        struct ts_result item = {.kind = TS_RESULT_SWEEP,
                                 .provenance = {cases[i][0], cases[i][1], false}};
        struct ts_results results = {.items = &item, .count = 1};
        bool warning = ts_provenance_text(&results, text, sizeof text);
        cr_expect_str_eq(text, cases[i][2]);
        cr_expect(warning == (i > 0), "%s", text);
    }
}

/* A folder that cannot be written: not by its mode, and not by what stands in the way. */
Test(report, an_unwritable_folder_is_said)
{
    struct ts_run_path dir = ts_run_sample("unwritable");
    struct ts_error error = {TS_OK, "", ""};
    cr_assert(mkdir(ts_run_path(dir.text, "report.html").text, 0777) == 0);
    cr_expect(!ts_report_write(dir.text, &error) && error.code == TS_ERR_ENVIRONMENT);
    cr_expect(strstr(error.message, "report.html"), "%s", error.message);
    cr_assert(rmdir(ts_run_path(dir.text, "report.html").text) == 0);

    bool root = geteuid() == 0;
    cr_assert(chmod(dir.text, 0555) == 0);
    cr_assert(!root || seteuid(65534) == 0);
    int readable = open(ts_run_path(dir.text, "runs.jsonl").text, O_RDONLY);
    if (readable >= 0) { /* else the tree is root's own, and nobody may not even read */
        close(readable);
        error = (struct ts_error){TS_OK, "", ""};
        cr_expect(!ts_report_write(dir.text, &error) && error.code == TS_ERR_ENVIRONMENT);
        cr_expect(strstr(error.message, "Permission denied"), "%s", error.message);
    }
    cr_assert(!root || seteuid(0) == 0);
    cr_assert(chmod(dir.text, 0777) == 0);
    ts_run_clear(dir.text);
}

Test(report, table_for_a_terminal)
{
    struct ts_results results;
    struct ts_error error = {TS_OK, "", ""};
    char *text = NULL;
    size_t size = 0;
    cr_assert(ts_results_read(SAMPLE_RUN, &results, &error), "%s", error.message);
    FILE *out = open_memstream(&text, &size);
    ts_report_table(out, &results);
    fclose(out);
    char expected[64];
    for (size_t i = 0; i < results.count; i++) {
        if (ts_result_measured(&results.items[i])) {
            ts_speed_text(expected, sizeof expected, results.items[i].stats.median);
            cr_expect(strstr(text, expected), "%s is not in the table", expected);
        }
    }
    cr_expect(strstr(text, "CPU reference, synthetic model: not an Apple figure"));
    cr_expect(strstr(text, "prompt 512, prefill: timeout: the cell's 10 s"), "%s", text);
    free(text);
    ts_results_free(&results);
}

Test(report, texts_are_cut_between_characters)
{
    static const struct {
        const char *text;
        size_t size, most;
        const char *clean;
    } cases[] = {
        {"plain", 64, 5, "plain"},
        {"plainer", 64, 5, "plai\xe2\x80\xa6"},
        {"\xc3\xa4\xc3\xb6\xc3\xbc\xc3\x9f", 64, 3, "\xc3\xa4\xc3\xb6\xe2\x80\xa6"},
        {"a\nb\x80", 64, 9,
         "a\xef\xbf\xbd"
         "b\xef\xbf\xbd"},
        {"\xc0\xaf\xed\xa0\x80", 64, 9,
         "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"},
        {"abcdefghij", 8, 99, "abcd\xe2\x80\xa6"},
        {"", 8, 9, ""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char clean[64];
        ts_clean_text(clean, cases[i].size, cases[i].most, cases[i].text);
        cr_expect_str_eq(clean, cases[i].clean);
        cr_expect(strlen(clean) < cases[i].size, "case %zu overflows", i);
    }
}
