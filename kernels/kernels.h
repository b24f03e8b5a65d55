/* The Metal kernels of the table, one entry a TS_KERNEL line of ops.def. Known to every device; run by
 * those that have Metal. */
#ifndef TS_KERNELS_KERNELS_H
#define TS_KERNELS_KERNELS_H

#include "kernels/ops.h"

enum { TS_ANY_FORMAT = 0xffffffffu };

/* The geometry of a launch, in threadgroups. */
struct ts_launch {
    uint32_t groups[3];
    uint32_t threads; /* of a threadgroup; a multiple of 32 */
};

/* What a kernel claims, as unit roundoffs (reference/reference.h has what they mean). */
struct ts_precision {
    double u_in;  /* rounding of inputs before use */
    double u_acc; /* of every step of an accumulation */
    double u_out; /* of the stored output */
};

struct ts_kernel {
    enum ts_op op;
    unsigned version;
    const char *function; /* in kernels/<family>.metal, of the operation's family */
    uint32_t format; /* of the first WGT operand; TS_ANY_FORMAT: F32 or F16, or there is none */
    struct ts_precision claim;
    unsigned first_mutant, last_mutant; /* of its family's file; 0: none */
    bool (*fits)(const void *args);
    void (*grid)(const void *args, struct ts_launch *launch);
};

enum ts_kernel_id {
#define TS_KERNEL(op, version, function, format, when, grid, claim, mutants) TS_KERNEL_##function,
#include "kernels/ops.def"
    TS_KERNEL_COUNT
};

/* In the order of the table; index below TS_KERNEL_COUNT. */
const struct ts_kernel *ts_kernel_at(unsigned index);
unsigned ts_kernel_index(const struct ts_kernel *kernel);

/* The kernel that runs an operation with these arguments: the first line of the table that takes
 * the format of its first weight operand (any value where there is none). NULL: none does. */
const struct ts_kernel *ts_kernel_find(enum ts_op op, const void *args, uint32_t format);

/* The place of the operand whose format is the format axis, or -1. */
int ts_kernel_weight(enum ts_op op);

#endif
