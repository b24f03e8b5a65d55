/* The checks themselves: they pass on the golden files, and each kind of damage is found. */
#include "base/thread_sanitizer.h"
#include "engine/check/golden.h"
#include "engine/check/trace_run.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *const models[] = {"tests/data/tiny-q2.gguf", "tests/data/tiny-q2.gguf",
                                     "tests/data/topk-q2.gguf"};
static const char *const traces[] = {"tests/data/tiny-q2.norounding.trace.gguf",
                                     "tests/data/tiny-q2.trace.gguf",
                                     "tests/data/topk-q2.trace.gguf"};

/* Runs a trace; a failure to run counts as a test failure. */
static struct ts_trace_result run(const char *model_path, const char *trace_path,
                                  const struct ts_trace_options *options)
{
    struct ts_error error = {.message = ""};
    struct ts_trace_result result = {.items = NULL};
    struct ts_model *model = ts_model_open(model_path, &error);
    cr_assert(model, "%s", error.message);
    struct ts_trace *trace = ts_trace_open(trace_path, model, &error);
    cr_assert(trace, "%s", error.message);
    cr_assert(ts_trace_run(model, trace, options, &result, &error), "%s", error.message);
    ts_trace_close(trace);
    ts_model_close(model);
    return result;
}

static void expect_golden(int i, uint32_t chunk)
{
    struct ts_trace_options options = {.chunk = chunk};
    struct ts_trace_result result = run(models[i], traces[i], &options);
    cr_expect(result.pass && result.logits.worst <= 1e-6 && result.logits.compared == 400 &&
                  result.logits.argmax_equal == 400,
              "%s chunk %u: %s", traces[i], chunk, result.reason);
    /* 4 layers of 16 kinds, 3 of them compressed, 2 with an indexer (2 kinds) */
    cr_expect(result.count == 4 * 16 + 3 + 2 * 2, "%u kinds of intermediates", result.count);
    ts_trace_result_free(&result);
}

/* One token a pass takes longest. The thread sanitizer sees it in the trace that has every operation:
 * what threads do is the same in the others. */
#ifdef TS_THREAD_SANITIZER
enum { ALWAYS_SINGLE = 0 };
#else
enum { ALWAYS_SINGLE = 1 };
#endif

/* One trace of each class at chunk sizes 400, 7 and 1. */
static void expect_class(int i, bool single)
{
    expect_golden(i, 400);
    expect_golden(i, 7);
    if (single) {
        expect_golden(i, 1);
    }
}

Test(check, class_exact)
{
    expect_class(0, ALWAYS_SINGLE);
}

Test(check, class_rounding)
{
    expect_class(1, ALWAYS_SINGLE);
}

Test(check, class_selection)
{
    expect_class(2, true);
}

Test(check, operation_vectors)
{
    struct ts_golden_result result;
    struct ts_error error = {.message = ""};
    cr_assert(ts_golden_check("tests/data/ops.gguf", &result, &error), "%s", error.message);
    for (unsigned i = 0; i < result.count; i++) {
        cr_expect(result.items[i].pass, "%s: worst %g", result.items[i].name,
                  result.items[i].worst);
    }
    cr_expect(result.pass && result.count == 23 && result.elements == 100640,
              "%u outputs, %llu elements", result.count, (unsigned long long)result.elements);
}

/* ---- damage ---- */

static unsigned char *read_whole(const char *path, size_t *size)
{
    FILE *file = fopen(path, "rb");
    cr_assert(file, "%s", path);
    fseek(file, 0, SEEK_END);
    *size = (size_t)ftell(file);
    rewind(file);
    unsigned char *data = malloc(*size);
    cr_assert(data && fread(data, 1, *size, file) == *size, "%s", path);
    fclose(file);
    return data;
}

/* A copy of a GGUF whose bytes of one tensor may be changed before it is written. */
struct copy {
    char path[96];
    unsigned char *data;
    size_t size;
    unsigned char *tensor;
    uint64_t bytes;
};

static struct copy copy_of(const char *path, const char *tensor, const char *name)
{
    struct copy copy;
    struct ts_error error;
    mkdir("build", 0777);
    mkdir("build/tmp", 0777);
    snprintf(copy.path, sizeof copy.path, "build/tmp/check-%ld-%s.gguf", (long)getpid(), name);
    copy.data = read_whole(path, &copy.size);
    struct ts_gguf *gguf = ts_gguf_open(path, &error);
    const struct ts_gguf_tensor *found = gguf ? ts_gguf_find_tensor(gguf, tensor) : NULL;
    cr_assert(found, "%s has no %s", path, tensor);
    copy.tensor = copy.data + found->offset;
    copy.bytes = found->bytes;
    ts_gguf_close(gguf);
    return copy;
}

static void write_copy(struct copy *copy)
{
    FILE *file = fopen(copy->path, "wb");
    cr_assert(file && fwrite(copy->data, 1, copy->size, file) == copy->size && !fclose(file));
    free(copy->data);
}

static void scale_floats(struct copy *copy, uint64_t first, uint64_t count, float factor)
{
    for (uint64_t i = first; i < first + count; i++) {
        float value;
        memcpy(&value, copy->tensor + i * sizeof value, sizeof value);
        value *= factor;
        memcpy(copy->tensor + i * sizeof value, &value, sizeof value);
    }
}

static const struct ts_trace_options whole = {.chunk = 400};

static void expect_failure(const char *model, const char *trace, const char *what, const char *why)
{
    struct ts_trace_result result = run(model, trace, &whole);
    cr_expect(!result.pass, "%s was not found", what);
    cr_expect(strstr(result.reason, why), "%s: reason '%s' lacks '%s'", what, result.reason, why);
    ts_trace_result_free(&result);
}

Test(check, damage_to_logits_is_found)
{
    struct copy copy = copy_of(traces[0], "logits", "scaled");
    scale_floats(&copy, 0, copy.bytes / 4, 1.01f);
    write_copy(&copy);
    expect_failure(models[0], copy.path, "logits scaled by 1.01", "logits: worst");
    unlink(copy.path);
    copy = copy_of(traces[0], "logits", "flipped");
    scale_floats(&copy, 399 * 512 + 77, 1, -1); /* one value of the last position */
    write_copy(&copy);
    expect_failure(models[0], copy.path, "one flipped logit", "logits: worst");
    unlink(copy.path);
}

/* One number of every kind of intermediate of layer 1 is changed: each must be found, and nothing in
 * the other layers. */
Test(check, damage_to_intermediates_is_found)
{
    struct ts_error error;
    struct copy copy = copy_of(traces[2], "tokens", "intermediates");
    struct ts_gguf *gguf = ts_gguf_open(traces[2], &error);
    for (int tap = 0; tap < TS_TAP_COUNT; tap++) {
        char name[64];
        snprintf(name, sizeof name, "blk.1.%s", ts_tap_name((enum ts_tap)tap));
        const struct ts_gguf_tensor *tensor = ts_gguf_find_tensor(gguf, name);
        uint64_t middle = tensor->bytes / 8;
        copy.tensor = copy.data + tensor->offset;
        if (ts_tap_is_index((enum ts_tap)tap)) {
            int32_t id;
            memcpy(&id, copy.tensor + middle * 4, sizeof id);
            id = id == 0 ? 1 : 0; /* in a selection: an id twice, or one that was not chosen */
            memcpy(copy.tensor + middle * 4, &id, sizeof id);
        } else {
            scale_floats(&copy, middle, 1, -1);
        }
    }
    ts_gguf_close(gguf);
    write_copy(&copy);
    struct ts_trace_result result = run(models[2], copy.path, &whole);
    cr_expect(!result.pass && strstr(result.reason, "blk.1.attn.hc_pre"), "%s", result.reason);
    for (unsigned i = 0; i < result.count; i++) {
        const struct ts_trace_item *item = &result.items[i];
        cr_expect((item->worst > 1e-6) == (item->layer == 1), "blk.%u.%s: worst %g", item->layer,
                  ts_tap_name(item->tap), item->worst);
    }
    ts_trace_result_free(&result);
    unlink(copy.path);
}

static void exchange(unsigned char *a, unsigned char *b, uint64_t bytes)
{
    for (uint64_t i = 0; i < bytes; i++) {
        unsigned char byte = a[i];
        a[i] = b[i];
        b[i] = byte;
    }
}

/* The same trace with its first and last position in each other's place. */
Test(check, positions_stand_in_any_order)
{
    struct ts_error error;
    struct copy copy = copy_of(traces[2], "tokens", "order");
    struct ts_gguf *gguf = ts_gguf_open(traces[2], &error);
    const struct ts_gguf_key *key = ts_gguf_find_key(gguf, "golden.positions");
    uint64_t last = key->count - 1;
    unsigned char *first = copy.data + (key->value - gguf->data);
    exchange(first, first + last * 4, 4);
    for (uint64_t i = 0; i < gguf->tensor_count; i++) {
        const struct ts_gguf_tensor *tensor = &gguf->tensors[i];
        if (tensor->shape[1] == key->count && tensor->name.data[0] == 'b') {
            uint64_t row = tensor->bytes / key->count;
            unsigned char *data = copy.data + tensor->offset;
            exchange(data, data + last * row, row);
        }
    }
    ts_gguf_close(gguf);
    write_copy(&copy);
    struct ts_trace_result result = run(models[2], copy.path, &whole);
    cr_expect(result.pass, "%s", result.reason);
    ts_trace_result_free(&result);
    unlink(copy.path);
}

Test(check, damage_to_weights_and_ids_is_found)
{
    static const char *const tensors[] = {"blk.2.ffn_down_exps.weight", "blk.0.attn_q_b.weight",
                                          "blk.3.indexer_compressor_kv.weight",
                                          "output_hc_fn.weight"};
    for (size_t i = 0; i < sizeof tensors / sizeof tensors[0]; i++) {
        struct copy copy = copy_of(models[0], tensors[i], "weight");
        copy.tensor[copy.bytes / 2 + 5] ^= 0x44; /* one byte */
        write_copy(&copy);
        expect_failure(copy.path, traces[1], tensors[i], i < 3 ? "off by" : "logits: worst");
        unlink(copy.path);
    }
    struct copy copy = copy_of(traces[1], "tokens", "id");
    copy.tensor[200 * 4] ^= 1; /* one id of 400 */
    write_copy(&copy);
    expect_failure(models[1], copy.path, "one id", "off by");
    unlink(copy.path);
}

Test(check, damage_to_operation_vectors_is_found)
{
    static const char *const tensors[] = {"quant.Q2_K.values",
                                          "quant.IQ2_XXS.blocks",
                                          "quant.Q8_0.source",
                                          "rope.plain.out",
                                          "rope.yarn.inverse",
                                          "fp8.out",
                                          "fp4.out",
                                          "hadamard.out",
                                          "hc.mixes",
                                          "hc.comb",
                                          "hc.reduced",
                                          "hc.expanded",
                                          "router.scores",
                                          "router.weights",
                                          "router.ids",
                                          "attention.out",
                                          "quant.MXFP4.values",
                                          "quant.Q4_K.blocks",
                                          "hc.pre",
                                          "hc.post"};
    for (size_t i = 0; i < sizeof tensors / sizeof tensors[0]; i++) {
        struct ts_golden_result result;
        struct ts_error error = {.message = ""};
        struct copy copy = copy_of("tests/data/ops.gguf", tensors[i], "vector");
        copy.tensor[copy.bytes / 2 / 4 * 4 + 2] ^= 0x3f;
        write_copy(&copy);
        cr_expect(ts_golden_check(copy.path, &result, &error), "%s", error.message);
        cr_expect(!result.pass, "%s: a changed byte was not found", tensors[i]);
        unlink(copy.path);
    }
}

/* ---- refusals ---- */

static void expect_refusal(const char *trace_path, const char *why)
{
    struct ts_error error = {.message = ""};
    struct ts_model *model = ts_model_open(models[0], &error);
    cr_assert(model, "%s", error.message);
    struct ts_trace *trace = ts_trace_open(trace_path, model, &error);
    cr_expect(!trace && error.code == TS_ERR_DATA && strstr(error.message, why),
              "%s: '%s' lacks '%s'", trace_path, error.message, why);
    ts_trace_close(trace);
    ts_model_close(model);
}

/* Overwrites the first occurrence of a name in a file with another of the same length. */
static void rename_in(struct copy *copy, const char *from, const char *to)
{
    for (size_t i = 0; i + strlen(from) < copy->size; i++) {
        if (memcmp(copy->data + i, from, strlen(from)) == 0) {
            memcpy(copy->data + i, to, strlen(to));
            return;
        }
    }
    cr_assert_fail("%s not found", from);
}

Test(check, files_that_are_no_traces_are_refused)
{
    static const char *const renames[][3] = {
        {"blk.2.attn.heads", "blk.2.attn.hands", "an intermediate of"},
        {"blk.2.attn.heads", "blk.7.attn.heads", "an intermediate of"},
        {"golden.class", "golden.klass", "golden.class"},
        {"golden.kv_rounding", "golden.kv_roundinG", "golden.kv_rounding"},
        {"golden.positions", "golden.positionS", "golden.positions"},
        {"exact", "exakt", "golden.class"},
    };
    expect_refusal("tests/data/ops.gguf", "golden.kv_rounding");
    expect_refusal("tests/data/topk-q2.trace.gguf", "blk.0.attn.q is F32");
    expect_refusal("tests/data/missing.gguf", "missing.gguf");
    for (size_t i = 0; i < sizeof renames / sizeof renames[0]; i++) {
        struct copy copy = copy_of(traces[0], "tokens", "renamed");
        rename_in(&copy, renames[i][0], renames[i][1]);
        write_copy(&copy);
        expect_refusal(copy.path, renames[i][2]);
        unlink(copy.path);
    }
    struct copy copy = copy_of(traces[0], "tokens", "id");
    memset(copy.tensor + 40, 0x7f, 4);
    write_copy(&copy);
    expect_refusal(copy.path, "token 10 has id");
    unlink(copy.path);
}

Test(check, vector_files_with_unknown_or_missing_tensors_are_refused)
{
    static const char *const renames[][2] = {{"hc.base", "hc.bass"},
                                             {"quant.Q2_K.values", "quant.Q9_K.values"},
                                             {"rope.positions", "rope.pOsitions"},
                                             {"attention.sink", "attention.sank"}};
    for (size_t i = 0; i < sizeof renames / sizeof renames[0]; i++) {
        struct ts_golden_result result;
        struct ts_error error = {.message = ""};
        struct copy copy = copy_of("tests/data/ops.gguf", "hc.fn", "renamed");
        rename_in(&copy, renames[i][0], renames[i][1]);
        write_copy(&copy);
        cr_expect(!ts_golden_check(copy.path, &result, &error) && error.code == TS_ERR_DATA,
                  "%s renamed to %s was accepted", renames[i][0], renames[i][1]);
        unlink(copy.path);
    }
    struct ts_golden_result result;
    struct ts_error error = {.message = ""};
    cr_expect(ts_golden_check("tests/data/vocab.gguf", &result, &error) && !result.pass,
              "a file without vectors passed");
}

/* ---- bounds ---- */

Test(check, bounds_follow_class_and_device)
{
    enum { COUNT = 400 };
    static const struct {
        enum ts_trace_class class;
        uint32_t real;
        double usual, odd;
        int odds; /* positions with the odd error */
        bool pass;
    } cases[] = {
        {TS_TRACE_EXACT, TS_F64, 1e-7, 1e-7, 0, true},
        {TS_TRACE_SELECTION, TS_F64, 1e-7, 2e-6, 1, false},
        {TS_TRACE_EXACT, TS_F32, 9e-6, 9e-6, 0, true},
        {TS_TRACE_EXACT, TS_F32, 1e-6, 1.1e-5, 1, false},
        {TS_TRACE_EXACT, TS_F32, 1e-6, NAN, 1, false},
        {TS_TRACE_ROUNDING, TS_F32, 1e-3, 1e-2, 100, true},
        {TS_TRACE_ROUNDING, TS_F32, 1e-3, 1e-2, 101, false},
        {TS_TRACE_ROUNDING, TS_F32, 1.6e-3, 0, 0, false},
        {TS_TRACE_SELECTION, TS_F32, 1e-3, 1, 8, true},
        {TS_TRACE_SELECTION, TS_F32, 1e-3, 1, 9, false},
        {TS_TRACE_SELECTION, TS_F32, 1e-3, NAN, 9, false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        double errors[COUNT];
        struct ts_logits_summary summary = {.compared = 0};
        struct ts_error error;
        for (int p = 0; p < COUNT; p++) {
            errors[p] = p < cases[i].odds ? cases[i].odd : cases[i].usual;
        }
        cr_assert(ts_logits_summarise(errors, COUNT, &summary, &error));
        struct ts_trace_bound bound = ts_trace_bound(cases[i].class, cases[i].real);
        cr_expect(ts_logits_pass(&summary, &bound) == cases[i].pass, "case %zu", i);
        summary.argmax_wrong = 1;
        cr_expect(!ts_logits_pass(&summary, &bound), "case %zu with a wrong argmax", i);
    }
    struct ts_logits_summary nothing = {.compared = 0};
    struct ts_trace_bound bound = ts_trace_bound(TS_TRACE_ROUNDING, TS_F32);
    cr_expect(!ts_logits_pass(&nothing, &bound), "nothing compared passed");
}

Test(check, noise_moves_the_logits_as_measured)
{
    struct ts_trace_options options = {.chunk = 400, .noise = 1e-6, .seed = 5};
    struct ts_trace_result result = run(models[0], traces[0], &options);
    cr_expect(result.logits.median > 1e-6 && result.logits.worst < 7.6e-6,
              "seed 5: median %g, worst %g", result.logits.median, result.logits.worst);
    double worst = result.logits.worst;
    ts_trace_result_free(&result);
    result = run(models[0], traces[0], &options);
    cr_expect(result.logits.worst == worst, "seed 5 does not replay: %g, %g", worst,
              result.logits.worst);
    ts_trace_result_free(&result);
}
