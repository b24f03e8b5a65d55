/* JSON, which is read, printed, read again and printed the same; and what it makes as a request. */
#include "engine/prompt/request.h"
#include "tests/fuzz/fuzz.h"

static void print_twice(const struct ts_json *json)
{
    struct ts_writer first = {0}, second = {0};
    struct ts_arena arena = {0};
    struct ts_error error = {.code = TS_OK};
    ts_json_print(json, &first);
    const struct ts_json *again =
        ts_json_read(&arena, "printed", ts_writer_text(&first), NULL, &error);
    if (!again) {
        fprintf(stderr, "%s\n", error.message);
    }
    FUZZ_EXPECT(again != NULL);
    ts_json_print(again, &second);
    struct ts_text a = ts_writer_text(&first), b = ts_writer_text(&second);
    FUZZ_EXPECT(a.length == b.length && memcmp(a.data, b.data, a.length) == 0);
    ts_writer_free(&first);
    ts_writer_free(&second);
    ts_arena_free(&arena);
}

static void render(struct ts_arena *arena, const struct ts_json *json)
{
    struct ts_error error = {.code = TS_OK};
    struct ts_prompt_request request;
    struct ts_prompt prompt = {.reply = 0};
    if (!ts_prompt_request_read(arena, "input", json, TS_RELEASE_PREVIEW, &request, &error)) {
        FUZZ_EXPECT(error.code == TS_ERR_INPUT && error.message[0]);
        return;
    }
    FUZZ_EXPECT(ts_prompt_render(&request.conversation, &request.options, &prompt, &error));
    size_t length = ts_writer_text(&prompt.text).length;
    FUZZ_EXPECT(prompt.reply <= length && prompt.reply_length <= length - prompt.reply);
    ts_prompt_free(&prompt);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *copy = (char *)fuzz_copy(data, size);
    struct ts_arena arena = {0};
    struct ts_error error = {.code = TS_OK};
    size_t offset = 0;
    const struct ts_json *json =
        ts_json_read(&arena, "input", (struct ts_text){copy, size}, &offset, &error);
    if (json) {
        print_twice(json);
        render(&arena, json);
    } else {
        FUZZ_EXPECT(error.code == TS_ERR_INPUT && error.message[0] && offset <= size);
    }
    ts_arena_free(&arena);
    free(copy);
    return 0;
}
