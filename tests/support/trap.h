/* Mistakes made on purpose, through the config, a tap that changes an intermediate, or the KV
 * state, and what the comparison with a golden trace finds of them. */
#ifndef TS_TESTS_TRAP_H
#define TS_TESTS_TRAP_H

#include "tests/support/golden.h"

struct trap;
typedef void trap_config_fn(struct ts_config *config);
typedef void trap_tap_fn(struct trap *trap, const struct ts_tap_event *event);
typedef void trap_state_fn(const struct trap *trap, struct ts_session *session);

struct trap {
    const char *name;
    const char *model, *trace;
    trap_config_fn *config; /* before the session is opened */
    trap_tap_fn *tap;
    uint64_t split;       /* tokens of the prefill; decoded one by one from there; 0: one prefill */
    trap_state_fn *state; /* between prefill and decode */
    uint64_t count;       /* tokens */
    bool unrounded;       /* without the round trips, whatever the trace says */
    struct test_golden golden;
    struct ts_session *session;
    struct ts_slice query, kv, normed, ids; /* intermediates of the layer in progress */
};

/* Errors of all positions. */
struct found {
    double worst;
    uint64_t first;    /* position above 1e-6 */
    unsigned above[3]; /* positions above 1e-6, 1e-5, 2e-3 */
};

static inline bool run_tap(void *context, const struct ts_tap_event *event, struct ts_error *error)
{
    struct trap *trap = context;
    (void)error;
    trap->tap(trap, event);
    return true;
}

static inline struct found measure(const struct trap *trap, const struct test_logits *logits)
{
    static const double bounds[3] = {1e-6, 1e-5, 2e-3};
    struct found found = {.first = UINT64_MAX};
    cr_assert(logits->seen == trap->count, "%s: %llu logits", trap->name,
              (unsigned long long)logits->seen);
    for (uint64_t p = 0; p < trap->count; p++) {
        double error = test_golden_error(&trap->golden, p, logits->rows + p * logits->vocab);
        for (int i = 0; i < 3; i++) {
            found.above[i] += !(error <= bounds[i]);
        }
        if (!(error <= 1e-6) && found.first == UINT64_MAX) {
            found.first = p;
        }
        found.worst = error > found.worst || isnan(error) ? error : found.worst;
    }
    cr_log_info("%s: worst %.2g, first at %lld, %u above 1e-6, %u above 1e-5, %u above 2e-3\n",
                trap->name, found.worst, (long long)found.first, found.above[0], found.above[1],
                found.above[2]);
    return found;
}

static inline struct found run_trap(struct trap trap)
{
    trap.model = trap.model ? trap.model : "tiny-q2";
    trap.trace = trap.trace ? trap.trace : "tiny-q2.norounding";
    trap.golden = test_golden_open(trap.model, trap.trace);
    bool rounding = false;
    struct ts_error error = {0};
    cr_assert(ts_gguf_get_bool(trap.golden.trace, "golden.kv_rounding", &rounding, &error), "%s",
              error.message);
    if (trap.config) {
        trap.config(&trap.golden.model->config);
    }
    struct ts_session_options options = {.context = trap.count,
                                         .chunk = 400,
                                         .every_logit = true,
                                         .kv_rounding_off = !rounding || trap.unrounded};
    struct ts_session *session = test_session_open(trap.golden.model, options);
    struct test_logits logits = test_logits_of(&trap.golden, trap.count);
    trap.session = session;
    ts_session_set_logits_fn(session, test_keep_logits, &logits);
    if (trap.tap) {
        ts_session_set_tap(session, run_tap, &trap);
    }
    test_feed(session, trap.golden.tokens, trap.split ? trap.split : trap.count);
    if (trap.state) {
        trap.state(&trap, session);
    }
    for (uint64_t p = ts_session_length(session); p < trap.count; p++) {
        test_feed(session, trap.golden.tokens + p, 1);
    }
    struct found found = measure(&trap, &logits);
    ts_session_close(session);
    test_golden_close(&trap.golden);
    return found;
}

static inline void must_pass(struct trap trap)
{
    struct found found = run_trap(trap);
    cr_expect(found.above[0] == 0, "%s: worst %g", trap.name, found.worst);
}

/* Found, by ten times the bound of a device that stores float64 (which in class exact is the bound
 * of one that stores float32). first: the position at which it must show; 0: any. */
static inline void must_fail(struct trap trap, uint64_t first)
{
    struct found found = run_trap(trap);
    cr_expect(found.above[1] > 0 && found.worst > 1e-5, "%s: not found, worst %g", trap.name,
              found.worst);
    cr_expect(first == 0 || found.first == first, "%s: first at %llu", trap.name,
              (unsigned long long)found.first);
}

#endif
