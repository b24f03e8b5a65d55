/* environment.json: what a number was measured with and on. */
#ifndef TS_BENCH_RUN_ENVIRONMENT_H
#define TS_BENCH_RUN_ENVIRONMENT_H

#include "bench/run/hash.h"
#include "bench/run/plan.h"
#include "bench/run/subject.h"

struct cJSON;

/* What was built; only the command line knows. */
struct ts_build {
    const char *version;
    const char *commit; /* ends in ".dirty" where files differ from it */
    const char *flags;  /* compiler and flags */
};

struct ts_environment {
    struct cJSON *json;
    char id[TS_HASH_TEXT]; /* of build, machine, os, metal and devices: what two runs must share */
    char machine[33];      /* for the folder's name */
};

/* Captures build, machine, system, devices [count], timer and the state before. Each device is opened
 * for a moment; one that is not there has its reason instead. TS_ERR_USAGE if none has that name. The
 * caller frees with ts_environment_free, also after a failure. */
bool ts_environment_read(const struct ts_build *build, const char *const *devices, unsigned count,
                         unsigned threads, struct ts_environment *environment,
                         struct ts_error *error);
void ts_environment_free(struct ts_environment *environment);

/* Adds what a bench is about: settings, models and its command line. date as in ts_folder. */
bool ts_environment_add_bench(struct ts_environment *environment, const struct ts_plan *plan,
                              const struct ts_subject *subjects, int argc, char *const *argv,
                              const char *date, struct ts_error *error);

/* Adds the state after measuring. */
bool ts_environment_end(struct ts_environment *environment, struct ts_error *error);

#endif
