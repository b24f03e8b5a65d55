/* The command line of mutate-c. */
#include "tools/mutate/c/c.h"

#include "base/parse.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char help[] =
    "usage: mutate-c run [options] FOLDER...\n"
    "       mutate-c list [options] FOLDER...\n"
    "       mutate-c write [options] --id ID FOLDER...\n"
    "       mutate-c map FOLDER... < LINES\n\n"
    "Makes small mistakes in the C files below FOLDER, each of which a test suite must find. run:\n"
    "compiles each mistake that the seed chooses, and runs the suites that run its line, the "
    "quickest\n"
    "first. list: only names the mistakes. write: prints the file with one of them. map: from "
    "`path\n"
    "line` on standard input the places that tools/mutants-c-map.sh keeps of each suite.\n\n"
    "  --filter NAME      only of files of this name, path or folder; the count is of these\n"
    "  --seed N           which mistakes (default 1)\n"
    "  --count N          how many (default 150)\n"
    "  --jobs N           at a time (default 2)\n"
    "  --seconds N        suites that make one mutant take longer than this are not run (40)\n"
    "  --deadline N       seconds that a suite may take over five times what it usually takes "
    "(10)\n"
    "  --explained FILE   survivors that are no gap: id and reason, one a line\n"
    "  --folder DIR       for what is written meanwhile, removed (default build/mutants-c)\n"
    "  --map DIR          which suites run which lines (default build/coverage/map)\n"
    "  --build DIR        the objects of the suites (default build)\n"
    "  --compile COMMAND  of a C file, without -c, -o and the file\n"
    "  --link COMMAND     of a program, without -o and objects\n"
    "  --libraries WORDS  that a program is linked with\n"
    "  --tests WORDS      objects and libraries that suites need besides\n"
    "  --program NAME=OBJECTS   that suites run; may be given several times\n\n"
    "The last line is `N mutants, N killed, N explained, N unexplained`; what does not compile is\n"
    "not counted.\n"
    "exit codes: 0 none unexplained; 1 one is, or a suite fails as it is; 2 usage; 4 environment;\n"
    "  130 interrupted\n";

struct command {
    const char *verb, *id;
    const char *const *folders;
    struct mc_options options;
    bool help;
};

static bool read_program(struct mc_options *o, char *text, struct ts_error *error)
{
    size_t count = 0;
    char *equals = strchr(text, '=');
    while (o->programs[count]) {
        count++;
    }
    if (!equals || count == MC_MOST_PROGRAMS) {
        return ts_fail(error, TS_ERR_USAGE, NULL, "--program: expected NAME=OBJECTS, a few times");
    }
    *equals = '\0';
    o->programs[count] = text;
    o->objects[count] = equals + 1;
    return true;
}

static bool read_option(int option, struct command *c, char **argv, struct ts_error *error)
{
    struct mc_options *o = &c->options;
    switch (option) {
    case 'f': o->filter = optarg; return true;
    case 's': return ts_parse_u64("--seed", optarg, 0, UINT64_MAX, &o->seed, error);
    case 'c': return ts_parse_u64("--count", optarg, 0, 1000000, &o->count, error);
    case 'j': return ts_parse_u64("--jobs", optarg, 1, 256, &o->jobs, error);
    case 'n': return ts_parse_u64("--seconds", optarg, 1, 100000, &o->seconds, error);
    case 'D': return ts_parse_u64("--deadline", optarg, 1, 3600, &o->deadline, error);
    case 'e': o->explained = optarg; return true;
    case 'd': o->folder = optarg; return true;
    case 'm': o->map = optarg; return true;
    case 'b': o->build = optarg; return true;
    case 'C': o->compile = optarg; return true;
    case 'L': o->link = optarg; return true;
    case 'l': o->libraries = optarg; return true;
    case 't': o->tests = optarg; return true;
    case 'p': return read_program(o, optarg, error);
    case 'i': c->id = optarg; return true;
    case 'h': c->help = true; return true;
    default:
        return ts_fail(error, TS_ERR_USAGE, "see mutate-c --help",
                       "option unknown or without its value: %s", argv[optind - 1]);
    }
}

static bool read_command(int argc, char **argv, struct command *c, struct ts_error *error)
{
    static const struct option options[] = {
        {"filter", required_argument, NULL, 'f'},  {"seed", required_argument, NULL, 's'},
        {"count", required_argument, NULL, 'c'},   {"jobs", required_argument, NULL, 'j'},
        {"seconds", required_argument, NULL, 'n'}, {"explained", required_argument, NULL, 'e'},
        {"folder", required_argument, NULL, 'd'},  {"map", required_argument, NULL, 'm'},
        {"build", required_argument, NULL, 'b'},   {"compile", required_argument, NULL, 'C'},
        {"link", required_argument, NULL, 'L'},    {"libraries", required_argument, NULL, 'l'},
        {"tests", required_argument, NULL, 't'},   {"program", required_argument, NULL, 'p'},
        {"id", required_argument, NULL, 'i'},      {"deadline", required_argument, NULL, 'D'},
        {"help", no_argument, NULL, 'h'},          {NULL, 0, NULL, 0}};
    static const char *const verbs[] = {"run", "list", "write", "map"};
    c->options = (struct mc_options){.folder = "build/mutants-c",
                                     .build = "build",
                                     .map = "build/coverage/map",
                                     .compile = "cc -I.",
                                     .link = "cc",
                                     .libraries = "",
                                     .tests = "",
                                     .seed = 1,
                                     .count = 150,
                                     .jobs = 2,
                                     .deadline = 10,
                                     .seconds = 40};
    opterr = 0;
    for (int option; (option = getopt_long(argc, argv, "h", options, NULL)) != -1;) {
        if (!read_option(option, c, argv, error)) {
            return false;
        }
    }
    c->verb = optind < argc ? argv[optind] : "";
    c->folders = (const char *const *)(argv + optind + (optind < argc));
    bool known = false;
    for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++) {
        known = known || strcmp(c->verb, verbs[i]) == 0;
    }
    known = known && c->folders[0] && (c->id || strcmp(c->verb, "write") != 0);
    return c->help || known ||
           ts_fail(error, TS_ERR_USAGE, "see mutate-c --help",
                   "expected run, list, write --id ID or map, and folders");
}

bool mc_is_chosen(const char *filter, const char *path)
{
    const char *name = strrchr(path, '/') ? strrchr(path, '/') + 1 : path;
    if (!filter || strcmp(filter, path) == 0 || strcmp(filter, name) == 0) {
        return true;
    }
    size_t length = strlen(filter);
    bool folder = strncmp(path, filter, length) == 0 && path[length] == '/';
    return folder || (strncmp(name, filter, length) == 0 && strcmp(name + length, ".c") == 0);
}

/* The points of all files, then those of the seed; files that are not chosen keep what they know. */
static bool find_points(const struct command *c, struct mc_tree *tree, struct mc_tree *headers,
                        struct ts_error *error)
{
    struct mc_signatures signatures = {NULL, 0};
    bool all = strcmp(c->verb, "write") == 0;
    if (!mc_tree_read(headers, c->folders, ".h", error)) {
        return false;
    }
    for (size_t i = 0; i < headers->count; i++) {
        mc_signatures_add(&signatures, &headers->sources[i]);
    }
    for (size_t i = 0; i < tree->count; i++) {
        mc_signatures_add(&signatures, &tree->sources[i]);
    }
    for (size_t i = 0; i < tree->count; i++) {
        const char *slash = strrchr(tree->paths[i], '/');
        mc_source_points(&tree->sources[i], &signatures, slash ? slash + 1 : tree->paths[i]);
    }
    free(signatures.list);
    const char *filter = all ? NULL : c->options.filter;
    bool chosen[MC_MOST_FILES];
    for (size_t i = 0; i < tree->count; i++) {
        chosen[i] = mc_is_chosen(filter, tree->paths[i]);
    }
    mu_choose_any(tree->sources, tree->count, chosen, c->options.seed,
                  all ? SIZE_MAX : c->options.count);
    return true;
}

static int list(const struct mc_tree *tree)
{
    size_t count = 0;
    for (size_t f = 0; f < tree->count; f++) {
        const struct mu_source *s = &tree->sources[f];
        for (size_t i = 0; i < s->point_count; i++) {
            char text[512];
            mu_describe(s, &s->points[i], text, sizeof text);
            printf("%s %s %s\n", s->points[i].id, s->points[i].kind, text);
            count++;
        }
    }
    fprintf(stderr, "%zu mutants\n", count);
    return count > 0 ? 0 : 1;
}

static int write_one(const struct command *c, const struct mc_tree *tree)
{
    struct ts_error error;
    for (size_t f = 0; f < tree->count; f++) {
        const struct mu_source *s = &tree->sources[f];
        for (size_t i = 0; i < s->point_count; i++) {
            if (strcmp(s->points[i].id, c->id) == 0) {
                return mu_write(s, &s->points[i], "/dev/stdout", &error) ? 0 : ts_report(&error);
            }
        }
    }
    ts_fail(&error, TS_ERR_USAGE, "mutate-c list names them", "no mutant %s", c->id);
    return ts_report(&error);
}

int main(int argc, char **argv)
{
    static struct command c;
    struct mc_tree tree = {.count = 0}, headers = {.count = 0};
    struct ts_error error;
    int code = 0;
    if (!read_command(argc, argv, &c, &error)) {
        return ts_report(&error);
    }
    if (c.help) {
        fputs(help, stdout);
        return 0;
    }
    bool map = strcmp(c.verb, "map") == 0;
    bool ok = mc_tree_read(&tree, c.folders, ".c", &error) &&
              (map ? mc_print_places(&tree, &error) : find_points(&c, &tree, &headers, &error));
    if (!ok) {
        code = ts_report(&error);
    } else if (!map) {
        code = strcmp(c.verb, "run") == 0    ? mc_run(&c.options, &tree)
               : strcmp(c.verb, "list") == 0 ? list(&tree)
                                             : write_one(&c, &tree);
    }
    mc_tree_free(&tree);
    mc_tree_free(&headers);
    return code;
}
