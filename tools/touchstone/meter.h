/* How far a long step is, on standard error: on a terminal a line that is written again and wiped at the
 * end, elsewhere a line every ten seconds. */
#ifndef TS_TOOLS_TOUCHSTONE_METER_H
#define TS_TOOLS_TOUCHSTONE_METER_H

#include <stdbool.h>
#include <stdint.h>

struct ts_meter {
    bool quiet; /* says nothing at all */
    bool terminal;
    bool shown;         /* a line is on the terminal */
    uint64_t begun, at; /* ns of the clock: of the step, and of the line before */
};

void ts_meter_begin(struct ts_meter *meter, bool quiet);

/* As often as you like: most calls print nothing. */
void ts_meter_show(struct ts_meter *meter, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Before anything else is printed. The meter may go on. */
void ts_meter_wipe(struct ts_meter *meter);

#endif
