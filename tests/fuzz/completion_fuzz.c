/* What a model may write, taken apart: the same at once and byte by byte or in pieces, which the
 * first byte chooses with whether it begins with reasoning. */
#include "engine/prompt/parse.h"
#include "tests/fuzz/fuzz.h"

static bool same(struct ts_text a, struct ts_text b)
{
    return a.length == b.length && (a.length == 0 || memcmp(a.data, b.data, a.length) == 0);
}

static struct ts_reply_parser *parse(bool reasoning, const char *text, size_t size, size_t piece)
{
    struct ts_error error = {.code = TS_OK};
    struct ts_reply_parser *parser = ts_reply_open(reasoning, &error);
    FUZZ_EXPECT(parser != NULL);
    size_t seen = 0;
    for (size_t at = 0; at < size;) {
        size_t length = piece && piece < size - at ? piece : size - at;
        FUZZ_EXPECT(ts_reply_feed(parser, text + at, length, &error));
        const struct ts_reply *reply = ts_reply_get(parser);
        FUZZ_EXPECT(reply->content.length + reply->reasoning.length >= seen);
        seen = reply->content.length + reply->reasoning.length;
        at += length;
    }
    ts_reply_finish(parser);
    return parser;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0) {
        return 0;
    }
    bool reasoning = data[0] % 2 == 1;
    char *text = (char *)fuzz_copy(data + 1, size - 1);
    struct ts_reply_parser *whole = parse(reasoning, text, size - 1, 0);
    struct ts_reply_parser *parts = parse(reasoning, text, size - 1, 1u + data[0] / 2 % 16);
    const struct ts_reply *a = ts_reply_get(whole), *b = ts_reply_get(parts);
    FUZZ_EXPECT(a->problem == b->problem && a->position == b->position && a->ended == b->ended);
    FUZZ_EXPECT(same(a->reasoning, b->reasoning) && same(a->content, b->content));
    FUZZ_EXPECT(a->call_count == b->call_count && a->position <= size);
    for (size_t i = 0; i < a->call_count; i++) {
        struct ts_writer x = {0}, y = {0};
        ts_json_print(a->calls[i].arguments, &x);
        ts_json_print(b->calls[i].arguments, &y);
        FUZZ_EXPECT(same(a->calls[i].name, b->calls[i].name));
        FUZZ_EXPECT(same(ts_writer_text(&x), ts_writer_text(&y)));
        ts_writer_free(&x);
        ts_writer_free(&y);
    }
    ts_reply_close(whole);
    ts_reply_close(parts);
    free(text);
    return 0;
}
