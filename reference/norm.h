/* The scale of an RMSNorm, shared by rms_norm and hc_mix. */
#ifndef TS_REFERENCE_NORM_H
#define TS_REFERENCE_NORM_H

#include "reference/budget.h"

#include <stdint.h>

struct ts_rms {
    double share;   /* mean / (mean + epsilon): how far the mean's errors reach */
    double inverse; /* 1 / sqrt(mean + epsilon) */
    double epsilon;
};

/* Of elements [first, first + count) of a real operand; mean is that of their squares. */
struct ts_rms ts_ref_rms(const struct ts_ref_in *in, uint64_t first, uint64_t count,
                         double epsilon);

/* Bound of the relative error of `inverse` as computed with the claim, input errors included. */
double ts_ref_rms_error(const struct ts_ref_in *in, uint64_t first, uint64_t count,
                        const struct ts_rms *rms, const struct ts_budget *budget);

#endif
