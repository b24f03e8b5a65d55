#include "engine/model/model.h"

#include "base/format.h"
#include "engine/model/missing.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Of the entry in the directory, which says the shape and the type. */
static unsigned long long entry_offset(const struct ts_gguf *gguf,
                                       const struct ts_gguf_tensor *tensor)
{
    const struct ts_gguf *part = ts_gguf_part(gguf, tensor->part);
    return (unsigned long long)((const uint8_t *)tensor->name.data - part->data) - sizeof(uint64_t);
}

static bool check_tensor(const struct ts_gguf *gguf, const struct ts_tensor_spec *spec,
                         const struct ts_gguf_tensor *tensor, struct ts_error *error)
{
    for (unsigned i = 0; i < TS_GGUF_MAX_DIMS; i++) {
        uint64_t want = i < 3 ? spec->shape[i] : 1;
        if (tensor->shape[i] != want) {
            return ts_fail(
                error, TS_ERR_INPUT, "the tensors and the metadata are of different models",
                "%.300s: offset %llu: tensor %s has shape [%llu, %llu, %llu], expected "
                "[%llu, %llu, %llu] by the metadata",
                ts_gguf_part(gguf, tensor->part)->path, entry_offset(gguf, tensor), spec->name,
                (unsigned long long)tensor->shape[0], (unsigned long long)tensor->shape[1],
                (unsigned long long)tensor->shape[2], (unsigned long long)spec->shape[0],
                (unsigned long long)spec->shape[1], (unsigned long long)spec->shape[2]);
        }
    }
    if (!ts_tensor_takes(spec, tensor->format)) {
        return ts_fail(error, TS_ERR_INPUT, NULL,
                       "%.300s: offset %llu: tensor %s is %s (type %u), which is not supported "
                       "here: use %s",
                       ts_gguf_part(gguf, tensor->part)->path, entry_offset(gguf, tensor),
                       spec->name, ts_format_name(tensor->format), tensor->format,
                       ts_tensor_formats(spec));
    }
    return true;
}

/* What is missing stays NULL. */
static bool bind(struct ts_model *model, int layer, struct ts_error *error)
{
    struct ts_tensor_spec specs[TS_TENSOR_COUNT];
    unsigned count = ts_tensor_specs(&model->config, layer, specs);
    for (unsigned i = 0; i < count; i++) {
        const struct ts_gguf_tensor *tensor = ts_gguf_find_tensor(model->gguf, specs[i].name);
        if (!tensor) {
            continue;
        }
        if (!check_tensor(model->gguf, &specs[i], tensor, error)) {
            return false;
        }
        if (layer == TS_GLOBAL_TENSORS) {
            model->global[specs[i].id] = tensor;
        } else {
            model->layers[layer][specs[i].id] = tensor;
        }
    }
    return true;
}

static bool only_drafts(const struct ts_model *model)
{
    for (uint32_t layer = 0; layer < model->config.layers; layer++) {
        if (model->layers[layer][TS_TENSOR_attn_norm]) {
            return false;
        }
    }
    return model->config.drafts > 0;
}

static bool bind_all(struct ts_model *model, struct ts_error *error)
{
    char names[3200]; /* an error message has room for them, beside the file's name */
    if (!bind(model, TS_GLOBAL_TENSORS, error)) {
        return false;
    }
    for (uint32_t layer = 0; layer < model->config.layers; layer++) {
        if (!bind(model, (int)layer, error)) {
            return false;
        }
    }
    unsigned missing = ts_model_missing(model, names, sizeof names);
    if (missing > 0) {
        const char *hint = model->gguf->tensor_count == 0 ? "the file holds only a vocabulary"
                           : only_drafts(model)
                               ? "the file holds only a draft (MTP) block: name the "
                                 "model's own file"
                               : NULL;
        return ts_fail(error, TS_ERR_INPUT, hint, "%.300s: %u tensor%s missing: %s",
                       model->gguf->path, missing, missing == 1 ? " is" : "s are", names);
    }
    return true;
}

struct ts_model *ts_model_bind(struct ts_gguf *gguf, struct ts_error *error)
{
    struct ts_model *model = calloc(1, sizeof *model);
    if (!model) {
        ts_gguf_close(gguf);
        ts_fail_memory(error, "a model", sizeof *model);
        return NULL;
    }
    model->gguf = gguf;
    if (!ts_config_read(model->gguf, &model->config, error)) {
        ts_model_close(model);
        return NULL;
    }
    model->layers = calloc(model->config.layers, sizeof *model->layers);
    if (!model->layers) {
        ts_fail_memory(error, "a model's layers", model->config.layers * sizeof *model->layers);
        ts_model_close(model);
        return NULL;
    }
    if (!bind_all(model, error)) {
        ts_model_close(model);
        return NULL;
    }
    return model;
}

struct ts_model *ts_model_open(const char *path, struct ts_error *error)
{
    struct ts_gguf *gguf = ts_gguf_open(path, error);
    return gguf ? ts_model_bind(gguf, error) : NULL;
}

void ts_model_close(struct ts_model *model)
{
    if (model) {
        ts_gguf_close(model->gguf);
        free(model->layers);
        free(model);
    }
}

bool ts_model_check_data(const struct ts_model *model, struct ts_error *error)
{
    for (uint32_t layer = 0; layer < model->config.hash_layers; layer++) {
        const struct ts_gguf_tensor *table = model->layers[layer][TS_TENSOR_ffn_gate_tid2eid];
        const uint8_t *data = ts_gguf_tensor_data(model->gguf, table);
        for (uint64_t i = 0; i < table->bytes / sizeof(int32_t); i++) {
            int32_t id;
            memcpy(&id, data + i * sizeof id, sizeof id);
            if (id < 0 || (uint32_t)id >= model->config.experts) {
                return ts_fail(
                    error, TS_ERR_INPUT, NULL,
                    "%.300s: offset %llu: tensor blk.%u.ffn_gate_tid2eid.weight names expert "
                    "%d, expected 0 to %u",
                    ts_gguf_part(model->gguf, table->part)->path,
                    (unsigned long long)(table->offset + i * sizeof id), layer, id,
                    model->config.experts - 1);
            }
        }
    }
    return true;
}
