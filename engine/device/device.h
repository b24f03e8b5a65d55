/* The only door between the graph and whatever computes.
 *
 * Work is encoded between begin and submit, and its results are visible after wait, on every
 * device: a missing wait shows everywhere. Host writes into a buffer's contents must be done before
 * submit and must not touch what submitted work uses until wait returns. */
#ifndef TS_ENGINE_DEVICE_DEVICE_H
#define TS_ENGINE_DEVICE_DEVICE_H

#include "base/error.h"
#include "base/format.h"
#include "kernels/kernels.h"

#include <stdint.h>

struct ts_device;
struct ts_buffer;

/* A part of a buffer, and what it holds. buffer NULL is the empty slice of an optional operand.
 * format: the device's real_format for real numbers, TS_I32 for indices, any weight format. */
struct ts_slice {
    struct ts_buffer *buffer;
    uint64_t offset; /* bytes */
    uint64_t bytes;
    uint32_t format;
};

/* For the software Metal device. There is one in a process, and the first to open it decides. */
struct ts_software_options {
    bool checks;          /* reports races and stray accesses; TS_ERR_USAGE on another device */
    uint64_t seed;        /* of the order in which it then runs things */
    uint64_t adversarial; /* seed of the worst arithmetic that Metal allows; 0: none */
    double seconds;       /* of processor time that a launch may take; 0: any */
    enum {
        TS_SECONDS_OF_DEVICE,  /* what the device does by itself, or the user's environment says */
        TS_SECONDS_UNLESS_SET, /* `seconds`, unless the user's environment says */
        TS_SECONDS_AS_GIVEN
    } limit;
};

struct ts_device_options {
    unsigned threads; /* of a CPU device; 0: all cores */
    bool unfused;     /* run the expansion of every fused operation */
    bool timed;       /* measure every kernel on its own; slower as a whole */
    unsigned mutant;  /* compile kernels with this planted bug; 0: none */
    uint64_t
        max_buffer_bytes; /* no buffer or view is longer, for tests; 0: the device's own limit */
    /* folder of flat kernel sources (tools/embed-kernels.sh); NULL: built in */
    const char *kernels;
    struct ts_software_options software;
};

struct ts_device_limits {
    const char *name;           /* "reference" ... */
    const char *provenance;     /* "cpu", "software" or "apple": what a speed measured here is of */
    uint32_t real_format;       /* TS_F64 or TS_F32: how activations and KV rows are stored */
    uint64_t max_buffer_bytes;  /* of one buffer */
    uint64_t working_set_bytes; /* of all buffers together; 0: unknown */
};

/* Names that ts_device_open knows, separated by commas. */
const char *ts_device_names(void);

/* The device to compute on where nobody says: the fastest that this build has and that is one to be
 * fast on. */
const char *ts_device_default(void);

/* How the named device stores real numbers, without opening it (for memory plans). */
bool ts_device_real_format(const char *name, uint32_t *format, struct ts_error *error);

/* What the named device takes beside buffers, at most, without opening it: threads, queues, compiled
 * kernels. Measured, but for Apple's devices, where it is a reserve. */
bool ts_device_own_bytes(const char *name, unsigned threads, uint64_t *bytes,
                         struct ts_error *error);

/* options NULL means all defaults. NULL with *error; the caller closes it, after its buffers. */
struct ts_device *ts_device_open(const char *name, const struct ts_device_options *options,
                                 struct ts_error *error);
void ts_device_close(struct ts_device *device); /* NULL is allowed */
const struct ts_device_limits *ts_device_limits(const struct ts_device *device);

/* Runs something with a known answer; false (TS_ERR_ENVIRONMENT) where the device cannot, which its name
 * does not tell. */
bool ts_device_probe(struct ts_device *device, struct ts_error *error);

/* Asks the system to keep all buffers that there are in the GPU's memory, where it can be asked; for a
 * large model this takes as long as reading the file, so do it before anything is timed. Later buffers
 * are asked for with the next step. No-op on other devices. */
void ts_device_make_resident(struct ts_device *device);

/* Allocates zeroed memory; `label` names it in errors. NULL with *error (TS_ERR_ENVIRONMENT). */
struct ts_buffer *ts_buffer_alloc(struct ts_device *device, uint64_t bytes, const char *label,
                                  struct ts_error *error);
/* Wraps memory of the caller's without copying it; read-only, and it must outlive the buffer. No slice
 * of it may be longer than `piece` bytes. A GPU may want it to begin at a page of 16384 bytes and be
 * readable to the end of its last one (ts_gguf_open maps files so). */
struct ts_buffer *ts_buffer_wrap(struct ts_device *device, const void *data, uint64_t bytes,
                                 uint64_t piece, struct ts_error *error);
void ts_buffer_free(struct ts_buffer *buffer); /* NULL is allowed */
/* Names bytes [offset, offset + bytes) of a buffer for the tools that watch a device: GPU captures, and
 * the counters of the software Metal device. Costs nothing where nobody watches. */
void ts_buffer_name(struct ts_buffer *buffer, uint64_t offset, uint64_t bytes, const char *name);
/* The buffer's memory, for the host to read (after wait) or fill (before submit). */
void *ts_buffer_contents(struct ts_buffer *buffer);

/* True where the device runs this operation, with these arguments and these slices, as a kernel of its
 * own; false where a fused one runs as its expansion, and so writes its TMP operands. */
bool ts_device_supports(const struct ts_device *device, enum ts_op op, const void *args,
                        const struct ts_slice *slices);

/* For checking: wherever this kernel takes an operation's arguments and formats it runs it, whichever stands
 * before it in the table. NULL: the first that fits again. No-op on a device without kernels. */
void ts_device_prefer(struct ts_device *device, const struct ts_kernel *kernel);

/* From here on work is encoded, until submit. What was encoded after an earlier begin and never
 * submitted is dropped. Encode, copy and submit without begin fail (TS_ERR_CHECK). */
bool ts_device_begin(struct ts_device *device, struct ts_error *error);

/* Encodes one operation. `slices` has the operation's operands in the order of ops.def; args is its
 * argument struct. Sizes, formats and bounds are checked here, for every device; errors name the
 * operation and the operand. A fused operation that the device lacks runs as its expansion. */
bool ts_device_encode(struct ts_device *device, enum ts_op op, const void *args,
                      const struct ts_slice *slices, unsigned count, struct ts_error *error);

/* The slices of one step of a fused operation's expansion, [TS_MAX_OPERANDS], from those of the operation;
 * operands that the step does without are empty. */
void ts_step_slices(const struct ts_step *step, const struct ts_slice *slices,
                    struct ts_slice *parts);

/* For checking: fn sees every operation that is asked for before it is encoded, with all work before it
 * done. False ends the encoding with *error. Each call splits the work in two. fn NULL ends it. */
typedef bool ts_observe_fn(void *context, enum ts_op op, const void *args,
                           const struct ts_slice *slices, struct ts_error *error);
void ts_device_set_observer(struct ts_device *device, ts_observe_fn *fn, void *context);

/* Encodes a copy of source to the start of target, which is at least as large and not wrapped. */
bool ts_device_copy(struct ts_device *device, struct ts_slice target, struct ts_slice source,
                    struct ts_error *error);

bool ts_device_submit(struct ts_device *device, struct ts_error *error);
/* Returns when all submitted work is done. If a part of it fails, the rest does not run. */
bool ts_device_wait(struct ts_device *device, struct ts_error *error);

/* Since open, or since the last reset: launches of each operation as it ran (a fused operation that
 * was expanded counts as its parts), and the work that they are (ts_op_work, in bytes by the formats
 * of the operands). Between bytes and bytes_min lies what expanded operations hand on in memory. */
struct ts_device_counters {
    uint64_t launches[TS_OP_COUNT];
    uint64_t copies;
    uint64_t submits;
    uint64_t flops;     /* a multiply-add is two */
    uint64_t bytes;     /* that the operations, as they ran, must each read or write once */
    uint64_t bytes_min; /* the same for the operations that were asked for, TMP operands free */
    /* of a device with kernels */
    uint64_t pipelines;          /* built */
    uint64_t buffers;            /* made; views of one mapping count each */
    uint64_t residency_requests; /* for buffers that were new */
    uint64_t gpu_ns;             /* time of submitted work, by the device's own clock */
    uint64_t kernel_launches[TS_KERNEL_COUNT];
    uint64_t kernel_ns[TS_KERNEL_COUNT]; /* only where the device was opened with `timed` */
};
void ts_device_counters(const struct ts_device *device, struct ts_device_counters *counters);
void ts_device_reset_counters(struct ts_device *device);

/* Real numbers of a slice in the host's hands: `first` and `count` in elements, stored as the
 * slice's format says. The device must be idle. */
void ts_slice_write(struct ts_slice slice, uint64_t first, uint64_t count, const double *values);
void ts_slice_read(struct ts_slice slice, uint64_t first, uint64_t count, double *values);
/* First byte of a slice. */
void *ts_slice_contents(struct ts_slice slice);
/* Elements [first, first + count) of a slice of plain numbers. */
struct ts_slice ts_slice_part(struct ts_slice slice, uint64_t first, uint64_t count);

#endif
