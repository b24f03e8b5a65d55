/* The Metal device's parts. Objective-C with manual retain and release, because it must also build
 * against a runtime without ARC. One thread at a time. */
#ifndef TS_ENGINE_DEVICE_METAL_METAL_H
#define TS_ENGINE_DEVICE_METAL_METAL_H

#import <Foundation/Foundation.h>
#import <Metal/Metal.h>

#include "engine/device/backend.h"
#include "engine/device/metal/choose.h"

/* Memory that Metal wants for buffers without a copy: both ends at multiples of this. */
enum { TS_METAL_PAGE = 16384 };

/* A pipeline of a kernel, for one set of function constants. */
struct ts_metal_pipeline {
    uint32_t half_operands, empty_operands;
    id<MTLComputePipelineState> state;
    struct ts_metal_pipeline *next;
};

/* Memory is one Metal buffer, or for a mapped file longer than Metal's largest several views that
 * overlap: view i begins at i * stride. */
struct ts_metal_buffer {
    id<MTLBuffer> *views;
    unsigned count;
    uint64_t stride;
    uint64_t view_bytes; /* of all but the last */
};

/* Work that was submitted and not waited for. */
struct ts_metal_work {
    id<MTLCommandBuffer> commands;
    unsigned kernel;                /* when timed: the only one in it; TS_KERNEL_COUNT: not timed */
    bool launched[TS_KERNEL_COUNT]; /* the kernels in it */
    struct ts_metal_work *next;
};

struct ts_metal {
    id<MTLDevice> device;
    id<MTLCommandQueue> queue;
    id<MTLBuffer> nothing; /* bound where an operand is empty */
    id residency;          /* MTLResidencySet, where the system has it; else nil */
    bool resident;         /* the set holds all that was added */
    uint64_t used_ns;      /* when work was last begun */
    uint64_t largest;      /* bytes of a buffer or view at most */
    /* code */
    NSMutableDictionary *libraries; /* by family */
    struct ts_metal_pipeline *pipelines[TS_KERNEL_COUNT];
    char *kernels; /* folder of sources instead of the program's own, or NULL */
    unsigned mutant;
    const struct ts_kernel *preferred; /* or NULL: ts_device_prefer */
    /* work */
    bool timed;
    id<MTLCommandBuffer> commands; /* that is being encoded, or nil */
    id<MTLComputeCommandEncoder> encoder;
    bool launched[TS_KERNEL_COUNT]; /* the kernels in them */
    struct ts_metal_work *first, *last;
    struct ts_device_counters counters; /* only what a device counts itself */
};

/* pipelines.m: the pipeline of a kernel, built when it is first asked for. nil with *error, which names
 * the kernel and, where the source is at fault, file and line. */
id<MTLComputePipelineState> ts_metal_pipeline(struct ts_metal *metal,
                                              const struct ts_kernel *kernel,
                                              uint32_t half_operands, uint32_t empty_operands,
                                              struct ts_error *error);
void ts_metal_free_pipelines(struct ts_metal *metal);

/* buffers.m */
void *ts_metal_alloc(void *state, uint64_t bytes, const char *label);
void *ts_metal_wrap(void *state, const void *data, uint64_t bytes, uint64_t piece,
                    struct ts_error *error);
void ts_metal_free(void *state, void *handle, bool wrapped);
void *ts_metal_contents(void *state, void *handle);
void ts_metal_name_range(void *state, void *handle, uint64_t offset, uint64_t bytes,
                         const char *name);
/* The buffer that holds the whole slice, and where in it; nil if no view does. */
id<MTLBuffer> ts_metal_view(const struct ts_slice *slice, uint64_t *offset);
/* Asks the system to keep all buffers in memory, where it can be asked. */
void ts_metal_make_resident(void *state);

/* commands.m */
bool ts_metal_begin(void *state, struct ts_error *error);
bool ts_metal_encode(void *state, enum ts_op op, const void *args, const struct ts_slice *slices,
                     struct ts_error *error);
bool ts_metal_copy(void *state, struct ts_slice target, struct ts_slice source,
                   struct ts_error *error);
bool ts_metal_submit(void *state, struct ts_error *error);
bool ts_metal_wait(void *state, struct ts_error *error);
/* probe.m */
bool ts_metal_probe(void *state, struct ts_error *error);
/* Forgets what was encoded and not submitted, and waits for what was submitted. */
void ts_metal_drop(struct ts_metal *metal);

#endif
