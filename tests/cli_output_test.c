/* Output that could not be written is exit code 4 and one line, whatever prints it. */
#include "base/text.h"
#include "tests/support/program.h"

#include <fcntl.h>
#include <signal.h>

#define TINY "tests/data/tiny-q2.gguf"

/* Everything that prints to standard output, and nothing that takes long. */
static const char *const commands[] = {
    "touchstone --help",
    "touchstone --version",
    "touchstone help",
    "touchstone help check",
    "touchstone run --help",
    "touchstone run -m " TINY " -p ab -n 2",
    "touchstone run -m " TINY " -p ab -n 2 --json",
    "touchstone inspect --help",
    "touchstone inspect " TINY,
    "touchstone inspect --json " TINY,
    "touchstone tokenize --help",
    "touchstone tokenize -m " TINY " -p ab",
    "touchstone tokenize -m " TINY " --decode -p 509",
    "touchstone tokenize -m tests/data/vocab.gguf --vectors tests/data/vectors.jsonl",
    "touchstone prompt --help",
    "touchstone prompt build/tmp/cli_output.json",
    "touchstone prompt -m " TINY " build/tmp/cli_output.json",
    "touchstone check --help",
    "touchstone check --list",
    "touchstone check --golden tests/data/ops.gguf",
    "touchstone check --golden tests/data/ops.gguf --json",
    "touchstone bench --help",
    "touchstone bench -m " TINY " --prompt 8 --dry-run",
    "touchstone env --help",
    "touchstone env",
    "touchstone report --help",
    "make-model --help",
    "make-model --geometry tiny --sparse -o build/tmp/cli_output.gguf",
    "make-hostile --help",
};

static void write_messages(void)
{
    test_path("");
    FILE *file = fopen("build/tmp/cli_output.json", "w");
    cr_assert(file != NULL);
    fputs("[{\"role\":\"user\",\"content\":\"Hi\"}]", file);
    fclose(file);
}

/* `where` is a redirection of standard output; standard error comes back through the pipe. */
static void expect_lost(const char *command, const char *where, const char *reason)
{
    static char errors[1 << 14];
    int code = test_run(errors, sizeof errors, "%s 2>&1 %s", command, where);
    const char *told = strstr(errors, ": standard output: ");
    cr_expect(code == 4 && told && strstr(told + 1, ": standard output: ") == NULL,
              "%s %s: exit %d: %s", command, where, code, errors);
    cr_expect(!told || !reason || strstr(told, reason) || strstr(told, "not everything"),
              "%s %s: %s", command, where, errors);
}

Test(cli_output, lost_output_is_told)
{
    write_messages();
    bool full = access("/dev/full", W_OK) == 0; /* Linux has one */
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++) {
        expect_lost(commands[i], ">&-", "is closed");
        if (full) {
            expect_lost(commands[i], ">/dev/full", "No space left");
        }
    }
    remove("build/tmp/cli_output.json");
    remove("build/tmp/cli_output.gguf");
}

/* A run's folder is complete and its last words are lost: that is told, too. */
Test(cli_output, bench_and_report_write_all_the_same)
{
    static const char *const ways[] = {">&-", "| true"};
    for (size_t i = 0; i < 2; i++) {
        struct test_path out = test_path(i == 0 ? "bench-closed" : "bench-piped");
        char text[4096];
        struct test_path errors = test_path("errors");
        int code =
            test_run(text, sizeof text,
                     "touchstone bench -m " TINY " --prompt 4 --gen 2 --reps 1 --out %s 2>%s %s",
                     out.text, errors.text, ways[i]);
        cr_expect_eq(code, i == 0 ? 4 : 0, "%s: exit %d", ways[i], code); /* the pipe's is true's */
        char file[256];
        snprintf(file, sizeof file, "%s/report.html", out.text);
        cr_expect(test_file_size(file) > 0, "%s: no report", ways[i]);
        cr_expect_eq(test_run(text, sizeof text, "touchstone report %s 2>&1 >&-", out.text), 4);
        cr_expect_eq(test_run(text, sizeof text, "touchstone report -t %s 2>&1 >&-", out.text), 4);
        snprintf(file, sizeof file, "rm -rf %s %s", out.text, errors.text);
        cr_expect_eq(system(file), 0);
    }
}

/* A file of the user's must not take the place of a closed standard output. */
Test(cli_output, closed_output_is_no_place_for_files)
{
    struct test_path dump = test_path("dump");
    char text[4096], closed[4096];
    cr_expect_eq(test_run(text, sizeof text,
                          "touchstone run -m " TINY " -p ab -n 3 --dump-logits %s 2>&1 >&-",
                          dump.text),
                 4);
    cr_expect(test_file_size(dump.text) < 0, "a dump of a run that failed");
    cr_expect_eq(test_run(text, sizeof text, "touchstone inspect " TINY), 0);
    cr_expect_eq(test_run(closed, sizeof closed, "touchstone inspect " TINY " <&-"), 0);
    cr_expect_str_eq(text, closed);
    cr_expect_eq(test_run(closed, sizeof closed, "touchstone tokenize -m " TINY " <&-"), 2);
    cr_expect(strstr(closed, "standard input: ") != NULL, "%s", closed);
}

/* Runs `touchstone VERB ...` with nobody at the other end of its output. Returns what waitpid says. */
static int run_unread(char *const *arguments, bool ignore)
{
    int ends[2], status = 0;
    char program[256];
    snprintf(program, sizeof program, "%s/touchstone", test_build());
    cr_assert_eq(pipe(ends), 0);
    close(ends[0]);
    pid_t child = fork();
    if (child == 0) {
        signal(SIGPIPE, ignore ? SIG_IGN : SIG_DFL);
        dup2(ends[1], STDOUT_FILENO);
        int null = open("/dev/null", O_WRONLY);
        dup2(null, STDERR_FILENO);
        execv(program, arguments);
        _exit(126);
    }
    close(ends[1]);
    cr_assert_eq(waitpid(child, &status, 0), child);
    return status;
}

/* A reader that goes away ends the program, and not with 0. */
Test(cli_output, reader_goes_away)
{
    char *list[] = {"touchstone", "check", "--list", NULL};
    int status = run_unread(list, false);
    cr_expect(WIFSIGNALED(status) && WTERMSIG(status) == SIGPIPE, "status %d", status);
    status = run_unread(list, true); /* as under a parent that ignores the signal */
    cr_expect(WIFEXITED(status) && WEXITSTATUS(status) == 4, "status %d", status);
}

static void expect_utf8(const char *path)
{
    static char text[1 << 20];
    FILE *file = fopen(path, "rb");
    cr_assert(file != NULL, "%s", path);
    size_t length = fread(text, 1, sizeof text - 1, file), at = 0;
    fclose(file);
    text[length] = '\0';
    cr_expect(strstr(text, "\xEF\xBF\xBD") != NULL, "%s: no U+FFFD", path);
    for (int bytes = 1; at < length && bytes > 0; at += (size_t)bytes) {
        bytes = ts_utf8_sequence((const uint8_t *)text + at, length - at);
    }
    cr_expect_eq(at, length, "%s: byte %zu is no UTF-8", path, at);
}

/* A name of a file is any bytes; JSON is UTF-8. */
Test(cli_output, names_that_are_no_utf8)
{
    struct test_path json = test_path("json"), out = test_path("utf8-run");
    char model[160], command[600], text[4096];
    snprintf(model, sizeof model, "build/tmp/%d-a\377b.gguf", (int)getpid());
    snprintf(command, sizeof command,
             "cp " TINY " '%s' 2>/dev/null && cp tests/data/tiny-q2.trace.gguf '%s.trace'", model,
             model);
    if (system(command) != 0) {
        return; /* macOS takes no such names */
    }
    cr_expect_eq(test_run(text, sizeof text, "touchstone run -m '%s' -p a -n 1 --json >%s 2>&1",
                          model, json.text),
                 0);
    expect_utf8(json.text);
    cr_expect_eq(test_run(text, sizeof text,
                          "touchstone check -m " TINY " --trace '%s.trace' --json >%s 2>/dev/null",
                          model, json.text),
                 0);
    expect_utf8(json.text);
    cr_expect_eq(test_run(text, sizeof text,
                          "touchstone bench -m '%s' --prompt 4 --gen 2 --reps 1 --out %s", model,
                          out.text),
                 0, "%s", text);
    static const char *const names[] = {"runs.jsonl", "samples.jsonl", "environment.json"};
    for (size_t i = 0; i < 3; i++) {
        snprintf(command, sizeof command, "%s/%s", out.text, names[i]);
        expect_utf8(command);
    }
    snprintf(command, sizeof command, "rm -rf '%s' '%s.trace' %s %s", model, model, json.text,
             out.text);
    cr_expect_eq(system(command), 0);
}

/* make bench MODEL=: what reaches touchstone, which a script stands in for. */
Test(cli_output, models_with_spaces)
{
    static const struct {
        const char *model, *arguments;
        int code;
    } cases[] = {
        {"a.gguf b.gguf", "[-m][a.gguf][-m][b.gguf]", 0},
        {"\"My Disk/a b.gguf\" c.gguf", "[-m][My Disk/a b.gguf][-m][c.gguf]", 0},
        {"'My Disk/a b.gguf'", "[-m][My Disk/a b.gguf]", 0},
        {"My\\ Disk/a\\ b.gguf c.gguf", "[-m][My Disk/a b.gguf][-m][c.gguf]", 0},
        {"$(touch x) * ?", "[-m][$(touch][-m][x)][-m][*][-m][?]", 0},
        {"\"a", "a quote is open", 2},
    };
    struct test_path folder = test_path("stand-in");
    char text[4096], path[128];
    snprintf(path, sizeof path, "%s/touchstone", folder.text);
    cr_assert_eq(mkdir(folder.text, 0777), 0);
    FILE *script = fopen(path, "w");
    cr_assert(script != NULL);
    fputs("#!/bin/sh\nfor word; do printf '[%s]' \"$word\"; done\n", script);
    fclose(script);
    chmod(path, 0755);
    setenv("BUILD", folder.text, 1);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        setenv("MODEL", cases[i].model, 1);
        int code = test_run(text, sizeof text, "touchstone -V >/dev/null; tools/bench.sh 2>&1");
        cr_expect(code == cases[i].code && strstr(text, cases[i].arguments), "%s: exit %d: %s",
                  cases[i].model, code, text);
    }
    remove(path);
    rmdir(folder.text);
}
