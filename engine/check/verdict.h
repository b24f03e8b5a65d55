/* When does a device agree with a trace? The bounds depend on the class of the trace and on how the
 * device stores activations, never on a file's name. */
#ifndef TS_ENGINE_CHECK_VERDICT_H
#define TS_ENGINE_CHECK_VERDICT_H

#include "engine/check/trace.h"

/* Errors are relative L2 norms of one position's logits.
 *   device that stores float64      every position <= 1e-6
 *   float32, class exact            every position <= 1e-5
 *   float32, rounding or selection  median <= 1.5e-3; at most 25 % above 2e-3, 2 % above 2e-2 */
struct ts_trace_bound {
    bool every; /* a bound on every position: `worst`; else the other three */
    double worst;
    double median;
    double share_2e3; /* of positions above 2e-3 */
    double share_2e2; /* of positions above 2e-2 */
    char text[96];    /* for people */
};

/* The bound that applies; see above. real_format: TS_F64 or TS_F32. */
struct ts_trace_bound ts_trace_bound(enum ts_trace_class class, uint32_t real_format);

struct ts_logits_summary {
    uint64_t compared; /* positions */
    double worst;      /* infinite where any error is NaN */
    uint64_t worst_at;
    double median;
    uint64_t above_2e3;
    uint64_t above_2e2;
    uint64_t argmax_equal;
    uint64_t argmax_wrong; /* other than the golden one by more than the errors explain */
};

/* Summarises errors[count], one a position; the argmax fields are left alone. Sorts a copy: false
 * (TS_ERR_ENVIRONMENT) if memory lacks. */
bool ts_logits_summarise(const double *errors, uint64_t count, struct ts_logits_summary *summary,
                         struct ts_error *error);

/* True where the logits meet the bound and no argmax is wrong; nothing compared never does. */
bool ts_logits_pass(const struct ts_logits_summary *summary, const struct ts_trace_bound *bound);

/* Relative L2 distance of values from golden; infinity where golden is zero and values are
 * not, NaN where either has one. */
double ts_relative_l2(const double *values, const float *golden, uint64_t count);

#endif
