/* Code: the library of each kernel family, compiled from source when first needed, and a pipeline for
 * each kernel and set of function constants. */
#include "engine/device/metal/metal.h"
#include "engine/device/metal/source.h"

#include <stdlib.h>
#include <string.h>

static NSString *source_of(const struct ts_metal *metal, const char *family, NSError **problem)
{
    if (metal->kernels) {
        NSString *path = [NSString stringWithFormat:@"%s/%s.metal", metal->kernels, family];
        return [NSString stringWithContentsOfFile:path encoding:NSUTF8StringEncoding error:problem];
    }
    for (const struct ts_kernel_source *source = ts_kernel_sources; source->family; source++) {
        if (strcmp(source->family, family) == 0) {
            return [NSString stringWithUTF8String:source->text];
        }
    }
    return nil;
}

static const char *text_of(NSError *problem, const char *otherwise)
{
    NSString *text = [problem localizedDescription];
    return text ? [text UTF8String] : otherwise;
}

static id<MTLLibrary> library_of(struct ts_metal *metal, const struct ts_kernel *kernel,
                                 struct ts_error *error)
{
    const char *family = ts_op_info(kernel->op)->family;
    NSString *name = [NSString stringWithUTF8String:family];
    id<MTLLibrary> library = [metal->libraries objectForKey:name];
    if (library) {
        return library;
    }
    NSError *problem = nil;
    NSString *source = source_of(metal, family, &problem);
    if (!source) {
        ts_fail(error, TS_ERR_KERNEL, NULL, "kernel %s: no source of kernels/%s.metal: %s",
                kernel->function, family, text_of(problem, "it is not in this program"));
        return nil;
    }
    MTLCompileOptions *options = [[[MTLCompileOptions alloc] init] autorelease];
    [options setPreprocessorMacros:[NSDictionary
                                       dictionaryWithObject:[NSNumber
                                                                numberWithUnsignedInt:metal->mutant]
                                                     forKey:@"MUTANT"]];
    /* Budgets are computed for the arithmetic as written; -infinity and NaN must stay what they are. */
    [options setFastMathEnabled:NO];
    library = [metal->device newLibraryWithSource:source options:options error:&problem];
    if (!library) {
        ts_fail(error, TS_ERR_KERNEL, NULL, "kernel %s: kernels/%s.metal does not compile: %.3500s",
                kernel->function, family, text_of(problem, "no reason given"));
        return nil;
    }
    [metal->libraries setObject:library forKey:name];
    [library release];
    return library;
}

static id<MTLComputePipelineState> build(struct ts_metal *metal, const struct ts_kernel *kernel,
                                         uint32_t half_operands, uint32_t empty_operands,
                                         struct ts_error *error)
{
    id<MTLLibrary> library = library_of(metal, kernel, error);
    if (!library) {
        return nil;
    }
    NSError *problem = nil;
    MTLFunctionConstantValues *values = [[[MTLFunctionConstantValues alloc] init] autorelease];
    [values setConstantValue:&half_operands type:MTLDataTypeUInt atIndex:0];
    [values setConstantValue:&empty_operands type:MTLDataTypeUInt atIndex:1];
    id<MTLFunction> function =
        [library newFunctionWithName:[NSString stringWithUTF8String:kernel->function]
                      constantValues:values
                               error:&problem];
    if (!function) {
        ts_fail(error, TS_ERR_KERNEL, NULL, "kernels/%s.metal has no function %s: %.3500s",
                ts_op_info(kernel->op)->family, kernel->function,
                text_of(problem, "no reason given"));
        return nil;
    }
    id<MTLComputePipelineState> state =
        [metal->device newComputePipelineStateWithFunction:function error:&problem];
    [function release];
    if (!state) {
        ts_fail(error, TS_ERR_KERNEL, NULL, "kernel %s of kernels/%s.metal: %.3500s",
                kernel->function, ts_op_info(kernel->op)->family,
                text_of(problem, "Metal makes no pipeline of it"));
    }
    return state;
}

id<MTLComputePipelineState> ts_metal_pipeline(struct ts_metal *metal,
                                              const struct ts_kernel *kernel,
                                              uint32_t half_operands, uint32_t empty_operands,
                                              struct ts_error *error)
{
    struct ts_metal_pipeline **list = &metal->pipelines[ts_kernel_index(kernel)];
    for (struct ts_metal_pipeline *p = *list; p; p = p->next) {
        if (p->half_operands == half_operands && p->empty_operands == empty_operands) {
            return p->state;
        }
    }
    struct ts_metal_pipeline *pipeline = calloc(1, sizeof *pipeline);
    if (!pipeline) {
        ts_fail_memory(error, "a pipeline", sizeof *pipeline);
        return nil;
    }
    pipeline->half_operands = half_operands;
    pipeline->empty_operands = empty_operands;
    pipeline->state = build(metal, kernel, half_operands, empty_operands, error);
    if (!pipeline->state) {
        free(pipeline);
        return nil;
    }
    metal->counters.pipelines++;
    pipeline->next = *list;
    *list = pipeline;
    return pipeline->state;
}

void ts_metal_free_pipelines(struct ts_metal *metal)
{
    for (unsigned i = 0; i < TS_KERNEL_COUNT; i++) {
        while (metal->pipelines[i]) {
            struct ts_metal_pipeline *pipeline = metal->pipelines[i];
            metal->pipelines[i] = pipeline->next;
            [pipeline->state release];
            free(pipeline);
        }
    }
}
