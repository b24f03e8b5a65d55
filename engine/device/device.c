#include "engine/device/device.h"

#include "engine/device/internal.h"

#include <stdlib.h>
#include <string.h>

#ifdef TS_METAL
#define BACKENDS BACKEND(reference) BACKEND(metal)
#else
#define BACKENDS BACKEND(reference)
#endif

static const struct ts_backend *const backends[] = {
#define BACKEND(name) &ts_backend_##name,
    BACKENDS
#undef BACKEND
};

const char *ts_device_names(void)
{
#define BACKEND(name) ", " #name
    return &BACKENDS[2];
#undef BACKEND
}

const char *ts_device_default(void)
{
#if defined(TS_METAL) && defined(__APPLE__)
    return ts_backend_metal.name;
#else
    return ts_backend_reference.name;
#endif
}

static const struct ts_backend *find_backend(const char *name, struct ts_error *error)
{
    for (size_t i = 0; i < sizeof backends / sizeof backends[0]; i++) {
        if (strcmp(backends[i]->name, name) == 0) {
            return backends[i];
        }
    }
    ts_fail(error, TS_ERR_USAGE, NULL, "unknown device '%s', expected one of: %s", name,
            ts_device_names());
    return NULL;
}

bool ts_device_real_format(const char *name, uint32_t *format, struct ts_error *error)
{
    const struct ts_backend *backend = find_backend(name, error);
    if (backend) {
        *format = backend->real_format;
    }
    return backend != NULL;
}

bool ts_device_own_bytes(const char *name, unsigned threads, uint64_t *bytes,
                         struct ts_error *error)
{
    const struct ts_backend *backend = find_backend(name, error);
    if (backend) {
        *bytes = backend->own_bytes(threads);
    }
    return backend != NULL;
}

struct ts_device *ts_device_open(const char *name, const struct ts_device_options *options,
                                 struct ts_error *error)
{
    static const struct ts_device_options defaults = {.threads = 0};
    const struct ts_backend *backend = find_backend(name, error);
    if (!backend) {
        return NULL;
    }
    struct ts_device *device = calloc(1, sizeof *device);
    if (!device) {
        ts_fail_memory(error, "a device", sizeof *device);
        return NULL;
    }
    options = options ? options : &defaults;
    device->backend = backend;
    device->unfused = options->unfused;
    device->limits.name = backend->name;
    device->limits.real_format = backend->real_format;
    device->state = backend->open(options, &device->limits, error);
    if (!device->state) {
        free(device);
        return NULL;
    }
    if (options->software.checks && strcmp(device->limits.provenance, "software") != 0) {
        ts_fail(error, TS_ERR_ENVIRONMENT,
                "use --device metal on a machine without Metal of its own",
                "device %s (%s) has no checking mode: the software Metal device has one", name,
                device->limits.provenance);
        ts_device_close(device);
        return NULL;
    }
    return device;
}

void ts_device_close(struct ts_device *device)
{
    if (device) {
        device->backend->close(device->state);
        free(device);
    }
}

const struct ts_device_limits *ts_device_limits(const struct ts_device *device)
{
    return &device->limits;
}

void ts_device_make_resident(struct ts_device *device)
{
    if (device->backend->make_resident) {
        device->backend->make_resident(device->state);
    }
}

bool ts_device_probe(struct ts_device *device, struct ts_error *error)
{
    return !device->backend->probe || device->backend->probe(device->state, error);
}

bool ts_device_supports(const struct ts_device *device, enum ts_op op, const void *args,
                        const struct ts_slice *slices)
{
    if (device->unfused && ts_op_info(op)->fused) {
        return false;
    }
    return device->backend->supports(device->state, op, args, slices);
}

void ts_device_prefer(struct ts_device *device, const struct ts_kernel *kernel)
{
    if (device->backend->prefer) {
        device->backend->prefer(device->state, kernel);
    }
}

bool ts_device_begin(struct ts_device *device, struct ts_error *error)
{
    device->recording = device->backend->begin(device->state, error);
    return device->recording;
}

static bool check_recording(const struct ts_device *device, const char *what,
                            struct ts_error *error)
{
    return device->recording || ts_fail(error, TS_ERR_CHECK, NULL, "%s without begin", what);
}

/* Names of what a slice holds, against what the operand asks for. */
static bool format_fits(const struct ts_device *device, enum ts_operand_kind kind, uint32_t format)
{
    if (ts_operand_is_index(kind)) {
        return format == TS_I32;
    }
    if (ts_operand_is_weight(kind)) {
        return ts_format_is_weight(format);
    }
    return format == device->limits.real_format;
}

static bool inside_buffer(const struct ts_slice *slice)
{
    uint64_t bytes = slice->buffer->bytes;
    return slice->offset <= bytes && slice->bytes <= bytes - slice->offset;
}

static bool check_slice(const struct ts_device *device, const struct ts_op_info *info,
                        unsigned place, const struct ts_slice *slice, uint64_t elements,
                        struct ts_error *error)
{
    const struct ts_operand *operand = &info->operands[place];
    uint64_t need = 0;
    if (!slice->buffer) {
        return elements == 0 || ts_operand_is_optional(operand->kind) ||
               ts_fail(error, TS_ERR_CHECK, NULL, "operation %s: operand %s is empty", info->name,
                       operand->name);
    }
    if (!format_fits(device, operand->kind, slice->format) ||
        !ts_format_row_bytes(slice->format, elements, &need)) {
        return ts_fail(error, TS_ERR_CHECK, NULL,
                       "operation %s: operand %s cannot be %llu values of format %s", info->name,
                       operand->name, (unsigned long long)elements, ts_format_name(slice->format));
    }
    const struct ts_buffer *buffer = slice->buffer;
    if (!inside_buffer(slice)) {
        return ts_fail(error, TS_ERR_CHECK, NULL,
                       "operation %s: operand %s ends beyond its buffer of %llu bytes", info->name,
                       operand->name, (unsigned long long)buffer->bytes);
    }
    if (slice->format == device->limits.real_format && !ts_operand_is_weight(operand->kind) &&
        slice->offset % ts_format_block_bytes(slice->format) != 0) {
        return ts_fail(error, TS_ERR_CHECK, NULL,
                       "operation %s: operand %s is not aligned to its numbers", info->name,
                       operand->name);
    }
    if (slice->bytes < need) {
        return ts_fail(error, TS_ERR_CHECK, NULL,
                       "operation %s: operand %s has %llu bytes, needs %llu", info->name,
                       operand->name, (unsigned long long)slice->bytes, (unsigned long long)need);
    }
    if (buffer->wrapped && ts_operand_is_written(operand->kind)) {
        return ts_fail(error, TS_ERR_CHECK, NULL, "operation %s: operand %s is read-only memory",
                       info->name, operand->name);
    }
    return true;
}

/* Sets *flops; returns the bytes that the operation must read or write at least. */
static uint64_t work_bytes(enum ts_op op, const void *args, const struct ts_slice *slices,
                           uint64_t *flops)
{
    struct ts_work work;
    uint64_t bytes = 0;
    ts_op_work(op, args, &work);
    for (unsigned i = 0; i < ts_op_info(op)->operand_count; i++) {
        if (slices[i].buffer) {
            uint64_t blocks = work.touched[i] / ts_format_block_elements(slices[i].format);
            bytes += blocks * ts_format_block_bytes(slices[i].format);
        }
    }
    *flops = work.flops;
    return bytes;
}

static bool encode_any(struct ts_device *device, enum ts_op op, const void *args,
                       const struct ts_slice *slices, unsigned count, struct ts_error *error);

void ts_step_slices(const struct ts_step *step, const struct ts_slice *slices,
                    struct ts_slice *parts)
{
    for (unsigned i = 0; i < TS_MAX_OPERANDS; i++) {
        bool used = step->operands[i] != TS_NO_OPERAND;
        parts[i] = used ? slices[step->operands[i]] : (struct ts_slice){.buffer = NULL};
    }
}

static bool encode_steps(struct ts_device *device, const struct ts_op_info *info, const void *args,
                         const struct ts_slice *slices, struct ts_error *error)
{
    struct ts_expansion expansion = {.count = 0};
    info->expand(args, &expansion);
    for (unsigned s = 0; s < expansion.count; s++) {
        const struct ts_step *step = &expansion.steps[s];
        struct ts_slice parts[TS_MAX_OPERANDS];
        unsigned count = ts_op_info(step->op)->operand_count;
        ts_step_slices(step, slices, parts);
        if (!encode_any(device, step->op, step->args.bytes, parts, count, error)) {
            return false;
        }
    }
    return true;
}

static bool encode_any(struct ts_device *device, enum ts_op op, const void *args,
                       const struct ts_slice *slices, unsigned count, struct ts_error *error)
{
    uint64_t flops;
    const struct ts_op_info *info = ts_op_info(op);
    uint64_t elements[TS_MAX_OPERANDS] = {0};
    if (!check_recording(device, info->name, error)) {
        return false;
    }
    if (count != info->operand_count) {
        return ts_fail(error, TS_ERR_CHECK, NULL, "operation %s takes %u operands, got %u",
                       info->name, info->operand_count, count);
    }
    info->extent(args, elements);
    for (unsigned i = 0; i < count; i++) {
        if (!check_slice(device, info, i, &slices[i], elements[i], error)) {
            return false;
        }
    }
    if (info->fused && !ts_device_supports(device, op, args, slices)) {
        return encode_steps(device, info, args, slices, error);
    }
    device->counters.launches[op]++;
    device->counters.bytes += work_bytes(op, args, slices, &flops);
    device->counters.flops += flops;
    return device->backend->encode(device->state, op, args, slices, error);
}

void ts_device_set_observer(struct ts_device *device, ts_observe_fn *fn, void *context)
{
    device->observe = fn;
    device->observe_context = context;
}

static bool observe(struct ts_device *device, enum ts_op op, const void *args,
                    const struct ts_slice *slices, struct ts_error *error)
{
    return !device->observe || (ts_device_submit(device, error) && ts_device_wait(device, error) &&
                                device->observe(device->observe_context, op, args, slices, error) &&
                                ts_device_begin(device, error));
}

bool ts_device_encode(struct ts_device *device, enum ts_op op, const void *args,
                      const struct ts_slice *slices, unsigned count, struct ts_error *error)
{
    uint64_t flops;
    if (!observe(device, op, args, slices, error)) {
        return false;
    }
    if (!encode_any(device, op, args, slices, count, error)) {
        return false;
    }
    device->counters.bytes_min += work_bytes(op, args, slices, &flops);
    return true;
}

bool ts_device_copy(struct ts_device *device, struct ts_slice target, struct ts_slice source,
                    struct ts_error *error)
{
    if (!check_recording(device, "copy", error)) {
        return false;
    }
    if (!target.buffer || !source.buffer || !inside_buffer(&target) || !inside_buffer(&source)) {
        return ts_fail(error, TS_ERR_CHECK, NULL,
                       "copy: a slice is empty or ends beyond its buffer");
    }
    if (source.bytes > target.bytes) {
        return ts_fail(error, TS_ERR_CHECK, NULL, "copy of %llu bytes into %llu",
                       (unsigned long long)source.bytes, (unsigned long long)target.bytes);
    }
    if (target.buffer->wrapped) {
        return ts_fail(error, TS_ERR_CHECK, NULL, "copy: the target is read-only memory");
    }
    device->counters.copies++;
    return device->backend->copy(device->state, target, source, error);
}

bool ts_device_submit(struct ts_device *device, struct ts_error *error)
{
    if (!check_recording(device, "submit", error)) {
        return false;
    }
    device->recording = false;
    device->counters.submits++;
    return device->backend->submit(device->state, error);
}

bool ts_device_wait(struct ts_device *device, struct ts_error *error)
{
    return device->backend->wait(device->state, error);
}

void ts_device_counters(const struct ts_device *device, struct ts_device_counters *counters)
{
    *counters = device->counters;
    if (device->backend->counters) {
        device->backend->counters(device->state, counters, false);
    }
}

void ts_device_reset_counters(struct ts_device *device)
{
    if (device->backend->counters) {
        device->backend->counters(device->state, &device->counters, true);
    }
    memset(&device->counters, 0, sizeof device->counters);
}
