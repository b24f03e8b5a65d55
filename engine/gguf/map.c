/* Where the bytes of a GGUF file come from and go to: open, map, close. */
#include "engine/gguf/map.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* Mappings begin and end at multiples of this, whatever the system's page is: a GPU of Apple's takes
 * memory without a copy only so. */
enum { PAGE = 16384 };

static size_t round_up(size_t bytes)
{
    return bytes + (PAGE - bytes % PAGE) % PAGE;
}

/* Maps a file at a multiple of PAGE; behind its end, to the end of its last PAGE, is zeroed memory.
 * MAP_FAILED with errno. */
static void *map_aligned(int file, size_t size)
{
    size_t whole = round_up(size);
    if (whole < size || whole > SIZE_MAX - PAGE) {
        errno = ENOMEM;
        return MAP_FAILED;
    }
    char *room = mmap(NULL, whole + PAGE, PROT_READ, MAP_PRIVATE | MAP_ANON | MAP_NORESERVE, -1, 0);
    if (room == MAP_FAILED) {
        return MAP_FAILED;
    }
    size_t before = (PAGE - (uintptr_t)room % PAGE) % PAGE;
    char *data = room + before;
    if (before > 0) {
        munmap(room, before);
    }
    munmap(data + whole, PAGE - before);
    if (mmap(data, size, PROT_READ, MAP_PRIVATE | MAP_FIXED, file, 0) == MAP_FAILED) {
        int reason = errno;
        munmap(data, whole);
        errno = reason;
        return MAP_FAILED;
    }
    return data;
}

static bool map_file(int file, const char *path, void **data, size_t *size, struct ts_error *error)
{
    struct stat status;
    if (fstat(file, &status) != 0) {
        return ts_fail(error, TS_ERR_INPUT, NULL, "%.300s: cannot be examined: %s", path,
                       strerror(errno));
    }
    if (!S_ISREG(status.st_mode)) {
        return ts_fail(error, TS_ERR_INPUT, NULL, "%.300s: %s, expected a GGUF file", path,
                       S_ISDIR(status.st_mode) ? "is a directory" : "is not a regular file");
    }
    if (status.st_size <= 0) {
        return ts_fail(error, TS_ERR_INPUT, NULL,
                       "%.300s: offset 0: the file is empty, expected a GGUF file", path);
    }
    *size = (size_t)status.st_size;
    *data = map_aligned(file, *size);
    if (*data == MAP_FAILED) {
        return ts_fail(error, TS_ERR_INPUT, "check the limit on address space (ulimit -v)",
                       "%.300s: cannot map %zu bytes: %s", path, *size, strerror(errno));
    }
    return true;
}

static void unmap(const void *data, uint64_t size)
{
    munmap((void *)(uintptr_t)data, round_up(size));
}

struct ts_gguf *ts_gguf_open_part(const char *path, struct ts_error *error)
{
    /* Without O_NONBLOCK a named pipe would wait here for its other end. */
    int file = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (file < 0) {
        ts_fail(error, TS_ERR_INPUT, NULL, "%.300s: cannot be opened: %s", path, strerror(errno));
        return NULL;
    }
    void *data = NULL;
    size_t size = 0;
    bool mapped = map_file(file, path, &data, &size, error);
    close(file);
    if (!mapped) {
        return NULL;
    }
    struct ts_gguf *gguf = ts_gguf_open_memory(path, data, size, error);
    if (!gguf) {
        munmap(data, round_up(size));
        return NULL;
    }
    gguf->release = unmap;
    return gguf;
}
