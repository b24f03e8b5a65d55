/* Which kernel runs an operation: by the formats of its weights and by its arguments. */
#include "engine/device/metal/choose.h"

_Static_assert(TS_MAX_OPERANDS == 16, "half_operands has two bits an operand");

const struct ts_kernel *ts_metal_choose(enum ts_op op, const void *args,
                                        const struct ts_slice *slices,
                                        const struct ts_kernel *preferred, uint32_t *half_operands,
                                        uint32_t *empty_operands)
{
    const struct ts_op_info *info = ts_op_info(op);
    uint32_t formats[TS_MAX_OPERANDS];
    *half_operands = *empty_operands = 0;
    for (unsigned i = 0; i < info->operand_count; i++) {
        formats[i] = slices[i].buffer ? slices[i].format : TS_ANY_FORMAT;
        *empty_operands |= slices[i].buffer ? 0 : 1u << i;
    }
    bool takes = preferred && preferred->op == op && ts_kernel_takes(preferred, formats) &&
                 preferred->fits(args);
    const struct ts_kernel *kernel = takes ? preferred : ts_kernel_find(op, args, formats);
    for (unsigned i = 0; kernel && i < info->operand_count; i++) {
        if (ts_operand_is_weight(info->operands[i].kind) &&
            ts_kernel_format(kernel, i) == TS_ANY_FORMAT) {
            *half_operands |= formats[i] == TS_F16    ? 1u << i
                              : formats[i] == TS_BF16 ? 1u << (TS_MAX_OPERANDS + i)
                                                      : 0;
        }
    }
    return kernel;
}
