#include "engine/cli/cli.h"

#include <errno.h>
#include <getopt.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

bool ts_parse_u64(const char *flag, const char *text, uint64_t min, uint64_t max, uint64_t *value,
                  struct ts_error *error)
{
    char *end = NULL;
    errno = 0;
    unsigned long long number = strtoull(text, &end, 10);
    if (text[0] < '0' || text[0] > '9' || *end != '\0' || errno == ERANGE || number < min ||
        number > max) {
        return ts_fail(error, TS_ERR_USAGE, NULL,
                       "%s: '%s' is not a whole number from %llu to %llu", flag, text,
                       (unsigned long long)min, (unsigned long long)max);
    }
    *value = number;
    return true;
}

bool ts_parse_f64(const char *flag, const char *text, double min, double max, double *value,
                  struct ts_error *error)
{
    char *end = NULL;
    errno = 0;
    double number = strtod(text, &end);
    if (end == text || *end != '\0' || !isfinite(number) || number < min || number > max) {
        return ts_fail(error, TS_ERR_USAGE, NULL, "%s: '%s' is not a number from %g to %g", flag,
                       text, min, max);
    }
    *value = number;
    return true;
}

/* One item of a list: N or N-M:S. */
static bool parse_item(const char *flag, char *item, uint64_t min, uint64_t max, uint64_t *values,
                       unsigned capacity, unsigned *count, struct ts_error *error)
{
    uint64_t first = 0, last = 0, step = 1;
    char *dash = strchr(item, '-');
    char *colon = dash ? strchr(dash, ':') : NULL;
    if (dash) {
        *dash++ = '\0';
    }
    if (colon) {
        *colon++ = '\0';
    }
    if (!ts_parse_u64(flag, item, min, max, &first, error) ||
        (dash && !ts_parse_u64(flag, dash, first, max, &last, error)) ||
        (colon && !ts_parse_u64(flag, colon, 1, max, &step, error))) {
        return false;
    }
    last = dash ? last : first;
    for (uint64_t v = first;; v += step) {
        if (*count == capacity) {
            return ts_fail(error, TS_ERR_USAGE, NULL, "%s: more than %u numbers", flag, capacity);
        }
        values[(*count)++] = v;
        if (last - v < step) {
            return true;
        }
    }
}

bool ts_parse_list(const char *flag, const char *text, uint64_t min, uint64_t max, uint64_t *values,
                   unsigned capacity, unsigned *count, struct ts_error *error)
{
    *count = 0;
    const char *at = text;
    for (;;) {
        size_t length = strcspn(at, ",");
        char item[80];
        if (length >= sizeof item) {
            return ts_fail(error, TS_ERR_USAGE, NULL, "%s: '%s' is not a list of numbers", flag,
                           text);
        }
        memcpy(item, at, length);
        item[length] = '\0';
        if (!parse_item(flag, item, min, max, values, capacity, count, error)) {
            return false;
        }
        if (at[length] == '\0') {
            return true;
        }
        at += length + 1;
    }
}

bool ts_read_file(const char *path, uint64_t limit, char **data, uint64_t *length,
                  struct ts_error *error)
{
    FILE *file = strcmp(path, "-") == 0 ? stdin : fopen(path, "rb");
    if (!file) {
        return ts_fail(error, TS_ERR_INPUT, NULL, "%s: %s", path, strerror(errno));
    }
    uint64_t size = 0, capacity = 1 << 16;
    char *buffer = malloc(capacity + 1);
    bool ok = buffer != NULL;
    while (ok) {
        size_t got = fread(buffer + size, 1, (size_t)(capacity - size), file);
        size += got;
        if (got == 0 || size > limit) {
            break;
        }
        if (size == capacity) {
            char *larger = realloc(buffer, capacity * 2 + 1);
            ok = larger != NULL;
            buffer = ok ? larger : buffer;
            capacity *= ok ? 2 : 1;
        }
    }
    bool failed = ferror(file) != 0;
    int reason = errno;
    if (file != stdin) {
        fclose(file);
    }
    if (!ok) {
        ts_fail_memory(error, path, capacity);
    } else if (failed) {
        ok = ts_fail(error, TS_ERR_INPUT, NULL, "%s: %s", path, strerror(reason));
    } else if (size > limit) {
        ok = ts_fail(error, TS_ERR_INPUT, NULL, "%s: longer than the %llu bytes allowed here", path,
                     (unsigned long long)limit);
    }
    if (!ok) {
        free(buffer);
        return false;
    }
    buffer[size] = '\0';
    *data = buffer;
    *length = size;
    return true;
}

int ts_usage_error(const char *verb, char **argv)
{
    /* getopt leaves optind behind a bad long option, and the letter of a bad short one in optopt */
    if (optopt > ' ' && optopt < 127) {
        fprintf(stderr, "touchstone %s: option -%c is unknown or lacks its value\n", verb, optopt);
    } else {
        fprintf(stderr, "touchstone %s: option '%s' is unknown or lacks its value\n", verb,
                argv[optind - 1]);
    }
    fprintf(stderr, "hint: see touchstone %s --help\n", verb);
    return 2;
}

static volatile sig_atomic_t interrupted;

static void on_interrupt(int signal)
{
    (void)signal;
    if (interrupted) {
        _exit(130);
    }
    interrupted = 1;
}

void ts_catch_interrupts(void)
{
    struct sigaction action;
    memset(&action, 0, sizeof action);
    action.sa_handler = on_interrupt;
    sigemptyset(&action.sa_mask);
    sigaction(SIGINT, &action, NULL);
}

bool ts_interrupted(void)
{
    return interrupted != 0;
}
