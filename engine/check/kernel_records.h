/* The rhos that kernels had when they were last recorded, so that a kernel which is still within its
 * budget but has become much worse is seen. */
#ifndef TS_ENGINE_CHECK_KERNEL_RECORDS_H
#define TS_ENGINE_CHECK_KERNEL_RECORDS_H

#include "base/error.h"
#include "kernels/kernels.h"

/* Where they are, from the root of the repository. */
#define TS_KERNEL_RECORDS "tests/data/rho.jsonl"

enum { TS_RECORD_SEEDS = 64 };

struct ts_kernel_records {
    double rho[TS_KERNEL_COUNT];     /* the largest of all seeds; 0: not recorded */
    uint64_t seeds[TS_RECORD_SEEDS]; /* that they were recorded with */
    unsigned seed_count;
};

/* Reads a file of lines {"kernel": name, "rho": number}, as check --record and --json write them, and at
 * most one {"seeds": [numbers]}; names that the table does not have are passed over, for they may be of
 * another version. A line that is no such object is TS_ERR_DATA, with its number. */
bool ts_kernel_records_read(const char *path, struct ts_kernel_records *records,
                            struct ts_error *error);

/* Writes such a file, by way of another beside it. Kernels of rho 0 are in it too. */
bool ts_kernel_records_write(const char *path, const struct ts_kernel_records *records,
                             struct ts_error *error);

/* Whether they were recorded with this seed. */
bool ts_kernel_records_have(const struct ts_kernel_records *records, uint64_t seed);

#endif
