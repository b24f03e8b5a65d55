/* Libraries and functions. */
#import "objects.h"
#include <stdlib.h>
#include <string.h>

NSErrorDomain const MTLLibraryErrorDomain = @"MTLLibraryErrorDomain";

SMLibrary *smo_library_make(SMDevice *device, struct sm_library *library, NSUInteger max_threads,
                            NSError **error)
{
    const char *name = NULL, *message = NULL;
    if (!sm_library_failure(library, 0, &name, &message) &&
        !sm_library_error(library, 0, &message)) {
        return [[SMLibrary alloc] initWithDevice:device runtime:library maxThreads:max_threads];
    }
    NSMutableString *all = [NSMutableString stringWithString:@"program_source failed to compile:"];
    for (size_t i = 0; sm_library_failure(library, i, &name, &message); i++) {
        [all appendFormat:@"\n%s (in kernel '%s')", message, name];
    }
    for (size_t i = 0; sm_library_error(library, i, &message); i++) {
        [all appendFormat:@"\n%s", message];
    }
    sm_library_free(library);
    if (error) {
        *error = smo_error(MTLLibraryErrorDomain, MTLLibraryErrorCompileFailure, all);
    }
    return nil;
}

static bool add_constant(const struct sm_constant_info *info, MTLFunctionConstantValues *values,
                         struct sm_constant *constant, NSString **problem)
{
    MTLDataType type = MTLDataTypeNone;
    NSData *data = [values softmetalValueNamed:[NSString stringWithUTF8String:info->name]
                                       orIndex:info->index
                                          type:&type];
    if (!data) {
        return false;
    }
    MTLDataType declared = smo_data_type_of(info->type, info->components);
    if (type != declared) {
        *problem = [NSString stringWithFormat:@"function constant '%s' (index %u) has MTLDataType "
                                              @"%lu, its value %lu",
                                              info->name, info->index, (unsigned long)declared,
                                              (unsigned long)type];
        return false;
    }
    *constant = (struct sm_constant){info->name, info->index, [data bytes], [data length]};
    return true;
}

static struct sm_pipeline *make_runtime(SMLibrary *library, const char *kernel,
                                        MTLFunctionConstantValues *values, NSError **error)
{
    struct sm_constant_info info;
    struct sm_error why = {.message = ""};
    NSString *problem = nil;
    size_t room = 0, count = 0;
    while (sm_library_constant(library->runtime_, room, &info)) {
        room++;
    }
    struct sm_constant *constants = calloc(room + 1, sizeof *constants);
    for (size_t i = 0; constants && sm_library_constant(library->runtime_, i, &info); i++) {
        count += add_constant(&info, values, &constants[count], &problem);
    }
    struct sm_pipeline *pipeline = NULL;
    if (!constants) {
        problem = @"out of memory";
    } else if (!problem &&
               !sm_pipeline_make(library->runtime_, kernel, constants, count, &pipeline, &why)) {
        pipeline = NULL;
        problem = [NSString stringWithUTF8String:why.message];
    }
    free(constants);
    if (problem && error) {
        *error = smo_error(MTLLibraryErrorDomain, MTLLibraryErrorCompileFailure, problem);
    }
    return pipeline;
}

@implementation SMFunction

- (void)dealloc
{
    if (ready_) {
        sm_pipeline_free(ready_);
    }
    [name_ release];
    [values_ release];
    [library_ release];
    [super dealloc];
}

- (struct sm_pipeline *)specialize:(NSError **)error
{
    @synchronized(self) {
        if (!ready_) {
            ready_ = make_runtime(library_, kernel_->name, values_, error);
        }
        return ready_;
    }
}

- (MTLFunctionType)functionType
{
    return MTLFunctionTypeKernel;
}

- (NSString *)name
{
    return name_;
}

- (MTLFunctionOptions)options
{
    return MTLFunctionOptionNone;
}

/* Of the library: which of them this kernel uses is not told. */
- (NSDictionary *)functionConstantsDictionary
{
    NSMutableDictionary *all = [NSMutableDictionary dictionary];
    struct sm_constant_info info;
    for (size_t i = 0; sm_library_constant(library_->runtime_, i, &info); i++) {
        MTLFunctionConstant *constant =
            [[[MTLFunctionConstant alloc] initWithInfo:&info] autorelease];
        [all setObject:constant forKey:[constant name]];
    }
    return all;
}

@end

@implementation SMLibrary

- (instancetype)initWithDevice:(SMDevice *)device
                       runtime:(struct sm_library *)library
                    maxThreads:(NSUInteger)threads
{
    if ((self = [super initWithDevice:device])) {
        runtime_ = library;
        max_threads_ = threads;
    }
    return self;
}

- (void)dealloc
{
    sm_library_free(runtime_);
    [super dealloc];
}

- (NSArray *)functionNames
{
    NSMutableArray *names = [NSMutableArray array];
    const struct sm_function *function;
    for (size_t i = 0; (function = sm_library_function(runtime_, i)); i++) {
        [names addObject:[NSString stringWithUTF8String:function->name]];
    }
    return names;
}

- (MTLLibraryType)type
{
    return MTLLibraryTypeExecutable;
}

- (NSString *)installName
{
    return nil;
}

- (SMFunction *)makeFunction:(NSString *)name
                      values:(MTLFunctionConstantValues *)values NS_RETURNS_RETAINED
{
    const struct sm_function *kernel = name ? sm_library_find(runtime_, [name UTF8String]) : NULL;
    if (!kernel) {
        return nil;
    }
    SMFunction *function = [[SMFunction alloc] initWithDevice:device_];
    function->library_ = [self retain];
    function->kernel_ = kernel;
    function->values_ = [values copy];
    function->name_ = [name copy];
    return function;
}

- (id<MTLFunction>)newFunctionWithName:(NSString *)name
{
    return [self makeFunction:name values:nil];
}

- (id<MTLFunction>)newFunctionWithName:(NSString *)name
                        constantValues:(MTLFunctionConstantValues *)values
                                 error:(NSError **)error
{
    SMFunction *function = [self makeFunction:name values:values];
    if (!function && error) {
        *error = smo_error(
            MTLLibraryErrorDomain, MTLLibraryErrorFunctionNotFound,
            [NSString stringWithFormat:@"Function %@ was not found in the library", name]);
    }
    if (function && ![function specialize:error]) {
        [function release];
        return nil;
    }
    return function;
}

- (void)newFunctionWithName:(NSString *)name
             constantValues:(MTLFunctionConstantValues *)values
          completionHandler:(MTLFunctionCompletionHandler)handler
{
    MTLFunctionConstantValues *mine = [[values copy] autorelease];
    smo_background(^{
      NSError *error = nil;
      id<MTLFunction> function = [self newFunctionWithName:name constantValues:mine error:&error];
      handler(function, error);
      [function release];
    });
}

- (id<MTLFunction>)newFunctionWithDescriptor:(MTLFunctionDescriptor *)descriptor
                                       error:(NSError **)error
{
    SMFunction *function = [self newFunctionWithName:[descriptor name]
                                      constantValues:[descriptor constantValues]
                                               error:error];
    if (function && [descriptor specializedName]) {
        [function->name_ release];
        function->name_ = [[descriptor specializedName] copy];
    }
    return function;
}

@end
