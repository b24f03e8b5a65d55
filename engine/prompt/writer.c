#include "engine/prompt/writer.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

void ts_writer_add(struct ts_writer *writer, const char *data, size_t length)
{
    if (writer->failed || length == 0) {
        return;
    }
    if (writer->capacity - writer->length < length) {
        size_t most = SIZE_MAX / 2;
        size_t capacity = writer->capacity < 256 ? 256 : writer->capacity;
        while (capacity - writer->length < length && capacity <= most) {
            capacity *= 2;
        }
        char *larger = capacity > most ? NULL : realloc(writer->data, capacity);
        if (!larger) {
            writer->failed = true;
            return;
        }
        writer->data = larger;
        writer->capacity = capacity;
    }
    memcpy(writer->data + writer->length, data, length);
    writer->length += length;
}

void ts_writer_add_text(struct ts_writer *writer, struct ts_text text)
{
    ts_writer_add(writer, text.data, text.length);
}

void ts_writer_add_string(struct ts_writer *writer, const char *string)
{
    ts_writer_add(writer, string, strlen(string));
}

struct ts_text ts_writer_text(const struct ts_writer *writer)
{
    return (struct ts_text){writer->data ? writer->data : "", writer->length};
}

bool ts_writer_ok(const struct ts_writer *writer, struct ts_error *error)
{
    return !writer->failed || ts_fail_memory(error, "a text", writer->capacity * 2ull);
}

void ts_writer_free(struct ts_writer *writer)
{
    free(writer->data);
    *writer = (struct ts_writer){0};
}
