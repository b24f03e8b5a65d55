/* Files that tests write. */
#ifndef TS_TESTS_PATH_H
#define TS_TESTS_PATH_H

#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

/* A path of its own for each process; removed by whoever made the file. */
struct test_path {
    char text[96];
};

static inline struct test_path test_path(const char *name)
{
    struct test_path path;
    mkdir("build", 0777);
    mkdir("build/tmp", 0777);
    snprintf(path.text, sizeof path.text, "build/tmp/%d-%s", (int)getpid(), name);
    return path;
}

static inline long long test_file_size(const char *path) /* -1: no such file */
{
    struct stat status;
    return stat(path, &status) == 0 ? (long long)status.st_size : -1;
}

#endif
