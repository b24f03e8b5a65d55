/* Ctrl-C as a question that long loops ask, so that what was done is kept or cleaned up. */
#ifndef TS_BASE_INTERRUPT_H
#define TS_BASE_INTERRUPT_H

#include <stdbool.h>

/* From now on the first SIGINT only makes ts_interrupted true; a second one ends the process. */
void ts_catch_interrupts(void);

/* Only after ts_catch_interrupts. Any thread may ask; it costs a system call. */
bool ts_interrupted(void);

#endif
