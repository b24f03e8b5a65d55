/* Files made to break a reader, through the built program: each is refused by one line that says
 * why, in little memory, and nothing hangs. make-hostile writes the files. */
#include "base/thread_sanitizer.h"
#include "engine/gguf/gguf.h"
#include "engine/model/model.h"
#include "engine/tokenizer/tokenizer.h"
#include "tests/support/program.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <time.h>

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define TEST_SHADOW 1
#endif
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(TS_THREAD_SANITIZER)
#define TEST_SHADOW 1
#endif
#ifdef TS_THREAD_SANITIZER
#define TEST_STEP 61 /* slow, and about threads */
#else
#define TEST_STEP 1
#endif
#ifndef TEST_SHADOW
#define TEST_SHADOW 0 /* 1: a sanitizer maps terabytes, so that limits on memory mean nothing */
#endif

enum {
    MOST_MEMORY = 64 << 20,
    KILL_AFTER = 60, /* seconds; a hang is what this finds, not a busy machine */
    MOST_ARGUMENTS = 24
};

struct outcome {
    int code; /* 128 + signal if one ended it */
    double seconds;
    long peak; /* bytes of resident memory */
    char text[8192];
};

/* The child: standard error and output into the pipe, then the program. */
static void become(char **arguments, int out)
{
    if (!TEST_SHADOW) {
        setrlimit(RLIMIT_DATA, &(struct rlimit){MOST_MEMORY, MOST_MEMORY});
    }
    setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
    alarm(KILL_AFTER);
    int null = open("/dev/null", O_RDONLY);
    dup2(null, STDIN_FILENO);
    dup2(out, STDOUT_FILENO);
    dup2(out, STDERR_FILENO);
    execv(arguments[0], arguments);
    _exit(126);
}

/* Runs touchstone with the words of a line; @ before a word stands for the folder, ~ for a space,
 * and '' for an empty word. */
static void run_limited(const char *line, const char *folder, struct outcome *outcome)
{
    char words[1024], expanded[MOST_ARGUMENTS][256], program[256], *rest = NULL;
    char *arguments[MOST_ARGUMENTS + 1] = {program};
    int count = 1, pipes[2], status = 0;
    struct timespec start, end;
    struct rusage usage;
    snprintf(program, sizeof program, "%s/touchstone", test_build());
    snprintf(words, sizeof words, "%s", line);
    for (char *word = strtok_r(words, " ", &rest); word && count < MOST_ARGUMENTS;
         word = strtok_r(NULL, " ", &rest), count++) {
        bool inside = word[0] == '@';
        snprintf(expanded[count], sizeof expanded[count], "%s%s", inside ? folder : "",
                 strcmp(word, "''") == 0 ? "" : word + inside);
        for (char *at = expanded[count]; *at; at++) {
            *at = *at == '~' ? ' ' : *at;
        }
        arguments[count] = expanded[count];
    }
    cr_assert_eq(pipe(pipes), 0);
    clock_gettime(CLOCK_MONOTONIC, &start);
    pid_t child = fork();
    cr_assert(child >= 0, "no process");
    if (child == 0) {
        become(arguments, pipes[1]);
    }
    close(pipes[1]);
    size_t length = 0;
    char dropped[4096];
    for (ssize_t got = 1; got > 0;) {
        size_t room = sizeof outcome->text - 1 - length;
        got = room ? read(pipes[0], outcome->text + length, room)
                   : read(pipes[0], dropped, sizeof dropped);
        length += room && got > 0 ? (size_t)got : 0;
    }
    outcome->text[length] = '\0';
    close(pipes[0]);
    cr_assert_eq(wait4(child, &status, 0, &usage), child);
    clock_gettime(CLOCK_MONOTONIC, &end);
    outcome->code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    outcome->seconds =
        (double)(end.tv_sec - start.tv_sec) + (double)(end.tv_nsec - start.tv_nsec) / 1e9;
#ifdef __APPLE__
    outcome->peak = usage.ru_maxrss;
#else
    outcome->peak = usage.ru_maxrss * 1024;
#endif
}

static struct test_path make_files(void)
{
    char output[512];
    struct test_path folder = test_path("hostile");
    int code = test_run(output, sizeof output, "make-hostile %s", folder.text);
    cr_assert_eq(code, 0, "make-hostile: %s", output);
    return folder;
}

static void remove_files(const struct test_path *folder)
{
    char command[160];
    snprintf(command, sizeof command, "rm -rf %s", folder->text);
    cr_expect_eq(system(command), 0);
}

/* Exactly one line begins with "touchstone: ", and it has the expected words. */
static void expect_one_error(const char *line, const char *expected, const struct outcome *outcome)
{
    static const char begin[] = "touchstone: ";
    unsigned errors = 0;
    for (const char *at = outcome->text; (at = strstr(at, begin)); at++) {
        errors += at == outcome->text || at[-1] == '\n';
    }
    cr_expect_eq(errors, 1, "%s: %u error lines: %s", line, errors, outcome->text);
    cr_expect(strstr(outcome->text, expected), "%s: expected '%s' in: %s", line, expected,
              outcome->text);
    for (const char *at = outcome->text; *at; at++) {
        cr_expect(*at == '\n' || (unsigned char)*at >= 32, "%s: a control character: %s", line,
                  outcome->text);
    }
}

Test(hostile, files_are_refused)
{
    struct test_path folder = make_files();
    char path[160], line[1024];
    unsigned cases = 0, accepted = 0;
    double slowest = 0;
    long largest = 0;
    static struct outcome outcome;
    snprintf(path, sizeof path, "%s/expected.tsv", folder.text);
    FILE *list = fopen(path, "rb");
    cr_assert(list != NULL, "%s", path);
    while (fgets(line, sizeof line, list)) {
        char *code = strchr(line, '\t');
        cr_assert(code != NULL, "%s", line);
        *code++ = '\0';
        char *expected = strchr(code, '\t');
        cr_assert(expected != NULL, "%s", line);
        *expected++ = '\0';
        expected[strcspn(expected, "\n")] = '\0';
        run_limited(line, folder.text, &outcome);
        cr_expect_eq(outcome.code, atoi(code), "%s: exit code %d, expected %s: %s", line,
                     outcome.code, code, outcome.text);
        if (atoi(code) != 0 && strcmp(expected, "FAIL") != 0) {
            expect_one_error(line, expected, &outcome);
        }
        cr_expect(TEST_SHADOW || outcome.peak <= MOST_MEMORY, "%s: %ld bytes", line, outcome.peak);
        slowest = outcome.seconds > slowest ? outcome.seconds : slowest;
        largest = outcome.peak > largest ? outcome.peak : largest;
        accepted += atoi(code) == 0;
        cases++;
    }
    fclose(list);
    remove_files(&folder);
    cr_log_info("%u files refused, %u accepted; slowest %.3f s, largest %ld KiB\n",
                cases - accepted, accepted, slowest, largest / 1024);
    cr_expect(cases - accepted > 200 && accepted >= 10, "%u and %u", cases - accepted, accepted);
}

static uint8_t *read_whole(const char *path, size_t *length)
{
    long long size = test_file_size(path);
    FILE *file = fopen(path, "rb");
    cr_assert(file && size > 0 && size < 65536, "%s: %lld bytes", path, size);
    uint8_t *data = malloc((size_t)size);
    cr_assert(data && fread(data, 1, (size_t)size, file) == (size_t)size, "%s", path);
    fclose(file);
    *length = (size_t)size;
    return data;
}

/* What opening a model looks at, without its path. */
static bool opens(const uint8_t *data, size_t length, struct ts_error *error)
{
    struct ts_gguf *gguf = ts_gguf_open_memory("cut", data, length, error);
    struct ts_model *model = gguf ? ts_model_bind(gguf, error) : NULL;
    struct ts_tokenizer *tokenizer = model ? ts_tokenizer_open(model->gguf, error) : NULL;
    bool ok = tokenizer != NULL;
    ts_tokenizer_close(tokenizer);
    ts_model_close(model);
    return ok;
}

/* Every length, each in memory of exactly that length. */
Test(hostile, files_cut_anywhere_are_refused)
{
    struct test_path folder = make_files();
    for (int number = 0; number < 3; number++) {
        char path[160];
        size_t length = 0;
        struct ts_error error = {.code = TS_OK};
        snprintf(path, sizeof path, "%s/sound-%d.gguf", folder.text, number);
        uint8_t *whole = read_whole(path, &length);
        cr_assert(opens(whole, length, &error), "%s: %s", path, error.message);
        for (size_t cut = 0; cut < length; cut += TEST_STEP) {
            uint8_t *part = malloc(cut ? cut : 1);
            cr_assert(part != NULL);
            memcpy(part, whole, cut);
            error = (struct ts_error){.code = TS_OK};
            cr_expect(!opens(part, cut, &error), "%s: accepted with %zu of %zu bytes", path, cut,
                      length);
            cr_expect(error.code == TS_ERR_INPUT && strncmp(error.message, "cut: offset ", 12) == 0,
                      "%s with %zu bytes: %s", path, cut, error.message);
            free(part);
        }
        cr_log_info("%s: the lengths below %zu refused, step %d\n", path, length, TEST_STEP);
        free(whole);
    }
    remove_files(&folder);
}

/* Every byte of the directory changed, one at a time, three ways: nothing but refusals and sound
 * models may come of it (sanitizers see the rest). */
Test(hostile, changed_bytes_do_no_harm)
{
    static const uint8_t flips[] = {0x01, 0x80, 0xff};
    struct test_path folder = make_files();
    char path[160];
    size_t length = 0;
    unsigned refused = 0, accepted = 0;
    snprintf(path, sizeof path, "%s/sound-0.gguf", folder.text);
    uint8_t *data = read_whole(path, &length);
    struct ts_error error = {.code = TS_OK};
    struct ts_gguf *gguf = ts_gguf_open_memory("sound", data, length, &error);
    cr_assert(gguf != NULL, "%s", error.message);
    uint64_t end = gguf->data_offset;
    ts_gguf_close(gguf);
    for (uint64_t at = 0; at < end; at += TEST_STEP) {
        for (size_t i = 0; i < sizeof flips; i++) {
            data[at] ^= flips[i];
            error = (struct ts_error){.code = TS_OK};
            bool ok = opens(data, length, &error);
            cr_expect(ok || error.message[0], "offset %llu: no message", (unsigned long long)at);
            cr_expect(ok || error.code == TS_ERR_INPUT, "offset %llu: %s", (unsigned long long)at,
                      error.message);
            accepted += ok;
            refused += !ok;
            data[at] ^= flips[i];
        }
    }
    free(data);
    remove_files(&folder);
    cr_log_info("%u changes refused, %u accepted\n", refused, accepted);
    cr_expect(refused > accepted / 2 && accepted > 100 / TEST_STEP, "%u refused, %u accepted",
              refused, accepted);
}

static const char *const no_whole_numbers[] = {
    "''",
    "~",
    "-1",
    "+1",
    "1x",
    "1~",
    "~1",
    "\t1",
    "0x10",
    "0b1",
    "1e1",
    "1.",
    "1.0",
    ".5",
    "1;5",
    "1_0",
    "--1",
    "nan",
    "inf",
    "one",
    "99999999999999999999",
    "18446744073709551616",
    "-18446744073709551615",
};
static const char *const no_real_numbers[] = {
    "''",  "~",    "-1",  "1x",    "1~",       "~1",  "0x1p1", "0x1",   "1e999", "1e",
    "nan", "-nan", "inf", "1.2.3", "infinity", "one", "1;5",   "1e400", "--1",   "NAN(1)",
};

/* Options of verbs that want a number: a whole one, or any. */
static const struct {
    const char *line;
    bool real;
} numbers[] = {
    {"run -m @/sound-0.gguf -p ab -n", false},
    {"run -m @/sound-0.gguf -p ab --ctx", false},
    {"run -m @/sound-0.gguf -p ab --chunk", false},
    {"run -m @/sound-0.gguf -p ab --threads", false},
    {"run -m @/sound-0.gguf -p ab --seed", false},
    {"run -m @/sound-0.gguf -p ab --top-k", false},
    {"run -m @/sound-0.gguf -p ab --top-logprobs", false},
    {"run -m @/sound-0.gguf -n 0 --ids", false},
    {"run -m @/sound-0.gguf -p ab --temp", true},
    {"run -m @/sound-0.gguf -p ab --top-p", true},
    {"run -m @/sound-0.gguf -p ab --min-p", true},
    {"bench -m @/sound-0.gguf --out @/bench --prompt", false},
    {"bench -m @/sound-0.gguf --out @/bench --gen", false},
    {"bench -m @/sound-0.gguf --out @/bench --reps", false},
    {"bench -m @/sound-0.gguf --out @/bench --seed", false},
    {"bench -m @/sound-0.gguf --out @/bench --threads", false},
    {"bench -m @/sound-0.gguf --out @/bench --chunk", false},
    {"bench -m @/sound-0.gguf --out @/bench --max-seconds", true},
    {"check -m @/sound-0.gguf --trace @/sound.trace.gguf --chunk", false},
    {"check -m @/sound-0.gguf --trace @/sound.trace.gguf --threads", false},
    {"check -m @/sound-0.gguf --trace @/sound.trace.gguf --seed", false},
    {"check -m @/sound-0.gguf --trace @/sound.trace.gguf --noise", true},
    {"inspect @/sound-0.gguf --ctx", false},
};

Test(hostile, texts_are_no_numbers)
{
    enum {
        WHOLE = sizeof no_whole_numbers / sizeof no_whole_numbers[0],
        REAL = sizeof no_real_numbers / sizeof no_real_numbers[0]
    };
    struct test_path folder = make_files();
    static struct outcome outcome;
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        const char *const *texts = numbers[i].real ? no_real_numbers : no_whole_numbers;
        for (int k = 0; k < (numbers[i].real ? REAL : WHOLE); k++) {
            char line[256];
            if (strstr(numbers[i].line, "--ids") && strpbrk(texts[k], "~\t")) {
                continue; /* spaces separate ids */
            }
            snprintf(line, sizeof line, "%s %s", numbers[i].line, texts[k]);
            run_limited(line, folder.text, &outcome);
            cr_expect_eq(outcome.code, 2, "%s: exit code %d: %s", line, outcome.code, outcome.text);
            expect_one_error(line, "", &outcome);
        }
    }
    remove_files(&folder);
}

/* Waits until somebody reads the pipe; -1 after KILL_AFTER seconds. */
static int open_for_reader(const char *path)
{
    int pipe = -1;
    for (int i = 0; pipe < 0 && i < KILL_AFTER * 100; i++) {
        pipe = open(path, O_WRONLY | O_NONBLOCK);
        if (pipe < 0) {
            nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);
        }
    }
    return pipe;
}

struct feeder {
    char prompt[128], model[128];
};

/* In a process of its own: the prompt comes when the model is open, and cut in the meantime. */
static void cut_and_feed(const struct feeder *feeder)
{
    int pipe = open_for_reader(feeder->prompt);
    bool ok = pipe >= 0 && truncate(feeder->model, 4096) == 0 && write(pipe, "ab", 2) == 2;
    _exit(ok ? 0 : 1);
}

Test(hostile, file_that_shrinks_while_mapped)
{
    struct test_path folder = make_files();
    struct feeder feeder;
    static struct outcome outcome;
    int status = 0;
    snprintf(feeder.prompt, sizeof feeder.prompt, "%s/prompt", folder.text);
    snprintf(feeder.model, sizeof feeder.model, "%s/sound-0.gguf", folder.text);
    cr_assert_eq(mkfifo(feeder.prompt, 0600), 0);
    pid_t child = fork();
    cr_assert(child >= 0);
    if (child == 0) {
        cut_and_feed(&feeder);
    }
    run_limited("run -m @/sound-0.gguf -f @/prompt -n 1 --ctx 16", folder.text, &outcome);
    cr_assert_eq(waitpid(child, &status, 0), child);
    cr_expect(WIFEXITED(status) && WEXITSTATUS(status) == 0, "the file was not cut");
    cr_expect_eq(outcome.code, 2, "exit code %d: %s", outcome.code, outcome.text);
    expect_one_error("a file that shrinks", "has become shorter while it was in use", &outcome);
#ifdef __linux__
    cr_expect(strstr(outcome.text, "/sound-0.gguf: offset "), "%s", outcome.text);
#endif
    cr_log_info("%s", outcome.text);
    remove_files(&folder);
}
