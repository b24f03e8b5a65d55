/* What samples.jsonl holds beyond the records: samples of cells that a killed sweep did not finish. */
#include "bench/record/lines.h"
#include "bench/record/results_record.h"

#include <cjson/cJSON.h>

#include <stdlib.h>
#include <string.h>

/* Ids of cells; texts are the list's own. */
struct ids {
    char **items;
    size_t count, capacity;
};

static void free_ids(struct ids *ids)
{
    for (size_t i = 0; i < ids->count; i++) {
        free(ids->items[i]);
    }
    free(ids->items);
}

static bool add_id(struct ids *ids, const char *id)
{
    if (ids->count == ids->capacity) {
        size_t larger = ids->capacity ? ids->capacity * 2 : 64;
        char **items = realloc(ids->items, larger * sizeof *items);
        if (!items) {
            return false;
        }
        ids->items = items;
        ids->capacity = larger;
    }
    ids->items[ids->count] = strdup(id);
    return ids->items[ids->count] && ++ids->count;
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static void sort_ids(struct ids *ids)
{
    if (ids->count > 0) {
        qsort(ids->items, ids->count, sizeof *ids->items, by_text);
    }
}

/* One id a line. The last line may be cut off. */
static bool read_ids(const char *path, char *data, size_t length, struct ids *ids,
                     struct ts_error *error)
{
    struct ts_lines lines = {.next = data, .end = data + length};
    for (char *line; (line = ts_lines_next(&lines)) != NULL;) {
        cJSON *json = cJSON_ParseWithOpts(line, NULL, 1);
        const char *id = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(json, "id"));
        bool cut = !json && !lines.whole, known = id != NULL, kept = known && add_id(ids, id);
        cJSON_Delete(json);
        if (cut) {
            break;
        }
        if (!known) {
            return ts_fail(error, TS_ERR_INPUT, NULL, "%s line %u: not a sample with an \"id\"",
                           path, lines.number);
        }
        if (!kept) {
            return ts_fail_memory(error, path, length);
        }
    }
    return true;
}

bool ts_samples_count(const char *path, char *data, size_t length, struct ts_results *results,
                      struct ts_error *error)
{
    struct ids samples = {NULL, 0, 0}, records = {NULL, 0, 0};
    bool ok = read_ids(path, data, length, &samples, error);
    for (size_t i = 0; ok && i < results->count; i++) {
        ok = add_id(&records, results->items[i].id) || ts_fail_memory(error, path, length);
    }
    sort_ids(&samples);
    sort_ids(&records);
    for (size_t i = 0; ok && i < samples.count; i++) {
        char **id = &samples.items[i];
        if (records.count == 0 ||
            !bsearch(id, records.items, records.count, sizeof *records.items, by_text)) {
            results->unfinished_samples++;
            results->unfinished_cells += i == 0 || strcmp(id[-1], *id) != 0 ? 1 : 0;
        }
    }
    free_ids(&samples);
    free_ids(&records);
    return ok;
}
