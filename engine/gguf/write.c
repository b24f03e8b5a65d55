#include "engine/gguf/write.h"

#include "base/format.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

_Static_assert(sizeof(off_t) == 8, "files larger than 4 GiB are written");
_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "values are written as they are held");

enum { VERSION = 3, ALIGNMENT = 32, FILE_BUFFER = 1 << 20 };

/* Far below what an off_t holds, so that no offset in the file overflows. */
#define MAX_PLANNED (UINT64_C(1) << 62)

struct buffer {
    uint8_t *data;
    uint64_t length;
    uint64_t capacity;
};

/* Where a tensor's data belongs, counted from the beginning of all tensor data. */
struct plan {
    uint64_t offset;
    uint64_t bytes;
    uint64_t name; /* where its directory entry begins in `directory` */
};

struct ts_gguf_writer {
    char *path;
    FILE *file;
    struct ts_error error; /* the first one; nothing is written after it */
    struct buffer keys;
    struct buffer directory;
    struct buffer plans; /* struct plan */
    uint64_t key_count;
    uint64_t tensor_count;
    uint64_t planned;     /* bytes of all tensor data, the padding at the end included */
    bool started;         /* the header is written */
    uint64_t data_offset; /* length of the header; known once started */
    uint64_t position;    /* bytes of tensor data written, skipped or padded so far */
    uint64_t current;     /* the first tensor that is not complete */
};

static bool failed(const struct ts_gguf_writer *w)
{
    return w->error.code != TS_OK;
}

static uint64_t padding(uint64_t length)
{
    return (0 - length) & (ALIGNMENT - 1);
}

static void fail_system(struct ts_gguf_writer *w, const char *what)
{
    if (!failed(w)) {
        ts_fail(&w->error, TS_ERR_ENVIRONMENT, "free disk space or choose another folder",
                "%.300s: %s %" PRIu64 " bytes failed: %s", w->path, what,
                w->data_offset + w->planned, strerror(errno));
    }
}

static void append(struct ts_gguf_writer *w, struct buffer *buffer, const void *data,
                   uint64_t bytes)
{
    if (failed(w) || bytes == 0) {
        return;
    }
    if (bytes > buffer->capacity - buffer->length) {
        uint64_t room = buffer->capacity ? buffer->capacity : 1024;
        while (room - buffer->length < bytes && room <= UINT64_MAX / 2) {
            room *= 2;
        }
        uint8_t *larger = room - buffer->length < bytes ? NULL : realloc(buffer->data, room);
        if (!larger) {
            ts_fail_memory(&w->error, "the directory of a GGUF file", room);
            return;
        }
        buffer->data = larger;
        buffer->capacity = room;
    }
    memcpy(buffer->data + buffer->length, data, bytes);
    buffer->length += bytes;
}

static void append_u32(struct ts_gguf_writer *w, struct buffer *buffer, uint32_t value)
{
    append(w, buffer, &value, sizeof value);
}

static void append_u64(struct ts_gguf_writer *w, struct buffer *buffer, uint64_t value)
{
    append(w, buffer, &value, sizeof value);
}

static void append_text(struct ts_gguf_writer *w, struct buffer *buffer, const char *data,
                        uint64_t length)
{
    append_u64(w, buffer, length);
    append(w, buffer, data, length);
}

/* Opens a regular file only: one that is removed when writing fails must not be a device. */
static FILE *create(const char *path, struct ts_error *error)
{
    static const char hint[] = "choose a folder that exists and is writable";
    int descriptor = open(path, O_WRONLY | O_CREAT | O_CLOEXEC | O_NONBLOCK, 0666);
    if (descriptor < 0) {
        ts_fail(error, TS_ERR_ENVIRONMENT, hint, "%.300s: cannot be created: %s", path,
                strerror(errno));
        return NULL;
    }
    struct stat status;
    if (fstat(descriptor, &status) != 0 || !S_ISREG(status.st_mode)) {
        close(descriptor);
        ts_fail(error, TS_ERR_ENVIRONMENT, hint, "%.300s: is not a regular file", path);
        return NULL;
    }
    FILE *file = ftruncate(descriptor, 0) == 0 ? fdopen(descriptor, "wb") : NULL;
    if (!file) {
        ts_fail(error, TS_ERR_ENVIRONMENT, hint, "%.300s: cannot be written: %s", path,
                strerror(errno));
        close(descriptor);
        return NULL;
    }
    setvbuf(file, NULL, _IOFBF, FILE_BUFFER); /* without memory for it, a smaller one serves */
    return file;
}

struct ts_gguf_writer *ts_gguf_writer_open(const char *path, struct ts_error *error)
{
    struct ts_gguf_writer *w = calloc(1, sizeof *w);
    if (!w || !(w->path = strdup(path))) {
        free(w);
        ts_fail_memory(error, "a GGUF writer", sizeof *w + strlen(path));
        return NULL;
    }
    w->file = create(path, error);
    if (!w->file) {
        free(w->path);
        free(w);
        return NULL;
    }
    return w;
}

/* Begins a key; false if it cannot be written any more. */
static bool begin_key(struct ts_gguf_writer *w, const char *name, uint32_t type)
{
    if (!failed(w) && w->started) {
        ts_fail(&w->error, TS_ERR_INPUT, NULL, "%.300s: key '%s' comes after tensor data", w->path,
                name);
    }
    append_text(w, &w->keys, name, strlen(name));
    append_u32(w, &w->keys, type);
    w->key_count++;
    return !failed(w);
}

void ts_gguf_put_u32(struct ts_gguf_writer *w, const char *name, uint32_t value)
{
    if (!begin_key(w, name, TS_GGUF_U32)) {
        return;
    }
    if (strcmp(name, "general.alignment") == 0 && value != ALIGNMENT) {
        ts_fail(&w->error, TS_ERR_INPUT, NULL,
                "%.300s: general.alignment is %" PRIu32 ", this writer always uses %d", w->path,
                value, ALIGNMENT);
    }
    append_u32(w, &w->keys, value);
}

void ts_gguf_put_f32(struct ts_gguf_writer *w, const char *name, float value)
{
    if (begin_key(w, name, TS_GGUF_F32)) {
        append(w, &w->keys, &value, sizeof value);
    }
}

void ts_gguf_put_bool(struct ts_gguf_writer *w, const char *name, bool value)
{
    uint8_t byte = value;
    if (begin_key(w, name, TS_GGUF_BOOL)) {
        append(w, &w->keys, &byte, sizeof byte);
    }
}

void ts_gguf_put_text(struct ts_gguf_writer *w, const char *name, const char *value)
{
    if (begin_key(w, name, TS_GGUF_STRING)) {
        append_text(w, &w->keys, value, strlen(value));
    }
}

void ts_gguf_put_array(struct ts_gguf_writer *w, const char *name, enum ts_gguf_type type,
                       const void *elements, uint64_t count)
{
    if (!begin_key(w, name, TS_GGUF_ARRAY)) {
        return;
    }
    uint32_t bytes = type == TS_GGUF_BOOL ? 0 : ts_gguf_type_bytes(type);
    if (bytes == 0 || count > UINT64_MAX / bytes) {
        ts_fail(&w->error, TS_ERR_INPUT, NULL,
                "%.300s: key '%s': %" PRIu64 " elements of type %s, expected numbers", w->path,
                name, count, ts_gguf_type_name(type));
        return;
    }
    append_u32(w, &w->keys, type);
    append_u64(w, &w->keys, count);
    append(w, &w->keys, elements, count * bytes);
}

void ts_gguf_put_text_array(struct ts_gguf_writer *w, const char *name,
                            const struct ts_text *elements, uint64_t count)
{
    if (!begin_key(w, name, TS_GGUF_ARRAY)) {
        return;
    }
    append_u32(w, &w->keys, TS_GGUF_STRING);
    append_u64(w, &w->keys, count);
    for (uint64_t i = 0; i < count && !failed(w); i++) {
        append_text(w, &w->keys, elements[i].data, elements[i].length);
    }
}

void ts_gguf_declare(struct ts_gguf_writer *w, const char *name, uint32_t format,
                     uint32_t dimensions, const uint64_t *shape)
{
    if (failed(w)) {
        return;
    }
    struct plan plan = {.offset = w->planned, .name = w->directory.length};
    const char *problem = ts_gguf_shape_bytes(format, dimensions, shape, &plan.bytes);
    if (w->started) {
        problem = "a declaration after tensor data";
    } else if (!problem && plan.bytes > MAX_PLANNED - w->planned) {
        problem = "more bytes than a file can hold";
    }
    if (problem) {
        ts_fail(&w->error, TS_ERR_INPUT, NULL, "%.300s: tensor '%s' of type %s has %s", w->path,
                name, ts_format_name(format), problem);
        return;
    }
    append_text(w, &w->directory, name, strlen(name));
    append_u32(w, &w->directory, dimensions);
    append(w, &w->directory, shape, dimensions * sizeof shape[0]);
    append_u32(w, &w->directory, format);
    append_u64(w, &w->directory, plan.offset);
    append(w, &w->plans, &plan, sizeof plan);
    w->planned += plan.bytes + padding(plan.bytes); /* MAX_PLANNED is a multiple of ALIGNMENT */
    w->tensor_count++;
}

static void output(struct ts_gguf_writer *w, const void *data, uint64_t bytes)
{
    if (!failed(w) && bytes > 0 && fwrite(data, 1, bytes, w->file) != bytes) {
        fail_system(w, "writing");
    }
}

static void pad(struct ts_gguf_writer *w, uint64_t bytes)
{
    static const uint8_t zeros[ALIGNMENT];
    output(w, zeros, bytes);
}

static void start(struct ts_gguf_writer *w)
{
    if (w->started || failed(w)) {
        return;
    }
    w->started = true;
    struct buffer head = {NULL, 0, 0};
    append(w, &head, "GGUF", 4);
    append_u32(w, &head, VERSION);
    append_u64(w, &head, w->tensor_count);
    append_u64(w, &head, w->key_count);
    uint64_t length = head.length + w->keys.length + w->directory.length;
    w->data_offset = length + padding(length);
    output(w, head.data, head.length);
    output(w, w->keys.data, w->keys.length);
    output(w, w->directory.data, w->directory.length);
    pad(w, w->data_offset - length);
    free(head.data);
}

static struct plan plan_of(const struct ts_gguf_writer *w, uint64_t tensor)
{
    struct plan plan;
    memcpy(&plan, w->plans.data + tensor * sizeof plan, sizeof plan);
    return plan;
}

/* Fails with what is wrong about the amount of data given for a tensor. */
static void fail_amount(struct ts_gguf_writer *w, const struct plan *plan, uint64_t given)
{
    const uint8_t *entry = w->directory.data + plan->name;
    struct ts_text name = ts_gguf_next_text(&entry);
    int shown = name.length < 80 ? (int)name.length : 80;
    ts_fail(&w->error, TS_ERR_INPUT, NULL,
            "%.300s: tensor '%.*s' was given %" PRIu64 " bytes, expected %" PRIu64, w->path, shown,
            name.data, given, plan->bytes);
}

/* Checks that the current tensor takes `bytes` more and pads to its beginning; false if not. */
static bool begin_data(struct ts_gguf_writer *w, uint64_t bytes)
{
    start(w);
    if (failed(w) || bytes == 0) {
        return false;
    }
    if (w->current == w->tensor_count) {
        return ts_fail(&w->error, TS_ERR_INPUT, NULL,
                       "%.300s: %" PRIu64 " bytes more than the tensors declared", w->path, bytes);
    }
    struct plan plan = plan_of(w, w->current);
    if (w->position < plan.offset) {
        pad(w, plan.offset - w->position);
        w->position = plan.offset;
    }
    uint64_t done = w->position - plan.offset;
    if (bytes > plan.bytes - done) {
        fail_amount(w, &plan, bytes > UINT64_MAX - done ? UINT64_MAX : done + bytes);
    }
    return !failed(w);
}

static void end_data(struct ts_gguf_writer *w, uint64_t bytes)
{
    struct plan plan = plan_of(w, w->current);
    w->position += bytes;
    if (w->position - plan.offset == plan.bytes) {
        w->current++;
    }
}

void ts_gguf_write_data(struct ts_gguf_writer *w, const void *data, uint64_t bytes)
{
    if (begin_data(w, bytes)) {
        output(w, data, bytes);
        end_data(w, bytes);
    }
}

void ts_gguf_skip_data(struct ts_gguf_writer *w, uint64_t bytes)
{
    if (begin_data(w, bytes)) {
        if (fseeko(w->file, (off_t)bytes, SEEK_CUR) != 0) {
            fail_system(w, "skipping to");
        }
        end_data(w, bytes);
    }
}

/* Checks that the data is whole and gives the file its full length: a hole or the padding at the
 * end was never written. */
static void finish(struct ts_gguf_writer *w)
{
    start(w);
    if (!failed(w) && w->current < w->tensor_count) {
        struct plan plan = plan_of(w, w->current);
        fail_amount(w, &plan, w->position > plan.offset ? w->position - plan.offset : 0);
    }
    if (!failed(w) && (fflush(w->file) != 0 ||
                       ftruncate(fileno(w->file), (off_t)(w->data_offset + w->planned)) != 0)) {
        fail_system(w, "writing");
    }
}

bool ts_gguf_writer_close(struct ts_gguf_writer *w, struct ts_error *error)
{
    finish(w);
    if (fclose(w->file) != 0) {
        fail_system(w, "writing");
    }
    bool ok = !failed(w);
    if (!ok) {
        unlink(w->path);
        if (error) {
            *error = w->error;
        }
    }
    free(w->keys.data);
    free(w->directory.data);
    free(w->plans.data);
    free(w->path);
    free(w);
    return ok;
}
