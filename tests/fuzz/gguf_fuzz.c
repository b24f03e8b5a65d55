/* Opening files: directory, typed values, metadata of a model, its vocabulary, its plan. */
#include "engine/model/inventory.h"
#include "engine/session/session.h"
#include "engine/tokenizer/tokenizer.h"
#include "tests/fuzz/fuzz.h"

static void walk(const struct ts_gguf *gguf)
{
    for (uint64_t i = 0; i < gguf->key_count; i++) {
        const struct ts_gguf_key *key = &gguf->keys[i];
        const uint8_t *cursor = key->value;
        uint64_t whole, total = 0;
        double real;
        FUZZ_EXPECT(ts_text_show(key->name).text[0] != '\0');
        for (uint64_t k = 0; k < key->count && k < 64; k++) {
            if (key->element == TS_GGUF_STRING && key->type == TS_GGUF_ARRAY) {
                struct ts_text text = ts_gguf_next_text(&cursor);
                total += text.length ? (uint8_t)text.data[text.length - 1] : 0;
            } else if (ts_gguf_array_u64(key, k, &whole)) {
                FUZZ_EXPECT(ts_gguf_array_f64(key, k, &real));
            }
        }
        FUZZ_EXPECT(cursor <= gguf->data + gguf->size && total < UINT64_MAX);
    }
    for (uint64_t i = 0; i < gguf->tensor_count; i++) {
        const struct ts_gguf_tensor *tensor = &gguf->tensors[i];
        FUZZ_EXPECT(tensor->bytes > 0 && tensor->offset >= gguf->data_offset &&
                    tensor->offset % gguf->alignment == 0 && tensor->offset <= gguf->size &&
                    tensor->bytes <= gguf->size - tensor->offset);
    }
}

static void use_vocabulary(const struct ts_gguf *gguf)
{
    static const char text[] = "ab abb <eos> \xc3\xa9\n";
    struct ts_error error = {.code = TS_OK};
    struct ts_ids ids = {NULL, 0, 0};
    char *back = NULL;
    size_t length = 0;
    struct ts_tokenizer *tokenizer = ts_tokenizer_open(gguf, &error);
    if (tokenizer) {
        FUZZ_EXPECT(ts_tokenizer_encode(tokenizer, text, sizeof text - 1, true, &ids, &error));
        FUZZ_EXPECT(ts_tokenizer_decode(tokenizer, ids.data, ids.count, &back, &length, &error));
    } else {
        FUZZ_EXPECT(error.code == TS_ERR_INPUT && error.message[0]);
    }
    free(back);
    ts_ids_free(&ids);
    ts_tokenizer_close(tokenizer);
}

static void use_model(struct ts_gguf *gguf)
{
    struct ts_error error = {.code = TS_OK};
    struct ts_inventory inventory;
    struct ts_session_plan plan;
    ts_inventory_count(gguf, NULL, &inventory);
    struct ts_model *model = ts_model_bind(gguf, &error);
    if (!model) {
        FUZZ_EXPECT(error.code == TS_ERR_INPUT && error.message[0]);
        return;
    }
    struct ts_session_options options = {.context = 64};
    ts_inventory_count(model->gguf, model, &inventory);
    ts_model_check_data(model, &error);
    if (ts_session_resolve(model, &options, &error)) {
        ts_session_plan(model, &options, &plan, &error);
    }
    ts_model_close(model);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t *copy = fuzz_copy(data, size);
    struct ts_error error = {.code = TS_OK};
    struct ts_gguf *gguf = ts_gguf_open_memory("input", copy, size, &error);
    if (gguf) {
        walk(gguf);
        use_vocabulary(gguf);
        use_model(gguf); /* closes it */
    } else {
        FUZZ_EXPECT(error.code == TS_ERR_INPUT);
        FUZZ_EXPECT(strncmp(error.message, "input: offset ", 14) == 0);
    }
    free(copy);
    return 0;
}
