/* Model files that also hold draft (MTP) blocks: a pass runs the layers, and nothing else. */
#include "engine/model/inventory.h"
#include "tests/support/golden.h"
#include "tests/support/variant.h"

TestSuite(draft, .fini = test_free_all);

#define KEY(name) "deepseek4." name

enum { LAYERS = 4, WIDTH = 256 };

/* Copies layer 3 (without what only compressed layers have) behind the layers, as block `block`. */
static void add_block(struct test_variant *v, unsigned block)
{
    for (unsigned i = 0, count = v->tensor_count; i < count; i++) {
        const struct test_tensor *from = &v->tensors[i];
        if (strncmp(from->name, "blk.3.", 6) != 0 || strstr(from->name, "compressor") ||
            strstr(from->name, "indexer")) {
            continue;
        }
        struct test_tensor *to = &v->tensors[v->tensor_count++];
        cr_assert(v->tensor_count <= TEST_MOST_TENSORS);
        *to = *from;
        snprintf(to->name, sizeof to->name, "blk.%u.%s", block, from->name + 6);
    }
}

static void add_nextn(struct test_variant *v, unsigned block)
{
    static const char *const norms[] = {"enorm", "hnorm", "shared_head_norm"};
    char name[64];
    snprintf(name, sizeof name, "blk.%u.nextn.eh_proj.weight", block);
    test_variant_tensor(v, name, TS_Q8_0, 2 * WIDTH, WIDTH);
    for (int i = 0; i < 3; i++) {
        snprintf(name, sizeof name, "blk.%u.nextn.%s.weight", block, norms[i]);
        test_variant_tensor(v, name, TS_F32, WIDTH, 1);
    }
}

/* tiny-q2 with `drafts` draft blocks; arrays have an entry a block, or a layer. */
static struct test_variant *with_drafts(unsigned drafts, bool counted, bool long_arrays)
{
    static const float limits[LAYERS + 2] = {10, 10, 10, 10, 1, 1};
    static const uint32_t heads[LAYERS + 2] = {4, 4, 4, 4, 9, 9}, ones[LAYERS + 2] = {1, 1, 1, 1};
    struct test_variant *v = test_variant_open("tests/data/tiny-q2.gguf");
    uint64_t entries = LAYERS + (long_arrays ? drafts : 0);
    test_variant_number(v, KEY("block_count"), LAYERS + (counted ? drafts : 0));
    test_variant_number(v, KEY("nextn_predict_layers"), drafts);
    test_variant_numbers(v, KEY("swiglu_clamp_exp"), TS_GGUF_F32, limits, entries);
    test_variant_numbers(v, KEY("swiglu_clamp_shexp"), TS_GGUF_F32, limits, entries);
    test_variant_numbers(v, KEY("attention.head_count"), TS_GGUF_U32, heads, entries);
    test_variant_numbers(v, KEY("attention.head_count_kv"), TS_GGUF_U32, ones, entries);
    for (unsigned i = 0; i < drafts; i++) {
        add_block(v, LAYERS + i);
        add_nextn(v, LAYERS + i);
    }
    return v;
}

static struct ts_model *open_written(const struct test_variant *v, const char *path)
{
    struct ts_error error = {.code = TS_OK};
    test_variant_write(v, path);
    struct ts_model *model = ts_model_open(path, &error);
    cr_assert(model != NULL, "%s", error.message);
    return model;
}

/* Logits are those of the file without the blocks, to the bit; they are those of the golden trace. */
Test(draft, a_pass_leaves_the_blocks_out)
{
    enum { TOKENS = 12 };
    struct test_path path = test_path("draft.gguf");
    struct test_golden golden = test_golden_open("tiny-q2", "tiny-q2");
    struct ts_session_options options = {.context = 16};
    struct test_logits expected = test_run_trace(&golden, options, TOKENS);
    for (unsigned i = 0; i < 8; i++) {
        struct test_variant *v = with_drafts(1 + i / 4, i % 2 == 0, i / 2 % 2 == 0);
        struct test_golden drafted = golden;
        drafted.model = open_written(v, path.text);
        cr_expect(drafted.model->config.layers == LAYERS);
        cr_expect(drafted.model->config.drafts == 1 + i / 4);
        struct test_logits logits = test_run_trace(&drafted, options, TOKENS);
        cr_expect(memcmp(logits.rows, expected.rows, TOKENS * golden.vocab * sizeof *logits.rows) ==
                      0,
                  "case %u: other logits", i);
        cr_expect(test_golden_error(&golden, TOKENS - 1,
                                    logits.rows + (TOKENS - 1) * golden.vocab) < 1e-6);
        ts_model_close(drafted.model);
        test_variant_close(v);
    }
    test_golden_close(&golden);
    unlink(path.text);
}

/* A group of their own: not unknown, and not among the bytes that a token reads. */
Test(draft, inventory_has_the_blocks)
{
    struct test_path path = test_path("inventory.gguf");
    struct ts_inventory *with = test_alloc(sizeof *with), *without = test_alloc(sizeof *without);
    struct ts_model *base = ts_model_open("tests/data/tiny-q2.gguf", NULL);
    cr_assert(base != NULL);
    ts_inventory_count(base->gguf, base, without);
    struct test_variant *v = with_drafts(1, true, true);
    test_variant_tensor(v, "mtp.0.enorm.weight", TS_F32, WIDTH, 1);
    test_variant_tensor(v, "blk.5.attn_norm.weight", TS_F32, WIDTH, 1); /* of no block */
    struct ts_model *model = open_written(v, path.text);
    ts_inventory_count(model->gguf, model, with);
    uint64_t count[2] = {0};
    for (int format = 0; format < TS_INVENTORY_FORMATS; format++) {
        count[0] += with->roles[TS_INVENTORY_DRAFT][format].count;
        count[1] += with->roles[TS_INVENTORY_OTHER][format].count;
    }
    cr_expect(count[1] == 1, "%llu unknown tensors", (unsigned long long)count[1]);
    cr_expect(count[0] == with->tensors - without->tensors - 1);
    cr_expect(with->token_bytes == without->token_bytes && with->recipe == without->recipe);
    cr_expect_str_eq(ts_inventory_role_name(TS_INVENTORY_DRAFT), "draft block");
    ts_model_close(base);
    ts_model_close(model);
    test_variant_close(v);
    unlink(path.text);
}

static void refuse(const struct test_variant *v, const char *path, const char *what,
                   const char *words)
{
    struct ts_error error = {.code = TS_OK};
    test_variant_write(v, path);
    struct ts_model *model = ts_model_open(path, &error);
    cr_assert(model == NULL, "%s: loads", what);
    cr_expect(error.code == TS_ERR_INPUT && strstr(error.message, words) &&
                  strstr(error.message, path) && !strchr(error.message, '\n'),
              "%s: '%s' not in %s", what, words, error.message);
}

/* What keys and tensors say must agree. */
Test(draft, contradictions_are_refused)
{
    static const uint32_t unlike[LAYERS + 1] = {4, 4, 8, 4, 4};
    struct test_path path = test_path("contradiction.gguf");
    for (int i = 0; i < 9; i++) {
        struct test_variant *v = with_drafts(1, true, true);
        const char *predicted = KEY("nextn_predict_layers"), *what = "", *words = "";
        switch (i) {
        case 0:
            what = "no key", words = "key deepseek4.nextn_predict_layers is missing";
            snprintf(test_variant_key(v, predicted)->name, 8, "other");
            break;
        case 1:
            what = "key 0", words = "key deepseek4.nextn_predict_layers is 0";
            test_variant_number(v, predicted, 0);
            break;
        case 2:
            what = "no layers left", words = "is 5, expected less than block_count, 5";
            test_variant_number(v, predicted, 5);
            break;
        case 3:
            what = "more than blocks", words = "expected less than block_count";
            test_variant_number(v, predicted, 4000000000u);
            break;
        case 4:
            what = "two predicted, one there", words = "blk.3 has no draft block's tensors";
            test_variant_number(v, predicted, 2);
            break;
        case 5:
            what = "nextn in a layer", words = "blk.1 has a draft block's tensors";
            test_variant_tensor(v, "blk.1.nextn.enorm.weight", TS_F32, WIDTH, 1);
            break;
        case 6:
            what = "heads differ", words = "attention.head_count is 8 in layer 2";
            test_variant_numbers(v, KEY("attention.head_count"), TS_GGUF_U32, unlike, LAYERS + 1);
            break;
        case 7:
            what = "heads too short";
            test_variant_numbers(v, KEY("attention.head_count"), TS_GGUF_U32, unlike + 3, 2);
            words = "has 2 values of u32, expected one, or 4 whole numbers";
            break;
        default:
            what = "a layer's tensor missing", words = "1 tensor is missing: blk.3.attn_kv.weight";
            test_variant_drop(v, "blk.3.attn_kv.weight");
            break;
        }
        refuse(v, path.text, what, words);
        test_variant_close(v);
    }
    unlink(path.text);
}

/* The published files say 1, and have their block in a file of its own: 4 layers are 4 layers. */
Test(draft, key_alone_means_nothing)
{
    struct test_path path = test_path("alone.gguf");
    struct test_variant *v = test_variant_open("tests/data/tiny-q2.gguf");
    test_variant_number(v, KEY("nextn_predict_layers"), 1);
    struct ts_model *model = open_written(v, path.text);
    cr_expect(model->config.layers == LAYERS && model->config.drafts == 0);
    ts_model_close(model);
    test_variant_close(v);
    unlink(path.text);
}

/* A file with a draft block alone says so. */
Test(draft, only_a_draft_is_refused)
{
    struct test_path path = test_path("only.gguf");
    struct test_variant *v = with_drafts(1, true, true);
    for (unsigned i = v->tensor_count; i-- > 0;) {
        if (strncmp(v->tensors[i].name, "blk.4.", 6) != 0) {
            v->tensors[i] = v->tensors[--v->tensor_count];
        }
    }
    struct ts_error error = {.code = TS_OK};
    test_variant_write(v, path.text);
    cr_assert(ts_model_open(path.text, &error) == NULL);
    cr_expect(strstr(error.message, "tensors are missing") &&
                  strstr(error.hint, "only a draft (MTP) block"),
              "%s: %s", error.message, error.hint);
    test_variant_close(v);
    unlink(path.text);
}
