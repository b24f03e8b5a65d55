#include "bench/run/environment.h"

#include "base/json.h"
#include "base/pool.h"
#include "bench/run/canary.h"
#include "bench/run/machine.h"
#include "engine/device/device.h"

#include <cjson/cJSON.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static void add_big(cJSON *object, const char *name, uint64_t value)
{
    char text[24];
    snprintf(text, sizeof text, "%" PRIu64, value);
    ts_json_add_text(object, name, text);
}

/* Threads that 0 stands for: asked of the pool, which is where it is decided. */
static unsigned thread_count(unsigned threads)
{
    struct ts_pool *pool = ts_pool_open(threads, NULL);
    unsigned count = pool ? ts_pool_threads(pool) : threads;
    ts_pool_close(pool);
    return count;
}

static bool add_device(cJSON *list, const char *name, unsigned threads, struct ts_error *error)
{
    struct ts_device_options options = {.threads = threads};
    struct ts_device *device = ts_device_open(name, &options, error);
    if (!device && error->code != TS_ERR_ENVIRONMENT) {
        return false;
    }
    cJSON *object = cJSON_CreateObject();
    cJSON_AddItemToArray(list, object);
    ts_json_add_text(object, "name", name);
    if (!device) {
        ts_json_add_text(object, "absent", error->message);
        return true;
    }
    const struct ts_device_limits *limits = ts_device_limits(device);
    ts_json_add_text(object, "provenance", limits->provenance);
    ts_json_add_text(object, "real_format", ts_format_name(limits->real_format));
    cJSON_AddNumberToObject(object, "threads", thread_count(threads));
    ts_device_close(device);
    return true;
}

static void add_build(cJSON *json, const struct ts_build *build)
{
    cJSON *object = cJSON_AddObjectToObject(json, "build");
    size_t length = strlen(build->commit);
    bool dirty = length > 6 && strcmp(build->commit + length - 6, ".dirty") == 0;
    ts_json_add_text(object, "version", build->version);
    ts_json_add_text(object, "commit", build->commit);
    cJSON_AddBoolToObject(object, "dirty", dirty);
#ifdef __clang__
    ts_json_add_text(object, "compiler", __VERSION__); /* begins with its name */
#else
    ts_json_add_text(object, "compiler", "gcc " __VERSION__);
#endif
    ts_json_add_text(object, "flags", build->flags);
}

static void set_id(struct ts_environment *environment)
{
    static const char *const parts[] = {"build", "machine", "os", "metal", "devices"};
    cJSON *all = cJSON_CreateArray();
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        cJSON_AddItemReferenceToArray(
            all, cJSON_GetObjectItemCaseSensitive(environment->json, parts[i]));
    }
    char *text = cJSON_PrintUnformatted(all);
    if (text) {
        ts_hash_bytes(text, strlen(text), environment->id);
        cJSON_SetValuestring(cJSON_GetObjectItemCaseSensitive(environment->json, "id"),
                             environment->id);
    }
    cJSON_free(text);
    cJSON_Delete(all);
}

bool ts_environment_read(const struct ts_build *build, const char *const *devices, unsigned count,
                         unsigned threads, struct ts_environment *environment,
                         struct ts_error *error)
{
    *environment = (struct ts_environment){.json = cJSON_CreateObject()};
    cJSON *json = environment->json;
    cJSON_AddNumberToObject(json, "schema", 1);
    ts_json_add_text(json, "id", "0000000000000000"); /* until the parts are known */
    add_build(json, build);
    cJSON *machine = cJSON_AddObjectToObject(json, "machine");
    ts_machine_describe(machine);
    ts_machine_system(cJSON_AddObjectToObject(json, "os"));
    ts_machine_metal(cJSON_AddObjectToObject(json, "metal"));
    cJSON *list = cJSON_AddArrayToObject(json, "devices");
    for (unsigned i = 0; i < count; i++) {
        if (!add_device(list, devices[i], threads, error)) {
            return false;
        }
    }
    cJSON *timer = cJSON_AddObjectToObject(json, "timer");
    ts_json_add_text(timer, "clock", "CLOCK_MONOTONIC");
    cJSON_AddNumberToObject(timer, "resolution_ns", (double)ts_clock_step_ns());
    cJSON *state = cJSON_AddObjectToObject(json, "state");
    ts_machine_state(cJSON_AddObjectToObject(state, "before"));
    set_id(environment);
    const cJSON *name = cJSON_GetObjectItemCaseSensitive(machine, "name");
    if (environment->id[0] == '\0' || !cJSON_IsString(name)) {
        return ts_fail_memory(error, "the environment", 0);
    }
    snprintf(environment->machine, sizeof environment->machine, "%s", name->valuestring);
    return cJSON_AddNullToObject(state, "after") || ts_fail_memory(error, "the environment", 0);
}

void ts_environment_free(struct ts_environment *environment)
{
    cJSON_Delete(environment->json);
    environment->json = NULL;
}

static cJSON *settings(const struct ts_plan *plan)
{
    cJSON *object = cJSON_CreateObject();
    cJSON *prompts = cJSON_AddArrayToObject(object, "prompts");
    for (unsigned i = 0; i < plan->prompt_count; i++) {
        cJSON_AddItemToArray(prompts, cJSON_CreateNumber((double)plan->prompts[i]));
    }
    cJSON_AddNumberToObject(object, "gen", (double)plan->gen);
    cJSON_AddNumberToObject(object, "reps", (double)plan->reps);
    cJSON_AddNumberToObject(object, "chunk", plan->chunk);
    cJSON_AddNumberToObject(object, "software_prompt", (double)plan->software_prompt);
    cJSON_AddBoolToObject(object, "all_kernels", plan->all_kernels);
    add_big(object, "seed", plan->seed);
    cJSON_AddNumberToObject(object, "max_seconds", plan->max_seconds);
    return object;
}

static cJSON *describe_model(const struct ts_subject *s)
{
    cJSON *object = cJSON_CreateObject();
    ts_json_add_text(object, "label", s->label);
    ts_json_add_text(object, "path", s->path);
    add_big(object, "bytes", ts_gguf_file_bytes(s->model->gguf));
    ts_json_add_text(object, "xxh3", s->hash);
    ts_json_add_text(object, "hashed", s->hashed);
    if (s->name[0]) {
        ts_json_add_text(object, "name", s->name);
    } else {
        cJSON_AddNullToObject(object, "name");
    }
    ts_json_add_text(object, "quant", s->quant);
    ts_json_add_text(object, "provenance", ts_subject_provenance(s));
    cJSON_AddNumberToObject(object, "layers", s->model->config.layers);
    cJSON_AddNumberToObject(object, "vocab", s->model->config.vocab);
    ts_json_add_text(object, "prompt_xxh3", s->prompt_hash);
    return object;
}

bool ts_environment_add_bench(struct ts_environment *environment, const struct ts_plan *plan,
                              const struct ts_subject *subjects, int argc, char *const *argv,
                              const char *date, struct ts_error *error)
{
    cJSON *json = environment->json;
    ts_json_add_text(json, "date", date);
    cJSON_AddItemToObject(json, "settings", settings(plan));
    cJSON *models = cJSON_AddArrayToObject(json, "models");
    for (unsigned i = 0; i < plan->models; i++) {
        cJSON_AddItemToArray(models, describe_model(&subjects[i * plan->device_count]));
    }
    cJSON *list = cJSON_AddArrayToObject(json, "argv");
    for (int i = 0; i < argc; i++) {
        cJSON_AddItemToArray(list, ts_json_string(argv[i]));
    }
    return cJSON_GetArraySize(list) == argc || ts_fail_memory(error, "the environment", 0);
}

bool ts_environment_end(struct ts_environment *environment, struct ts_error *error)
{
    cJSON *after = cJSON_CreateObject();
    cJSON *state = cJSON_GetObjectItemCaseSensitive(environment->json, "state");
    if (!after) {
        return ts_fail_memory(error, "the environment", 0);
    }
    ts_machine_state(after);
    return cJSON_ReplaceItemInObjectCaseSensitive(state, "after", after) ||
           ts_fail_memory(error, "the environment", 0);
}
