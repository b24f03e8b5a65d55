/* One trial of a cell: a prompt, and the tokens generated after it. */
#ifndef TS_BENCH_RUN_TRIAL_H
#define TS_BENCH_RUN_TRIAL_H

#include "bench/run/subject.h"

struct ts_trial {
    uint64_t prefill_ns;
    uint64_t ttft_ns; /* prefill and the choice of the first token */
    uint64_t generation_ns;
    bool prefilled; /* prefill_ns and ttft_ns are measured */
    bool generated;
    struct ts_device_counters work[TS_PHASES];
};

/* Feeds the first `prompt` tokens of the subject's prompt into an empty context, then generates
 * `gen` tokens (greedy). `stop` is asked between chunks and tokens; true ends the trial. False with
 * TS_ERR_INTERRUPTED if so (what is measured until then says *trial), or what went wrong: TS_ERR_CHECK
 * for NaN logits. */
bool ts_trial_run(struct ts_subject *subject, uint64_t prompt, uint64_t gen, ts_stop_fn *stop,
                  void *stop_context, struct ts_trial *trial, struct ts_error *error);

#endif
