/* A clock for durations: it never jumps and does not know the date. */
#ifndef TS_BASE_CLOCK_H
#define TS_BASE_CLOCK_H

#include <stdint.h>

/* Nanoseconds since some moment before the process began. */
uint64_t ts_clock_ns(void);

#endif
