/* Libraries, functions, function constants and pipeline states, as a host sees them. */
#include "host.h"

static NSString *const good =
    @"#include <metal_stdlib>\n"
    @"using namespace metal;\n"
    @"#ifndef FACTOR\n"
    @"#define FACTOR 2\n"
    @"#endif\n"
    @"kernel void scale(device uint *x [[buffer(0)]], uint i [[thread_position_in_grid]])\n"
    @"{\n"
    @"    x[i] *= FACTOR;\n"
    @"}\n"
    @"kernel void other(device const float *in [[buffer(3)]], device float *out [[buffer(1)]],\n"
    @"                  threadgroup float *scratch [[threadgroup(0)]],\n"
    @"                  uint i [[thread_position_in_grid]])\n"
    @"{\n"
    @"    scratch[0] = 0;\n"
    @"    out[i] = in[i];\n"
    @"}\n";

static NSString *const constants =
    @"#include <metal_stdlib>\n"
    @"using namespace metal;\n"
    @"constant uint add [[function_constant(0)]];\n"
    @"constant float factor [[function_constant(1)]];\n"
    @"constant bool flag [[function_constant(2)]];\n"
    @"constant bool has_flag = is_function_constant_defined(flag);\n"
    @"kernel void apply(device float *x [[buffer(0)]], uint i [[thread_position_in_grid]])\n"
    @"{\n"
    @"    x[i] = x[i] * factor + float(add) + (has_flag && flag ? 1000.0f : 0.0f);\n"
    @"}\n";

static void compile_error(void)
{
    struct host h = host_open(nil);
    NSError *error = nil;
    NSString *bad = @"#include <metal_stdlib>\n"
                    @"using namespace metal;\n"
                    @"kernel void fine(device int *x [[buffer(0)]]) { x[0] = 1; }\n"
                    @"kernel void broken(device int *x [[buffer(0)]])\n"
                    @"{\n"
                    @"    x[0] = undeclared_name;\n"
                    @"}\n";
    id<MTLLibrary> library = [h.device newLibraryWithSource:bad options:nil error:&error];
    CHECK(!library, "a library of broken source");
    CHECK(error, "no error");
    CHECK([[error domain] isEqualToString:MTLLibraryErrorDomain], "%s",
          [[error domain] UTF8String]);
    CHECK([error code] == MTLLibraryErrorCompileFailure, "code %ld", (long)[error code]);
    CHECK_TEXT([error localizedDescription], @"undeclared_name");
    CHECK_TEXT([error localizedDescription], @"program_source:6:");
    library = [h.device newLibraryWithSource:bad options:nil error:NULL];
    CHECK(!library, "the same without asking for the error");
    /* An error outside kernels, beside a good one or alone, is one of the library too. */
    NSString *broken[] = {
        @"#include <metal_stdlib>\n"
        @"kernel void fine(device int *x [[buffer(0)]]) { x[0] = 1; }\n"
        @"int helper() { return undeclared_name; }\n",
        @"#include <metal_stdlib>\nusing namespace metal;\nint f() { return undeclared_name; }\n",
        @"#include <metal_stdlib>\nusing namespace metal;\nkernel void undeclared_name( { }\n",
    };
    for (size_t i = 0; i < 3; i++) {
        error = nil;
        library = [h.device newLibraryWithSource:broken[i] options:nil error:&error];
        CHECK(!library && error, "broken source %zu", i);
        CHECK([error code] == MTLLibraryErrorCompileFailure, "code %ld", (long)[error code]);
        CHECK_TEXT([error localizedDescription], @"program_source:3:");
    }
    error = nil;
    library = [h.device newLibraryWithSource:@"#include <metal_stdlib>\n" options:nil error:&error];
    CHECK(library && !error && [[library functionNames] count] == 0, "a source without kernels");
    [library release];
    host_close(&h);
}

static uint32_t run_scale(struct host *h)
{
    id<MTLComputePipelineState> state = host_pipeline(h, @"scale");
    id<MTLBuffer> x = host_buffer(h, 16);
    uint32_t *values = [x contents];
    values[0] = 21;
    id<MTLCommandBuffer> buffer = [h->queue commandBuffer];
    id<MTLComputeCommandEncoder> encoder = [buffer computeCommandEncoder];
    [encoder setComputePipelineState:state];
    [encoder setBuffer:x offset:0 atIndex:0];
    [encoder dispatchThreads:MTLSizeMake(1, 1, 1) threadsPerThreadgroup:MTLSizeMake(1, 1, 1)];
    [encoder endEncoding];
    [buffer commit];
    [buffer waitUntilCompleted];
    CHECK([buffer status] == MTLCommandBufferStatusCompleted, "status %lu",
          (unsigned long)[buffer status]);
    uint32_t result = values[0];
    [x release];
    [state release];
    return result;
}

static void names_and_macros(void)
{
    struct host h = host_open(good);
    NSArray *names = [[h.library functionNames] sortedArrayUsingSelector:@selector(compare:)];
    NSArray *expected = @[ @"other", @"scale" ];
    CHECK([names isEqual:expected], "%s", [[names description] UTF8String]);
    CHECK(![h.library newFunctionWithName:@"absent"], "a function that is not there");
    CHECK(run_scale(&h) == 42, "21 * 2");
    [h.library release];

    NSError *error = nil;
    MTLCompileOptions *options = [[MTLCompileOptions alloc] init];
    [options setPreprocessorMacros:@{@"FACTOR" : @3}];
    h.library = [h.device newLibraryWithSource:good options:options error:&error];
    CHECK(h.library, "%s", [[error localizedDescription] UTF8String]);
    uint32_t tripled = run_scale(&h);
    CHECK(tripled == 63, "21 * 3 is %u", tripled);
    [options release];

    error = nil;
    id<MTLFunction> absent =
        [h.library newFunctionWithName:@"absent"
                        constantValues:[[MTLFunctionConstantValues new] autorelease]
                                 error:&error];
    CHECK(!absent && error, "no error for a function that is not there");
    CHECK([error code] == MTLLibraryErrorFunctionNotFound, "code %ld", (long)[error code]);
    host_close(&h);
}

static void pipeline_limits(void)
{
    struct host h = host_open(good);
    id<MTLComputePipelineState> state = host_pipeline(&h, @"scale");
    CHECK([state threadExecutionWidth] == 32, "%lu", (unsigned long)[state threadExecutionWidth]);
    CHECK([state maxTotalThreadsPerThreadgroup] <= 1024 &&
              [state maxTotalThreadsPerThreadgroup] >= 32,
          "%lu", (unsigned long)[state maxTotalThreadsPerThreadgroup]);
    [state release];

    MTLComputePipelineDescriptor *descriptor = [[MTLComputePipelineDescriptor alloc] init];
    id<MTLFunction> function = [h.library newFunctionWithName:@"other"];
    CHECK([function functionType] == MTLFunctionTypeKernel, "type");
    CHECK([[function name] isEqualToString:@"other"], "%s", [[function name] UTF8String]);
    [descriptor setComputeFunction:function];
    [descriptor setLabel:@"a label"];
    [descriptor setMaxTotalThreadsPerThreadgroup:64];
    NSError *error = nil;
    MTLComputePipelineReflection *reflection = nil;
    state = [h.device newComputePipelineStateWithDescriptor:descriptor
                                                    options:MTLPipelineOptionBindingInfo
                                                 reflection:&reflection
                                                      error:&error];
    CHECK(state, "%s", [[error localizedDescription] UTF8String]);
    CHECK([state maxTotalThreadsPerThreadgroup] == 64, "%lu",
          (unsigned long)[state maxTotalThreadsPerThreadgroup]);
    CHECK([[state label] isEqualToString:@"a label"], "%s", [[state label] UTF8String]);
    NSUInteger found = 0;
    for (id<MTLBinding> binding in [reflection bindings]) {
        if ([[binding name] isEqualToString:@"in"]) {
            found++;
            CHECK([binding index] == 3 && [binding access] == MTLBindingAccessReadOnly, "in");
        } else if ([[binding name] isEqualToString:@"out"]) {
            found++;
            CHECK([binding index] == 1 && [binding access] != MTLBindingAccessReadOnly, "out");
        } else if ([[binding name] isEqualToString:@"scratch"]) {
            found++;
            CHECK([binding type] == MTLBindingTypeThreadgroupMemory, "scratch");
        }
    }
    CHECK(found == 3, "%lu of 3 bindings", (unsigned long)found);
    [state release];
    [function release];
    [descriptor release];
    host_close(&h);
}

static float run_constants(struct host *h, MTLFunctionConstantValues *values)
{
    NSError *error = nil;
    id<MTLFunction> function = [h->library newFunctionWithName:@"apply"
                                                constantValues:values
                                                         error:&error];
    CHECK(function, "%s", [[error localizedDescription] UTF8String]);
    id<MTLComputePipelineState> state = [h->device newComputePipelineStateWithFunction:function
                                                                                 error:&error];
    CHECK(state, "%s", [[error localizedDescription] UTF8String]);
    [function release];
    float ten = 10;
    id<MTLBuffer> x = [h->device newBufferWithBytes:&ten
                                             length:sizeof ten
                                            options:MTLResourceStorageModeShared];
    id<MTLCommandBuffer> buffer = [h->queue commandBuffer];
    id<MTLComputeCommandEncoder> encoder = [buffer computeCommandEncoder];
    [encoder setComputePipelineState:state];
    [encoder setBuffer:x offset:0 atIndex:0];
    [encoder dispatchThreadgroups:MTLSizeMake(1, 1, 1) threadsPerThreadgroup:MTLSizeMake(1, 1, 1)];
    [encoder endEncoding];
    [buffer commit];
    [buffer waitUntilCompleted];
    float result = *(const float *)[x contents];
    [x release];
    [state release];
    return result;
}

static void function_constants(void)
{
    struct host h = host_open(constants);
    MTLFunctionConstantValues *values = [MTLFunctionConstantValues new];
    uint32_t add = 5;
    float factor = 3;
    bool flag = true;
    [values setConstantValue:&add type:MTLDataTypeUInt atIndex:0];
    [values setConstantValue:&factor type:MTLDataTypeFloat withName:@"factor"];
    float result = run_constants(&h, values);
    CHECK(result == 35, "10 * 3 + 5 is %g", (double)result);

    /* The function keeps what it was made with; another value makes another function. */
    add = 7;
    [values setConstantValue:&add type:MTLDataTypeUInt atIndex:0];
    [values setConstantValue:&flag type:MTLDataTypeBool atIndex:2];
    result = run_constants(&h, values);
    CHECK(result == 1037, "10 * 3 + 7 + 1000 is %g", (double)result);
    [values release];
    host_close(&h);
}

static void constants_missing(void)
{
    struct host h = host_open(constants);
    MTLFunctionConstantValues *values = [[MTLFunctionConstantValues new] autorelease];
    uint32_t add = 5;
    [values setConstantValue:&add type:MTLDataTypeUInt atIndex:0];
    NSError *error = nil;
    id<MTLFunction> function = [h.library newFunctionWithName:@"apply"
                                               constantValues:values
                                                        error:&error];
    CHECK(!function && error, "a function without its constant 'factor'");
    CHECK_TEXT([error localizedDescription], @"factor");

    int32_t wrong = 3;
    error = nil;
    [values setConstantValue:&wrong type:MTLDataTypeInt atIndex:1];
    function = [h.library newFunctionWithName:@"apply" constantValues:values error:&error];
    CHECK(!function && error, "an int for a float");
    CHECK_TEXT([error localizedDescription], @"factor");
    host_close(&h);
}

/* Waits for a value that a handler on another thread sets. */
static bool becomes_true(const volatile bool *flag)
{
    for (int i = 0; i < 20000 && !*flag; i++) {
        usleep(1000);
    }
    return *flag;
}

static void in_the_background(void)
{
    struct host h = host_open(nil);
    static volatile bool done, failed;
    static id<MTLLibrary> library;
    [h.device newLibraryWithSource:good
                           options:nil
                 completionHandler:^(id<MTLLibrary> made, NSError *error) {
                   CHECK(made && !error, "%s", [[error localizedDescription] UTF8String]);
                   library = [made retain];
                   done = true;
                 }];
    CHECK(becomes_true(&done), "the handler was not called");
    CHECK([[library functionNames] count] == 2, "functions");
    [h.device newLibraryWithSource:@"kernel void k(device int *x [[buffer(0)]]) { x[0] = absent; }"
                           options:nil
                 completionHandler:^(id<MTLLibrary> made, NSError *error) {
                   CHECK(!made && error, "broken source");
                   failed = true;
                 }];
    CHECK(becomes_true(&failed), "the handler of the failure was not called");
    [library release];
    host_close(&h);
}

static void from_files(void)
{
    struct host h = host_open(nil);
    const char *build = getenv("BUILD");
    NSString *folder =
        [NSString stringWithFormat:@"%s/tmp/softmetal_host_files.%d", build ?: "build", getpid()];
    NSFileManager *files = [NSFileManager defaultManager];
    [files createDirectoryAtPath:folder withIntermediateDirectories:YES attributes:nil error:NULL];
    NSString *source = [folder stringByAppendingPathComponent:@"scale.metal"];
    NSString *apple = [folder stringByAppendingPathComponent:@"apple.metallib"];
    CHECK([good writeToFile:source atomically:YES encoding:NSUTF8StringEncoding error:NULL],
          "cannot write");
    [@"MTLB and more" writeToFile:apple atomically:YES encoding:NSUTF8StringEncoding error:NULL];
    NSError *error = nil;
    h.library = [h.device newLibraryWithURL:[NSURL fileURLWithPath:source] error:&error];
    CHECK(h.library, "%s", [[error localizedDescription] UTF8String]);
    CHECK(run_scale(&h) == 42, "21 * 2");
    error = nil;
    CHECK(![h.device newLibraryWithURL:[NSURL fileURLWithPath:apple] error:&error], "metallib");
    CHECK([error code] == MTLLibraryErrorUnsupported, "code %ld", (long)[error code]);
    error = nil;
    NSURL *absent = [NSURL fileURLWithPath:@"/nonexistent/a.metallib"];
    CHECK(![h.device newLibraryWithURL:absent error:&error], "absent");
    CHECK([error code] == MTLLibraryErrorFileNotFound, "code %ld", (long)[error code]);
    [files removeItemAtPath:folder error:NULL];
    host_close(&h);
}

static void fake_max_threads(void)
{
    struct host h = host_open(good);
    id<MTLComputePipelineState> scale = host_pipeline(&h, @"scale");
    id<MTLComputePipelineState> other = host_pipeline(&h, @"other");
    CHECK([scale maxTotalThreadsPerThreadgroup] == 896, "%lu",
          (unsigned long)[scale maxTotalThreadsPerThreadgroup]);
    CHECK([other maxTotalThreadsPerThreadgroup] == 256, "%lu",
          (unsigned long)[other maxTotalThreadsPerThreadgroup]);
    [scale release];
    [other release];
    host_close(&h);
}

static const struct host_case cases[] = {
    {"compile_error", compile_error, false, NULL, NULL},
    {"names_and_macros", names_and_macros, false, NULL, NULL},
    {"pipeline_limits", pipeline_limits, false, NULL, NULL},
    {"function_constants", function_constants, false, NULL, NULL},
    {"constants_missing", constants_missing, false, NULL, NULL},
    {"in_the_background", in_the_background, false, NULL, NULL},
    {"from_files", from_files, true, NULL, NULL},
    {"fake_max_threads", fake_max_threads, true, "SOFTMETAL_MAX_THREADS=scale=896,256", NULL},
};

HOST_MAIN(cases)
