/* The Metal kernels of the table, one entry a TS_KERNEL line of ops.def. Known to every device; run by
 * those that have Metal. */
#ifndef TS_KERNELS_KERNELS_H
#define TS_KERNELS_KERNELS_H

#include "kernels/ops.h"

enum { TS_ANY_FORMAT = 0xffffffffu, TS_MAX_KERNEL_FORMATS = 4 };

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
    double short_chain;
};

struct ts_kernel {
    enum ts_op op;
    unsigned version;
    const char *function; /* in kernels/<family>.metal, of the operation's family */
    /* Of the first weight operands, in their order; formats[0] is the format axis. TS_ANY_FORMAT, and all
     * behind format_count: F32, F16 or BF16, whichever the operand has. */
    uint32_t formats[TS_MAX_KERNEL_FORMATS];
    unsigned format_count;
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

/* The format that a kernel wants of an operand. TS_ANY_FORMAT: F32, F16 or BF16 if it
 * holds weights. */
uint32_t ts_kernel_format(const struct ts_kernel *kernel, unsigned operand);

/* Whether a kernel takes weights of these formats. formats has one for every operand of the operation:
 * only those of weights are looked at, TS_ANY_FORMAT is an operand that is empty. */
bool ts_kernel_takes(const struct ts_kernel *kernel, const uint32_t *formats);

/* The kernel that runs an operation with these arguments and formats (as above): the first line of
 * the table that takes them. NULL: none does. */
const struct ts_kernel *ts_kernel_find(enum ts_op op, const void *args, const uint32_t *formats);

#endif
