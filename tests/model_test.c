/* Binding a file to the architecture: what loads, and what is refused with which words; inspect. */
#include "base/format.h"
#include "engine/gguf/write.h"
#include "engine/model/inventory.h"
#include "tests/support/program.h"

#include <math.h>

static char output[65536];

static struct ts_gguf *open_file(const char *path)
{
    struct ts_error error = {.code = TS_OK};
    struct ts_gguf *gguf = ts_gguf_open(path, &error);
    cr_assert(gguf != NULL, "%s", error.message);
    return gguf;
}

/* What a variant of a file changes. Names not given stay as they are. */
struct change {
    const char *key; /* replaced by the value below, or left out if there is none */
    const char *text;
    const uint32_t *numbers; /* an array, or one number if count is 1 */
    const float *reals;
    uint32_t count;
    const char *missing[3]; /* tensors left out */
    const char *tensor;     /* whose format, shape or data changes */
    uint32_t format;        /* with shape[0] > 0 */
    uint64_t shape[3];
    int32_t first_id; /* of an expert id table, if its format is not changed */
};

static void put_changed(struct ts_gguf_writer *w, const struct change *change)
{
    if (change->text) {
        ts_gguf_put_text(w, change->key, change->text);
    } else if (change->numbers && change->count == 1) {
        ts_gguf_put_u32(w, change->key, change->numbers[0]);
    } else if (change->numbers) {
        ts_gguf_put_array(w, change->key, TS_GGUF_U32, change->numbers, change->count);
    } else if (change->reals && change->count == 1) {
        ts_gguf_put_f32(w, change->key, change->reals[0]);
    } else if (change->reals) {
        ts_gguf_put_array(w, change->key, TS_GGUF_F32, change->reals, change->count);
    }
}

static void copy_key(struct ts_gguf_writer *w, const struct ts_gguf *from,
                     const struct ts_gguf_key *key)
{
    char name[128], text[128];
    uint64_t whole;
    double real;
    bool yes;
    snprintf(name, sizeof name, "%.*s", (int)key->name.length, key->name.data);
    if (key->type == TS_GGUF_ARRAY && key->element != TS_GGUF_STRING) {
        ts_gguf_put_array(w, name, key->element, key->value, key->count);
    } else if (key->type == TS_GGUF_STRING) {
        struct ts_text value;
        cr_assert(ts_gguf_get_text(from, name, &value, NULL));
        snprintf(text, sizeof text, "%.*s", (int)value.length, value.data);
        ts_gguf_put_text(w, name, text);
    } else if (ts_gguf_get_u64(from, name, &whole, NULL)) {
        ts_gguf_put_u32(w, name, (uint32_t)whole);
    } else if (ts_gguf_get_bool(from, name, &yes, NULL)) {
        ts_gguf_put_bool(w, name, yes);
    } else if (ts_gguf_get_f64(from, name, &real, NULL)) {
        ts_gguf_put_f32(w, name, (float)real);
    } /* arrays of texts are the vocabulary: not needed here */
}

static bool is_missing(const struct change *change, struct ts_text name)
{
    for (int i = 0; i < 3; i++) {
        if (change->missing[i] && ts_text_equals(name, change->missing[i])) {
            return true;
        }
    }
    return false;
}

static void copy_tensors(struct ts_gguf_writer *w, const struct ts_gguf *from,
                         const struct change *change, bool data)
{
    for (uint64_t i = 0; i < from->tensor_count; i++) {
        const struct ts_gguf_tensor *tensor = &from->tensors[i];
        bool changed = change->tensor && ts_text_equals(tensor->name, change->tensor);
        bool reshaped = changed && change->shape[0] > 0;
        char name[128];
        snprintf(name, sizeof name, "%.*s", (int)tensor->name.length, tensor->name.data);
        if (is_missing(change, tensor->name)) {
            continue;
        }
        if (!data) {
            ts_gguf_declare(w, name, reshaped ? change->format : tensor->format,
                            reshaped ? 3 : tensor->dimensions,
                            reshaped ? change->shape : tensor->shape);
        } else if (reshaped) {
            uint64_t bytes;
            cr_assert(!ts_gguf_shape_bytes(change->format, 3, change->shape, &bytes));
            ts_gguf_skip_data(w, bytes);
        } else if (changed) {
            ts_gguf_write_data(w, &change->first_id, sizeof change->first_id);
            ts_gguf_skip_data(w, tensor->bytes - sizeof change->first_id);
        } else {
            ts_gguf_skip_data(w, tensor->bytes); /* zeros do here */
        }
    }
}

static void write_variant(const char *path, const struct ts_gguf *from, const struct change *change)
{
    struct ts_error error = {.code = TS_OK};
    struct ts_gguf_writer *w = ts_gguf_writer_open(path, &error);
    cr_assert(w != NULL, "%s", error.message);
    for (uint64_t i = 0; i < from->key_count; i++) {
        if (!change->key || !ts_text_equals(from->keys[i].name, change->key)) {
            copy_key(w, from, &from->keys[i]);
        }
    }
    put_changed(w, change);
    copy_tensors(w, from, change, false);
    copy_tensors(w, from, change, true);
    cr_assert(ts_gguf_writer_close(w, &error), "%s", error.message);
}

Test(model, golden_models_load)
{
    static const struct {
        const char *path;
        uint32_t heads, groups, top_k;
    } cases[] = {{"tests/data/tiny-q2.gguf", 4, 2, 128}, {"tests/data/topk-q2.gguf", 8, 4, 16}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct ts_error error = {.code = TS_OK};
        struct ts_model *model = ts_model_open(cases[i].path, &error);
        cr_assert(model != NULL, "%s", error.message);
        const struct ts_config *c = &model->config;
        cr_expect(c->layers == 4 && c->width == 256 && c->vocab == 512 && c->context == 1048576 &&
                  c->head_width == 512 && c->rotary == 64 && c->window == 128 && c->streams == 4 &&
                  c->experts == 8 && c->experts_used == 6 && c->shared_width == 256 &&
                  c->hash_layers == 2 && c->sinkhorn_iterations == 20);
        cr_expect(c->heads == cases[i].heads && c->output_groups == cases[i].groups &&
                  c->index_top_k == cases[i].top_k);
        cr_expect(c->ratio[0] == 0 && c->ratio[1] == 4 && c->ratio[2] == 128 && c->ratio[3] == 4);
        cr_expect(c->norm_epsilon == 1e-6f && c->hc_epsilon == 1e-6f && c->expert_scale == 1.5f &&
                  c->clamp_routed[3] == 10 && c->clamp_shared[0] == 10);
        cr_expect(c->rope_plain.base == 10000 && c->rope_plain.factor == 0 &&
                  c->rope_compressed.base == 160000 && c->rope_compressed.factor == 16 &&
                  c->rope_compressed.original_context == 65536);
        cr_expect(!model->layers[0][TS_TENSOR_attn_compressor_kv]);
        cr_expect(model->layers[1][TS_TENSOR_indexer_proj] != NULL);
        cr_expect(!model->layers[2][TS_TENSOR_indexer_proj]);
        cr_expect(model->layers[1][TS_TENSOR_ffn_gate_tid2eid] &&
                  !model->layers[1][TS_TENSOR_exp_probs_b]);
        cr_expect(!model->layers[2][TS_TENSOR_ffn_gate_tid2eid] &&
                  model->layers[2][TS_TENSOR_exp_probs_b]);
        cr_expect(ts_model_check_data(model, &error), "%s", error.message);
        cr_expect(ts_recipe_of(model) == TS_RECIPE_Q2);
        ts_model_close(model);
    }
}

static const uint32_t seven = 7, zero = 0, huge = 1u << 30, many[3] = {0, 4, 128};
static const uint32_t most_shared = 64, too_many_shared = 65;
static const uint32_t bad_ratios[4] = {0, 4, 7, 4};
static const float nan_limits[4] = {10, 10, NAN, 10}, infinite = INFINITY;

#define KEY(name) "deepseek4." name

static const struct {
    struct change change;
    const char *words[4]; /* that the message must have, besides the path */
} refused[] = {
    {{.missing = {"output.weight"}}, {"1 tensor is missing", "output.weight"}},
    {{.missing = {"token_embd.weight", "blk.1.attn_kv.weight", "blk.3.exp_probs_b.bias"}},
     {"3 tensors are missing", "token_embd.weight", "blk.1.attn_kv.weight",
      "blk.3.exp_probs_b.bias"}},
    {{.tensor = "blk.2.attn_q_a.weight", .format = TS_Q8_0, .shape = {128, 256, 1}},
     {"blk.2.attn_q_a.weight", "[128, 256, 1]", "[256, 128, 1]"}},
    {{.tensor = "blk.2.ffn_up_exps.weight", .format = TS_Q4_K, .shape = {256, 256, 7}},
     {"blk.2.ffn_up_exps.weight", "[256, 256, 7]"}},
    {{.tensor = "blk.0.ffn_gate_tid2eid.weight", .format = TS_F32, .shape = {6, 512, 1}},
     {"blk.0.ffn_gate_tid2eid.weight", "F32", "I32"}},
    {{.tensor = "blk.0.attn_kv.weight", .format = TS_I32, .shape = {256, 512, 1}},
     {"blk.0.attn_kv.weight", "I32"}},
    {{.tensor = "blk.0.attn_kv.weight", .format = 13, .shape = {256, 512, 1}},
     {"blk.0.attn_kv.weight is Q5_K (type 13)", "use F32, F16, BF16, Q8_0"}},
    {{.tensor = "output_norm.weight", .format = 27, .shape = {256, 1, 1}},
     {"output_norm.weight is I64 (type 27)", "not supported"}},
    {{.key = "general.architecture", .text = "deepseek41"}, {"deepseek41", "V4.1"}},
    {{.key = "general.architecture", .text = "llama"}, {"llama", "deepseek4"}},
    {{.key = "general.architecture"}, {"general.architecture"}},
    {{.key = KEY("block_count")}, {KEY("block_count")}},
    {{.key = KEY("block_count"), .numbers = &zero, .count = 1}, {KEY("block_count"), " 0"}},
    {{.key = KEY("block_count"), .text = "4"}, {KEY("block_count")}},
    {{.key = KEY("expert_used_count"), .numbers = &huge, .count = 1},
     {KEY("expert_used_count"), "1073741824"}},
    {{.key = KEY("attention.compress_ratios"), .numbers = bad_ratios, .count = 4},
     {KEY("attention.compress_ratios"), "entry 2", "0, 4 or 128"}},
    {{.key = KEY("attention.compress_ratios"), .numbers = many, .count = 3},
     {KEY("attention.compress_ratios"), "4"}},
    {{.key = KEY("attention.head_count"), .numbers = &seven, .count = 1},
     {"attention.head_count", "attention.output_group_count"}},
    {{.key = KEY("rope.dimension_count"), .numbers = &seven, .count = 1},
     {"rope.dimension_count", "even"}},
    {{.key = KEY("rope.freq_base"), .reals = &infinite, .count = 1}, {KEY("rope.freq_base")}},
    {{.key = KEY("rope.scaling.type"), .text = "linear"}, {KEY("rope.scaling.type"), "yarn"}},
    {{.key = KEY("swiglu_clamp_exp")}, {KEY("swiglu_clamp_exp")}},
    {{.key = KEY("swiglu_clamp_exp"), .reals = nan_limits, .count = 4},
     {KEY("swiglu_clamp_exp"), "layer 2"}},
    {{.key = KEY("swiglu_clamp_exp"), .reals = nan_limits, .count = 2}, {KEY("swiglu_clamp_exp")}},
    {{.key = KEY("expert_gating_func"), .numbers = &seven, .count = 1},
     {KEY("expert_gating_func"), "7", "4"}},
    {{.key = KEY("hash_layer_count"), .numbers = &seven, .count = 1}, {"hash_layer_count"}},
    {{.key = KEY("expert_shared_count"), .numbers = &zero, .count = 1}, {"expert_shared_count"}},
    {{.key = KEY("hash_layer_count"),
      .missing = {"blk.0.ffn_gate_tid2eid.weight", "blk.1.ffn_gate_tid2eid.weight"}},
     {"3 tensors are missing", "blk.2.ffn_gate_tid2eid.weight"}}, /* 3 where nothing says */
    {{.key = KEY("expert_shared_count"), .numbers = &most_shared, .count = 1}, {"ffn_gate_shexp"}},
    {{.key = KEY("expert_shared_count"), .numbers = &too_many_shared, .count = 1},
     {KEY("expert_shared_count"), "is 65, expected at most 64"}},
    {{.key = KEY("context_length"), .numbers = &zero, .count = 1},
     {KEY("context_length"), "above 0"}},
    {{.key = KEY("vocab_size"), .numbers = &seven, .count = 1}, {"token_embd.weight", "512"}},
};

/* Each is one error that names the file, and inspect says the same with exit code 2. */
Test(model, refusals)
{
    struct test_path path = test_path("refused.gguf");
    struct ts_gguf *golden = open_file("tests/data/tiny-q2.gguf");
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
        struct ts_error error = {.code = TS_OK};
        write_variant(path.text, golden, &refused[i].change);
        struct ts_model *model = ts_model_open(path.text, &error);
        cr_assert(model == NULL, "case %zu loads", i);
        cr_expect(error.code == TS_ERR_INPUT && strstr(error.message, path.text), "case %zu: %s", i,
                  error.message);
        for (int k = 0; k < 4 && refused[i].words[k]; k++) {
            cr_expect(strstr(error.message, refused[i].words[k]) != NULL,
                      "case %zu: '%s' not in %s", i, refused[i].words[k], error.message);
        }
        cr_expect(strchr(error.message, '\n') == NULL);
        int code = test_run(output, sizeof output, "touchstone inspect %s", path.text);
        /* a file that does not claim to be a model is shown as what it is */
        bool plain = refused[i].change.key && !refused[i].change.text &&
                     strcmp(refused[i].change.key, "general.architecture") == 0;
        cr_expect(code == (plain ? 0 : 2), "case %zu: exit %d", i, code);
        cr_expect(plain || strstr(output, error.message) != NULL, "case %zu: %s", i, output);
    }
    ts_gguf_close(golden);
    unlink(path.text);
}

/* A file without any of its tensors: the error still fits, and counts them all. */
Test(model, all_tensors_missing)
{
    struct test_path path = test_path("bare.gguf");
    struct ts_gguf *golden = open_file("tests/data/tiny-q2.gguf");
    uint64_t count = golden->tensor_count;
    golden->tensor_count = 0;
    write_variant(path.text, golden, &(struct change){.key = NULL});
    golden->tensor_count = count;
    struct ts_error error = {.code = TS_OK};
    cr_assert(ts_model_open(path.text, &error) == NULL);
    cr_expect(strstr(error.message, "126 tensors are missing: token_embd.weight, output.weight"),
              "%s", error.message);
    /* too many for one name each: the layers of a name stand together, and all are there */
    static const char *const some[] = {
        "output_hc_scale.weight, blk.{0-3}.hc_attn_fn.weight",
        "blk.{1-3}.attn_compressor_kv.weight", "blk.{1,3}.indexer.proj.weight",
        "blk.{2-3}.exp_probs_b.bias", "blk.{0-1}.ffn_gate_tid2eid.weight"};
    for (size_t i = 0; i < sizeof some / sizeof some[0]; i++) {
        cr_expect(strstr(error.message, some[i]), "%s in %s", some[i], error.message);
    }
    const char *end = "blk.{0-3}.ffn_down_shexp.weight";
    cr_expect(strcmp(error.message + strlen(error.message) - strlen(end), end) == 0, "%s",
              error.message);
    int code = test_run(output, sizeof output, "touchstone inspect %s", path.text);
    cr_expect(code == 0 && strstr(output, "tensors: 0,"), "exit %d: %s", code, output);
    ts_gguf_close(golden);
    unlink(path.text);
}

/* Keys that converters leave out or write otherwise, and formats wherever a matrix may stand. */
Test(model, accepted_variants)
{
    static const float ten = 10, half = 0.5f;
    static const uint32_t formats[] = {TS_F32,  TS_F16,  TS_BF16,    TS_Q8_0,
                                       TS_Q2_K, TS_Q4_K, TS_IQ2_XXS, TS_MXFP4};
    static const char *const tensors[] = {"token_embd.weight",
                                          "output.weight",
                                          "blk.0.attn_kv.weight",
                                          "blk.1.indexer.proj.weight",
                                          "blk.1.attn_compressor_gate.weight",
                                          "blk.2.ffn_gate_inp.weight",
                                          "blk.3.ffn_up_shexp.weight",
                                          "blk.3.ffn_down_exps.weight"};
    static const struct change keys[] = {
        {.key = KEY("vocab_size")},
        {.key = KEY("swiglu_clamp_shexp")},
        {.key = KEY("swiglu_clamp_exp"), .reals = &ten, .count = 1},
        {.key = KEY("expert_shared_count")},
        {.key = KEY("hash_layer_count")},
        {.key = KEY("expert_gating_func")},
        {.key = KEY("hyper_connection.epsilon")},
        {.key = KEY("rope.scaling.type")},
        {.key = KEY("rope.freq_base")},
        {.key = KEY("attention.compress_rope_freq_base")},
        {.key = KEY("rope.scaling.factor")},
        {.key = KEY("rope.scaling.original_context_length")},
        {.key = KEY("rope.scaling.yarn_beta_fast")},
        {.key = KEY("rope.scaling.yarn_beta_slow")},
        {.key = KEY("expert_weights_scale"), .reals = &half, .count = 1},
        {.key = KEY("expert_group_count"), .numbers = &zero, .count = 1},
    };
    struct test_path path = test_path("variant.gguf");
    struct ts_gguf *golden = open_file("tests/data/tiny-q2.gguf");
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        struct ts_error error = {.code = TS_OK};
        write_variant(path.text, golden, &keys[i]);
        struct ts_model *model = ts_model_open(path.text, &error);
        cr_assert(model != NULL, "%s: %s", keys[i].key, error.message);
        cr_expect(model->config.vocab == 512 && model->config.clamp_shared[3] == 10 &&
                  model->config.shared_width == 256 && model->config.hc_epsilon == 1e-6f &&
                  model->config.hash_layers == 2);
        const struct ts_config *c = &model->config;
        cr_expect(c->rope_plain.base == 10000 && c->rope_compressed.base == 160000 &&
                      c->rope_compressed.factor == 16 &&
                      c->rope_compressed.original_context == 65536 &&
                      c->rope_compressed.beta_fast == 32 && c->rope_compressed.beta_slow == 1,
                  "%s", keys[i].key);
        cr_expect(c->expert_scale == (keys[i].reals == &half ? 0.5f : 1.5f));
        ts_model_close(model);
    }
    for (size_t f = 0; f < sizeof formats / sizeof formats[0]; f++) {
        for (size_t t = 0; t < sizeof tensors / sizeof tensors[0]; t++) {
            const struct ts_gguf_tensor *tensor = ts_gguf_find_tensor(golden, tensors[t]);
            struct change change = {.tensor = tensors[t], .format = formats[f]};
            struct ts_error error = {.code = TS_OK};
            memcpy(change.shape, tensor->shape, sizeof change.shape);
            write_variant(path.text, golden, &change);
            struct ts_model *model = ts_model_open(path.text, &error);
            cr_assert(model != NULL, "%s", error.message);
            ts_model_close(model);
        }
    }
    ts_gguf_close(golden);
    unlink(path.text);
}

Test(model, expert_ids_out_of_range)
{
    static const int32_t ids[] = {8, -1, INT32_MAX, INT32_MIN, 7};
    struct test_path path = test_path("ids.gguf");
    struct ts_gguf *golden = open_file("tests/data/tiny-q2.gguf");
    for (size_t i = 0; i < sizeof ids / sizeof ids[0]; i++) {
        struct change change = {.tensor = "blk.1.ffn_gate_tid2eid.weight", .first_id = ids[i]};
        struct ts_error error = {.code = TS_OK};
        write_variant(path.text, golden, &change);
        struct ts_model *model = ts_model_open(path.text, &error);
        cr_assert(model != NULL, "%s", error.message);
        bool ok = ts_model_check_data(model, &error);
        cr_expect(ok == (ids[i] == 7), "id %d", ids[i]);
        if (!ok) {
            char number[16], offset[32];
            snprintf(number, sizeof number, " %d,", ids[i]);
            snprintf(offset, sizeof offset, "offset %llu",
                     (unsigned long long)model->layers[1][TS_TENSOR_ffn_gate_tid2eid]->offset);
            cr_expect(error.code == TS_ERR_INPUT && strstr(error.message, path.text) &&
                          strstr(error.message, "blk.1.ffn_gate_tid2eid.weight") &&
                          strstr(error.message, number) && strstr(error.message, offset),
                      "%s", error.message);
        }
        ts_model_close(model);
    }
    ts_gguf_close(golden);
    unlink(path.text);
}

Test(model, recipe_of_mixed_files)
{
    static const struct {
        const char *tensor;
        uint32_t format;
        enum ts_recipe recipe;
    } cases[] = {{"blk.0.ffn_up_exps.weight", TS_Q4_K, TS_RECIPE_MIXED},
                 {"blk.3.ffn_down_exps.weight", TS_MXFP4, TS_RECIPE_MIXED},
                 {"blk.3.attn_kv.weight", TS_F16, TS_RECIPE_Q2}};
    struct test_path path = test_path("mixed.gguf");
    struct ts_gguf *golden = open_file("tests/data/tiny-q2.gguf");
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const struct ts_gguf_tensor *tensor = ts_gguf_find_tensor(golden, cases[i].tensor);
        struct change change = {.tensor = cases[i].tensor, .format = cases[i].format};
        memcpy(change.shape, tensor->shape, sizeof change.shape);
        write_variant(path.text, golden, &change);
        struct ts_model *model = ts_model_open(path.text, NULL);
        cr_assert(model != NULL);
        cr_expect(ts_recipe_of(model) == cases[i].recipe, "case %zu", i);
        ts_model_close(model);
    }
    ts_gguf_close(golden);
    unlink(path.text);
}

/* Recipes that only others write are named too. */
Test(model, recipe_of_files_with_one_format_for_all_experts)
{
    static const struct {
        uint32_t format;
        const char *name;
    } cases[] = {{TS_MXFP4, "mxfp4"},
                 {TS_F32, "f32"},
                 {TS_F16, "f16"},
                 {TS_BF16, "bf16"},
                 {TS_Q2_K, "mixed"}};
    struct ts_gguf *gguf = open_file("tests/data/tiny-q2.gguf");
    struct ts_gguf_tensor *tensors = gguf->tensors;
    uint64_t count = gguf->tensor_count;
    struct ts_model *model = ts_model_bind(gguf, NULL);
    enum ts_recipe recipe;
    cr_assert(model != NULL);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        for (uint64_t t = 0; t < count; t++) {
            struct ts_text name = tensors[t].name;
            if (name.length > 12 && memcmp(name.data + name.length - 12, "_exps.weight", 12) == 0) {
                tensors[t].format = cases[i].format;
            }
        }
        cr_expect_str_eq(ts_recipe_name(ts_recipe_of(model)), cases[i].name);
        cr_expect(ts_recipe_parse(cases[i].name, &recipe) ==
                  (cases[i].format == TS_F16 || cases[i].format == TS_BF16));
    }
    ts_model_close(model);
}

/* The counts of a file add up in every way they are shown. */
Test(model, inventory_adds_up)
{
    struct ts_model *model = ts_model_open("tests/data/tiny-q2.gguf", NULL);
    struct ts_inventory *a = malloc(sizeof *a), *b = malloc(sizeof *b);
    cr_assert(model && a && b);
    ts_inventory_count(model->gguf, model, a);
    ts_inventory_count(model->gguf, NULL, b);
    uint64_t count = 0, bytes = 0;
    for (int role = 0; role < TS_INVENTORY_ROLES; role++) {
        for (int format = 0; format < TS_INVENTORY_FORMATS; format++) {
            count += a->roles[role][format].count;
            bytes += a->roles[role][format].bytes;
        }
    }
    cr_expect(count == 126 && a->tensors == 126);
    cr_expect(bytes <= a->data_bytes && bytes > a->data_bytes - 126 * 32);
    cr_expect(a->roles[TS_INVENTORY_OTHER][TS_F32].count == 0);
    cr_expect(b->roles[TS_INVENTORY_OTHER][TS_Q8_0].count == 33 && b->token_bytes == 0);
    /* 6 of 8 experts, 3 matrices in 4 layers: two IQ2_XXS and one Q2_K of 256 x 256 */
    cr_expect(a->token_expert_bytes == 4 * 6 * 256 * (2 * 66 + 84));
    cr_expect(a->token_bytes - a->token_expert_bytes ==
              bytes - 4 * 8 * 256 * (2 * 66 + 84) - 511 * 256 * 2 - 2 * 511 * 6 * 4);
    free(a);
    free(b);
    ts_model_close(model);
}

Test(inspect, command_line)
{
    static const struct {
        const char *arguments;
        int code;
        const char *words[4];
    } cases[] = {
        {"--help", 0, {"--ctx", "--json", "--device"}},
        {"", 2, {"expected one file"}},
        {"tests/data/tiny-q2.gguf tests/data/topk-q2.gguf", 2, {"expected one file, not 2"}},
        {"tests/data/tiny-q2.gguf --bogus", 2, {"--bogus"}},
        {"tests/data/tiny-q2.gguf --ctx 0", 2, {"--ctx"}},
        {"tests/data/tiny-q2.gguf --ctx 1048577", 2, {"1048576"}},
        {"tests/data/tiny-q2.gguf --device none", 2, {"none"}},
        {"tests/data/nowhere.gguf", 2, {"nowhere.gguf"}},
        {"tests/data/vectors.jsonl", 2, {"vectors.jsonl"}},
        {"-m tests/data/tiny-q2.gguf", 0, {"recipe: q2", "32,768 tokens", "routed experts in use"}},
        {"tests/data/tiny-q2.gguf --ctx 4096", 0, {"4,096 tokens of context on reference"}},
        {"tests/data/vocab.gguf", 0, {"string[129280]", "tensors: 0,"}},
        {"tests/data/tiny-q2.trace.gguf", 0, {"golden-trace", "other", "I32"}},
        {"tests/data/ops.gguf --json",
         0,
         {"\"recipe\":\tnull", "\"memory_plan\":\tnull", "\"I8\""}},
        {"tests/data/tiny-q2.gguf --ctx 4096 --json",
         0,
         {"\"data_bytes\":\t10243328", "\"recipe\":\t\"q2\"", "\"context\":\t4096", "\"kv\""}},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        int code = test_run(output, sizeof output, "touchstone inspect %s", cases[i].arguments);
        cr_expect(code == cases[i].code, "inspect %s: exit %d: %s", cases[i].arguments, code,
                  output);
        for (int k = 0; k < 4 && cases[i].words[k]; k++) {
            cr_expect(strstr(output, cases[i].words[k]) != NULL, "inspect %s: '%s' not in %s",
                      cases[i].arguments, cases[i].words[k], output);
        }
    }
}
