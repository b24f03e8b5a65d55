#include "engine/check/kernel_records.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LONGEST_LINE = 4096 };

static bool read_seeds(const cJSON *seeds, struct ts_kernel_records *records)
{
    const cJSON *seed;
    cJSON_ArrayForEach(seed, seeds)
    {
        if (!cJSON_IsNumber(seed) || !(seed->valuedouble >= 0 && seed->valuedouble < 0x1p53) ||
            records->seed_count == TS_RECORD_SEEDS) {
            return false;
        }
        records->seeds[records->seed_count++] = (uint64_t)seed->valuedouble;
    }
    return true;
}

static bool read_line(const char *line, struct ts_kernel_records *records)
{
    cJSON *object = cJSON_Parse(line);
    const cJSON *seeds = cJSON_GetObjectItemCaseSensitive(object, "seeds");
    if (cJSON_IsArray(seeds)) {
        bool read = read_seeds(seeds, records);
        cJSON_Delete(object);
        return read;
    }
    const cJSON *name = cJSON_GetObjectItemCaseSensitive(object, "kernel");
    const cJSON *rho = cJSON_GetObjectItemCaseSensitive(object, "rho");
    bool good = cJSON_IsString(name) && cJSON_IsNumber(rho) && isfinite(rho->valuedouble) &&
                rho->valuedouble >= 0;
    for (unsigned i = 0; good && i < TS_KERNEL_COUNT; i++) {
        if (strcmp(ts_kernel_at(i)->function, name->valuestring) == 0) {
            records->rho[i] = rho->valuedouble;
        }
    }
    cJSON_Delete(object);
    return good;
}

bool ts_kernel_records_read(const char *path, struct ts_kernel_records *records,
                            struct ts_error *error)
{
    char line[LONGEST_LINE];
    unsigned long number = 0;
    memset(records, 0, sizeof *records);
    FILE *file = fopen(path, "r");
    if (!file) {
        return ts_fail(error, TS_ERR_INPUT, NULL, "%.300s: cannot be opened: %s", path,
                       strerror(errno));
    }
    bool good = true;
    while (good && fgets(line, sizeof line, file)) {
        number++;
        good = line[strspn(line, " \t\r\n")] == '\0' || read_line(line, records);
    }
    fclose(file);
    return good ||
           ts_fail(error, TS_ERR_DATA, "touchstone check --json writes such lines",
                   "%.300s: line %lu: expected {\"kernel\": name, \"rho\": number}", path, number);
}

bool ts_kernel_records_write(const char *path, const struct ts_kernel_records *records,
                             struct ts_error *error)
{
    char beside[1024];
    int length = snprintf(beside, sizeof beside, "%s.new", path);
    FILE *file = length > 0 && (size_t)length < sizeof beside ? fopen(beside, "w") : NULL;
    bool ok = file && fputs("{\"seeds\":[", file) >= 0;
    for (unsigned i = 0; ok && i < records->seed_count; i++) {
        ok = fprintf(file, "%s%" PRIu64, i > 0 ? "," : "", records->seeds[i]) > 0;
    }
    ok = ok && fputs("]}\n", file) >= 0;
    for (unsigned i = 0; ok && i < TS_KERNEL_COUNT; i++) {
        ok = fprintf(file, "{\"kernel\":\"%s\",\"rho\":%.3g}\n", ts_kernel_at(i)->function,
                     records->rho[i]) > 0;
    }
    ok = file && fclose(file) == 0 && ok && rename(beside, path) == 0;
    return ok || ts_fail(error, TS_ERR_INPUT, NULL, "%.300s: cannot be written: %s", path,
                         strerror(errno));
}

bool ts_kernel_records_have(const struct ts_kernel_records *records, uint64_t seed)
{
    for (unsigned i = 0; i < records->seed_count; i++) {
        if (records->seeds[i] == seed) {
            return true;
        }
    }
    return false;
}
