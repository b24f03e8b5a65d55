#include "tools/touchstone/cli.h"
#include "tools/touchstone/options.h"
#include "tools/touchstone/output.h"
#include "tools/touchstone/sigbus.h"

#include <stdio.h>
#include <string.h>

struct verb {
    const char *name;
    const char *summary;
    int (*run)(int argc, char **argv);
};

static const struct verb verbs[] = {
#define TS_VERB(name, summary) {#name, summary, ts_verb_##name},
#include "tools/touchstone/verbs.def"
#undef TS_VERB
    {NULL, NULL, NULL},
};

static void print_help(FILE *out)
{
    fputs("usage: touchstone VERB [options]\n\n"
          "Runs DeepSeek V4 Flash and proves every operation it runs.\n\nverbs:\n",
          out);
    for (const struct verb *v = verbs; v->name; v++) {
        fprintf(out, "  %-10s %s\n", v->name, v->summary);
    }
    fputs("\n'touchstone VERB --help' or 'touchstone help VERB' explains a verb's options;\n"
          "'touchstone --version' (-V) names the build.\n"
          "Without a model yet: build/make-model --geometry tiny --recipe q2 -o tiny.gguf\n\n"
          "exit codes: 0 ok; 1 check failed or nothing compared; 2 usage or refused input;\n"
          "  3 regression; 4 environment (packages, disk, memory, device, output that cannot be\n"
          "  written); 130 interrupted\n",
          out);
}

static const struct verb *find(const char *name)
{
    for (const struct verb *v = verbs; v->name; v++) {
        if (strcmp(name, v->name) == 0) {
            return v;
        }
    }
    return NULL;
}

static int refuse(const char *word)
{
    const char *nearest = NULL;
    unsigned best = 0, distance;
    for (const struct verb *v = verbs; v->name; v++) {
        if (ts_resembles(word, v->name, &distance) && (!nearest || distance < best)) {
            nearest = v->name;
            best = distance;
        }
    }
    struct ts_error error;
    if (nearest) {
        ts_fail(&error, TS_ERR_USAGE, "see touchstone --help",
                "unknown verb '%.200s'; did you mean '%s'?", word, nearest);
    } else {
        ts_fail(&error, TS_ERR_USAGE, "see touchstone --help", "unknown verb '%.200s'", word);
    }
    return ts_report(&error);
}

/* touchstone help, touchstone help VERB. */
static int help(int argc, char **argv)
{
    const struct verb *verb = argc > 2 ? find(argv[2]) : NULL;
    if (verb) {
        return verb->run(2, (char *[]){argv[2], "--help", NULL});
    }
    if (argc > 2) {
        return refuse(argv[2]);
    }
    print_help(stdout);
    return 0;
}

static int run(int argc, char **argv)
{
    if (argc < 2) {
        print_help(stderr);
        return 2;
    }
    const char *word = argv[1];
    const struct verb *verb = find(word);
    if (verb) {
        return verb->run(argc - 1, argv + 1);
    }
    if (strcmp(word, "help") == 0) {
        return help(argc, argv);
    }
    if (strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0) {
        print_help(stdout);
        return 0;
    }
    if (strcmp(word, "--version") == 0 || strcmp(word, "-V") == 0) {
        printf("touchstone %s\n", TS_VERSION);
        return 0;
    }
    return refuse(word);
}

int main(int argc, char **argv)
{
    ts_output_begin();
    ts_catch_lost_files();
    return ts_output_end("touchstone", run(argc, argv));
}
