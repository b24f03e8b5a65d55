#include "bench/run/folder.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static const char *const root = "results/runs";

static bool fail_errno(struct ts_error *error, const char *path)
{
    return ts_fail(error, TS_ERR_ENVIRONMENT, "choose another folder with --out DIR", "%.400s: %s",
                   path, strerror(errno));
}

/* Makes every folder above the last name of path. */
static bool make_parents(char *path, struct ts_error *error)
{
    for (char *at = strchr(path + 1, '/'); at; at = strchr(at + 1, '/')) {
        *at = '\0';
        bool ok = mkdir(path, 0777) == 0 || errno == EEXIST || fail_errno(error, path);
        *at = '/';
        if (!ok) {
            return false;
        }
    }
    return true;
}

static void write_date(char date[TS_DATE])
{
    time_t now = time(NULL);
    struct tm utc;
    gmtime_r(&now, &utc);
    strftime(date, TS_DATE, "%Y%m%dT%H%M%SZ", &utc);
}

static char *join(const char *folder, const char *name, struct ts_error *error)
{
    size_t size = strlen(folder) + strlen(name) + 2;
    char *path = malloc(size);
    if (!path) {
        ts_fail_memory(error, "a path", size);
        return NULL;
    }
    snprintf(path, size, "%s/%s", folder, name);
    return path;
}

static bool make_named(struct ts_folder *folder, const char *out, struct ts_error *error)
{
    size_t length = strlen(out);
    while (length > 1 && out[length - 1] == '/') {
        length--;
    }
    folder->path = calloc(length + 1, 1);
    if (!folder->path) {
        return ts_fail_memory(error, "a path", length);
    }
    memcpy(folder->path, out, length);
    write_date(folder->date);
    return make_parents(folder->path, error) &&
           (mkdir(folder->path, 0777) == 0 || fail_errno(error, folder->path));
}

/* Two runs may start in the same second: the later one waits for the next. */
static bool make_dated(struct ts_folder *folder, const char *machine, const char *commit,
                       struct ts_error *error)
{
    enum { TRIES = 50 };
    char name[160];
    for (int i = 0; i < TRIES; i++) {
        write_date(folder->date);
        snprintf(name, sizeof name, "%s-%.60s-%.60s", folder->date, machine, commit);
        free(folder->path);
        folder->path = join(root, name, error);
        if (!folder->path || !make_parents(folder->path, error)) {
            return false;
        }
        if (mkdir(folder->path, 0777) == 0) {
            return true;
        }
        if (errno != EEXIST) {
            break;
        }
        nanosleep(&(struct timespec){.tv_nsec = 100000000}, NULL);
        errno = EEXIST;
    }
    return fail_errno(error, folder->path);
}

static FILE *open_file(const struct ts_folder *folder, const char *name, struct ts_error *error)
{
    char *path = join(folder->path, name, error);
    FILE *file = path ? fopen(path, "ab") : NULL;
    if (path && !file) {
        fail_errno(error, path);
    }
    free(path);
    return file;
}

bool ts_folder_open(struct ts_folder *folder, const char *out, const char *machine,
                    const char *commit, struct ts_error *error)
{
    *folder = (struct ts_folder){.path = NULL};
    if (!(out ? make_named(folder, out, error) : make_dated(folder, machine, commit, error))) {
        return false;
    }
    folder->runs = open_file(folder, "runs.jsonl", error);
    folder->samples = folder->runs ? open_file(folder, "samples.jsonl", error) : NULL;
    return folder->samples != NULL;
}

bool ts_folder_close(struct ts_folder *folder, struct ts_error *error)
{
    bool ok = true;
    FILE *const files[] = {folder->runs, folder->samples};
    for (int i = 0; i < 2; i++) {
        if (files[i] && fclose(files[i]) != 0 && ok) {
            ok = fail_errno(error, folder->path);
        }
    }
    folder->runs = folder->samples = NULL;
    return ok;
}

void ts_folder_free(struct ts_folder *folder)
{
    ts_folder_close(folder, NULL);
    free(folder->path);
    folder->path = NULL;
}

bool ts_folder_append(FILE *file, cJSON *json, struct ts_error *error)
{
    char *line = json ? cJSON_PrintUnformatted(json) : NULL;
    cJSON_Delete(json);
    if (!line) {
        return ts_fail_memory(error, "a record", 0);
    }
    bool ok = fputs(line, file) >= 0 && fputc('\n', file) != EOF && fflush(file) == 0;
    cJSON_free(line);
    return ok || ts_fail(error, TS_ERR_ENVIRONMENT, "free disk space; what was written stays",
                         "a record could not be written: %s", strerror(errno));
}

bool ts_folder_environment(const struct ts_folder *folder, const cJSON *json,
                           struct ts_error *error)
{
    char *path = join(folder->path, "environment.json", error);
    char *beside = path ? join(folder->path, "environment.json.tmp", error) : NULL;
    char *text = beside ? cJSON_Print(json) : NULL;
    if (!text) {
        free(path);
        free(beside);
        return ts_fail_memory(error, "environment.json", 0);
    }
    FILE *file = fopen(beside, "wb");
    bool ok = file && fputs(text, file) >= 0 && fputc('\n', file) != EOF;
    ok = file && fclose(file) == 0 && ok;
    ok = (ok && rename(beside, path) == 0) || fail_errno(error, path);
    if (!ok) {
        unlink(beside);
    }
    cJSON_free(text);
    free(path);
    free(beside);
    return ok;
}
