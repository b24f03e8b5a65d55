#include "bench/run/sweep_internal.h"

#include "base/clock.h"
#include "bench/run/canary.h"
#include "bench/run/machine.h"
#include "bench/run/record.h"
#include "bench/run/trial.h"

#include <cjson/cJSON.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool stop_between(void *context)
{
    return ts_sweep_stopped(context);
}

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
    bool ok = ts_trial_run(subject, cell->prompt, sweep->plan->gen, stop_between, sweep, &trial,
                           &failure);
    cell->canary[0] = cell->series[TS_PHASE_PREFILL].count == 0 ? before : cell->canary[0];
    cell->canary[1] = ts_canary_ns();
    cell->load = fmax(cell->load, ts_machine_load());
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
            ts_trial_run(s, prompt, plan->gen ? 2 : 0, stop_between, sweep, &trial, &ignored);
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
        all += sweep->cells[i].done ? 0 : (double)ts_cell_estimate(sweep, &sweep->cells[i]);
    }
    for (unsigned i = 0; all > 0 && i < cells; i++) {
        struct ts_cell *cell = &sweep->cells[i];
        cell->cap_ns = (uint64_t)(left * ((double)ts_cell_estimate(sweep, cell) / all));
    }
}

static bool has_time(const struct ts_sweep *sweep, const struct ts_cell *cell, bool share)
{
    uint64_t needs = ts_cell_estimate(sweep, cell);
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
                     (double)ts_cell_estimate(sweep, cell) / 1e9);
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
