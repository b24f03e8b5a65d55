/* Models in several files: opened as one by the name of the first, and what is refused. */
#include "tests/support/golden.h"
#include "tests/support/variant.h"

#include "bench/run/hash.h"

TestSuite(split, .fini = test_free_all);

enum { MOST_PARTS = 4, TOKENS = 9 };

/* Paths of the parts NAME-0000N-of-0000COUNT.gguf. */
struct parts {
    unsigned count;
    char paths[MOST_PARTS][128];
};

static struct parts name_parts(const char *name, unsigned count)
{
    struct parts parts = {.count = count};
    for (unsigned i = 0; i < count; i++) {
        snprintf(parts.paths[i], sizeof parts.paths[i], "%s-%05u-of-%05u.gguf",
                 test_path(name).text, i + 1, count);
    }
    return parts;
}

static void remove_parts(const struct parts *parts)
{
    for (unsigned i = 0; i < parts->count; i++) {
        unlink(parts->paths[i]);
    }
}

/* What a part says of itself. */
struct claim {
    uint32_t number, count, tensors;
    const char *key; /* one more key, a number */
    uint32_t value;
};

static void write_part(const struct test_variant *v, const char *path, const struct claim *claim,
                       bool keys, const struct test_tensor *tensors, unsigned count)
{
    struct ts_gguf_writer *w = test_writer(path);
    for (unsigned i = 0; keys && i < v->key_count; i++) {
        test_put_key(w, v->base, &v->keys[i]);
    }
    ts_gguf_put_u32(w, "split.no", claim->number);
    ts_gguf_put_u32(w, "split.count", claim->count);
    ts_gguf_put_u32(w, "split.tensors.count", claim->tensors);
    if (claim->key) {
        ts_gguf_put_u32(w, claim->key, claim->value);
    }
    test_put_tensors(w, tensors, count);
    test_writer_close(w);
}

/* Deals the tensors out to the parts in a random order; the first has none where `empty`. */
static void write_parts(struct test_variant *v, const struct parts *parts, bool empty,
                        struct ts_rng *rng)
{
    unsigned done = 0, from = empty ? 1 : 0;
    for (unsigned i = v->tensor_count - 1; i > 0; i--) {
        unsigned other = (unsigned)ts_rng_below(rng, i + 1);
        struct test_tensor kept = v->tensors[i];
        v->tensors[i] = v->tensors[other];
        v->tensors[other] = kept;
    }
    for (unsigned i = 0; i < parts->count; i++) {
        struct claim claim = {i, parts->count, v->tensor_count, NULL, 0};
        unsigned end = i < from ? 0 : v->tensor_count * (i + 1 - from) / (parts->count - from);
        write_part(v, parts->paths[i], &claim, i == 0, v->tensors + done, end - done);
        done = end;
    }
}

/* The same logits to the bit, on the device, as from one file. */
static void expect_same(const struct test_golden *golden, const struct ts_model *split,
                        const char *device)
{
    struct ts_session_options options = {.context = 16, .device = device};
    struct test_golden other = *golden;
    other.model = (struct ts_model *)(uintptr_t)split;
    struct test_logits a = test_run_trace(golden, options, TOKENS);
    struct test_logits b = test_run_trace(&other, options, TOKENS);
    cr_expect(memcmp(a.rows, b.rows, TOKENS * golden->vocab * sizeof *a.rows) == 0,
              "%s: other logits", device);
}

Test(split, parts_are_one_model)
{
    enum { SEED = 20 };
    struct test_golden golden = test_golden_open("tiny-q2", "tiny-q2");
    struct ts_rng rng;
    ts_rng_seed(&rng, SEED);
    for (unsigned i = 0; i < 4; i++) {
        struct parts parts = name_parts("whole", 2 + i % 3);
        struct test_variant *v = test_variant_open("tests/data/tiny-q2.gguf");
        struct ts_error error = {.code = TS_OK};
        write_parts(v, &parts, i % 2 == 1, &rng);
        struct ts_model *model = ts_model_open(parts.paths[0], &error);
        cr_assert(model != NULL, "%s", error.message);
        cr_expect(model->gguf->part_count == parts.count &&
                  model->gguf->tensor_count == golden.model->gguf->tensor_count);
        uint64_t bytes = 0;
        for (unsigned k = 0; k < parts.count; k++) {
            struct stat status;
            cr_assert(stat(parts.paths[k], &status) == 0);
            bytes += (uint64_t)status.st_size;
        }
        cr_expect(ts_gguf_file_bytes(model->gguf) == bytes);
        expect_same(&golden, model, "reference");
        if (i == 0 && strstr(ts_device_names(), "metal")) { /* a view for each file */
            expect_same(&golden, model, "metal");
        }
        ts_model_close(model);
        test_variant_close(v);
        remove_parts(&parts);
    }
    test_golden_close(&golden);
}

/* The hash in a record, and the snapshots of sessions, tell one byte of any part. */
Test(split, hash_covers_all_parts)
{
    struct parts parts = name_parts("hash", 3);
    struct test_variant *v = test_variant_open("tests/data/tiny-q2.gguf");
    struct ts_rng rng;
    ts_rng_seed(&rng, 3);
    write_parts(v, &parts, false, &rng);
    char hashes[4][TS_HASH_TEXT];
    for (unsigned i = 0; i < 4; i++) {
        if (i > 0) {
            FILE *file = fopen(parts.paths[i - 1], "r+b");
            cr_assert(file && fseek(file, -1, SEEK_END) == 0 && fputc(0x55, file) != EOF);
            fclose(file);
        }
        struct ts_gguf *gguf = ts_gguf_open(parts.paths[0], NULL);
        cr_assert(gguf != NULL);
        ts_hash_model(gguf, hashes[i]);
        ts_gguf_close(gguf);
        for (unsigned k = 0; k < i; k++) {
            cr_expect(strcmp(hashes[i], hashes[k]) != 0, "part %u", i);
        }
    }
    test_variant_close(v);
    remove_parts(&parts);
}

/* What the second of two parts may not be, and what is said. */
Test(split, foreign_parts_are_refused)
{
    struct test_variant *v = test_variant_open("tests/data/tiny-q2.gguf");
    unsigned all = v->tensor_count, half = all / 2;
    const struct {
        struct claim first, second;
        unsigned from, count; /* tensors of the second */
        const char *words[2];
    } cases[] = {
        {{0, 2, all, 0, 0}, {1, 3, all, 0, 0}, half, all - half, {"split.count is 3, expected 2"}},
        {{0, 2, all, 0, 0}, {0, 2, all, 0, 0}, half, all - half, {"split.no is 0, expected 1"}},
        {{0, 2, all, 0, 0}, {2, 2, all, 0, 0}, half, all - half, {"split.no is 2, expected less"}},
        {{0, 2, all, 0, 0},
         {1, 2, all + 1, 0, 0},
         half,
         all - half,
         {"split.tensors.count is 127, expected 126"}},
        {{0, 2, all + 1, 0, 0},
         {1, 2, all + 1, 0, 0},
         half,
         all - half,
         {"is 127, but the 2 parts have 126 tensors"}},
        {{0, 2, all, 0, 0}, {1, 2, all, 0, 0}, half - 1, all - half, {"is also in", "tensor "}},
        {{0, 2, all, 0, 0},
         {1, 2, all, "deepseek4.block_count", 5},
         half,
         all - half,
         {"deepseek4.block_count has another value in"}},
        {{0, 2, all, 0, 0},
         {1, 2, all, "deepseek4.other", 5},
         half,
         all - half,
         {"deepseek4.other is missing in"}},
        {{0, 2, all, 0, 0}, {0, 1, all, 0, 0}, half, all - half, {"split.count is 1, expected 2"}},
        {{0, 70000, all, 0, 0}, {1, 2, all, 0, 0}, half, all - half, {"expected at most 65535"}},
    };
    struct parts parts = name_parts("foreign", 2);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct ts_error error = {.code = TS_OK};
        write_part(v, parts.paths[0], &cases[i].first, true, v->tensors, half);
        write_part(v, parts.paths[1], &cases[i].second, false, v->tensors + cases[i].from,
                   cases[i].count);
        cr_assert(ts_gguf_open(parts.paths[0], &error) == NULL, "case %zu opens", i);
        for (int k = 0; k < 2 && cases[i].words[k]; k++) {
            cr_expect(error.code == TS_ERR_INPUT && strstr(error.message, cases[i].words[k]),
                      "case %zu: '%s' not in %s", i, cases[i].words[k], error.message);
        }
        cr_expect(!strchr(error.message, '\n') && strstr(error.message, "foreign-0000"));
    }
    test_variant_close(v);
    remove_parts(&parts);
}

static void expect_refused(const char *path, const char *words, const char *also)
{
    struct ts_error error = {.code = TS_OK};
    cr_assert(ts_gguf_open(path, &error) == NULL, "%s opens", path);
    cr_expect(strstr(error.message, words) && strstr(error.message, also), "%s", error.message);
}

Test(split, names)
{
    struct parts parts = name_parts("names", 2);
    struct test_path other = test_path("renamed.gguf");
    struct test_variant *v = test_variant_open("tests/data/tiny-q2.gguf");
    struct ts_rng rng;
    ts_rng_seed(&rng, 4);
    write_parts(v, &parts, false, &rng);
    expect_refused(parts.paths[1], "is part 2 of 2 of a split model: name the first part",
                   parts.paths[0]);
    cr_assert(rename(parts.paths[1], other.text) == 0);
    expect_refused(parts.paths[0], "No such file", "(part 2 of 2 of a split model)");
    expect_refused(parts.paths[0], parts.paths[1], "cannot be opened");
    expect_refused(other.text, "is part 2 of 2", "ends in -00002-of-00002.gguf");
    cr_assert(rename(parts.paths[0], other.text) == 0);
    expect_refused(other.text, "is part 1 of 2", "ends in -00001-of-00002.gguf");
    /* one part that says so is no split */
    struct claim alone = {0, 1, v->tensor_count, NULL, 0};
    write_part(v, other.text, &alone, true, v->tensors, v->tensor_count);
    struct ts_gguf *gguf = ts_gguf_open(other.text, NULL);
    cr_expect(gguf && gguf->part_count == 1);
    ts_gguf_close(gguf);
    unlink(other.text);
    test_variant_close(v);
}
