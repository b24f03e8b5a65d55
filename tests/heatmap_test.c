/* The map of kernels: its rows and columns, what a cell says, and what is refused. */
#include "bench/report/heatmap.h"
#include "tests/support/run_folder.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static struct ts_result kernel_of(const char *operation, unsigned version, const char *format,
                                  enum ts_result_status status, double rho)
{
    struct ts_result r = {.kind = TS_RESULT_KERNEL, .status = status, .device = "metal"};
    r.provenance.device = "software";
    r.kernel = (struct ts_result_kernel){.name = "k",
                                         .operation = operation,
                                         .version = version,
                                         .format = format,
                                         .beside = "",
                                         .rho = rho};
    return r;
}

/* Rows follow the table of operations and then the version, columns GGUF's numbers, whatever the order
 * of the records is. */
Test(heatmap, rows_and_columns)
{
    struct ts_result items[] = {kernel_of("zebra", 1, "", TS_STATUS_PASS, 0.5),
                                kernel_of("matmul", 2, "Q8_0", TS_STATUS_PASS, 0.1),
                                kernel_of("matmul", 1, "MXFP4", TS_STATUS_PASS, 0.2),
                                kernel_of("matmul", 1, "F32", TS_STATUS_SKIP, NAN),
                                kernel_of("rms_norm", 1, "", TS_STATUS_PASS, 0.3),
                                kernel_of("rms_norm", 1, "", TS_STATUS_FAIL, 3),
                                kernel_of("matmul", 1, "Q9_X", TS_STATUS_PASS, 0.2)};
    static const char *const labels[] = {"rms_norm v1", "matmul v1", "matmul v2", "zebra v1"};
    static const char *const formats[] = {"", "F32", "Q8_0", "MXFP4", "Q9_X"};
    struct ts_results results = {.items = items, .count = 7};
    struct ts_heatmap map;
    struct ts_error error;
    cr_assert(ts_heatmap_collect(&results, &map, &error), "%s", error.message);
    cr_assert(map.row_count == 4 && map.format_count == 5, "%zu rows, %zu columns", map.row_count,
              map.format_count);
    for (size_t i = 0; i < 4; i++) {
        cr_expect_str_eq(map.rows[i].label, labels[i]);
    }
    for (size_t k = 0; k < 5; k++) {
        cr_expect_str_eq(map.formats[k], formats[k]);
    }
    cr_expect(map.cells[0] == &items[5], "of two in a cell the worse one is shown");
    cr_expect(map.cells[5 + 1] == &items[3] && map.cells[5 + 3] == &items[2]);
    cr_expect(!map.cells[5 + 2], "matmul v1 has no Q8_0 here");
    cr_expect(map.kernels[TS_HEAT_PASS] == 5 && map.kernels[TS_HEAT_FAIL] == 1 &&
              map.kernels[TS_HEAT_UNCHECKED] == 1);
    ts_heatmap_free(&map);
    /* a second device is named, further weights too; a superseded record is none */
    items[1].device = "other";
    items[2].kernel.beside = "F16";
    items[0].superseded = true;
    cr_assert(ts_heatmap_collect(&results, &map, &error), "%s", error.message);
    cr_expect(map.row_count == 4, "%zu", map.row_count);
    cr_expect_str_eq(map.rows[3].label, "other: matmul v2");
    cr_expect_str_eq(map.rows[2].label, "metal: matmul v1 + F16");
    ts_heatmap_free(&map);
    results.count = 0;
    cr_expect(ts_heatmap_collect(&results, &map, &error) && map.row_count == 0, "no kernels");
    ts_heatmap_free(&map);
}

Test(heatmap, what_a_cell_says)
{
    static const struct {
        enum ts_result_status status;
        bool exact;
        double rho;
        const char *text;
    } cases[] = {{TS_STATUS_PASS, true, 0, "exact"},
                 {TS_STATUS_PASS, false, 0.314, "0.31"},
                 {TS_STATUS_PASS, false, 2e-5, "2e-05"},
                 {TS_STATUS_MARGINAL, false, 0.9, "0.9 !"},
                 {TS_STATUS_FAIL, false, 3.7, "FAIL 3.7"},
                 {TS_STATUS_FAIL, false, NAN, "FAIL"},
                 {TS_STATUS_FAIL, true, 0, "FAIL"},
                 {TS_STATUS_SKIP, false, NAN, "\xe2\x80\x93"},
                 {TS_STATUS_ERROR, false, NAN, "\xe2\x80\x93"}};
    char text[32];
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct ts_result r = kernel_of("matmul", 1, "", cases[i].status, cases[i].rho);
        r.kernel.exact = cases[i].exact;
        cr_expect_str_eq(ts_heat_text(&r, text, sizeof text), cases[i].text);
    }
    cr_expect_str_eq(ts_heat_text(NULL, text, sizeof text), "");
}

/* The scale is monotonous in rho, pale to dark, and its ends are where the key says. */
Test(heatmap, colours)
{
    unsigned before = 0xffffff;
    char colour[7], least[7];
    bool dark;
    ts_heat_colour(0, least, &dark);
    cr_expect(!dark);
    ts_heat_colour(1e-4, colour, &dark);
    cr_expect_str_eq(colour, least);
    for (double rho = 1e-4; rho <= 1; rho *= 2) {
        unsigned red;
        ts_heat_colour(rho, colour, &dark);
        cr_expect(strlen(colour) == 6 && sscanf(colour, "%2x", &red) == 1);
        cr_expect(red <= before, "rho %g: %s", rho, colour);
        before = red;
    }
    cr_expect(dark, "white text at 1");
}

Test(heatmap, damaged_records_of_kernels)
{
    static const char *const good = "{\"rho\":0.5,\"compared\":9,\"cases\":1}";
    static const struct {
        const char *kernel, *status, *agreement;
    } cases[] = {{"", "pass", good},
                 {"k", "pass", NULL},
                 {"k", "pass", "{\"rho\":0.5,\"compared\":0,\"cases\":1}"},
                 {"k", "marginal", "{\"rho\":null,\"compared\":9,\"cases\":1}"},
                 {"k", "pass", "{\"rho\":-1,\"compared\":9,\"cases\":1}"},
                 {"k", "fail", "{\"rho\":2,\"cases\":1}"}};
    for (size_t i = 0; i <= sizeof cases / sizeof *cases; i++) {
        char records[1024] = "";
        struct ts_results results;
        struct ts_error error = {TS_OK, "", ""};
        bool sound = i == sizeof cases / sizeof *cases;
        ts_run_add_kernel(records, sizeof records, sound ? "k" : cases[i].kernel, "matmul", "F32",
                          sound ? "pass" : cases[i].status, sound ? good : cases[i].agreement);
        struct ts_run_path dir = ts_run_make("kernel", records);
        bool read = ts_results_read(dir.text, &results, &error);
        cr_expect(read == sound, "case %zu: %s", i, error.message);
        cr_expect(sound || strstr(error.message, "runs.jsonl line 1"), "%s", error.message);
        ts_results_free(&results);
        ts_run_clear(dir.text);
    }
}

Test(heatmap, provenance)
{
    static const struct {
        const char *one, *other, *text;
        bool warning;
    } cases[] = {
        {"apple", "apple", "Apple GPU", false},
        {"software", "software", "software Metal device: not what an Apple GPU computes", true},
        {"apple", "software", "Apple GPU and software Metal device: not what an Apple GPU computes",
         true},
        {"", "", "device not stated: not what an Apple GPU computes", true}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct ts_result items[] = {kernel_of("matmul", 1, "", TS_STATUS_PASS, 0.5),
                                    kernel_of("matmul", 2, "", TS_STATUS_PASS, 0.5)};
        struct ts_results results = {.items = items, .count = 2};
        struct ts_heatmap map;
        char text[256];
        items[0].provenance.device = cases[i].one;
        items[1].provenance.device = cases[i].other;
        cr_assert(ts_heatmap_collect(&results, &map, NULL));
        cr_expect(ts_heat_provenance(&map, text, sizeof text) == cases[i].warning);
        cr_expect_str_eq(text, cases[i].text);
        ts_heatmap_free(&map);
    }
}
