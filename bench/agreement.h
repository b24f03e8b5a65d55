/* Agreement before timing: a model's token-by-token pass against its chunked prefill of the same
 * prompt. A model whose two passes disagree has no speed. */
#ifndef TS_BENCH_AGREEMENT_H
#define TS_BENCH_AGREEMENT_H

#include "engine/session.h"

struct ts_agreement {
    uint64_t compared;     /* positions */
    uint64_t argmax_equal; /* positions where both name the same token */
    double rel_l2_worst;   /* of one position: |chunked - single| / |single| */
    double rel_l2_median;
    double kl_mean, kl_max; /* of one position, KL(single || chunked), nats */
    uint64_t above[2];      /* positions whose relative L2 is above 2e-3, above 2e-2 */
    bool exact;             /* every logit is the same number */
    bool finite;            /* no logit is NaN or infinite */
    uint64_t single_ns;     /* durations of the two passes, set by ts_agreement_run */
    uint64_t chunked_ns;
};

/* single, chunked: [positions, vocab]. Compares what is finite; without memory false. */
bool ts_agreement_compare(const double *single, const double *chunked, uint64_t positions,
                          uint32_t vocab, struct ts_agreement *agreement, struct ts_error *error);

/* The bound that holds for a device that stores reals as `real_format`, as a number for the record:
 * with float64 the worst position is at most 1e-12; with float32, where rounded KV rows may flip,
 * the median is at most 1.5e-3, at most 25 % of positions are above 2e-3 and at most 2 % above
 * 2e-2. */
double ts_agreement_bound(uint32_t real_format);

/* True if it is met; else reason says what is not. Nothing compared does not agree. */
bool ts_agreement_met(const struct ts_agreement *agreement, uint32_t real_format, char *reason,
                      size_t size);

/* Runs both passes of tokens [count] in a session of its own and compares all positions. stop is
 * asked between chunks and ends it with TS_ERR_INTERRUPTED. */
bool ts_agreement_run(const struct ts_model *model, const struct ts_session_options *options,
                      const int32_t *tokens, uint64_t count, ts_stop_fn *stop, void *stop_context,
                      struct ts_agreement *agreement, struct ts_error *error);

#endif
