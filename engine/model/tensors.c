#include "engine/model/tensors.h"

#include "base/format.h"

#include <stdio.h>

enum scope { GLOBAL, LAYER, COMPRESSED, INDEXED, HASHED, SCORED };

static bool in_scope(const struct ts_config *c, int layer, enum scope scope)
{
    if (layer == TS_GLOBAL_TENSORS || scope == GLOBAL) {
        return layer == TS_GLOBAL_TENSORS && scope == GLOBAL;
    }
    switch (scope) {
    case COMPRESSED: return c->ratio[layer] != 0;
    case INDEXED: return ts_config_indexed(c, (uint32_t)layer);
    case HASHED: return (uint32_t)layer < c->hash_layers;
    case SCORED: return (uint32_t)layer >= c->hash_layers;
    default: return true;
    }
}

static void add(struct ts_tensor_spec *spec, enum ts_tensor_id id, enum ts_role role,
                const char *name, int layer, uint64_t d0, uint64_t d1, uint64_t d2)
{
    spec->id = id;
    spec->role = role;
    spec->shape[0] = d0;
    spec->shape[1] = d1;
    spec->shape[2] = d2;
    if (layer == TS_GLOBAL_TENSORS) {
        snprintf(spec->name, sizeof spec->name, "%s", name);
    } else {
        snprintf(spec->name, sizeof spec->name, "blk.%d.%s", layer, name);
    }
}

unsigned ts_tensor_specs(const struct ts_config *config, int layer, struct ts_tensor_spec *specs)
{
    const struct ts_config *c = config;
    const uint64_t RATIO = layer < 0 ? 0 : c->ratio[layer];
    const uint64_t W = (uint64_t)c->head_width * (RATIO == TS_COMPRESS_OVERLAP_RATIO ? 2 : 1);
    const uint64_t HC = (uint64_t)c->streams * (2 + c->streams);
    unsigned count = 0;
#define TS_TENSOR(field, scope, name, role, d0, d1, d2)                                            \
    if (in_scope(c, layer, scope)) {                                                               \
        add(&specs[count++], TS_TENSOR_##field, TS_ROLE_##role, name, layer, d0, d1, d2);          \
    }
#include "engine/model/tensors.def"
#undef TS_TENSOR
    return count;
}

static bool is_small(const struct ts_tensor_spec *spec)
{
    return spec->role == TS_ROLE_NORM || spec->role == TS_ROLE_VECTOR ||
           spec->role == TS_ROLE_HYPER || spec->id == TS_TENSOR_attn_compressor_ape ||
           spec->id == TS_TENSOR_indexer_compressor_ape;
}

bool ts_tensor_takes(const struct ts_tensor_spec *spec, uint32_t format)
{
    if (spec->role == TS_ROLE_EXPERT_IDS) {
        return format == TS_I32;
    }
    return is_small(spec) ? ts_format_is_plain(format)
                          : ts_format_is_weight(format) && format != TS_F64;
}

const char *ts_tensor_formats(const struct ts_tensor_spec *spec)
{
    return spec->role == TS_ROLE_EXPERT_IDS ? "I32"
           : is_small(spec)                 ? "F32, F16 or BF16"
                                            : "F32, F16, BF16, Q8_0, Q2_K, Q4_K, IQ2_XXS or MXFP4";
}

const char *ts_role_name(enum ts_role role)
{
    static const char *const names[TS_ROLE_COUNT] = {
        "embedding",          "output head", "norms",        "small vectors", "hyper-connection",
        "attention",          "compressor",  "indexer",      "router",        "expert id table",
        "routed gate and up", "routed down", "shared expert"};
    return role < TS_ROLE_COUNT ? names[role] : "unknown";
}
