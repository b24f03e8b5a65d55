#include "tests/plain/criterion/criterion.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

enum { SLOWNESS = 30 }; /* of a sanitizer: timeouts are meant for a hang */

static struct plain_test *tests;
static bool failed;

void plain_add(struct plain_test *test)
{
    struct plain_test **end = &tests;
    while (*end) {
        end = &(*end)->next;
    }
    *end = test;
}

void plain_log(const char *format, ...)
{
    va_list list;
    va_start(list, format);
    fputs("[----] ", stdout);
    vprintf(format, list);
    va_end(list);
    putchar('\n');
}

void plain_skip(const char *format, ...)
{
    va_list list;
    va_start(list, format);
    vprintf(format, list);
    va_end(list);
    putchar('\n');
    exit(0);
}

void plain_fail(bool fatal, const char *file, int line, const char *text, const char *format, ...)
{
    printf("[----] %s:%d: expected %s\n", file, line, text);
    if (format) {
        va_list list;
        va_start(list, format);
        fputs("[----]   ", stdout);
        vprintf(format, list);
        va_end(list);
        putchar('\n');
    }
    failed = true;
    if (fatal) {
        fflush(stdout);
        exit(1); /* through the sanitizer's own end, which has the last word */
    }
}

static void call(void (*function)(void))
{
    if (function) {
        function();
    }
}

static void run(const struct plain_test *test, const struct plain_options *suite)
{
    double timeout = test->options.timeout > 0 ? test->options.timeout : suite->timeout;
    alarm((unsigned)(timeout * SLOWNESS));
    call(suite->init);
    call(test->options.init);
    test->run();
    call(test->options.fini);
    call(suite->fini);
    exit(failed ? 1 : 0);
}

static const struct plain_options *options_of(const char *suite)
{
    static const struct plain_options none;
    for (const struct plain_test *test = tests; test; test = test->next) {
        if (!test->run && strcmp(test->suite, suite) == 0) {
            return &test->options;
        }
    }
    return &none;
}

/* Options of the command line are Criterion's, and say nothing here. */
int main(void)
{
    unsigned tested = 0, passing = 0, crashing = 0;
    for (const struct plain_test *test = tests; test; test = test->next) {
        int status = 0;
        if (!test->run) {
            continue;
        }
        fflush(NULL);
        pid_t child = fork();
        if (child == 0) {
            run(test, options_of(test->suite));
        }
        bool ok = child > 0 && waitpid(child, &status, 0) == child && WIFEXITED(status);
        crashing += !ok;
        ok = ok && WEXITSTATUS(status) == 0;
        tested++;
        passing += ok;
        printf("[%s] %s::%s\n", ok ? "PASS" : "FAIL", test->suite, test->name);
    }
    printf("[====] Synthesis: Tested: %u | Passing: %u | Failing: %u | Crashing: %u\n", tested,
           passing, tested - passing, crashing);
    return passing == tested && tested > 0 ? 0 : 1;
}
