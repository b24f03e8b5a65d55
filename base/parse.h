/* Numbers on the command line. `flag` is named in the error (TS_ERR_USAGE). */
#ifndef TS_BASE_PARSE_H
#define TS_BASE_PARSE_H

#include "base/error.h"

#include <stdint.h>

/* The whole text must be a number in range. */
bool ts_parse_u64(const char *flag, const char *text, uint64_t min, uint64_t max, uint64_t *value,
                  struct ts_error *error);
bool ts_parse_f64(const char *flag, const char *text, double min, double max, double *value,
                  struct ts_error *error);

/* A list such as 16,64,256 or 128-512:128; at most `capacity` numbers. *count receives how many. */
bool ts_parse_list(const char *flag, const char *text, uint64_t min, uint64_t max, uint64_t *values,
                   unsigned capacity, unsigned *count, struct ts_error *error);

#endif
