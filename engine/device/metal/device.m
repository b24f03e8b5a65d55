/* The Metal device: kernels/ on a GPU, or on whatever else provides <Metal/Metal.h>. Activations and
 * KV rows are stored as float32. */
#include "engine/device/metal/metal.h"

#include "base/pool.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What a speed measured here is of. */
static const char *provenance_of(id<MTLDevice> device)
{
    return [[device name] hasPrefix:@"Softmetal"] ? "software" : "apple";
}

/* Metal has no words for these: the software device reads them from the environment when it is first
 * opened, and Apple's devices do not look. */
static void ask(const struct ts_software_options *o)
{
    char text[32];
    if (o->checks) {
        setenv("SOFTMETAL_MODE", "check", 1);
        snprintf(text, sizeof text, "%llu", (unsigned long long)o->seed);
        setenv("SOFTMETAL_SEED", text, 1);
        snprintf(text, sizeof text, "%llu", (unsigned long long)o->adversarial);
        if (o->adversarial > 0) {
            setenv("SOFTMETAL_ADVERSARIAL", text, 1);
        }
    }
    if (o->limit != TS_SECONDS_OF_DEVICE) {
        snprintf(text, sizeof text, "%.9g", o->seconds);
        setenv("SOFTMETAL_LIMIT", text, o->limit == TS_SECONDS_AS_GIVEN);
    }
}

/* What the provider takes beside buffers, for each core and in all: pipelines and queues. Nothing of
 * Apple's is measured: this is a reserve. */
#ifndef TS_METAL_OWN_BYTES
#define TS_METAL_OWN_BYTES (256 << 20)
#define TS_METAL_CORE_BYTES 0
#endif

static uint64_t metal_own_bytes(unsigned threads)
{
    (void)threads; /* the reference's */
    /* the kernels of the largest threadgroups, hc_pre_norm and head_collapse, launch at most 8 */
    uint64_t cores = ts_pool_cores() < 8 ? ts_pool_cores() : 8;
    return TS_METAL_OWN_BYTES + cores * TS_METAL_CORE_BYTES;
}

static void metal_close(void *opaque)
{
    struct ts_metal *metal = opaque;
    @autoreleasepool {
        ts_metal_drop(metal);
        ts_metal_free_pipelines(metal);
        [metal->libraries release];
        [metal->residency endResidency];
        [metal->residency release];
        [metal->nothing release];
        [metal->queue release];
        [metal->device release];
    }
    free(metal->kernels);
    free(metal);
}

/* Since macOS 15; asked by selector, so that older systems (and older headers) do without. */
static void open_residency(struct ts_metal *metal)
{
    Class descriptor_class = NSClassFromString(@"MTLResidencySetDescriptor");
    if (!descriptor_class ||
        ![(id)metal->device respondsToSelector:@selector(newResidencySetWithDescriptor:error:)]) {
        return;
    }
    id descriptor = [[[descriptor_class alloc] init] autorelease];
    metal->residency = [(id)metal->device newResidencySetWithDescriptor:descriptor error:NULL];
    if (metal->residency) {
        [(id)metal->queue addResidencySet:metal->residency];
    }
}

static bool open_device(struct ts_metal *metal, struct ts_error *error)
{
    metal->device = MTLCreateSystemDefaultDevice();
    if (!metal->device) {
        return ts_fail(error, TS_ERR_ENVIRONMENT, "use --device reference",
                       "this machine has no Metal device");
    }
    metal->queue = [metal->device newCommandQueue];
    metal->nothing = [metal->device newBufferWithLength:4096 options:MTLResourceStorageModeShared];
    metal->libraries = [[NSMutableDictionary alloc] init];
    if (!metal->queue || !metal->nothing || !metal->libraries) {
        return ts_fail(error, TS_ERR_ENVIRONMENT, NULL, "Metal gave no command queue");
    }
    open_residency(metal);
    return true;
}

static void *metal_open(const struct ts_device_options *options, struct ts_device_limits *limits,
                        struct ts_error *error)
{
    struct ts_metal *metal = calloc(1, sizeof *metal);
    if (!metal) {
        ts_fail_memory(error, "a Metal device", sizeof *metal);
        return NULL;
    }
    metal->mutant = options->mutant;
    metal->timed = options->timed;
    metal->kernels = options->kernels ? strdup(options->kernels) : NULL;
    ask(&options->software);
    @autoreleasepool {
        if ((options->kernels && !metal->kernels) || !open_device(metal, error)) {
            metal_close(metal);
            return NULL;
        }
        metal->largest = [metal->device maxBufferLength];
        if (options->max_buffer_bytes > 0 && options->max_buffer_bytes < metal->largest) {
            metal->largest = options->max_buffer_bytes;
        }
        limits->max_buffer_bytes = metal->largest;
        limits->working_set_bytes = [metal->device recommendedMaxWorkingSetSize];
        limits->provenance = provenance_of(metal->device);
    }
    return metal;
}

static bool metal_supports(const void *state, enum ts_op op, const void *args,
                           const struct ts_slice *slices)
{
    const struct ts_metal *metal = state;
    uint32_t half, empty;
    return ts_metal_choose(op, args, slices, metal->preferred, &half, &empty) != NULL;
}

static void metal_prefer(void *state, const struct ts_kernel *kernel)
{
    struct ts_metal *metal = state;
    metal->preferred = kernel;
}

static void metal_counters(void *opaque, struct ts_device_counters *counters, bool reset)
{
    struct ts_metal *metal = opaque;
    counters->pipelines = metal->counters.pipelines;
    counters->buffers = metal->counters.buffers;
    counters->residency_requests = metal->counters.residency_requests;
    memcpy(counters->kernel_launches, metal->counters.kernel_launches,
           sizeof counters->kernel_launches);
    memcpy(counters->kernel_ns, metal->counters.kernel_ns, sizeof counters->kernel_ns);
    counters->gpu_ns = metal->counters.gpu_ns;
    if (reset) {
        memset(&metal->counters, 0, sizeof metal->counters);
    }
}

const struct ts_backend ts_backend_metal = {
    .name = "metal",
    .real_format = TS_F32,
    .own_bytes = metal_own_bytes,
    .open = metal_open,
    .close = metal_close,
    .alloc = ts_metal_alloc,
    .wrap = ts_metal_wrap,
    .free = ts_metal_free,
    .contents = ts_metal_contents,
    .name_range = ts_metal_name_range,
    .supports = metal_supports,
    .prefer = metal_prefer,
    .begin = ts_metal_begin,
    .encode = ts_metal_encode,
    .copy = ts_metal_copy,
    .submit = ts_metal_submit,
    .wait = ts_metal_wait,
    .counters = metal_counters,
    .make_resident = ts_metal_make_resident,
    .probe = ts_metal_probe,
};
