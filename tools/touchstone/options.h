/* The option language of all verbs, and of the tools: a table whose lines say an option's name, its
 * argument, where its value goes, its help, and what it goes together with. One loop reads, one
 * refuses, one writes the help.
 *
 * Options and arguments may come in any order; "--" ends the options. --name VALUE and --name=VALUE
 * are the same, and so are -nVALUE and -n VALUE. Names are written out. */
#ifndef TS_TOOLS_TOUCHSTONE_OPTIONS_H
#define TS_TOOLS_TOUCHSTONE_OPTIONS_H

#include "base/error.h"

#include <stdint.h>

enum ts_option_kind {
    TS_OPTION_FLAG, /* bool: set by naming it, and as often as you like */
    TS_OPTION_OFF,  /* bool: on|off, and `off` sets it */
    TS_OPTION_TEXT, /* const char * */
    TS_OPTION_U32,  /* uint32_t, from min to max */
    TS_OPTION_U64,  /* uint64_t, from min to max */
    TS_OPTION_F64,  /* double, from min to max */
    TS_OPTION_READ  /* whatever `read` makes of it */
};

/* Takes a value; `flag` names the option in errors. */
typedef bool ts_option_read_fn(void *value, const char *flag, const char *text,
                               struct ts_error *error);

struct ts_option {
    const char *name; /* without the dashes */
    char letter;      /* 0: none */
    enum ts_option_kind kind;
    void *value;       /* left alone unless the option is given */
    uint64_t min, max; /* of whole numbers */
    double low, high;  /* of the others */
    ts_option_read_fn *read;
    const char *argument; /* its name in the help; NULL for a flag */
    const char *help;     /* lines after the first are indented by the help */
    bool many;            /* TS_OPTION_READ: may be given more than once */
    char group;           /* of those with the same letter one may be given; 0: none */
    uint32_t modes;       /* bit i: belongs to mode i; 0: to every mode */
    uint32_t needed;      /* modes in which it must be given */
};

/* Lines of a table: NAME, LETTER, where the value goes, ... , help; then whatever else the line says,
 * such as .group = 'p'. */
#define TS_FLAG(NAME, LETTER, VALUE, HELP, ...)                                                    \
    {                                                                                              \
        .name = NAME, .letter = LETTER, .kind = TS_OPTION_FLAG, .value = (bool *){VALUE},          \
        .help = HELP, __VA_ARGS__                                                                  \
    }
#define TS_TEXT(NAME, LETTER, VALUE, ARGUMENT, HELP, ...)                                          \
    {                                                                                              \
        .name = NAME, .letter = LETTER, .kind = TS_OPTION_TEXT, .value = (const char **){VALUE},   \
        .argument = ARGUMENT, .help = HELP, __VA_ARGS__                                            \
    }
#define TS_ON_OFF(NAME, VALUE, HELP, ...)                                                          \
    {                                                                                              \
        .name = NAME, .kind = TS_OPTION_OFF, .value = (bool *){VALUE}, .argument = "on|off",       \
        .help = HELP, __VA_ARGS__                                                                  \
    }
#define TS_NUMBER(NAME, LETTER, KIND, TYPE, VALUE, MIN, MAX, ARGUMENT, HELP, ...)                  \
    {                                                                                              \
        .name = NAME, .letter = LETTER, .kind = KIND, .value = (TYPE *){VALUE}, .min = MIN,        \
        .max = MAX, .argument = ARGUMENT, .help = HELP, __VA_ARGS__                                \
    }
#define TS_U32(NAME, LETTER, ...) TS_NUMBER(NAME, LETTER, TS_OPTION_U32, uint32_t, __VA_ARGS__)
#define TS_U64(NAME, LETTER, ...) TS_NUMBER(NAME, LETTER, TS_OPTION_U64, uint64_t, __VA_ARGS__)
#define TS_F64(NAME, LETTER, VALUE, LOW, HIGH, ARGUMENT, HELP, ...)                                \
    {                                                                                              \
        .name = NAME, .letter = LETTER, .kind = TS_OPTION_F64, .value = (double *){VALUE},         \
        .low = LOW, .high = HIGH, .argument = ARGUMENT, .help = HELP, __VA_ARGS__                  \
    }
#define TS_READ(NAME, LETTER, READ, VALUE, ARGUMENT, HELP, ...)                                    \
    {                                                                                              \
        .name = NAME, .letter = LETTER, .kind = TS_OPTION_READ, .read = READ, .value = VALUE,      \
        .argument = ARGUMENT, .help = HELP, __VA_ARGS__                                            \
    }

/* What a verb does when this option is given. The first of a table's modes whose option is given is
 * chosen; the last one has none, and is chosen when no other is. */
struct ts_option_mode {
    const char *option; /* name; NULL in the last one */
    const char *phrase; /* of the last one, such as "in a check of kernels" */
};

enum { TS_MOST_OPTIONS = 48 };

/* A table, and what is around it in the help. The rest begins as zero. */
struct ts_options {
    const char *program;      /* NULL: touchstone */
    const char *verb;         /* NULL: of a program without verbs */
    const char *head;         /* the help above the options: usage and purpose */
    const char *tail;         /* below them */
    const char **operand;     /* receives an argument that is no option; NULL: none is taken */
    const char *operand_name; /* refused without it, such as "DIR"; NULL: it may be missing */
    const struct ts_option_mode *modes; /* NULL: one */
    unsigned mode;                      /* receives the mode */
    unsigned count;                     /* of list: a verb's table grows by groups */
    struct ts_option list[TS_MOST_OPTIONS];
    char given[TS_MOST_OPTIONS]; /* 0: no; else the letter, or '-' where it was named */
};

/* Copies `count` lines to the end of the table; those beyond TS_MOST_OPTIONS are a bug and show as
 * unknown options. */
void ts_options_add(struct ts_options *options, const struct ts_option *lines, unsigned count);
#define TS_OPTIONS_ADD(OPTIONS, LINES)                                                             \
    ts_options_add(OPTIONS, LINES, (unsigned)(sizeof(LINES) / sizeof *(LINES)))

/* Reads the command line and chooses the mode. True: go on. False: *code is the exit code, after the
 * help (-h and --help, which every table has) or after a message. */
bool ts_options_read(struct ts_options *options, int argc, char **argv, int *code);

/* True where the option of this name was given. */
bool ts_options_given(const struct ts_options *options, const char *name);

/* Prints "PROGRAM VERB: message" and the hint to see --help; returns the exit code of a usage error. */
int ts_options_refuse(const struct ts_options *options, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* True where somebody who wrote `word` may have meant `name`; *distance is how far apart they are. */
bool ts_resembles(const char *word, const char *name, unsigned *distance);

#endif
