/* Runs one kernel with a known answer: a device that fails it is not asked for more. Hosted machines have
 * GPUs that claim little and run much, or the other way round, so only this tells. */
#include "engine/device/metal/metal.h"
#include "engine/device/metal/source.h"

#include <string.h>

static id<MTLComputePipelineState> build(struct ts_metal *metal, NSError **problem)
{
    const struct ts_kernel_source *source = ts_kernel_sources;
    while (source->family && strcmp(source->family, "probe") != 0) {
        source++;
    }
    if (!source->family) {
        return nil;
    }
    id<MTLLibrary> library =
        [metal->device newLibraryWithSource:[NSString stringWithUTF8String:source->text]
                                    options:nil
                                      error:problem];
    id<MTLFunction> function = [library newFunctionWithName:@"probe"];
    id<MTLComputePipelineState> state =
        function ? [metal->device newComputePipelineStateWithFunction:function error:problem] : nil;
    [function release];
    [library release];
    return [state autorelease];
}

static bool answer_is_right(const float *out, struct ts_error *error)
{
    if (out[0] != 528.0f) {
        return ts_fail(error, TS_ERR_ENVIRONMENT, NULL,
                       "the Metal device adds 1 to 32 in a simdgroup and gets %g, expected 528",
                       (double)out[0]);
    }
    for (int i = 0; i < 64; i++) {
        float want = 0.0f;
        for (int k = 0; k < 8; k++) {
            want += (float)(i / 8 + 2 * k) * (float)(3 * k - i % 8);
        }
        if (out[1 + i] != want) {
            return ts_fail(error, TS_ERR_ENVIRONMENT, NULL,
                           "the Metal device multiplies 8x8 matrices and gets %g at [%d][%d], "
                           "expected %g",
                           (double)out[1 + i], i / 8, i % 8, (double)want);
        }
    }
    return true;
}

bool ts_metal_probe(void *opaque, struct ts_error *error)
{
    struct ts_metal *metal = opaque;
    @autoreleasepool {
        NSError *problem = nil;
        id<MTLComputePipelineState> state = build(metal, &problem);
        if (!state) {
            return ts_fail(
                error, TS_ERR_ENVIRONMENT, NULL, "the Metal device compiles no kernel: %.3500s",
                problem ? [[problem localizedDescription] UTF8String] : "no reason given");
        }
        id<MTLBuffer> out =
            [[metal->device newBufferWithLength:65 * sizeof(float)
                                        options:MTLResourceStorageModeShared] autorelease];
        id<MTLCommandBuffer> commands = [metal->queue commandBuffer];
        id<MTLComputeCommandEncoder> encoder = [commands computeCommandEncoder];
        [encoder setComputePipelineState:state];
        [encoder setBuffer:out offset:0 atIndex:0];
        [encoder dispatchThreadgroups:MTLSizeMake(1, 1, 1)
                threadsPerThreadgroup:MTLSizeMake(32, 1, 1)];
        [encoder endEncoding];
        [commands commit];
        [commands waitUntilCompleted];
        if ([commands status] != MTLCommandBufferStatusCompleted) {
            NSString *text = [[commands error] localizedDescription];
            return ts_fail(error, TS_ERR_ENVIRONMENT, NULL,
                           "the Metal device runs nothing: %.3500s",
                           text ? [text UTF8String] : "no reason given");
        }
        return answer_is_right([out contents], error);
    }
}
