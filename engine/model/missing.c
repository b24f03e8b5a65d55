#include "engine/model/missing.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

struct list {
    char *text;
    size_t size;
    bool full; /* no further name fits */
};

struct layers {
    bool lacks[TS_MAX_LAYERS];
    const char *suffix; /* of the name, behind "blk.N." */
};

static void append(struct list *list, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static void append(struct list *list, const char *format, ...)
{
    static const char more[] = ", ...";
    size_t used = strlen(list->text), room = list->size - used;
    va_list arguments;
    va_start(arguments, format);
    int length = list->full ? 0 : vsnprintf(list->text + used, room, format, arguments);
    va_end(arguments);
    if (!list->full && (length < 0 || (size_t)length + sizeof more > room)) {
        snprintf(list->text + used, room, "%s", more);
        list->full = true;
    }
}

static const char *separator(const struct list *list)
{
    return list->text[0] ? ", " : "";
}

static bool is_bound(const struct ts_model *model, int layer, enum ts_tensor_id id)
{
    return layer == TS_GLOBAL_TENSORS ? model->global[id] != NULL
                                      : model->layers[layer][id] != NULL;
}

static unsigned list_names(const struct ts_model *model, int first, int last, struct list *list)
{
    unsigned missing = 0;
    for (int layer = first; layer <= last; layer++) {
        struct ts_tensor_spec specs[TS_TENSOR_COUNT];
        unsigned count = ts_tensor_specs(&model->config, layer, specs);
        for (unsigned i = 0; i < count; i++) {
            if (!is_bound(model, layer, specs[i].id)) {
                append(list, "%s%s", separator(list), specs[i].name);
                missing++;
            }
        }
    }
    return missing;
}

/* "blk.{0-2,5}.suffix", or "blk.5.suffix" */
static void list_layers(const struct layers *layers, uint32_t count, struct list *list)
{
    char ranges[4 * TS_MAX_LAYERS + 1] = ""; /* at most "255," each */
    size_t used = 0;
    unsigned total = 0;
    for (uint32_t first = 0, end; first < count; first = end) {
        end = first + 1;
        if (!layers->lacks[first]) {
            continue;
        }
        while (end < count && layers->lacks[end]) {
            end++;
        }
        used +=
            (size_t)snprintf(ranges + used, sizeof ranges - used, "%s%u", used ? "," : "", first);
        if (end - first > 1) {
            used += (size_t)snprintf(ranges + used, sizeof ranges - used, "-%u", end - 1);
        }
        total += end - first;
    }
    if (total > 0) {
        append(list, total > 1 ? "%sblk.{%s}.%s" : "%sblk.%s.%s", separator(list), ranges,
               layers->suffix);
    }
}

static void list_groups(const struct ts_model *model, enum ts_tensor_id id, struct list *list)
{
    struct layers layers = {.suffix = NULL};
    struct ts_tensor_spec specs[TS_TENSOR_COUNT];
    char suffix[sizeof specs[0].name];
    for (uint32_t layer = 0; layer < model->config.layers; layer++) {
        unsigned count = ts_tensor_specs(&model->config, (int)layer, specs);
        for (unsigned i = 0; i < count; i++) {
            if (specs[i].id == id && !is_bound(model, (int)layer, id)) {
                layers.lacks[layer] = true;
                const char *dot = strchr(specs[i].name + strlen("blk."), '.');
                snprintf(suffix, sizeof suffix, "%s", dot + 1);
                layers.suffix = suffix;
            }
        }
    }
    list_layers(&layers, model->config.layers, list);
}

unsigned ts_model_missing(const struct ts_model *model, char *text, size_t size)
{
    int layers = (int)model->config.layers;
    struct list list = {.text = text, .size = size};
    text[0] = '\0';
    unsigned missing = list_names(model, TS_GLOBAL_TENSORS, TS_GLOBAL_TENSORS, &list) +
                       list_names(model, 0, layers - 1, &list);
    if (list.full) {
        list = (struct list){.text = text, .size = size};
        text[0] = '\0';
        list_names(model, TS_GLOBAL_TENSORS, TS_GLOBAL_TENSORS, &list);
        for (int id = 0; id < TS_TENSOR_COUNT; id++) {
            list_groups(model, (enum ts_tensor_id)id, &list);
        }
    }
    return missing;
}
