#include "tools/touchstone/meter.h"

#include "base/clock.h"

#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

enum { WIDTH = 78 };
static const uint64_t TERMINAL_NS = 100000000, LINE_NS = 10000000000;

void ts_meter_begin(struct ts_meter *meter, bool quiet)
{
    *meter = (struct ts_meter){
        .quiet = quiet, .terminal = isatty(STDERR_FILENO) == 1, .begun = ts_clock_ns()};
    meter->at = meter->begun;
}

void ts_meter_show(struct ts_meter *meter, const char *format, ...)
{
    uint64_t now = ts_clock_ns();
    bool first = meter->terminal && !meter->shown;
    if (meter->quiet || (!first && now - meter->at < (meter->terminal ? TERMINAL_NS : LINE_NS))) {
        return;
    }
    char line[256];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    if (meter->terminal) {
        fprintf(stderr, "\r%-*.*s", WIDTH, WIDTH, line);
    } else {
        fprintf(stderr, "%s (%.0f s so far)\n", line, (double)(now - meter->begun) / 1e9);
    }
    meter->shown = true;
    meter->at = now;
}

void ts_meter_wipe(struct ts_meter *meter)
{
    if (meter->terminal && meter->shown) {
        fprintf(stderr, "\r%*s\r", WIDTH, "");
        meter->shown = false;
    }
}
