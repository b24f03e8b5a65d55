#include "tools/touchstone/options.h"

#include "base/parse.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { HELP_COLUMN = 23, HELP_WIDTH = 84, LONGEST_NAME = 40 };

void ts_options_add(struct ts_options *options, const struct ts_option *lines, unsigned count)
{
    for (unsigned i = 0; i < count && options->count < TS_MOST_OPTIONS; i++) {
        options->list[options->count++] = lines[i];
    }
}

static const struct ts_option *find(const struct ts_options *options, const char *name,
                                    size_t length)
{
    for (unsigned i = 0; i < options->count; i++) {
        const struct ts_option *line = &options->list[i];
        if (strlen(line->name) == length && memcmp(line->name, name, length) == 0) {
            return line;
        }
    }
    return NULL;
}

bool ts_options_given(const struct ts_options *options, const char *name)
{
    const struct ts_option *line = find(options, name, strlen(name));
    return line && options->given[line - options->list] != 0;
}

/* ---- messages ---- */

static const char *program_of(const struct ts_options *options)
{
    return options->program ? options->program : "touchstone";
}

int ts_options_refuse(const struct ts_options *options, const char *format, ...)
{
    struct ts_error error;
    char text[1024];
    const char *space = options->verb ? " " : "", *verb = options->verb ? options->verb : "";
    va_list list;
    va_start(list, format);
    vsnprintf(text, sizeof text, format, list);
    va_end(list);
    ts_fail(&error, TS_ERR_USAGE, NULL, "%s", text); /* makes it printable */
    fprintf(stderr, "%s%s%s: %s\n", program_of(options), space, verb, error.message);
    fprintf(stderr, "hint: see %s%s%s --help\n", program_of(options), space, verb);
    return ts_exit_code(TS_ERR_USAGE);
}

/* An option as it was written: -m or --model. */
struct flag {
    char text[LONGEST_NAME + 4];
};

static struct flag flag_of(const struct ts_options *options, const struct ts_option *line)
{
    struct flag flag;
    char how = options->given[line - options->list];
    if (how != 0 && how != '-') {
        snprintf(flag.text, sizeof flag.text, "-%c", how);
    } else {
        snprintf(flag.text, sizeof flag.text, "--%.*s", LONGEST_NAME, line->name);
    }
    return flag;
}

static unsigned least(unsigned a, unsigned b)
{
    return a < b ? a : b;
}

/* Letters to put in, leave out, change or exchange with their neighbours. */
static unsigned distance_of(const char *a, size_t a_length, const char *b, size_t b_length)
{
    unsigned rows[3][LONGEST_NAME + 1];
    for (unsigned j = 0; j <= b_length; j++) {
        rows[0][j] = j;
    }
    for (unsigned i = 1; i <= a_length; i++) {
        unsigned *row = rows[i % 3], *above = rows[(i + 2) % 3], *before = rows[(i + 1) % 3];
        row[0] = i;
        for (unsigned j = 1; j <= b_length; j++) {
            unsigned change = above[j - 1] + (a[i - 1] != b[j - 1]);
            row[j] = least(least(above[j], row[j - 1]) + 1, change);
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
                row[j] = least(row[j], before[j - 2] + 1);
            }
        }
    }
    return rows[a_length % 3][b_length];
}

bool ts_resembles(const char *word, const char *name, unsigned *distance)
{
    size_t word_length = strlen(word), name_length = strlen(name);
    if (word_length < 2 || word_length > LONGEST_NAME || name_length > LONGEST_NAME) {
        return false;
    }
    bool begins = strncmp(word, name, word_length) == 0;
    *distance = begins ? 1 : distance_of(word, word_length, name, name_length);
    return *distance <= 1 + name_length / 4 && *distance < name_length;
}

static int refuse_unknown(const struct ts_options *options, const char *argument)
{
    const char *nearest = NULL, *equals = strchr(argument, '=');
    unsigned best = LONGEST_NAME, distance;
    char word[LONGEST_NAME + 2];
    size_t length = equals ? (size_t)(equals - argument) : strlen(argument);
    snprintf(word, sizeof word, "%.*s", (int)least(LONGEST_NAME + 1, (unsigned)length), argument);
    if (argument[1] != '-') {
        return ts_options_refuse(options, "option '%.2s' is unknown", argument);
    }
    for (unsigned i = 0; i < options->count; i++) {
        const char *name = options->list[i].name;
        if (ts_resembles(word + 2, name, &distance) && distance < best) {
            best = distance;
            nearest = name;
        }
    }
    if (nearest) {
        return ts_options_refuse(options, "option '%s' is unknown; did you mean '--%s'?", word,
                                 nearest);
    }
    return ts_options_refuse(options, "option '%s' is unknown", word);
}

/* ---- reading ---- */

static bool set(const struct ts_option *option, const char *flag, const char *text,
                struct ts_error *error)
{
    uint64_t number = 0;
    switch (option->kind) {
    case TS_OPTION_FLAG: *(bool *)option->value = true; return true;
    case TS_OPTION_TEXT: *(const char **)option->value = text; return true;
    case TS_OPTION_READ: return option->read(option->value, flag, text, error);
    case TS_OPTION_OFF:
        if (strcmp(text, "on") != 0 && strcmp(text, "off") != 0) {
            return ts_fail(error, TS_ERR_USAGE, NULL, "%s: '%s' is neither on nor off", flag, text);
        }
        *(bool *)option->value = strcmp(text, "off") == 0;
        return true;
    case TS_OPTION_F64:
        return ts_parse_f64(flag, text, option->low, option->high, option->value, error);
    case TS_OPTION_U32:
    case TS_OPTION_U64: break;
    }
    if (!ts_parse_u64(flag, text, option->min, option->max, &number, error)) {
        return false;
    }
    if (option->kind == TS_OPTION_U64) {
        *(uint64_t *)option->value = number;
    } else {
        *(uint32_t *)option->value = (uint32_t)number;
    }
    return true;
}

/* The command line as it is read: argv[at] is the argument at hand. */
struct reader {
    struct ts_options *options;
    int argc, at;
    char **argv;
    int code;
};

static bool stop(struct reader *r, int code)
{
    r->code = code;
    return false;
}

/* `value` is what stands behind the option in the same argument; NULL: nothing does. */
static bool take(struct reader *r, const struct ts_option *line, char how, const char *value)
{
    struct ts_options *options = r->options;
    struct ts_error error;
    char *given = &options->given[line - options->list], before = *given;
    bool is_flag = line->kind == TS_OPTION_FLAG;
    *given = how;
    struct flag flag = flag_of(options, line);
    if (is_flag && value) {
        return stop(r, ts_options_refuse(options, "%s takes no value", flag.text));
    }
    if (before && !is_flag && !line->many) {
        return stop(r, ts_options_refuse(options, "%s is given twice, and takes one %s", flag.text,
                                         line->argument));
    }
    if (!is_flag && !value) {
        if (r->at + 1 >= r->argc) {
            return stop(r, ts_options_refuse(options, "%s lacks its value: %s %s", flag.text,
                                             flag.text, line->argument));
        }
        value = r->argv[++r->at];
    }
    if (!set(line, flag.text, value, &error)) {
        return stop(r, ts_report_as(program_of(options), &error));
    }
    return true;
}

/* -n 5, -n5, or several flags behind one dash. */
static bool read_letters(struct reader *r, const char *argument)
{
    for (const char *letter = argument + 1; *letter; letter++) {
        const struct ts_option *line = NULL;
        for (unsigned i = 0; i < r->options->count && !line; i++) {
            line = r->options->list[i].letter == *letter ? &r->options->list[i] : NULL;
        }
        if (!line) {
            return stop(r, refuse_unknown(r->options, (char[]){'-', *letter, '\0'}));
        }
        bool is_flag = line->kind == TS_OPTION_FLAG;
        if (!take(r, line, *letter, is_flag || !letter[1] ? NULL : letter + 1)) {
            return false;
        }
        if (!is_flag) {
            return true;
        }
    }
    return true;
}

static bool read_name(struct reader *r, const char *argument)
{
    const char *equals = strchr(argument, '=');
    size_t length = equals ? (size_t)(equals - argument) : strlen(argument);
    const struct ts_option *line = find(r->options, argument + 2, length - 2);
    if (!line) {
        return stop(r, refuse_unknown(r->options, argument));
    }
    return take(r, line, '-', equals ? equals + 1 : NULL);
}

static bool read_operand(struct reader *r, const char *argument)
{
    const char **operand = r->options->operand;
    if (!operand || *operand) {
        return stop(r, ts_options_refuse(r->options, "unexpected argument '%.200s'", argument));
    }
    *operand = argument;
    return true;
}

/* ---- the help ---- */

/* "--trace, --bisect", or nothing where the option belongs to every mode. */
static void describe_modes(const struct ts_options *options, const struct ts_option *line,
                           char *text, size_t size)
{
    size_t used = 0;
    text[0] = '\0';
    for (unsigned i = 0; line->modes && options->modes[i].option; i++) {
        const char *name = options->modes[i].option;
        if ((line->modes & 1u << i) && strcmp(name, line->name) != 0 && used < size) {
            used += (size_t)snprintf(text + used, size - used, "%s--%s", used ? ", " : "", name);
        }
    }
}

/* Text in columns; a newline in `help` begins another line of the right one. */
static void print_line(char letter, const char *name, const char *argument, const char *help,
                       const char *with)
{
    int used = letter ? printf("  -%c, --%s", letter, name) : printf("      --%s", name);
    int length = 0;
    used += argument ? printf(" %s", argument) : 0;
    if (used > HELP_COLUMN - 2) {
        putchar('\n');
        used = 0;
    }
    for (const char *line = help; line; used = 0) {
        length = (int)strcspn(line, "\n");
        printf("%*s%.*s", HELP_COLUMN - used, "", length, line);
        line = line[length] ? line + length + 1 : NULL;
        if (line) {
            putchar('\n');
        }
    }
    if (with[0]) {
        bool fits = HELP_COLUMN + length + 8 + (int)strlen(with) <= HELP_WIDTH;
        printf(fits ? " " : "\n%*s", HELP_COLUMN, "");
        printf("[%s]", with);
    }
    putchar('\n');
}

static void print_help(const struct ts_options *options)
{
    char names[160], with[200];
    unsigned last = 0;
    while (options->modes && options->modes[last].option) {
        last++;
    }
    fputs(options->head, stdout);
    for (unsigned i = 0; i < options->count; i++) {
        const struct ts_option *line = &options->list[i];
        describe_modes(options, line, names, sizeof names);
        snprintf(with, sizeof with, "%swith %s", line->modes & 1u << last ? "also " : "", names);
        print_line(line->letter, line->name, line->argument, line->help, names[0] ? with : "");
    }
    print_line('h', "help", NULL, "this text", "");
    fputs(options->tail ? options->tail : "", stdout);
}

static bool read_arguments(struct reader *r)
{
    bool options_end = false;
    for (r->at = 1; r->at < r->argc; r->at++) {
        const char *argument = r->argv[r->at];
        bool ok = true;
        if (options_end || argument[0] != '-' || argument[1] == '\0') {
            ok = read_operand(r, argument);
        } else if (strcmp(argument, "--") == 0) {
            options_end = true;
        } else if (strcmp(argument, "--help") == 0 || strcmp(argument, "-h") == 0) {
            print_help(r->options);
            return stop(r, 0);
        } else {
            ok = argument[1] == '-' ? read_name(r, argument) : read_letters(r, argument);
        }
        if (!ok) {
            return false;
        }
    }
    return true;
}

/* ---- what goes together ---- */

static unsigned choose_mode(const struct ts_options *options)
{
    unsigned mode = 0;
    while (options->modes && options->modes[mode].option &&
           !ts_options_given(options, options->modes[mode].option)) {
        mode++;
    }
    return mode;
}

/* "with --trace" or "in a check of kernels". */
static void name_mode(const struct ts_option_mode *mode, char *text, size_t size)
{
    if (mode->option) {
        snprintf(text, size, "with --%s", mode->option);
    } else {
        snprintf(text, size, "%s", mode->phrase);
    }
}

static bool check_group(struct reader *r, unsigned at)
{
    const struct ts_options *options = r->options;
    for (unsigned i = 0; i < at; i++) {
        if (options->given[i] && options->list[i].group == options->list[at].group) {
            struct flag first = flag_of(options, &options->list[i]);
            struct flag second = flag_of(options, &options->list[at]);
            return stop(r, ts_options_refuse(options, "%s and %s exclude each other", first.text,
                                             second.text));
        }
    }
    return true;
}

static bool check_mode(struct reader *r, unsigned at)
{
    const struct ts_options *options = r->options;
    const struct ts_option *line = &options->list[at];
    char here[80], with[160];
    if (!line->modes || (line->modes & 1u << options->mode)) {
        return true;
    }
    struct flag flag = flag_of(options, line);
    name_mode(&options->modes[options->mode], here, sizeof here);
    describe_modes(options, line, with, sizeof with);
    if (with[0]) {
        return stop(r, ts_options_refuse(options, "%s means nothing %s; it goes with %s", flag.text,
                                         here, with));
    }
    return stop(r, ts_options_refuse(options, "%s means nothing %s", flag.text, here));
}

static bool check_needed(struct reader *r, unsigned at)
{
    const struct ts_options *options = r->options;
    const struct ts_option *line = &options->list[at];
    char here[80] = "";
    if (!(line->needed & 1u << options->mode) || options->given[at]) {
        return true;
    }
    if (options->modes) {
        name_mode(&options->modes[options->mode], here, sizeof here);
    }
    bool letter = line->letter != 0;
    return stop(r, ts_options_refuse(options, "needs %s%s %s%s%s", letter ? "-" : "--",
                                     letter ? (char[]){line->letter, '\0'} : line->name,
                                     line->argument, here[0] ? " " : "", here));
}

static bool check_rules(struct reader *r)
{
    const struct ts_options *options = r->options;
    for (unsigned i = 0; i < options->count; i++) {
        if (options->given[i] &&
            (!check_mode(r, i) || (options->list[i].group != 0 && !check_group(r, i)))) {
            return false;
        }
    }
    for (unsigned i = 0; i < options->count; i++) {
        if (!check_needed(r, i)) {
            return false;
        }
    }
    if (options->operand && options->operand_name && !*options->operand) {
        return stop(r, ts_options_refuse(options, "needs %s", options->operand_name));
    }
    return true;
}

bool ts_options_read(struct ts_options *options, int argc, char **argv, int *code)
{
    struct reader reader = {.options = options, .argc = argc, .argv = argv};
    bool ok = read_arguments(&reader);
    if (ok) {
        options->mode = choose_mode(options);
        ok = check_rules(&reader);
    }
    *code = reader.code;
    return ok;
}
