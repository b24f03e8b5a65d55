/* The Metal device: memory, code and work, and everything that can go wrong with them. The environment
 * of the software Metal device is what makes things go wrong; a real one passes the rest. */
#include "engine/device/device.h"
#include "base/rng.h"
#include "tests/support/software.h"
#include "tests/support/program.h"

#include <math.h>
#include <sys/mman.h>

enum { ROWS = 3, WIDTH = 40, COUNT = ROWS * WIDTH, PAGE = 16384 };

static struct ts_device *open_device(const struct ts_device_options *options)
{
    struct ts_error error = {0};
    struct ts_device *device = ts_device_open("metal", options, &error);
    cr_assert(device != NULL, "%s", error.message);
    return device;
}

/* One rms_norm: x and y in memory of the device. False with *error. */
static bool run_norm(struct ts_device *device, struct ts_slice x, struct ts_slice weight,
                     struct ts_slice y, struct ts_error *error)
{
    struct ts_rms_norm_args args = {.rows = ROWS, .width = WIDTH, .epsilon = 1e-6f};
    struct ts_slice slices[] = {x, weight, y};
    return ts_device_begin(device, error) &&
           ts_device_encode(device, TS_OP_rms_norm, &args, slices, 3, error) &&
           ts_device_submit(device, error) && ts_device_wait(device, error);
}

struct scene {
    struct ts_buffer *buffer;
    struct ts_slice x, y;
    double values[COUNT];
};

static struct scene scene_on(struct ts_device *device)
{
    struct ts_error error = {0};
    struct scene scene;
    struct ts_rng rng;
    ts_rng_seed(&rng, 1);
    scene.buffer = ts_buffer_alloc(device, 8192, "a test", &error);
    cr_assert(scene.buffer != NULL, "%s", error.message);
    scene.x = (struct ts_slice){scene.buffer, 256, COUNT * sizeof(float), TS_F32};
    scene.y = (struct ts_slice){scene.buffer, 4096, COUNT * sizeof(float), TS_F32};
    for (int i = 0; i < COUNT; i++) {
        scene.values[i] = (double)(float)ts_rng_gauss(&rng);
    }
    ts_slice_write(scene.x, 0, COUNT, scene.values);
    return scene;
}

static void expect_norm(const struct scene *scene, const float *weight)
{
    double y[COUNT];
    ts_slice_read(scene->y, 0, COUNT, y);
    for (int r = 0; r < ROWS; r++) {
        const double *x = scene->values + r * WIDTH;
        double squares = 0;
        for (int i = 0; i < WIDTH; i++) {
            squares += x[i] * x[i];
        }
        for (int i = 0; i < WIDTH; i++) {
            double factor = weight ? (double)weight[i] : 1;
            double want = x[i] * factor / sqrt(squares / WIDTH + 1e-6);
            cr_assert(fabs(y[r * WIDTH + i] - want) < 1e-5 * (1 + fabs(want)),
                      "row %d, %d: %g, expected %g", r, i, y[r * WIDTH + i], want);
        }
    }
}

static const struct ts_slice empty;

Test(metal_device, computes_with_and_without_weights)
{
    struct ts_device *device = open_device(NULL);
    struct scene scene = scene_on(device);
    struct ts_error error = {0};
    cr_assert(run_norm(device, scene.x, empty, scene.y, &error), "%s", error.message);
    expect_norm(&scene, NULL);
    struct ts_device_counters counters;
    ts_device_counters(device, &counters);
    cr_expect(counters.pipelines == 1 && counters.kernel_launches[TS_KERNEL_rms_norm] == 1);
    ts_buffer_free(scene.buffer);
    ts_device_close(device);
}

/* Pipelines are made once for each set of formats, and nothing is made once all exist. */
Test(metal_device, warms_up)
{
    struct ts_device *device = open_device(NULL);
    struct scene scene = scene_on(device);
    struct ts_error error = {0};
    struct ts_device_counters before, after;
    for (int i = 0; i < 3; i++) {
        cr_assert(run_norm(device, scene.x, empty, scene.y, &error), "%s", error.message);
        ts_device_counters(device, i == 0 ? &before : &after);
    }
    cr_expect(after.pipelines == before.pipelines && after.buffers == before.buffers);
    ts_buffer_free(scene.buffer);
    ts_device_close(device);
}

/* Memory at a page, as a mapped model file is. */
static void *pages(uint64_t bytes)
{
    char *room = mmap(NULL, bytes + PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANON, -1, 0);
    cr_assert(room != MAP_FAILED);
    return room + (PAGE - (uintptr_t)room % PAGE) % PAGE;
}

/* A mapping longer than the largest buffer is seen through views that overlap: a weight that lies across
 * the end of the first view is whole in the second. */
Test(metal_device, long_mappings_have_views)
{
    struct ts_device *device =
        open_device(&(struct ts_device_options){.max_buffer_bytes = 48 * PAGE});
    uint64_t largest = ts_device_limits(device)->max_buffer_bytes, bytes = largest + 7 * PAGE;
    struct scene scene = scene_on(device);
    struct ts_error error = {0};
    char *data = pages(bytes);
    struct ts_buffer *weights = ts_buffer_wrap(device, data, bytes, WIDTH * sizeof(float), &error);
    cr_assert(weights != NULL, "%s", error.message);
    cr_assert(bytes > largest && ts_buffer_contents(weights) == data);
    uint64_t places[] = {0, largest - 80, largest - PAGE, largest, bytes - WIDTH * sizeof(float)};
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        float weight[WIDTH];
        for (int k = 0; k < WIDTH; k++) {
            weight[k] = (float)(k + 1) * (float)(i + 1);
        }
        memcpy(data + places[i], weight, sizeof weight);
        struct ts_slice slice = {weights, places[i], sizeof weight, TS_F32};
        cr_assert(run_norm(device, scene.x, slice, scene.y, &error), "%s", error.message);
        expect_norm(&scene, weight);
        memset(data + places[i], 0, sizeof weight);
    }
    ts_buffer_free(weights);
    ts_buffer_free(scene.buffer);
    ts_device_close(device);
}

static void expect_text(const struct ts_error *error, const char *const *parts)
{
    for (; *parts; parts++) {
        cr_expect(strstr(error->message, *parts) || strstr(error->hint, *parts),
                  "'%s' (%s) lacks '%s'", error->message, error->hint, *parts);
    }
}
#define EXPECT_TEXT(error, ...) expect_text(error, (const char *const[]){__VA_ARGS__, NULL})

Test(metal_device, refuses_memory_off_a_page)
{
    struct ts_device *device = open_device(NULL);
    struct ts_error error = {0};
    char *data = pages(2 * PAGE);
    cr_expect(!ts_buffer_wrap(device, data + 64, PAGE, PAGE, &error));
    EXPECT_TEXT(&error, "must begin at a multiple of 16384");
    ts_device_close(device);
}

/* Runs the norm and expects this error, then that the device goes on if it can. */
static void expect_failure(const struct ts_device_options *options, bool goes_on,
                           const char *const *parts)
{
    struct ts_device *device = open_device(options);
    struct scene scene = scene_on(device);
    struct ts_error error = {0};
    cr_assert(!run_norm(device, scene.x, empty, scene.y, &error));
    cr_expect(ts_exit_code(error.code) == 4);
    expect_text(&error, parts);
    cr_expect(run_norm(device, scene.x, empty, scene.y, &error) == goes_on, "%s", error.message);
    if (goes_on) {
        expect_norm(&scene, NULL);
    }
    ts_buffer_free(scene.buffer);
    ts_device_close(device);
}
#define EXPECT_FAILURE(options, goes_on, ...)                                                      \
    expect_failure(options, goes_on, (const char *const[]){__VA_ARGS__, NULL})

/* A folder with one source: the built-in one of the family norm, changed by sed. */
static struct test_path kernels_with(const char *change)
{
    struct test_path folder = test_path("kernels");
    char command[512];
    snprintf(command, sizeof command,
             "tools/embed-kernels.sh --flat %s kernels/norm.metal && sed -i.old '%s' %s/norm.metal",
             folder.text, change, folder.text);
    cr_assert(system(command) == 0, "%s", command);
    return folder;
}

static void remove_folder(const struct test_path *folder)
{
    char command[256];
    snprintf(command, sizeof command, "rm -rf %s", folder->text);
    cr_expect(system(command) == 0);
}

Test(metal_device, source_that_does_not_compile)
{
    struct test_path folder = kernels_with("s/rsqrt(mean/rsqrt(maen/");
    struct ts_device_options options = {.kernels = folder.text};
    EXPECT_FAILURE(&options, false, "kernel rms_norm", "does not compile",
                   "kernels/norm.metal:", "maen");
    remove_folder(&folder);
}

Test(metal_device, function_that_is_missing)
{
    struct test_path folder = kernels_with("s/kernel void rms_norm/kernel void other/");
    struct ts_device_options options = {.kernels = folder.text};
    EXPECT_FAILURE(&options, false, "kernels/norm.metal", "rms_norm");
    remove_folder(&folder);
}

Test(metal_device, folder_without_the_source)
{
    struct ts_device_options options = {.kernels = "build/tmp/no-such-folder"};
    EXPECT_FAILURE(&options, false, "kernel rms_norm", "kernels/norm.metal");
}

Test(metal_device, too_few_threads)
{
    TEST_NEEDS_SOFTWARE("takes a limit of threads");
    setenv("SOFTMETAL_MAX_THREADS", "128", 1);
    EXPECT_FAILURE(NULL, false, "kernel rms_norm", "kernels/norm.metal", "256 threads", "128");
}

Test(metal_device, watchdog)
{
    TEST_NEEDS_SOFTWARE("fails on request");
    setenv("SOFTMETAL_FAULT", "timeout:1", 1);
    EXPECT_FAILURE(NULL, true, "the work failed: kernel rms_norm did not end: Caused GPU Timeout",
                   "watchdog");
}

Test(metal_device, out_of_memory)
{
    TEST_NEEDS_SOFTWARE("fails on request");
    setenv("SOFTMETAL_FAULT", "memory:1", 1);
    EXPECT_FAILURE(NULL, true, "the work failed", "--ctx");
}

Test(metal_device, operation_without_a_kernel)
{
    struct ts_device *device = open_device(NULL);
    struct scene scene = scene_on(device);
    struct ts_error error = {0};
    struct ts_slice weight = scene.x;
    weight.format = TS_F64;
    weight.bytes = WIDTH * sizeof(double);
    cr_assert(!run_norm(device, scene.x, weight, scene.y, &error));
    EXPECT_TEXT(&error, "no kernel for operation rms_norm", "F64", "--device reference");
    ts_buffer_free(scene.buffer);
    ts_device_close(device);
}

/* Residency sets came with macOS 15: older systems do without. */
Test(metal_device, older_system)
{
    TEST_NEEDS_SOFTWARE("plays an older system");
    setenv("SOFTMETAL_OS", "14.6", 1);
    struct ts_device *device = open_device(NULL);
    struct scene scene = scene_on(device);
    struct ts_error error = {0};
    cr_assert(run_norm(device, scene.x, empty, scene.y, &error), "%s", error.message);
    expect_norm(&scene, NULL);
    ts_buffer_free(scene.buffer);
    ts_device_close(device);
}

/* Buffers that exist are asked for once, before any work; work asks for those that came later. */
Test(metal_device, residency_before_the_first_step)
{
    struct ts_device *device = open_device(NULL);
    struct scene scene = scene_on(device);
    struct ts_error error = {0};
    struct ts_device_counters counters;
    ts_device_make_resident(device);
    ts_device_counters(device, &counters);
    uint64_t asked = counters.residency_requests; /* 0 where the system has no residency sets */
    cr_expect(asked <= 1);
    ts_device_make_resident(device);
    cr_assert(run_norm(device, scene.x, empty, scene.y, &error), "%s", error.message);
    ts_device_counters(device, &counters);
    cr_expect_eq(counters.residency_requests, asked);
    struct ts_buffer *later = ts_buffer_alloc(device, 64, "later", &error);
    cr_assert(later != NULL);
    cr_assert(run_norm(device, scene.x, empty, scene.y, &error), "%s", error.message);
    ts_device_counters(device, &counters);
    cr_expect_eq(counters.residency_requests, 2 * asked);
    cr_expect(asked == 1 || !test_device_is_software(), "the software device has residency sets");
    ts_buffer_free(later);
    ts_buffer_free(scene.buffer);
    ts_device_close(device);
}

Test(metal_device, times_kernels_one_by_one)
{
    struct ts_device *device = open_device(&(struct ts_device_options){.timed = true});
    struct scene scene = scene_on(device);
    struct ts_error error = {0};
    cr_assert(run_norm(device, scene.x, empty, scene.y, &error), "%s", error.message);
    expect_norm(&scene, NULL);
    struct ts_device_counters counters;
    ts_device_counters(device, &counters);
    cr_expect(counters.kernel_ns[TS_KERNEL_rms_norm] > 0 &&
              counters.kernel_ns[TS_KERNEL_rms_norm] <= counters.gpu_ns);
    ts_buffer_free(scene.buffer);
    ts_device_close(device);
}

Test(metal_device, copies)
{
    struct ts_device *device = open_device(NULL);
    struct scene scene = scene_on(device);
    struct ts_error error = {0};
    cr_assert(ts_device_begin(device, &error) && ts_device_copy(device, scene.y, scene.x, &error) &&
                  ts_device_submit(device, &error) && ts_device_wait(device, &error),
              "%s", error.message);
    cr_expect(memcmp(ts_slice_contents(scene.x), ts_slice_contents(scene.y), scene.x.bytes) == 0);
    ts_buffer_free(scene.buffer);
    ts_device_close(device);
}
