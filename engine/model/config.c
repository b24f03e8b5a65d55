#include "engine/model/config.h"

#include "engine/model/draft.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

/* The keys that are one whole number, with the range in which they make sense. */
struct whole_key {
    const char *name;
    size_t offset; /* of a uint32_t in struct ts_config */
    uint64_t min, max;
};

#define WHOLE(key, field, min, max)                                                                \
    {                                                                                              \
        "deepseek4." key, offsetof(struct ts_config, field), min, max                              \
    }

static const struct whole_key whole_keys[] = {
    WHOLE("embedding_length", width, 32, 1 << 20),
    WHOLE("attention.head_count", heads, 1, 4096),
    WHOLE("attention.key_length", head_width, 64, 1024),
    WHOLE("rope.dimension_count", rotary, 2, 2 * TS_ROPE_MAX_PAIRS),
    WHOLE("attention.q_lora_rank", query_rank, 1, 1 << 20),
    WHOLE("attention.output_lora_rank", output_rank, 1, 1 << 20),
    WHOLE("attention.output_group_count", output_groups, 1, 4096),
    WHOLE("attention.sliding_window", window, 1, 1 << 20),
    WHOLE("attention.indexer.head_count", index_heads, 1, 4096),
    WHOLE("attention.indexer.key_length", index_width, 32, 1024),
    WHOLE("attention.indexer.top_k", index_top_k, 1, 1 << 20),
    WHOLE("expert_count", experts, 1, 4096),
    WHOLE("expert_used_count", experts_used, 1, 64),
    WHOLE("expert_feed_forward_length", expert_width, 1, 1 << 20),
    WHOLE("hyper_connection.count", streams, 1, 16),
    WHOLE("hyper_connection.sinkhorn_iterations", sinkhorn_iterations, 1, 1000),
};

/* A whole number that a file may also have as an array with a value a block: then the layers' values
 * must be alike. Entries behind those of the layers belong to draft blocks. */
static bool get_alike(const struct ts_gguf *gguf, const char *name, uint32_t layers,
                      uint64_t *value, struct ts_error *error)
{
    const struct ts_gguf_key *key = ts_gguf_find_key(gguf, name);
    if (!key || key->type != TS_GGUF_ARRAY) {
        return ts_gguf_get_u64(gguf, name, value, error);
    }
    for (uint32_t layer = 0; layer < layers; layer++) {
        uint64_t entry;
        if (!ts_gguf_array_u64(key, layer, &entry)) {
            return ts_gguf_refuse_key(
                gguf, name, error, "has %llu values of %s, expected one, or %u whole numbers",
                (unsigned long long)key->count, ts_gguf_type_name(key->element), layers);
        }
        if (layer > 0 && entry != *value) {
            return ts_gguf_refuse_key(
                gguf, name, error, "is %llu in layer %u and %llu before, expected the same in all",
                (unsigned long long)entry, layer, (unsigned long long)*value);
        }
        *value = entry;
    }
    return true;
}

static bool in_range(const struct ts_gguf *gguf, const char *name, uint64_t value, uint64_t min,
                     uint64_t max, struct ts_error *error)
{
    return (value >= min && value <= max) ||
           ts_gguf_refuse_key(gguf, name, error, "is %llu, expected %llu to %llu",
                              (unsigned long long)value, (unsigned long long)min,
                              (unsigned long long)max);
}

static bool read_blocks(const struct ts_gguf *gguf, struct ts_config *config,
                        struct ts_error *error)
{
    const char *name = "deepseek4.block_count";
    uint64_t blocks = 0;
    return ts_gguf_get_u64(gguf, name, &blocks, error) &&
           in_range(gguf, name, blocks, 1, TS_MAX_LAYERS, error) &&
           ts_draft_split(gguf, (uint32_t)blocks, &config->layers, &config->drafts, error);
}

static bool read_whole(const struct ts_gguf *gguf, struct ts_config *config, struct ts_error *error)
{
    for (size_t i = 0; i < sizeof whole_keys / sizeof whole_keys[0]; i++) {
        const struct whole_key *key = &whole_keys[i];
        uint64_t value = 0;
        if (!get_alike(gguf, key->name, config->layers, &value, error) ||
            !in_range(gguf, key->name, value, key->min, key->max, error)) {
            return false;
        }
        uint32_t narrow = (uint32_t)value;
        memcpy((char *)config + key->offset, &narrow, sizeof narrow);
    }
    return true;
}

/* A number above `above`, also as a float32; `fallback` where the key is absent (NAN: it must be
 * there). */
static bool read_real(const struct ts_gguf *gguf, const char *name, double above, double fallback,
                      double *value, struct ts_error *error)
{
    if (!isnan(fallback) && !ts_gguf_find_key(gguf, name)) {
        *value = fallback;
        return true;
    }
    if (!ts_gguf_get_f64(gguf, name, value, error)) {
        return false;
    }
    if (!(fabs(*value) <= FLT_MAX) || (double)(float)*value <= above) {
        return ts_gguf_refuse_key(gguf, name, error, "is %g, expected a finite number above %g",
                                  *value, above);
    }
    return true;
}

static bool read_optional(const struct ts_gguf *gguf, const char *name, uint64_t fallback,
                          uint64_t max, uint64_t *value, struct ts_error *error)
{
    *value = fallback;
    if (!ts_gguf_find_key(gguf, name)) {
        return true;
    }
    if (!ts_gguf_get_u64(gguf, name, value, error)) {
        return false;
    }
    if (*value > max) {
        return ts_gguf_refuse_key(gguf, name, error, "is %llu, expected at most %llu",
                                  (unsigned long long)*value, (unsigned long long)max);
    }
    return true;
}

bool ts_config_check_architecture(const struct ts_gguf *gguf, struct ts_error *error)
{
    struct ts_text name;
    if (!ts_gguf_get_text(gguf, "general.architecture", &name, error)) {
        return false;
    }
    if (ts_text_equals(name, "deepseek41")) {
        return ts_fail(error, TS_ERR_INPUT, "use a DeepSeek V4 Flash file (architecture deepseek4)",
                       "%.300s: architecture deepseek41 is DeepSeek V4.1, another model, and not "
                       "supported",
                       gguf->path);
    }
    if (ts_text_equals(name, "deepseek4_mtp_support") || ts_text_equals(name, "deepseek4-dspark") ||
        ts_text_equals(name, "dflash")) {
        return ts_fail(
            error, TS_ERR_INPUT, "name the model's own file",
            "%.300s: architecture '%s' is a draft block in a file of its own, not a model",
            gguf->path, ts_text_show(name).text);
    }
    if (!ts_text_equals(name, "deepseek4")) {
        return ts_fail(
            error, TS_ERR_INPUT, "use a DeepSeek V4 Flash file (architecture deepseek4)",
            "%.300s: offset %llu: architecture '%s' is not supported, expected 'deepseek4'",
            gguf->path, (unsigned long long)ts_gguf_key_offset(gguf, "general.architecture"),
            ts_text_show(name).text);
    }
    return true;
}

static bool read_rope(const struct ts_gguf *gguf, struct ts_config *config, struct ts_error *error)
{
    struct ts_rope_policy *yarn = &config->rope_compressed;
    struct ts_text type;
    if (ts_gguf_find_key(gguf, "deepseek4.rope.scaling.type")) {
        if (!ts_gguf_get_text(gguf, "deepseek4.rope.scaling.type", &type, error)) {
            return false;
        }
        if (!ts_text_equals(type, "yarn")) {
            return ts_gguf_refuse_key(gguf, "deepseek4.rope.scaling.type", error,
                                      "is '%s', expected 'yarn'", ts_text_show(type).text);
        }
    }
    return read_real(gguf, "deepseek4.rope.freq_base", 1, 10000, &config->rope_plain.base, error) &&
           read_real(gguf, "deepseek4.attention.compress_rope_freq_base", 1, 160000, &yarn->base,
                     error) &&
           read_real(gguf, "deepseek4.rope.scaling.factor", 0, 16, &yarn->factor, error) &&
           read_real(gguf, "deepseek4.rope.scaling.original_context_length", 0, 65536,
                     &yarn->original_context, error) &&
           read_real(gguf, "deepseek4.rope.scaling.yarn_beta_fast", 0, 32, &yarn->beta_fast,
                     error) &&
           read_real(gguf, "deepseek4.rope.scaling.yarn_beta_slow", 0, 1, &yarn->beta_slow, error);
}

static bool read_ratios(const struct ts_gguf *gguf, struct ts_config *config,
                        struct ts_error *error)
{
    const char *name = "deepseek4.attention.compress_ratios";
    const struct ts_gguf_key *key = ts_gguf_find_key(gguf, name);
    /* further entries belong to draft (MTP) blocks */
    if (!key) {
        return ts_fail(error, TS_ERR_INPUT, NULL, "%.300s: key %s is missing", gguf->path, name);
    }
    if (key->type != TS_GGUF_ARRAY || key->count < config->layers) {
        return ts_gguf_refuse_key(
            gguf, name, error, "has %llu values of %s, expected an array of at least %u",
            (unsigned long long)key->count, ts_gguf_type_name(key->element), config->layers);
    }
    for (uint32_t layer = 0; layer < config->layers; layer++) {
        uint64_t ratio;
        if (!ts_gguf_array_u64(key, layer, &ratio) || (ratio != 0 && ratio != 4 && ratio != 128)) {
            return ts_gguf_refuse_key(gguf, name, error,
                                      "has entry %u, which is not a ratio of 0, 4 or 128", layer);
        }
        config->ratio[layer] = (uint32_t)ratio;
    }
    return true;
}

/* An array with one limit a layer, or one number for all layers. */
static bool read_clamp(const struct ts_gguf *gguf, const char *name, uint32_t layers, float *limits,
                       struct ts_error *error)
{
    const struct ts_gguf_key *key = ts_gguf_find_key(gguf, name);
    for (uint32_t layer = 0; layer < layers; layer++) {
        double limit = 0;
        if (key->type == TS_GGUF_ARRAY) {
            if (!ts_gguf_array_f64(key, layer, &limit)) {
                return ts_gguf_refuse_key(
                    gguf, name, error, "has %llu values of %s, expected %u numbers, one a layer",
                    (unsigned long long)key->count, ts_gguf_type_name(key->element), layers);
            }
        } else if (!ts_gguf_get_f64(gguf, name, &limit, error)) {
            return false;
        }
        if (!(limit >= 0 && limit <= FLT_MAX)) {
            return ts_gguf_refuse_key(gguf, name, error,
                                      "has limit %g of layer %u, expected a finite one from 0",
                                      limit, layer);
        }
        limits[layer] = (float)limit;
    }
    return true;
}

static bool read_clamps(const struct ts_gguf *gguf, struct ts_config *config,
                        struct ts_error *error)
{
    const char *routed = "deepseek4.swiglu_clamp_exp", *shared = "deepseek4.swiglu_clamp_shexp";
    if (!ts_gguf_find_key(gguf, routed)) {
        return ts_fail(error, TS_ERR_INPUT, NULL, "%.300s: key %s is missing", gguf->path, routed);
    }
    /* older files have one limit for both */
    return read_clamp(gguf, routed, config->layers, config->clamp_routed, error) &&
           read_clamp(gguf, ts_gguf_find_key(gguf, shared) ? shared : routed, config->layers,
                      config->clamp_shared, error);
}

/* Values that other code variants would need; this engine knows the one that V4 Flash has. */
static bool check_variants(const struct ts_gguf *gguf, uint32_t layers, struct ts_error *error)
{
    static const struct {
        const char *name;
        uint64_t value;
    } fixed[] = {
        {"deepseek4.attention.head_count_kv", 1},
        {"deepseek4.expert_gating_func", 4},
        {"deepseek4.expert_group_count", 0},
        {"deepseek4.expert_group_used_count", 0},
    };
    for (size_t i = 0; i < sizeof fixed / sizeof fixed[0]; i++) {
        uint64_t value = fixed[i].value;
        if (ts_gguf_find_key(gguf, fixed[i].name) &&
            !get_alike(gguf, fixed[i].name, layers, &value, error)) {
            return false;
        }
        if (value != fixed[i].value) {
            return ts_gguf_refuse_key(gguf, fixed[i].name, error, "is %llu, expected %llu",
                                      (unsigned long long)value,
                                      (unsigned long long)fixed[i].value);
        }
    }
    bool normed = true;
    if (ts_gguf_find_key(gguf, "deepseek4.expert_weights_norm") &&
        !ts_gguf_get_bool(gguf, "deepseek4.expert_weights_norm", &normed, error)) {
        return false;
    }
    return normed || ts_gguf_refuse_key(gguf, "deepseek4.expert_weights_norm", error,
                                        "is false, expected true");
}

static bool check_shapes(const struct ts_gguf *gguf, const struct ts_config *c,
                         struct ts_error *error)
{
    struct {
        bool ok;
        const char *name; /* of the key to blame, without the architecture */
        uint32_t value;
        const char *expected;
    } rules[] = {
        {c->rotary % 2 == 0 && c->rotary <= c->head_width && c->rotary <= c->index_width,
         "rope.dimension_count", c->rotary, "an even number that fits a head and an indexer head"},
        {(c->head_width - c->rotary) % 64 == 0, "attention.key_length", c->head_width,
         "a multiple of 64 above rope.dimension_count"},
        {(c->index_width & (c->index_width - 1)) == 0, "attention.indexer.key_length",
         c->index_width, "a power of two"},
        {c->heads % c->output_groups == 0, "attention.head_count", c->heads,
         "a multiple of attention.output_group_count"},
        {c->experts_used <= c->experts, "expert_used_count", c->experts_used,
         "at most expert_count"},
        {c->hash_layers <= c->layers, "hash_layer_count", c->hash_layers, "at most block_count"},
    };
    for (size_t i = 0; i < sizeof rules / sizeof rules[0]; i++) {
        if (!rules[i].ok) {
            char name[64];
            snprintf(name, sizeof name, "deepseek4.%s", rules[i].name);
            return ts_gguf_refuse_key(gguf, name, error, "is %u, expected %s", rules[i].value,
                                      rules[i].expected);
        }
    }
    return true;
}

/* Without the key: the leading layers that have a table, or the 3 that the published model has. */
static uint64_t count_hash_layers(const struct ts_gguf *gguf, uint32_t layers)
{
    uint32_t count = 0;
    for (char name[64]; count < layers; count++) {
        snprintf(name, sizeof name, "blk.%u.ffn_gate_tid2eid.weight", count);
        if (!ts_gguf_find_tensor(gguf, name)) {
            break;
        }
    }
    return count > 0 ? count : 3;
}

/* Keys that some converters leave out, with what they stand for then. */
static bool read_defaulted(const struct ts_gguf *gguf, struct ts_config *c, struct ts_error *error)
{
    const struct ts_gguf_tensor *embedding = ts_gguf_find_tensor(gguf, "token_embd.weight");
    uint64_t vocab, hash, shared, value_length;
    double hc, norm, scale;
    if (!read_optional(gguf, "deepseek4.vocab_size", embedding ? embedding->shape[1] : 0, 1 << 24,
                       &vocab, error) ||
        !read_optional(gguf, "deepseek4.context_length", 1048576, 1ull << 32, &c->context, error) ||
        !read_optional(gguf, "deepseek4.hash_layer_count", count_hash_layers(gguf, c->layers),
                       TS_MAX_LAYERS, &hash, error) ||
        !read_optional(gguf, "deepseek4.expert_shared_count", 1, 64, &shared, error) ||
        !read_optional(gguf, "deepseek4.attention.value_length", c->head_width, UINT32_MAX,
                       &value_length, error) ||
        !read_real(gguf, "deepseek4.hyper_connection.epsilon", 0, 1e-6, &hc, error) ||
        !read_real(gguf, "deepseek4.attention.layer_norm_rms_epsilon", 0, NAN, &norm, error) ||
        !read_real(gguf, "deepseek4.expert_weights_scale", 0, NAN, &scale, error)) {
        return false;
    }
    const char *zero = vocab == 0        ? "deepseek4.vocab_size"
                       : c->context == 0 ? "deepseek4.context_length"
                       : shared == 0     ? "deepseek4.expert_shared_count"
                                         : NULL;
    if (zero) {
        return ts_gguf_refuse_key(gguf, zero, error, "is 0, expected a number above 0");
    }
    if (value_length != c->head_width) {
        return ts_gguf_refuse_key(gguf, "deepseek4.attention.value_length", error,
                                  "is %llu, expected key_length, %u",
                                  (unsigned long long)value_length, c->head_width);
    }
    c->vocab = (uint32_t)vocab;
    c->hash_layers = (uint32_t)hash;
    c->shared_width = (uint32_t)shared * c->expert_width;
    c->hc_epsilon = (float)hc;
    c->norm_epsilon = (float)norm;
    c->expert_scale = (float)scale;
    return true;
}

bool ts_config_read(const struct ts_gguf *gguf, struct ts_config *config, struct ts_error *error)
{
    memset(config, 0, sizeof *config);
    return ts_config_check_architecture(gguf, error) && read_blocks(gguf, config, error) &&
           read_whole(gguf, config, error) && read_defaulted(gguf, config, error) &&
           read_rope(gguf, config, error) && read_ratios(gguf, config, error) &&
           read_clamps(gguf, config, error) && check_variants(gguf, config->layers, error) &&
           check_shapes(gguf, config, error);
}

bool ts_config_indexed(const struct ts_config *config, uint32_t layer)
{
    return config->ratio[layer] == TS_COMPRESS_OVERLAP_RATIO;
}
