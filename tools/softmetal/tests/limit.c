/* Kernels that do not end are stopped, wherever they are, and the device goes on. */
#include "support.h"

#define HEAD "#include <metal_stdlib>\nusing namespace metal;\n"

enum { GROUPS = 5, THREADS = 64 };

/* A body for each way to go round for ever; `x[1]` is never 0. */
static const char *const loops[] = {
    "while (true) {}",
    "while (x[1] != 0) {}",
    "while (true) x[0] += 1;",
    "while (x[1] != 0) x[0] = exp(x[0]) - sin(x[0]);",
    "while (x[1] != 0) threadgroup_barrier(mem_flags::mem_device);",
    "while (x[1] != 0) x[0] = simd_sum(x[0]);",
    "while (x[1] != 0) for (uint k = 0; k < 1000; k++) y[k % 64] = float(k);",
    "if (i == 77) while (x[1] != 0) x[2] = 1;",
    ("threadgroup float t[64]; t[i % 64] = 1; while (t[i % 64] != 0) "
     "simdgroup_barrier(mem_flags::mem_threadgroup);"),
};
enum { LOOPS = sizeof loops / sizeof *loops };

static void source_of(char *text, size_t room)
{
    size_t at = (size_t)snprintf(text, room, HEAD);
    for (int i = 0; i < LOOPS; i++) {
        at += (size_t)snprintf(text + at, room - at,
                               "kernel void loop%d(device volatile float *x, device float *y, "
                               "uint i [[thread_position_in_grid]]) { %s }\n",
                               i, loops[i]);
    }
    snprintf(text + at, room - at,
             "kernel void right(device float *x, device float *y, uint i "
             "[[thread_position_in_grid]]) { y[i] = simd_sum(x[1]) + float(i); }\n");
}

static struct sm_device *device_with(enum sm_mode mode, const char *limit)
{
    struct sm_device *device = NULL;
    struct sm_error error;
    const struct sm_device_options options = {.threads = 2, .mode = mode, .limit = limit};
    cr_assert(sm_device_open(&options, &device, &error), "%s", error.message);
    return device;
}

static void expect_right(struct sm_device *device, struct sm_library *library, float *x)
{
    float y[GROUPS * THREADS] = {0};
    struct sm_pipeline *right = pipeline_of(library, "right");
    struct sm_dispatch d = dispatch_of(right, GROUPS, THREADS);
    d.buffers[0] = x;
    d.buffers[1] = y;
    x[1] = 2;
    run(device, &d);
    for (int i = 0; i < GROUPS * THREADS; i++) {
        cr_assert(y[i] == 64 + (float)i, "[%d] is %g", i, (double)y[i]);
    }
    sm_pipeline_free(right);
}

static void stop_all(enum sm_mode mode)
{
    char source[4096];
    source_of(source, sizeof source);
    struct sm_device *device = device_with(mode, "0.05");
    struct sm_library *library = library_of(device, source);
    for (int i = 0; i < LOOPS; i++) {
        char name[16];
        float x[64] = {0, 2}, y[64] = {0};
        struct sm_error error;
        snprintf(name, sizeof name, "loop%d", i);
        struct sm_pipeline *loop = pipeline_of(library, name);
        struct sm_dispatch d = dispatch_of(loop, GROUPS, THREADS);
        d.buffers[0] = x;
        d.buffers[1] = y;
        cr_assert(!sm_dispatch_run(device, &d, &error), "%s ended", loops[i]);
        cr_expect(error.timed_out, "%s: %s", loops[i], error.message);
        cr_expect(strstr(error.message, name) && strstr(error.message, "within 0.05 s"), "%s",
                  error.message);
        sm_pipeline_free(loop);
        expect_right(device, library, x);
    }
    sm_library_free(library);
    sm_device_close(device);
}

Test(softmetal_limit, kernels_without_end_are_stopped)
{
    stop_all(SM_MODE_FAST);
}

Test(softmetal_limit, also_where_they_are_watched)
{
    stop_all(SM_MODE_CHECK);
}

/* What ends is not stopped, and other errors are no timeouts. */
Test(softmetal_limit, kernels_that_end_do)
{
    struct sm_device *device = device_with(SM_MODE_FAST, "100");
    struct sm_library *library = library_of(
        device, HEAD "kernel void slow(device float *x, uint i [[thread_position_in_grid]])\n"
                     "{ float sum = 0; for (uint k = 0; k < 10000000; k++) sum = sum * 0.5f + 1;\n"
                     "  x[i] = sum; }\n"
                     "kernel void big(device float *x, uint i [[thread_index_in_threadgroup]])\n"
                     "{ threadgroup float t[9000]; t[i] = x[i]; x[i] = t[0]; }\n");
    struct sm_pipeline *slow = pipeline_of(library, "slow"), *big = pipeline_of(library, "big");
    struct sm_error error = {.timed_out = true};
    float x[64] = {0};
    struct sm_dispatch d = dispatch_of(slow, 2, 1);
    d.buffers[0] = x;
    run(device, &d);
    cr_expect(x[0] == 2 && x[1] == 2);
    d = dispatch_of(big, 1, 32);
    d.buffers[0] = x;
    cr_assert(!sm_dispatch_run(device, &d, &error));
    cr_expect(!error.timed_out && strstr(error.message, "32768"), "%s", error.message);
    sm_pipeline_free(slow);
    sm_pipeline_free(big);
    sm_library_free(library);
    sm_device_close(device);
}

Test(softmetal_limit, limits_that_are_none)
{
    const char *const wrong[] = {"x", "-1", "1s", "nan", "1e300", "0x"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        struct sm_device *device = NULL;
        struct sm_error error;
        const struct sm_device_options options = {.limit = wrong[i]};
        cr_assert(!sm_device_open(&options, &device, &error), "%s is taken", wrong[i]);
        cr_expect(strstr(error.message, "SOFTMETAL_LIMIT"), "%s", error.message);
    }
    sm_device_close(device_with(SM_MODE_FAST, "0"));
}
