#include "tools/make-hostile/make_hostile.h"

#include "base/format.h"
#include "base/rng.h"
#include "engine/model/tensors.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { BYTES = 256, VOCAB = BYTES + 4 };

/* A type and a value for each, so that a table of text is enough. */
static const char *const common_keys[][2] = {
    {"general.architecture", "d8 sdeepseek4"},
    {"deepseek4.context_length", "d4 d4096"},
    {"deepseek4.embedding_length", "d4 d32"},
    {"deepseek4.vocab_size", "d4 d260"},
    {"deepseek4.attention.head_count", "d4 d1"},
    {"deepseek4.attention.head_count_kv", "d4 d1"},
    {"deepseek4.attention.key_length", "d4 d96"},
    {"deepseek4.attention.value_length", "d4 d96"},
    {"deepseek4.rope.dimension_count", "d4 d32"},
    {"deepseek4.attention.q_lora_rank", "d4 d32"},
    {"deepseek4.attention.output_lora_rank", "d4 d16"},
    {"deepseek4.attention.output_group_count", "d4 d1"},
    {"deepseek4.attention.sliding_window", "d4 d8"},
    {"deepseek4.attention.indexer.head_count", "d4 d1"},
    {"deepseek4.attention.indexer.key_length", "d4 d32"},
    {"deepseek4.attention.indexer.top_k", "d4 d4"},
    {"deepseek4.expert_count", "d4 d2"},
    {"deepseek4.expert_used_count", "d4 d1"},
    {"deepseek4.expert_feed_forward_length", "d4 d32"},
    {"deepseek4.expert_shared_count", "d4 d1"},
    {"deepseek4.expert_weights_scale", "d6 f1.5"},
    {"deepseek4.expert_weights_norm", "d7 b1"},
    {"deepseek4.expert_gating_func", "d4 d4"},
    {"deepseek4.hyper_connection.count", "d4 d2"},
    {"deepseek4.hyper_connection.sinkhorn_iterations", "d4 d4"},
    {"deepseek4.hyper_connection.epsilon", "d6 f1e-6"},
    {"deepseek4.attention.layer_norm_rms_epsilon", "d6 f1e-6"},
    {"deepseek4.rope.freq_base", "d6 f10000"},
    {"deepseek4.attention.compress_rope_freq_base", "d6 f160000"},
    {"deepseek4.rope.scaling.type", "d8 syarn"},
    {"deepseek4.rope.scaling.factor", "d6 f16"},
    {"deepseek4.rope.scaling.original_context_length", "d4 d65536"},
    {"deepseek4.rope.scaling.yarn_beta_fast", "d6 f32"},
    {"deepseek4.rope.scaling.yarn_beta_slow", "d6 f1"},
    {"deepseek4.swiglu_clamp_exp", "d6 f10"},
    {"tokenizer.ggml.model", "d8 sgpt2"},
    {"tokenizer.ggml.pre", "d8 sjoyai-llm"},
    {"tokenizer.ggml.bos_token_id", "d4 d256"},
    {"tokenizer.ggml.eos_token_id", "d4 d257"},
};

/* What is different. The config is what the keys say, for the list of tensors. */
static const struct variant {
    uint32_t version, alignment;
    uint32_t layers, hash_layers;
    uint32_t ratio[2];
    uint32_t matrices; /* format of what has rows of whole blocks */
} variants[SOUND_MODELS] = {
    {3, 32, 1, 1, {4, 0}, TS_MXFP4},
    {2, 64, 1, 0, {128, 0}, TS_MXFP4},
    {3, 256, 1, 0, {0, 0}, TS_Q8_0},
};

/* Character of a byte in GPT-2's alphabet, as UTF-8. */
static size_t byte_text(int byte, int *other, char *text)
{
    bool printable = (byte >= 33 && byte <= 126) || (byte >= 161 && byte <= 172) || byte >= 174;
    int point = printable ? byte : (*other)++;
    if (point < 0x80) {
        text[0] = (char)point;
        return 1;
    }
    text[0] = (char)(0xC0 | point >> 6);
    text[1] = (char)(0x80 | (point & 0x3F));
    return 2;
}

static void add_vocabulary(struct draft *draft)
{
    static const char *const added[] = {"<bos>", "<eos>", "ab", "abb"};
    draft_key(draft, "tokenizer.ggml.tokens", "d9 d8 q260");
    struct bytes *tokens = &draft->keys[draft->key_count - 1].value;
    int other = 256;
    for (int byte = 0; byte < BYTES; byte++) {
        char text[2];
        size_t length = byte_text(byte, &other, text);
        bytes_number(tokens, length, 8);
        bytes_add(tokens, text, length);
    }
    for (int i = 0; i < VOCAB - BYTES; i++) {
        bytes_text(tokens, added[i]);
    }
    draft_key(draft, "tokenizer.ggml.token_type", "d9 d5 q260");
    struct bytes *types = &draft->keys[draft->key_count - 1].value;
    for (int i = 0; i < VOCAB; i++) {
        bytes_number(types, i == BYTES || i == BYTES + 1 ? 3 : 1, 4);
    }
    draft_key(draft, "tokenizer.ggml.merges", "d9 d8 q2 sa~b sab~b");
}

/* Numbers that are small in every format. */
static void fill(struct draft_tensor *tensor, const struct ts_tensor_spec *spec,
                 const struct ts_config *config, struct ts_rng *rng)
{
    uint64_t elements = spec->shape[0] * spec->shape[1] * spec->shape[2];
    uint64_t blocks = elements / ts_format_block_elements(tensor->type);
    for (uint64_t i = 0; i < blocks; i++) {
        uint64_t random = ts_rng_next(rng);
        float real = (float)(int)(random % 2001 - 1000) / 10000;
        switch (tensor->type) {
        case TS_I32: bytes_number(&tensor->data, random % config->experts, 4); break;
        case TS_F32: bytes_add(&tensor->data, &real, sizeof real); break;
        case TS_F16: bytes_number(&tensor->data, 0x2800 | (random & 0x83ff), 2); break;
        default: /* a scale, then 32 values */
            bytes_number(&tensor->data, tensor->type == TS_MXFP4 ? 120 : 0x1400,
                         tensor->type == TS_MXFP4 ? 1 : 2);
            for (int k = 0; k < (tensor->type == TS_MXFP4 ? 2 : 4); k++) {
                bytes_number(&tensor->data, ts_rng_next(rng), 8);
            }
        }
    }
}

static void add_tensors(struct draft *draft, const struct ts_config *config, int layer,
                        uint32_t matrices, struct ts_rng *rng)
{
    struct ts_tensor_spec specs[TS_TENSOR_COUNT];
    unsigned count = ts_tensor_specs(config, layer, specs);
    for (unsigned i = 0; i < count; i++) {
        const struct ts_tensor_spec *spec = &specs[i];
        bool vector = spec->role == TS_ROLE_NORM || spec->role == TS_ROLE_VECTOR;
        bool whole = spec->shape[0] % 32 == 0 && ts_tensor_takes(spec, matrices);
        uint32_t type = spec->role == TS_ROLE_EXPERT_IDS ? TS_I32
                        : vector                         ? TS_F32
                        : whole                          ? matrices
                                                         : TS_F16;
        uint32_t dimensions = spec->shape[2] > 1 ? 3 : spec->shape[1] > 1 ? 2 : 1;
        fill(draft_tensor(draft, spec->name, type, dimensions, spec->shape), spec, config, rng);
    }
}

void sound_model(struct draft *draft, unsigned number)
{
    const struct variant *v = &variants[number];
    char words[64];
    struct ts_rng rng;
    memset(draft, 0, sizeof *draft);
    draft->version = v->version;
    draft->alignment = v->alignment;
    for (size_t i = 0; i < sizeof common_keys / sizeof common_keys[0]; i++) {
        draft_key(draft, common_keys[i][0], common_keys[i][1]);
    }
    snprintf(words, sizeof words, "d4 d%" PRIu32, v->alignment);
    draft_key(draft, "general.alignment", words);
    snprintf(words, sizeof words, "d4 d%" PRIu32, v->layers);
    draft_key(draft, "deepseek4.block_count", words);
    snprintf(words, sizeof words, "d4 d%" PRIu32, v->hash_layers);
    draft_key(draft, "deepseek4.hash_layer_count", words);
    snprintf(words, sizeof words, "d9 d4 q2 d%" PRIu32 " d%" PRIu32, v->ratio[0], v->ratio[1]);
    draft_key(draft, "deepseek4.attention.compress_ratios", words);
    add_vocabulary(draft);
    struct ts_config config = {.layers = v->layers,
                               .width = 32,
                               .vocab = VOCAB,
                               .heads = 1,
                               .head_width = 96,
                               .query_rank = 32,
                               .output_rank = 16,
                               .output_groups = 1,
                               .index_heads = 1,
                               .index_width = 32,
                               .experts = 2,
                               .experts_used = 1,
                               .expert_width = 32,
                               .shared_width = 32,
                               .hash_layers = v->hash_layers,
                               .streams = 2,
                               .ratio = {v->ratio[0], v->ratio[1]}};
    ts_rng_seed(&rng, number + 1);
    for (int layer = TS_GLOBAL_TENSORS; layer < (int)v->layers; layer++) {
        add_tensors(draft, &config, layer, v->matrices, &rng);
    }
}

void sound_trace(struct draft *draft)
{
    static const uint64_t shape[] = {VOCAB, 4}, four[] = {4};
    memset(draft, 0, sizeof *draft);
    draft->version = 3;
    draft->alignment = 32;
    draft_key(draft, "golden.kv_rounding", "d7 b1");
    draft_key(draft, "golden.class", "d8 sexact");
    draft_key(draft, "golden.positions", "d9 d4 q2 d1 d3");
    bytes_words(&draft_tensor(draft, "tokens", TS_I32, 1, four)->data, "d65 d66 d67 d68");
    bytes_zeros(&draft_tensor(draft, "logits", TS_F32, 2, shape)->data, VOCAB * 4 * sizeof(float));
}

/* The transform of zeros is zeros. */
void sound_golden(struct draft *draft)
{
    static const uint64_t shape[] = {64, 2};
    memset(draft, 0, sizeof *draft);
    draft->version = 3;
    draft->alignment = 32;
    draft_key(draft, "golden.seed", "d4 d1");
    bytes_zeros(&draft_tensor(draft, "hadamard.in", TS_F32, 2, shape)->data, 512);
    bytes_zeros(&draft_tensor(draft, "hadamard.out", TS_F32, 2, shape)->data, 512);
}
