/* The environment, and what every object uses: messages, time, threads. */
#import "objects.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

pthread_mutex_t smo_lock = PTHREAD_MUTEX_INITIALIZER;
pthread_cond_t smo_changed;

static struct smo_settings settings;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static bool is_on(const char *name)
{
    const char *value = getenv(name);
    return value && *value && strcmp(value, "0") != 0;
}

static void refuse_value(const char *name, const char *value, const char *expected)
{
    fprintf(stderr, "softmetal: %s=%s: expected %s\n", name, value, expected);
    exit(2);
}

/* Bytes, or with the suffix K, M or G. */
static uint64_t read_bytes(const char *name)
{
    const char *value = getenv(name);
    if (!value || !*value) {
        return 0;
    }
    char *end = NULL;
    errno = 0;
    uint64_t bytes = strtoull(value, &end, 10);
    unsigned shift = *end == 'K' ? 10 : *end == 'M' ? 20 : *end == 'G' ? 30 : 0;
    if (errno || end == value || *value == '-' || (*end && (shift == 0 || end[1])) || bytes == 0 ||
        bytes > UINT64_MAX >> shift) {
        refuse_value(name, value, "a number of bytes, as 5368709120 or 5G");
    }
    return bytes << shift;
}

static void read_fault(void)
{
    const char *value = getenv("SOFTMETAL_FAULT");
    if (!value || !*value) {
        return;
    }
    size_t name = strcspn(value, ":");
    if (name == strlen("timeout") && strncmp(value, "timeout", name) == 0) {
        settings.fault = SMO_FAULT_TIMEOUT;
    } else if (name == strlen("memory") && strncmp(value, "memory", name) == 0) {
        settings.fault = SMO_FAULT_MEMORY;
    }
    char *end = NULL;
    settings.fault_at = value[name] ? strtoul(value + name + 1, &end, 10) : 0;
    if (settings.fault == SMO_FAULT_NONE || (end && (*end || settings.fault_at == 0))) {
        refuse_value("SOFTMETAL_FAULT", value, "timeout or memory, alone or with :N");
    }
}

static void read_os(void)
{
    const char *value = getenv("SOFTMETAL_OS");
    settings.os = (NSOperatingSystemVersion){15, 0, 0};
    if (!value || !*value) {
        return;
    }
    long part[3] = {0, 0, 0};
    char dot = 0;
    int count = sscanf(value, "%ld.%ld.%ld%c", &part[0], &part[1], &part[2], &dot);
    if (count < 1 || count > 3 || part[0] < 10) {
        refuse_value("SOFTMETAL_OS", value, "a version of macOS, as 14 or 15.2");
    }
    settings.os = (NSOperatingSystemVersion){part[0], part[1], part[2]};
}

static void read_settings(void)
{
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&smo_changed, &attributes);
    pthread_condattr_destroy(&attributes);

    settings.validate = is_on("SOFTMETAL_VALIDATE");
    settings.working_set = read_bytes("SOFTMETAL_WORKING_SET");
    settings.max_threads = getenv("SOFTMETAL_MAX_THREADS");
    const char *start = getenv("SOFTMETAL_START");
    settings.eager = start && strcmp(start, "eager") == 0;
    if (start && *start && !settings.eager && strcmp(start, "late") != 0) {
        refuse_value("SOFTMETAL_START", start, "late or eager");
    }
    const char *seed = getenv("SOFTMETAL_SEED");
    if (seed && *seed) {
        settings.seeded = true;
        settings.seed = strtoull(seed, NULL, 0);
    }
    read_fault();
    read_os();
}

const struct smo_settings *smo_settings(void)
{
    pthread_once(&once, read_settings);
    return &settings;
}

/* "512" or "kernel=896,other=256,1024". */
NSUInteger smo_max_threads(const char *kernel)
{
    NSUInteger limit = SM_MAX_THREADS;
    const char *at = smo_settings()->max_threads;
    while (at && *at) {
        size_t length = strcspn(at, ",");
        const char *equals = memchr(at, '=', length);
        const char *number = equals ? equals + 1 : at;
        char *end = NULL;
        unsigned long value = strtoul(number, &end, 10);
        if (end != at + length || value == 0 || value > SM_MAX_THREADS) {
            refuse_value("SOFTMETAL_MAX_THREADS", settings.max_threads,
                         "numbers from 1 to 1024, as 512 or kernel=896,512");
        }
        if (!equals) {
            limit = value;
        } else if (strlen(kernel) == (size_t)(equals - at) &&
                   strncmp(kernel, at, (size_t)(equals - at)) == 0) {
            return value;
        }
        at += length + (at[length] == ',');
    }
    return limit;
}

bool smo_os_at_least(NSInteger major, NSInteger minor)
{
    NSOperatingSystemVersion os = smo_settings()->os;
    return os.majorVersion > major || (os.majorVersion == major && os.minorVersion >= minor);
}

bool smo_hidden(SEL selector)
{
    static const char *const since_15[] = {
        "newResidencySetWithDescriptor:error:",
        "addResidencySet:",
        "addResidencySets:count:",
        "removeResidencySet:",
        "removeResidencySets:count:",
        "useResidencySet:",
        "useResidencySets:count:",
        "mathMode",
        "setMathMode:",
        "mathFloatingPointFunctions",
        "setMathFloatingPointFunctions:",
    };
    if (smo_os_at_least(15, 0)) {
        return false;
    }
    const char *name = [NSStringFromSelector(selector) UTF8String];
    for (size_t i = 0; i < sizeof since_15 / sizeof *since_15; i++) {
        if (strcmp(name, since_15[i]) == 0) {
            return true;
        }
    }
    return false;
}

NSString *smo_misuse(NSString *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    NSString *message = [[[NSString alloc] initWithFormat:format arguments:arguments] autorelease];
    va_end(arguments);
    fprintf(stderr, "softmetal: %s\n", [message UTF8String]);
    if (smo_settings()->validate) {
        abort();
    }
    return message;
}

NSError *smo_error(NSErrorDomain domain, NSInteger code, NSString *message)
{
    return [NSError errorWithDomain:domain
                               code:code
                           userInfo:@{NSLocalizedDescriptionKey : message}];
}

uint64_t smo_nanoseconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

void smo_wait(uint64_t deadline)
{
    if (deadline == 0) {
        pthread_cond_wait(&smo_changed, &smo_lock);
        return;
    }
    struct timespec until = {.tv_sec = (time_t)(deadline / 1000000000u),
                             .tv_nsec = (long)(deadline % 1000000000u)};
    pthread_cond_timedwait(&smo_changed, &smo_lock, &until);
}

void smo_enter_thread(void)
{
#ifdef GNUSTEP
    GSRegisterCurrentThread();
#endif
}

void smo_leave_thread(void)
{
#ifdef GNUSTEP
    GSUnregisterCurrentThread();
#endif
}

static void *run_block(void *argument)
{
    void (^block)(void) = (void (^)(void))argument;
    smo_enter_thread();
    @autoreleasepool {
        block();
        Block_release(block);
    }
    smo_leave_thread();
    return NULL;
}

void smo_background(void (^block)(void))
{
    void (^copy)(void) = Block_copy(block);
    pthread_t thread;
    if (pthread_create(&thread, NULL, run_block, (void *)copy) == 0) {
        pthread_detach(thread);
    } else {
        copy();
        Block_release(copy);
    }
}

@implementation NSProcessInfo (SoftMetal)

- (NSOperatingSystemVersion)operatingSystemVersion
{
    return smo_settings()->os;
}

- (BOOL)isOperatingSystemAtLeastVersion:(NSOperatingSystemVersion)version
{
    NSOperatingSystemVersion os = smo_settings()->os;
    if (os.majorVersion != version.majorVersion) {
        return os.majorVersion > version.majorVersion;
    }
    if (os.minorVersion != version.minorVersion) {
        return os.minorVersion > version.minorVersion;
    }
    return os.patchVersion >= version.patchVersion;
}

@end

@implementation SMObject

- (instancetype)initWithDevice:(SMDevice *)device
{
    if ((self = [super init])) {
        device_ = [device retain];
    }
    return self;
}

- (void)dealloc
{
    [label_ release];
    [device_ release];
    [super dealloc];
}

- (id<MTLDevice>)device
{
    return device_;
}

- (NSString *)label
{
    @synchronized(self) {
        return [[label_ retain] autorelease];
    }
}

- (void)setLabel:(NSString *)label
{
    @synchronized(self) {
        NSString *copy = [label copy];
        [label_ release];
        label_ = copy;
    }
}

@end
