/* touchstone report: charts, a page and a table of a folder that 'touchstone bench' made. */
#include "bench/report/report.h"
#include "tools/touchstone/cli.h"
#include "tools/touchstone/options.h"
#include "tools/touchstone/output.h"

#include <stdio.h>

static const char head[] =
    "usage: touchstone report [options] DIR\n\n"
    "Writes report.html and the charts (prefill and generation, .svg and .png) of a folder\n"
    "that 'touchstone bench' made, from its environment.json and runs.jsonl. Existing ones\n"
    "are replaced. Charts need gnuplot; without it the page has tables only.\n\n";

static const char tail[] =
    "\nexit codes: 0 ok; 2 usage, or a folder whose records cannot be read; 4 no gnuplot, or\n"
    "  an unwritable folder\n";

static bool print_table(const char *dir, struct ts_error *error)
{
    struct ts_results results;
    bool ok = ts_results_read(dir, &results, error);
    if (ok) {
        ts_report_table(stdout, &results);
    }
    ts_results_free(&results);
    return ok;
}

int ts_verb_report(int argc, char **argv)
{
    const char *dir = NULL;
    bool table = false;
    struct ts_options options = {
        .verb = "report",
        .head = head,
        .tail = tail,
        .operand = &dir,
        .operand_name = "a DIR: the folder of a run, such as those below results/runs"};
    const struct ts_option lines[] = {
        TS_FLAG("table", 't', &table, "print the results as a table, and write nothing"),
    };
    struct ts_error error = {TS_OK, "", ""};
    int code;
    TS_OPTIONS_ADD(&options, lines);
    if (!ts_options_read(&options, argc, argv, &code)) {
        return code;
    }
    ts_output_outlive_reader();
    if (!(table ? print_table(dir, &error) : ts_report_write(dir, &error))) {
        return ts_report(&error);
    }
    if (!table) {
        printf("%s/report.html\n", dir);
    }
    return 0;
}
