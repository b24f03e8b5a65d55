/* A text file in memory, line by line, as both files of a run are read. */
#ifndef TS_BENCH_RECORD_LINES_H
#define TS_BENCH_RECORD_LINES_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

struct ts_lines {
    char *next, *end; /* the bytes that are left; *end may be written */
    unsigned number;  /* of the line that came last, from 1 */
    bool whole;       /* it ended with a newline: else the file may have been cut off in it */
};

/* The next line that is not blank, its newline replaced by a zero; NULL behind the last. */
static inline char *ts_lines_next(struct ts_lines *lines)
{
    while (lines->next < lines->end) {
        char *line = lines->next, *end = memchr(line, '\n', (size_t)(lines->end - line));
        lines->whole = end != NULL;
        end = end ? end : lines->end;
        *end = '\0';
        lines->next = end + 1;
        lines->number++;
        if (strspn(line, " \t\r") != (size_t)(end - line)) {
            return line;
        }
    }
    return NULL;
}

#endif
