/* The oracle: runs reference/ on the CPU with activations and KV rows stored as float64. Commands
 * are recorded at encode and run at wait, so that a missing wait shows here as well. */
#include "engine/device/backend.h"

#include "reference/reference.h"

#include <stdlib.h>
#include <string.h>

struct command {
    enum ts_op op; /* TS_OP_COUNT: a copy of slices[1] to slices[0] */
    union {
        unsigned char bytes[TS_ARGS_BYTES];
        uint64_t align;
    } args;
    struct ts_slice slices[TS_MAX_OPERANDS];
};

struct state {
    struct ts_pool *pool;
    struct command *commands;
    size_t count, capacity;
    size_t submitted; /* commands[0 .. submitted) run at the next wait */
};

/* Measured: 52 KiB a thread. */
static uint64_t reference_own_bytes(unsigned threads)
{
    return (uint64_t)(threads ? threads : ts_pool_cores()) * (128 << 10);
}

/* A wrapped buffer's handle is the caller's memory itself, an allocated one's is its own. */

static void *reference_open(const struct ts_device_options *options,
                            struct ts_device_limits *limits, struct ts_error *error)
{
    struct state *state = calloc(1, sizeof *state);
    if (!state) {
        ts_fail_memory(error, "the reference device", sizeof *state);
        return NULL;
    }
    state->pool = ts_pool_open(options->threads, error);
    if (!state->pool) {
        free(state);
        return NULL;
    }
    limits->provenance = "cpu";
    limits->max_buffer_bytes = SIZE_MAX / 2;
    limits->working_set_bytes = 0;
    return state;
}

static void reference_close(void *opaque)
{
    struct state *state = opaque;
    ts_pool_close(state->pool);
    free(state->commands);
    free(state);
}

static void *reference_alloc(void *state, uint64_t bytes, const char *label)
{
    (void)state;
    (void)label;
    return calloc(1, bytes);
}

static void *reference_wrap(void *state, const void *data, uint64_t bytes, uint64_t piece,
                            struct ts_error *error)
{
    (void)state;
    (void)bytes;
    (void)piece;
    (void)error;
    return (void *)(uintptr_t)data; /* device.c refuses every operation that would write to it */
}

static void reference_free(void *state, void *handle, bool wrapped)
{
    (void)state;
    if (!wrapped) {
        free(handle);
    }
}

static void *reference_contents(void *state, void *handle)
{
    (void)state;
    return handle;
}

static bool reference_supports(const void *state, enum ts_op op, const void *args,
                               const struct ts_slice *slices)
{
    (void)state;
    (void)args;
    (void)slices;
    return ts_ref_op(op) != NULL;
}

static bool reference_begin(void *opaque, struct ts_error *error)
{
    struct state *state = opaque;
    (void)error;
    state->count = state->submitted; /* appended behind those that wait, not those abandoned */
    return true;
}

static struct command *append(struct state *state, struct ts_error *error)
{
    if (state->count == state->capacity) {
        size_t capacity = state->capacity ? 2 * state->capacity : 4096;
        struct command *larger = realloc(state->commands, capacity * sizeof *larger);
        if (!larger) {
            ts_fail_memory(error, "the command list", capacity * sizeof *larger);
            return NULL;
        }
        state->commands = larger;
        state->capacity = capacity;
    }
    struct command *command = &state->commands[state->count++];
    memset(command, 0, sizeof *command);
    return command;
}

static bool reference_encode(void *state, enum ts_op op, const void *args,
                             const struct ts_slice *slices, struct ts_error *error)
{
    const struct ts_op_info *info = ts_op_info(op);
    struct command *command = append(state, error);
    if (!command) {
        return false;
    }
    command->op = op;
    memcpy(command->args.bytes, args, info->args_bytes);
    memcpy(command->slices, slices, info->operand_count * sizeof *slices);
    return true;
}

static bool reference_copy(void *state, struct ts_slice target, struct ts_slice source,
                           struct ts_error *error)
{
    struct command *command = append(state, error);
    if (!command) {
        return false;
    }
    command->op = TS_OP_COUNT;
    command->slices[0] = target;
    command->slices[1] = source;
    return true;
}

static bool reference_submit(void *opaque, struct ts_error *error)
{
    struct state *state = opaque;
    (void)error;
    state->submitted = state->count;
    return true;
}

static char *bytes_of(const struct ts_slice *slice)
{
    return (char *)ts_buffer_handle(slice->buffer) + slice->offset;
}

static bool run(struct state *state, const struct command *command, struct ts_error *error)
{
    struct ts_ref_in in[TS_MAX_OPERANDS];
    struct ts_ref_out out[TS_MAX_OPERANDS];
    unsigned ins = 0, outs = 0;
    if (command->op == TS_OP_COUNT) {
        memmove(bytes_of(&command->slices[0]), bytes_of(&command->slices[1]),
                command->slices[1].bytes);
        return true;
    }
    const struct ts_op_info *info = ts_op_info(command->op);
    for (unsigned i = 0; i < info->operand_count; i++) {
        const struct ts_slice *slice = &command->slices[i];
        enum ts_operand_kind kind = info->operands[i].kind;
        void *data = slice->buffer ? bytes_of(slice) : NULL;
        if (!ts_operand_is_written(kind)) {
            in[ins++] = (struct ts_ref_in){.data = data, .format = slice->format};
        } else if (ts_operand_is_index(kind)) {
            out[outs++] = (struct ts_ref_out){.index = data};
        } else {
            out[outs++] = (struct ts_ref_out){.value = data};
        }
    }
    return ts_ref_op(command->op)(command->args.bytes, in, out, NULL, state->pool, error);
}

static bool reference_wait(void *opaque, struct ts_error *error)
{
    struct state *state = opaque;
    bool ok = true;
    for (size_t i = 0; i < state->submitted && ok; i++) {
        ok = run(state, &state->commands[i], error);
    }
    /* what was encoded but not submitted stays; after an error everything is dropped */
    size_t left = ok ? state->count - state->submitted : 0;
    if (left > 0) {
        memmove(state->commands, state->commands + state->submitted,
                left * sizeof *state->commands);
    }
    state->count = left;
    state->submitted = 0;
    return ok;
}

const struct ts_backend ts_backend_reference = {
    .name = "reference",
    .real_format = TS_F64,
    .own_bytes = reference_own_bytes,
    .open = reference_open,
    .close = reference_close,
    .alloc = reference_alloc,
    .wrap = reference_wrap,
    .free = reference_free,
    .contents = reference_contents,
    .supports = reference_supports,
    .begin = reference_begin,
    .encode = reference_encode,
    .copy = reference_copy,
    .submit = reference_submit,
    .wait = reference_wait,
};
