/* The command line: each verb is a file of its own, listed once in verbs.def. */
#ifndef TS_TOOLS_TOUCHSTONE_CLI_H
#define TS_TOOLS_TOUCHSTONE_CLI_H

#include "base/error.h"
#include "base/interrupt.h"
#include "base/parse.h"

#include <stdint.h>

/* One function a verb: argv[0] is the verb's name. Returns the exit code (base/error.h). */
#define TS_VERB(name, summary) int ts_verb_##name(int argc, char **argv);
#include "tools/touchstone/verbs.def"
#undef TS_VERB

/* Reads a whole file ("-" is stdin) into memory; the caller frees *data (a zero is appended). */
bool ts_read_file(const char *path, uint64_t limit, char **data, uint64_t *length,
                  struct ts_error *error);

#endif
