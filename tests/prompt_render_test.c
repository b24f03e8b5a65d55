/* Conversations to prompt text: known cases, what is refused, requests, the time it takes. */
#include "base/clock.h"
#include "engine/prompt/cases.h"
#include "tests/support/program.h"
#include "tests/support/slow.h"

#include <cjson/cJSON.h>

#define CASES "tests/data/prompt-cases.jsonl"
#define MORE "tests/data/prompt-more.jsonl"
#define PROTOCOL "tests/data/protocol.json"

static char *read_all(const char *path, size_t *length)
{
    long long size = test_file_size(path);
    FILE *file = fopen(path, "rb");
    cr_assert(file != NULL && size > 0, "%s", path);
    char *data = malloc((size_t)size + 1);
    cr_assert(data != NULL);
    *length = fread(data, 1, (size_t)size, file);
    data[*length] = '\0';
    fclose(file);
    return data;
}

/* The strings in the source are those of the model's file, by another JSON reader. */
Test(prompt_render, protocol_strings)
{
    size_t length, count = 0;
    char *data = read_all(PROTOCOL, &length);
    cJSON *json = cJSON_Parse(data);
    cr_assert(json != NULL);
    static const char *const names[] = {
#define TS_PROTOCOL(constant, name, text) name,
#include "engine/prompt/protocol.def"
#undef TS_PROTOCOL
    };
    for (int i = 0; i < TS_PROTOCOL_PARAMETER_TEMPLATE; i++) {
        const char *name = names[i];
        if (i == TS_PROTOCOL_REASONING_EFFORT_BEYOND_PREFIX) {
            continue; /* of a later release than the file */
        }
        const cJSON *item = cJSON_GetObjectItemCaseSensitive(json, name);
        cr_expect(item && strcmp(item->valuestring, ts_protocol_text((enum ts_protocol)i)) == 0,
                  "%s", name);
        count++;
    }
    cr_expect_eq(count, (size_t)cJSON_GetArraySize(json));
    cr_expect_eq(strlen(ts_protocol_text(TS_PROTOCOL_REASONING_EFFORT_MAX_PREFIX)), 476);
    cr_expect_eq(strlen(ts_protocol_text(TS_PROTOCOL_REASONING_EFFORT_BEYOND_PREFIX)), 528);
    cr_expect_eq(strlen(ts_protocol_text(TS_PROTOCOL_TOOLS_TEMPLATE)), 1075);
    cr_expect_eq(strlen(ts_protocol_text(TS_PROTOCOL_RESPONSE_FORMAT_TEMPLATE)), 88);
    cJSON_Delete(json);
    free(data);
}

Test(prompt_render, known_cases)
{
    static const struct {
        const char *path;
        uint64_t count;
    } files[] = {{CASES, 120}, {MORE, 72}};
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        size_t length;
        char *data = read_all(files[i].path, &length);
        struct ts_case_counts counts;
        struct ts_error error = {.code = TS_OK};
        cr_expect(ts_prompt_check_cases(files[i].path, data, length, stderr, &counts, &error), "%s",
                  error.message);
        cr_expect_eq(counts.passed, files[i].count);
        cr_expect_eq(counts.failed, 0);
        free(data);
    }
}

/* A check of cases finds what is wrong, and counts it once a line. */
Test(prompt_render, cases_that_fail)
{
#define HI "{\"messages\":[{\"role\":\"user\",\"content\":\"Hi\"}],"
#define TEXT "<｜begin▁of▁sentence｜><｜User｜>Hi<｜Assistant｜><think>"
    static const struct {
        const char *lines;
        enum ts_code code;
        unsigned passed, failed;
        const char *report;
    } files[] = {
        {HI "\"prompt\":\"" TEXT "\"}", TS_OK, 1, 0, ""},
        {"\n" HI "\"prompt\":\"" TEXT "\"}\r\n\n", TS_OK, 1, 0, ""},
        {HI "\"prompt\":\"" TEXT " \"}", TS_ERR_CHECK, 0, 1, "f:1: prompt differs at byte 67"},
        {HI "\"prompt\":\"\"}", TS_ERR_CHECK, 0, 1, "f:1: prompt differs at byte 0"},
        {HI "\"prompt\":\"" TEXT "\",\"thinking_mode\":\"chat\"}", TS_ERR_CHECK, 0, 1, "byte 61"},
        {"{\n" HI "\"prompt\":\"" TEXT "\"}\n", TS_ERR_DATA, 1, 1, "f:1: byte 1"},
        {HI "\"prompt\":3}\n" HI "\"prompt\":\"x\"}", TS_ERR_DATA, 0, 2, "prompt is a number"},
        {"{\"prompt\":\"\"}", TS_ERR_DATA, 0, 1, "messages is missing"},
        {"[]", TS_ERR_DATA, 0, 1, "prompt is missing"},
        {"", TS_ERR_DATA, 0, 0, ""},
        {" \n\n", TS_ERR_DATA, 0, 0, ""},
    };
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        struct ts_case_counts counts;
        struct ts_error error = {.code = TS_OK};
        char *report = NULL;
        size_t length = 0;
        FILE *stream = open_memstream(&report, &length);
        cr_assert(stream != NULL);
        bool ok = ts_prompt_check_cases("f", files[i].lines, strlen(files[i].lines), stream,
                                        &counts, &error);
        fclose(stream);
        cr_expect(ok == (files[i].code == TS_OK) && error.code == files[i].code, "file %zu: %s", i,
                  error.message);
        cr_expect(counts.passed == files[i].passed && counts.failed == files[i].failed, "file %zu",
                  i);
        cr_expect(strstr(report, files[i].report) != NULL, "file %zu: %s", i, report);
        free(report);
    }
}

/* Renders a request; the caller frees prompt and arena. */
static bool render(const char *text, struct ts_arena *arena, struct ts_prompt *prompt,
                   struct ts_error *error)
{
    struct ts_prompt_request request;
    *arena = (struct ts_arena){0};
    *prompt = (struct ts_prompt){.reply = 0};
    const struct ts_json *json =
        ts_json_read(arena, "x.json", (struct ts_text){text, strlen(text)}, NULL, error);
    return json &&
           ts_prompt_request_read(arena, "x.json", json, TS_RELEASE_PREVIEW, &request, error) &&
           ts_prompt_render(&request.conversation, &request.options, prompt, error);
}

#define CALL(arguments)                                                                            \
    "[{\"role\":\"user\",\"content\":\"a\"},{\"role\":\"assistant\",\"tool_calls\":[{"             \
    "\"function\":"                                                                                \
    "{\"name\":\"f\",\"arguments\":" arguments "}}]}]"

static const struct {
    const char *text, *reason;
} refused[] = {
    {"[{\"role\":\"user\",\"content\":null}]", "messages[0] (user): content is null"},
    {"[{\"role\":\"user\"}]", "messages[0] (user): content is missing"},
    {"[{\"role\":\"tool\",\"content\":null}]", "messages[0] (tool): content is null"},
    {"[{\"role\":\"latest_reminder\"}]", "messages[0] (latest_reminder): content is missing"},
    {"[{\"role\":\"developer\",\"content\":\"\"}]", "messages[0] (developer): content is empty"},
    {"[{\"role\":\"developer\",\"content\":[]}]", "content is empty"},
    {"[{\"role\":\"user\",\"content\":5}]", "content is a number"},
    {"[{\"role\":\"system\",\"content\":{}}]", "messages[0] (system): content is an object"},
    {"[{\"role\":\"user\",\"content\":[\"a\"]}]", "content[0] is a string without a type"},
    {"[{\"role\":\"user\",\"content\":[{\"text\":\"a\"}]}]", "content[0] is an object without"},
    {"[{\"role\":\"tool\",\"content\":[{\"type\":\"text\",\"text\":null}]}]", "content[0].text is"},
    {"[{\"role\":\"user\",\"content\":\"a\"},{\"role\":\"robot\"}]",
     "messages[1]: unknown role \"robot\""},
    {"[{\"role\":\"direct_search_results\",\"content\":\"\"}]", "unknown role"},
    {"[{\"content\":\"a\"}]", "messages[0]: role is missing"},
    {"[{\"role\":null}]", "messages[0]: role is null"},
    {"[[]]", "messages[0] is an array; expected an object"},
    {"[{\"role\":\"user\",\"content\":\"a\",\"task\":\"dance\"}]",
     "(user): unknown task \"dance\""},
    {"[{\"role\":\"user\",\"content\":\"a\",\"task\":\"\"}]", "unknown task \"\""},
    {"[{\"role\":\"user\",\"content\":\"a\",\"task\":1}]", "task is a number"},
    {"[{\"role\":\"assistant\",\"reasoning_content\":[]}]", "reasoning_content is an array"},
    {"[{\"role\":\"tool\",\"content\":\"\",\"tool_call_id\":7}]", "tool_call_id is a number"},
    {"[{\"role\":\"assistant\",\"wo_eos\":1}]", "wo_eos is a number"},
    {"[{\"role\":\"assistant\",\"tool_calls\":{}}]", "tool_calls is an object"},
    {"[{\"role\":\"assistant\",\"tool_calls\":[{}]}]", "tool_calls[0].function.name is missing"},
    {"[{\"role\":\"user\",\"content\":\"\",\"tool_calls\":[{}]}]", "(user): tool_calls"},
    {CALL("\"\""),
     "x.json: messages[1] (assistant): tool_calls[0].function.arguments: byte 0: expected a value"},
    {CALL("\"{\\\"a\\\":}\""), "arguments: byte 5: expected a value"},
    {CALL("\"{\\\"a\\\":1,\\\"a\\\":2}\""), "twice"},
    {CALL("\"[1]\""), "arguments is an array; expected an object"},
    {CALL("\"null\""), "arguments is null"},
    {CALL("null"), "arguments is null"},
    {CALL("[1]"), "arguments is an array"},
    {"[{\"role\":\"system\",\"tools\":5}]", "messages[0] (system): tools is a number"},
    {"[{\"role\":\"system\",\"tools\":[{\"function\":{}},{\"name\":\"f\"}]}]",
     "tools[1].function is missing"},
    {"[{\"role\":\"user\",\"content\":\"\",\"tools\":[{\"function\":{}}]}]", "(user): tools: only"},
    {"[{\"role\":\"assistant\",\"response_format\":{\"a\":1}}]", "response_format: only system"},
    {"3", "x.json is a number"},
    {"{}", "messages is missing"},
    {"{\"messages\":{}}", "messages is an object"},
    {"{\"messages\":[],\"thinking_mode\":\"deep\"}", "thinking_mode is \"deep\""},
    {"{\"messages\":[],\"thinking_mode\":1}", "thinking_mode is a number"},
    {"{\"messages\":[],\"reasoning_effort\":\"low\"}", "is \"low\"; expected high or max"},
    {"{\"messages\":[],\"release\":\"0731\",\"reasoning_effort\":\"huge\"}",
     "is \"huge\"; expected low, high or max"},
    {"{\"messages\":[],\"reasoning_effort\":2}", "reasoning_effort is a number"},
    {"{\"messages\":[],\"release\":\"0732\"}", "release is \"0732\""},
    {"{\"messages\":[],\"drop_thinking\":0}", "drop_thinking is a number"},
    {"{\"messages\":[],\"tools\":{}}", "x.json: tools is an object"},
    {"{\"messages\":[],\"tools\":[1]}", "tools[0].function is missing"},
    {"{\"messages\":[{\"role\":\"system\",\"tools\":[{\"function\":{}}]}],"
     "\"tools\":[{\"function\":{}}]}",
     "tools beside the messages and in the first system message"},
    {"{\"messages\":[{\"role\":\"system\",\"response_format\":1}],\"response_format\":2}",
     "response_format beside"},
};

Test(prompt_render, refuses)
{
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        struct ts_arena arena;
        struct ts_prompt prompt;
        struct ts_error error = {.code = TS_OK};
        cr_expect(!render(refused[i].text, &arena, &prompt, &error), "%s", refused[i].text);
        cr_expect(error.code == TS_ERR_INPUT && strstr(error.message, refused[i].reason) != NULL,
                  "%s: %s", refused[i].text, error.message);
        ts_prompt_free(&prompt);
        ts_arena_free(&arena);
    }
}

#define U "{\"role\":\"user\",\"content\":\"a\"}"
#define S "{\"role\":\"system\",\"content\":\"s\"}"
#define TOOLS "\"tools\":[{\"function\":{\"name\":\"f\"}}]"

/* Requests that must give the same text: what is said beside the messages, or within. */
static const struct {
    const char *one, *other;
} twins[] = {
    {"[" U "]", "{\"messages\":[" U "],\"thinking_mode\":\"thinking\",\"drop_thinking\":true}"},
    {"[" U "]", "{\"messages\":[" U "],\"tools\":[],\"reasoning_effort\":null,\"model\":\"x\"}"},
    {"[" U "]", "{\"messages\":[" U "],\"tools\":null,\"response_format\":null}"},
    {"[" U "]", "{\"messages\":[" U "],\"reasoning_effort\":\"high\"}"},
    {"{\"messages\":[" S "," U "]," TOOLS "}",
     "[{\"role\":\"system\",\"content\":\"s\"," TOOLS "}," U "]"},
    {"{\"messages\":[" U "]," TOOLS "}",
     "[{\"role\":\"system\",\"content\":\"\"," TOOLS "}," U "]"},
    {"{\"messages\":[" U "," S "," S "],\"response_format\":[1]," TOOLS "}",
     "[" U ",{\"role\":\"system\",\"content\":\"s\",\"response_format\":[1]," TOOLS "}," S "]"},
    {CALL("{\"a\": 1.50, \"b\": \"x\"}"), CALL("\"{\\\"a\\\": 1.5, \\\"b\\\": \\\"x\\\"}\"")},
    {"[{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"a\"}]}]", "[" U "]"},
};

Test(prompt_render, requests_that_say_the_same)
{
    for (size_t i = 0; i < sizeof twins / sizeof *twins; i++) {
        struct ts_arena arenas[2];
        struct ts_prompt prompts[2];
        struct ts_error error = {.code = TS_OK};
        cr_expect(render(twins[i].one, &arenas[0], &prompts[0], &error), "%s", error.message);
        cr_expect(render(twins[i].other, &arenas[1], &prompts[1], &error), "%s", error.message);
        cr_expect(ts_text_compare(ts_writer_text(&prompts[0].text),
                                  ts_writer_text(&prompts[1].text)) == 0,
                  "%s: %.*s; %s: %.*s", twins[i].one, (int)prompts[0].text.length,
                  prompts[0].text.data, twins[i].other, (int)prompts[1].text.length,
                  prompts[1].text.data);
        for (int j = 0; j < 2; j++) {
            ts_prompt_free(&prompts[j]);
            ts_arena_free(&arenas[j]);
        }
    }
}

/* A conversation of `count` messages in rounds of question, two calls, two results, answer. */
static char *long_conversation(unsigned count)
{
    char *text = NULL;
    size_t length = 0;
    FILE *out = open_memstream(&text, &length);
    cr_assert(out != NULL);
    fputs("{\"tools\":[{\"function\":{\"name\":\"f\",\"parameters\":{\"x\":0.5}}}],\"messages\":[",
          out);
    for (unsigned i = 0; i < count; i++) {
        fputs(i ? "," : "", out);
        switch (i % 5) {
        case 0: fprintf(out, "{\"role\":\"user\",\"content\":\"%0900u\"}", i); break;
        case 1:
            fprintf(out,
                    "{\"role\":\"assistant\",\"content\":\"\",\"reasoning_content\":\"%0200u\","
                    "\"tool_calls\":[",
                    i);
            for (unsigned j = 0; j < 2; j++) {
                fprintf(out,
                        "%s{\"id\":\"c%u-%u\",\"function\":{\"name\":\"f\",\"arguments\":"
                        "\"{\\\"x\\\": 1.25, \\\"y\\\": \\\"%0300u\\\"}\"}}",
                        j ? "," : "", i, j, i);
            }
            fputs("]}", out);
            break;
        case 2:
        case 3:
            fprintf(out, "{\"role\":\"tool\",\"tool_call_id\":\"c%u-%u\",\"content\":\"%0300u\"}",
                    i - i % 5 + 1, 3 - i % 5, i);
            break;
        default: fprintf(out, "{\"role\":\"assistant\",\"content\":\"%0300u\"}", i);
        }
    }
    fputs("]}", out);
    fclose(out);
    return text;
}

static double seconds_to_render(unsigned messages, size_t *length)
{
    char *text = long_conversation(messages);
    double best = 1e9;
    *length = strlen(text);
    for (int run = 0; run < 3; run++) {
        struct ts_arena arena;
        struct ts_prompt prompt;
        struct ts_error error;
        uint64_t start = ts_clock_ns();
        cr_assert(render(text, &arena, &prompt, &error), "%s", error.message);
        double seconds = (double)(ts_clock_ns() - start) / 1e9;
        best = seconds < best ? seconds : best;
        ts_prompt_free(&prompt);
        ts_arena_free(&arena);
    }
    free(text);
    return best;
}

Test(prompt_render, time_is_linear)
{
    size_t length, longer;
    double seconds = seconds_to_render(2000, &length);
    double slower = seconds_to_render(16000, &longer);
    cr_log_info("%zu bytes in %.4f s, %zu in %.4f s", length, seconds, longer, slower);
    cr_expect(length > 1000000 && seconds < 0.2 * TEST_SLOWNESS, "%zu bytes: %.3f s", length,
              seconds);
    cr_expect(slower < 8 * 6 * seconds + 0.1, "%.4f s for 2000 messages, %.4f s for 16000", seconds,
              slower);
}

/* Where a reader of the reply begins. */
Test(prompt_render, place_of_the_reply)
{
    static const struct {
        const char *text, *reply;
        bool reasoning;
    } lines[] = {
        {"[" U "]", "", true},
        {"{\"messages\":[" U "],\"thinking_mode\":\"chat\"}", "", false},
        {"[{\"role\":\"user\",\"content\":\"a\",\"task\":\"action\"}]", "", false},
        {"[" S "]", "", false},
        {"[]", "", false},
        {"[" U ",{\"role\":\"assistant\",\"content\":\"b\"}]", "</think>b" TS_EOS, true},
        {"[" U ",{\"role\":\"assistant\",\"content\":\"b\",\"task\":\"title\"}]",
         "</think>b" TS_EOS, true},
        {"[{\"role\":\"user\",\"content\":\"a\",\"task\":\"query\"},{\"role\":\"assistant\","
         "\"content\":\"b\",\"reasoning_content\":\"c\",\"wo_eos\":true}]",
         "b", false},
    };
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        struct ts_arena arena;
        struct ts_prompt prompt;
        struct ts_error error = {.code = TS_OK};
        cr_expect(render(lines[i].text, &arena, &prompt, &error), "%s", error.message);
        struct ts_text reply = {prompt.text.data + prompt.reply, prompt.reply_length};
        cr_expect(ts_text_equals(reply, lines[i].reply), "%s: %.*s", lines[i].text,
                  (int)reply.length, reply.data);
        cr_expect_eq(prompt.reasoning, lines[i].reasoning, "%s", lines[i].text);
        ts_prompt_free(&prompt);
        ts_arena_free(&arena);
    }
}
