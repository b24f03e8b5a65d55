/* Regimes of numbers that models hardly ever have, in variants:
 *
 * EXTREME  weights with scales that are subnormal, as large as they can be, negative or zero; inputs so
 *          small that epsilons and the least scales of round trips decide, or so large that exp over- and
 *          underflows.
 * SPECIAL  one NaN, infinity or -infinity in one operand, and -0 here and there in all. What the output has
 *          of NaN and infinities must be what the reference has. The sign of a zero is never compared: it
 *          says only in which order a sum was begun.
 *
 * Indices are exempt: ids and tokens are checked by whoever makes them, and out of range they have no
 * meaning. Angles are not, though the host makes them finite. */
#ifndef TS_ENGINE_CHECK_KERNEL_VALUES_H
#define TS_ENGINE_CHECK_KERNEL_VALUES_H

#include "engine/check/kernel_case.h"

/* How many variants a regime has for a kernel: 1 for the others, 0 where it does not apply. */
unsigned ts_regime_variants(const struct ts_kernel *kernel, enum ts_regime regime);

/* Fills `elements` weights of operand `place` as the case's regime and variant say. False for a format of which
 * nobody knows how. */
bool ts_values_weights(const struct ts_kernel_case *c, unsigned place, uint8_t *bytes,
                       uint64_t elements, struct ts_rng *rng);

/* What random real numbers are multiplied by before a hook has them: hooks know what is too large. */
double ts_values_scale(const struct ts_kernel_case *c);

/* Changes the real numbers of operand `place`, which a hook may have made. */
void ts_values_reals(const struct ts_kernel_case *c, unsigned place, struct ts_rng *rng);

/* Of the SPECIAL regime, when the reference has spoken: whether some of what is compared is finite and
 * some is not. */
bool ts_values_mixed(const struct ts_kernel_case *c);

#endif
