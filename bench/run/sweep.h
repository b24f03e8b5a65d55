/* The sweep: agreement of every model on every device, the check of the kernels that this used, then
 * trials in the plan's order, records as they are done. */
#ifndef TS_BENCH_RUN_SWEEP_H
#define TS_BENCH_RUN_SWEEP_H

#include "bench/run/folder.h"
#include "bench/run/kernel_checks.h"
#include "bench/run/plan.h"
#include "bench/record/results.h"
#include "bench/run/subject.h"
#include "engine/device/device.h"

/* Samples of one phase of a cell, in the order in which they were taken. */
struct ts_series {
    uint64_t *samples_ns; /* [reps] */
    uint64_t *order;      /* [reps] place among all samples of the sweep, from 0 */
    uint64_t count;
    uint64_t *gpu_ns; /* [reps] of them by the device's own clock; 0 where it has none */
    struct ts_device_counters work; /* of one sample */
};

enum ts_cell_stop { TS_STOP_REPS, TS_STOP_TIME, TS_STOP_INTERRUPTED };

struct ts_cell {
    unsigned subject;
    uint64_t prompt;
    struct ts_series series[TS_PHASES];
    uint64_t *ttft_ns;   /* [reps] prompt fed until the first token is chosen */
    uint64_t ttft_count; /* of these */
    uint64_t canary[2];  /* before the first trial, after the last one; ns */
    double load;         /* the highest one-minute load average at a trial; NaN: not known */
    uint64_t cap_ns;     /* its share of the time */
    uint64_t spent_ns;
    uint64_t longest_ns; /* of its trials */
    bool done;           /* its records are written */
    bool failed;
    bool unasked; /* the plan leaves it out on this device */
    enum ts_cell_stop stop;
    char reason[TS_REASON]; /* why there are no (more) samples; "" if there are reps */
};

struct ts_progress {
    const struct ts_subject *subject;
    const char *step;    /* "agreement", "kernels", "warm-up", "trial" */
    uint64_t prompt;     /* tokens */
    uint64_t trial;      /* from 1 */
    uint64_t trials;     /* of the whole sweep */
    double seconds_left; /* estimate, never more than the time allowed; negative: unknown */
};
typedef void ts_progress_fn(void *context, const struct ts_progress *progress);

struct ts_sweep {
    const struct ts_plan *plan;
    struct ts_subject *subjects; /* [ts_plan_subjects] open */
    struct ts_kernel_checks kernels;
    struct ts_cell *cells;    /* [ts_plan_cells] */
    struct ts_folder *folder; /* where records go */
    ts_stop_fn *stop;         /* asked between chunks and tokens; true ends the sweep */
    void *stop_context;
    ts_progress_fn *progress; /* NULL: none */
    void *progress_context;
    uint64_t deadline_ns;
    uint64_t next_order;
    uint64_t trials_done;
    uint64_t rounds;
    bool interrupted;
    struct ts_error first; /* the first failure of a trial or an agreement; code TS_OK if none */
};

/* Sets up cells for a plan and its open subjects; folder, stop and progress are the caller's to
 * set. ts_sweep_free also after a failure. */
bool ts_sweep_init(struct ts_sweep *sweep, const struct ts_plan *plan, struct ts_subject *subjects,
                   struct ts_error *error);
void ts_sweep_free(struct ts_sweep *sweep);

/* Starts the clock of plan->max_seconds. */
void ts_sweep_start(struct ts_sweep *sweep);

/* Compares each subject's two passes, and its pass with the reference device's if that is in the
 * plan; then checks the kernels that ran, which takes nothing from plan->max_seconds. Appends the
 * records of both. False if a record could not be written. */
bool ts_sweep_agree(struct ts_sweep *sweep, struct ts_error *error);

/* Measures the cells of the subjects that agree and appends every cell's records, also of those that
 * could not be measured, and at the end those of kernels that were not checked. A speed that a kernel
 * had part in which fails its check, or has none, is withheld. False if a record could not be
 * written; then what was written stays. */
bool ts_sweep_measure(struct ts_sweep *sweep, struct ts_error *error);

/* What the sweep comes to: true, or TS_ERR_INTERRUPTED, the first failure, or TS_ERR_CHECK if
 * nothing was measured. */
bool ts_sweep_verdict(const struct ts_sweep *sweep, struct ts_error *error);

/* A cell that was cut short with fewer samples than this is marginal. */
enum { TS_CELL_SAMPLES = 3 };

/* Status of one phase of a cell that is done, and why (TS_REASON bytes). */
enum ts_result_status ts_cell_status(const struct ts_sweep *sweep, const struct ts_cell *cell,
                                     enum ts_result_phase phase, char *reason);

/* Tokens of one sample: the prompt, or all generated ones but the first. */
uint64_t ts_cell_tokens(const struct ts_plan *plan, const struct ts_cell *cell,
                        enum ts_result_phase phase);

#endif
