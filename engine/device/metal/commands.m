/* Work: one command buffer between begin and submit, waited for together. When kernels are timed each
 * gets a command buffer of its own, because a GPU tells times of whole command buffers only. */
#include "engine/device/metal/metal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool open_commands(struct ts_metal *metal, struct ts_error *error)
{
    metal->commands = [[metal->queue commandBuffer] retain];
    return metal->commands ||
           ts_fail(error, TS_ERR_ENVIRONMENT, NULL, "Metal gave no command buffer");
}

static bool open_encoder(struct ts_metal *metal, struct ts_error *error)
{
    if (!metal->encoder) {
        metal->encoder = [[metal->commands computeCommandEncoder] retain];
    }
    return metal->encoder ||
           ts_fail(error, TS_ERR_ENVIRONMENT, NULL, "Metal gave no compute encoder");
}

static void close_encoder(struct ts_metal *metal)
{
    [metal->encoder endEncoding];
    [metal->encoder release];
    metal->encoder = nil;
}

static void forget_commands(struct ts_metal *metal)
{
    close_encoder(metal);
    [metal->commands release];
    metal->commands = nil;
    memset(metal->launched, 0, sizeof metal->launched);
}

/* Commits what was encoded. kernel: the only one in it, when timed; else TS_KERNEL_COUNT. */
static bool commit(struct ts_metal *metal, unsigned kernel, struct ts_error *error)
{
    struct ts_metal_work *work = calloc(1, sizeof *work);
    if (!work) {
        forget_commands(metal);
        return ts_fail_memory(error, "submitted work", sizeof *work);
    }
    close_encoder(metal);
    work->commands = metal->commands;
    work->kernel = kernel;
    memcpy(work->launched, metal->launched, sizeof work->launched);
    memset(metal->launched, 0, sizeof metal->launched);
    metal->commands = nil;
    *(metal->last ? &metal->last->next : &metal->first) = work;
    metal->last = work;
    [work->commands commit];
    return true;
}

bool ts_metal_begin(void *state, struct ts_error *error)
{
    struct ts_metal *metal = state;
    @autoreleasepool {
        forget_commands(metal);
        ts_metal_make_resident(metal);
        return open_commands(metal, error);
    }
}

static bool bind_operands(struct ts_metal *metal, enum ts_op op, const void *args,
                          const struct ts_slice *slices, struct ts_error *error)
{
    const struct ts_op_info *info = ts_op_info(op);
    [metal->encoder setBytes:args length:info->args_bytes atIndex:0];
    for (unsigned i = 0; i < info->operand_count; i++) {
        uint64_t offset = 0;
        id<MTLBuffer> view = slices[i].buffer ? ts_metal_view(&slices[i], &offset) : metal->nothing;
        if (!view) {
            return ts_fail(error, TS_ERR_CHECK, NULL,
                           "operation %s: operand %s lies in no single view of its buffer",
                           info->name, info->operands[i].name);
        }
        [metal->encoder setBuffer:view offset:offset atIndex:i + 1];
    }
    return true;
}

static bool launch(struct ts_metal *metal, const struct ts_kernel *kernel,
                   id<MTLComputePipelineState> pipeline, const void *args, struct ts_error *error)
{
    struct ts_launch grid;
    kernel->grid(args, &grid);
    NSUInteger most = [pipeline maxTotalThreadsPerThreadgroup];
    if (grid.threads > most) {
        return ts_fail(error, TS_ERR_ENVIRONMENT, NULL,
                       "kernel %s of kernels/%s.metal wants %u threads a threadgroup, this device "
                       "runs at most %lu",
                       kernel->function, ts_op_info(kernel->op)->family, grid.threads,
                       (unsigned long)most);
    }
    metal->counters.kernel_launches[ts_kernel_index(kernel)]++;
    metal->launched[ts_kernel_index(kernel)] = true;
    if (grid.groups[0] && grid.groups[1] && grid.groups[2]) {
        [metal->encoder
             dispatchThreadgroups:MTLSizeMake(grid.groups[0], grid.groups[1], grid.groups[2])
            threadsPerThreadgroup:MTLSizeMake(grid.threads, 1, 1)];
    }
    return true;
}

static bool no_kernel(enum ts_op op, const struct ts_slice *slices, struct ts_error *error)
{
    const struct ts_op_info *info = ts_op_info(op);
    char weights[256] = "";
    for (unsigned i = 0; i < info->operand_count; i++) {
        size_t used = strlen(weights);
        if (ts_operand_is_weight(info->operands[i].kind) && slices[i].buffer) {
            snprintf(weights + used, sizeof weights - used, "%s %s in %s", used ? "," : " with",
                     info->operands[i].name, ts_format_name(slices[i].format));
        }
    }
    return ts_fail(error, TS_ERR_ENVIRONMENT, "use --device reference",
                   "device metal has no kernel for operation %s%s", info->name, weights);
}

static bool encode(struct ts_metal *metal, enum ts_op op, const void *args,
                   const struct ts_slice *slices, struct ts_error *error)
{
    uint32_t half, empty;
    const struct ts_kernel *kernel =
        ts_metal_choose(op, args, slices, metal->preferred, &half, &empty);
    if (!kernel) {
        return no_kernel(op, slices, error);
    }
    id<MTLComputePipelineState> pipeline = ts_metal_pipeline(metal, kernel, half, empty, error);
    if (!pipeline || !open_encoder(metal, error)) {
        return false;
    }
    [metal->encoder setComputePipelineState:pipeline];
    if (!bind_operands(metal, op, args, slices, error) ||
        !launch(metal, kernel, pipeline, args, error)) {
        return false;
    }
    return !metal->timed ||
           (commit(metal, ts_kernel_index(kernel), error) && open_commands(metal, error));
}

bool ts_metal_encode(void *state, enum ts_op op, const void *args, const struct ts_slice *slices,
                     struct ts_error *error)
{
    struct ts_metal *metal = state;
    @autoreleasepool {
        return encode(metal, op, args, slices, error);
    }
}

bool ts_metal_copy(void *state, struct ts_slice target, struct ts_slice source,
                   struct ts_error *error)
{
    struct ts_metal *metal = state;
    @autoreleasepool {
        uint64_t to, from;
        target.bytes = source.bytes;
        id<MTLBuffer> target_view = ts_metal_view(&target, &to);
        id<MTLBuffer> source_view = ts_metal_view(&source, &from);
        close_encoder(metal);
        id<MTLBlitCommandEncoder> blit = [metal->commands blitCommandEncoder];
        if (!target_view || !source_view || !blit) {
            return ts_fail(error, TS_ERR_ENVIRONMENT, NULL, "Metal cannot copy %llu bytes",
                           (unsigned long long)source.bytes);
        }
        [blit copyFromBuffer:source_view
                 sourceOffset:from
                     toBuffer:target_view
            destinationOffset:to
                         size:source.bytes];
        [blit endEncoding];
    }
    return true;
}

bool ts_metal_submit(void *state, struct ts_error *error)
{
    @autoreleasepool {
        return commit(state, TS_KERNEL_COUNT, error);
    }
}

/* The kernels of a command buffer, as many as there is room for: "a, b and 3 others". */
static void name_kernels(const struct ts_metal_work *work, char *text, size_t room)
{
    size_t used = 0;
    unsigned others = 0;
    text[0] = '\0';
    for (unsigned i = 0; i < TS_KERNEL_COUNT; i++) {
        if (work->launched[i] && used + 64 < room) {
            used += (size_t)snprintf(text + used, room - used, "%s%s", used ? ", " : "",
                                     ts_kernel_at(i)->function);
        } else {
            others += work->launched[i];
        }
    }
    if (others > 0) {
        snprintf(text + used, room - used, " and %u others", others);
    }
}

/* A GPU tells of a command buffer that it failed, and not which of its kernels did not end. */
static bool tell(const struct ts_metal_work *work, struct ts_error *error)
{
    NSError *problem = [work->commands error];
    NSString *text = [problem localizedDescription];
    const char *hint = NULL;
    const char *reason = text ? [text UTF8String] : "no reason given";
    if ([problem code] == MTLCommandBufferErrorTimeout) {
        char kernels[512];
        name_kernels(work, kernels, sizeof kernels);
        return ts_fail(error, TS_ERR_ENVIRONMENT,
                       "the GPU's watchdog ended it: give a smaller --chunk",
                       "device metal: the work failed: kernel %s did not end: %.3000s",
                       kernels[0] ? kernels : "(none)", reason);
    }
    if (strstr(reason, "mpacting Interactivity") || strstr(reason, "ImpactingInteractivity")) {
        hint = "the system ended it because the screen waited: give a smaller --chunk";
    }
    if ([problem code] == MTLCommandBufferErrorOutOfMemory) {
        hint = "give a smaller --ctx or --chunk, or close other programs";
    }
    return ts_fail(error, TS_ERR_ENVIRONMENT, hint, "device metal: the work failed: %.3500s",
                   reason);
}

bool ts_metal_wait(void *state, struct ts_error *error)
{
    struct ts_metal *metal = state;
    bool ok = true;
    @autoreleasepool {
        while (metal->first) {
            struct ts_metal_work *work = metal->first;
            [work->commands waitUntilCompleted];
            if (ok && [work->commands status] != MTLCommandBufferStatusCompleted) {
                ok = tell(work, error);
            }
            double seconds = [work->commands GPUEndTime] - [work->commands GPUStartTime];
            uint64_t ns = seconds > 0 ? (uint64_t)(seconds * 1e9) : 0;
            metal->counters.gpu_ns += ns;
            if (work->kernel < TS_KERNEL_COUNT) {
                metal->counters.kernel_ns[work->kernel] += ns;
            }
            metal->first = work->next;
            [work->commands release];
            free(work);
        }
        metal->last = NULL;
    }
    return ok;
}

void ts_metal_drop(struct ts_metal *metal)
{
    forget_commands(metal);
    ts_metal_wait(metal, NULL);
}
