/* Numbers for operands that cannot be any numbers, shared by the families' ts_inputs_fn hooks. */
#ifndef TS_KERNELS_INPUTS_H
#define TS_KERNELS_INPUTS_H

#include "base/rng.h"

#include <math.h>
#include <stdint.h>

/* Cosines and sines of angles of a whole turn: values [count / 2, 2]. */
static inline void ts_inputs_angles(struct ts_rng *rng, uint64_t count, double *values)
{
    for (uint64_t i = 0; i + 1 < count; i += 2) {
        double angle = 2 * M_PI * ts_rng_uniform(rng);
        values[i] = (double)(float)cos(angle);
        values[i + 1] = (double)(float)sin(angle);
    }
}

#endif
