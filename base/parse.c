#include "base/parse.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

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
    /* strtod also takes spaces, hexadecimal digits and words */
    if (end == text || strspn(text, "0123456789.eE+-") != strlen(text) || *end != '\0' ||
        !isfinite(number) || number < min || number > max) {
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
