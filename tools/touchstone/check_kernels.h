/* touchstone check without files: the kernels of the table against the reference. */
#ifndef TS_TOOLS_TOUCHSTONE_CHECK_KERNELS_H
#define TS_TOOLS_TOUCHSTONE_CHECK_KERNELS_H

#include "engine/check/kernels.h"

struct ts_check_table {
    struct ts_kernel_check_options options;
    bool list;          /* name the kernels and check nothing */
    bool probe;         /* only ask whether the device computes at all */
    bool json;          /* an object a line */
    const char *record; /* file to write the rhos of several seeds to, or NULL */
};

/* Returns the exit code. */
int ts_check_table(const struct ts_check_table *check);

#endif
