/* The command line: each verb is a file of its own, listed once in verbs.def. */
#ifndef TS_ENGINE_CLI_CLI_H
#define TS_ENGINE_CLI_CLI_H

#include "base/error.h"

#include <stdint.h>

/* One function a verb: argv[0] is the verb's name. Returns the exit code (base/error.h). */
#define TS_VERB(name, summary) int ts_verb_##name(int argc, char **argv);
#include "engine/cli/verbs.def"
#undef TS_VERB

/* Numbers on the command line: the whole argument must be a number in range; `flag` is named in
 * the error (TS_ERR_USAGE). */
bool ts_parse_u64(const char *flag, const char *text, uint64_t min, uint64_t max, uint64_t *value,
                  struct ts_error *error);
bool ts_parse_f64(const char *flag, const char *text, double min, double max, double *value,
                  struct ts_error *error);

/* A list such as 16,64,256 or 128-512:128; at most `capacity` numbers. *count receives how many. */
bool ts_parse_list(const char *flag, const char *text, uint64_t min, uint64_t max, uint64_t *values,
                   unsigned capacity, unsigned *count, struct ts_error *error);

/* Reads a whole file ("-" is stdin) into memory; the caller frees *data (a zero is appended). */
bool ts_read_file(const char *path, uint64_t limit, char **data, uint64_t *length,
                  struct ts_error *error);

/* For getopt_long's '?' and ':' : prints "touchstone VERB: unknown or incomplete option ..." with
 * the hint to see --help; returns 2. Verbs call getopt_long with opterr = 0 and a leading ':'. */
int ts_usage_error(const char *verb, char **argv);

/* Set by SIGINT once ts_catch_interrupts was called; long loops look at it. A second SIGINT ends
 * the process at once. */
void ts_catch_interrupts(void);
bool ts_interrupted(void);

#endif
