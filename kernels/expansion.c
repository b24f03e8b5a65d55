/* Below the table, which knows every family: what the families' expand hooks call. */
#include "kernels/ops.h"

#include <string.h>

void ts_expansion_add(struct ts_expansion *expansion, enum ts_op op, const void *args,
                      size_t args_bytes, const uint8_t *operands, size_t operand_count)
{
    struct ts_step *step = &expansion->steps[expansion->count++];
    step->op = op;
    memset(&step->args, 0, sizeof step->args);
    memcpy(step->args.bytes, args, args_bytes);
    memset(step->operands, TS_NO_OPERAND, sizeof step->operands);
    memcpy(step->operands, operands, operand_count);
}
