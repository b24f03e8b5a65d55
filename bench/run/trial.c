#include "bench/run/trial.h"

#include "base/clock.h"

bool ts_trial_run(struct ts_subject *subject, uint64_t prompt, uint64_t gen, ts_stop_fn *stop,
                  void *stop_context, struct ts_trial *trial, struct ts_error *error)
{
    struct ts_session *session = subject->session;
    struct ts_device *device = ts_session_device(session);
    int32_t next;
    *trial = (struct ts_trial){.prefilled = false};
    ts_session_reset(session);
    ts_session_set_stop_fn(session, stop, stop_context);
    ts_device_reset_counters(device);
    uint64_t start = ts_clock_ns();
    bool ok = ts_session_feed(session, subject->prompt, prompt, error);
    trial->prefill_ns = ts_clock_ns() - start;
    ts_session_set_stop_fn(session, NULL, NULL);
    ok = ok && ts_sampler_next(subject->sampler, ts_session_logits(session), &next, error);
    if (!ok) {
        return false;
    }
    trial->ttft_ns = ts_clock_ns() - start;
    trial->prefilled = true;
    ts_device_counters(device, &trial->work[TS_PHASE_PREFILL]);
    if (gen < 2) {
        return true;
    }
    ts_device_reset_counters(device);
    start = ts_clock_ns();
    for (uint64_t i = 1; i < gen; i++) {
        if (stop(stop_context)) {
            return ts_fail(error, TS_ERR_INTERRUPTED, NULL, "stopped while generating");
        }
        if (!ts_session_feed(session, &next, 1, error) ||
            !ts_sampler_next(subject->sampler, ts_session_logits(session), &next, error)) {
            return false;
        }
    }
    trial->generation_ns = ts_clock_ns() - start;
    trial->generated = true;
    ts_device_counters(device, &trial->work[TS_PHASE_GENERATION]);
    return true;
}
