/* The GGUF writer, read back; cut files; files of 80 GB with holes. */
#include "base/format.h"
#include "engine/gguf/write.h"

#include <criterion/criterion.h>

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

struct path {
    char text[80];
};

static struct path scratch(const char *name)
{
    struct path path;
    mkdir("build", 0777);
    mkdir("build/tmp", 0777);
    snprintf(path.text, sizeof path.text, "build/tmp/gguf-write-%d-%s", (int)getpid(), name);
    return path;
}

static struct ts_gguf_writer *create(const char *path)
{
    struct ts_error error = {.code = TS_OK};
    struct ts_gguf_writer *w = ts_gguf_writer_open(path, &error);
    cr_assert(w, "%s", error.message);
    return w;
}

static const uint64_t row[1] = {11};
static const uint64_t matrix[2] = {32, 3};
static const uint64_t cube[4] = {2, 3, 1, 5};

/* A small file with every kind of key and tensor; the last tensor is 30 floats long. */
static void write_small(const char *path)
{
    struct ts_gguf_writer *w = create(path);
    ts_gguf_put_text(w, "general.architecture", "deepseek4");
    ts_gguf_put_u32(w, "general.alignment", 32);
    ts_gguf_put_f32(w, "float", -0.25f);
    ts_gguf_put_bool(w, "yes", true);
    ts_gguf_put_bool(w, "no", false);
    ts_gguf_put_text(w, "empty", "");
    ts_gguf_put_array(w, "ints", TS_GGUF_I32, (int32_t[]){0, 4, 128, -1}, 4);
    ts_gguf_put_array(w, "doubles", TS_GGUF_F64, (double[]){0.5, 1e300}, 2);
    ts_gguf_put_array(w, "none", TS_GGUF_U8, NULL, 0);
    ts_gguf_put_text_array(w, "tokens", (struct ts_text[]){{"a", 1}, {"", 0}, {"x\0y", 3}}, 3);
    ts_gguf_declare(w, "row", TS_F32, 1, row);
    ts_gguf_declare(w, "matrix", TS_Q8_0, 2, matrix);
    ts_gguf_declare(w, "cube", TS_F32, 4, cube);
    uint8_t bytes[120];
    for (size_t i = 0; i < sizeof bytes; i++) {
        bytes[i] = (uint8_t)(i + 1);
    }
    ts_gguf_write_data(w, bytes, 44); /* 44 of 44, then 20 bytes of padding */
    ts_gguf_write_data(w, bytes, 2);  /* 102 in pieces, with a hole in the middle */
    ts_gguf_write_data(w, bytes, 0);
    ts_gguf_skip_data(w, 98);
    ts_gguf_write_data(w, bytes, 2);
    ts_gguf_write_data(w, bytes, 120);
    struct ts_error error = {.code = TS_OK};
    cr_assert(ts_gguf_writer_close(w, &error), "%s", error.message);
}

Test(gguf_write, reads_back)
{
    struct path path = scratch("small");
    write_small(path.text);
    struct ts_error error = {.code = TS_OK};
    struct ts_gguf *g = ts_gguf_open(path.text, &error);
    cr_assert(g, "%s", error.message);
    cr_expect(g->version == 3 && g->key_count == 10 && g->tensor_count == 3);
    struct ts_text text;
    double real = 0;
    bool yes = false;
    bool no = true;
    cr_expect(ts_gguf_get_text(g, "general.architecture", &text, NULL));
    cr_expect(ts_text_equals(text, "deepseek4"));
    cr_expect(ts_gguf_get_text(g, "empty", &text, NULL) && text.length == 0);
    cr_expect(ts_gguf_get_f64(g, "float", &real, NULL) && real == -0.25);
    cr_expect(ts_gguf_get_bool(g, "yes", &yes, NULL) && yes);
    cr_expect(ts_gguf_get_bool(g, "no", &no, NULL) && !no);
    cr_expect(ts_gguf_array_f64(ts_gguf_find_key(g, "ints"), 3, &real) && real == -1);
    cr_expect(ts_gguf_array_f64(ts_gguf_find_key(g, "doubles"), 1, &real) && real == 1e300);
    const struct ts_gguf_key *none = ts_gguf_find_key(g, "none");
    cr_expect(none && none->count == 0 && none->element == TS_GGUF_U8);
    const struct ts_gguf_key *tokens = ts_gguf_find_key(g, "tokens");
    cr_assert(tokens && tokens->count == 3);
    const uint8_t *cursor = tokens->value;
    cr_expect(ts_text_equals(ts_gguf_next_text(&cursor), "a"));
    cr_expect(ts_text_equals(ts_gguf_next_text(&cursor), ""));
    text = ts_gguf_next_text(&cursor);
    cr_expect(text.length == 3 && memcmp(text.data, "x\0y", 3) == 0);

    const struct ts_gguf_tensor *a = ts_gguf_find_tensor(g, "row");
    const struct ts_gguf_tensor *b = ts_gguf_find_tensor(g, "matrix");
    const struct ts_gguf_tensor *c = ts_gguf_find_tensor(g, "cube");
    cr_assert(a && b && c);
    cr_expect(a->bytes == 44 && b->bytes == 102 && c->bytes == 120);
    cr_expect(a->offset == g->data_offset && b->offset == a->offset + 64);
    cr_expect(c->offset == b->offset + 128 && g->size == c->offset + 128);
    cr_expect(c->dimensions == 4 && memcmp(c->shape, cube, sizeof cube) == 0);
    const uint8_t *data = ts_gguf_tensor_data(g, a);
    for (size_t i = 0; i < 320; i++) { /* padding and the hole read as zeros */
        size_t expected = i < 44                ? i + 1
                          : i == 64 || i == 164 ? 1
                          : i == 65 || i == 165 ? 2
                          : i >= 192 && i < 312 ? i - 191
                                                : 0;
        cr_expect_eq(data[i], expected, "byte %zu is %u, expected %zu", i, data[i], expected);
    }
    ts_gguf_close(g);
    unlink(path.text);
}

Test(gguf_write, every_cut_is_refused)
{
    struct path path = scratch("cut");
    write_small(path.text);
    struct ts_error error = {.code = TS_OK};
    struct ts_gguf *g = ts_gguf_open(path.text, &error);
    cr_assert(g, "%s", error.message);
    uint64_t end = ts_gguf_find_tensor(g, "cube")->offset + 120;
    cr_assert(end < 2048 && end < g->size);
    for (uint64_t length = 0; length <= g->size; length++) {
        uint8_t *copy = malloc(length ? length : 1); /* exact: a sanitizer sees one byte beyond */
        cr_assert(copy);
        memcpy(copy, g->data, length);
        struct ts_gguf *cut = ts_gguf_open_memory("cut", copy, length, &error);
        cr_expect_eq(cut != NULL, length >= end, "%" PRIu64 " of %" PRIu64 " bytes: %s", length,
                     g->size, error.message);
        ts_gguf_close(cut);
        free(copy);
    }
    for (uint64_t length = g->size; length-- > 0;) { /* the same through the file */
        cr_assert_eq(truncate(path.text, (off_t)length), 0);
        if (length % 16 == 0 || length == end - 1) {
            struct ts_gguf *cut = ts_gguf_open(path.text, &error);
            cr_expect_eq(cut != NULL, length >= end, "file of %" PRIu64 " bytes", length);
            ts_gguf_close(cut);
        }
    }
    ts_gguf_close(g);
    unlink(path.text);
}

/* Each case uses the writer wrongly; the file must be gone afterwards. */
enum misuse {
    NO_DATA,
    HALF,
    TOO_MUCH,
    BEYOND,
    LATE_KEY,
    LATE_TENSOR,
    BAD_SHAPE,
    BAD_TYPE,
    BAD_ARRAY,
    BAD_ALIGNMENT,
    HUGE,
    MISUSES
};

static const char *const complaints[MISUSES] = {
    [NO_DATA] = "tensor 't' was given 0 bytes, expected 128",
    [HALF] = "tensor 't' was given 64 bytes, expected 128",
    [TOO_MUCH] = "tensor 't' was given 129 bytes, expected 128",
    [BEYOND] = "1 bytes more than the tensors declared",
    [LATE_KEY] = "key 'late' comes after tensor data",
    [LATE_TENSOR] = "tensor 'late' of type F32 has a declaration after",
    [BAD_SHAPE] = "tensor 'odd' of type Q2_K has a row that is not a whole",
    [BAD_TYPE] = "a type that is not supported",
    [BAD_ARRAY] = "2 elements of type bool, expected numbers",
    [BAD_ALIGNMENT] = "general.alignment is 64",
    [HUGE] = "more bytes than a file can hold",
};

static void misuse(struct ts_gguf_writer *w, enum misuse what)
{
    static const uint8_t data[128];
    static const uint64_t huge[2] = {UINT64_C(1) << 30, UINT64_C(1) << 29};
    const uint64_t shape[1] = {32};
    ts_gguf_declare(w, "t", TS_F32, 1, shape);
    switch (what) {
    case NO_DATA: return;
    case HALF: ts_gguf_write_data(w, data, 64); return;
    case TOO_MUCH:
        ts_gguf_write_data(w, data, 1);
        ts_gguf_write_data(w, data, 128);
        return;
    case BAD_SHAPE: ts_gguf_declare(w, "odd", TS_Q2_K, 1, shape); break;
    case BAD_TYPE: ts_gguf_declare(w, "odd", 99, 1, shape); break;
    case BAD_ARRAY: ts_gguf_put_array(w, "odd", TS_GGUF_BOOL, data, 2); break;
    case BAD_ALIGNMENT: ts_gguf_put_u32(w, "general.alignment", 64); break;
    case HUGE:
        ts_gguf_declare(w, "a", TS_F64, 2, huge);
        ts_gguf_declare(w, "b", TS_F32, 2, huge);
        break;
    default: break;
    }
    ts_gguf_write_data(w, data, 128);
    switch (what) {
    case BEYOND: ts_gguf_skip_data(w, 1); break;
    case LATE_KEY: ts_gguf_put_u32(w, "late", 1); break;
    case LATE_TENSOR: ts_gguf_declare(w, "late", TS_F32, 1, shape); break;
    default: break;
    }
}

Test(gguf_write, wrong_use_is_an_error)
{
    struct path path = scratch("misuse");
    for (int i = 0; i < MISUSES; i++) {
        struct ts_gguf_writer *w = create(path.text);
        misuse(w, (enum misuse)i);
        struct ts_error error = {.code = TS_OK};
        cr_expect(!ts_gguf_writer_close(w, &error), "%s", complaints[i]);
        cr_expect_eq(error.code, TS_ERR_INPUT, "%s", complaints[i]);
        cr_expect(strstr(error.message, complaints[i]) && strstr(error.message, path.text),
                  "%s\nexpected: %s", error.message, complaints[i]);
        cr_expect(access(path.text, F_OK) != 0, "%s: the file is left over", complaints[i]);
    }
    struct ts_error error = {.code = TS_OK};
    cr_expect(ts_gguf_writer_close(create(path.text), &error), "an empty file is a GGUF file");
    unlink(path.text);
}

Test(gguf_write, cannot_create)
{
    static const char *const paths[] = {"build/tmp/no/such/folder", "tests", "/dev/null"};
    mkdir("build", 0777);
    mkdir("build/tmp", 0777);
    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
        struct ts_error error = {.code = TS_OK};
        cr_expect_null(ts_gguf_writer_open(paths[i], &error), "%s", paths[i]);
        cr_expect_eq(error.code, TS_ERR_ENVIRONMENT, "%s", paths[i]);
        cr_expect(strstr(error.message, paths[i]), "%s", error.message);
    }
    cr_expect_eq(access("/dev/null", F_OK), 0);
}

/* A limit on the size of files stands for a full disk: write fails in the same way. */
Test(gguf_write, full_disk)
{
    enum { LIMIT = 4 << 20, CHUNK = 1 << 20 };
    signal(SIGXFSZ, SIG_IGN);
    struct rlimit limit = {LIMIT, LIMIT};
    cr_assert_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
    struct path path = scratch("full");
    uint8_t *data = calloc(1, CHUNK);
    cr_assert(data);
    for (int hole = 0; hole <= 1; hole++) {
        struct ts_gguf_writer *w = create(path.text);
        ts_gguf_declare(w, "t", TS_I8, 2, (uint64_t[]){CHUNK, 8});
        for (int i = 0; i < 8; i++) {
            if (hole) {
                ts_gguf_skip_data(w, CHUNK);
            } else {
                ts_gguf_write_data(w, data, CHUNK);
            }
        }
        struct ts_error error = {.code = TS_OK};
        cr_expect(!ts_gguf_writer_close(w, &error), "hole %d", hole);
        cr_expect_eq(error.code, TS_ERR_ENVIRONMENT, "%s", error.message);
        cr_expect(strstr(error.message, path.text) && strstr(error.message, strerror(EFBIG)) &&
                      strstr(error.message, "8388704 bytes"),
                  "%s", error.message);
        cr_expect(access(path.text, F_OK) != 0, "the file is left over");
    }
    free(data);
}

enum { MODEL_TENSORS = 1328, MODEL_TOKENS = 129280 };

static void write_sparse_model(const char *path, const uint64_t *shape)
{
    struct ts_gguf_writer *w = create(path);
    struct ts_text *tokens = calloc(MODEL_TOKENS, sizeof *tokens);
    char *names = malloc((size_t)MODEL_TOKENS * 12);
    cr_assert(tokens && names);
    for (int i = 0; i < MODEL_TOKENS; i++) {
        char *name = names + (size_t)i * 12;
        tokens[i].data = name;
        tokens[i].length = (size_t)snprintf(name, 12, "token%d", i);
    }
    ts_gguf_put_text_array(w, "tokenizer.ggml.tokens", tokens, MODEL_TOKENS);
    free(tokens);
    free(names);
    for (int i = 0; i < MODEL_TENSORS; i++) {
        char name[32];
        snprintf(name, sizeof name, "blk.%d.tensor", i);
        ts_gguf_declare(w, name, TS_F16, 2, shape);
    }
    for (int i = 0; i < MODEL_TENSORS; i++) {
        ts_gguf_skip_data(w, 2 * shape[0] * shape[1]);
    }
    struct ts_error error = {.code = TS_OK};
    cr_assert(ts_gguf_writer_close(w, &error), "%s", error.message);
}

/* Whether the page that holds a byte of the mapping is in memory. */
static bool resident(const uint8_t *at)
{
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
    unsigned char state = 0;
    void *start = (void *)((uintptr_t)at & ~(page - 1));
    cr_assert_eq(mincore(start, page, (void *)&state), 0, "mincore: %s", strerror(errno));
    return state & 1;
}

Test(gguf_write, opening_80_gb_reads_no_tensor_data)
{
    static const uint64_t shape[2] = {4096, 7680}; /* 62,914,560 bytes */
    struct path path = scratch("sparse");
    write_sparse_model(path.text, shape);
    struct stat status;
    cr_assert_eq(stat(path.text, &status), 0);
    cr_expect_gt(status.st_size, INT64_C(80000000000));
    cr_expect_lt(status.st_blocks * 512, INT64_C(64) << 20, "the data is not a hole");

    struct timespec begin;
    struct timespec end;
    struct ts_error error = {.code = TS_OK};
    clock_gettime(CLOCK_MONOTONIC, &begin);
    struct ts_gguf *g = ts_gguf_open(path.text, &error);
    clock_gettime(CLOCK_MONOTONIC, &end);
    cr_assert(g, "%s", error.message);
    cr_log_info("opening took %.1f ms", (double)(end.tv_sec - begin.tv_sec) * 1e3 +
                                            (double)(end.tv_nsec - begin.tv_nsec) * 1e-6);
    cr_expect_eq(g->tensor_count, MODEL_TENSORS);
    const struct ts_gguf_key *tokens = ts_gguf_find_key(g, "tokenizer.ggml.tokens");
    cr_expect(tokens && tokens->count == MODEL_TOKENS);
    const struct ts_gguf_tensor *last = ts_gguf_find_tensor(g, "blk.1327.tensor");
    cr_assert(last && last->offset + last->bytes == g->size);
    uint64_t read = 0;
    for (uint64_t i = 0; i < g->tensor_count; i++) {
        const struct ts_gguf_tensor *t = &g->tensors[i];
        const uint8_t *data = ts_gguf_tensor_data(g, t);
        /* the first page of the first tensor may come along with the end of the directory */
        read += i > 0 && resident(data);
        read += resident(data + t->bytes / 2);
        read += i + 1 < g->tensor_count && resident(data + t->bytes - 1);
    }
    cr_expect_eq(read, 0, "%" PRIu64 " pages of tensor data were read", read);
    const volatile uint8_t *middle = g->data + last->offset + last->bytes / 2;
    cr_expect_eq(*middle, 0);
    cr_expect(resident(g->data + last->offset + last->bytes / 2), "this test would notice a read");
    ts_gguf_close(g);
    unlink(path.text);
}
