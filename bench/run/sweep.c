#include "bench/run/sweep_internal.h"

#include "base/clock.h"
#include "bench/run/canary.h"
#include "bench/record/record.h"
#include "bench/run/trial.h"

#include <cjson/cJSON.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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
        return ts_kernel_checks_status(&sweep->kernels, cell->subject % sweep->plan->device_count,
                                       &series->work, reason, TS_REASON);
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

/* Duration of a trial: the longest there was, or what the agreement passes let expect. */
static uint64_t estimate(const struct ts_sweep *sweep, const struct ts_cell *cell)
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
        left_ns += cell->done ? 0 : (sweep->plan->reps - count) * estimate(sweep, cell);
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

/* ---- trials ---- */

/* Appends the records of a cell that gets no more samples. */
static bool finish_cell(struct ts_sweep *sweep, struct ts_cell *cell, enum ts_cell_stop stop,
                        struct ts_error *error)
{
    int phases = sweep->plan->gen > 1 ? TS_PHASES : 1;
    const struct ts_subject *subject = &sweep->subjects[cell->subject];
    cell->done = true;
    cell->stop = stop;
    for (int phase = 0; phase < phases; phase++) {
        const struct ts_series *series = &cell->series[phase];
        if (series->count > 0 && !ts_sweep_check_kernels(sweep, subject, &series->work, error)) {
            return false;
        }
    }
    for (int phase = 0; phase < phases; phase++) {
        if (!ts_folder_append(
                sweep->folder->runs,
                ts_record_sweep(sweep, cell, (enum ts_result_phase)phase, sweep->folder->env),
                error)) {
            return false;
        }
    }
    return true;
}

static bool add_sample(struct ts_sweep *sweep, struct ts_cell *cell, enum ts_result_phase phase,
                       uint64_t took_ns, const struct ts_device_counters *work,
                       struct ts_error *error)
{
    struct ts_series *series = &cell->series[phase];
    series->samples_ns[series->count] = took_ns ? took_ns : 1;
    series->gpu_ns[series->count] = work->gpu_ns;
    series->order[series->count++] = sweep->next_order++;
    series->work = *work;
    return ts_folder_append(sweep->folder->samples, ts_record_sample(sweep, cell, phase), error);
}

/* One trial, its samples kept. */
static bool try_cell(struct ts_sweep *sweep, struct ts_cell *cell, struct ts_error *error)
{
    struct ts_subject *subject = &sweep->subjects[cell->subject];
    struct ts_trial trial;
    struct ts_error failure;
    ts_sweep_show(sweep, subject, "trial", cell->prompt);
    uint64_t start = ts_clock_ns(), before = ts_canary_ns();
    bool ok = ts_trial_run(sweep, subject, cell->prompt, sweep->plan->gen, &trial, &failure);
    cell->canary[0] = cell->series[TS_PHASE_PREFILL].count == 0 ? before : cell->canary[0];
    cell->canary[1] = ts_canary_ns();
    uint64_t took = ts_clock_ns() - start;
    cell->spent_ns += took;
    cell->longest_ns = took > cell->longest_ns ? took : cell->longest_ns;
    sweep->trials_done++;
    if (trial.prefilled) {
        cell->ttft_ns[cell->ttft_count++] = trial.ttft_ns;
        if (!add_sample(sweep, cell, TS_PHASE_PREFILL, trial.prefill_ns,
                        &trial.work[TS_PHASE_PREFILL], error)) {
            return false;
        }
    }
    if (trial.generated && !add_sample(sweep, cell, TS_PHASE_GENERATION, trial.generation_ns,
                                       &trial.work[TS_PHASE_GENERATION], error)) {
        return false;
    }
    if (ok) {
        return cell->series[TS_PHASE_PREFILL].count < sweep->plan->reps ||
               finish_cell(sweep, cell, TS_STOP_REPS, error);
    }
    if (failure.code != TS_ERR_INTERRUPTED) {
        cell->failed = true;
        snprintf(cell->reason, sizeof cell->reason, "%.*s", TS_REASON - 1, failure.message);
        ts_sweep_keep_first(sweep, &failure);
        return finish_cell(sweep, cell, TS_STOP_REPS, error);
    }
    bool interrupted = ts_sweep_notice_stop(sweep);
    snprintf(cell->reason, sizeof cell->reason, "%s",
             interrupted ? "interrupted" : "the time of the sweep was over");
    return finish_cell(sweep, cell, interrupted ? TS_STOP_INTERRUPTED : TS_STOP_TIME, error);
}

/* Cells of subjects without agreement, and those that the plan leaves out, get their records at
 * once. */
static bool drop_cells(struct ts_sweep *sweep, struct ts_error *error)
{
    for (unsigned i = 0; i < ts_plan_cells(sweep->plan); i++) {
        struct ts_cell *cell = &sweep->cells[i];
        const struct ts_subject *subject = &sweep->subjects[cell->subject];
        cell->unasked = ts_plan_too_long(sweep->plan, ts_subject_software(subject), cell->prompt);
        if (cell->unasked) {
            snprintf(cell->reason, sizeof cell->reason,
                     "the plan asks a software device for at most %" PRIu64 " tokens",
                     sweep->plan->software_prompt);
        }
        if ((cell->unasked || subject->status != TS_STATUS_PASS) &&
            !finish_cell(sweep, cell, TS_STOP_REPS, error)) {
            return false;
        }
    }
    return true;
}

/* Untimed trials of the shortest prompt a subject: they map and touch what all trials need, and the
 * first one on a device with kernels builds them. The last one says what trials will take, better than
 * the agreement passes did if these had kernels to build. A failure shows again when it is timed. */
static void warm_up(struct ts_sweep *sweep)
{
    const struct ts_plan *plan = sweep->plan;
    uint64_t prompt = plan->prompts[0];
    for (unsigned i = 0; i < ts_plan_subjects(plan); i++) {
        struct ts_subject *s = &sweep->subjects[i];
        bool software = ts_subject_software(s);
        int trials = s->status != TS_STATUS_PASS || ts_plan_too_long(plan, software, prompt) ? 0
                     : ts_subject_has_kernels(s)                                             ? 2
                                                                                             : 1;
        for (int k = 0; k < trials && !ts_sweep_stopped(sweep); k++) {
            struct ts_trial trial;
            struct ts_error ignored;
            uint64_t count = ts_plan_agreement(plan, software);
            ts_sweep_show(sweep, s, "warm-up", prompt);
            ts_trial_run(sweep, s, prompt, plan->gen ? 2 : 0, &trial, &ignored);
            if (k > 0 && trial.generated) {
                s->agreement.chunked_ns = trial.prefill_ns / prompt * count;
                s->agreement.single_ns = trial.generation_ns * count;
            }
        }
    }
}

/* Gives every cell that is not done a share of the time that is left, by how long its trials take:
 * then all get about the same number of repetitions when there is not enough. */
static void share_time(struct ts_sweep *sweep)
{
    unsigned cells = ts_plan_cells(sweep->plan);
    uint64_t now = ts_clock_ns();
    double left = sweep->deadline_ns > now ? (double)(sweep->deadline_ns - now) : 0, all = 0;
    for (unsigned i = 0; i < cells; i++) {
        all += sweep->cells[i].done ? 0 : (double)estimate(sweep, &sweep->cells[i]);
    }
    for (unsigned i = 0; all > 0 && i < cells; i++) {
        struct ts_cell *cell = &sweep->cells[i];
        cell->cap_ns = (uint64_t)(left * ((double)estimate(sweep, cell) / all));
    }
}

static bool has_time(const struct ts_sweep *sweep, const struct ts_cell *cell, bool share)
{
    uint64_t needs = estimate(sweep, cell);
    return share ? cell->spent_ns + needs <= cell->cap_ns
                 : ts_clock_ns() + needs <= sweep->deadline_ns;
}

/* Rounds of one trial a cell, as long as a cell's share lasts, or as long as there is any time. */
static bool run_rounds(struct ts_sweep *sweep, bool share, unsigned *order, struct ts_error *error)
{
    unsigned cells = ts_plan_cells(sweep->plan);
    for (uint64_t round = 0; round < sweep->plan->reps; round++) {
        ts_plan_round(sweep->plan, sweep->rounds++, order);
        for (unsigned i = 0; i < cells; i++) {
            struct ts_cell *cell = &sweep->cells[order[i]];
            if (ts_sweep_stopped(sweep)) {
                ts_sweep_notice_stop(sweep);
                return true;
            }
            if (!cell->done && has_time(sweep, cell, share) && !try_cell(sweep, cell, error)) {
                return false;
            }
        }
    }
    return true;
}

/* Cells whose share was too small for even one trial, shortest first, as far as the time goes. */
static bool run_starved(struct ts_sweep *sweep, struct ts_error *error)
{
    unsigned cells = ts_plan_cells(sweep->plan), subjects = ts_plan_subjects(sweep->plan);
    for (unsigned i = 0; i < cells; i++) {
        unsigned index = i % subjects * sweep->plan->prompt_count + i / subjects;
        struct ts_cell *cell = &sweep->cells[index];
        if (!cell->done && cell->longest_ns == 0 && !ts_sweep_stopped(sweep) &&
            has_time(sweep, cell, false) && !try_cell(sweep, cell, error)) {
            return false;
        }
    }
    return true;
}

/* Ends the cells that did not get all their repetitions. */
static bool finish_rest(struct ts_sweep *sweep, struct ts_error *error)
{
    bool interrupted = ts_sweep_notice_stop(sweep);
    for (unsigned i = 0; i < ts_plan_cells(sweep->plan); i++) {
        struct ts_cell *cell = &sweep->cells[i];
        if (cell->done) {
            continue;
        }
        if (interrupted) {
            snprintf(cell->reason, sizeof cell->reason, "interrupted");
        } else if (cell->longest_ns > 0) {
            snprintf(cell->reason, sizeof cell->reason, "no time for more repetitions");
        } else {
            snprintf(cell->reason, sizeof cell->reason, "no time: a trial takes about %.3g s",
                     (double)estimate(sweep, cell) / 1e9);
        }
        if (!finish_cell(sweep, cell, interrupted ? TS_STOP_INTERRUPTED : TS_STOP_TIME, error)) {
            return false;
        }
    }
    return true;
}

bool ts_sweep_measure(struct ts_sweep *sweep, struct ts_error *error)
{
    unsigned *order = calloc(ts_plan_cells(sweep->plan), sizeof *order);
    if (!order) {
        return ts_fail_memory(error, "the order of trials", sizeof *order);
    }
    bool ok = drop_cells(sweep, error);
    if (ok) {
        warm_up(sweep);
        share_time(sweep);
    }
    ok = ok && run_rounds(sweep, true, order, error) && run_starved(sweep, error);
    ok = ok && run_rounds(sweep, false, order, error); /* what the shares left over */
    ok = ok && finish_rest(sweep, error) && ts_sweep_note_unchecked(sweep, error);
    free(order);
    return ok;
}

bool ts_sweep_verdict(const struct ts_sweep *sweep, struct ts_error *error)
{
    uint64_t samples = 0;
    for (unsigned i = 0; i < ts_plan_cells(sweep->plan); i++) {
        samples += sweep->cells[i].series[TS_PHASE_PREFILL].count;
    }
    if (sweep->interrupted) {
        return ts_fail(error, TS_ERR_INTERRUPTED, NULL, "interrupted; what was measured is kept");
    }
    if (sweep->first.code != TS_OK) {
        *error = sweep->first;
        return false;
    }
    if (samples == 0) {
        return ts_fail(error, TS_ERR_CHECK, "allow more with --max-seconds, or shorter prompts",
                       "nothing was measured within %g seconds", sweep->plan->max_seconds);
    }
    return true;
}
