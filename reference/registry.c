#include "reference/reference.h"

#include <stddef.h>

#define TS_REF_PLAIN(name) ts_ref_##name
#define TS_REF_FUSED(name) NULL

static ts_ref_fn *const table[TS_OP_COUNT] = {
#define TS_OP(name, family, operands, shape, kind) TS_REF_##kind(name),
#include "kernels/ops.def"
#undef TS_OP
};

ts_ref_fn *ts_ref_op(enum ts_op op)
{
    return (unsigned)op < TS_OP_COUNT ? table[op] : NULL;
}
