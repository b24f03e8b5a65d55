/* The device as a compiler: libraries and pipeline states. */
#import "objects.h"
#include <stdlib.h>
#include <string.h>

/* Macros as the runtime takes them: autoreleased NAME=VALUE strings. */
static const char **make_defines(NSDictionary *macros)
{
    const char **defines = calloc([macros count] + 1, sizeof *defines);
    size_t count = 0;
    NSArray *names = [[macros allKeys] sortedArrayUsingSelector:@selector(compare:)];
    for (NSString *name in names) {
        NSString *define = [NSString stringWithFormat:@"%@=%@", name, [macros objectForKey:name]];
        if (defines) {
            defines[count++] = [define UTF8String];
        }
    }
    return defines;
}

static id fail(NSError **error, MTLLibraryError code, NSString *message)
{
    if (error) {
        *error = smo_error(MTLLibraryErrorDomain, (NSInteger)code, message);
    }
    return nil;
}

static bool is_metallib(NSString *path)
{
    char magic[4] = "";
    FILE *file = fopen([path fileSystemRepresentation], "rb");
    bool found = file && fread(magic, 1, 4, file) == 4 && memcmp(magic, "MTLB", 4) == 0;
    if (file) {
        fclose(file);
    }
    return found;
}

@implementation SMCompiler

- (id<MTLLibrary>)newLibraryWithSource:(NSString *)source
                               options:(MTLCompileOptions *)options
                                 error:(NSError **)error
{
    if (!source) {
        smo_misuse(@"newLibraryWithSource: no source");
        return fail(error, MTLLibraryErrorInternal, @"no source");
    }
    NSDictionary *macros = [options preprocessorMacros];
    const char **defines = make_defines(macros);
    struct sm_compile_options how = {.defines = defines, .define_count = [macros count]};
    struct sm_library *library = NULL;
    struct sm_error why = {.message = ""};
    bool made =
        defines && sm_library_from_source(runtime_, [source UTF8String], &how, &library, &why);
    free(defines);
    if (!made) {
        return fail(error, MTLLibraryErrorCompileFailure,
                    [NSString stringWithUTF8String:why.message]);
    }
    return smo_library_make((SMDevice *)self, library, [options maxTotalThreadsPerThreadgroup],
                            error);
}

- (void)newLibraryWithSource:(NSString *)source
                     options:(MTLCompileOptions *)options
           completionHandler:(MTLNewLibraryCompletionHandler)handler
{
    MTLCompileOptions *mine = [[options copy] autorelease];
    smo_background(^{
      NSError *error = nil;
      id<MTLLibrary> library = [self newLibraryWithSource:source options:mine error:&error];
      handler(library, error);
      [library release];
    });
}

/* A file of MSL source, whatever its name: Apple's compiled form cannot be read here. */
- (id<MTLLibrary>)newLibraryWithFile:(NSString *)path error:(NSError **)error
{
    if (![[NSFileManager defaultManager] isReadableFileAtPath:path]) {
        return fail(error, MTLLibraryErrorFileNotFound,
                    [NSString stringWithFormat:@"%@: no such file, or not readable", path]);
    }
    if (is_metallib(path)) {
        return fail(error, MTLLibraryErrorUnsupported,
                    [NSString stringWithFormat:@"%@: a library compiled for Apple's GPUs; the "
                                               @"software device needs MSL source",
                                               path]);
    }
    struct sm_library *library = NULL;
    struct sm_error why = {.message = ""};
    if (!sm_library_from_file(runtime_, [path fileSystemRepresentation], NULL, &library, &why)) {
        return fail(error, MTLLibraryErrorCompileFailure,
                    [NSString stringWithUTF8String:why.message]);
    }
    return smo_library_make((SMDevice *)self, library, 0, error);
}

- (id<MTLLibrary>)newLibraryWithURL:(NSURL *)url error:(NSError **)error
{
    return [self newLibraryWithFile:[url path] error:error];
}

/* default.metallib beside the program, or the file that SOFTMETAL_DEFAULT_LIBRARY names. */
- (id<MTLLibrary>)newDefaultLibrary
{
    const char *named = getenv("SOFTMETAL_DEFAULT_LIBRARY");
    NSString *folder = [[[NSBundle mainBundle] executablePath] stringByDeletingLastPathComponent];
    NSString *path = named && *named ? [NSString stringWithUTF8String:named]
                                     : [folder stringByAppendingPathComponent:@"default.metallib"];
    NSError *error = nil;
    id<MTLLibrary> library = [self newLibraryWithFile:path error:&error];
    if (!library && ([error code] != MTLLibraryErrorFileNotFound || named)) {
        fprintf(stderr, "softmetal: %s\n", [[error localizedDescription] UTF8String]);
    }
    return library;
}

- (id<MTLComputePipelineState>)newComputePipelineStateWithFunction:(id<MTLFunction>)function
                                                             error:(NSError **)error
{
    return [self newComputePipelineStateWithFunction:function
                                             options:MTLPipelineOptionNone
                                          reflection:NULL
                                               error:error];
}

- (id<MTLComputePipelineState>)
    newComputePipelineStateWithFunction:(id<MTLFunction>)function
                                options:(MTLPipelineOption)options
                             reflection:(MTLAutoreleasedComputePipelineReflection *)reflection
                                  error:(NSError **)error
{
    MTLComputePipelineDescriptor *descriptor = [[MTLComputePipelineDescriptor new] autorelease];
    [descriptor setComputeFunction:function];
    return [self newComputePipelineStateWithDescriptor:descriptor
                                               options:options
                                            reflection:reflection
                                                 error:error];
}

- (id<MTLComputePipelineState>)
    newComputePipelineStateWithDescriptor:(MTLComputePipelineDescriptor *)descriptor
                                  options:(MTLPipelineOption)options
                               reflection:(MTLAutoreleasedComputePipelineReflection *)reflection
                                    error:(NSError **)error
{
    bool wanted = options & (MTLPipelineOptionBindingInfo | MTLPipelineOptionBufferTypeInfo);
    return smo_pipeline_make((SMDevice *)self, descriptor, wanted ? reflection : NULL, error);
}

- (void)newComputePipelineStateWithFunction:(id<MTLFunction>)function
                          completionHandler:(MTLNewComputePipelineStateCompletionHandler)handler
{
    smo_background(^{
      NSError *error = nil;
      id<MTLComputePipelineState> state = [self newComputePipelineStateWithFunction:function
                                                                              error:&error];
      handler(state, error);
      [state release];
    });
}

@end
