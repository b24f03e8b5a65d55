/* touchstone env: what a benchmark would write down about this machine. */
#include "bench/run/environment.h"
#include "tools/touchstone/cli.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>

enum { DEVICE = 256 };

static void print_help(void)
{
    fputs(
        "usage: touchstone env [--device NAME]\n\n"
        "Prints what a benchmark records of the build, the machine, its system and its state, as\n"
        "JSON. What cannot be told is null.\n\n"
        "      --device NAME   what would compute (default reference)\n"
        "  -h, --help          this text\n\n"
        "exit codes: 0 ok; 2 usage; 4 environment\n",
        stdout);
}

static bool print_environment(const char *device, struct ts_error *error)
{
    const struct ts_build build = {TS_VERSION, TS_COMMIT, TS_BUILD_FLAGS};
    struct ts_environment environment;
    bool ok = ts_environment_read(&build, &device, 1, 0, &environment, error);
    char *text = ok ? cJSON_Print(environment.json) : NULL;
    if (text) {
        puts(text);
    } else if (ok) {
        ok = ts_fail_memory(error, "the environment", 0);
    }
    if (ok && fflush(stdout) != 0) {
        ok = ts_fail(error, TS_ERR_ENVIRONMENT, NULL, "standard output: %s", strerror(errno));
    }
    cJSON_free(text);
    ts_environment_free(&environment);
    return ok;
}

int ts_verb_env(int argc, char **argv)
{
    static const struct option longs[] = {{"device", required_argument, NULL, DEVICE},
                                          {"help", no_argument, NULL, 'h'},
                                          {NULL, 0, NULL, 0}};
    const char *device = "reference";
    struct ts_error error;
    opterr = 0;
    for (int option; (option = getopt_long(argc, argv, ":h", longs, NULL)) != -1;) {
        switch (option) {
        case DEVICE: device = optarg; break;
        case 'h': print_help(); return 0;
        default: return ts_usage_error("env", argv);
        }
    }
    if (optind < argc) {
        ts_fail(&error, TS_ERR_USAGE, "see touchstone env --help",
                "env: takes no arguments besides its options, found '%.200s'", argv[optind]);
        return ts_report(&error);
    }
    return print_environment(device, &error) ? 0 : ts_report(&error);
}
