#include "bench/run/agreement.h"

#include "base/clock.h"
#include "bench/record/stats.h"
#include "engine/check/verdict.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TOP = 10 };

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

/* Places of the ten largest numbers of a row, the largest first; returns how many there are. */
static unsigned top_ten(const double *row, uint32_t count, uint32_t *top)
{
    unsigned found = 0;
    for (uint32_t i = 0; i < count; i++) {
        unsigned place = found;
        while (place > 0 && row[i] > row[top[place - 1]]) {
            place--;
        }
        if (place == TOP) {
            continue;
        }
        found += found < TOP;
        for (unsigned k = found - 1; k > place; k--) {
            top[k] = top[k - 1];
        }
        top[place] = i;
    }
    return found;
}

/* The share of the ten largest of `expected` that are among those of `got`. */
static double top_shared(const double *expected, const double *got, uint32_t count)
{
    uint32_t one[TOP], other[TOP];
    unsigned size = top_ten(expected, count, one), shared = 0;
    top_ten(got, count, other);
    for (unsigned i = 0; i < size; i++) {
        bool found = false;
        for (unsigned k = 0; k < size; k++) {
            found = found || one[i] == other[k];
        }
        shared += found;
    }
    return (double)shared / size;
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

static void compare_row(const double *expected, const double *got, uint32_t vocab,
                        struct ts_agreement *a, double *error)
{
    *error = relative_l2(expected, got, vocab);
    for (int i = 0; i < 2; i++) {
        a->above[i] += *error > ABOVE[i];
    }
    double kl = divergence(expected, got, vocab);
    a->kl_mean += kl;
    a->kl_max = kl > a->kl_max ? kl : a->kl_max;
    a->rel_l2_worst = *error > a->rel_l2_worst ? *error : a->rel_l2_worst;
    a->argmax_equal += argmax(expected, vocab) == argmax(got, vocab);
    a->top_ten += top_shared(expected, got, vocab);
    a->exact = a->exact && memcmp(expected, got, vocab * sizeof *expected) == 0;
}

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

bool ts_agreement_compare(const double *expected, const double *got, uint64_t positions,
                          uint32_t vocab, struct ts_agreement *a, struct ts_error *error)
{
    *a = (struct ts_agreement){.exact = positions > 0, .finite = true};
    double *errors = malloc((positions ? positions : 1) * sizeof *errors);
    if (!errors) {
        return ts_fail_memory(error, "a comparison", positions * sizeof *errors);
    }
    for (uint64_t i = 0; i < positions; i++) {
        const double *x = expected + i * vocab, *y = got + i * vocab;
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
        a->top_ten /= (double)a->compared;
    }
    free(errors);
    return true;
}

/* Those of a trace over rounded KV rows. The passes here round none, and four layers stay near 1e-6; what
 * forty-three layers of a real model add up to in float32 was not measured. */
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

bool ts_agreement_met(const struct ts_agreement *a, uint32_t real_format, const char *what,
                      char *reason, size_t size)
{
    double bound = ts_agreement_bound(real_format);
    reason[0] = '\0';
    if (!a->finite) {
        snprintf(reason, size, "NaN or infinite logits");
    } else if (a->compared == 0) {
        snprintf(reason, size, "%s: no position was compared", what);
    } else if (real_format == TS_F64 && !(a->rel_l2_worst <= bound)) {
        snprintf(reason, size,
                 "%s disagree: worst relative L2 %.3g of %" PRIu64 " positions, at most %g", what,
                 a->rel_l2_worst, a->compared, bound);
    } else if (real_format != TS_F64 && !(a->rel_l2_median <= bound)) {
        snprintf(reason, size,
                 "%s disagree: median relative L2 %.3g of %" PRIu64 " positions, at most %g", what,
                 a->rel_l2_median, a->compared, bound);
    } else if (real_format != TS_F64 && too_many_above(a)) {
        snprintf(reason, size,
                 "%s disagree: of %" PRIu64 " positions %" PRIu64
                 " have a relative L2 above 2e-3 (at most 25 %%), %" PRIu64
                 " above 2e-2 (at most 2 %%)",
                 what, a->compared, a->above[0], a->above[1]);
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

static bool run_passes(const struct ts_passes *p, struct ts_session *session, double *single,
                       struct ts_agreement *times, struct ts_error *error)
{
    struct collector collector = {p->chunked, p->model->config.vocab};
    ts_session_set_stop_fn(session, p->stop, p->stop_context);
    ts_session_set_logits_fn(session, collect, &collector);
    uint64_t start = ts_clock_ns();
    if (!ts_session_feed(session, p->tokens, p->count, error)) {
        return false;
    }
    times->chunked_ns = ts_clock_ns() - start;
    ts_session_reset(session);
    collector.logits = single;
    start = ts_clock_ns();
    for (uint64_t i = 0; i < p->count; i++) {
        if (p->stop && p->stop(p->stop_context)) {
            return ts_fail(error, TS_ERR_INTERRUPTED, NULL, "stopped after %" PRIu64 " tokens", i);
        }
        if (!ts_session_feed(session, p->tokens + i, 1, error)) {
            return false;
        }
    }
    times->single_ns = ts_clock_ns() - start;
    return true;
}

bool ts_agreement_run(struct ts_passes *p, struct ts_agreement *agreement, struct ts_error *error)
{
    uint64_t values = p->count * p->model->config.vocab;
    struct ts_session_options own = *p->options;
    struct ts_session *session = NULL;
    struct ts_agreement times = {.compared = 0};
    double *single = calloc(values, sizeof *single);
    own.every_logit = true;
    p->work = (struct ts_device_counters){.copies = 0};
    p->chunked = calloc(values, sizeof *p->chunked);
    bool ok = (single && p->chunked) ||
              ts_fail_memory(error, "the logits of two passes", 2 * values * sizeof *single);
    session = ok ? ts_session_open(p->model, &own, error) : NULL;
    ok = session && run_passes(p, session, single, &times, error) &&
         ts_agreement_compare(single, p->chunked, p->count, p->model->config.vocab, agreement,
                              error);
    if (session) {
        ts_device_counters(ts_session_device(session), &p->work);
    }
    if (ok) {
        agreement->single_ns = times.single_ns;
        agreement->chunked_ns = times.chunked_ns;
    }
    ts_session_close(session);
    free(single);
    return ok;
}
