#include "tools/touchstone/cli.h"
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
    fputs("\n'touchstone VERB --help' explains a verb's options; 'touchstone --version' names the "
          "build.\n"
          "Without a model yet: build/make-model --geometry tiny --recipe q2 -o tiny.gguf\n\n"
          "exit codes: 0 ok; 1 check failed or nothing compared; 2 usage or refused input;\n"
          "  3 regression; 4 environment (packages, disk, memory, device); 130 interrupted\n",
          out);
}

int main(int argc, char **argv)
{
    if (argc < 2) {
        print_help(stderr);
        return 2;
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0) {
        print_help(stdout);
        return 0;
    }
    if (strcmp(argv[1], "--version") == 0) {
        printf("touchstone %s\n", TS_VERSION);
        return 0;
    }
    ts_catch_lost_files();
    for (const struct verb *v = verbs; v->name; v++) {
        if (strcmp(argv[1], v->name) == 0) {
            return v->run(argc - 1, argv + 1);
        }
    }
    fprintf(stderr, "touchstone: unknown verb '%s'\nhint: see touchstone --help\n", argv[1]);
    return 2;
}
