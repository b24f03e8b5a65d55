/* Inside of the sweep: what its files share. */
#ifndef TS_BENCH_RUN_SWEEP_INTERNAL_H
#define TS_BENCH_RUN_SWEEP_INTERNAL_H

#include "bench/run/sweep.h"

/* Remembers the first failure. */
void ts_sweep_keep_first(struct ts_sweep *sweep, const struct ts_error *error);

/* After a TS_ERR_INTERRUPTED: was it the caller, or the clock? */
bool ts_sweep_notice_stop(struct ts_sweep *sweep);

/* True when the sweep is to stop, by its caller or because its time is over. */
bool ts_sweep_stopped(const struct ts_sweep *sweep);

/* Duration of a trial: the longest there was, or what the agreement passes let expect. */
uint64_t ts_cell_estimate(const struct ts_sweep *sweep, const struct ts_cell *cell);

/* Tells the caller what is done now. */
void ts_sweep_show(const struct ts_sweep *sweep, const struct ts_subject *subject, const char *step,
                   uint64_t prompt);

/* Checks the kernels that `work` ran on the subject's device and that were not checked yet, and
 * appends their records. False if a record could not be written. */
bool ts_sweep_check_kernels(struct ts_sweep *sweep, const struct ts_subject *subject,
                            const struct ts_device_counters *work, struct ts_error *error);

/* Appends a record for each kernel of the devices that was not checked. */
bool ts_sweep_note_unchecked(struct ts_sweep *sweep, struct ts_error *error);

#endif
