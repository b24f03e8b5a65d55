/* Before anything is timed: do a model's passes agree, and is each kernel right that they ran? */
#include "bench/run/sweep_internal.h"

#include "base/clock.h"
#include "bench/run/record.h"

#include <cjson/cJSON.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool stop_between(void *context)
{
    return ts_sweep_stopped(context);
}

/* The subject's passes disagree, as its reason says. */
static void refuse(struct ts_sweep *sweep, struct ts_subject *s, bool finite)
{
    struct ts_error error;
    s->status = finite ? TS_STATUS_FAIL : TS_STATUS_ERROR;
    ts_fail(&error, TS_ERR_CHECK, NULL, "%s on device %s: %s", s->label, s->device, s->reason);
    ts_sweep_keep_first(sweep, &error);
}

/* The two passes of a subject, compared. The caller frees the logits that it leaves in *passes. */
static void compare_passes(struct ts_sweep *sweep, struct ts_subject *s, struct ts_passes *passes)
{
    const struct ts_plan *plan = sweep->plan;
    uint64_t count = ts_plan_agreement(plan, ts_subject_software(s));
    /* Without the round trips of KV rows, as in the traces of class exact: with them a number that falls to
     * the other side of a code changes all that follows, and right passes differ by a thousandth or by
     * nothing, as it happens. The round trips are judged where each kernel is. */
    struct ts_session_options options = {.device = s->device,
                                         .threads = plan->threads,
                                         .context = count,
                                         .chunk = plan->chunk,
                                         .kv_rounding_off = true};
    struct ts_error error;
    *passes = (struct ts_passes){.model = s->model,
                                 .options = &options,
                                 .tokens = s->prompt,
                                 .count = count,
                                 .stop = stop_between,
                                 .stop_context = sweep};
    bool ran = ts_agreement_run(passes, &s->agreement, &error);
    passes->options = NULL;
    if (ran) {
        s->compared = true;
        s->status = TS_STATUS_PASS;
        if (!ts_agreement_met(&s->agreement, s->real_format, "token-by-token and chunked prefill",
                              s->reason, sizeof s->reason)) {
            refuse(sweep, s, s->agreement.finite);
        }
    } else if (error.code != TS_ERR_INTERRUPTED) {
        /* what a device has not got is no fault of the model */
        s->status = error.code == TS_ERR_ENVIRONMENT ? TS_STATUS_SKIP : TS_STATUS_ERROR;
        snprintf(s->reason, sizeof s->reason, "%.*s", TS_REASON - 1, error.message);
        ts_sweep_keep_first(sweep, &error);
    } else if (ts_sweep_notice_stop(sweep)) {
        s->status = TS_STATUS_SKIP;
        snprintf(s->reason, sizeof s->reason, "interrupted before its passes were compared");
    } else {
        s->status = TS_STATUS_TIMEOUT;
        snprintf(s->reason, sizeof s->reason, "the time was over before its passes were compared");
    }
}

/* The pass of the reference device among those of a model; NULL if it is not there or does not agree
 * with itself. */
static const struct ts_passes *find_oracle(const struct ts_subject *subjects, unsigned devices,
                                           const struct ts_passes *passes)
{
    for (unsigned i = 0; i < devices; i++) {
        if (strcmp(subjects[i].device, "reference") == 0 && subjects[i].status == TS_STATUS_PASS) {
            return &passes[i];
        }
    }
    return NULL;
}

/* Compares the chunked pass of a device with the reference device's, as far as both go. */
static bool compare_devices(struct ts_sweep *sweep, struct ts_subject *s,
                            const struct ts_passes *passes, const struct ts_passes *oracle,
                            struct ts_error *error)
{
    uint64_t count = passes->count < oracle->count ? passes->count : oracle->count;
    char what[64];
    if (!ts_agreement_compare(oracle->chunked, passes->chunked, count, s->model->config.vocab,
                              &s->crossed, error)) {
        return false;
    }
    s->against = "reference";
    snprintf(what, sizeof what, "%.24s and reference", s->device);
    if (!ts_agreement_met(&s->crossed, s->real_format, what, s->crossed_reason,
                          sizeof s->crossed_reason) &&
        s->status == TS_STATUS_PASS) {
        snprintf(s->reason, sizeof s->reason, "%s", s->crossed_reason);
        refuse(sweep, s, s->crossed.finite);
    }
    return ts_folder_append(sweep->folder->runs,
                            ts_record_crossed(sweep->plan, s, sweep->folder->env), error);
}

/* One model on all devices. */
static bool agree_model(struct ts_sweep *sweep, struct ts_subject *subjects, struct ts_error *error)
{
    unsigned devices = sweep->plan->device_count;
    struct ts_passes passes[TS_BENCH_DEVICES] = {{.model = NULL}};
    bool ok = true;
    for (unsigned i = 0; ok && i < devices; i++) {
        if (subjects[i].session) {
            bool software = ts_subject_software(&subjects[i]);
            ts_sweep_show(sweep, &subjects[i], "agreement",
                          ts_plan_agreement(sweep->plan, software));
            compare_passes(sweep, &subjects[i], &passes[i]);
        }
        ok = ts_folder_append(sweep->folder->runs,
                              ts_record_agreement(sweep->plan, &subjects[i], sweep->folder->env),
                              error);
    }
    const struct ts_passes *oracle = find_oracle(subjects, devices, passes);
    for (unsigned i = 0; ok && oracle && i < devices; i++) {
        if (&passes[i] != oracle && subjects[i].compared) {
            ok = compare_devices(sweep, &subjects[i], &passes[i], oracle, error);
        }
    }
    for (unsigned i = 0; i < devices; i++) {
        free(passes[i].chunked);
        ok = ok && ts_sweep_check_kernels(sweep, &subjects[i], &passes[i].work, error);
    }
    return ok;
}

bool ts_sweep_agree(struct ts_sweep *sweep, struct ts_error *error)
{
    for (unsigned i = 0; i < ts_plan_subjects(sweep->plan); i += sweep->plan->device_count) {
        if (!agree_model(sweep, &sweep->subjects[i], error)) {
            return false;
        }
    }
    return true;
}

/* ---- kernels ---- */

struct noting {
    struct ts_sweep *sweep;
    const struct ts_subject *subject;
    bool written;
    struct ts_error *error;
};

static bool note_kernel(void *context, const struct ts_kernel_result *result)
{
    struct noting *noting = context;
    struct ts_sweep *sweep = noting->sweep;
    noting->written =
        ts_folder_append(sweep->folder->runs,
                         ts_record_kernel(sweep->plan, noting->subject, result->kernel, result,
                                          NULL, sweep->folder->env),
                         noting->error);
    if (result->verdict == TS_KERNEL_FAIL) {
        struct ts_error wrong;
        ts_fail(&wrong, TS_ERR_CHECK, NULL, "kernel %s fails its check: %s",
                result->kernel->function, result->reason[0] ? result->reason : result->score.worst);
        ts_sweep_keep_first(sweep, &wrong);
    }
    return noting->written && !(sweep->stop && sweep->stop(sweep->stop_context));
}

static unsigned device_of(const struct ts_sweep *sweep, const struct ts_subject *subject)
{
    return (unsigned)(subject - sweep->subjects) % sweep->plan->device_count;
}

bool ts_sweep_check_kernels(struct ts_sweep *sweep, const struct ts_subject *subject,
                            const struct ts_device_counters *work, struct ts_error *error)
{
    const struct ts_plan *plan = sweep->plan;
    unsigned device = device_of(sweep, subject);
    const bool *checked = sweep->kernels.checked + (size_t)device * TS_KERNEL_COUNT;
    struct noting noting = {.sweep = sweep, .subject = subject, .written = true, .error = error};
    bool only[TS_KERNEL_COUNT], any = false;
    struct ts_error failure;
    for (unsigned i = 0; i < TS_KERNEL_COUNT; i++) {
        only[i] = !checked[i] && (plan->all_kernels || work->kernel_launches[i] > 0);
        any = any || only[i];
    }
    if (!any || !ts_subject_has_kernels(subject) || ts_sweep_notice_stop(sweep)) {
        return true;
    }
    uint64_t start = ts_clock_ns();
    ts_sweep_show(sweep, subject, "kernels", 0);
    if (!ts_bench_check_kernels(&sweep->kernels, device, subject->device, plan->threads, plan->seed,
                                only, note_kernel, &noting, &failure)) {
        ts_sweep_keep_first(sweep, &failure);
    }
    ts_sweep_notice_stop(sweep);
    sweep->deadline_ns += ts_clock_ns() - start;
    return noting.written;
}

bool ts_sweep_note_unchecked(struct ts_sweep *sweep, struct ts_error *error)
{
    const char *reason =
        sweep->interrupted ? "not checked: interrupted" : "not checked: the sweep did not run it";
    bool ok = true;
    for (unsigned d = 0; d < sweep->plan->device_count; d++) {
        const struct ts_subject *subject = &sweep->subjects[d];
        const bool *checked = sweep->kernels.checked + (size_t)d * TS_KERNEL_COUNT;
        for (unsigned i = 0; ok && ts_subject_has_kernels(subject) && i < TS_KERNEL_COUNT; i++) {
            ok = checked[i] ||
                 ts_folder_append(sweep->folder->runs,
                                  ts_record_kernel(sweep->plan, subject, ts_kernel_at(i), NULL,
                                                   reason, sweep->folder->env),
                                  error);
        }
    }
    return ok;
}
