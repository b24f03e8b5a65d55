#include "tools/make-model/make_model.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { FLASH_LAYERS = 43, SMALL_LAYERS = 4 };

/* What all geometries share: the sizes of DeepSeek V4 Flash that its code depends on (spec 1.1). */
static void fill_common(struct ts_config *c)
{
    memset(c, 0, sizeof *c);
    c->context = 1048576;
    c->head_width = 512;
    c->rotary = 64;
    c->window = 128;
    c->index_width = 128;
    c->experts_used = 6;
    c->streams = 4;
    c->sinkhorn_iterations = 20;
    c->hc_epsilon = 1e-6f;
    c->norm_epsilon = 1e-6f;
    c->expert_scale = 1.5f;
    c->rope_plain.base = 10000;
    c->rope_compressed = (struct ts_rope_policy){
        .base = 160000, .factor = 16, .original_context = 65536, .beta_fast = 32, .beta_slow = 1};
}

/* The sizes of the small golden models. */
static void fill_tiny(struct ts_config *c)
{
    c->width = 256;
    c->vocab = TS_BUILTIN_TOKENS;
    c->heads = 4;
    c->query_rank = 128;
    c->output_rank = 128;
    c->output_groups = 2;
    c->index_heads = 4;
    c->index_top_k = 128;
    c->experts = 8;
    c->expert_width = 256;
}

static void fill_flash(struct ts_config *c)
{
    c->width = 4096;
    c->vocab = 129280;
    c->heads = 64;
    c->query_rank = 1024;
    c->output_rank = 1024;
    c->output_groups = 8;
    c->index_heads = 64;
    c->index_top_k = 512;
    c->experts = 256;
    c->expert_width = 2048;
}

/* One layer of each kind: hash-routed plain and ratio 4, scored ratio 128 and ratio 4. */
static void fill_small_layers(struct ts_config *c)
{
    static const uint32_t ratios[SMALL_LAYERS] = {0, 4, 128, 4};
    c->layers = SMALL_LAYERS;
    c->hash_layers = 2;
    memcpy(c->ratio, ratios, sizeof ratios);
}

static void fill_flash_layers(struct ts_config *c)
{
    c->layers = FLASH_LAYERS;
    c->hash_layers = 3;
    for (uint32_t layer = 0; layer < FLASH_LAYERS; layer++) {
        c->ratio[layer] = layer < 2 ? 0 : layer % 2 == 0 ? 4 : 128;
    }
}

bool ts_geometry(const char *name, uint32_t experts, struct ts_config *c)
{
    bool tiny = strcmp(name, "tiny") == 0, flash = strcmp(name, "flash") == 0;
    if (!tiny && !flash && strcmp(name, "layers4") != 0) {
        return false;
    }
    fill_common(c);
    (tiny ? fill_tiny : fill_flash)(c);
    (flash ? fill_flash_layers : fill_small_layers)(c);
    c->experts = experts ? experts : c->experts;
    c->shared_width = c->expert_width;
    for (uint32_t layer = 0; layer < c->layers; layer++) {
        c->clamp_routed[layer] = c->clamp_shared[layer] = 10;
    }
    return true;
}

static void put_general(struct ts_gguf_writer *w, const char *name, enum ts_recipe recipe,
                        uint64_t seed)
{
    static const uint32_t file_types[TS_RECIPE_COUNT] = {19, 15, 19, 7, 1, 32}; /* ggml's numbers */
    char text[96];
    ts_gguf_put_text(w, "general.architecture", "deepseek4");
    snprintf(text, sizeof text, "synthetic DeepSeek V4 %s %s, seed %" PRIu64, name,
             ts_recipe_name(recipe), seed);
    ts_gguf_put_text(w, "general.name", text);
    ts_gguf_put_u32(w, "general.file_type", file_types[recipe]);
    ts_gguf_put_u32(w, "general.quantization_version", 2);
    ts_gguf_put_bool(w, "touchstone.synthetic", true);
    snprintf(text, sizeof text, "%" PRIu64, seed);
    ts_gguf_put_text(w, "touchstone.seed", text);
}

static void put_attention(struct ts_gguf_writer *w, const struct ts_config *c)
{
    int32_t ratios[TS_MAX_LAYERS + 1] = {0}; /* the last one is the draft block's */
    for (uint32_t layer = 0; layer < c->layers; layer++) {
        ratios[layer] = (int32_t)c->ratio[layer];
    }
    ts_gguf_put_u32(w, "deepseek4.attention.head_count", c->heads);
    ts_gguf_put_u32(w, "deepseek4.attention.head_count_kv", 1);
    ts_gguf_put_u32(w, "deepseek4.attention.key_length", c->head_width);
    ts_gguf_put_u32(w, "deepseek4.attention.value_length", c->head_width);
    ts_gguf_put_f32(w, "deepseek4.attention.layer_norm_rms_epsilon", c->norm_epsilon);
    ts_gguf_put_u32(w, "deepseek4.attention.q_lora_rank", c->query_rank);
    ts_gguf_put_u32(w, "deepseek4.attention.output_lora_rank", c->output_rank);
    ts_gguf_put_u32(w, "deepseek4.attention.output_group_count", c->output_groups);
    ts_gguf_put_array(w, "deepseek4.attention.compress_ratios", TS_GGUF_I32, ratios, c->layers + 1);
    ts_gguf_put_f32(w, "deepseek4.attention.compress_rope_freq_base",
                    (float)c->rope_compressed.base);
    ts_gguf_put_u32(w, "deepseek4.attention.sliding_window", c->window);
    ts_gguf_put_u32(w, "deepseek4.attention.indexer.head_count", c->index_heads);
    ts_gguf_put_u32(w, "deepseek4.attention.indexer.key_length", c->index_width);
    ts_gguf_put_u32(w, "deepseek4.attention.indexer.top_k", c->index_top_k);
}

static void put_rope(struct ts_gguf_writer *w, const struct ts_config *c)
{
    const struct ts_rope_policy *yarn = &c->rope_compressed;
    ts_gguf_put_u32(w, "deepseek4.rope.dimension_count", c->rotary);
    ts_gguf_put_f32(w, "deepseek4.rope.freq_base", (float)c->rope_plain.base);
    ts_gguf_put_text(w, "deepseek4.rope.scaling.type", "yarn");
    ts_gguf_put_f32(w, "deepseek4.rope.scaling.factor", (float)yarn->factor);
    ts_gguf_put_u32(w, "deepseek4.rope.scaling.original_context_length",
                    (uint32_t)yarn->original_context);
    ts_gguf_put_f32(w, "deepseek4.rope.scaling.yarn_beta_fast", (float)yarn->beta_fast);
    ts_gguf_put_f32(w, "deepseek4.rope.scaling.yarn_beta_slow", (float)yarn->beta_slow);
}

static void put_experts(struct ts_gguf_writer *w, const struct ts_config *c)
{
    ts_gguf_put_u32(w, "deepseek4.expert_count", c->experts);
    ts_gguf_put_u32(w, "deepseek4.expert_used_count", c->experts_used);
    ts_gguf_put_u32(w, "deepseek4.expert_shared_count", c->shared_width / c->expert_width);
    ts_gguf_put_u32(w, "deepseek4.expert_feed_forward_length", c->expert_width);
    ts_gguf_put_u32(w, "deepseek4.expert_gating_func", 4);
    ts_gguf_put_f32(w, "deepseek4.expert_weights_scale", c->expert_scale);
    ts_gguf_put_bool(w, "deepseek4.expert_weights_norm", true);
    ts_gguf_put_u32(w, "deepseek4.hash_layer_count", c->hash_layers);
    ts_gguf_put_array(w, "deepseek4.swiglu_clamp_exp", TS_GGUF_F32, c->clamp_routed, c->layers);
    ts_gguf_put_array(w, "deepseek4.swiglu_clamp_shexp", TS_GGUF_F32, c->clamp_shared, c->layers);
}

void ts_geometry_metadata(struct ts_gguf_writer *w, const struct ts_config *c, const char *name,
                          enum ts_recipe recipe, uint64_t seed)
{
    put_general(w, name, recipe, seed);
    ts_gguf_put_u32(w, "deepseek4.block_count", c->layers);
    ts_gguf_put_u32(w, "deepseek4.context_length", (uint32_t)c->context);
    ts_gguf_put_u32(w, "deepseek4.embedding_length", c->width);
    ts_gguf_put_u32(w, "deepseek4.vocab_size", c->vocab);
    put_attention(w, c);
    put_rope(w, c);
    put_experts(w, c);
    ts_gguf_put_u32(w, "deepseek4.hyper_connection.count", c->streams);
    ts_gguf_put_u32(w, "deepseek4.hyper_connection.sinkhorn_iterations", c->sinkhorn_iterations);
    ts_gguf_put_f32(w, "deepseek4.hyper_connection.epsilon", c->hc_epsilon);
    /* as published, although the draft block is in a file of its own */
    ts_gguf_put_u32(w, "deepseek4.nextn_predict_layers", c->layers == FLASH_LAYERS ? 1 : 0);
}
