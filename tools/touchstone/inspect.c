/* touchstone inspect: what is in a GGUF file, and what running it would take. */
#include "tools/touchstone/cli.h"
#include "tools/touchstone/model_options.h"
#include "engine/device/device.h"
#include "engine/model/inventory.h"
#include "engine/session/session.h"

#include "base/json.h"

#include <cjson/cJSON.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { DEFAULT_CONTEXT = 32768, SHOWN_TEXT = 72, SHOWN_ELEMENTS = 6 };

struct inspect_options {
    const char *file;
    struct ts_session_options session;
    bool json;
};

/* A file and all that is said about it. */
struct report {
    struct ts_gguf *gguf;   /* belongs to the model, if there is one */
    struct ts_model *model; /* NULL: a vocabulary, a trace, operation vectors */
    struct ts_inventory inventory;
    struct ts_session_options session; /* resolved */
    struct ts_session_plan plan;
};

static const char head[] =
    "usage: touchstone inspect FILE [options]\n\n"
    "Prints the metadata of a GGUF file and its tensors, counted by group and type; of a\n"
    "model also the recipe, the bytes that decoding a token reads, and the memory plan.\n\n";

static const char tail[] = "\nexit codes: 0 ok; 2 usage or refused input; 4 environment\n";

static bool read_options(int argc, char **argv, struct inspect_options *o, int *code)
{
    const char *argument = NULL;
    struct ts_options options = {
        .verb = "inspect", .head = head, .tail = tail, .operand = &argument};
    const struct ts_option lines[] = {
        TS_TEXT("model", 'm', &o->file, "FILE", "the file, instead of the argument"),
        TS_U64("ctx", 0, &o->session.context, 1, TS_MOST_CONTEXT, "N",
               "tokens to plan the memory for (default 32768, or the\n"
               "model's own limit if that is less)"),
        TS_TEXT("device", 0, &o->session.device, "NAME",
                "device to plan the memory for (default reference)"),
        TS_FLAG("json", 0, &o->json,
                "one JSON object: files, tensors, data_bytes, types, groups,\n"
                "recipe, bytes_per_token, memory_plan (null where it is no\n"
                "model)"),
    };
    TS_OPTIONS_ADD(&options, lines);
    if (!ts_options_read(&options, argc, argv, code)) {
        return false;
    }
    if (o->file && argument) {
        *code = ts_options_refuse(&options, "takes one FILE, found '%.200s' and '%.200s'", o->file,
                                  argument);
        return false;
    }
    o->file = o->file ? o->file : argument;
    if (!o->file) {
        *code = ts_options_refuse(&options, "needs a FILE");
    }
    return o->file != NULL;
}

/* A trace or operation vectors say in general.type what they are, a vocabulary has no tensors. */
static bool is_model(const struct ts_gguf *gguf)
{
    struct ts_text type;
    return gguf->tensor_count > 0 && ts_gguf_find_key(gguf, "general.architecture") &&
           (!ts_gguf_get_text(gguf, "general.type", &type, NULL) || ts_text_equals(type, "model"));
}

static bool plan_memory(struct report *report, const struct inspect_options *options,
                        struct ts_error *error)
{
    report->session = options->session;
    if (report->session.context == 0) {
        uint64_t limit = report->model->config.context;
        report->session.context = limit < DEFAULT_CONTEXT ? limit : DEFAULT_CONTEXT;
    }
    return ts_session_resolve(report->model, &report->session, error) &&
           ts_session_plan(report->model, &report->session, &report->plan, error);
}

static bool open_report(const struct inspect_options *options, struct report *report,
                        struct ts_error *error)
{
    report->gguf = ts_gguf_open(options->file, error);
    if (!report->gguf || (ts_gguf_find_key(report->gguf, "general.architecture") &&
                          !ts_config_check_architecture(report->gguf, error))) {
        return false;
    }
    if (is_model(report->gguf)) {
        struct ts_gguf *gguf = report->gguf;
        report->gguf = NULL; /* given away, also if it is refused */
        report->model = ts_model_bind(gguf, error);
        if (!report->model) {
            return false;
        }
        report->gguf = gguf;
    }
    ts_inventory_count(report->gguf, report->model, &report->inventory);
    return !report->model || plan_memory(report, options, error);
}

static void close_report(struct report *report)
{
    if (report->model) {
        ts_model_close(report->model);
    } else {
        ts_gguf_close(report->gguf);
    }
}

/* ---- for people ---- */

struct digits {
    char text[32];
};

/* 86,714,777,664 */
static struct digits grouped(uint64_t number)
{
    struct digits plain, out;
    int length = snprintf(plain.text, sizeof plain.text, "%" PRIu64, number), at = 0;
    for (int i = 0; i < length; i++) {
        if (i > 0 && (length - i) % 3 == 0) {
            out.text[at++] = ',';
        }
        out.text[at++] = plain.text[i];
    }
    out.text[at] = '\0';
    return out;
}

/* On one line: control characters as \xNN, long texts cut between characters of UTF-8. */
static void print_text(struct ts_text text)
{
    size_t shown = text.length < SHOWN_TEXT ? text.length : SHOWN_TEXT;
    while (shown > 0 && shown < text.length && ((uint8_t)text.data[shown] & 0xC0) == 0x80) {
        shown--;
    }
    for (size_t i = 0; i < shown; i++) {
        uint8_t byte = (uint8_t)text.data[i];
        if (byte < 32 || byte == 127) {
            printf("\\x%02x", byte);
        } else {
            putchar(byte);
        }
    }
    if (shown < text.length) {
        printf("... (%zu bytes)", text.length);
    }
}

static void print_elements(const struct ts_gguf_key *key)
{
    const uint8_t *cursor = key->value;
    uint64_t shown = key->count < SHOWN_ELEMENTS ? key->count : SHOWN_ELEMENTS;
    for (uint64_t i = 0; i < shown; i++) {
        double real;
        fputs(i ? ", " : "", stdout);
        if (key->element == TS_GGUF_STRING) {
            print_text(ts_gguf_next_text(&cursor));
        } else if (ts_gguf_array_f64(key, i, &real)) {
            printf("%.9g", real);
        } else {
            putchar('?');
        }
    }
    fputs(shown < key->count ? ", ..." : "", stdout);
}

static void print_value(const struct ts_gguf *gguf, const struct ts_gguf_key *key)
{
    char name[128];
    uint64_t whole;
    double real;
    bool yes;
    struct ts_text text;
    snprintf(name, sizeof name, "%.*s", key->name.length < 127 ? (int)key->name.length : 127,
             key->name.data);
    if (key->type == TS_GGUF_ARRAY) {
        print_elements(key);
    } else if (ts_gguf_get_text(gguf, name, &text, NULL)) {
        print_text(text);
    } else if (ts_gguf_get_bool(gguf, name, &yes, NULL)) {
        fputs(yes ? "true" : "false", stdout);
    } else if (ts_gguf_get_u64(gguf, name, &whole, NULL)) {
        printf("%" PRIu64, whole);
    } else if (ts_gguf_get_f64(gguf, name, &real, NULL)) {
        printf("%.9g", real);
    } else {
        putchar('?');
    }
    putchar('\n');
}

static void print_metadata(const struct ts_gguf *gguf)
{
    printf("metadata: %" PRIu64 " keys\n", gguf->key_count);
    for (uint64_t i = 0; i < gguf->key_count; i++) {
        const struct ts_gguf_key *key = &gguf->keys[i];
        char type[48];
        if (key->type == TS_GGUF_ARRAY) {
            snprintf(type, sizeof type, "%s[%" PRIu64 "]", ts_gguf_type_name(key->element),
                     key->count);
        } else {
            snprintf(type, sizeof type, "%s", ts_gguf_type_name(key->type));
        }
        fputs("  ", stdout);
        print_text(key->name);
        printf("%*s %-14s ", key->name.length < 46 ? 46 - (int)key->name.length : 0, "", type);
        print_value(gguf, key);
    }
}

static void print_tallies(const char *group, const struct ts_tally *tallies)
{
    for (uint32_t format = 0; format < TS_INVENTORY_FORMATS; format++) {
        if (tallies[format].count > 0) {
            printf("  %-20s %-8s %8" PRIu64 " %18s\n", group, ts_format_name(format),
                   tallies[format].count, grouped(tallies[format].bytes).text);
        }
    }
}

static void print_tensors(const struct ts_inventory *inventory)
{
    printf("\ntensors: %s, %s bytes of data (each padded)\n", grouped(inventory->tensors).text,
           grouped(inventory->data_bytes).text);
    if (inventory->tensors == 0) {
        return;
    }
    printf("  %-20s %-8s %8s %18s\n", "group", "type", "tensors", "bytes");
    for (int role = 0; role < TS_INVENTORY_ROLES; role++) {
        print_tallies(ts_inventory_role_name(role), inventory->roles[role]);
    }
    print_tallies("all", inventory->formats);
}

static void print_plan(const struct report *report)
{
    const struct ts_session_plan *plan = &report->plan;
    const struct {
        const char *what;
        uint64_t bytes;
    } lines[] = {{"weights, mapped from the file", plan->weights},
                 {"KV state", plan->kv},
                 {"activations", plan->activations},
                 {"host", plan->host},
                 {"device, beside its buffers", plan->device},
                 {"program", plan->program},
                 {"in all, beside the weights", plan->total}};
    printf("\nmemory plan: %s tokens of context on %s\n", grouped(report->session.context).text,
           report->session.device);
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        printf("  %-38s %18s bytes\n", lines[i].what, grouped(lines[i].bytes).text);
    }
}

static void print_parts(const struct ts_gguf *gguf)
{
    if (gguf->part_count == 1) {
        return;
    }
    printf("split into %" PRIu32 " files:\n", gguf->part_count);
    for (uint32_t i = 0; i < gguf->part_count; i++) {
        const struct ts_gguf *part = ts_gguf_part(gguf, i);
        uint64_t tensors = 0;
        for (uint64_t k = 0; k < gguf->tensor_count; k++) {
            tensors += gguf->tensors[k].part == i;
        }
        printf("  %s: %" PRIu64 " tensors, %s bytes\n", part->path, tensors,
               grouped(part->size).text);
    }
}

static void print_report(const struct inspect_options *options, const struct report *report)
{
    const struct ts_inventory *inventory = &report->inventory;
    printf("%s: GGUF version %" PRIu32 ", %s bytes\n", options->file, report->gguf->version,
           grouped(ts_gguf_file_bytes(report->gguf)).text);
    print_parts(report->gguf);
    putchar('\n');
    print_metadata(report->gguf);
    print_tensors(inventory);
    if (report->model) {
        uint64_t experts = inventory->token_expert_bytes;
        printf("\nrecipe: %s\n", ts_recipe_name(inventory->recipe));
        printf("\nread for each decoded token: %s bytes\n", grouped(inventory->token_bytes).text);
        printf("  %-38s %18s bytes\n", "routed experts in use", grouped(experts).text);
        printf("  %-38s %18s bytes\n", "everything else",
               grouped(inventory->token_bytes - experts).text);
        print_plan(report);
    }
}

/* ---- for programs ---- */

/* Sizes stay below 2^53, where a JSON number is exact. False without memory. */
static bool add_number(cJSON *object, const char *name, uint64_t value)
{
    return cJSON_AddNumberToObject(object, name, (double)value) != NULL;
}

static bool add_tallies(cJSON *parent, const char *name, const struct ts_tally *tallies)
{
    cJSON *object = NULL;
    bool ok = true;
    for (uint32_t format = 0; ok && format < TS_INVENTORY_FORMATS; format++) {
        if (tallies[format].count > 0) {
            object = object ? object : cJSON_AddObjectToObject(parent, name);
            cJSON *tally = cJSON_AddObjectToObject(object, ts_format_name(format));
            ok = add_number(tally, "count", tallies[format].count) &&
                 add_number(tally, "bytes", tallies[format].bytes);
        }
    }
    return ok;
}

static bool add_groups(cJSON *root, const struct ts_inventory *inventory)
{
    cJSON *groups = cJSON_AddObjectToObject(root, "groups");
    bool ok = groups != NULL;
    for (int role = 0; ok && role < TS_INVENTORY_ROLES; role++) {
        ok = add_tallies(groups, ts_inventory_role_name(role), inventory->roles[role]);
    }
    return ok;
}

static bool add_plan(cJSON *root, const struct report *report)
{
    const struct ts_session_plan *plan = &report->plan;
    cJSON *object = cJSON_AddObjectToObject(root, "memory_plan");
    return add_number(object, "context", report->session.context) &&
           ts_json_add_text(object, "device", report->session.device) &&
           add_number(object, "weights", plan->weights) && add_number(object, "kv", plan->kv) &&
           add_number(object, "activations", plan->activations) &&
           add_number(object, "host", plan->host) &&
           add_number(object, "device_own", plan->device) &&
           add_number(object, "program", plan->program) && add_number(object, "total", plan->total);
}

static bool add_all(cJSON *root, const struct report *report)
{
    const struct ts_inventory *inventory = &report->inventory;
    const char *recipe = ts_recipe_name(inventory->recipe);
    bool ok = add_number(root, "files", report->gguf->part_count) &&
              add_number(root, "tensors", inventory->tensors) &&
              add_number(root, "data_bytes", inventory->data_bytes) &&
              (inventory->tensors ? add_tallies(root, "types", inventory->formats)
                                  : cJSON_AddObjectToObject(root, "types") != NULL) &&
              add_groups(root, inventory);
    if (!report->model) {
        return ok && cJSON_AddNullToObject(root, "recipe") &&
               cJSON_AddNullToObject(root, "bytes_per_token") &&
               cJSON_AddNullToObject(root, "memory_plan");
    }
    return ok && ts_json_add_text(root, "recipe", recipe) &&
           add_number(root, "bytes_per_token", inventory->token_bytes) &&
           add_number(root, "expert_bytes_per_token", inventory->token_expert_bytes) &&
           add_plan(root, report);
}

static bool print_json(const struct report *report, struct ts_error *error)
{
    cJSON *root = cJSON_CreateObject();
    char *text = root && add_all(root, report) ? cJSON_Print(root) : NULL;
    cJSON_Delete(root);
    if (!text) {
        return ts_fail_memory(error, "a JSON object", 1 << 16);
    }
    puts(text);
    cJSON_free(text);
    return true;
}

int ts_verb_inspect(int argc, char **argv)
{
    struct inspect_options o = {.file = NULL};
    int code;
    if (!read_options(argc, argv, &o, &code)) {
        return code;
    }
    struct report *report = calloc(1, sizeof *report);
    struct ts_error error = {TS_OK, "", ""};
    bool ok = report ? open_report(&o, report, &error)
                     : ts_fail_memory(&error, "a report", sizeof *report);
    if (ok && o.json) {
        ok = print_json(report, &error);
    } else if (ok) {
        print_report(&o, report);
    }
    if (report) {
        close_report(report);
        free(report);
    }
    return ok ? 0 : ts_report(&error);
}
