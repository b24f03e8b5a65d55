#include "bench/run/kernel_checks.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool ts_kernel_checks_init(struct ts_kernel_checks *checks, unsigned devices)
{
    size_t count = (size_t)devices * TS_KERNEL_COUNT;
    *checks = (struct ts_kernel_checks){.devices = devices};
    checks->results = calloc(count, sizeof *checks->results);
    checks->checked = calloc(count, sizeof *checks->checked);
    return checks->results && checks->checked;
}

void ts_kernel_checks_free(struct ts_kernel_checks *checks)
{
    free(checks->results);
    free(checks->checked);
    *checks = (struct ts_kernel_checks){.devices = 0};
}

enum ts_result_status ts_kernel_result_status(const struct ts_kernel_result *result)
{
    return result->verdict == TS_KERNEL_FAIL       ? TS_STATUS_FAIL
           : result->verdict == TS_KERNEL_MARGINAL ? TS_STATUS_MARGINAL
                                                   : TS_STATUS_PASS;
}

/* How bad a status is of a speed. */
static int rank(enum ts_result_status status)
{
    return status == TS_STATUS_FAIL   ? 3
           : status == TS_STATUS_SKIP ? 2
                                      : status == TS_STATUS_MARGINAL;
}

enum ts_result_status ts_kernel_checks_status(const struct ts_kernel_checks *checks,
                                              unsigned device,
                                              const struct ts_device_counters *work, char *reason,
                                              size_t size)
{
    enum ts_result_status worst = TS_STATUS_PASS;
    for (unsigned i = 0; i < TS_KERNEL_COUNT; i++) {
        size_t place = (size_t)device * TS_KERNEL_COUNT + i;
        const struct ts_kernel_result *result = &checks->results[place];
        const char *name = ts_kernel_at(i)->function;
        bool checked = checks->checked[place];
        enum ts_result_status status = checked ? ts_kernel_result_status(result) : TS_STATUS_SKIP;
        if (work->kernel_launches[i] == 0 || rank(status) <= rank(worst)) {
            continue;
        }
        worst = status;
        if (!checked) {
            snprintf(reason, size, "kernel %s was not checked", name);
        } else {
            snprintf(reason, size, "kernel %s %s: %.*s", name,
                     status == TS_STATUS_FAIL ? "fails its check" : "is further off than recorded",
                     (int)size / 2, result->reason[0] ? result->reason : result->score.worst);
        }
    }
    return worst;
}

struct run {
    struct ts_kernel_checks *checks;
    unsigned device;
    bool small;
    bool again[TS_KERNEL_COUNT]; /* has no small case */
    bool stopped;
    ts_kernel_result_fn *fn;
    void *context;
};

static bool keep(void *context, const struct ts_kernel_result *result)
{
    struct run *run = context;
    unsigned index = ts_kernel_index(result->kernel);
    size_t place = (size_t)run->device * TS_KERNEL_COUNT + index;
    if (run->small && result->cases == 0) {
        run->again[index] = true;
        return true;
    }
    run->checks->results[place] = *result;
    run->checks->checked[place] = true;
    run->stopped = !run->fn(run->context, result);
    return !run->stopped;
}

bool ts_bench_check_kernels(struct ts_kernel_checks *checks, unsigned device, const char *name,
                            unsigned threads, uint64_t seed, const bool *only,
                            ts_kernel_result_fn *fn, void *context, struct ts_error *error)
{
    struct run run = {
        .checks = checks, .device = device, .small = true, .fn = fn, .context = context};
    struct ts_kernel_check_options options = {.device = name,
                                              .only = only,
                                              .records = checks->records,
                                              .seed = seed,
                                              .threads = threads,
                                              .small_cases = true};
    struct ts_kernel_totals totals;
    bool ok = ts_kernels_check(&options, keep, &run, &totals, error), more = false;
    for (unsigned i = 0; i < TS_KERNEL_COUNT; i++) {
        more = more || run.again[i];
    }
    if (!ok || !more || run.stopped) {
        return ok;
    }
    run.small = options.small_cases = false;
    options.only = run.again;
    return ts_kernels_check(&options, keep, &run, &totals, error);
}
