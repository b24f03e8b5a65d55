/* Text to ids and back with the model's vocabulary, at once and as a stream; the first byte chooses
 * between text with added tokens, without, and lines of tokenizer vectors. */
#include "engine/tokenizer/tokenizer.h"
#include "tests/fuzz/fuzz.h"

static struct ts_tokenizer *vocabulary(void)
{
    static struct ts_tokenizer *tokenizer;
    struct ts_error error = {.code = TS_OK};
    if (!tokenizer) {
        struct ts_gguf *gguf = ts_gguf_open("tests/data/vocab.gguf", &error);
        tokenizer = gguf ? ts_tokenizer_open(gguf, &error) : NULL;
        if (!tokenizer) {
            fprintf(stderr, "run this from the root of the repository: %s\n", error.message);
            exit(2);
        }
    }
    return tokenizer;
}

static void stream(const struct ts_tokenizer *tokenizer, const struct ts_ids *ids, const char *text,
                   size_t length)
{
    struct ts_error error = {.code = TS_OK};
    struct ts_decoder *decoder = ts_decoder_open(tokenizer, &error);
    struct ts_text part;
    size_t at = 0;
    FUZZ_EXPECT(decoder != NULL);
    for (size_t i = 0; i <= ids->count; i++) {
        if (i < ids->count) {
            FUZZ_EXPECT(ts_decoder_push(decoder, ids->data[i], &part, &error));
        } else {
            part = ts_decoder_flush(decoder);
        }
        FUZZ_EXPECT(part.length <= length - at);
        FUZZ_EXPECT(part.length == 0 || memcmp(text + at, part.data, part.length) == 0);
        at += part.length;
    }
    FUZZ_EXPECT(at == length);
    ts_decoder_close(decoder);
}

static void round_trip(struct ts_tokenizer *tokenizer, const char *text, size_t length,
                       bool specials)
{
    struct ts_error error = {.code = TS_OK};
    struct ts_ids ids = {NULL, 0, 0};
    char *back = NULL;
    size_t back_length = 0;
    FUZZ_EXPECT(ts_tokenizer_encode(tokenizer, text, length, specials, &ids, &error));
    FUZZ_EXPECT(ts_tokenizer_decode(tokenizer, ids.data, ids.count, &back, &back_length, &error));
    FUZZ_EXPECT(back_length == length && memcmp(back, text, length) == 0);
    stream(tokenizer, &ids, text, length);
    ts_ids_free(&ids);
    free(back);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct ts_tokenizer *tokenizer = vocabulary();
    if (size == 0) {
        return 0;
    }
    char *text = (char *)fuzz_copy(data + 1, size - 1);
    if (data[0] % 3 < 2) {
        round_trip(tokenizer, text, size - 1, data[0] % 3 == 1);
    } else {
        static FILE *nowhere;
        struct ts_vector_counts counts;
        struct ts_error error = {.code = TS_OK};
        nowhere = nowhere ? nowhere : fopen("/dev/null", "w");
        FUZZ_EXPECT(nowhere != NULL);
        bool ok = ts_tokenizer_check_vectors(tokenizer, "input", text, size - 1, nowhere, &counts,
                                             &error);
        FUZZ_EXPECT(ok ? counts.passed > 0 && counts.failed == 0
                       : error.code == TS_ERR_DATA || error.code == TS_ERR_CHECK);
    }
    free(text);
    return 0;
}
