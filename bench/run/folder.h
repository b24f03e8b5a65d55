/* The folder of a run. It is made new, and never one that exists is written to. */
#ifndef TS_BENCH_RUN_FOLDER_H
#define TS_BENCH_RUN_FOLDER_H

#include "base/error.h"

#include <stdio.h>

struct cJSON;

enum { TS_DATE = 17 }; /* YYYYMMDDTHHMMSSZ and a zero */

struct ts_folder {
    char *path;
    char date[TS_DATE]; /* UTC, when it was made */
    char env[24];       /* id of the environment, for the records */
    FILE *runs;         /* runs.jsonl: one record a line */
    FILE *samples;      /* samples.jsonl: each sample when it was taken, for after a crash */
};

/* Makes folder `out`, or if that is NULL results/runs/<date>-<machine>-<commit>, with the folders
 * above it, and opens the files. TS_ERR_ENVIRONMENT if it exists or cannot be written. The caller
 * ends with ts_folder_free, also after a failure. */
bool ts_folder_open(struct ts_folder *folder, const char *out, const char *machine,
                    const char *commit, struct ts_error *error);

/* Closes the files; what is in them is then complete. */
bool ts_folder_close(struct ts_folder *folder, struct ts_error *error);
void ts_folder_free(struct ts_folder *folder);

/* Appends one line and hands it to the system before it returns. Takes over json, which may be NULL
 * (then there was no memory for it). */
bool ts_folder_append(FILE *file, struct cJSON *json, struct ts_error *error);

/* Writes environment.json, whole or not at all; again in place of an earlier one. */
bool ts_folder_environment(const struct ts_folder *folder, const struct cJSON *json,
                           struct ts_error *error);

#endif
