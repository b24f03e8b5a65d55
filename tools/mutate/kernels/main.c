/* The command line of mutate. */
#include "tools/mutate/kernels/kernels.h"

#include "base/parse.h"
#include "engine/device/metal/source.h"
#include "kernels/kernels.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MOST_FAMILIES = 64, LARGEST_SOURCE = 4 << 20 };

static const char help[] =
    "usage: mutate run [options]\n"
    "       mutate list [options]\n"
    "       mutate write [options] --id ID --folder DIR\n\n"
    "Makes small mistakes in the Metal kernels, each of which the check must find. run: checks "
    "the\n"
    "kernels as they are, with each planted bug, and with each mistake chosen by the seed; what\n"
    "survives must be explained in a list. list: only names the mistakes. write: one of them, for\n"
    "touchstone check --kernels DIR.\n\n"
    "  --family NAME      only of kernels/NAME.metal (default: all)\n"
    "  --seed N           which mistakes (default 1)\n"
    "  --count N          how many, of all families together (default 200)\n"
    "  --jobs N           at a time (default: the processors)\n"
    "  --touchstone FILE  the program that checks (default build/touchstone)\n"
    "  --explained FILE   survivors that are no gap: id and reason, one a line\n"
    "  --folder DIR       run: what is written meanwhile, removed in the end (default "
    "build/mutants)\n"
    "  --sources DIR      flat sources instead of those in the program\n"
    "  --no-planted       without the planted bugs\n\n"
    "The last line is `N mutants, N killed, N explained, N unexplained`.\n"
    "exit codes: 0 none unexplained; 1 one is, or one does not build, or the kernels fail as they\n"
    "  are; 2 usage; 4 environment; 130 interrupted\n";

struct command {
    const char *verb, *id;
    struct mu_options options;
    bool help;
};

static bool read_option(int option, struct command *c, char **argv, struct ts_error *error)
{
    struct mu_options *o = &c->options;
    switch (option) {
    case 'f': o->family = optarg; return true;
    case 's': return ts_parse_u64("--seed", optarg, 0, UINT64_MAX, &o->seed, error);
    case 'c': return ts_parse_u64("--count", optarg, 0, 1000000, &o->count, error);
    case 'j': return ts_parse_u64("--jobs", optarg, 1, 256, &o->jobs, error);
    case 't': o->touchstone = optarg; return true;
    case 'e': o->explained = optarg; return true;
    case 'd': o->folder = optarg; return true;
    case 'k': o->sources = optarg; return true;
    case 'n': o->by_hand = false; return true;
    case 'i': c->id = optarg; return true;
    case 'h': c->help = true; return true;
    default:
        return ts_fail(error, TS_ERR_USAGE, "see mutate --help",
                       "option unknown or without its value: %s", argv[optind - 1]);
    }
}

static bool read_command(int argc, char **argv, struct command *c, struct ts_error *error)
{
    static const struct option options[] = {{"family", required_argument, NULL, 'f'},
                                            {"seed", required_argument, NULL, 's'},
                                            {"count", required_argument, NULL, 'c'},
                                            {"jobs", required_argument, NULL, 'j'},
                                            {"touchstone", required_argument, NULL, 't'},
                                            {"explained", required_argument, NULL, 'e'},
                                            {"folder", required_argument, NULL, 'd'},
                                            {"sources", required_argument, NULL, 'k'},
                                            {"no-planted", no_argument, NULL, 'n'},
                                            {"id", required_argument, NULL, 'i'},
                                            {"help", no_argument, NULL, 'h'},
                                            {NULL, 0, NULL, 0}};
    long processors = sysconf(_SC_NPROCESSORS_ONLN);
    c->options = (struct mu_options){.touchstone = "build/touchstone",
                                     .folder = "build/mutants",
                                     .seed = 1,
                                     .count = 200,
                                     .jobs = processors > 0 ? (uint64_t)processors : 1,
                                     .by_hand = true};
    opterr = 0;
    for (int option; (option = getopt_long(argc, argv, "h", options, NULL)) != -1;) {
        if (!read_option(option, c, argv, error)) {
            return false;
        }
    }
    c->verb = optind + 1 == argc ? argv[optind] : "";
    bool known = strcmp(c->verb, "run") == 0 || strcmp(c->verb, "list") == 0 ||
                 (strcmp(c->verb, "write") == 0 && c->id);
    return c->help || known ||
           ts_fail(error, TS_ERR_USAGE, "see mutate --help", "expected run, list or write --id ID");
}

static bool read_source(const char *folder, const char *family, char **text, struct ts_error *error)
{
    char path[1024];
    snprintf(path, sizeof path, "%s/%s.metal", folder, family);
    *text = NULL;
    FILE *file = fopen(path, "r");
    if (!file) { /* a folder may have some families only */
        return errno == ENOENT ||
               ts_fail(error, TS_ERR_INPUT, NULL, "%s: %s", path, strerror(errno));
    }
    *text = malloc(LARGEST_SOURCE);
    size_t size = *text ? fread(*text, 1, LARGEST_SOURCE - 1, file) : 0;
    fclose(file);
    if (!*text || size == LARGEST_SOURCE - 1) {
        return ts_fail(error, TS_ERR_INPUT, NULL, "%s: too large", path);
    }
    (*text)[size] = '\0';
    return true;
}

/* Some sources are of no operation: kernels/probe.metal. */
static bool is_family(const char *name)
{
    for (unsigned i = 0; i < TS_KERNEL_COUNT; i++) {
        if (strcmp(ts_op_info(ts_kernel_at(i)->op)->family, name) == 0) {
            return true;
        }
    }
    return false;
}

static bool read_sources(const struct mu_options *o, struct mu_source *sources, size_t *families,
                         struct ts_error *error)
{
    static const char *const defined[] = {"__METAL_VERSION__", "__METAL__", "MUTANT", NULL};
    *families = 0;
    for (size_t i = 0; ts_kernel_sources[i].family && *families < MOST_FAMILIES; i++) {
        const char *family = ts_kernel_sources[i].family, *text = ts_kernel_sources[i].text;
        char *read = NULL;
        if (o->sources) {
            if (!read_source(o->sources, family, &read, error)) {
                return false;
            }
            text = read;
        }
        if (text && is_family(family)) {
            struct mu_source *s = &sources[(*families)++];
            mu_source_read(s, family, text, defined);
            mu_source_structure(s, false);
            mu_source_points(s);
        }
        free(read);
    }
    return true;
}

static bool is_chosen(const struct command *c, const struct mu_source *source)
{
    return !c->options.family || strcmp(c->options.family, source->family) == 0;
}

static int list(const struct command *c, const struct mu_source *sources, size_t families)
{
    size_t count = 0;
    for (size_t f = 0; f < families; f++) {
        for (size_t i = 0; is_chosen(c, &sources[f]) && i < sources[f].point_count; i++) {
            char text[512];
            mu_describe(&sources[f], &sources[f].points[i], text, sizeof text);
            printf("%s %s\n", sources[f].points[i].id, text);
            count++;
        }
    }
    fprintf(stderr, "%zu mutants\n", count);
    return count > 0 ? 0 : 1;
}

static int write_one(const struct command *c, const struct mu_source *sources, size_t families)
{
    struct ts_error error;
    for (size_t f = 0; f < families; f++) {
        for (size_t i = 0; i < sources[f].point_count; i++) {
            if (strcmp(sources[f].points[i].id, c->id) == 0) {
                char path[1024];
                mkdir(c->options.folder, 0777);
                snprintf(path, sizeof path, "%s/%s.metal", c->options.folder, sources[f].family);
                return mu_write(&sources[f], &sources[f].points[i], path, &error)
                           ? 0
                           : ts_report(&error);
            }
        }
    }
    ts_fail(&error, TS_ERR_USAGE, "mutate list names those of a seed and a count",
            "no mutant %s among these", c->id);
    return ts_report(&error);
}

int main(int argc, char **argv)
{
    static struct mu_source sources[MOST_FAMILIES];
    struct command c = {.verb = NULL};
    struct ts_error error;
    size_t families;
    if (!read_command(argc, argv, &c, &error)) {
        return ts_report(&error);
    }
    if (c.help) {
        fputs(help, stdout);
        return 0;
    }
    if (!read_sources(&c.options, sources, &families, &error)) {
        return ts_report(&error);
    }
    /* an id is looked for among all */
    bool all = strcmp(c.verb, "write") == 0;
    mu_choose(sources, families, c.options.seed, all ? SIZE_MAX : c.options.count);
    int code = strcmp(c.verb, "run") == 0    ? mu_run(&c.options, sources, families)
               : strcmp(c.verb, "list") == 0 ? list(&c, sources, families)
                                             : write_one(&c, sources, families);
    for (size_t f = 0; f < families; f++) {
        mu_source_free(&sources[f]);
    }
    return code;
}
