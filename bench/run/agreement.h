/* Agreement before timing: a model's token-by-token pass against its chunked prefill of the same
 * prompt, and a device's pass against the reference device's, both teacher-forced. A model whose
 * passes disagree has no speed. */
#ifndef TS_BENCH_RUN_AGREEMENT_H
#define TS_BENCH_RUN_AGREEMENT_H

#include "engine/session/session.h"

struct ts_agreement {
    uint64_t compared;     /* positions */
    uint64_t argmax_equal; /* positions where both name the same token */
    double top_ten;        /* of the ten likeliest tokens of a position, the share that both name */
    double rel_l2_worst;   /* of one position: |chunked - single| / |single| */
    double rel_l2_median;
    double kl_mean, kl_max; /* of one position, KL(single || chunked), nats */
    uint64_t above[2];      /* positions whose relative L2 is above 2e-3, above 2e-2 */
    bool exact;             /* every logit is the same number */
    bool finite;            /* no logit is NaN or infinite */
    uint64_t single_ns;     /* durations of the two passes, set by ts_agreement_run */
    uint64_t chunked_ns;
};

/* expected, got: [positions, vocab]. Compares what is finite; without memory false. */
bool ts_agreement_compare(const double *expected, const double *got, uint64_t positions,
                          uint32_t vocab, struct ts_agreement *agreement, struct ts_error *error);

/* The bound that holds for a device that stores reals as `real_format`, as a number for the record:
 * with float64 the worst position is at most 1e-12; with float32, where rounded KV rows may flip,
 * the median is at most 1.5e-3, at most 25 % of positions are above 2e-3 and at most 2 % above
 * 2e-2. */
double ts_agreement_bound(uint32_t real_format);

/* True if it is met; else reason says what is not, `what` being the two that are compared. Nothing
 * compared does not agree. */
bool ts_agreement_met(const struct ts_agreement *agreement, uint32_t real_format, const char *what,
                      char *reason, size_t size);

/* The two passes of a model on a device. */
struct ts_passes {
    const struct ts_model *model;
    const struct ts_session_options *options;
    const int32_t *tokens; /* [count] */
    uint64_t count;
    ts_stop_fn *stop; /* asked between chunks; true ends it with TS_ERR_INTERRUPTED */
    void *stop_context;
    /* set by ts_agreement_run */
    double *chunked;                /* logits [count, vocab]; the caller frees them */
    struct ts_device_counters work; /* of both passes, as far as they came */
};

/* Runs both passes in a session of its own and compares all positions. The caller frees
 * passes->chunked, also after an error. */
bool ts_agreement_run(struct ts_passes *passes, struct ts_agreement *agreement,
                      struct ts_error *error);

#endif
