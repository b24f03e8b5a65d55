/* The handler calls only what a handler may call (open, read, write, _exit), takes its numbers apart
 * itself, and has its file names from the kernel's list of mappings: nothing is shared with it. */
#include "tools/touchstone/sigbus.h"

#include "base/error.h"

#include <fcntl.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

enum { MOST_PATH = 1024, MOST_LINE = MOST_PATH + 256 };

struct line {
    char text[MOST_LINE];
    size_t length;
};

static void add(struct line *line, const char *text, size_t length)
{
    size_t room = sizeof line->text - line->length;
    length = length < room ? length : room;
    for (size_t i = 0; i < length; i++) {
        unsigned char byte = (unsigned char)text[i];
        line->text[line->length++] = byte < 32 && byte != '\n' ? '?' : text[i];
    }
}

static void add_number(struct line *line, uint64_t number)
{
    char digits[20];
    size_t at = sizeof digits;
    do {
        digits[--at] = (char)('0' + number % 10);
        number /= 10;
    } while (number > 0);
    add(line, digits + at, sizeof digits - at);
}

/* Takes a hexadecimal number off the front of a text, and the one character behind it. */
static uint64_t take_hex(const char **at)
{
    uint64_t number = 0;
    for (; **at; (*at)++) {
        int digit = **at >= '0' && **at <= '9'   ? **at - '0'
                    : **at >= 'a' && **at <= 'f' ? **at - 'a' + 10
                                                 : -1;
        if (digit < 0) {
            (*at)++;
            break;
        }
        number = number << 4 | (uint64_t)digit;
    }
    return number;
}

/* One line of the list, "first-last access offset device inode    path", terminated by a zero. True
 * where it is a file's and holds the address: then its path, and the offset in the file. */
static bool match(const char *text, uint64_t address, const char **path, uint64_t *offset)
{
    uint64_t first = take_hex(&text), last = take_hex(&text);
    if (address < first || address >= last) {
        return false;
    }
    for (; *text && *text != ' '; text++) { /* access */
    }
    text += *text == ' ';
    *offset = take_hex(&text) + (address - first);
    for (; *text && *text != '/'; text++) {
    }
    *path = text;
    return *text == '/';
}

/* Looks an address up in the list of mappings; false where there is none (other systems). */
static bool find_file(uint64_t address, char *text, size_t room, const char **path,
                      uint64_t *offset)
{
    int file = open("/proc/self/maps", O_RDONLY | O_CLOEXEC);
    size_t used = 0;
    bool found = false;
    char byte[4096];
    for (ssize_t got; file >= 0 && !found && (got = read(file, byte, sizeof byte)) > 0;) {
        for (ssize_t i = 0; i < got && !found; i++) {
            if (byte[i] != '\n') {
                text[used] = byte[i];
                used += used + 1 < room;
                continue;
            }
            text[used] = '\0';
            found = match(text, address, path, offset);
            used = 0;
        }
    }
    if (file >= 0) {
        close(file);
    }
    return found;
}

static void on_bus_error(int number, siginfo_t *info, void *context)
{
    static const char begin[] = "touchstone: ";
    static const char lost[] = ": expected the file's data, but the file has become shorter while "
                               "it was in use\n";
    static const char unknown[] = "a model or data file has become shorter while it was in use\n";
    char text[MOST_LINE];
    const char *path = NULL;
    uint64_t offset = 0;
    struct line line = {.length = 0};
    (void)context;
#ifdef __APPLE__
    bool lost_page = info->si_code == BUS_ADRERR || info->si_code == BUS_ADRALN; /* arm64: always */
#else
    bool lost_page = info->si_code == BUS_ADRERR;
#endif
    if (!lost_page) {
        /* not of a mapping: the return repeats it, now with the default action */
        signal(number, SIG_DFL);
        return;
    }
    add(&line, begin, sizeof begin - 1);
    if (find_file((uint64_t)(uintptr_t)info->si_addr, text, sizeof text, &path, &offset)) {
        add(&line, path, strlen(path) < MOST_PATH ? strlen(path) : MOST_PATH);
        add(&line, ": offset ", 9);
        add_number(&line, offset);
        add(&line, lost, sizeof lost - 1);
    } else {
        add(&line, unknown, sizeof unknown - 1);
    }
    ssize_t written = write(STDERR_FILENO, line.text, line.length);
    (void)written;
    _exit(ts_exit_code(TS_ERR_INPUT));
}

void ts_catch_lost_files(void)
{
    struct sigaction action;
    memset(&action, 0, sizeof action);
    action.sa_sigaction = on_bus_error;
    action.sa_flags = SA_SIGINFO;
    sigemptyset(&action.sa_mask);
    sigaction(SIGBUS, &action, NULL);
}
