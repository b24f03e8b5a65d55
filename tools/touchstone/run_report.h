/* What `touchstone run` says about a run that is over. */
#ifndef TS_TOOLS_TOUCHSTONE_RUN_REPORT_H
#define TS_TOOLS_TOUCHSTONE_RUN_REPORT_H

#include "engine/session/generate.h"

struct ts_run_report {
    const char *model;      /* path */
    const char *device;     /* name */
    const char *provenance; /* of its speeds: cpu, software, apple */
    const struct ts_tokenizer *tokenizer;
    struct ts_generation done;
    unsigned files;   /* of the model */
    uint64_t plan;    /* bytes of memory beside the mapped model, at most */
    uint64_t peak;    /* anonymous bytes, measured; 0: unknown */
    uint64_t kernels; /* compiled before the prompt; 0: the device has none */
    uint64_t kernels_ns;
    uint64_t seed;
    const char *text; /* what was generated; any bytes */
    size_t text_length;
    struct ts_ids ids; /* all ids drawn, the one that ended the text included */
    uint32_t top;      /* likeliest tokens noted for each id */
    struct ts_ids top_ids;
    const double *top_logprobs; /* [ids.count, top], as top_ids; -Inf is possible */
};

/* One line to stderr: prompt tokens, prefill t/s, time to first token, generation t/s, memory. */
void ts_run_print_summary(const struct ts_run_report *report);

/* A line to stderr for each id: its number, then id, text and log-probability of the likeliest. */
void ts_run_print_top(const struct ts_run_report *report);

/* One JSON object on a line to stdout. Bytes that are no UTF-8, and zeros, become U+FFFD. */
bool ts_run_print_json(const struct ts_run_report *report, struct ts_error *error);

#endif
