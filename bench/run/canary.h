/* How steady the machine and its clock are. */
#ifndef TS_BENCH_RUN_CANARY_H
#define TS_BENCH_RUN_CANARY_H

#include <stdint.h>

/* Duration of a fixed loop of integer work on one core, in nanoseconds, the fastest of three: moves
 * when the machine's speed does (throttling, other load), so that a drift can be told from a change
 * of what is measured. A few milliseconds. */
uint64_t ts_canary_ns(void);

/* The smallest step above zero between two readings of the clock, in nanoseconds: its resolution and
 * the cost of a reading together. */
uint64_t ts_clock_step_ns(void);

#endif
