/* Which kernel runs an operation: by the formats of its weights and by its arguments. */
#include "engine/metal/choose.h"

const struct ts_kernel *ts_metal_choose(enum ts_op op, const void *args,
                                        const struct ts_slice *slices, uint32_t *half_operands,
                                        uint32_t *empty_operands)
{
    const struct ts_op_info *info = ts_op_info(op);
    int axis = ts_kernel_weight(op);
    const struct ts_kernel *kernel =
        ts_kernel_find(op, args, axis < 0 ? TS_ANY_FORMAT : slices[axis].format);
    *half_operands = *empty_operands = 0;
    if (!kernel) {
        return NULL;
    }
    for (unsigned i = 0; i < info->operand_count; i++) {
        uint32_t format = slices[i].format;
        if (!slices[i].buffer) {
            *empty_operands |= 1u << i;
        } else if (ts_operand_is_weight(info->operands[i].kind) &&
                   !((int)i == axis && kernel->format != TS_ANY_FORMAT)) {
            if (format != TS_F32 && format != TS_F16) {
                return NULL;
            }
            *half_operands |= format == TS_F16 ? 1u << i : 0;
        }
    }
    return kernel;
}
