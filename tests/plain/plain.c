#include "tests/plain/criterion/criterion.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { MOST_JOBS = 16 };
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

/* A test in progress. */
struct job {
    pid_t child;
    const struct plain_test *test;
    struct timespec start;
};

struct counts {
    unsigned tested, passing, crashing;
};

/* Waits for any of the jobs, counts it, and returns its place, which is free again. */
static unsigned finish_one(struct job *jobs, unsigned count, struct counts *counts)
{
    int status = 0;
    struct timespec now;
    pid_t child = wait(&status);
    unsigned i = 0;
    while (i < count && jobs[i].child != child) {
        i++;
    }
    if (i == count) {
        perror("a test has no process");
        exit(1);
    }
    bool ok = WIFEXITED(status) && WEXITSTATUS(status) == 0;
    counts->tested++;
    counts->passing += ok;
    counts->crashing += !WIFEXITED(status);
    clock_gettime(CLOCK_MONOTONIC, &now);
    printf("[%s] %s::%s (%ld s)\n", ok ? "PASS" : "FAIL", jobs[i].test->suite, jobs[i].test->name,
           (long)(now.tv_sec - jobs[i].start.tv_sec));
    return i;
}

static void start_one(struct job *job, const struct plain_test *test)
{
    fflush(NULL);
    job->test = test;
    clock_gettime(CLOCK_MONOTONIC, &job->start);
    job->child = fork();
    if (job->child == 0) {
        run(test, options_of(test->suite));
    }
    if (job->child < 0) {
        perror("a test has no process");
        exit(1);
    }
}

/* As many at a time as --jobs says, or as there are cores. Criterion's other options say nothing
 * here. */
static unsigned most_jobs(int argc, char **argv)
{
    long jobs = sysconf(_SC_NPROCESSORS_ONLN);
    for (int i = 1; i + 1 < argc; i++) {
        jobs = strcmp(argv[i], "--jobs") == 0 ? strtol(argv[i + 1], NULL, 10) : jobs;
    }
    return jobs < 1 ? 1 : jobs > MOST_JOBS ? MOST_JOBS : (unsigned)jobs;
}

int main(int argc, char **argv)
{
    struct job jobs[MOST_JOBS];
    struct counts counts = {0};
    unsigned most = most_jobs(argc, argv), count = 0;
    for (const struct plain_test *test = tests; test; test = test->next) {
        if (!test->run) {
            continue;
        }
        unsigned place = count < most ? count++ : finish_one(jobs, count, &counts);
        start_one(&jobs[place], test);
    }
    while (count > 0) {
        unsigned place = finish_one(jobs, count, &counts);
        jobs[place] = jobs[--count];
    }
    printf("[====] Synthesis: Tested: %u | Passing: %u | Failing: %u | Crashing: %u\n",
           counts.tested, counts.passing, counts.tested - counts.passing, counts.crashing);
    return counts.passing == counts.tested && counts.tested > 0 ? 0 : 1;
}
