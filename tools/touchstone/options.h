/* Options of a verb as a table: one line an option says its name, its argument, where its value goes
 * and its help. Verbs that run a model share the lines about it. */
#ifndef TS_TOOLS_TOUCHSTONE_OPTIONS_H
#define TS_TOOLS_TOUCHSTONE_OPTIONS_H

#include "engine/session/sampler.h"
#include "engine/session/session.h"

enum ts_option_kind {
    TS_OPTION_FLAG, /* bool: set by naming it */
    TS_OPTION_OFF,  /* bool: on|off, and `off` sets it */
    TS_OPTION_TEXT, /* const char * */
    TS_OPTION_U32,  /* uint32_t, from min to max */
    TS_OPTION_U64,  /* uint64_t, from min to max */
    TS_OPTION_F64   /* double, from min to max */
};

struct ts_option {
    const char *name; /* without the dashes */
    char letter;      /* 0: none */
    enum ts_option_kind kind;
    void *value; /* left alone unless the option is given */
    uint64_t min, max;
    const char *argument; /* its name in the help; NULL for a flag */
    const char *help;     /* lines after the first are indented by the help */
};

/* A verb's table grows by groups. */
enum { TS_MOST_OPTIONS = 48 };
struct ts_options {
    const char *verb;     /* for messages; the rest begins as zero */
    bool help;            /* --help was given: nothing behind it was looked at */
    const char **operand; /* receives the one argument besides options; NULL: the verb takes none */
    unsigned *surplus;    /* receives how many arguments more there are; NULL: they are refused */
    unsigned count;
    struct ts_option list[TS_MOST_OPTIONS];
};

/* Copies `count` lines to the end of the table; those beyond TS_MOST_OPTIONS are a bug and show as
 * unknown options. */
void ts_options_add(struct ts_options *options, const struct ts_option *lines, unsigned count);

/* --device, --threads, --ctx, --chunk, --kv-rounding and --unfused. */
void ts_options_add_session(struct ts_options *options, struct ts_session_options *session);

/* --temp, --top-k, --top-p, --min-p and --seed; sets the defaults. */
void ts_options_add_sampling(struct ts_options *options, struct ts_sampling *sampling);

/* Reads the command line. Every verb also has -h and --help. Takes no arguments besides options and
 * the operand, which may be missing. Returns 0, or the exit code after a message. */
int ts_options_parse(struct ts_options *options, int argc, char **argv);

/* Prints the lines of the table, and --help. */
void ts_options_print(const struct ts_options *options);

#endif
