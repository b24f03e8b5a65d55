/* The JSON reader and printer against what Python 3.11 makes of the same texts:
 * json.dumps(json.loads(text), ensure_ascii=False). */
#include "base/rng.h"
#include "engine/prompt/json.h"

#include <criterion/criterion.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct {
    const char *text, *printed;
} pairs[] = {
    {"null", "null"},
    {"true", "true"},
    {"false", "false"},
    {" [ ] ", "[]"},
    {"{}", "{}"},
    {"{ \"b\" : 1,\"a\":2.50 , \"\":null}", "{\"b\": 1, \"a\": 2.5, \"\": null}"},
    {"[1,2 , [3,{\"x\":[]}]]", "[1, 2, [3, {\"x\": []}]]"},
    {"0", "0"},
    {"-0", "0"},
    {"-0.0", "-0.0"},
    {"0.0", "0.0"},
    {"1", "1"},
    {"-1", "-1"},
    {"12345678901234567890123456789", "12345678901234567890123456789"},
    {"1.0", "1.0"},
    {"1.50", "1.5"},
    {"1E5", "100000.0"},
    {"1e+2", "100.0"},
    {"1e-7", "1e-07"},
    {"123456789012345.0", "123456789012345.0"},
    {"1e15", "1000000000000000.0"},
    {"1e16", "1e+16"},
    {"9999999999999998.0", "9999999999999998.0"},
    {"123456789012345678.0", "1.2345678901234568e+17"},
    {"1e21", "1e+21"},
    {"1e22", "1e+22"},
    {"1e23", "1e+23"},
    {"0.001", "0.001"},
    {"0.0001", "0.0001"},
    {"0.00001", "1e-05"},
    {"1.5e-5", "1.5e-05"},
    {"0.1", "0.1"},
    {"0.30000000000000004", "0.30000000000000004"},
    {"2.5", "2.5"},
    {"1e400", "Infinity"},
    {"-1e400", "-Infinity"},
    {"1e-400", "0.0"},
    {"NaN", "NaN"},
    {"Infinity", "Infinity"},
    {"-Infinity", "-Infinity"},
    {"5e-324", "5e-324"},
    {"4.9e-324", "5e-324"},
    {"1e-323", "1e-323"},
    {"2.2250738585072014e-308", "2.2250738585072014e-308"},
    {"2.2250738585072011e-308", "2.225073858507201e-308"},
    {"1.7976931348623157e308", "1.7976931348623157e+308"},
    {"9007199254740993.0", "9007199254740992.0"},
    {"5.684341886080801486968994140625e-14", "5.684341886080802e-14"},
    {"9.5367431640625e-07", "9.5367431640625e-07"},
    {"3.141592653589793238462643", "3.141592653589793"},
    {"4.35", "4.35"},
    {"100.0", "100.0"},
    {"1e2", "100.0"},
    {"6.62607015e-34", "6.62607015e-34"},
    {"1.2e+100", "1.2e+100"},
    {"\"\\u0000\\u001f\\u007f\\u0080\\u2028\\ud83d\\ude00\"",
     "\"\\u0000\\u001f\x7f\xc2\x80\xe2\x80\xa8\xf0\x9f\x98\x80\""},
    {"\"\\/\\b\\f\\n\\r\\t\\\"\\\\\"", "\"/\\b\\f\\n\\r\\t\\\"\\\\\""},
    {"\"\xc3\xa9\xe5\x8c\x97\xf0\x9f\x9a\x80\"", "\"\xc3\xa9\xe5\x8c\x97\xf0\x9f\x9a\x80\""},
    {"\"\\u00E9\"", "\"\xc3\xa9\""},
    {"[\"\\\\u0041\"]", "[\"\\\\u0041\"]"},
    {"\x09\x0a\x0d 1 \x0a", "1"},
};

struct json {
    struct ts_arena arena;
    struct ts_writer printed;
    size_t offset;
    struct ts_error error;
    char *copy;
};

/* Reads from memory of exactly that size, so that the sanitizers see a read beyond its end. */
static const struct ts_json *read_json(struct json *j, const char *text, size_t length)
{
    *j = (struct json){.offset = 0};
    j->copy = malloc(length ? length : 1);
    cr_assert(j->copy != NULL);
    memcpy(j->copy, text, length);
    return ts_json_read(&j->arena, "x.json", (struct ts_text){j->copy, length}, &j->offset,
                        &j->error);
}

static void close_json(struct json *j)
{
    ts_writer_free(&j->printed);
    ts_arena_free(&j->arena);
    free(j->copy);
}

Test(prompt_json, prints_as_python)
{
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        struct json j;
        const struct ts_json *value = read_json(&j, pairs[i].text, strlen(pairs[i].text));
        cr_expect(value != NULL, "%s: %s", pairs[i].text, j.error.message);
        if (value) {
            ts_json_print(value, &j.printed);
            cr_expect(ts_text_equals(ts_writer_text(&j.printed), pairs[i].printed),
                      "%s: printed %.*s, expected %s", pairs[i].text, (int)j.printed.length,
                      j.printed.data, pairs[i].printed);
        }
        close_json(&j);
    }
}

/* What is printed reads back as the same double, and no shorter text does. */
Test(prompt_json, floats_are_shortest)
{
    const uint64_t seed = 20260801;
    struct ts_rng rng;
    ts_rng_seed(&rng, seed);
    for (int i = 0; i < 40000; i++) {
        uint64_t bits = ts_rng_next(&rng);
        double value, back;
        char text[64], shorter[64];
        struct ts_writer out = {0};
        bits = i % 8 == 0 ? (bits >> 53) << 52 : bits; /* powers of two too, and zero */
        bits &= ~(UINT64_C(1) << 63);
        memcpy(&value, &bits, sizeof value);
        ts_json_print_float(value, &out);
        cr_assert_lt(out.length, sizeof text);
        snprintf(text, sizeof text, "%.*s", (int)out.length, out.data);
        ts_writer_free(&out);
        if (strchr("NI", *text)) {
            continue;
        }
        back = strtod(text, NULL);
        cr_assert(memcmp(&back, &value, sizeof value) == 0, "seed %" PRIu64 ": %.17g: %s", seed,
                  value, text);
        int digits = 0, zeros = 0;
        for (const char *at = text; *at && *at != 'e'; at++) {
            digits += *at != '.' && (digits > 0 || *at != '0');
            zeros = *at == '0' ? zeros + 1 : *at == '.' ? zeros : 0;
        }
        if (digits - zeros > 1) {
            snprintf(shorter, sizeof shorter, "%.*e", digits - zeros - 2, value);
            cr_assert(strtod(shorter, NULL) != value, "seed %" PRIu64 ": %s: %s is shorter", seed,
                      text, shorter);
        }
    }
}

/* What is refused, where, and part of the reason. */
static const struct {
    const char *text;
    size_t offset;
    const char *reason;
} refused[] = {
    {"", 0, "expected a value"},
    {"  ", 2, "expected a value"},
    {"tru", 0, "expected a value"},
    {"nul", 0, "expected a value"},
    {"nan", 0, "expected a value"},
    {"'a'", 0, "expected a value"},
    {"\xef\xbb\xbf{}", 0, "expected a value"},
    {"-", 1, "digit behind -"},
    {"+1", 0, "expected a value"},
    {".5", 0, "expected a value"},
    {"1.", 2, "digit behind the point"},
    {"1.e5", 2, "digit behind the point"},
    {"1e", 2, "digit of the exponent"},
    {"1e+", 3, "digit of the exponent"},
    {"01", 0, "begins with 0"},
    {"-012", 1, "begins with 0"},
    {"0x10", 1, "nothing behind"},
    {"1 2", 2, "nothing behind"},
    {"{}}", 2, "nothing behind"},
    {"[", 1, "expected a value"},
    {"[1", 2, "',' or ']'"},
    {"[1,]", 3, "expected a value"},
    {"[1 2]", 3, "',' or ']'"},
    {"[1}", 2, "',' or ']'"},
    {"{", 1, "key in quotes"},
    {"{1:2}", 1, "key in quotes"},
    {"{\"a\"}", 4, "':'"},
    {"{\"a\":}", 5, "expected a value"},
    {"{\"a\":1,}", 7, "key in quotes"},
    {"{\"a\":1]", 6, "',' or '}'"},
    {"{\"a\":1,\"b\":2,\"a\":3}", 17, "key \"a\", which the object has twice"},
    {"[{\"\\u0061\":1,\"a\":3}]", 17, "twice"},
    {"{\"\":1,\"\":3}", 9, "twice"},
    {"\"abc", 0, "closing quote"},
    {"\"abc\\", 0, "closing quote"},
    {"\"abc\\\"", 0, "closing quote"},
    {"[\"a\nb\"]", 3, "control character"},
    {"\"\\x\"", 1, "expected one of"},
    {"\"\\u12\"", 5, "four hexadecimal"},
    {"\"\\u12g4\"", 5, "four hexadecimal"},
    {"\"\\ud800\"", 1, "surrogate"},
    {"\"a\\udc00\"", 2, "surrogate"},
    {"\"\\ud800\\u0041\"", 1, "surrogate"},
    {"\"\\ud800\\ud800\"", 1, "surrogate"},
    {"\"\\ud800\\n\"", 1, "surrogate"},
    {"\"a\xff\"", 2, "invalid UTF-8"},
    {"\"a\xc3\"", 2, "invalid UTF-8"},
    {"\"\xc0\x80\"", 1, "invalid UTF-8"},
    {"\"\xed\xa0\x80\"", 1, "invalid UTF-8"},
    {"\"\xf4\x90\x80\x80\"", 1, "invalid UTF-8"},
    {"{\"\x80\":1}", 2, "invalid UTF-8"},
    {"\xff", 0, "expected a value"},
};

Test(prompt_json, refuses_with_offset_and_reason)
{
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        struct json j;
        const struct ts_json *value = read_json(&j, refused[i].text, strlen(refused[i].text));
        cr_expect(value == NULL, "%s was read", refused[i].text);
        cr_expect_eq(j.error.code, TS_ERR_INPUT, "%s", refused[i].text);
        cr_expect_eq(j.offset, refused[i].offset, "%s: byte %zu, expected %zu", refused[i].text,
                     j.offset, refused[i].offset);
        cr_expect(strstr(j.error.message, refused[i].reason) != NULL &&
                      strncmp(j.error.message, "x.json: byte ", 13) == 0,
                  "%s: %s", refused[i].text, j.error.message);
        close_json(&j);
    }
}

static char *repeat(const char *head, const char *part, size_t count, const char *tail)
{
    size_t length = strlen(part);
    char *text = malloc(strlen(head) + length * count + strlen(tail) + 1), *at = text;
    cr_assert(text != NULL);
    at += sprintf(at, "%s", head);
    for (size_t i = 0; i < count; i++) {
        memcpy(at, part, length);
        at += length;
    }
    strcpy(at, tail);
    return text;
}

Test(prompt_json, limits)
{
    static const struct {
        const char *head, *part;
        size_t count;
        const char *tail, *reason; /* NULL: is read */
    } lines[] = {
        {"", "[", 512, "", "expected a value"}, /* as deep as may be, but not closed */
        {"", "[", 513, "", "more than 512"},
        {"", "{\"a\":", 100000, "", "more than 512"},
        {"", "9", 4300, "", NULL},
        {"-", "9", 4300, "", NULL},
        {"", "9", 4301, "", "more than 4300 digits"},
        {"1e", "9", 4299, "", "more than 4300 digits"},
        {"0.", "1", 4298, "", NULL},
        {"[", "0,", 100000, "0]", NULL},
        {"[", "0,", 4000000, "0]", "more values"},
        {"\"", "x", (1 << 24) - 2, "\"", NULL},
        {"\"", "x", (1 << 24) - 1, "\"", "at most"},
    };
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        struct json j;
        char *text = repeat(lines[i].head, lines[i].part, lines[i].count, lines[i].tail);
        const struct ts_json *value = read_json(&j, text, strlen(text));
        cr_expect_eq(value == NULL, lines[i].reason != NULL, "line %zu: %s", i, j.error.message);
        if (!value && lines[i].reason) {
            cr_expect(strstr(j.error.message, lines[i].reason), "line %zu: %s", i, j.error.message);
        }
        close_json(&j);
        free(text);
    }
}

/* Members keep their order; a duplicate among many is found, and it is the first one. */
Test(prompt_json, many_members)
{
    enum { COUNT = 50000 };
    char *text = malloc(COUNT * 24), *at = text;
    cr_assert(text != NULL);
    at += sprintf(at, "{");
    for (int i = 0; i < COUNT; i++) {
        at += sprintf(at, "%s\"k%d\": %d", i ? ", " : "", i * 7919 % COUNT, i);
    }
    strcpy(at, "}");
    struct json j;
    const struct ts_json *value = read_json(&j, text, strlen(text));
    cr_assert(value, "%s", j.error.message);
    ts_json_print(value, &j.printed);
    cr_expect(ts_text_equals(ts_writer_text(&j.printed), text));
    const struct ts_json *member = ts_json_find(value, "k7919");
    cr_expect(member && ts_text_equals(member->as.text, "1"));
    cr_expect_null(ts_json_find(value, "k"));
    close_json(&j);

    char *first = strstr(text, "\"k15838\": 2");
    cr_assert(first != NULL);
    memcpy(first, "\"k07919\"", 8); /* not the same key as k7919 */
    value = read_json(&j, text, strlen(text));
    cr_expect(value, "%s", j.error.message);
    close_json(&j);
    strcpy(at, ", \"k7\": 0, \"k0\": 0}");
    value = read_json(&j, text, strlen(text));
    cr_expect_null(value);
    cr_expect_eq(j.offset, (size_t)(at - text) + 8, "%s", j.error.message);
    close_json(&j);
    free(text);
}

Test(prompt_json, truth_is_pythons)
{
    static const char *const falses[] = {"null", "false", "0",  "-0", "0.0",
                                         "-0.0", "\"\"",  "[]", "{}", "1e-999"};
    static const char *const trues[] = {"true", "1",     "-1",  "0.1",
                                        "NaN",  "\"0\"", "[0]", "{\"\":0}"};
    struct json j;
    for (size_t i = 0; i < sizeof falses / sizeof *falses; i++) {
        cr_expect(!ts_json_truth(read_json(&j, falses[i], strlen(falses[i]))), "%s", falses[i]);
        close_json(&j);
    }
    for (size_t i = 0; i < sizeof trues / sizeof *trues; i++) {
        cr_expect(ts_json_truth(read_json(&j, trues[i], strlen(trues[i]))), "%s", trues[i]);
        close_json(&j);
    }
    cr_expect(!ts_json_truth(NULL));
}
