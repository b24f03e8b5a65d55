/* A case on the device: operands between guards, outputs poisoned, everything twice, with other guards the
 * second time. Guards poison what is made of them: 0xff bytes are NaN as floats, halves and exponents, and
 * -1 as a code; 0x77 bytes are huge numbers and large codes. A value that is read behind an operand makes
 * the output NaN, or other bits the second time. The second time operands also end where their buffer and
 * its pages end: a device that has nothing behind them sees each access there. */
#include "engine/check/kernel_case.h"

#include <stdlib.h>
#include <string.h>

enum { GUARD = 4096, PAGE = 16384 };
static const uint8_t guard_bytes[2] = {0xff, 0x77};
static const uint32_t poison = 0x7fc0deadu; /* a NaN that no arithmetic makes */

struct placed {
    struct ts_buffer *buffers[TS_MAX_OPERANDS];
    uint64_t sizes[TS_MAX_OPERANDS]; /* of the buffers */
    struct ts_slice slices[TS_MAX_OPERANDS];
};

static void set_contents(const struct ts_kernel_case *c, unsigned place, struct ts_slice slice)
{
    const struct ts_kernel_operand *o = &c->operands[place];
    uint8_t *bytes = ts_slice_contents(slice);
    if (o->repeated.contents) {
        return; /* it stands there */
    }
    if (o->weights) {
        memcpy(bytes, o->weights, o->bytes);
    } else if (o->indices) {
        memcpy(bytes, o->indices, o->bytes);
    } else if (o->reals) {
        ts_slice_write(slice, 0, o->elements, o->reals);
    } else {
        for (uint64_t i = 0; i + sizeof poison <= o->bytes; i += sizeof poison) {
            memcpy(bytes + i, &poison, sizeof poison);
        }
    }
}

static uint64_t round_up(uint64_t bytes)
{
    return (bytes + PAGE - 1) / PAGE * PAGE;
}

/* Of memory that a device does not take as it is, a copy. */
static struct ts_buffer *place_repeated(const struct ts_kernel_operand *o, const char *name,
                                        struct ts_device *device, struct ts_error *error)
{
    struct ts_buffer *buffer =
        ts_buffer_wrap(device, o->repeated.contents, o->bytes, o->bytes, error);
    if (!buffer) {
        buffer = ts_buffer_alloc(device, o->bytes, name, error);
        if (buffer) {
            memcpy(ts_buffer_contents(buffer), o->repeated.contents, o->bytes);
        }
    }
    return buffer;
}

static bool place_operands(const struct ts_kernel_case *c, struct ts_device *device,
                           struct placed *placed, struct ts_error *error)
{
    for (unsigned i = 0; i < c->info->operand_count; i++) {
        const struct ts_kernel_operand *o = &c->operands[i];
        bool optional = ts_operand_is_optional(c->info->operands[i].kind);
        if (o->elements == 0 && optional) {
            placed->slices[i] = (struct ts_slice){.buffer = NULL};
            continue;
        }
        if (o->repeated.contents) {
            placed->buffers[i] = place_repeated(o, c->info->operands[i].name, device, error);
            placed->slices[i] = (struct ts_slice){placed->buffers[i], 0, o->bytes, o->format};
            if (!placed->buffers[i]) {
                return false;
            }
            continue;
        }
        uint64_t size = c->bare ? o->bytes + (o->bytes == 0) : round_up(o->bytes + 2 * GUARD);
        struct ts_buffer *buffer = ts_buffer_alloc(device, size, c->info->operands[i].name, error);
        if (!buffer) {
            return false;
        }
        placed->buffers[i] = buffer;
        placed->sizes[i] = size;
        placed->slices[i] = (struct ts_slice){buffer, 0, o->bytes, o->format};
    }
    return true;
}

/* Whole pages with guards around the operand; the second time all of them before it. */
static void place(const struct ts_kernel_case *c, struct placed *placed, unsigned i, int again)
{
    struct ts_slice *slice = &placed->slices[i];
    uint8_t *start = ts_buffer_contents(placed->buffers[i]);
    if (!c->bare && !c->operands[i].repeated.contents) {
        slice->offset = again ? placed->sizes[i] - slice->bytes : GUARD;
        memset(start, guard_bytes[again], slice->offset);
        memset(start + slice->offset + slice->bytes, guard_bytes[again],
               placed->sizes[i] - slice->offset - slice->bytes);
    }
}

static bool run_once(const struct ts_kernel_case *c, struct ts_device *device,
                     struct placed *placed, int again, struct ts_error *error)
{
    for (unsigned i = 0; i < c->info->operand_count; i++) {
        if (placed->buffers[i]) {
            place(c, placed, i, again);
            set_contents(c, i, placed->slices[i]);
        }
    }
    return ts_device_begin(device, error) &&
           ts_device_encode(device, c->op, c->args, placed->slices, c->info->operand_count,
                            error) &&
           ts_device_submit(device, error) && ts_device_wait(device, error);
}

static bool all_are(const uint8_t *bytes, uint64_t count, uint8_t byte)
{
    return count == 0 || (bytes[0] == byte && memcmp(bytes, bytes + 1, count - 1) == 0);
}

static bool guards_hold(const struct placed *placed, unsigned i, uint8_t byte)
{
    const struct ts_slice *slice = &placed->slices[i];
    const uint8_t *start = ts_buffer_contents(placed->buffers[i]);
    uint64_t end = slice->offset + slice->bytes;
    return all_are(start, slice->offset, byte) &&
           all_are(start + end, placed->sizes[i] - end, byte);
}

static bool wrong(const struct ts_kernel_case *c, unsigned place, const char *what,
                  struct ts_error *error)
{
    return ts_fail(error, TS_ERR_CHECK, NULL, "case %u, %s: operand %s: %s", c->index,
                   ts_regime_name(c->regime), c->info->operands[place].name, what);
}

static bool input_changed(const struct ts_kernel_operand *o, const uint8_t *bytes)
{
    if (o->repeated.contents) {
        const uint8_t *contents = o->repeated.contents;
        return ts_repeated_changed(&o->repeated) ||
               (bytes != contents && memcmp(bytes, contents, o->bytes) != 0);
    }
    if (o->weights) {
        return memcmp(bytes, o->weights, o->bytes) != 0;
    }
    if (o->indices) {
        return memcmp(bytes, o->indices, o->bytes) != 0;
    }
    for (uint64_t i = 0; i < o->elements; i++) {
        float value = (float)o->reals[i];
        if (memcmp(bytes + i * sizeof value, &value, sizeof value) != 0) {
            return true;
        }
    }
    return false;
}

/* What must hold of memory whatever the numbers are. */
static bool check_memory(const struct ts_kernel_case *c, const struct placed *placed, int again,
                         bool any_order, struct ts_error *error)
{
    for (unsigned i = 0; i < c->info->operand_count; i++) {
        const struct ts_kernel_operand *o = &c->operands[i];
        enum ts_operand_kind kind = c->info->operands[i].kind;
        if (!placed->buffers[i]) {
            continue;
        }
        const uint8_t *bytes = ts_slice_contents(placed->slices[i]);
        bool guarded = !c->bare && !o->repeated.contents;
        if (guarded && !guards_hold(placed, i, guard_bytes[again])) {
            return wrong(c, i, "memory around it was written", error);
        }
        if (!ts_operand_is_written(kind)) {
            if (o->elements > 0 && input_changed(o, bytes)) {
                return wrong(c, i, "it is an input and was written", error);
            }
            continue;
        }
        if (kind == TS_OPERAND_TMP) {
            continue;
        }
        for (uint64_t k = 0; k + sizeof poison <= o->bytes; k += sizeof poison) {
            if (memcmp(bytes + k, &poison, sizeof poison) == 0) {
                return wrong(c, i, "an element was not written", error);
            }
        }
        if (again == 1 && !any_order && memcmp(bytes, o->got, o->bytes) != 0) {
            return wrong(c, i, "a second run gave other bits", error);
        }
        memcpy(o->got, bytes, o->bytes);
    }
    return true;
}

bool ts_kernel_case_run(struct ts_kernel_case *c, struct ts_device *device, bool any_order,
                        struct ts_error *error)
{
    struct placed placed = {.buffers = {NULL}};
    bool ok = place_operands(c, device, &placed, error);
    int runs = ts_case_is_size(c->info, c->index) ? 1 : 2;
    for (int again = 0; again < runs && ok; again++) {
        ok = run_once(c, device, &placed, again, error) &&
             check_memory(c, &placed, again, any_order, error);
    }
    for (unsigned i = 0; i < TS_MAX_OPERANDS; i++) {
        ts_buffer_free(placed.buffers[i]);
    }
    return ok;
}
