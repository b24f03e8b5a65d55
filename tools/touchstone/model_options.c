#include "tools/touchstone/model_options.h"

void ts_options_add_session(struct ts_options *options, struct ts_session_options *session)
{
    const struct ts_option lines[] = {
        TS_TEXT("device", 0, &session->device, "NAME",
                "what computes: reference, or metal where the build has it\n"
                "(default: metal on Apple's machines, else reference)"),
        TS_U32("threads", 0, &session->threads, 0, TS_MOST_THREADS, "N",
               "of a CPU device; 0: all cores (default 0)"),
        TS_U64("ctx", 0, &session->context, 1, TS_MOST_CONTEXT, "N",
               "tokens of context (default 4096, or the model's limit)"),
        TS_U32("chunk", 0, &session->chunk, 1, TS_MOST_CHUNK, "N",
               "most tokens of one prefill step (default 128)"),
        TS_ON_OFF("kv-rounding", &session->kv_rounding_off,
                  "the FP8 and FP4 round trips of KV rows (default on)"),
        TS_FLAG("unfused", 0, &session->unfused, "run every fused operation as its parts"),
    };
    TS_OPTIONS_ADD(options, lines);
}

void ts_options_add_sampling(struct ts_options *options, struct ts_sampling *sampling)
{
    *sampling = (struct ts_sampling){.temperature = 1, .top_p = 1, .seed = 1};
    const struct ts_option lines[] = {
        TS_F64("temp", 0, &sampling->temperature, 0, 1000, "X",
               "temperature; 0 takes the likeliest token (default 1)"),
        TS_U32("top-k", 0, &sampling->top_k, 0, INT32_MAX, "N",
               "only the N likeliest tokens (default 0: off)"),
        TS_F64("top-p", 0, &sampling->top_p, 0, 1, "X",
               "only the likeliest that reach X together (default 1: off)"),
        TS_F64("min-p", 0, &sampling->min_p, 0, 1, "X",
               "only those of X times the likeliest's (default 0: off)"),
        TS_U64("seed", 0, &sampling->seed, 0, UINT64_MAX, "N",
               "the same seed gives the same text (default 1)"),
    };
    TS_OPTIONS_ADD(options, lines);
}
