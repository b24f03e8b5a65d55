#include "bench/run/canary.h"

#include "base/clock.h"

enum { STEPS = 1000000, TRIES = 3, READINGS = 1000 };

uint64_t ts_canary_ns(void)
{
    uint64_t best = UINT64_MAX;
    for (int try = 0; try < TRIES; try++) {
        volatile uint64_t sink; /* so that the loop is not optimised away */
        uint64_t x = 88172645463325252u, start = ts_clock_ns();
        for (int i = 0; i < STEPS; i++) { /* xorshift: each step needs the one before */
            x ^= x << 13;
            x ^= x >> 7;
            x ^= x << 17;
        }
        sink = x;
        (void)sink;
        uint64_t took = ts_clock_ns() - start;
        best = took < best ? took : best;
    }
    return best;
}

uint64_t ts_clock_step_ns(void)
{
    uint64_t best = UINT64_MAX, last = ts_clock_ns();
    for (int i = 0; i < READINGS; i++) {
        uint64_t now = ts_clock_ns();
        if (now > last && now - last < best) {
            best = now - last;
        }
        last = now;
    }
    return best == UINT64_MAX ? 0 : best;
}
