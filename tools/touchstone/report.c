/* touchstone report: charts, a page and a table of a folder that 'touchstone bench' made. */
#include "bench/report/report.h"
#include "tools/touchstone/cli.h"

#include <getopt.h>
#include <stdio.h>

static void print_help(void)
{
    fputs("usage: touchstone report [options] DIR\n\n"
          "Writes report.html and the charts (prefill and generation, .svg and .png) of a folder\n"
          "that 'touchstone bench' made, from its environment.json and runs.jsonl. Existing ones\n"
          "are replaced. Charts need gnuplot; without it the page has tables only.\n\n"
          "  -t, --table          print the results as a table, and write nothing\n"
          "  -h, --help           this text\n\n"
          "exit codes: 0 ok; 2 usage, or a folder whose records cannot be read; 4 no gnuplot, or\n"
          "  an unwritable folder\n",
          stdout);
}

static bool print_table(const char *dir, struct ts_error *error)
{
    struct ts_results results;
    bool ok = ts_results_read(dir, &results, error);
    if (ok) {
        ts_report_table(stdout, &results);
        ok = (fflush(stdout) == 0 && !ferror(stdout)) ||
             ts_fail(error, TS_ERR_ENVIRONMENT, NULL, "cannot write to standard output");
    }
    ts_results_free(&results);
    return ok;
}

int ts_verb_report(int argc, char **argv)
{
    static const struct option longs[] = {
        {"table", no_argument, NULL, 't'}, {"help", no_argument, NULL, 'h'}, {NULL, 0, NULL, 0}};
    struct ts_error error = {TS_OK, "", ""};
    bool table = false;
    opterr = 0;
    for (int option; (option = getopt_long(argc, argv, ":th", longs, NULL)) != -1;) {
        switch (option) {
        case 't': table = true; break;
        case 'h': print_help(); return 0;
        default: return ts_usage_error("report", argv);
        }
    }
    if (optind + 1 != argc) {
        ts_fail(&error, TS_ERR_USAGE, "see touchstone report --help",
                "report: takes one folder, of a run such as those below results/runs");
        return ts_report(&error);
    }
    const char *dir = argv[optind];
    if (!(table ? print_table(dir, &error) : ts_report_write(dir, &error))) {
        return ts_report(&error);
    }
    if (!table) {
        printf("%s/report.html\n", dir);
    }
    return 0;
}
