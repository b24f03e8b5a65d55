/* Runs the programs under test, through the shell. TS_BUILD names their folder (build). */
#ifndef TS_TESTS_PROGRAM_H
#define TS_TESTS_PROGRAM_H

#include "tests/support/path.h"

#include <criterion/criterion.h>

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static inline const char *test_build(void)
{
    const char *build = getenv("TS_BUILD");
    return build ? build : "build";
}

/* Runs $TS_BUILD/ + the formatted command line. What it prints goes to `output`, cut at `capacity`;
 * standard error too unless the command line redirects it. Returns the exit code. */
__attribute__((format(printf, 3, 4))) static inline int test_run(char *output, size_t capacity,
                                                                 const char *format, ...)
{
    char arguments[1024], command[1200];
    va_list list;
    va_start(list, format);
    vsnprintf(arguments, sizeof arguments, format, list);
    va_end(list);
    const char *errors = strstr(arguments, "2>") ? "" : " 2>&1";
    snprintf(command, sizeof command, "%s/%s%s", test_build(), arguments, errors);
    FILE *pipe = popen(command, "r");
    cr_assert(pipe != NULL, "%s: no pipe", command);
    size_t length = fread(output, 1, capacity - 1, pipe);
    output[length] = '\0';
    char rest[4096];
    while (fread(rest, 1, sizeof rest, pipe) > 0) {
    }
    int status = pclose(pipe);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

#endif
