#include "tests/support/run_folder.h"

#include <cjson/cJSON.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct ts_run_path ts_run_path(const char *dir, const char *name)
{
    struct ts_run_path path;
    int length = snprintf(path.text, sizeof path.text, "%s/%s", dir, name);
    cr_assert(length > 0 && (size_t)length < sizeof path.text, "%s/%s", dir, name);
    return path;
}

bool ts_run_has(const char *dir, const char *name)
{
    return access(ts_run_path(dir, name).text, F_OK) == 0;
}

char *ts_run_slurp(const char *path)
{
    FILE *file = fopen(path, "rb");
    cr_assert(file, "%s", path);
    cr_assert(fseek(file, 0, SEEK_END) == 0);
    size_t size = (size_t)ftell(file);
    rewind(file);
    char *data = malloc(size + 1);
    cr_assert(data && fread(data, 1, size, file) == size);
    data[size] = '\0';
    fclose(file);
    return data;
}

void ts_run_spill(const char *path, const char *text)
{
    FILE *file = fopen(path, "wb");
    cr_assert(file, "%s", path);
    cr_assert(fputs(text, file) >= 0 && fclose(file) == 0);
}

struct ts_run_path ts_run_make(const char *name, const char *records)
{
    struct ts_run_path dir;
    mkdir("build", 0777);
    mkdir("build/tmp", 0777);
    snprintf(dir.text, sizeof dir.text, "build/tmp/report-%d-%s", (int)getpid(), name);
    cr_assert(mkdir(dir.text, 0777) == 0, "%s", dir.text);
    char *environment = ts_run_slurp(SAMPLE_RUN "/environment.json");
    ts_run_spill(ts_run_path(dir.text, "environment.json").text, environment);
    ts_run_spill(ts_run_path(dir.text, "runs.jsonl").text, records);
    free(environment);
    return dir;
}

struct ts_run_path ts_run_sample(const char *name)
{
    char *records = ts_run_slurp(SAMPLE_RUN "/runs.jsonl");
    struct ts_run_path dir = ts_run_make(name, records);
    free(records);
    return dir;
}

void ts_run_clear(const char *dir)
{
    static const char *const names[] = {"environment.json", "runs.jsonl",   "report.html",
                                        "prefill.svg",      "prefill.png",  "generation.svg",
                                        "generation.png",   "gnuplot",      "agreement.svg",
                                        "agreement.png",    "samples.jsonl"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        unlink(ts_run_path(dir, names[i]).text);
    }
    cr_expect(rmdir(dir) == 0, "%s holds more than the report's files", dir);
}

void ts_run_add_cell(char *records, size_t size, const char *id, const char *model,
                     const char *phase, unsigned prompt, double ns)
{
    cJSON *name = cJSON_CreateString(model);
    char *quoted = cJSON_PrintUnformatted(name);
    size_t used = strlen(records);
    snprintf(records + used, size - used,
             "{\"schema\":1,\"kind\":\"sweep\",\"id\":\"%s\",\"axes\":{\"device\":\"reference\","
             "\"model\":%s,"
             "\"quant\":\"q2\",\"phase\":\"%s\",\"prompt\":%u,\"depth\":0,\"tokens\":%u,"
             "\"chunk\":128},\"samples_ns\":[%.0f,%.0f],\"stats\":{\"median\":%.0f,\"ci95\":null,"
             "\"p5\":%.0f,\"p95\":%.0f,\"mad\":1,\"n\":2,\"stop\":\"reps\"},\"provenance\":"
             "{\"device\":\"cpu\",\"model\":\"synthetic\",\"projection\":false},"
             "\"status\":\"pass\",\"reason\":\"\"}\n",
             id, quoted, phase, prompt, prompt, ns * 0.9, ns * 1.1, ns, ns * 0.9, ns * 1.1);
    cJSON_free(quoted);
    cJSON_Delete(name);
}

void ts_run_add_kernel(char *records, size_t size, const char *kernel, const char *operation,
                       const char *format, const char *status, const char *agreement)
{
    cJSON *name = cJSON_CreateString(kernel);
    char *quoted = cJSON_PrintUnformatted(name);
    size_t used = strlen(records);
    snprintf(records + used, size - used,
             "{\"schema\":1,\"kind\":\"kernel\",\"id\":\"\",\"axes\":{\"device\":\"metal\","
             "\"kernel\":%s,\"operation\":\"%s\",\"version\":1,\"format\":\"%s\",\"beside\":\"\"},"
             "\"provenance\":{\"device\":\"software\"}%s%s,\"status\":\"%s\",\"reason\":\"%s\"}\n",
             quoted, operation, format, agreement ? ",\"agreement\":" : "",
             agreement ? agreement : "", status, strcmp(status, "pass") == 0 ? "" : "why it is so");
    cJSON_free(quoted);
    cJSON_Delete(name);
}
