/* What the checks of single kernels said, for each device of a plan: a wrong kernel has no speed. */
#ifndef TS_BENCH_RUN_KERNEL_CHECKS_H
#define TS_BENCH_RUN_KERNEL_CHECKS_H

#include "bench/record/results.h"
#include "engine/check/kernels.h"

struct ts_kernel_checks {
    unsigned devices;
    struct ts_kernel_result *results; /* [devices, TS_KERNEL_COUNT] */
    bool *checked;                    /* [devices, TS_KERNEL_COUNT]: the result is one */
    const char *records;              /* file of recorded rhos, or NULL */
};

/* False without memory. ts_kernel_checks_free also after that. */
bool ts_kernel_checks_init(struct ts_kernel_checks *checks, unsigned devices);
void ts_kernel_checks_free(struct ts_kernel_checks *checks);

/* pass, marginal or fail. */
enum ts_result_status ts_kernel_result_status(const struct ts_kernel_result *result);

/* What a speed is worth that these kernels had part in: the worst of their verdicts, or skip if one
 * was not checked. Unless it is pass, reason names the first such kernel. */
enum ts_result_status ts_kernel_checks_status(const struct ts_kernel_checks *checks,
                                              unsigned device,
                                              const struct ts_device_counters *work, char *reason,
                                              size_t size);

/* Checks the kernels `only` [TS_KERNEL_COUNT] of a device by its name, by their smaller cases, or
 * where they have none by all usual ones. Each result is kept, and given to fn; false from it ends
 * the check. False with *error where the check itself could not run. */
bool ts_bench_check_kernels(struct ts_kernel_checks *checks, unsigned device, const char *name,
                            unsigned threads, uint64_t seed, const bool *only,
                            ts_kernel_result_fn *fn, void *context, struct ts_error *error);

#endif
