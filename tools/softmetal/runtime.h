/* The software Metal device: compiles MSL for the CPU and runs grids of it.
 *
 * Everything here is synchronous and thread-safe except where said; errors are values. The library
 * carries no global state but counters for temporary names and what is to be done at exit. */
#ifndef SOFTMETAL_RUNTIME_H
#define SOFTMETAL_RUNTIME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum {
    SM_MAX_BUFFERS = 31,   /* buffer and threadgroup indices are below this */
    SM_MAX_THREADS = 1024, /* threads of a threadgroup */
    SM_SIMD_WIDTH = 32,
    SM_THREADGROUP_BYTES = 32768, /* static and dynamic threadgroup memory together */
    SM_ERROR_BYTES = 4096,
};

struct sm_device;
struct sm_library;
struct sm_pipeline;
struct sm_tally;

/* Cut to fit when longer. Filled by a function that returns false; may be null everywhere. */
struct sm_error {
    char message[SM_ERROR_BYTES];
    bool timed_out; /* a kernel was stopped, for it took longer than `limit` of the device */
};

/* What the checking mode finds. */
enum sm_report_kind {
    SM_REPORT_RACE,        /* inside a threadgroup */
    SM_REPORT_RACE_GROUPS, /* between threadgroups of one launch */
    SM_REPORT_STRAY_READ,
    SM_REPORT_STRAY_WRITE,
    SM_REPORT_CONSTANT_WRITE,
    SM_REPORT_UNINITIALISED, /* threadgroup memory */
    SM_REPORT_DIVERGENT_BARRIER,
    SM_REPORT_DIVERGENT_SIMD,
    SM_REPORT_ARRAY_INDEX, /* outside of an array whose size the type says */
    /* By the host, and told by whoever drives the device (the Metal objects do): */
    SM_REPORT_HOST_READ,  /* of what work that was pending then wrote */
    SM_REPORT_HOST_WRITE, /* of what work that was pending then read or wrote */
};

/* Strings live as long as the device. */
struct sm_report {
    enum sm_report_kind kind;
    const char *kernel, *file;
    int line;
    uint32_t group[3]; /* threadgroup in the grid */
    uint32_t thread;   /* in the threadgroup */
    uint32_t lane;
    int buffer;          /* index of the buffer at or nearest to the address; -1: none */
    int threadgroup;     /* index of [[threadgroup(n)]]; -1: none, or a threadgroup variable */
    int64_t offset;      /* of the address in that memory; may lie outside */
    const char *message; /* all of it in words, beginning with `file:line: ` */
};

enum sm_mode { SM_MODE_DEFAULT, SM_MODE_FAST, SM_MODE_CHECK };

enum { SM_CHECK_STATUS = 70 }; /* exit status of a process with reports */

/* Zero or null: the default. */
struct sm_device_options {
    unsigned threads;     /* host threads that run threadgroups; default: the processors */
    const char *headers;  /* MSL headers; default: SOFTMETAL_INCLUDE, else where they were built */
    const char *compiler; /* default: SOFTMETAL_CXX, else clang++-19 */
    const char *cache;    /* default: SOFTMETAL_CACHE, else the user's own (README.md) */
    /* Default: SOFTMETAL_MODE, `fast` or `check`, else fast. If the variable chose the checking mode,
     * reports are printed, and a process that would exit after one exits with SM_CHECK_STATUS. */
    enum sm_mode mode;
    uint64_t seed;        /* of the checking mode's order; default: SOFTMETAL_SEED, else 1 */
    uint64_t adversarial; /* of its arithmetic; default: SOFTMETAL_ADVERSARIAL, else none */
    void (*report)(void *context, const struct sm_report *report); /* called during a dispatch */
    void *report_context;
    /* Counts, see below, and writes to this file; default: SOFTMETAL_COUNTERS. `count` alone counts
     * without a file. A file that cannot be written is an error here. */
    const char *counters;
    bool count;
    /* Seconds of processor time that a launch may take of a host thread, then its kernel is stopped
     * wherever it is: "0" for no limit; default: SOFTMETAL_LIMIT, else 60. Results of the launch are
     * partly there. Takes SIGURG; a handler that was there before still gets what is not ours. */
    const char *limit;
};

/* options may be null. sm_device_close frees; libraries and pipelines must be freed before. */
bool sm_device_open(const struct sm_device_options *options, struct sm_device **device,
                    struct sm_error *error);
void sm_device_close(struct sm_device *device);
unsigned sm_device_threads(const struct sm_device *device);

/* The reports so far; not while a dispatch runs. Null past the end. */
size_t sm_report_count(const struct sm_device *device);
const struct sm_report *sm_report_get(const struct sm_device *device, size_t index);

/* Whether the device is in checking mode. */
bool sm_device_checks(const struct sm_device *device);

/* Adds a report of the caller's own; copies it. `message` must begin with `file:line: `, and is told
 * once for a kind, kernel, file and line. For a device in checking mode. */
void sm_report_add(struct sm_device *device, const struct sm_report *report);

/* The line of the first of these return addresses, innermost first, that has one in a file which is
 * there and whose path does not contain `own`; 0: none, and `file` is an object and an offset. */
int sm_host_line(const void *const *frames, size_t count, const char *own, char *file, size_t room);

/* `status`, or SM_CHECK_STATUS if the device has reports. */
int sm_check_exit(const struct sm_device *device, int status);

struct sm_compile_options {
    const char *const *include_dirs;
    size_t include_count;
    const char *const *defines; /* NAME or NAME=VALUE */
    size_t define_count;
};

/* Compiles, or finds in the cache. Kernels that do not compile are left out: sm_library_failure
 * names them, sm_library_error tells errors elsewhere. Fails only if the file cannot be read or preprocessed at all. `options` may be null. */
bool sm_library_from_file(struct sm_device *device, const char *path,
                          const struct sm_compile_options *options, struct sm_library **library,
                          struct sm_error *error);

/* As above from text; messages call it "program_source". */
bool sm_library_from_source(struct sm_device *device, const char *source,
                            const struct sm_compile_options *options, struct sm_library **library,
                            struct sm_error *error);
void sm_library_free(struct sm_library *library);

enum sm_argument_kind { SM_ARGUMENT_BUFFER, SM_ARGUMENT_THREADGROUP, SM_ARGUMENT_BUILTIN };

struct sm_argument {
    const char *name;
    const char *type; /* as written */
    enum sm_argument_kind kind;
    unsigned index; /* of the buffer or threadgroup table */
    bool writable;  /* device memory that is not const */
    bool optional;  /* has [[function_constant(...)]]: may stay unbound */
    size_t bytes;   /* that a buffer for a reference must have; 0: not a reference */
};

/* Owned by the library. */
struct sm_function {
    const char *name;
    const char *file;
    int line;
    const struct sm_argument *arguments;
    size_t argument_count;
    /* Of its threadgroup variables, each rounded up to 16; those that function constants exclude are
     * counted too. 0 also for a kernel template one of whose parameters has no name. */
    size_t threadgroup_bytes;
    unsigned max_threads; /* of [[max_total_threads_per_threadgroup(n)]]; 0: it has none */
};

/* In the order of the source; null past the end. */
const struct sm_function *sm_library_function(const struct sm_library *library, size_t index);
const struct sm_function *sm_library_find(const struct sm_library *library, const char *name);

/* Kernels that failed to compile: name and `file:line: message`; false past the end. */
bool sm_library_failure(const struct sm_library *library, size_t index, const char **name,
                        const char **message);

/* Errors that are no single kernel's: in a function, a type, or where nothing could be made out.
 * Kernels that need what they are in are failures besides. Apple's compiler makes no library of a
 * source with an error. `file:line: message`; false past the end. */
bool sm_library_error(const struct sm_library *library, size_t index, const char **message);

/* Whether nothing was compiled: all came from the cache. */
bool sm_library_cached(const struct sm_library *library);

enum sm_scalar {
    SM_NONE,
    SM_BOOL,
    SM_CHAR,
    SM_UCHAR,
    SM_SHORT,
    SM_USHORT,
    SM_INT,
    SM_UINT,
    SM_LONG,
    SM_ULONG,
    SM_HALF,
    SM_FLOAT,
    SM_BFLOAT,
};

/* The value of a function constant, by name if not null, otherwise by index; `bytes` must be the
 * size of the constant. */
struct sm_constant {
    const char *name;
    unsigned index;
    const void *value;
    size_t bytes;
};

struct sm_constant_info {
    const char *name;
    unsigned index;
    enum sm_scalar type;
    unsigned components;
    size_t bytes;
};

/* The function constants that a library declares; false past the end. */
bool sm_library_constant(const struct sm_library *library, size_t index,
                         struct sm_constant_info *info);

/* A kernel with its function constants. Fails if a constant that the kernel uses has no value and
 * the file never asks is_function_constant_defined of it. The library may be freed before. */
bool sm_pipeline_make(struct sm_library *library, const char *function,
                      const struct sm_constant *constants, size_t constant_count,
                      struct sm_pipeline **pipeline, struct sm_error *error);
void sm_pipeline_free(struct sm_pipeline *pipeline);
const struct sm_function *sm_pipeline_function(const struct sm_pipeline *pipeline);

/* A byte that the host touched when it should not have, if the dispatch uses it. */
struct sm_touched {
    const void *address;
    bool written;   /* by the host; otherwise read */
    bool conflicts; /* set by a dispatch that writes the byte, or reads what the host wrote */
};

struct sm_dispatch {
    const struct sm_pipeline *pipeline;
    void *buffers[SM_MAX_BUFFERS];            /* null: not bound */
    size_t threadgroup_bytes[SM_MAX_BUFFERS]; /* of [[threadgroup(n)]] */
    uint32_t threads[3];                      /* of a threadgroup */
    uint32_t groups[3];                       /* threadgroups; used if grid[0] is zero */
    uint32_t grid[3];                         /* threads of the whole grid, or zeros */
    /* From the given addresses on, for the checking mode; 0: not known, and not checked. */
    size_t buffer_bytes[SM_MAX_BUFFERS];
    bool follows_pointers;  /* into other memory, from structures in buffers: not judged as stray */
    struct sm_tally *tally; /* the command buffer that counts it; null: one of its own */
    struct sm_touched *touched; /* for the checking mode */
    size_t touched_count;
};

/* Runs the grid and returns when it has finished. Concurrent calls run one after another. */
bool sm_dispatch_run(struct sm_device *device, const struct sm_dispatch *dispatch,
                     struct sm_error *error);

/* Zeroed memory that host and kernels see at one address: `bytes` a multiple of 16384, which is also its
 * alignment; null: none. Buffers may be any other memory of the host as well. */
void *sm_memory_allocate(struct sm_device *device, size_t bytes);
void sm_memory_free(struct sm_device *device, void *memory, size_t bytes);

/* ---- counters -----------------------------------------------------------------------------------
 * What everything means: README.md, "Counters". A device that does not count takes all of these
 * calls and does nothing. */

/* Loads, or stores, of device memory. Distinct bytes are counted anew for each threadgroup, launch
 * or command buffer, and summed. */
struct sm_traffic {
    uint64_t bytes;                   /* of every access */
    uint64_t distinct_threadgroup;    /* bytes */
    uint64_t distinct_launch;         /* bytes */
    uint64_t distinct_command_buffer; /* bytes; of a launch: those that no earlier one touched */
    uint64_t accesses;                /* of simdgroups */
    uint64_t lines;                   /* distinct lines of 128 bytes in each such access, summed */
};

/* The traffic of a buffer or of a named range. */
struct sm_counted {
    const char *name; /* label of the buffer, "" without one; name of the range */
    int index;        /* of the buffer argument; -1: none, or of a command buffer, or a range */
    uint64_t bytes;   /* of a range: all that bears the name; 0 for a buffer */
    struct sm_traffic loads, stores;
};

/* Of a launch, of a kernel (its launches so far) or of a command buffer. Names live as long as the
 * device, the rest until the next launch or end. */
struct sm_counters {
    const char *name; /* of the kernel; label of the command buffer */
    uint64_t launches, threadgroups;
    uint64_t barriers;           /* of threadgroups: each counts once for all of its threads */
    uint64_t simdgroup_barriers; /* this and the following: once for all lanes */
    uint64_t simd_operations;    /* simd_* and quad_* */
    uint64_t matrix_loads, matrix_stores, matrix_multiplies; /* of 8x8 */
    uint64_t copies, copied_bytes, fills, filled_bytes;      /* of blit encoders */
    uint64_t threadgroup_loaded, threadgroup_stored;         /* bytes of threadgroup memory */
    struct sm_traffic loads, stores;
    const struct sm_counted *buffers, *ranges; /* those that were touched */
    size_t buffer_count, range_count;
};

/* Gives a buffer its label, in place of an earlier one of the same owner; null or no bytes: takes it
 * away. Owners are any addresses that the host chooses to tell its buffers apart. */
void sm_name_buffer(struct sm_device *device, const void *owner, const void *address, size_t bytes,
                    const char *label);

/* Gives a byte range a name; others may have the same. Where ranges overlap the latest counts. */
void sm_name_range(struct sm_device *device, const void *owner, const void *address, size_t bytes,
                   const char *name);
void sm_forget_ranges(struct sm_device *device, const void *owner);

/* A command buffer: dispatches that name it belong to it, on one thread of the host at a time. Null
 * if the device does not count; label may be null. */
struct sm_tally *sm_tally_begin(struct sm_device *device, const char *label);
void sm_tally_copy(struct sm_tally *tally, size_t bytes);
void sm_tally_fill(struct sm_tally *tally, size_t bytes);

/* The sums so far, and its launches in the order in which they ran; null past the end. */
const struct sm_counters *sm_tally_counters(const struct sm_tally *tally);
const struct sm_counters *sm_tally_launch(const struct sm_tally *tally, size_t index);

/* Writes the line of the command buffer and frees it, also when writing fails. */
bool sm_tally_end(struct sm_tally *tally, bool completed, struct sm_error *error);

/* The kernels that were launched, in order of their first launch; null past the end. Not while a
 * dispatch runs. */
const struct sm_counters *sm_kernel_counters(const struct sm_device *device, size_t index);

/* Writes a line for each kernel, as the end of the process and sm_device_close do. */
bool sm_counters_write(struct sm_device *device, struct sm_error *error);

#ifdef __cplusplus
}
#endif

#endif
