/* touchstone prompt, and touchstone run with messages. */
#include "tests/support/program.h"

#define VOCAB "tests/data/vocab.gguf"
#define TINY "tests/data/tiny-q2.gguf"
#define CASES "tests/data/prompt-cases.jsonl"

/* Writes a file below build/tmp. */
static struct test_path write_file(const char *name, const char *text)
{
    struct test_path path = test_path(name);
    FILE *file = fopen(path.text, "wb");
    cr_assert(file != NULL, "%s", path.text);
    fputs(text, file);
    fclose(file);
    return path;
}

#define START "<｜begin▁of▁sentence｜>"
#define ASKED "<｜User｜>Hi<｜Assistant｜>"
#define OLD                                                                                        \
    "{\"messages\":[{\"role\":\"user\",\"content\":\"Hi\"},{\"role\":\"assistant\",\"content\":"   \
    "\"b\",\"reasoning_content\":\"w\"},{\"role\":\"user\",\"content\":\"Hi\"}]"
#define ANSWER "b<｜end▁of▁sentence｜>"

#define HI "[{\"role\":\"user\",\"content\":\"Hi\"}"

Test(prompt_cli, prints_the_bytes_and_flags_go_first)
{
    static const struct {
        const char *file, *flags, *begin, *end;
    } lines[] = {
        {"[{\"role\":\"user\",\"content\":\"Hi\"}]", "", START ASKED "<think>", ""},
        {"[{\"role\":\"user\",\"content\":\"Hi\"}]", "--think", START ASKED "<think>", ""},
        {"[{\"role\":\"user\",\"content\":\"Hi\"}]", "--no-think", START ASKED "</think>", ""},
        /* each release has its own words: what the preview calls max is high in 0731 */
        {HI "]", "--release preview --effort high", START ASKED "<think>", ""},
        {HI "]", "--release preview --effort max", START "Reasoning Effort: Abs",
         "unchecked.\n\n" ASKED "<think>"},
        {HI "]", "--release 0731 --effort low", START ASKED "<think>", ""},
        {HI "]", "--release 0731 --effort high", START "Reasoning Effort: Abs",
         "unchecked.\n\n" ASKED "<think>"},
        {HI "]", "--release 0731 --effort max", START "Reasoning Effort: Beyond maximum \u2014 ",
         "undiscovered.\n\n" ASKED "<think>"},
        {HI "]", "--effort max", START "Reasoning Effort: Beyond", "\n\n" ASKED "<think>"},
        {"{\"messages\":" HI "],\"reasoning_effort\":\"max\"}", "", START "Reasoning Effort: Abs",
         "unchecked.\n\n" ASKED "<think>"},
        {"{\"messages\":" HI "],\"release\":\"0731\",\"reasoning_effort\":\"max\"}", "",
         START "Reasoning Effort: Beyond", "\n\n" ASKED "<think>"},
        {"{\"messages\":" HI "],\"release\":\"0731\"}", "--release preview --effort max",
         START "Reasoning Effort: Abs", "unchecked.\n\n" ASKED "<think>"},
        {"[{\"role\":\"user\",\"content\":\"Hi\"}]", "--effort max --no-think",
         START ASKED "</think>", ""},
        {OLD "}", "", START ASKED "</think>" ANSWER ASKED "<think>", ""},
        {OLD "}", "--keep-thinking", START ASKED "<think>w</think>" ANSWER ASKED "<think>", ""},
        {OLD ",\"drop_thinking\":false}", "", START ASKED "<think>w</think>" ANSWER ASKED "<think>",
         ""},
        {OLD ",\"thinking_mode\":\"chat\"}", "", START ASKED "</think>" ANSWER ASKED "</think>",
         ""},
        {OLD ",\"thinking_mode\":\"chat\"}", "--think",
         START ASKED "</think>" ANSWER ASKED "<think>", ""},
        {OLD ",\"reasoning_effort\":\"max\"}", "--effort low",
         START ASKED "</think>" ANSWER ASKED "<think>", ""},
        {OLD ",\"tools\":[{\"function\":{\"name\":\"f\"}}]}", "", START "\n\n## Tools\n\n",
         "{\"name\": \"f\"}\n\nYou MUST strictly follow the above defined tool name and parameter "
         "schemas to invoke tool calls.\n" ASKED "<think>w</think>" ANSWER ASKED "<think>"},
    };
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        struct test_path path = write_file("messages.json", lines[i].file);
        char output[8192];
        int code =
            test_run(output, sizeof output, "touchstone prompt %s %s", lines[i].flags, path.text);
        size_t length = strlen(output), end = strlen(lines[i].end);
        bool all = end == 0 && strcmp(output, lines[i].begin) == 0;
        bool both = end > 0 && strncmp(output, lines[i].begin, strlen(lines[i].begin)) == 0 &&
                    length > end && strcmp(output + length - end, lines[i].end) == 0;
        cr_expect(code == 0 && (all || both), "%s %s: exit %d, %s", lines[i].flags, lines[i].file,
                  code, output);
        remove(path.text);
    }
}

Test(prompt_cli, ids)
{
    struct test_path path = write_file("ids.json", "[{\"role\":\"user\",\"content\":\"Hi\"}]");
    char output[4096];
    int code = test_run(output, sizeof output, "touchstone prompt -m " VOCAB " %s", path.text);
    cr_expect_eq(code, 0);
    cr_expect_str_eq(output, "0 128803 23166 128804 128821\n");
    remove(path.text);
}

/* A user who writes "</think>" means these letters; the official encoder makes it the token. */
Test(prompt_cli, messages_are_plain_text)
{
    struct test_path path =
        write_file("spelled.json", "[{\"role\":\"user\",\"content\":\"</think>\"}]");
    char output[4096];
    cr_expect_eq(test_run(output, sizeof output, "touchstone prompt -m " VOCAB " %s", path.text),
                 0);
    cr_expect(!strstr(output, "128822") && strncmp(output, "0 128803 ", 9) == 0, "%s", output);
    test_run(output, sizeof output, "touchstone prompt --markers -m " VOCAB " %s", path.text);
    cr_expect_str_eq(output, "0 128803 128822 128804 128821\n");
    remove(path.text);
}

Test(prompt_cli, cases)
{
    static const struct {
        const char *lines;
        int code;
        const char *last;
    } files[] = {
        {"{\"messages\":[],\"prompt\":\"" START "\"}\n", 0, "1 passed, 0 failed\n"},
        {"{\"messages\":[],\"prompt\":\"\"}\n\n{\"messages\":[],\"prompt\":\"" START "\"}\n", 1,
         "1 passed, 1 failed\n"},
        {"{\n{\"messages\":[],\"prompt\":\"" START "\"}\n", 1, "1 passed, 1 failed\n"},
        {"", 1, "0 passed, 0 failed\n"},
        {"\n \n", 1, "0 passed, 0 failed\n"},
    };
    char output[8192];
    cr_expect_eq(test_run(output, sizeof output, "touchstone prompt --cases " CASES), 0);
    cr_expect_str_eq(output, "120 passed, 0 failed\n");
    cr_expect_eq(
        test_run(output, sizeof output, "touchstone prompt --cases tests/none 2>/dev/null"), 1);
    cr_expect_str_eq(output, "0 passed, 0 failed\n");
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        struct test_path path = write_file("cases.jsonl", files[i].lines);
        int code =
            test_run(output, sizeof output, "touchstone prompt --cases %s 2>/dev/null", path.text);
        size_t length = strlen(output), last = strlen(files[i].last);
        cr_expect(code == files[i].code && length >= last &&
                      strcmp(output + length - last, files[i].last) == 0,
                  "%s: exit %d, %s", files[i].lines, code, output);
        remove(path.text);
    }
}

Test(prompt_cli, refuses)
{
    static const struct {
        const char *line;
        const char *errors;
    } lines[] = {
        {"prompt", "needs a FILE"},
        {"prompt a b", "unexpected argument 'b'"},
        {"prompt --cases a b", "brings its own input: leave out 'b'"},
        {"prompt --cases a --think", "--think means nothing with --cases"},
        {"prompt --cases a -m b", "-m means nothing with --cases"},
        {"prompt --frob", "'--frob' is unknown"},
        {"prompt a --effort huge", "'huge' is not low, high or max"},
        {"prompt a --release preview --effort low", "'low' is not high or max"},
        {"prompt a --release v5", "neither preview nor 0731"},
        {"prompt a --think --no-think", "exclude each other"},
        {"prompt tests/none", "tests/none: No such file"},
        {"prompt README.md", "README.md: byte 0: expected a value"},
        {"prompt - </dev/null", "standard input: byte 0"},
        {"prompt -m " VOCAB " tests/data/protocol.json", "messages is missing"},
        {"run -m " TINY " --messages tests/none", "tests/none: No such file"},
        {"run -m " TINY " --messages a -p b", "-p and --messages exclude each other"},
        {"run -m " TINY " --messages a --chat", "--chat means nothing with --messages"},
        {"run -m " TINY " --messages a --plain", "--plain means nothing with --messages"},
        {"run -m " TINY " -p a --effort max", "it goes with --messages"},
        {"run -m " TINY " --chat -p a --keep-thinking",
         "means nothing with --chat; it goes with --messages"},
        {"run -m " TINY " --messages tests/data/protocol.json --think --no-think",
         "exclude each other"},
    };
    char output[4096];
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        int code = test_run(output, sizeof output, "touchstone %s", lines[i].line);
        cr_expect(code == 2 && strstr(output, lines[i].errors) != NULL, "%s: exit %d, %s",
                  lines[i].line, code, output);
    }
    cr_expect_eq(test_run(output, sizeof output, "touchstone prompt --help"), 0);
    cr_expect(strstr(output, "--cases FILE") != NULL);
}

/* The same prompt by another way: --chat makes it from its parts. */
Test(prompt_cli, run_takes_messages)
{
    struct test_path path = write_file("run.json", "[{\"role\":\"user\",\"content\":\"Hi\"}]");
    char chat[4096], messages[4096];
    for (int think = 0; think < 2; think++) {
        const char *flags = think ? "--think" : "--no-think";
        const char *rest = "-n 4 --temp 0 2>/dev/null";
        cr_expect_eq(test_run(chat, sizeof chat, "touchstone run -m " TINY " --chat -p Hi %s %s",
                              flags, rest),
                     0);
        cr_expect_eq(test_run(messages, sizeof messages,
                              "touchstone run -m " TINY " --messages %s %s %s", path.text, flags,
                              rest),
                     0);
        cr_expect_str_eq(messages, chat, "%s: %s, %s", flags, messages, chat);
    }
    remove(path.text);
}
