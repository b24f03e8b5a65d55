/* Ctrl-C as a flag that long loops look at, so that what was done is kept or cleaned up. */
#ifndef TS_BASE_INTERRUPT_H
#define TS_BASE_INTERRUPT_H

#include <stdbool.h>

/* From now on the first SIGINT sets the flag; a second one ends the process at once. */
void ts_catch_interrupts(void);

bool ts_interrupted(void);

#endif
