#include "engine/check/kernel_records.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LONGEST_LINE = 4096 };

static bool read_line(const char *line, struct ts_kernel_records *records)
{
    cJSON *object = cJSON_Parse(line);
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
