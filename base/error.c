#include "base/error.h"

#include <stdarg.h>
#include <stdio.h>

bool ts_fail(struct ts_error *error, enum ts_code code, const char *hint, const char *format, ...)
{
    if (!error) {
        return false;
    }
    error->code = code;
    va_list list;
    va_start(list, format);
    vsnprintf(error->message, sizeof error->message, format, list);
    va_end(list);
    /* Names and texts of others are in it: they begin no new line and move no cursor. */
    for (char *at = error->message; *at; at++) {
        *at = (unsigned char)*at < 32 || *at == 127 ? '?' : *at;
    }
    snprintf(error->hint, sizeof error->hint, "%s", hint ? hint : "");
    return false;
}

bool ts_fail_memory(struct ts_error *error, const char *what, unsigned long long bytes)
{
    return ts_fail(error, TS_ERR_ENVIRONMENT, "close other programs or choose a smaller --ctx",
                   "out of memory: %llu bytes for %s", bytes, what);
}

int ts_exit_code(enum ts_code code)
{
    switch (code) {
    case TS_OK: return 0;
    case TS_ERR_CHECK:
    case TS_ERR_DATA: return 1;
    case TS_ERR_USAGE:
    case TS_ERR_INPUT: return 2;
    case TS_ERR_REGRESSION: return 3;
    case TS_ERR_ENVIRONMENT:
    case TS_ERR_KERNEL: return 4;
    case TS_ERR_INTERRUPTED: return 130;
    }
    return 4;
}

int ts_report(const struct ts_error *error)
{
    return ts_report_as("touchstone", error);
}

int ts_report_as(const char *program, const struct ts_error *error)
{
    fprintf(stderr, "%s: %s\n", program, error->message);
    if (error->hint[0]) {
        fprintf(stderr, "hint: %s\n", error->hint);
    }
    return ts_exit_code(error->code);
}
