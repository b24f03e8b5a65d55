/* The built program: exit codes, messages, what goes where. Most cases are lines of a table. */
#include "base/format.h"
#include "base/thread_sanitizer.h"
#include "engine/gguf/gguf.h"
#include "tests/support/program.h"

#include <cjson/cJSON.h>
#include <fcntl.h>
#include <math.h>
#include <signal.h>

#define TINY "tests/data/tiny-q2.gguf"
#define VOCAB "tests/data/vocab.gguf"
#define RUN "touchstone run -m " TINY " "

/* A command and what it must do. NULL: not looked at; "": must print nothing there. */
struct command {
    const char *line; /* behind $TS_BUILD/ ; no redirections but of input */
    int code;
    const char *output; /* contained in standard output */
    const char *errors; /* contained in standard error */
};

static const struct command commands[] = {
    {"touchstone", 2, "", "usage: touchstone VERB"},
    {"touchstone --help", 0, "  run ", ""},
    {"touchstone --version", 0, "touchstone 0.", ""},
    {"touchstone -V", 0, "touchstone 0.", ""},
    {"touchstone help", 0, "  run ", ""},
    {"touchstone help run", 0, "usage: touchstone run", ""},
    {"touchstone help rnu", 2, "", "did you mean 'run'?"},
    {"touchstone insect", 2, "", "unknown verb 'insect'; did you mean 'inspect'?"},
    {"touchstone frobnicate", 2, "", "unknown verb 'frobnicate'\n"},
    {"touchstone --frob", 2, "", "unknown verb '--frob'"},

    {"touchstone run --help", 0, "--no-bos", ""},
    {"touchstone run -h", 0, "exit codes:", ""},
    {"touchstone run", 2, "", "needs -m FILE"},
    {RUN "-p a --frob", 2, "", "option '--frob' is unknown"},
    {RUN "-p a -x", 2, "", "option '-x' is unknown"},
    {RUN "-p a -n", 2, "", "-n lacks its value: -n N"},
    {RUN "-p a --tokens", 2, "", "--tokens lacks its value: --tokens N"},
    {RUN "-p a --tokns 5", 2, "", "'--tokns' is unknown; did you mean '--tokens'?"},
    {RUN "-p a --tok=5", 2, "", "'--tok' is unknown; did you mean '--tokens'?"},
    {RUN "-p a --json=5", 2, "", "--json takes no value"},
    {RUN "-p a -p b", 2, "", "-p is given twice"},
    {RUN "-p a --prompt=b", 2, "", "--prompt is given twice"},
    {RUN "-p a -m b", 2, "", "-m is given twice"},
    {RUN "-pa -n0 --json --json", 0, "\"prompt_tokens\":2", ""},
    {RUN "-p=a -n0 --no-bos", 0, NULL, "prompt 2 tokens"},
    {RUN "-n0 -p -- -x", 2, "", "unknown"},
    {RUN "-n0 -p a -- -x", 2, "", "unexpected argument '-x'"},
    {RUN "-p a stray", 2, "", "unexpected argument 'stray'"},
    {RUN "-p a -n 3x", 2, "", "'3x' is not a whole number"},
    {RUN "-p a --temp -1", 2, "", "--temp: '-1' is not a number"},
    {RUN "-p a --temp nan", 2, "", "--temp: 'nan' is not a number"},
    {RUN "-p a --top-p 1.5", 2, "", "--top-p"},
    {RUN "-p a --kv-rounding maybe", 2, "", "neither on nor off"},
    {RUN "-p a --think", 2, "",
     "--think means nothing when a text is continued; it goes with --messages, --chat"},
    {RUN "-p a --no-think", 2, "", "--no-think means nothing when a text is continued"},
    {RUN "-p a --chat --think --no-think", 2, "", "--think and --no-think exclude each other"},
    {RUN "-p a --chat --no-bos", 2, "", "--no-bos means nothing with --chat"},
    {RUN "-p a -f Makefile", 2, "", "-p and -f exclude each other"},
    {RUN "--ids 1 --plain", 2, "", "--plain means nothing with --ids"},
    {RUN "-p a --device gpu", 2, "", "'gpu'"},
    {RUN "-p a --ctx 99999999", 2, "", "context of 99999999"},
    {RUN "-p a --ctx 0", 2, "", "--ctx"},
    {RUN "-p a --top-logprobs 513", 2, "", "more than the 512 tokens"},
    {RUN "-p ''", 2, "", "the prompt is empty"},
    {RUN "</dev/null", 2, "", "the prompt is empty"},
    {RUN "-f /dev/null --no-bos", 2, "", "the prompt is empty"},
    {RUN "--ids ''", 2, "", "the prompt is empty"},
    {RUN "-f tests/none", 2, "", "tests/none: No such file"},
    {RUN "-p abcdefgh --ctx 4", 2, "", "do not fit: the context holds 4"},
    {RUN "--ids '5 512'", 2, "", "id 512, expected 0 to 511"},
    {RUN "--ids '5 -1'", 2, "", "'-1' is not a whole number"},
    {RUN "--ids '5 99999999999999999999999999'", 2, "", "is not a whole number"},
    {"touchstone run -m tests/none -p a", 2, "", "tests/none: cannot be opened"},
    {"touchstone run -m Makefile -p a", 2, "", "not a GGUF file"},
    {"touchstone run -m " VOCAB " -p a", 2, "", VOCAB},
    {"touchstone run -m tests/data/ops.gguf -p a", 2, "", "general.architecture"},
    {RUN "-p a --dump-logits tests/none/x", 4, "", "tests/none/x: cannot be written"},
    {RUN "-p a --dump-logits tests", 4, "", "not a regular file"},

    {RUN "-p 'hello world' -n 3 --temp 0", 0, "\n", "prompt 10 tokens, prefill "},
    {RUN "-p 'hello world' -n 3 --temp 0", 0, "\n", "generation "},
    {RUN "-p 'hello world' -n 0", 0, "", "first token none, generation none, memory peak "},
    {RUN "-p 'hello world' -n 1", 0, NULL, "generation none"},
    {RUN "-p 'hello world' -n 2 --no-bos", 0, NULL, "prompt 9 tokens"},
    {RUN "-p '<｜begin▁of▁sentence｜>hello' -n 0", 0, NULL, "prompt 6 tokens"},
    {RUN "-p '<think>' -n 0 --no-bos", 0, NULL, "prompt 1 token, "},
    {RUN "-p '<think>' -n 0 --no-bos --plain", 0, NULL, "prompt 5 tokens"},
    {RUN "--ids '5, 6 7' -n 0", 0, NULL, "prompt 3 tokens"},
    {RUN "-p hello --chat -n 0", 0, NULL, "prompt 9 tokens"},
    {RUN "-p hello -n 2 --top-logprobs 2", 0, NULL, "\n1: "},
    {RUN "-p hello -n 40 --ctx 9", 0, NULL, "finish context"},
    {RUN "-p hello -n 2 --unfused --chunk 2 --threads 1 --kv-rounding off", 0, NULL, "finish"},

    {"touchstone tokenize --help", 0, "usage:", ""},
    {"touchstone tokenize -p a", 2, "", "needs -m FILE"},
    {"touchstone tokenize -m a -p a --vectors b", 2, "", "-p means nothing with --vectors"},
    {"touchstone tokenize -m a -p a --decode --plain", 2, "", "--plain means nothing with --deco"},

    {"touchstone check -m F", 2, "",
     "-m means nothing in a check of kernels; it goes with --at, --bisect, --noise, --trace\n"},
    {"touchstone check --chunk 5", 2, "", "--chunk means nothing in a check of kernels"},
    {"touchstone check --trace F", 2, "", "needs -m FILE with --trace"},
    {"touchstone check --bisect -m F", 2, "", "needs --trace FILE with --bisect"},
    {"touchstone check --bisect -m F --trace F --json", 2, "", "--json means nothing with --bise"},
    {"touchstone check --golden F --trace F", 2, "", "--trace means nothing with --golden"},
    {"touchstone check --golden F --filter rms", 2, "", "--filter means nothing with --golden"},
    {"touchstone check --golden F --threads 1", 2, "", "--threads means nothing with --golden"},
    {"touchstone check --at 5 -m F --chunk 4", 2, "", "--chunk means nothing with --at"},
    {"touchstone check -m F --trace F --seed 4", 2, "", "--seed means nothing with --trace"},
    {"touchstone check -m F --trace F --noise 0", 2, "", "--noise: EPS must be above 0"},
    {"touchstone check -m F --trace F --races", 2, "", "--races means nothing with --trace"},
    {"touchstone check --probe --list", 2, "", "--probe means nothing with --list"},
    {"touchstone tokenize -m " VOCAB " --frob", 2, "", "'--frob' is unknown"},
    {"touchstone tokenize -m " TINY " -p '<think>'", 0, "509\n", ""},
    {"touchstone tokenize -m " TINY " --decode -p '509 600'", 2, "", "600"},
    {"touchstone tokenize -m Makefile -p a", 2, "", "not a GGUF file"},
};

static void expect_text(const struct command *command, const char *where, const char *text,
                        const char *expected)
{
    if (expected) {
        bool found = expected[0] ? strstr(text, expected) != NULL : text[0] == '\0';
        cr_expect(found, "%s: %s: expected '%s', found '%s'", command->line, where, expected, text);
    }
}

static void read_text(const char *path, char *text, size_t capacity)
{
    FILE *file = fopen(path, "rb");
    size_t length = file ? fread(text, 1, capacity - 1, file) : 0;
    text[length] = '\0';
    if (file) {
        fclose(file);
    }
}

Test(cli, commands)
{
    static char output[1 << 16], errors[1 << 16];
    struct test_path path = test_path("errors");
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++) {
        int code = test_run(output, sizeof output, "%s 2>%s", commands[i].line, path.text);
        read_text(path.text, errors, sizeof errors);
        cr_expect_eq(code, commands[i].code, "%s: exit code %d, expected %d: %s", commands[i].line,
                     code, commands[i].code, errors);
        expect_text(&commands[i], "standard output", output, commands[i].output);
        expect_text(&commands[i], "standard error", errors, commands[i].errors);
    }
    unlink(path.text);
}

/* Runs `run --json` with the arguments; the caller frees the record. */
static cJSON *run_json(const char *arguments, int expected_code)
{
    static char output[1 << 16];
    int code = test_run(output, sizeof output, RUN "--json %s", arguments);
    cr_assert_eq(code, expected_code, "%s: exit code %d: %s", arguments, code, output);
    cJSON *record = cJSON_Parse(output);
    cr_assert(record != NULL, "%s: no JSON: %s", arguments, output);
    char *newline = strchr(output, '\n');
    cr_assert(newline && newline[1] == '\0', "%s: one line: %s", arguments, output);
    return record;
}

static double number(const cJSON *record, const char *name)
{
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(record, name);
    cr_assert(cJSON_IsNumber(item), "%s is a number", name);
    return item->valuedouble;
}

static const char *text(const cJSON *record, const char *name)
{
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(record, name);
    cr_assert(cJSON_IsString(item), "%s is a text", name);
    return item->valuestring;
}

/* Every key, and that they fit together: greedy takes the first of the likeliest. */
Test(cli, run_record)
{
    cJSON *record = run_json("-p 'hello world' -n 6 --temp 0 --top-logprobs 3 --seed 77", 0);
    const cJSON *ids = cJSON_GetObjectItem(record, "ids");
    const cJSON *top = cJSON_GetObjectItem(record, "top_logprobs");
    const cJSON *memory = cJSON_GetObjectItem(record, "memory");
    cr_expect(number(record, "prompt_tokens") == 10 && number(record, "generated_tokens") == 6);
    cr_expect(number(record, "prefill_tps") > 0 && number(record, "ttft_ms") > 0 &&
              number(record, "generation_tps") > 0);
    cr_expect(number(memory, "plan") > 0);
    cr_expect(number(memory, "peak") > 0);
#ifndef TS_THREAD_SANITIZER /* it keeps several bytes for each that is used */
    cr_expect(number(memory, "peak") <= number(memory, "plan"), "memory is as planned");
#endif
    cr_expect_str_eq(text(record, "seed"), "77");
    cr_expect_str_eq(text(record, "model"), TINY);
    cr_expect_str_eq(text(record, "device"), "reference");
    cr_expect_str_eq(text(record, "provenance"), "cpu");
    cr_expect_str_eq(text(record, "finish_reason"), "length");
    cr_expect(strlen(text(record, "text")) > 0);
    cr_assert(cJSON_GetArraySize(ids) == 6 && cJSON_GetArraySize(top) == 6);
    for (int i = 0; i < 6; i++) {
        const cJSON *list = cJSON_GetArrayItem(top, i);
        cr_assert_eq(cJSON_GetArraySize(list), 3);
        double last = 0;
        for (int j = 0; j < 3; j++) {
            const cJSON *candidate = cJSON_GetArrayItem(list, j);
            cr_expect(number(candidate, "logprob") <= last);
            cr_expect(strlen(text(candidate, "token")) > 0);
            last = number(candidate, "logprob");
        }
        cr_expect(number(cJSON_GetArrayItem(list, 0), "id") ==
                  cJSON_GetArrayItem(ids, i)->valuedouble);
    }
    cJSON_Delete(record);
    record = run_json("-p hello -n 0", 0);
    cr_expect(cJSON_IsNull(cJSON_GetObjectItem(record, "ttft_ms")));
    cr_expect(cJSON_IsNull(cJSON_GetObjectItem(record, "generation_tps")));
    cr_expect_eq(cJSON_GetArraySize(cJSON_GetObjectItem(record, "ids")), 0);
    cr_expect_str_eq(text(record, "text"), "");
    cJSON_Delete(record);
}

/* The same seed gives the same text at any chunk size, and what is streamed is the record's text. */
Test(cli, run_repeats)
{
    static const struct {
        const char *arguments;
        bool same;
    } cases[] = {{"--seed 3 --chunk 128", true},
                 {"--seed 3 --chunk 1", true},
                 {"--seed 3 --threads 1 --unfused", true},
                 {"--seed 4", false}};
    char first[4096] = "", arguments[128];
    for (unsigned i = 0; i < sizeof cases / sizeof *cases; i++) {
        snprintf(arguments, sizeof arguments, "-p 'the same text' -n 12 %s", cases[i].arguments);
        cJSON *record = run_json(arguments, 0);
        char *ids = cJSON_PrintUnformatted(cJSON_GetObjectItem(record, "ids"));
        if (i == 0) {
            snprintf(first, sizeof first, "%s", ids);
        }
        cr_expect_eq(strcmp(first, ids) == 0, cases[i].same, "%s: %s", arguments, ids);
        free(ids);
        cJSON_Delete(record);
    }
}

/* What is streamed is what the record's ids decode to, and then one newline. */
Test(cli, run_streams)
{
    char streamed[4096], decoded[4096], list[512] = "";
    cJSON *record = run_json("-p 'some words' -n 30 --seed 9", 0);
    const cJSON *id = NULL;
    cr_assert_str_eq(text(record, "finish_reason"), "length", "take another seed");
    cJSON_ArrayForEach(id, cJSON_GetObjectItem(record, "ids"))
    {
        size_t used = strlen(list);
        snprintf(list + used, sizeof list - used, " %d", id->valueint);
    }
    cJSON_Delete(record);
    cr_assert_eq(
        test_run(streamed, sizeof streamed, RUN "%s 2>/dev/null", "-p 'some words' -n 30 --seed 9"),
        0);
    cr_assert_eq(test_run(decoded, sizeof decoded - 1,
                          "touchstone tokenize -m " TINY " --decode -p '%s'", list),
                 0);
    size_t length = strlen(decoded);
    cr_assert(length > 0);
    if (decoded[length - 1] != '\n') {
        memcpy(decoded + length, "\n", 2);
    }
    cr_expect_str_eq(streamed, decoded);
}

/* A copy of the tiny model whose final norm is `value`. */
static struct test_path patched_model(float value)
{
    struct test_path path = test_path("patched.gguf");
    struct ts_error error = {0};
    struct ts_gguf *gguf = ts_gguf_open(TINY, &error);
    cr_assert(gguf, "%s", error.message);
    const struct ts_gguf_tensor *norm = ts_gguf_find_tensor(gguf, "output_norm.weight");
    FILE *file = fopen(path.text, "wb");
    cr_assert(norm && norm->format == TS_F32 && file);
    cr_assert_eq(fwrite(gguf->data, 1, gguf->size, file), gguf->size);
    cr_assert_eq(fseek(file, (long)norm->offset, SEEK_SET), 0);
    for (uint64_t i = 0; i < norm->shape[0]; i++) {
        cr_assert_eq(fwrite(&value, sizeof value, 1, file), 1);
    }
    cr_assert_eq(fclose(file), 0);
    ts_gguf_close(gguf);
    return path;
}

/* NaN logits are a failed check wherever they are met, and leave no dump. */
Test(cli, run_nan)
{
    static const char *const arguments[] = {"-n 4", "-n 4 --temp 0", "-n 0", "-n 4 --json",
                                            "-n 0 --dump-logits"};
    struct test_path model = patched_model(NAN), dump = test_path("nan-dump.gguf");
    char output[4096];
    for (unsigned i = 0; i < sizeof arguments / sizeof *arguments; i++) {
        bool dumps = strstr(arguments[i], "dump") != NULL;
        int code = test_run(output, sizeof output, "touchstone run -m %s -p hi %s %s", model.text,
                            arguments[i], dumps ? dump.text : "");
        cr_expect_eq(code, 1, "%s: exit code %d: %s", arguments[i], code, output);
        cr_expect(strstr(output, "NaN") != NULL, "%s: %s", arguments[i], output);
    }
    cr_expect_eq(test_file_size(dump.text), -1);
    unlink(model.text);
}

/* A dump agrees with a run of its own tokens; one of another setting does not. */
Test(cli, run_dump)
{
    struct test_path dump = test_path("dump.gguf");
    char output[8192];
    int code = test_run(output, sizeof output, RUN "-p 'dump this' -n 9 --chunk 4 --dump-logits %s",
                        dump.text);
    cr_assert_eq(code, 0, "%s", output);
    code = test_run(output, sizeof output, "touchstone check -m " TINY " --trace %s", dump.text);
    cr_expect_eq(code, 0, "%s", output);
    cr_expect(strstr(output, "PASS") != NULL, "%s", output);
    code = test_run(output, sizeof output,
                    "touchstone check -m " TINY " --trace %s --kv-rounding off", dump.text);
    cr_expect_eq(code, 1, "%s", output);
    unlink(dump.text);
}

/* Output that cannot be written is exit 4, streamed or not. */
Test(cli, run_full_disk)
{
    char output[4096];
    if (access("/dev/full", W_OK) != 0) {
        return;
    }
    for (int json = 0; json < 2; json++) {
        int code = test_run(output, sizeof output, RUN "-p hi -n 2 %s 2>&1 >/dev/full",
                            json ? "--json" : "");
        cr_expect_eq(code, 4, "exit code %d: %s", code, output);
        cr_expect(strstr(output, "standard output: ") != NULL, "%s", output);
    }
}

/* Ctrl-C behind the first text: the summary is still printed, the dump is written, exit 130. */
Test(cli, run_interrupted)
{
    struct test_path errors = test_path("interrupted"), dump = test_path("interrupted.gguf");
    char program[256], summary[4096], byte;
    int ends[2];
    snprintf(program, sizeof program, "%s/touchstone", test_build());
    cr_assert_eq(pipe(ends), 0);
    pid_t child = fork();
    if (child == 0) {
        int file = open(errors.text, O_WRONLY | O_CREAT | O_TRUNC, 0666);
        dup2(ends[1], STDOUT_FILENO);
        dup2(file, STDERR_FILENO);
        close(ends[0]);
        close(ends[1]);
        execl(program, "touchstone", "run", "-m", TINY, "-p", "go on", "-n", "4000", "--seed", "2",
              "--quiet", "--dump-logits", dump.text, (char *)NULL);
        _exit(99);
    }
    cr_assert(child > 0);
    close(ends[1]);
    cr_assert_eq(read(ends[0], &byte, 1), 1, "it has begun to write");
    cr_assert_eq(kill(child, SIGINT), 0);
    while (read(ends[0], &byte, 1) > 0) {
    }
    int status = 0;
    cr_assert_eq(waitpid(child, &status, 0), child);
    read_text(errors.text, summary, sizeof summary);
    cr_expect(WIFEXITED(status) && WEXITSTATUS(status) == 130, "status %d: %s", status, summary);
    cr_expect(strstr(summary, "device reference (cpu), prompt ") == summary, "%s", summary);
    cr_expect(strstr(summary, "finish interrupted\n") != NULL, "%s", summary);
    cr_expect(test_file_size(dump.text) > 0);
    close(ends[0]);
    unlink(errors.text);
    unlink(dump.text);
}
