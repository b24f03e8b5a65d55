#include "tools/touchstone/cli.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool ts_read_file(const char *path, uint64_t limit, char **data, uint64_t *length,
                  struct ts_error *error)
{
    bool standard = strcmp(path, "-") == 0;
    FILE *file = standard ? stdin : fopen(path, "rb");
    path = standard ? "standard input" : path;
    if (!file) {
        return ts_fail(error, TS_ERR_INPUT, NULL, "%s: %s", path, strerror(errno));
    }
    uint64_t size = 0, capacity = 1 << 16;
    char *buffer = malloc(capacity + 1);
    bool ok = buffer != NULL;
    while (ok) {
        size_t got = fread(buffer + size, 1, (size_t)(capacity - size), file);
        size += got;
        if (got == 0 || size > limit) {
            break;
        }
        if (size == capacity) {
            char *larger = realloc(buffer, capacity * 2 + 1);
            ok = larger != NULL;
            buffer = ok ? larger : buffer;
            capacity *= ok ? 2 : 1;
        }
    }
    bool failed = ferror(file) != 0;
    int reason = errno;
    if (file != stdin) {
        fclose(file);
    }
    if (!ok) {
        ts_fail_memory(error, path, capacity);
    } else if (failed) {
        ok = ts_fail(error, TS_ERR_INPUT, NULL, "%s: %s", path, strerror(reason));
    } else if (size > limit) {
        ok = ts_fail(error, TS_ERR_INPUT, NULL, "%s: longer than the %llu bytes allowed here", path,
                     (unsigned long long)limit);
    }
    if (!ok) {
        free(buffer);
        return false;
    }
    buffer[size] = '\0';
    *data = buffer;
    *length = size;
    return true;
}
