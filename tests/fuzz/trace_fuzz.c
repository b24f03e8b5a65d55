/* Trace files of a small model, and operation vectors. */
#include "engine/check/golden.h"
#include "engine/check/trace.h"
#include "tests/fuzz/fuzz.h"
#include "tools/make-hostile/make_hostile.h"

static const struct ts_model *model_of_traces(void)
{
    static struct ts_model *model;
    static struct draft draft;
    static struct bytes bytes;
    struct ts_error error = {.code = TS_OK};
    if (!model) {
        sound_model(&draft, 0);
        bytes = draft_write(&draft);
        struct ts_gguf *gguf = ts_gguf_open_memory("model", bytes.data, bytes.length, &error);
        model = gguf ? ts_model_bind(gguf, &error) : NULL;
        FUZZ_EXPECT(model != NULL);
    }
    return model;
}

static void read_trace(struct ts_gguf *gguf, const struct ts_model *model)
{
    struct ts_error error = {.code = TS_OK};
    struct ts_trace *trace = ts_trace_bind(gguf, model, &error);
    if (!trace) {
        FUZZ_EXPECT(error.code == TS_ERR_DATA && error.message[0]);
        return;
    }
    uint64_t column = 0;
    for (uint64_t p = 0; p < trace->tokens; p++) {
        FUZZ_EXPECT(trace->ids[p] >= 0 && (uint64_t)trace->ids[p] < trace->vocab);
        FUZZ_EXPECT(!ts_trace_column(trace, p, &column) || column < trace->positions);
    }
    ts_trace_close(trace);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct ts_model *model = model_of_traces();
    uint8_t *copy = fuzz_copy(data, size);
    struct ts_error error = {.code = TS_OK};
    struct ts_golden_result result;
    struct ts_gguf *gguf = ts_gguf_open_memory("input", copy, size, &error);
    if (gguf) {
        bool ok = ts_golden_check_gguf(gguf, &result, &error);
        FUZZ_EXPECT(ok || error.code == TS_ERR_DATA);
        read_trace(gguf, model); /* closes it */
    }
    free(copy);
    return 0;
}
