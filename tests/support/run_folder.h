/* Run folders below build/tmp for tests of what reads them. */
#ifndef TS_TESTS_SUPPORT_RUN_FOLDER_H
#define TS_TESTS_SUPPORT_RUN_FOLDER_H

#include <criterion/criterion.h>

#include <stdbool.h>
#include <stddef.h>

#define SAMPLE_RUN "tests/data/run-sample"

struct ts_run_path {
    char text[160];
};

/* dir/name */
struct ts_run_path ts_run_path(const char *dir, const char *name);

bool ts_run_has(const char *dir, const char *name);

/* The whole file with a zero behind it; the caller frees it. Both end the test if they fail. */
char *ts_run_slurp(const char *path);
void ts_run_spill(const char *path, const char *text);

/* Makes a folder with the sample's environment and these records, or the sample's. */
struct ts_run_path ts_run_make(const char *name, const char *records);
struct ts_run_path ts_run_sample(const char *name);

/* Removes the folder and what a report puts there, and expects nothing else in it. */
void ts_run_clear(const char *dir);

/* Appends the record of a measured cell of `prompt` tokens, around `ns` nanoseconds. */
void ts_run_add_cell(char *records, size_t size, const char *id, const char *model,
                     const char *phase, unsigned prompt, double ns);

/* Appends the record of a kernel; agreement: its object as JSON, or NULL where it was not checked. */
void ts_run_add_kernel(char *records, size_t size, const char *kernel, const char *operation,
                       const char *format, const char *status, const char *agreement);

#endif
