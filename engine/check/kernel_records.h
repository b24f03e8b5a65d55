/* The rhos that kernels had when they were last recorded, so that a kernel which is still within its
 * budget but has become much worse is seen. */
#ifndef TS_ENGINE_CHECK_KERNEL_RECORDS_H
#define TS_ENGINE_CHECK_KERNEL_RECORDS_H

#include "base/error.h"
#include "kernels/kernels.h"

/* Where they are, from the root of the repository. */
#define TS_KERNEL_RECORDS "tests/data/rho.jsonl"

struct ts_kernel_records {
    double rho[TS_KERNEL_COUNT]; /* 0: not recorded */
};

/* Reads a file of lines {"kernel": name, "rho": number}, as check --json writes them; names that the
 * table does not have are passed over, for they may be of another version. A line that is no such object
 * is TS_ERR_DATA, with its number. */
bool ts_kernel_records_read(const char *path, struct ts_kernel_records *records,
                            struct ts_error *error);

#endif
