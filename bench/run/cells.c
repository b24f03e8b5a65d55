/* The cells of a sweep, and what all of its files ask them. */
#include "bench/run/sweep_internal.h"

#include "base/clock.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

bool ts_sweep_init(struct ts_sweep *sweep, const struct ts_plan *plan, struct ts_subject *subjects,
                   struct ts_error *error)
{
    unsigned cells = ts_plan_cells(plan);
    *sweep = (struct ts_sweep){.plan = plan, .subjects = subjects};
    sweep->cells = calloc(cells, sizeof *sweep->cells);
    bool ok = sweep->cells != NULL;
    for (unsigned i = 0; ok && i < cells; i++) {
        struct ts_cell *cell = &sweep->cells[i];
        cell->subject = ts_plan_subject(plan, i);
        cell->prompt = ts_plan_prompt(plan, i);
        cell->load = NAN;
        cell->ttft_ns = calloc(plan->reps, sizeof *cell->ttft_ns);
        ok = cell->ttft_ns != NULL;
        for (int phase = 0; phase < TS_PHASES; phase++) {
            struct ts_series *series = &cell->series[phase];
            series->samples_ns = calloc(plan->reps, sizeof *series->samples_ns);
            series->order = calloc(plan->reps, sizeof *series->order);
            series->gpu_ns = calloc(plan->reps, sizeof *series->gpu_ns);
            ok = ok && series->samples_ns && series->order && series->gpu_ns;
        }
    }
    for (unsigned i = 0; ok && i < ts_plan_subjects(plan); i++) {
        ts_sweep_keep_first(sweep, &subjects[i].failure);
    }
    ok = ok && ts_kernel_checks_init(&sweep->kernels, plan->device_count);
    return ok || ts_fail_memory(error, "a sweep", cells * sizeof *sweep->cells);
}

void ts_sweep_free(struct ts_sweep *sweep)
{
    unsigned cells = sweep->cells ? ts_plan_cells(sweep->plan) : 0;
    for (unsigned i = 0; i < cells; i++) {
        free(sweep->cells[i].ttft_ns);
        for (int phase = 0; phase < TS_PHASES; phase++) {
            free(sweep->cells[i].series[phase].samples_ns);
            free(sweep->cells[i].series[phase].order);
            free(sweep->cells[i].series[phase].gpu_ns);
        }
    }
    free(sweep->cells);
    sweep->cells = NULL;
    ts_kernel_checks_free(&sweep->kernels);
}

void ts_sweep_start(struct ts_sweep *sweep)
{
    sweep->deadline_ns = ts_clock_ns() + (uint64_t)(sweep->plan->max_seconds * 1e9);
}

uint64_t ts_cell_tokens(const struct ts_plan *plan, const struct ts_cell *cell,
                        enum ts_result_phase phase)
{
    return phase == TS_PHASE_PREFILL ? cell->prompt : plan->gen > 1 ? plan->gen - 1 : 0;
}

/* A median of one or two samples is none: it stands, but not as passed. A plan of so few is what was
 * asked for. */
static enum ts_result_status judge_samples(const struct ts_plan *plan, const struct ts_cell *cell,
                                           const struct ts_series *series, char *reason)
{
    if (series->count >= TS_CELL_SAMPLES || series->count >= plan->reps) {
        return TS_STATUS_PASS;
    }
    snprintf(reason, TS_REASON,
             "%s after %" PRIu64 " of %" PRIu64 " repetitions: too few to pass as a median",
             cell->stop == TS_STOP_INTERRUPTED ? "interrupted" : "time ran out", series->count,
             plan->reps);
    return TS_STATUS_MARGINAL;
}

enum ts_result_status ts_cell_status(const struct ts_sweep *sweep, const struct ts_cell *cell,
                                     enum ts_result_phase phase, char *reason)
{
    const struct ts_subject *subject = &sweep->subjects[cell->subject];
    const struct ts_series *series = &cell->series[phase];
    bool agrees = subject->status == TS_STATUS_PASS;
    snprintf(reason, TS_REASON, "%s", agrees ? cell->reason : subject->reason);
    if (!agrees) {
        return subject->status;
    }
    if (cell->failed) {
        return TS_STATUS_ERROR;
    }
    if (series->count > 0) {
        enum ts_result_status status =
            ts_kernel_checks_status(&sweep->kernels, cell->subject % sweep->plan->device_count,
                                    &series->work, reason, TS_REASON);
        return status == TS_STATUS_PASS ? judge_samples(sweep->plan, cell, series, reason) : status;
    }
    return cell->unasked || cell->stop == TS_STOP_INTERRUPTED ? TS_STATUS_SKIP : TS_STATUS_TIMEOUT;
}

void ts_sweep_keep_first(struct ts_sweep *sweep, const struct ts_error *error)
{
    if (sweep->first.code == TS_OK) {
        sweep->first = *error;
    }
}

bool ts_sweep_notice_stop(struct ts_sweep *sweep)
{
    sweep->interrupted = sweep->interrupted || (sweep->stop && sweep->stop(sweep->stop_context));
    return sweep->interrupted;
}

uint64_t ts_cell_estimate(const struct ts_sweep *sweep, const struct ts_cell *cell)
{
    const struct ts_subject *subject = &sweep->subjects[cell->subject];
    const struct ts_agreement *a = &subject->agreement;
    uint64_t count = ts_plan_agreement(sweep->plan, ts_subject_software(subject));
    return cell->longest_ns
               ? cell->longest_ns
               : a->chunked_ns / count * cell->prompt + a->single_ns / count * sweep->plan->gen;
}

void ts_sweep_show(const struct ts_sweep *sweep, const struct ts_subject *subject, const char *step,
                   uint64_t prompt)
{
    uint64_t now = ts_clock_ns(), left_ns = 0;
    unsigned cells = ts_plan_cells(sweep->plan);
    if (!sweep->progress) {
        return;
    }
    for (unsigned i = 0; i < cells; i++) {
        const struct ts_cell *cell = &sweep->cells[i];
        uint64_t count = cell->series[TS_PHASE_PREFILL].count;
        left_ns += cell->done ? 0 : (sweep->plan->reps - count) * ts_cell_estimate(sweep, cell);
    }
    uint64_t allowed = sweep->deadline_ns > now ? sweep->deadline_ns - now : 0;
    struct ts_progress progress = {
        .subject = subject,
        .step = step,
        .prompt = prompt,
        .trial = sweep->trials_done + 1,
        .trials = cells * sweep->plan->reps,
        .seconds_left =
            subject->compared ? (double)(left_ns < allowed ? left_ns : allowed) / 1e9 : -1};
    sweep->progress(sweep->progress_context, &progress);
}

bool ts_sweep_stopped(const struct ts_sweep *sweep)
{
    return (sweep->stop && sweep->stop(sweep->stop_context)) || ts_clock_ns() >= sweep->deadline_ns;
}
