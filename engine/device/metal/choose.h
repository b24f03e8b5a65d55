#ifndef TS_ENGINE_DEVICE_METAL_CHOOSE_H
#define TS_ENGINE_DEVICE_METAL_CHOOSE_H

#include "engine/device/device.h"
#include "kernels/kernels.h"

/* The kernel that runs an operation on these slices, and its function constants: a bit for each operand
 * whose small weights are F16, and for each that is empty. NULL: none does. `preferred` comes before all
 * others; it may be NULL. */
const struct ts_kernel *ts_metal_choose(enum ts_op op, const void *args,
                                        const struct ts_slice *slices,
                                        const struct ts_kernel *preferred, uint32_t *half_operands,
                                        uint32_t *empty_operands);

#endif
