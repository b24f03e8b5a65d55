#include "tools/touchstone/options.h"

#include "tools/touchstone/cli.h"

#include <getopt.h>
#include <stdio.h>
#include <string.h>

enum { FIRST_LONG = 256, HELP_COLUMN = 23 };

#define COUNT(table) (unsigned)(sizeof(table) / sizeof *(table))

void ts_options_add(struct ts_options *options, const struct ts_option *lines, unsigned count)
{
    for (unsigned i = 0; i < count && options->count < TS_MOST_OPTIONS; i++) {
        options->list[options->count++] = lines[i];
    }
}

void ts_options_add_session(struct ts_options *options, struct ts_session_options *session)
{
    const struct ts_option lines[] = {
        {"device", 0, TS_OPTION_TEXT, &session->device, 0, 0, "NAME",
         "what computes (default reference)"},
        {"threads", 0, TS_OPTION_U32, &session->threads, 1, 1024, "N",
         "of a CPU device (default: all cores)"},
        {"ctx", 0, TS_OPTION_U64, &session->context, 1, UINT64_C(1) << 32, "N",
         "tokens of context (default 4096, or the model's limit)"},
        {"chunk", 0, TS_OPTION_U32, &session->chunk, 1, UINT32_MAX, "N",
         "most tokens of one prefill step (default 128)"},
        {"kv-rounding", 0, TS_OPTION_OFF, &session->kv_rounding_off, 0, 0, "on|off",
         "the FP8 and FP4 round trips of KV rows (default on)"},
        {"unfused", 0, TS_OPTION_FLAG, &session->unfused, 0, 0, NULL,
         "run every fused operation as its parts"},
    };
    ts_options_add(options, lines, COUNT(lines));
}

void ts_options_add_sampling(struct ts_options *options, struct ts_sampling *sampling)
{
    *sampling = (struct ts_sampling){.temperature = 1, .top_p = 1, .seed = 1};
    const struct ts_option lines[] = {
        {"temp", 0, TS_OPTION_F64, &sampling->temperature, 0, 1000, "X",
         "temperature; 0 takes the likeliest token (default 1)"},
        {"top-k", 0, TS_OPTION_U32, &sampling->top_k, 0, INT32_MAX, "N",
         "only the N likeliest tokens (default 0: off)"},
        {"top-p", 0, TS_OPTION_F64, &sampling->top_p, 0, 1, "X",
         "only the likeliest that reach X together (default 1: off)"},
        {"min-p", 0, TS_OPTION_F64, &sampling->min_p, 0, 1, "X",
         "only those of X times the likeliest's (default 0: off)"},
        {"seed", 0, TS_OPTION_U64, &sampling->seed, 0, UINT64_MAX, "N",
         "the same seed gives the same text (default 1)"},
    };
    ts_options_add(options, lines, COUNT(lines));
}

static bool set(const struct ts_option *option, const char *text, struct ts_error *error)
{
    char flag[64];
    uint64_t number = 0;
    snprintf(flag, sizeof flag, "--%s", option->name);
    switch (option->kind) {
    case TS_OPTION_FLAG: *(bool *)option->value = true; return true;
    case TS_OPTION_TEXT: *(const char **)option->value = text; return true;
    case TS_OPTION_OFF:
        if (strcmp(text, "on") != 0 && strcmp(text, "off") != 0) {
            return ts_fail(error, TS_ERR_USAGE, NULL, "%s: '%s' is neither on nor off", flag, text);
        }
        *(bool *)option->value = strcmp(text, "off") == 0;
        return true;
    case TS_OPTION_F64:
        return ts_parse_f64(flag, text, (double)option->min, (double)option->max, option->value,
                            error);
    case TS_OPTION_U64:
        return ts_parse_u64(flag, text, option->min, option->max, option->value, error);
    case TS_OPTION_U32: break;
    }
    if (!ts_parse_u64(flag, text, option->min, option->max, &number, error)) {
        return false;
    }
    *(uint32_t *)option->value = (uint32_t)number;
    return true;
}

/* getopt's own tables. Long options are FIRST_LONG and their place in the list. */
static void fill(const struct ts_options *options, struct option *longs, char *letters)
{
    *letters++ = ':';
    *letters++ = 'h';
    for (unsigned i = 0; i < options->count; i++) {
        const struct ts_option *line = &options->list[i];
        int argument = line->kind == TS_OPTION_FLAG ? no_argument : required_argument;
        longs[i] = (struct option){line->name, argument, NULL, FIRST_LONG + (int)i};
        if (line->letter) {
            *letters++ = line->letter;
            if (argument == required_argument) {
                *letters++ = ':';
            }
        }
    }
    longs[options->count] = (struct option){"help", no_argument, NULL, 'h'};
    longs[options->count + 1] = (struct option){NULL, 0, NULL, 0};
    *letters = '\0';
}

static const struct ts_option *find(const struct ts_options *options, int code)
{
    if (code >= FIRST_LONG) {
        return &options->list[code - FIRST_LONG];
    }
    for (unsigned i = 0; i < options->count; i++) {
        if (options->list[i].letter == code) {
            return &options->list[i];
        }
    }
    return NULL;
}

int ts_options_parse(struct ts_options *options, int argc, char **argv)
{
    struct option longs[TS_MOST_OPTIONS + 2];
    char letters[2 * TS_MOST_OPTIONS + 3];
    struct ts_error error;
    fill(options, longs, letters);
    opterr = 0;
    for (int code; (code = getopt_long(argc, argv, letters, longs, NULL)) != -1;) {
        if (code == 'h') {
            options->help = true;
            return 0;
        }
        const struct ts_option *option = find(options, code); /* none is named ? or : */
        if (!option) {
            return ts_usage_error(options->verb, argv);
        }
        if (!set(option, optarg, &error)) {
            return ts_report(&error);
        }
    }
    if (options->operand && optind < argc) {
        *options->operand = argv[optind++];
    }
    if (options->surplus) {
        *options->surplus = (unsigned)(argc - optind);
    } else if (optind < argc) {
        ts_fail(&error, TS_ERR_USAGE, NULL, "%s: unexpected argument '%s'", options->verb,
                argv[optind]);
        snprintf(error.hint, sizeof error.hint, "see touchstone %s --help", options->verb);
        return ts_report(&error);
    }
    return 0;
}

/* Text in columns; a newline in `help` begins another line of the right one. */
static void print_line(char letter, const char *name, const char *argument, const char *help)
{
    int used = letter ? printf("  -%c, --%s", letter, name) : printf("      --%s", name);
    used += argument ? printf(" %s", argument) : 0;
    if (used > HELP_COLUMN - 2) {
        putchar('\n');
        used = 0;
    }
    for (const char *line = help; line; used = 0) {
        int length = (int)strcspn(line, "\n");
        printf("%*s%.*s\n", HELP_COLUMN - used, "", length, line);
        line = line[length] ? line + length + 1 : NULL;
    }
}

void ts_options_print(const struct ts_options *options)
{
    for (unsigned i = 0; i < options->count; i++) {
        const struct ts_option *line = &options->list[i];
        print_line(line->letter, line->name, line->argument, line->help);
    }
    print_line('h', "help", NULL, "this text");
}
