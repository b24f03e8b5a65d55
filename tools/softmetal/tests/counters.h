/* What the suites of the counters share: a device that counts, two buffers, one launch. */
#ifndef SOFTMETAL_TESTS_COUNTERS_H
#define SOFTMETAL_TESTS_COUNTERS_H

#include "support.h"

#include <inttypes.h>
#include <stdarg.h>

enum { BYTES = 65536 }; /* of each buffer */

struct counting {
    struct sm_device *device;
    struct sm_library *library;
    float *x, *y; /* buffers 0 and 1; they begin with a line */
};

static inline struct counting counting_open(enum sm_mode mode, const char *file)
{
    struct counting c = {.x = aligned_alloc(4096, BYTES), .y = aligned_alloc(4096, BYTES)};
    struct sm_error error;
    const struct sm_device_options options = {.mode = mode, .count = true, .counters = file};
    cr_assert(c.x && c.y);
    memset(c.x, 0, BYTES);
    memset(c.y, 0, BYTES);
    cr_assert(sm_device_open(&options, &c.device, &error), "%s", error.message);
    cr_assert(sm_library_from_file(c.device, TESTS "/counters.metal", NULL, &c.library, &error),
              "%s", error.message);
    return c;
}

static inline void counting_close(struct counting *c)
{
    sm_library_free(c->library);
    sm_device_close(c->device);
    free(c->x);
    free(c->y);
}

static inline void counting_run(const struct counting *c, struct sm_tally *tally,
                                const char *kernel, uint32_t threads, uint32_t groups)
{
    struct sm_pipeline *pipeline = pipeline_of(c->library, kernel);
    struct sm_dispatch d = dispatch_of(pipeline, groups, threads);
    d.buffers[0] = c->x;
    d.buffers[1] = c->y;
    d.buffer_bytes[0] = BYTES;
    d.buffer_bytes[1] = BYTES / 2;
    d.threadgroup_bytes[0] = 4096;
    d.tally = tally;
    run(c->device, &d);
    sm_pipeline_free(pipeline);
}

static inline void expect_traffic(const struct sm_traffic *got, const struct sm_traffic *want,
                                  const char *format, ...)
{
    char what[128];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(what, sizeof what, format, arguments);
    va_end(arguments);
    const uint64_t *g = &got->bytes, *w = &want->bytes;
    static const char *const names[] = {"bytes",           "distinct_threadgroup",
                                        "distinct_launch", "distinct_command_buffer",
                                        "accesses",        "lines"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        cr_expect(g[i] == w[i], "%s: %s is %" PRIu64 ", not %" PRIu64, what, names[i], g[i], w[i]);
    }
}

/* Null if it was not touched. */
static inline const struct sm_counted *counted_in(const struct sm_counters *k, const char *label,
                                                  int index)
{
    for (size_t i = 0; i < k->buffer_count; i++) {
        if (k->buffers[i].index == index && strcmp(k->buffers[i].name, label) == 0) {
            return &k->buffers[i];
        }
    }
    return NULL;
}

static inline const struct sm_counted *range_in(const struct sm_counters *k, const char *name)
{
    for (size_t i = 0; i < k->range_count; i++) {
        if (strcmp(k->ranges[i].name, name) == 0) {
            return &k->ranges[i];
        }
    }
    return NULL;
}

#endif
