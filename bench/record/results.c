#include "bench/record/results.h"
#include "bench/record/lines.h"
#include "bench/record/results_record.h"

#include <cjson/cJSON.h>

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Records hold samples, not logits: a larger file is not one of ours. */
static const size_t LONGEST_FILE = (size_t)1 << 30;

/* The whole of dir/name, with a zero behind it, and its path in *path; both are the caller's to
 * free, also after an error. */
static bool read_whole(const char *dir, const char *name, char **path, char **data, size_t *length,
                       struct ts_error *error)
{
    size_t path_size = strlen(dir) + strlen(name) + 2, capacity = 1 << 16;
    *length = 0;
    *path = malloc(path_size);
    *data = malloc(capacity);
    if (!*path || !*data) {
        return ts_fail_memory(error, name, path_size + capacity);
    }
    snprintf(*path, path_size, "%s/%s", dir, name);
    FILE *file = fopen(*path, "rb");
    bool ok = file != NULL, memory = true;
    for (size_t got = 1; ok && memory && got > 0 && *length <= LONGEST_FILE;) {
        got = fread(*data + *length, 1, capacity - *length - 1, file);
        *length += got;
        ok = ferror(file) == 0;
        if (*length + 1 == capacity) {
            char *larger = realloc(*data, capacity * 2);
            memory = larger != NULL;
            *data = memory ? larger : *data;
            capacity *= memory ? 2 : 1;
        }
    }
    if (!ok) {
        ts_fail(error, TS_ERR_INPUT, "a run's folder holds environment.json and runs.jsonl",
                "%s: %s", *path, strerror(errno));
    } else if (!memory) {
        ok = ts_fail_memory(error, *path, capacity * 2);
    } else if (*length > LONGEST_FILE) {
        ok = ts_fail(error, TS_ERR_INPUT, NULL, "%s: larger than 1 GiB", *path);
    }
    (*data)[*length] = '\0';
    if (file) {
        fclose(file);
    }
    return ok;
}

static bool append_record(struct ts_results *results, size_t *capacity, struct ts_error *error)
{
    if (results->count == *capacity) {
        size_t larger = *capacity ? *capacity * 2 : 32;
        struct ts_result *items = realloc(results->items, larger * sizeof *items);
        if (!items) {
            return ts_fail_memory(error, "records", larger * sizeof *items);
        }
        results->items = items;
        *capacity = larger;
    }
    memset(&results->items[results->count++], 0, sizeof *results->items);
    return true;
}

/* Takes the file apart into lines; blank ones are skipped. */
static bool read_lines(const char *path, char *data, size_t length, struct ts_results *results,
                       struct ts_error *error)
{
    size_t capacity = 0;
    struct ts_lines lines = {.next = data, .end = data + length};
    for (char *line; (line = ts_lines_next(&lines)) != NULL;) {
        const char *stop = NULL;
        cJSON *json = cJSON_ParseWithOpts(line, &stop, 1);
        if (!json && !lines.whole) {
            results->truncated_line = lines.number;
            break;
        }
        if (!json) {
            return ts_fail(error, TS_ERR_INPUT, NULL, "%s line %u: no JSON at column %zu", path,
                           lines.number, stop ? (size_t)(stop - line) + 1 : (size_t)1);
        }
        if (!append_record(results, &capacity, error)) {
            cJSON_Delete(json);
            return false;
        }
        struct ts_result *r = &results->items[results->count - 1];
        if (!ts_result_read(path, lines.number, json, r, error)) {
            return false;
        }
    }
    return true;
}

/* A cell that was measured again counts once: its last record. */
static void mark_superseded(struct ts_results *results)
{
    for (size_t i = 0; i < results->count; i++) {
        struct ts_result *early = &results->items[i];
        for (size_t k = i + 1; early->id[0] && !early->superseded && k < results->count; k++) {
            early->superseded = strcmp(early->id, results->items[k].id) == 0;
        }
        results->superseded += early->superseded ? 1 : 0;
    }
}

/* A sweep measures in a shuffled order; tables and charts want another. */
static int by_axes(const void *one, const void *other)
{
    const struct ts_result *a = one, *b = other;
    const uint64_t keys[][2] = {{a->model_line, b->model_line}, {a->chunk, b->chunk},
                                {a->prompt, b->prompt},         {a->phase, b->phase},
                                {a->depth, b->depth},           {a->line, b->line}};
    int quant = strcmp(a->quant, b->quant), device = strcmp(a->device, b->device);
    for (unsigned i = 0; i < sizeof keys / sizeof *keys; i++) {
        if (i == 1 && (quant != 0 || device != 0)) {
            return quant != 0 ? quant : device;
        }
        if (keys[i][0] != keys[i][1]) {
            return keys[i][0] < keys[i][1] ? -1 : 1;
        }
    }
    return 0;
}

static void sort(struct ts_results *results)
{
    for (size_t i = 0; i < results->count; i++) {
        struct ts_result *r = &results->items[i];
        r->model_line = r->line;
        for (size_t k = 0; k < i; k++) {
            if (strcmp(results->items[k].model, r->model) == 0) {
                r->model_line = results->items[k].model_line;
                break;
            }
        }
    }
    if (results->count > 0) {
        qsort(results->items, results->count, sizeof *results->items, by_axes);
    }
}

/* The higher one-minute load of both ends of the sweep. */
static double load_around(const cJSON *environment)
{
    static const char *const ends[] = {"before", "after"};
    const cJSON *state = cJSON_GetObjectItemCaseSensitive(environment, "state");
    double load = NAN;
    for (unsigned i = 0; i < 2; i++) {
        const cJSON *end = cJSON_GetObjectItemCaseSensitive(state, ends[i]);
        const cJSON *list = cJSON_GetObjectItemCaseSensitive(end, "load");
        const cJSON *first = cJSON_GetArrayItem(list, 0);
        load = cJSON_IsNumber(first) ? fmax(load, first->valuedouble) : load;
    }
    return load;
}

static uint64_t count_of(const struct ts_results *results, const char *path)
{
    char text[32];
    double number = strtod(ts_results_environment(results, path, text, sizeof text), NULL);
    return number >= 1 && number <= 1e9 ? (uint64_t)number : 0;
}

/* A load is a mean of whole numbers, and a bench keeps all cores busy by itself: it is above the
 * cores where it rounds to more. */
static void mark_busy(struct ts_results *results)
{
    results->planned = count_of(results, "settings.reps");
    results->cores = count_of(results, "machine.cores");
    results->load = load_around(results->environment);
    for (size_t i = 0; i < results->count; i++) {
        struct ts_result *r = &results->items[i];
        double load = isnan(r->load) ? results->load : r->load;
        r->busy = results->cores > 0 && round(load) > (double)results->cores;
    }
}

/* Counts the samples without a record, which are what is left of a sweep that was killed. */
static bool read_samples(const char *dir, struct ts_results *results, struct ts_error *error)
{
    char *path = NULL, *data = NULL;
    size_t length = 0;
    struct ts_error failure;
    bool ok = read_whole(dir, "samples.jsonl", &path, &data, &length, &failure);
    if (ok) {
        ok = ts_samples_count(path, data, length, results, error);
    } else if (path && access(path, F_OK) != 0) {
        ok = true; /* a folder of records alone is whole */
    } else if (error) {
        *error = failure;
    }
    free(path);
    free(data);
    return ok;
}

static char *folder_name(const char *dir)
{
    size_t end = strlen(dir);
    while (end > 0 && dir[end - 1] == '/') {
        end--;
    }
    size_t begin = end;
    while (begin > 0 && dir[begin - 1] != '/') {
        begin--;
    }
    char *name = malloc(end - begin + 1);
    if (name) {
        memcpy(name, dir + begin, end - begin);
        name[end - begin] = '\0';
    }
    return name;
}

bool ts_results_read(const char *dir, struct ts_results *results, struct ts_error *error)
{
    char *path = NULL, *data = NULL;
    size_t length = 0;
    *results = (struct ts_results){0};
    results->folder = folder_name(dir);
    if (!results->folder) {
        return ts_fail_memory(error, dir, strlen(dir));
    }
    bool ok = read_whole(dir, "environment.json", &path, &data, &length, error);
    if (ok) {
        const char *stop = data;
        results->environment = cJSON_ParseWithOpts(data, &stop, 1);
        ok = cJSON_IsObject(results->environment) ||
             ts_fail(error, TS_ERR_INPUT, NULL, "%s: offset %zu: not a JSON object", path,
                     results->environment ? (size_t)0 : (size_t)(stop - data));
    }
    free(path);
    free(data);
    if (!ok) {
        return false;
    }
    ok = read_whole(dir, "runs.jsonl", &path, &data, &length, error) &&
         read_lines(path, data, length, results, error);
    if (ok) {
        mark_superseded(results);
        mark_busy(results);
        sort(results);
    }
    free(path);
    free(data);
    return ok && read_samples(dir, results, error);
}

void ts_results_free(struct ts_results *results)
{
    for (size_t i = 0; i < results->count; i++) {
        cJSON_Delete(results->items[i].json);
        free(results->items[i].samples);
    }
    cJSON_Delete(results->environment);
    free(results->items);
    free(results->folder);
    *results = (struct ts_results){0};
}

const char *ts_results_environment(const struct ts_results *results, const char *path, char *buffer,
                                   size_t size)
{
    const cJSON *item = results->environment;
    for (const char *at = path; item && at;) {
        char key[64];
        const char *dot = strchr(at, '.');
        size_t length = dot ? (size_t)(dot - at) : strlen(at);
        snprintf(key, sizeof key, "%.*s", (int)length, at);
        item = cJSON_GetObjectItemCaseSensitive(item, key);
        at = dot ? dot + 1 : NULL;
    }
    buffer[0] = '\0';
    if (cJSON_IsString(item)) {
        snprintf(buffer, size, "%s", item->valuestring);
    } else if (cJSON_IsNumber(item)) {
        snprintf(buffer, size, "%.15g", item->valuedouble);
    } else if (cJSON_IsBool(item)) {
        snprintf(buffer, size, "%s", cJSON_IsTrue(item) ? "true" : "false");
    }
    return buffer;
}
