/* Synthetic models: make-model's files load, look like the golden models, and run. */
#include "base/format.h"
#include "engine/model/inventory.h"
#include "engine/session/session.h"
#include "engine/tokenizer/tokenizer.h"
#include "reference/quant.h"
#include "tests/support/program.h"

#include <math.h>
#include <signal.h>
#include <sys/statvfs.h>

static char output[65536];

static const char *const recipes[] = {"q2", "q4", "q2-q4", "q8", "f16", "bf16"};
enum { RECIPES = sizeof recipes / sizeof recipes[0] };

static void make(const char *arguments, const char *path)
{
    int code = test_run(output, sizeof output, "make-model %s -o %s", arguments, path);
    cr_assert(code == 0, "make-model %s: exit %d: %s", arguments, code, output);
}

static struct ts_model *open_model(const char *path)
{
    struct ts_error error = {.code = TS_OK};
    struct ts_model *model = ts_model_open(path, &error);
    cr_assert(model != NULL, "%s", error.message);
    cr_assert(ts_model_check_data(model, &error), "%s", error.message);
    return model;
}

static struct ts_model *make_and_open(const char *arguments, const char *path)
{
    make(arguments, path);
    return open_model(path);
}

struct statistics {
    double mean;
    double deviation;
};

static struct statistics statistics_of(const struct ts_gguf *gguf,
                                       const struct ts_gguf_tensor *tensor)
{
    uint64_t count = tensor->shape[0] * tensor->shape[1] * tensor->shape[2];
    double *values = malloc(count * sizeof *values), sum = 0, squares = 0;
    cr_assert(values != NULL);
    ts_decode(tensor->format, ts_gguf_tensor_data(gguf, tensor), count, values);
    for (uint64_t i = 0; i < count; i++) {
        cr_assert(isfinite(values[i]), "%.*s[%llu]", (int)tensor->name.length, tensor->name.data,
                  (unsigned long long)i);
        sum += values[i];
        squares += values[i] * values[i];
    }
    free(values);
    double mean = sum / (double)count;
    return (struct statistics){mean, sqrt(squares / (double)count - mean * mean)};
}

/* Every tensor of the golden tiny model, and no other, of the same shape and like statistics. */
Test(make_model, like_golden)
{
    struct test_path path = test_path("like.gguf");
    struct ts_model *golden = open_model("tests/data/tiny-q2.gguf");
    for (int r = 0; r < RECIPES; r++) {
        char arguments[80];
        snprintf(arguments, sizeof arguments, "--geometry tiny --recipe %s", recipes[r]);
        struct ts_model *model = make_and_open(arguments, path.text);
        cr_assert(model->gguf->tensor_count == golden->gguf->tensor_count);
        cr_expect(strcmp(ts_recipe_name(ts_recipe_of(model)), recipes[r]) == 0);
        for (uint64_t i = 0; i < golden->gguf->tensor_count; i++) {
            const struct ts_gguf_tensor *theirs = &golden->gguf->tensors[i];
            char name[80];
            snprintf(name, sizeof name, "%.*s", (int)theirs->name.length, theirs->name.data);
            const struct ts_gguf_tensor *ours = ts_gguf_find_tensor(model->gguf, name);
            cr_assert(ours != NULL, "%s", name);
            cr_assert(memcmp(ours->shape, theirs->shape, sizeof ours->shape) == 0, "%s", name);
            cr_expect(r > 0 || ours->format == theirs->format, "%s", name);
            if (theirs->format == TS_I32 || theirs->bytes < 1024) {
                continue; /* too few for statistics */
            }
            struct statistics a = statistics_of(model->gguf, ours);
            struct statistics b = statistics_of(golden->gguf, theirs);
            cr_expect(fabs(a.mean - b.mean) < 0.2 * b.deviation &&
                          fabs(a.deviation / b.deviation - 1) < 0.2,
                      "%s %s: mean %g deviation %g, golden %g %g", recipes[r], name, a.mean,
                      a.deviation, b.mean, b.deviation);
        }
        ts_model_close(model);
    }
    ts_model_close(golden);
    unlink(path.text);
}

static bool same_data(const struct ts_model *a, const struct ts_model *b, uint64_t tensor)
{
    const struct ts_gguf_tensor *x = &a->gguf->tensors[tensor], *y = &b->gguf->tensors[tensor];
    return x->bytes == y->bytes &&
           memcmp(ts_gguf_tensor_data(a->gguf, x), ts_gguf_tensor_data(b->gguf, y), x->bytes) == 0;
}

Test(make_model, deterministic)
{
    static const char *const variants[] = {
        "--geometry tiny", "--geometry tiny --seed 1 --recipe q2", "--geometry tiny --seed 2",
        "--geometry tiny --recipe q4"};
    struct test_path paths[4];
    struct ts_model *models[4];
    for (int i = 0; i < 4; i++) {
        char name[16];
        snprintf(name, sizeof name, "same%d.gguf", i);
        paths[i] = test_path(name);
        models[i] = make_and_open(variants[i], paths[i].text);
    }
    cr_assert(models[0]->gguf->size == models[1]->gguf->size);
    cr_expect(memcmp(models[0]->gguf->data, models[1]->gguf->data, models[0]->gguf->size) == 0);
    unsigned shared = 0;
    for (uint64_t i = 0; i < models[0]->gguf->tensor_count; i++) {
        struct ts_text name = models[0]->gguf->tensors[i].name;
        cr_expect(!same_data(models[0], models[2], i), "%.*s is the same with another seed",
                  (int)name.length, name.data);
        shared += same_data(models[0], models[3], i);
    }
    cr_expect(shared == models[0]->gguf->tensor_count - 3 * 4,
              "%u tensors shared by q2 and q4, expected all but the experts", shared);
    for (int i = 0; i < 4; i++) {
        ts_model_close(models[i]);
        unlink(paths[i].text);
    }
}

Test(make_model, expert_ids_differ)
{
    struct test_path path = test_path("ids.gguf");
    struct ts_model *model = make_and_open("--geometry tiny --experts 9 --seed 7", path.text);
    cr_assert(model->config.experts == 9);
    uint64_t seen[9] = {0};
    for (uint32_t layer = 0; layer < model->config.hash_layers; layer++) {
        const struct ts_gguf_tensor *table = model->layers[layer][TS_TENSOR_ffn_gate_tid2eid];
        const uint8_t *data = ts_gguf_tensor_data(model->gguf, table);
        for (uint64_t row = 0; row < table->shape[1]; row++) {
            int32_t ids[6];
            memcpy(ids, data + row * sizeof ids, sizeof ids);
            for (int i = 0; i < 6; i++) {
                seen[ids[i]]++;
                for (int k = 0; k < i; k++) {
                    cr_assert(ids[i] != ids[k], "layer %u row %llu", layer,
                              (unsigned long long)row);
                }
            }
        }
    }
    for (int expert = 0; expert < 9; expert++) {
        cr_expect(seen[expert] > 500 && seen[expert] < 900, "expert %d: %llu of 6144", expert,
                  (unsigned long long)seen[expert]);
    }
    ts_model_close(model);
    unlink(path.text);
}

/* How often each of the 8 experts was chosen, by layer. */
struct choices {
    unsigned used[4][8];
};

static bool count_choices(void *context, const struct ts_tap_event *event, struct ts_error *error)
{
    struct choices *choices = context;
    (void)error;
    for (uint64_t i = 0; event->tap == TS_TAP_router_ids && i < event->rows * event->width; i++) {
        int32_t id;
        memcpy(&id, (const char *)ts_slice_contents(event->slice) + i * sizeof id, sizeof id);
        cr_assert(event->layer < 4 && id >= 0 && id < 8);
        choices->used[event->layer][id]++;
    }
    return true;
}

Test(make_model, runs)
{
    struct test_path path = test_path("run.gguf");
    for (int r = 0; r < RECIPES; r++) {
        char arguments[80];
        snprintf(arguments, sizeof arguments, "--geometry tiny --recipe %s", recipes[r]);
        struct ts_model *model = make_and_open(arguments, path.text);
        struct ts_session_options options = {.context = 256, .threads = 1};
        struct ts_error error = {.code = TS_OK};
        struct ts_session *session = ts_session_open(model, &options, &error);
        cr_assert(session != NULL, "%s", error.message);
        struct choices choices;
        memset(&choices, 0, sizeof choices);
        ts_session_set_tap(session, count_choices, &choices);
        int32_t tokens[140];
        for (int i = 0; i < 140; i++) {
            tokens[i] = 3 + i * 37 % 500;
        }
        cr_assert(ts_session_feed(session, tokens, 140, &error), "%s", error.message);
        const double *logits = ts_session_logits(session);
        double squares = 0;
        for (uint32_t i = 0; i < model->config.vocab; i++) {
            cr_assert(isfinite(logits[i]), "%s: logit %u", recipes[r], i);
            squares += logits[i] * logits[i];
        }
        double rms = sqrt(squares / model->config.vocab);
        cr_expect(rms > 0.3 && rms < 3, "%s: logits have rms %g", recipes[r], rms);
        for (int layer = 0; layer < 4; layer++) {
            for (int expert = 0; expert < 8; expert++) { /* of 140 tokens; evenly: 105 */
                unsigned used = choices.used[layer][expert];
                cr_expect(used > 0 && used < 140, "%s: layer %d uses expert %d %u times",
                          recipes[r], layer, expert, used);
            }
        }
        ts_session_close(session);
        ts_model_close(model);
    }
    unlink(path.text);
}

static void check_text(const struct ts_model *model)
{
    static const char text[] = "The kernel that ran on the device is wrong.\n<think>";
    struct ts_error error = {.code = TS_OK};
    struct ts_tokenizer *tokenizer = ts_tokenizer_open(model->gguf, &error);
    cr_assert(tokenizer != NULL, "%s", error.message);
    cr_expect(ts_tokenizer_vocab(tokenizer) == model->config.vocab);
    struct ts_ids ids = {NULL, 0, 0};
    cr_assert(ts_tokenizer_encode(tokenizer, text, sizeof text - 1, true, &ids, &error));
    cr_expect(ids.count < 35, "%zu tokens for %zu bytes: no merges?", ids.count, sizeof text - 1);
    cr_expect(ids.data[ids.count - 1] == ts_tokenizer_find(tokenizer, "<think>"));
    char *back;
    size_t length;
    cr_assert(ts_tokenizer_decode(tokenizer, ids.data, ids.count, &back, &length, &error));
    cr_expect(length == sizeof text - 1 && memcmp(back, text, length) == 0, "%s", back);
    static const char *const names[] = {"<｜begin▁of▁sentence｜>", "<｜end▁of▁sentence｜>",
                                        "<｜User｜>", "<｜Assistant｜>", "</think>"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        cr_expect(ts_tokenizer_find(tokenizer, names[i]) >= 0, "%s", names[i]);
    }
    cr_expect(ts_tokenizer_bos(tokenizer) == 0 && ts_tokenizer_eos(tokenizer) == 1);
    free(back);
    ts_ids_free(&ids);
    ts_tokenizer_close(tokenizer);
}

Test(make_model, vocabularies)
{
    static const struct {
        const char *arguments;
        uint32_t vocab;
        const char *last;
    } cases[] = {
        {"--geometry tiny", 512, "｜DSML｜"},
        {"--geometry tiny --sparse --vocab tests/data/vocab.gguf", 129280,
         "<｜place▁holder▁no▁1279｜>"},
        {"--geometry layers4 --experts 6 --sparse", 129280, "<｜place▁holder▁no▁128767｜>"},
        {"--geometry layers4 --experts 6 --sparse --vocab tests/data/tiny-q2.gguf", 129280,
         "<｜place▁holder▁no▁128767｜>"},
        {"--geometry layers4 --experts 6 --sparse --vocab tests/data/vocab.gguf", 129280,
         "<｜place▁holder▁no▁1279｜>"},
    };
    struct test_path path = test_path("vocabulary.gguf");
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct ts_model *model = make_and_open(cases[i].arguments, path.text);
        cr_expect(model->config.vocab == cases[i].vocab, "%s", cases[i].arguments);
        const struct ts_gguf_key *key = ts_gguf_find_key(model->gguf, "tokenizer.ggml.tokens");
        cr_assert(key && key->count == cases[i].vocab);
        const uint8_t *cursor = key->value;
        struct ts_text last = {NULL, 0};
        for (uint64_t k = 0; k < key->count; k++) {
            last = ts_gguf_next_text(&cursor);
        }
        cr_expect(ts_text_equals(last, cases[i].last), "%s: %.*s", cases[i].arguments,
                  (int)last.length, last.data);
        check_text(model);
        ts_model_close(model);
    }
    unlink(path.text);
}

/* The layers of the real size, one of each kind. */
Test(make_model, layers4)
{
    struct test_path path = test_path("layers4.gguf");
    struct ts_model *model = make_and_open("--geometry layers4 --experts 16 --sparse", path.text);
    const struct ts_config *c = &model->config;
    cr_expect(c->layers == 4 && c->width == 4096 && c->heads == 64 && c->experts == 16 &&
              c->expert_width == 2048 && c->index_top_k == 512 && c->hash_layers == 2);
    cr_expect(c->ratio[0] == 0 && c->ratio[1] == 4 && c->ratio[2] == 128 && c->ratio[3] == 4);
    const uint64_t *shape = model->layers[3][TS_TENSOR_ffn_down_exps]->shape;
    cr_expect(shape[0] == 2048 && shape[1] == 4096 && shape[2] == 16);
    ts_model_close(model);
    unlink(path.text);
}

/* The published file: 1,328 tensors, and the bytes of each type (spec 4.2). */
Test(make_model, flash)
{
    static const struct {
        uint32_t format;
        uint64_t bytes;
    } types[] = {{TS_F16, 2191345664}, {TS_F32, 1845596},         {TS_Q8_0, 6598885376},
                 {TS_I32, 9308160},    {TS_IQ2_XXS, 47613739008}, {TS_Q2_K, 30299652096}};
    struct test_path path = test_path("flash.gguf");
    struct ts_model *model = make_and_open("--geometry flash --recipe q2 --sparse", path.text);
    struct ts_inventory *inventory = malloc(sizeof *inventory);
    cr_assert(inventory != NULL);
    ts_inventory_count(model->gguf, model, inventory);
    cr_expect(inventory->tensors == 1328);
    cr_expect(inventory->data_bytes == 86714777664);
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
        cr_expect(inventory->formats[types[i].format].bytes == types[i].bytes, "%s: %llu",
                  ts_format_name(types[i].format),
                  (unsigned long long)inventory->formats[types[i].format].bytes);
    }
    free(inventory);
    ts_model_close(model);

    int code = test_run(output, sizeof output, "touchstone inspect %s --json", path.text);
    cr_expect(code == 0, "%s", output);
    static const char *const shown[] = {"\"tensors\":\t1328,",
                                        "\"data_bytes\":\t86714777664,",
                                        "\"bytes\":\t47613739008",
                                        "\"recipe\":\t\"q2\"",
                                        "\"bytes_per_token\":\t9559118244,",
                                        "\"expert_bytes_per_token\":\t1826095104,"};
    for (size_t i = 0; i < sizeof shown / sizeof shown[0]; i++) {
        cr_expect(strstr(output, shown[i]) != NULL, "%s not in %s", shown[i], output);
    }
    struct stat status;
    cr_assert(stat(path.text, &status) == 0);
    cr_expect(status.st_blocks * 512 < 64 << 20, "the sparse file takes disk space");

    model = make_and_open("--geometry flash --recipe q4 --sparse", path.text);
    cr_expect(model->layers[0][TS_TENSOR_ffn_up_exps]->format == TS_Q4_K);
    ts_model_close(model);
    model = make_and_open("--geometry flash --recipe q2-q4 --sparse", path.text);
    cr_expect(model->layers[36][TS_TENSOR_ffn_up_exps]->format == TS_IQ2_XXS);
    cr_expect(model->layers[37][TS_TENSOR_ffn_down_exps]->format == TS_Q4_K);
    cr_expect(ts_recipe_of(model) == TS_RECIPE_Q2_Q4);
    ts_model_close(model);
    unlink(path.text);
}

/* One line that says what is wrong, the documented exit code, and no file. */
Test(make_model, refusals)
{
    static const struct {
        const char *arguments;
        int code;
        const char *message;
    } cases[] = {
        {"", 2, "--geometry"},
        {"--geometry huge", 2, "huge"},
        {"--geometry tiny --recipe q3", 2, "q3"},
        {"--geometry tiny --experts 5", 2, "6 to 4096"},
        {"--geometry tiny --experts 12x", 2, "12x"},
        {"--geometry tiny --seed -1", 2, "-1"},
        {"--geometry tiny --wrong", 2, "--wrong"},
        {"--geometry tiny surplus", 2, "surplus"},
        {"--geometry tiny --vocab nowhere.gguf", 2, "nowhere.gguf"},
        {"--geometry tiny --vocab tests/data/ops.gguf", 2, "tokenizer.ggml.tokens"},
    };
    struct test_path path = test_path("refused.gguf");
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        int code =
            test_run(output, sizeof output, "make-model %s -o %s", cases[i].arguments, path.text);
        cr_expect(code == cases[i].code, "%s: exit %d: %s", cases[i].arguments, code, output);
        cr_expect(strstr(output, cases[i].message) != NULL, "%s: %s", cases[i].arguments, output);
        cr_expect(test_file_size(path.text) < 0, "%s left a file", cases[i].arguments);
    }
    cr_expect(test_run(output, sizeof output, "make-model --geometry tiny") == 2);
    cr_expect(test_run(output, sizeof output, "make-model --help") == 0);
    cr_expect(test_run(output, sizeof output, "make-model --geometry tiny -o build/tmp") == 4);
    cr_expect(test_run(output, sizeof output, "make-model --geometry tiny -o nowhere/x.gguf") == 4);
}

/* A failed run leaves the old file as it was and nothing beside it. */
Test(make_model, no_space)
{
    struct test_path path = test_path("old.gguf");
    struct statvfs space;
    cr_assert(statvfs("build/tmp", &space) == 0);
    if ((double)space.f_bavail * (double)space.f_frsize > 8e12) {
        return; /* the model below would fit */
    }
    make("--geometry tiny", path.text);
    long long size = test_file_size(path.text);
    int code = test_run(output, sizeof output,
                        "make-model --geometry flash --recipe f16 --experts 4096 -o %s", path.text);
    cr_expect(code == 4, "exit %d", code);
    cr_expect(strstr(output, "bytes, ") && strstr(output, "are free"), "%s", output);
    cr_expect(test_file_size(path.text) == size);
    unlink(path.text);
}

Test(make_model, interrupted)
{
    struct test_path path = test_path("interrupted.gguf");
    char temporary[128], program[128];
    snprintf(temporary, sizeof temporary, "%s.tmp", path.text);
    snprintf(program, sizeof program, "%s/make-model", test_build());
    pid_t child = fork();
    cr_assert(child >= 0);
    if (child == 0) {
        cr_assert(freopen("/dev/null", "w", stdout) && freopen("/dev/null", "w", stderr));
        execl(program, program, "--geometry", "layers4", "--experts", "6", "-o", path.text,
              (char *)NULL);
        _exit(99);
    }
    int status = 0;
    for (int i = 0; i < 5000 && test_file_size(temporary) < 1 << 24; i++) {
        cr_assert(waitpid(child, &status, WNOHANG) == 0, "it ended by itself: %d", status);
        usleep(1000);
    }
    kill(child, SIGINT);
    cr_assert(waitpid(child, &status, 0) == child);
    cr_expect(WIFEXITED(status) && WEXITSTATUS(status) == 130, "status %d", status);
    cr_expect(test_file_size(temporary) < 0 && test_file_size(path.text) < 0, "files are left");
}
