/* Errors are values: the callee fills one, every caller passes it up, and only the command line
 * prints it and turns it into an exit code. Nothing below the command line calls exit or assert. */
#ifndef TS_BASE_ERROR_H
#define TS_BASE_ERROR_H

#include <stdbool.h>

enum ts_code {
    TS_OK = 0,
    TS_ERR_CHECK,       /* a check ran and failed, or compared nothing          -> exit 1 */
    TS_ERR_DATA,        /* damaged golden, trace, vector or case file           -> exit 1 */
    TS_ERR_USAGE,       /* unknown verb or flag, a number that is none          -> exit 2 */
    TS_ERR_INPUT,       /* refused input: model file, prompt, ids               -> exit 2 */
    TS_ERR_REGRESSION,  /* slower or less exact than the baseline               -> exit 3 */
    TS_ERR_ENVIRONMENT, /* packages, disk, unwritable folder, memory, no device -> exit 4 */
    TS_ERR_KERNEL,      /* a Metal kernel that does not compile                 -> exit 4 */
    TS_ERR_INTERRUPTED  /* Ctrl-C                                               -> exit 130 */
};

struct ts_error {
    enum ts_code code;
    char message[4096]; /* what happened, with file, offset or argument */
    char hint[256];     /* what to do about it; may be empty */
};

/* Fills *error and returns false, so that a failing function can `return ts_fail(...)`.
 * error may be NULL (the caller does not care why). hint may be NULL. */
bool ts_fail(struct ts_error *error, enum ts_code code, const char *hint, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* Shorthand for a failed allocation of `bytes` for `what`. Returns false. */
bool ts_fail_memory(struct ts_error *error, const char *what, unsigned long long bytes);

/* The process exit code that belongs to a code, as documented above. */
int ts_exit_code(enum ts_code code);

/* Prints "touchstone: message" and, if there is one, "hint: ..." to stderr; returns the exit code. */
int ts_report(const struct ts_error *error);

/* The same in the name of another program. */
int ts_report_as(const char *program, const struct ts_error *error);

#endif
