/* What the suites of the software Metal device share. */
#ifndef SOFTMETAL_TESTS_SUPPORT_H
#define SOFTMETAL_TESTS_SUPPORT_H

#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime.h"

static inline struct sm_device *open_device(void)
{
    struct sm_device *device = NULL;
    struct sm_error error;
    const struct sm_device_options options = {.threads = 2};
    cr_assert(sm_device_open(&options, &device, &error), "%s", error.message);
    return device;
}

/* The library of a source text, all of whose kernels must compile. */
static inline struct sm_library *library_of(struct sm_device *device, const char *source)
{
    struct sm_library *library = NULL;
    struct sm_error error;
    const char *name, *message;
    cr_assert(sm_library_from_source(device, source, NULL, &library, &error), "%s", error.message);
    cr_assert(!sm_library_failure(library, 0, &name, &message), "%s: %s", name, message);
    return library;
}

static inline struct sm_pipeline *pipeline_of(struct sm_library *library, const char *name)
{
    struct sm_pipeline *pipeline = NULL;
    struct sm_error error;
    cr_assert(sm_pipeline_make(library, name, NULL, 0, &pipeline, &error), "%s", error.message);
    return pipeline;
}

static inline struct sm_dispatch dispatch_of(const struct sm_pipeline *pipeline, uint32_t groups,
                                             uint32_t threads)
{
    struct sm_dispatch d = {
        .pipeline = pipeline, .threads = {threads, 1, 1}, .groups = {groups, 1, 1}};
    return d;
}

static inline void run(struct sm_device *device, const struct sm_dispatch *dispatch)
{
    struct sm_error error;
    cr_assert(sm_dispatch_run(device, dispatch, &error), "%s", error.message);
}

/* Whether two numbers are one, NaN and infinities included, within `tolerance` of the wanted. */
static inline bool same(double got, double want, double tolerance)
{
    if (isnan(want) || isnan(got)) {
        return isnan(want) && isnan(got);
    }
    if (isinf(want) || tolerance == 0) {
        return got == want && signbit(got) == signbit(want);
    }
    return fabs(got - want) <= tolerance * fmax(1.0, fabs(want));
}

/* Why a kernel did not compile, or null. */
static inline const char *failure_of(const struct sm_library *library, const char *kernel)
{
    const char *name, *message;
    for (size_t i = 0; sm_library_failure(library, i, &name, &message); i++) {
        if (strcmp(name, kernel) == 0) {
            return message;
        }
    }
    return NULL;
}

static inline void put(const char *path, const char *text)
{
    FILE *f = fopen(path, "w");
    cr_assert(f != NULL, "%s", path);
    fputs(text, f);
    cr_assert(fclose(f) == 0);
}

#endif
