/* A small harness for Metal hosts: the programs compile unchanged on macOS and against the software
 * device. Each case runs in a process of its own, because some must abort and most that set the
 * environment need a device that reads it. Prints failures and "N passed, N failed". */
#ifndef SOFTMETAL_HOST_H
#define SOFTMETAL_HOST_H

#import <Foundation/Foundation.h>
#import <Metal/Metal.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#ifdef __APPLE__
#define HOST_IS_SOFT 0
#else
#define HOST_IS_SOFT 1
#endif

/* soft: about the software device, not run elsewhere. environment: NAME=VALUE words for the case.
 * dies: the case must abort, with this in its message. reports: the checking mode must say this,
 * once, at the line marked FAULT and the case's name in the file `marks`, and exit with 70. */
struct host_case {
    const char *name;
    void (*run)(void);
    bool soft;
    const char *environment;
    const char *dies, *reports, *marks;
};

static int host_failures;

#define CHECK(condition, ...)                                                                      \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            host_failures++;                                                                       \
            fprintf(stderr, "%s:%d: %s: ", __FILE__, __LINE__, #condition);                        \
            fprintf(stderr, __VA_ARGS__);                                                          \
            fprintf(stderr, "\n");                                                                 \
        }                                                                                          \
    } while (0)

/* Contains, for messages. */
#define CHECK_TEXT(text, part)                                                                     \
    CHECK((text) && [(text) rangeOfString:(part)].location != NSNotFound, "'%s' lacks '%s'",       \
          [(text) UTF8String] ?: "nil", [(part) UTF8String])

/* Tables of cases leave out what is null at their end. */
#pragma GCC diagnostic ignored "-Wmissing-field-initializers"

extern char **environ;

static inline int host_child(const char *program, const struct host_case *c, const char *log)
{
    char *arguments[] = {(char *)program, (char *)c->name, NULL};
    char **list = calloc(64 + 1024, sizeof *list);
    char *words = strdup(c->environment ? c->environment : "");
    size_t count = 0;
    if (!list || !words) {
        return -1;
    }
    for (char *word = strtok(words, " "); word; word = strtok(NULL, " ")) {
        list[count++] = word;
    }
    for (char **e = environ; *e && count < 1024; e++) {
        if (strncmp(*e, "SOFTMETAL_", 10) != 0 || strncmp(*e, "SOFTMETAL_C", 11) == 0) {
            list[count++] = *e;
        }
    }
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, 2, log, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    pid_t child = -1;
    int status = -1;
    if (posix_spawn(&child, program, &actions, NULL, arguments, list) == 0) {
        waitpid(child, &status, 0);
    }
    posix_spawn_file_actions_destroy(&actions);
    free(words);
    free(list);
    return status;
}

/* Whether the text has exactly one report, and it is this one. */
static inline bool host_reported(const struct host_case *c, const char *text)
{
    char line[256], mark[128], want[512];
    int number = 0, found = 0;
    snprintf(mark, sizeof mark, "FAULT %s ", c->name);
    FILE *file = fopen(c->marks, "r");
    while (file && fgets(line, sizeof line, file)) {
        number++;
        found = strstr(line, mark) ? number : found;
    }
    if (file) {
        fclose(file);
    }
    snprintf(want, sizeof want, "softmetal: %s:%d: %s", c->marks, found, c->reports);
    const char *first = strstr(text, "softmetal: ");
    return first && strncmp(first, want, strlen(want)) == 0 && !strstr(first + 1, "softmetal: ");
}

static inline bool host_judge(const struct host_case *c, int status, const char *log)
{
    char text[16384] = "";
    FILE *file = fopen(log, "r");
    if (file) {
        text[fread(text, 1, sizeof text - 1, file)] = 0;
        fclose(file);
    }
    bool good;
    if (c->dies) {
        good = WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT && strstr(text, c->dies);
    } else if (c->reports) {
        good = WIFEXITED(status) && WEXITSTATUS(status) == 70 && host_reported(c, text);
    } else {
        good = WIFEXITED(status) && WEXITSTATUS(status) == 0;
    }
    if (!good) {
        printf("FAIL %s (%s %d)%s%s\n%s", c->name, WIFSIGNALED(status) ? "signal" : "exit",
               WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status),
               c->dies      ? ", must abort with: "
               : c->reports ? ", must report: "
                            : "",
               c->dies      ? c->dies
               : c->reports ? c->reports
                            : "",
               text);
    }
    return good;
}

static inline int host_main(int argc, char **argv, const struct host_case *cases, size_t count)
{
    /* Options are Criterion's, which runs the suites beside this one. */
    if (argc > 1 && argv[1][0] != '-') {
        for (size_t i = 0; i < count; i++) {
            if (strcmp(argv[1], cases[i].name) == 0) {
                /* A case that hangs fails. */
                alarm(60);
                @autoreleasepool {
                    cases[i].run();
                }
                return host_failures > 0;
            }
        }
        fprintf(stderr, "no case %s\n", argv[1]);
        return 2;
    }
    char log[256];
    const char *build = getenv("BUILD");
    snprintf(log, sizeof log, "%s/tmp", build ? build : "build");
    mkdir(log, 0700);
    snprintf(log, sizeof log, "%s/tmp/softmetal_host.%d", build ? build : "build", (int)getpid());
    int passed = 0, failed = 0, skipped = 0;
    for (size_t i = 0; i < count; i++) {
        if (cases[i].soft && !HOST_IS_SOFT) {
            skipped++;
            continue;
        }
        bool good = host_judge(&cases[i], host_child(argv[0], &cases[i], log), log);
        passed += good;
        failed += !good;
    }
    unlink(log);
    if (skipped > 0) {
        printf("not executed, about the software device: %d\n", skipped);
    }
    printf("%s: %d passed, %d failed\n", argv[0], passed, failed);
    return failed > 0;
}

#define HOST_MAIN(cases)                                                                           \
    int main(int argc, char **argv)                                                                \
    {                                                                                              \
        return host_main(argc, argv, cases, sizeof cases / sizeof *cases);                         \
    }

/* ---- what most cases begin with: one device, one queue, kernels from source --------------------*/

struct host {
    id<MTLDevice> device;
    id<MTLCommandQueue> queue;
    id<MTLLibrary> library;
};

static inline struct host host_open(NSString *source)
{
    struct host h = {nil, nil, nil};
    NSError *error = nil;
    h.device = MTLCreateSystemDefaultDevice();
    CHECK(h.device, "no device");
    h.queue = [h.device newCommandQueue];
    CHECK(h.queue, "no queue");
    if (source) {
        h.library = [h.device newLibraryWithSource:source options:nil error:&error];
        CHECK(h.library, "%s", [[error localizedDescription] UTF8String]);
    }
    return h;
}

static inline void host_close(struct host *h)
{
    [h->library release];
    [h->queue release];
    [h->device release];
}

static inline id<MTLComputePipelineState> host_pipeline(const struct host *h, NSString *name)
{
    NSError *error = nil;
    id<MTLFunction> function = [h->library newFunctionWithName:name];
    CHECK(function, "no function %s", [name UTF8String]);
    id<MTLComputePipelineState> state = [h->device newComputePipelineStateWithFunction:function
                                                                                 error:&error];
    CHECK(state, "%s: %s", [name UTF8String], [[error localizedDescription] UTF8String]);
    [function release];
    return state;
}

static inline id<MTLBuffer> host_buffer(const struct host *h, NSUInteger bytes)
{
    id<MTLBuffer> buffer = [h->device newBufferWithLength:bytes
                                                  options:MTLResourceStorageModeShared];
    CHECK(buffer, "no buffer of %lu bytes", (unsigned long)bytes);
    return buffer;
}

#endif
