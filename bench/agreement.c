#include "bench/agreement.h"

#include "base/clock.h"
#include "bench/stats.h"
#include "engine/check/verdict.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const double ABOVE[2] = {2e-3, 2e-2};

static bool all_finite(const double *row, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        if (!isfinite(row[i])) {
            return false;
        }
    }
    return true;
}

static double relative_l2(const double *expected, const double *got, uint32_t count)
{
    double difference = 0, size = 0;
    for (uint32_t i = 0; i < count; i++) {
        double d = got[i] - expected[i];
        difference += d * d;
        size += expected[i] * expected[i];
    }
    if (difference == 0) {
        return 0;
    }
    return sqrt(difference / size); /* infinite where all that was expected is zero */
}

static uint32_t argmax(const double *row, uint32_t count)
{
    uint32_t best = 0;
    for (uint32_t i = 1; i < count; i++) {
        best = row[i] > row[best] ? i : best;
    }
    return best;
}

/* log of the sum of exp(row) */
static double log_sum(const double *row, uint32_t count)
{
    double top = row[argmax(row, count)], sum = 0;
    for (uint32_t i = 0; i < count; i++) {
        sum += exp(row[i] - top);
    }
    return top + log(sum);
}

static double divergence(const double *p, const double *q, uint32_t count)
{
    double p_log = log_sum(p, count), q_log = log_sum(q, count), sum = 0;
    for (uint32_t i = 0; i < count; i++) {
        sum += exp(p[i] - p_log) * ((p[i] - p_log) - (q[i] - q_log));
    }
    return sum > 0 ? sum : 0; /* rounding can take it below */
}

static void compare_row(const double *single, const double *chunked, uint32_t vocab,
                        struct ts_agreement *a, double *error)
{
    *error = relative_l2(single, chunked, vocab);
    for (int i = 0; i < 2; i++) {
        a->above[i] += *error > ABOVE[i];
    }
    double kl = divergence(single, chunked, vocab);
    a->kl_mean += kl;
    a->kl_max = kl > a->kl_max ? kl : a->kl_max;
    a->rel_l2_worst = *error > a->rel_l2_worst ? *error : a->rel_l2_worst;
    a->argmax_equal += argmax(single, vocab) == argmax(chunked, vocab);
    a->exact = a->exact && memcmp(single, chunked, vocab * sizeof *single) == 0;
}

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

bool ts_agreement_compare(const double *single, const double *chunked, uint64_t positions,
                          uint32_t vocab, struct ts_agreement *a, struct ts_error *error)
{
    *a = (struct ts_agreement){.exact = positions > 0, .finite = true};
    double *errors = malloc((positions ? positions : 1) * sizeof *errors);
    if (!errors) {
        return ts_fail_memory(error, "a comparison", positions * sizeof *errors);
    }
    for (uint64_t i = 0; i < positions; i++) {
        const double *x = single + i * vocab, *y = chunked + i * vocab;
        if (!all_finite(x, vocab) || !all_finite(y, vocab)) {
            a->finite = a->exact = false;
            continue;
        }
        compare_row(x, y, vocab, a, &errors[a->compared]);
        a->compared++;
    }
    if (a->compared > 0) {
        qsort(errors, a->compared, sizeof *errors, ascending);
        a->rel_l2_median = ts_quantile(errors, a->compared, 0.5);
        a->kl_mean /= (double)a->compared;
    }
    free(errors);
    return true;
}

/* Two passes over rounded KV rows differ as a pass and its golden trace do. */
static struct ts_trace_bound rounding_bound(void)
{
    return ts_trace_bound(TS_TRACE_ROUNDING, TS_F32);
}

double ts_agreement_bound(uint32_t real_format)
{
    return real_format == TS_F64 ? 1e-12 : rounding_bound().median;
}

static bool too_many_above(const struct ts_agreement *a)
{
    struct ts_trace_bound bound = rounding_bound();
    double compared = (double)a->compared;
    return (double)a->above[0] > bound.share_2e3 * compared ||
           (double)a->above[1] > bound.share_2e2 * compared;
}

bool ts_agreement_met(const struct ts_agreement *a, uint32_t real_format, char *reason, size_t size)
{
    double bound = ts_agreement_bound(real_format);
    reason[0] = '\0';
    if (!a->finite) {
        snprintf(reason, size, "NaN or infinite logits");
    } else if (a->compared == 0) {
        snprintf(reason, size, "token-by-token and chunked prefill: no position was compared");
    } else if (real_format == TS_F64 && !(a->rel_l2_worst <= bound)) {
        snprintf(reason, size,
                 "token-by-token and chunked prefill disagree: worst relative L2 %.3g of %" PRIu64
                 " positions, at most %g",
                 a->rel_l2_worst, a->compared, bound);
    } else if (real_format != TS_F64 && !(a->rel_l2_median <= bound)) {
        snprintf(reason, size,
                 "token-by-token and chunked prefill disagree: median relative L2 %.3g of %" PRIu64
                 " positions, at most %g",
                 a->rel_l2_median, a->compared, bound);
    } else if (real_format != TS_F64 && too_many_above(a)) {
        snprintf(reason, size,
                 "token-by-token and chunked prefill disagree: of %" PRIu64 " positions %" PRIu64
                 " have a relative L2 above 2e-3 (at most 25 %%), %" PRIu64
                 " above 2e-2 (at most 2 %%)",
                 a->compared, a->above[0], a->above[1]);
    }
    return reason[0] == '\0';
}

struct collector {
    double *logits; /* [count, vocab] */
    uint32_t vocab;
};

static bool collect(void *context, uint64_t position, const double *logits, struct ts_error *error)
{
    struct collector *collector = context;
    (void)error;
    memcpy(collector->logits + position * collector->vocab, logits,
           collector->vocab * sizeof *logits);
    return true;
}

/* What both passes need. */
struct passes {
    struct ts_session *session;
    const int32_t *tokens;
    uint64_t count;
    double *single; /* [count, vocab] */
    double *chunked;
    uint64_t single_ns;
    uint64_t chunked_ns;
};

static bool run_passes(struct passes *p, uint32_t vocab, ts_stop_fn *stop, void *stop_context,
                       struct ts_error *error)
{
    struct collector collector = {p->chunked, vocab};
    ts_session_set_stop_fn(p->session, stop, stop_context);
    ts_session_set_logits_fn(p->session, collect, &collector);
    uint64_t start = ts_clock_ns();
    if (!ts_session_feed(p->session, p->tokens, p->count, error)) {
        return false;
    }
    p->chunked_ns = ts_clock_ns() - start;
    ts_session_reset(p->session);
    collector.logits = p->single;
    start = ts_clock_ns();
    for (uint64_t i = 0; i < p->count; i++) {
        if (stop && stop(stop_context)) {
            return ts_fail(error, TS_ERR_INTERRUPTED, NULL, "stopped after %" PRIu64 " tokens", i);
        }
        if (!ts_session_feed(p->session, p->tokens + i, 1, error)) {
            return false;
        }
    }
    p->single_ns = ts_clock_ns() - start;
    return true;
}

bool ts_agreement_run(const struct ts_model *model, const struct ts_session_options *options,
                      const int32_t *tokens, uint64_t count, ts_stop_fn *stop, void *stop_context,
                      struct ts_agreement *agreement, struct ts_error *error)
{
    uint32_t vocab = model->config.vocab;
    struct ts_session_options own = *options;
    struct passes p = {.tokens = tokens, .count = count};
    own.every_logit = true;
    p.single = calloc(count * vocab, sizeof *p.single);
    p.chunked = calloc(count * vocab, sizeof *p.chunked);
    bool ok = (p.single && p.chunked) || ts_fail_memory(error, "the logits of two passes",
                                                        2 * count * vocab * sizeof *p.single);
    p.session = ok ? ts_session_open(model, &own, error) : NULL;
    ok = p.session && run_passes(&p, vocab, stop, stop_context, error) &&
         ts_agreement_compare(p.single, p.chunked, count, vocab, agreement, error);
    if (ok) {
        agreement->single_ns = p.single_ns;
        agreement->chunked_ns = p.chunked_ns;
    }
    ts_session_close(p.session);
    free(p.single);
    free(p.chunked);
    return ok;
}
