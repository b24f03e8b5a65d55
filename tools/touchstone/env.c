/* touchstone env: what a benchmark would write down about this machine. */
#include "bench/run/environment.h"
#include "tools/touchstone/cli.h"
#include "tools/touchstone/options.h"

#include <cjson/cJSON.h>
#include <stdio.h>

static const char head[] =
    "usage: touchstone env [--device NAME]\n\n"
    "Prints what a benchmark records of the build, the machine, its system and its state, as\n"
    "JSON. What cannot be told is null.\n\n";

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
    cJSON_free(text);
    ts_environment_free(&environment);
    return ok;
}

int ts_verb_env(int argc, char **argv)
{
    const char *device = ts_device_default();
    struct ts_options options = {
        .verb = "env", .head = head, .tail = "\nexit codes: 0 ok; 2 usage; 4 environment\n"};
    const struct ts_option lines[] = {
        TS_TEXT("device", 0, &device, "NAME", "what would compute"),
    };
    struct ts_error error;
    int code;
    TS_OPTIONS_ADD(&options, lines);
    if (!ts_options_read(&options, argc, argv, &code)) {
        return code;
    }
    return print_environment(device, &error) ? 0 : ts_report(&error);
}
