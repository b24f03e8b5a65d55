/* The strict lint of Metal code: each rule has a file that it must refuse, in the lines that say so
 * with `// finds: rule...` (or, on the line before, `// finds below: rule`), and one that must pass
 * without a word. */
#include <criterion/criterion.h>
#include <criterion/hooks.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define DATA TESTS "/lint"

enum { MAX_FINDINGS = 64, MAX_LINE = 1024 };

struct finding {
    char file[128], rule[32];
    int line;
};

struct findings {
    struct finding list[MAX_FINDINGS];
    int count;
};

static const char *build_dir(void)
{
    const char *dir = getenv("TS_BUILD");
    return dir && *dir ? dir : "build";
}

static const char *compiler(void)
{
    const char *name = getenv("SOFTMETAL_CXX");
    return name && *name ? name : "clang++-19";
}

/* Runs the lint: its status, and what it printed, at most `size` bytes. */
static int run_lint(const char *arguments, char *out, size_t size)
{
    char command[1024];
    snprintf(command, sizeof command, "%s/softmetal lint %s", build_dir(), arguments);
    FILE *pipe = popen(command, "r");
    cr_assert(pipe != NULL);
    size_t n = fread(out, 1, size - 1, pipe);
    out[n] = '\0';
    int status = pclose(pipe);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void add(struct findings *f, const char *file, int line, const char *rule)
{
    cr_assert(f->count < MAX_FINDINGS);
    struct finding *made = &f->list[f->count++];
    snprintf(made->file, sizeof made->file, "%s", file);
    snprintf(made->rule, sizeof made->rule, "%s", rule);
    made->line = line;
}

static void read_marks(const char *file, struct findings *want);

/* `#include "name"` of a file in include/ brings that file's own marks. */
static void read_line_marks(const char *file, int line, char *text, struct findings *want)
{
    char *name = strstr(text, "#include \""), path[256];
    if (name == text) {
        name += strlen("#include \"");
        snprintf(path, sizeof path, DATA "/include/%.*s", (int)strcspn(name, "\""), name);
        read_marks(path, want);
    }
    char *mark = strstr(text, "// finds");
    if (!mark) {
        return;
    }
    mark += strlen("// finds");
    bool below = strncmp(mark, " below", 6) == 0;
    mark += below ? 6 : 0;
    if (*mark != ':') {
        return;
    }
    for (char *rule = strtok(mark + 1, " \n"); rule; rule = strtok(NULL, " \n")) {
        add(want, file, line + below, rule);
    }
}

static void read_marks(const char *file, struct findings *want)
{
    char text[MAX_LINE];
    FILE *in = fopen(file, "r");
    cr_assert(in != NULL, "%s", file);
    for (int line = 1; fgets(text, sizeof text, in); line++) {
        read_line_marks(file, line, text, want);
    }
    fclose(in);
}

/* Reads `file:line: rule: message` lines. */
static void read_output(char *out, struct findings *got)
{
    for (char *line = strtok(out, "\n"); line; line = strtok(NULL, "\n")) {
        char file[128], rule[32];
        int number;
        cr_assert(sscanf(line, "%127[^:]:%d: %31[^:]:", file, &number, rule) == 3, "%s", line);
        add(got, file, number, rule);
    }
}

static int order(const void *a, const void *b)
{
    const struct finding *x = a, *y = b;
    int by_file = strcmp(x->file, y->file);
    if (by_file != 0 || x->line != y->line) {
        return by_file != 0 ? by_file : x->line - y->line;
    }
    return strcmp(x->rule, y->rule);
}

static void expect_in(const struct findings *these, const struct findings *those, const char *what)
{
    bool used[MAX_FINDINGS] = {false};
    for (int i = 0; i < these->count; i++) {
        int k = 0;
        while (k < those->count && (used[k] || order(&these->list[i], &those->list[k]) != 0)) {
            k++;
        }
        cr_expect(k < those->count, "%s: %s:%d: %s", what, these->list[i].file, these->list[i].line,
                  these->list[i].rule);
        if (k < those->count) {
            used[k] = true;
        }
    }
}

static bool is_bad(const char *file)
{
    return strstr(file, "-bad.metal") != NULL;
}

Test(softmetal_lint, every_file_gives_the_findings_it_is_marked_with)
{
    glob_t files;
    char command[512], out[16384];
    cr_assert(glob(DATA "/*.metal", 0, NULL, &files) == 0);
    cr_assert(files.gl_pathc >= 38, "%zu files", files.gl_pathc);
    for (size_t i = 0; i < files.gl_pathc; i++) {
        const char *file = files.gl_pathv[i];
        struct findings want = {.count = 0}, got = {.count = 0};
        snprintf(command, sizeof command, "-I " DATA "/include %s %s", file,
                 is_bad(file) ? "2>/dev/null" : "--unchecked 2>&1");
        int status = run_lint(command, out, sizeof out);
        cr_expect(status == (is_bad(file) ? 1 : 0), "%s: exit %d", file, status);
        read_marks(file, &want);
        cr_expect(is_bad(file) == (want.count > 0), "%s: %d marks", file, want.count);
        read_output(out, &got);
        expect_in(&want, &got, "not found");
        expect_in(&got, &want, "found for nothing");
    }
    globfree(&files);
}

/* A file whose marks were lost would pass as a file that is refused for nothing: each pair must be
 * there, and each rule must be found in the file of its name. */
Test(softmetal_lint, every_rule_has_a_pair_of_files)
{
    static const char *const rules[] = {
        "address-space", "allocation", "array-size",      "buffers",       "c++14",
        "double",        "exception",  "fast-math",       "goto",          "kernel-result",
        "lambda",        "layout",     "pointer",         "program-scope", "recursion",
        "thread-local",  "virtual",    "standard-header",
    };
    for (size_t i = 0; i < sizeof rules / sizeof rules[0]; i++) {
        char good[128], bad[128];
        snprintf(good, sizeof good, DATA "/%s-good.metal", rules[i]);
        snprintf(bad, sizeof bad, DATA "/%s-bad.metal", rules[i]);
        struct findings want = {.count = 0};
        read_marks(bad, &want);
        int named = 0;
        for (int k = 0; k < want.count; k++) {
            named += strcmp(want.list[k].rule, rules[i]) == 0;
        }
        cr_expect(named > 0, "%s: no line that %s refuses", bad, rules[i]);
        cr_expect(access(good, R_OK) == 0, "%s", good);
    }
}

Test(softmetal_lint, command_line)
{
    static const struct {
        const char *arguments;
        int status;
        const char *part; /* of the output */
    } cases[] = {
        {"2>&1", 2, "usage: softmetal lint"},
        {"--wrong x.metal 2>&1", 2, "usage"},
        {"-I 2>&1", 2, "usage"},
        {DATA "/nowhere.metal 2>&1", 1, "nowhere.metal: cannot be read"},
        {DATA "/layout-good.metal 2>&1", 1, "layout-good.metal:3: preprocess: 'shared.h' file not"},
        {"-I" DATA "/include " DATA "/layout-good.metal 2>&1", 0, ""},
        {DATA "/several-good.metal 2>&1", 0, ""},
        {"-D HOST " DATA "/several-good.metal 2>/dev/null", 1, "several-good.metal:9: double"},
        {"-DHOST=1 " DATA "/several-good.metal 2>/dev/null", 1, "several-good.metal:9: pointer"},
        {DATA "/goto-good.metal " DATA "/goto-bad.metal " DATA "/virtual-bad.metal 2>/dev/null", 1,
         "virtual-bad.metal:5: virtual"},
        {"--unchecked " DATA "/exception-bad.metal 2>&1 >/dev/null", 1, "unchecked: cannot use"},
        {DATA "/exception-bad.metal 2>&1 >/dev/null", 1, "did not understand"},
    };
    char out[16384], command[512];
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        int status = run_lint(cases[i].arguments, out, sizeof out);
        cr_expect(status == cases[i].status, "%s: exit %d: %s", cases[i].arguments, status, out);
        cr_expect(strstr(out, cases[i].part) != NULL, "%s: %s", cases[i].arguments, out);
        cr_expect(status != 0 || *out == '\0', "%s: %s", cases[i].arguments, out);
    }
    snprintf(command, sizeof command,
             "SOFTMETAL_CXX=no-such-compiler %s/softmetal lint %s/goto-good.metal >/dev/null 2>&1",
             build_dir(), DATA);
    cr_expect(system(command) != 0, "a compiler that is not there must not pass");
}

/* What a compiler had read when it crashed is no answer. */
Test(softmetal_lint, crash_of_the_front_end)
{
    char script[256], command[1024], out[1024];
    snprintf(command, sizeof command, "mkdir -p %s/tmp", build_dir());
    cr_assert(system(command) == 0);
    snprintf(script, sizeof script, "%s/tmp/softmetal-lint-%d.sh", build_dir(), (int)getpid());
    FILE *file = fopen(script, "w");
    cr_assert(file != NULL, "%s", script);
    fprintf(file, "#!/bin/sh\nfor a; do [ \"$a\" = -E ] && exec %s \"$@\"; done\nkill -SEGV $$\n",
            compiler());
    fclose(file);
    snprintf(command, sizeof command,
             "chmod +x %s && SOFTMETAL_CXX=$PWD/%s %s/softmetal lint %s/goto-good.metal 2>&1",
             script, script, build_dir(), DATA);
    if (*script == '/') {
        snprintf(command, sizeof command,
                 "chmod +x %s && SOFTMETAL_CXX=%s %s/softmetal lint %s/goto-good.metal 2>&1",
                 script, script, build_dir(), DATA);
    }
    FILE *pipe = popen(command, "r");
    cr_assert(pipe != NULL);
    size_t n = fread(out, 1, sizeof out - 1, pipe);
    out[n] = '\0';
    int status = pclose(pipe);
    remove(script);
    cr_expect(WIFEXITED(status) && WEXITSTATUS(status) == 1, "status %d", status);
    cr_expect(strstr(out, "goto-good.metal: not read to its end") != NULL, "%s", out);
}
