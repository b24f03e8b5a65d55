#include "engine/check/repeated.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* What a GPU of Apple's takes without a copy begins at a multiple of PAGE. */
enum { PAGE = 16384, LEAST_PIECE = 1 << 19 };

/* Bytes that a signed number of 32 bits counts. */
static const uint64_t most_signed = 1ull << 31;

static uint64_t round_up(uint64_t bytes, uint64_t unit)
{
    return (bytes + unit - 1) / unit * unit;
}

/* A common multiple of PAGE and the unit, times an odd number that is not 1. */
static uint64_t piece_of(uint64_t unit)
{
    uint64_t common = PAGE, factor = 3;
    while (common % unit != 0) {
        common += PAGE;
    }
    while (common * factor < LEAST_PIECE) {
        factor += 2;
    }
    return common * factor;
}

static int open_file(uint64_t bytes)
{
    FILE *file = tmpfile();
    int number = file ? dup(fileno(file)) : -1;
    if (file) {
        fclose(file);
    }
    if (number >= 0 && ftruncate(number, (off_t)bytes) != 0) {
        close(number);
        number = -1;
    }
    return number;
}

static bool map_pieces(const struct ts_repeated *r, uint8_t *first, uint64_t end, int file)
{
    for (uint64_t at = 0; at < end; at += r->piece) {
        uint64_t left = end - at, bytes = left < r->piece ? left : r->piece;
        if (mmap(first + at, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, file, 0) ==
            MAP_FAILED) {
            return false;
        }
    }
    return true;
}

bool ts_repeated_open(struct ts_repeated *r, uint64_t bytes, uint64_t unit, struct ts_error *error)
{
    memset(r, 0, sizeof *r);
    r->bytes = bytes;
    r->piece = piece_of(unit);
    /* an offset that lost its high bits may be negative */
    uint64_t before = bytes > most_signed ? round_up(most_signed, r->piece) : r->piece;
    uint64_t mapped = before + round_up(bytes, PAGE) + r->piece;
    r->room_bytes = mapped + PAGE;
    int file = open_file(r->piece);
    r->kept = malloc(r->piece);
    void *room =
        mmap(NULL, r->room_bytes, PROT_NONE, MAP_PRIVATE | MAP_ANON | MAP_NORESERVE, -1, 0);
    r->room = room == MAP_FAILED ? NULL : room;
    bool ok = file >= 0 && r->kept && r->room;
    if (ok) {
        uint8_t *first = r->room;
        first += (PAGE - (uintptr_t)first % PAGE) % PAGE;
        r->contents = first + before;
        ok = map_pieces(r, first, mapped, file);
    }
    int reason = errno;
    if (file >= 0) {
        close(file);
    }
    if (!ok) {
        ts_repeated_close(r);
        return ts_fail(error, TS_ERR_ENVIRONMENT, "check the limit on address space (ulimit -v)",
                       "no room for %llu bytes of numbers that repeat: %s",
                       (unsigned long long)bytes, strerror(reason));
    }
    return true;
}

void ts_repeated_close(struct ts_repeated *r)
{
    if (r->room) {
        munmap(r->room, r->room_bytes);
    }
    free(r->kept);
    memset(r, 0, sizeof *r);
}

void ts_repeated_keep(struct ts_repeated *r)
{
    memcpy(r->kept, r->contents, r->piece);
}

bool ts_repeated_changed(const struct ts_repeated *r)
{
    return memcmp(r->kept, r->contents, r->piece) != 0;
}
