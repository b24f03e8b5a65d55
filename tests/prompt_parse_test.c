/* Replies taken apart: round trips, every kind of damage, and the same result however the bytes
 * are cut. */
#include "base/clock.h"
#include "base/rng.h"
#include "engine/prompt/cases.h"
#include "engine/prompt/parse.h"
#include "tests/support/program.h"
#include "tests/support/slow.h"

#include <inttypes.h>

#define D "｜DSML｜"
#define AT "\x01" /* not a part of the reply: where its problem is */
#define HEAD "\n\n<" D "tool_calls>\n"
#define TAIL "</" D "tool_calls>"
#define INVOKE(name) "<" D "invoke name=\"" name "\">\n"
#define END "</" D "invoke>\n"
#define PARAM(key, string, value)                                                                  \
    "<" D "parameter name=\"" key "\" string=\"" string "\">" value "</" D "parameter>\n"
#define CALL(name) INVOKE(name) PARAM("k", "true", "v") END

/* Everything known of a reply as one text, to compare. The caller frees it. */
static char *summary(const struct ts_reply *reply)
{
    struct ts_writer out = {0};
    char line[128];
    ts_json_print_string(reply->reasoning, &out);
    ts_writer_add_string(&out, " ");
    ts_json_print_string(reply->content, &out);
    for (size_t i = 0; i < reply->call_count; i++) {
        ts_writer_add_string(&out, " ");
        ts_writer_add_text(&out, reply->calls[i].name);
        ts_json_print(reply->calls[i].arguments, &out);
    }
    snprintf(line, sizeof line, " %s%s", reply->ended ? "ended " : "",
             ts_reply_problem_name(reply->problem));
    ts_writer_add_string(&out, line);
    if (reply->problem != TS_REPLY_OK) {
        snprintf(line, sizeof line, " %zu", reply->position);
        ts_writer_add_string(&out, line);
    }
    cr_assert(!out.failed);
    ts_writer_add(&out, "", 1);
    return out.data;
}

static void feed(struct ts_reply_parser *parser, const char *bytes, size_t length)
{
    struct ts_error error;
    char *copy = malloc(length ? length : 1); /* of exactly that size, for the sanitizers */
    cr_assert(copy != NULL);
    memcpy(copy, bytes, length);
    cr_assert(ts_reply_feed(parser, copy, length, &error), "%s", error.message);
    free(copy);
}

/* The summary of a reply that arrives in two pieces (the first of `first` bytes), or with `rng` in
 * pieces of random lengths. */
static char *parse(bool reasoning, const char *text, size_t length, size_t first,
                   struct ts_rng *rng)
{
    struct ts_error error;
    struct ts_reply_parser *parser = ts_reply_open(reasoning, &error);
    cr_assert(parser != NULL);
    for (size_t at = 0; at < length;) {
        size_t most = length - at, bytes = at == 0 && first > 0 && first < most ? first : most;
        if (rng) {
            bytes = 1 + (size_t)ts_rng_below(rng, most < 12 ? most : 12);
        }
        feed(parser, text + at, bytes);
        at += bytes;
    }
    ts_reply_finish(parser);
    char *result = summary(ts_reply_get(parser));
    ts_reply_close(parser);
    return result;
}

/* A reply, and what it is. */
static const struct {
    bool reasoning;
    const char *marked, *result;
} replies[] = {
    /* well formed */
    {false, "", "\"\" \"\" ok"},
    {false, TS_EOS, "\"\" \"\" ended ok"},
    {false, " Hi\n" TS_EOS, "\"\" \" Hi\\n\" ended ok"},
    {false, "Hi", "\"\" \"Hi\" ok"},
    {true, "a\n</think>\n\nb" TS_EOS, "\"a\\n\" \"\\n\\nb\" ended ok"},
    {true, "</think>" TS_EOS, "\"\" \"\" ended ok"},
    {true, "</thin</think><</think" TS_EOS, "\"</thin\" \"<</think\" ended ok"},
    {false, "a <b> \n\n\n< ｜DSM <｜end▁of" TS_EOS,
     "\"\" \"a <b> \\n\\n\\n< ｜DSM <｜end▁of\" ended ok"},
    {false, "a\n\n<", "\"\" \"a\\n\\n<\" ok"},
    {false, "<｜User｜>", "\"\" \"<｜User｜>\" ok"},
    {false, "\xff\xe2\x82", "\"\" \"\xff\xe2\x82\" ok"},
    {false, HEAD CALL("f") TAIL TS_EOS, "\"\" \"\" f{\"k\": \"v\"} ended ok"},
    {false, "x\n" HEAD CALL("f") CALL("g") TAIL,
     "\"\" \"x\\n\" f{\"k\": \"v\"} g{\"k\": \"v\"} ok"},
    {true, "r</think>" HEAD CALL("f") TAIL TS_EOS, "\"r\" \"\" f{\"k\": \"v\"} ended ok"},
    {false, HEAD INVOKE("f") "\n" END TAIL TS_EOS, "\"\" \"\" f{} ended ok"},
    {false, HEAD INVOKE("f") END TAIL TS_EOS, "\"\" \"\" f{} ended ok"},
    {false, HEAD TAIL TS_EOS, "\"\" \"\" ended ok"},
    {false, HEAD INVOKE("f\"g>") PARAM("a\"b", "true", "") END TAIL,
     "\"\" \"\" f\"g>{\"a\\\"b\": \"\"} ok"},
    {false, HEAD INVOKE("f") PARAM("a", "true", " x\n</ > \" ") PARAM("b", "true", "1") END TAIL,
     "\"\" \"\" f{\"a\": \" x\\n</ > \\\" \", \"b\": \"1\"} ok"},
    {false, HEAD INVOKE("f") PARAM("a", "false", " [1.50, {\"b\" :null}]\n") END TAIL,
     "\"\" \"\" f{\"a\": [1.5, {\"b\": null}]} ok"},
    /* cut */
    {true, AT, "\"\" \"\" cut"},
    {true, "why" AT, "\"why\" \"\" cut"},
    {true, "why</thi" AT, "\"why</thi\" \"\" cut"},
    {false, "a" AT "\n\n<" D, "\"\" \"a\" cut"},
    {false, "a" AT "\n\n<" D "tool_call", "\"\" \"a\" cut"},
    {false, "a\n\n<" D "tool_calls" AT, "\"\" \"a\" cut"},
    {false, "a" HEAD AT, "\"\" \"a\" cut"},
    {false, "a" HEAD CALL("f") AT, "\"\" \"a\" f{\"k\": \"v\"} cut"},
    {false, "a" HEAD CALL("f") "<" D "inv" AT, "\"\" \"a\" f{\"k\": \"v\"} cut"},
    {false, "a" HEAD CALL("f") TAIL "<｜end" AT, "\"\" \"a\" f{\"k\": \"v\"} cut"},
    /* unclosed */
    {true, "why" AT TS_EOS, "\"why\" \"\" unclosed tag"},
    {true, "why" AT HEAD CALL("f") TAIL TS_EOS, "\"why\" \"\" unclosed tag"},
    {false, HEAD CALL("f") AT TS_EOS, "\"\" \"\" f{\"k\": \"v\"} unclosed tag"},
    {false, HEAD INVOKE("f") AT TS_EOS, "\"\" \"\" unclosed tag"},
    {false, HEAD INVOKE("f") AT TAIL TS_EOS, "\"\" \"\" unclosed tag"},
    {false, HEAD INVOKE("f" AT TS_EOS), "\"\" \"\" unclosed tag"},
    {false, HEAD "<" D "invoke name=\"" AT END, "\"\" \"\" unclosed tag"},
    {false, HEAD INVOKE("f") "<" D "parameter name=\"a\" string=\"true\">x" AT END TAIL,
     "\"\" \"\" unclosed tag"},
    {false, HEAD INVOKE("f") "<" D "parameter name=\"a\" string=\"true\">x" AT TS_EOS,
     "\"\" \"\" unclosed tag"},
    {false, HEAD INVOKE("f") "<" D "parameter name=\"a" AT TS_EOS, "\"\" \"\" unclosed tag"},
    {false, HEAD INVOKE("f") "<" D "parameter name=\"a\">1" AT "</" D "parameter>\n",
     "\"\" \"\" unclosed tag"},
    {false,
     HEAD INVOKE("f") "<" D "parameter name=\"a\" string=\"TRUE\">1" AT "</" D "parameter>\n",
     "\"\" \"\" unclosed tag"},
    /* nested */
    {false, HEAD INVOKE("f") AT INVOKE("g") END END TAIL, "\"\" \"\" nested call"},
    {false, HEAD AT "<" D "tool_calls>\n", "\"\" \"\" nested call"},
    {false, HEAD INVOKE("f") AT "<" D "tool_calls>\n", "\"\" \"\" nested call"},
    {false, HEAD INVOKE("f") PARAM("a", "true", "x" AT CALL("g")) END TAIL,
     "\"\" \"\" nested call"},
    {false, HEAD CALL("e") INVOKE("f") PARAM("a", "true", "x" AT PARAM("b", "true", "y")) END TAIL,
     "\"\" \"\" e{\"k\": \"v\"} nested call"},
    /* tokens out of place */
    {false, "a" AT "<think>b", "\"\" \"a\" misplaced token"},
    {false, "a" AT "</think>b", "\"\" \"a\" misplaced token"},
    {true, "a" AT "<think>b", "\"a\" \"\" misplaced token"},
    {true, "a</think>b" AT "</think>c", "\"a\" \"b\" misplaced token"},
    {false, "a" AT TS_BOS, "\"\" \"a\" misplaced token"},
    {true, "a " AT D, "\"a \" \"\" misplaced token"},
    {false, "a\n<" AT D "tool_calls>", "\"\" \"a\\n<\" misplaced token"},
    {false, "a\n\n<" AT D "tool_call>", "\"\" \"a\\n\\n<\" misplaced token"},
    {false, "a</" AT D "tool_calls>", "\"\" \"a</\" misplaced token"},
    {false, HEAD AT PARAM("a", "true", "x"), "\"\" \"\" misplaced token"},
    {false, HEAD AT END, "\"\" \"\" misplaced token"},
    /* tags that are not as they should be */
    {false, "\n\n<" D "tool_calls" AT " >\n", "\"\" \"\" malformed tag"},
    {false, HEAD AT "x" CALL("f"), "\"\" \"\" malformed tag"},
    {false, HEAD "<" D "invoke" AT "  name=\"f\">\n", "\"\" \"\" malformed tag"},
    {false, HEAD "<" D "invoke" AT ">\n", "\"\" \"\" malformed tag"},
    {false, HEAD INVOKE("f") AT "text", "\"\" \"\" malformed tag"},
    {false, HEAD INVOKE("f") PARAM("a", "true", "") AT "\n" END, "\"\" \"\" malformed tag"},
    {false, HEAD INVOKE("f") "<" D "parameter" AT " string=\"true\"", "\"\" \"\" malformed tag"},
    {false, HEAD INVOKE("f") PARAM("a", "true", "1") AT "x" END, "\"\" \"\" malformed tag"},
    {false, HEAD CALL("f") AT " " TAIL, "\"\" \"\" f{\"k\": \"v\"} malformed tag"},
    /* values */
    {false, HEAD INVOKE("f") PARAM("a", "false", "[1," AT "x]") END, "\"\" \"\" invalid JSON"},
    {false, HEAD INVOKE("f") PARAM("a", "false", AT) END, "\"\" \"\" invalid JSON"},
    {false, HEAD INVOKE("f") PARAM("a", "false", "{\"a\":1,\"a\":" AT "2}") END,
     "\"\" \"\" invalid JSON"},
    {false, HEAD CALL("e") INVOKE("f") PARAM("a", "false", AT "Paris") END,
     "\"\" \"\" e{\"k\": \"v\"} invalid JSON"},
    {false, HEAD INVOKE("f") PARAM("a", "true", "1") PARAM("a", "true", AT "2") END,
     "\"\" \"\" duplicate parameter"},
    {false, HEAD INVOKE("f") PARAM("a", "true", "x" AT "\xff") END, "\"\" \"\" invalid UTF-8"},
    {false, HEAD INVOKE("f" AT "\xc3") END, "\"\" \"\" invalid UTF-8"},
    {false, HEAD INVOKE("f") PARAM(AT "\xff", "true", "") END, "\"\" \"\" invalid UTF-8"},
    /* behind the end */
    {false, HEAD CALL("f") TAIL AT "\n" TS_EOS, "\"\" \"\" f{\"k\": \"v\"} text after calls"},
    {false, HEAD CALL("f") TAIL AT "and so", "\"\" \"\" f{\"k\": \"v\"} text after calls"},
    {false, HEAD CALL("f") TAIL AT HEAD, "\"\" \"\" f{\"k\": \"v\"} text after calls"},
    {false, "a" TS_EOS AT "b", "\"\" \"a\" ended text after the end"},
    {false, HEAD CALL("f") TAIL TS_EOS AT "\n",
     "\"\" \"\" f{\"k\": \"v\"} ended text after the end"},
};

enum { REPLIES = sizeof replies / sizeof *replies };

/* A line of the table without its mark, and with it in the result. The caller frees both. */
static size_t get_reply(size_t index, char **text, char **result)
{
    const char *marked = replies[index].marked, *mark = strstr(marked, AT);
    size_t length = strlen(marked), room = strlen(replies[index].result) + 24;
    *text = malloc(length + 1);
    *result = malloc(room);
    cr_assert(*text && *result);
    memcpy(*text, marked, length + 1);
    snprintf(*result, room, "%s", replies[index].result);
    if (mark) {
        size_t at = (size_t)(mark - marked);
        memmove(*text + at, mark + 1, length - at);
        snprintf(*result, room, "%s %zu", replies[index].result, at);
        length--;
    }
    return length;
}

Test(prompt_parse, replies_and_every_split_of_them)
{
    for (size_t i = 0; i < REPLIES; i++) {
        char *text, *result;
        size_t length = get_reply(i, &text, &result);
        bool same = true;
        for (size_t first = 0; same && first <= length; first++) { /* 0: all at once */
            char *got = parse(replies[i].reasoning, text, length, first, NULL);
            same = strcmp(got, result) == 0;
            cr_expect(same, "%s, cut at %zu: %s, expected %s", text, first, got, result);
            free(got);
        }
        free(text);
        free(result);
    }
}

static bool begins_with(struct ts_text whole, const char *part, size_t length)
{
    return whole.length >= length && memcmp(whole.data, part, length) == 0;
}

/* Byte by byte: what is shown only grows, and stays. */
Test(prompt_parse, stream_only_grows)
{
    for (size_t i = 0; i < REPLIES; i++) {
        char *text, *result;
        size_t length = get_reply(i, &text, &result), calls = 0;
        struct ts_error error;
        struct ts_reply_parser *parser = ts_reply_open(replies[i].reasoning, &error);
        char content[256], reasoning[256];
        size_t content_length = 0, reasoning_length = 0;
        cr_assert(parser != NULL);
        for (size_t at = 0; at <= length; at++) {
            if (at < length) {
                feed(parser, text + at, 1);
            } else {
                ts_reply_finish(parser);
            }
            const struct ts_reply *reply = ts_reply_get(parser);
            cr_assert(begins_with(reply->content, content, content_length) &&
                          begins_with(reply->reasoning, reasoning, reasoning_length) &&
                          reply->call_count >= calls,
                      "%s: byte %zu", text, at);
            cr_assert(reply->content.length < 256 && reply->reasoning.length < 256);
            content_length = reply->content.length;
            reasoning_length = reply->reasoning.length;
            memcpy(content, reply->content.data, content_length);
            memcpy(reasoning, reply->reasoning.data, reasoning_length);
            calls = reply->call_count;
        }
        ts_reply_close(parser);
        free(text);
        free(result);
    }
}

/* Text is shown as soon as it cannot be the beginning of a token. */
Test(prompt_parse, holds_back_little)
{
    static const struct {
        const char *text;
        size_t shown;
    } lines[] = {{"abc", 3},          {"abc ", 4},
                 {"a\n", 1},          {"a\nb", 3},
                 {"a\n\n", 1},        {"a\n\n\n", 2},
                 {"a\n\n<｜DSML", 1}, {"a\n\n<b", 5},
                 {"a</thi", 1},       {"a</thx", 6},
                 {"a｜DSML", 1},      {"a｜DSMx", 8},
                 {"a<｜end", 1},      {"a\n\n\n<｜DSML｜tool_cal", 2}};
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        struct ts_error error;
        struct ts_reply_parser *parser = ts_reply_open(false, &error);
        cr_assert(parser != NULL);
        feed(parser, lines[i].text, strlen(lines[i].text));
        size_t shown = ts_reply_get(parser)->content.length;
        cr_expect_eq(shown, lines[i].shown, "%s: %zu bytes shown", lines[i].text, shown);
        ts_reply_close(parser);
    }
}

/* ---- the known cases ---- */

typedef void visit_fn(const struct ts_prompt *prompt, const struct ts_message *last, uint64_t line);

/* Visits the cases that end with an assistant's turn; returns how many. */
static unsigned visit_cases(const char *path, visit_fn *visit)
{
    FILE *file = fopen(path, "rb");
    char *line = NULL;
    size_t capacity = 0;
    ssize_t length;
    unsigned count = 0;
    cr_assert(file != NULL, "%s", path);
    for (uint64_t number = 1; (length = getline(&line, &capacity, file)) > 0; number++) {
        struct ts_arena arena = {0};
        struct ts_prompt prompt = {.reply = 0};
        struct ts_prompt_request request;
        struct ts_error error;
        const struct ts_json *json =
            ts_json_read(&arena, path, (struct ts_text){line, (size_t)length}, NULL, &error);
        cr_assert(
            json &&
                ts_prompt_request_read(&arena, path, json, TS_RELEASE_PREVIEW, &request, &error) &&
                ts_prompt_render(&request.conversation, &request.options, &prompt, &error),
            "%s", error.message);
        const struct ts_conversation *all = &request.conversation;
        const struct ts_message *last = all->count > 0 ? &all->messages[all->count - 1] : NULL;
        if (last && last->role == TS_SPEAKER_ASSISTANT) {
            visit(&prompt, last, number);
            count++;
        }
        ts_prompt_free(&prompt);
        ts_arena_free(&arena);
    }
    free(line);
    fclose(file);
    return count;
}

static void check_round_trip(const struct ts_prompt *prompt, const struct ts_message *last,
                             uint64_t line)
{
    struct ts_error error;
    for (size_t split = 0; split < 40; split++) {
        cr_expect(ts_prompt_check_reply(prompt, last, split, &error), "line %" PRIu64 ", %zu: %s",
                  line, split, error.message);
    }
    /* a check that can fail */
    struct ts_message other = *last;
    other.content = (struct ts_text){"other", 5};
    cr_expect(!ts_prompt_check_reply(prompt, &other, 0, &error), "line %" PRIu64, line);
    other = *last;
    other.open = !other.open;
    cr_expect(!ts_prompt_check_reply(prompt, &other, 0, &error), "line %" PRIu64, line);
    if (last->call_count > 0) {
        struct ts_call calls[64];
        cr_assert(last->call_count <= 64);
        memcpy(calls, last->calls, last->call_count * sizeof *calls);
        other = *last;
        other.calls = calls;
        calls[last->call_count - 1].name =
            (struct ts_text){"other", 5}; /* its arguments as before */
        cr_expect(!ts_prompt_check_reply(prompt, &other, 0, &error), "line %" PRIu64, line);
        cr_expect(strstr(error.message, "name of a call") != NULL, "%s", error.message);
    }
}

Test(prompt_parse, round_trip)
{
    cr_expect_eq(visit_cases("tests/data/prompt-cases.jsonl", check_round_trip), 58);
    cr_expect_eq(visit_cases("tests/data/prompt-more.jsonl", check_round_trip), 40);
}

/* Damages a reply in a few places. */
static size_t mutate(char *text, size_t length, struct ts_rng *rng)
{
    static const char *const pieces[] = {
        TS_EOS, TS_THINK,    TS_END_THINK, D,         HEAD,
        TAIL,   INVOKE("f"), END,          CALL("g"), "\n",
        "<",    "\"",        ">",          "\xff",    PARAM("a", "false", "1")};
    for (uint64_t edits = 1 + ts_rng_below(rng, 3); edits > 0 && length > 0; edits--) {
        size_t at = (size_t)ts_rng_below(rng, length), left = length - at;
        const char *piece = pieces[ts_rng_below(rng, sizeof pieces / sizeof *pieces)];
        size_t bytes = 1 + (size_t)ts_rng_below(rng, left < 40 ? left : 40);
        switch (ts_rng_below(rng, 4)) {
        case 0: length = at; break;
        case 1: text[at] = (char)ts_rng_below(rng, 256); break;
        case 2:
            memmove(text + at, text + at + bytes, left - bytes);
            length -= bytes;
            break;
        default:
            memmove(text + at + strlen(piece), text + at, left);
            memcpy(text + at, piece, strlen(piece));
            length += strlen(piece);
        }
    }
    return length;
}

static void check_mutants(const struct ts_prompt *prompt, const struct ts_message *last,
                          uint64_t line)
{
    const uint64_t seed = 77 + line;
    struct ts_rng rng;
    (void)last;
    ts_rng_seed(&rng, seed);
    char *text = malloc(prompt->reply_length + 4096);
    cr_assert(text != NULL);
    for (int i = 0; i < 60; i++) {
        memcpy(text, prompt->text.data + prompt->reply, prompt->reply_length);
        size_t length = mutate(text, prompt->reply_length, &rng);
        char *whole = parse(prompt->reasoning, text, length, 0, NULL);
        for (int split = 0; split < 3; split++) {
            char *got = parse(prompt->reasoning, text, length, 0, &rng);
            cr_expect_str_eq(got, whole, "seed %" PRIu64 ", mutant %d: %.*s: %s and %s", seed, i,
                             (int)length, text, whole, got);
            free(got);
        }
        free(whole);
    }
    free(text);
}

Test(prompt_parse, mutants_do_not_depend_on_splits)
{
    cr_expect_eq(visit_cases("tests/data/prompt-cases.jsonl", check_mutants), 58);
}

static void check_cuts(const struct ts_prompt *prompt, const struct ts_message *last, uint64_t line)
{
    const char *text = prompt->text.data + prompt->reply;
    (void)last;
    for (size_t length = 0; length < prompt->reply_length; length++) {
        struct ts_error error;
        struct ts_reply_parser *parser = ts_reply_open(prompt->reasoning, &error);
        cr_assert(parser != NULL);
        feed(parser, text, length);
        ts_reply_finish(parser);
        const struct ts_reply *reply = ts_reply_get(parser);
        cr_expect(reply->problem == TS_REPLY_OK || reply->problem == TS_REPLY_CUT,
                  "line %" PRIu64 ", %zu bytes: %s", line, length,
                  ts_reply_problem_name(reply->problem));
        cr_expect(reply->position <= length && !reply->ended);
        cr_expect_eq(ts_reply_check(reply, &error), reply->problem == TS_REPLY_OK);
        ts_reply_close(parser);
    }
}

Test(prompt_parse, cut_anywhere)
{
    cr_expect_eq(visit_cases("tests/data/prompt-cases.jsonl", check_cuts), 58);
}

/* The beginnings of tokens, again and again, in a megabyte that comes byte by byte. */
Test(prompt_parse, time_is_linear)
{
    static const char *const parts[] = {"\n\n<｜DSML", "\n", "<｜end▁of▁sentence", "｜", "</think"};
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        struct ts_error error;
        struct ts_reply_parser *parser = ts_reply_open(true, &error);
        size_t length = strlen(parts[i]), fed = 0;
        cr_assert(parser != NULL);
        uint64_t start = ts_clock_ns();
        for (; fed < 1000000; fed++) {
            cr_assert(ts_reply_feed(parser, &parts[i][fed % length], 1, &error));
        }
        double seconds = (double)(ts_clock_ns() - start) / 1e9;
        cr_expect_lt(seconds, 2.0 * TEST_SLOWNESS, "%s: %.2f s", parts[i], seconds);
        cr_expect_eq(ts_reply_get(parser)->problem, TS_REPLY_OK);
        ts_reply_close(parser);
    }
}
