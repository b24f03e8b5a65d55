/* The GGUF reader: real files, typed values, and every refusal. */
#include "base/format.h"
#include "engine/gguf/gguf.h"

#include <criterion/criterion.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <math.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct image {
    uint8_t data[4096];
    uint64_t length;
};

static void emit(struct image *image, uint64_t value, uint64_t bytes)
{
    memcpy(image->data + image->length, &value, bytes);
    image->length += bytes;
}

/* Assembles a file from words: the magic, then bN, hN, dN, qN = N as 1, 2, 4 or 8 bytes; sTEXT = a
 * string with its length; pN = zeros up to a multiple of N; zN = N zeros. */
static struct image assemble(const char *words)
{
    struct image image = {.length = 4, .data = "GGUF"};
    char copy[2048];
    snprintf(copy, sizeof copy, "%s", words);
    char *rest = NULL;
    for (char *word = strtok_r(copy, " ", &rest); word; word = strtok_r(NULL, " ", &rest)) {
        uint64_t value = word[1] == '-' ? (uint64_t)strtoll(word + 1, NULL, 0)
                                        : (uint64_t)strtoull(word + 1, NULL, 0);
        switch (word[0]) {
        case 'b': emit(&image, value, 1); break;
        case 'h': emit(&image, value, 2); break;
        case 'd': emit(&image, value, 4); break;
        case 'q': emit(&image, value, 8); break;
        case 'p':
            while (image.length % value != 0) {
                emit(&image, 0, 1);
            }
            break;
        case 'z':
            for (uint64_t i = 0; i < value; i++) {
                emit(&image, 0, 1);
            }
            break;
        case 's':
            emit(&image, strlen(word + 1), 8);
            memcpy(image.data + image.length, word + 1, strlen(word + 1));
            image.length += strlen(word + 1);
            break;
        default: cr_assert_fail("unknown word %s in '%s'", word, words);
        }
    }
    return image;
}

/* Opens a copy of exactly that length, so that an address sanitizer sees one byte too far. */
static struct ts_gguf *open_copy(const void *data, uint64_t length, uint8_t **copy,
                                 struct ts_error *error)
{
    *copy = malloc(length ? length : 1);
    cr_assert(*copy);
    memcpy(*copy, data, length);
    *error = (struct ts_error){.code = TS_OK};
    return ts_gguf_open_memory("image", *copy, length, error);
}

static const struct {
    const char *path;
    uint64_t tensors, keys;
    const char *name; /* one tensor of it */
    uint32_t dimensions;
    uint64_t shape[2];
    uint32_t format;
    uint64_t offset; /* in the tensor data */
} files[] = {
    {"tests/data/ops.gguf", 49, 1, "quant.Q2_K.values", 2, {256, 32}, TS_F32, 9920},
    {"tests/data/tiny-q2.gguf", 126, 53, "output.weight", 2, {256, 512}, TS_Q8_0, 263168},
    {"tests/data/topk-q2.gguf", 126, 53, "output_norm.weight", 1, {256, 1}, TS_F32, 262144},
    {"tests/data/tiny-q2.trace.gguf", 73, 4, "tokens", 1, {400, 1}, TS_I32, 0},
    {"tests/data/topk-q2.trace.gguf", 73, 4, "blk.1.indexer.topk", 2, {16, 26}, TS_I32, 2104224},
    {"tests/data/vocab.gguf", 0, 13, NULL, 0, {0, 0}, 0, 0},
};

Test(gguf, opens_real_files)
{
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        struct ts_error error = {.code = TS_OK};
        struct ts_gguf *g = ts_gguf_open(files[i].path, &error);
        cr_assert(g, "%s", error.message);
        cr_expect(g->version == 3 && g->alignment == 32 && g->data_offset % 32 == 0, "%s", g->path);
        cr_expect_eq(g->tensor_count, files[i].tensors, "%s", g->path);
        cr_expect_eq(g->key_count, files[i].keys, "%s", g->path);
        for (uint64_t k = 0; k < g->tensor_count; k++) {
            char name[100];
            const struct ts_gguf_tensor *t = &g->tensors[k];
            snprintf(name, sizeof name, "%.*s", (int)t->name.length, t->name.data);
            cr_expect_eq(ts_gguf_find_tensor(g, name), t, "%s: %s", g->path, name);
        }
        cr_expect_null(ts_gguf_find_tensor(g, "token"), "%s", g->path);
        cr_expect_null(ts_gguf_find_key(g, "general"), "%s", g->path);
        if (files[i].name) {
            const struct ts_gguf_tensor *t = ts_gguf_find_tensor(g, files[i].name);
            cr_assert(t, "%s: %s", g->path, files[i].name);
            cr_expect_eq(t->dimensions, files[i].dimensions, "%s: %s", g->path, files[i].name);
            cr_expect_eq(t->shape[0], files[i].shape[0], "%s: %s", g->path, files[i].name);
            cr_expect_eq(t->shape[1], files[i].shape[1], "%s: %s", g->path, files[i].name);
            cr_expect(t->shape[2] == 1 && t->shape[3] == 1, "%s: %s", g->path, files[i].name);
            cr_expect_eq(t->format, files[i].format, "%s: %s", g->path, files[i].name);
            cr_expect_eq(t->offset, g->data_offset + files[i].offset, "%s: %s", g->path,
                         files[i].name);
            cr_expect_eq((const uint8_t *)ts_gguf_tensor_data(g, t), g->data + t->offset);
        }
        ts_gguf_close(g);
    }
    ts_gguf_close(NULL);
}

Test(gguf, reads_a_vocabulary)
{
    struct ts_error error = {.code = TS_OK};
    struct ts_gguf *g = ts_gguf_open("tests/data/vocab.gguf", &error);
    cr_assert(g, "%s", error.message);
    uint64_t number = 0;
    struct ts_text text;
    bool flag = true;
    cr_expect(ts_gguf_get_u64(g, "deepseek4.vocab_size", &number, &error) && number == 129280);
    cr_expect(ts_gguf_get_text(g, "tokenizer.ggml.model", &text, &error));
    cr_expect(ts_text_equals(text, "gpt2") && !ts_text_equals(text, "gpt"));
    cr_expect(ts_gguf_get_bool(g, "tokenizer.ggml.add_bos_token", &flag, &error) && !flag);
    const struct ts_gguf_key *tokens = ts_gguf_find_key(g, "tokenizer.ggml.tokens");
    const struct ts_gguf_key *types = ts_gguf_find_key(g, "tokenizer.ggml.token_type");
    cr_assert(tokens && types && tokens->type == TS_GGUF_ARRAY);
    cr_expect(tokens->element == TS_GGUF_STRING && tokens->count == 129280);
    const uint8_t *cursor = tokens->value;
    for (uint64_t i = 0; i < tokens->count; i++) {
        text = ts_gguf_next_text(&cursor);
        cr_assert(i != 3 || ts_text_equals(text, "!"), "token 3 is '%.*s'", (int)text.length,
                  text.data);
    }
    cr_expect_eq(cursor, tokens->value + tokens->bytes, "the walk ends where the array does");
    cr_expect(ts_gguf_array_u64(types, 0, &number) && number == 3);
    cr_expect(ts_gguf_array_u64(types, 3, &number) && number == 1);
    cr_expect(!ts_gguf_array_u64(types, types->count, &number));
    cr_expect(!ts_gguf_array_u64(tokens, 0, &number), "strings are no numbers");
    ts_gguf_close(g);
}

/* One key of each type: what the getters make of it. */
static const struct {
    const char *value; /* type and value */
    bool integer, real, flag, text;
    double number;
} values[] = {
    {"d0 b200", true, true, false, false, 200},
    {"d1 b-3", false, true, false, false, -3},
    {"d1 b7", true, true, false, false, 7},
    {"d2 h65535", true, true, false, false, 65535},
    {"d3 h-2", false, true, false, false, -2},
    {"d4 d4294967295", true, true, false, false, 4294967295.0},
    {"d5 d-1", false, true, false, false, -1},
    {"d5 d2147483647", true, true, false, false, 2147483647.0},
    {"d6 d0x3fc00000", false, true, false, false, 1.5},
    {"d7 b1", false, false, true, false, 1},
    {"d8 stext", false, false, false, true, 0},
    {"d9 d4 q1 d5", false, false, false, false, 0},
    {"d10 q0x8000000000000000", true, true, false, false, 0x1p63},
    {"d11 q-9", false, true, false, false, -9},
    {"d11 q9", true, true, false, false, 9},
    {"d12 q0xbfe0000000000000", false, true, false, false, -0.5},
    {"d6 d0x42000000", true, true, false, false, 32},
    {"d6 d0xc2000000", false, true, false, false, -32},
    {"d12 q0x40f0001000000000", true, true, false, false, 65537},
    {"d12 q0x4340000000000000", false, true, false, false, 0x1p53},
    {"d12 q0x7ff0000000000000", false, true, false, false, INFINITY},
};

Test(gguf, typed_values)
{
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
        for (uint32_t version = 2; version <= 3; version++) {
            char words[128];
            snprintf(words, sizeof words, "d%" PRIu32 " q0 q1 skey %s", version, values[i].value);
            struct image image = assemble(words);
            struct ts_error error;
            uint8_t *copy;
            struct ts_gguf *g = open_copy(image.data, image.length, &copy, &error);
            cr_assert(g, "%s: %s", words, error.message);
            cr_expect_eq(g->version, version);
            uint64_t integer = 0;
            double real = 0;
            bool flag = false;
            struct ts_text text = {"", 0};
            cr_expect_eq(ts_gguf_get_u64(g, "key", &integer, &error), values[i].integer, "%s",
                         words);
            cr_expect_eq(ts_gguf_get_f64(g, "key", &real, &error), values[i].real, "%s", words);
            cr_expect_eq(ts_gguf_get_bool(g, "key", &flag, &error), values[i].flag, "%s", words);
            cr_expect_eq(ts_gguf_get_text(g, "key", &text, &error), values[i].text, "%s", words);
            cr_expect(!values[i].integer || (double)integer == values[i].number, "%s", words);
            cr_expect(!values[i].real || real == values[i].number, "%s", words);
            cr_expect(!values[i].flag || flag, "%s", words);
            cr_expect(!values[i].text || ts_text_equals(text, "text"), "%s", words);
            if (!values[i].integer) {
                cr_expect(!ts_gguf_get_u64(g, "key", &integer, &error));
                cr_expect_eq(error.code, TS_ERR_INPUT, "%s", words);
                cr_expect(strstr(error.message, "key 'key' is "), "%s", error.message);
            }
            cr_expect(!ts_gguf_get_u64(g, "other", &integer, &error));
            cr_expect(strstr(error.message, "image: key 'other' is missing"), "%s", error.message);
            ts_gguf_close(g);
            free(copy);
        }
    }
}

Test(gguf, number_arrays)
{
    struct image image = assemble("d3 q0 q3 sa d9 d5 q3 d4 d0 d-5 sb d9 d12 q1 q0x3ff8000000000000 "
                                  "sc d9 d8 q0");
    struct ts_error error;
    uint8_t *copy;
    struct ts_gguf *g = open_copy(image.data, image.length, &copy, &error);
    cr_assert(g, "%s", error.message);
    const struct ts_gguf_key *a = ts_gguf_find_key(g, "a");
    const struct ts_gguf_key *b = ts_gguf_find_key(g, "b");
    const struct ts_gguf_key *c = ts_gguf_find_key(g, "c");
    uint64_t integer = 99;
    double real = 0;
    cr_assert(a && b && c && a->count == 3 && b->count == 1 && c->count == 0 && c->bytes == 0);
    cr_expect(ts_gguf_array_u64(a, 0, &integer) && integer == 4);
    cr_expect(!ts_gguf_array_u64(a, 2, &integer), "negative");
    cr_expect(ts_gguf_array_f64(a, 2, &real) && real == -5);
    cr_expect(!ts_gguf_array_f64(a, 3, &real) && !ts_gguf_array_f64(a, UINT64_MAX, &real));
    cr_expect(ts_gguf_array_f64(b, 0, &real) && real == 1.5);
    cr_expect(!ts_gguf_array_u64(b, 0, &integer), "a float is no integer");
    cr_expect(!ts_gguf_array_f64(NULL, 0, &real));
    ts_gguf_close(g);
    free(copy);
}

/* Files that must be refused with `expected` in the message. */
static const struct {
    const char *words;
    const char *expected;
} refused[] = {
    {"", "expected the version"},
    {"d1 q0 q0", "version 1, expected 2 or 3"},
    {"d4 q0 q0", "version 4"},
    {"d0x03000000 q0 q0", "big-endian"},
    {"d3 q0", "expected the key count"},
    /* counts beyond what follows; the first asks for 137 GB */
    {"d3 q2147483648 q0", "2147483648 tensors do not fit into the 0 bytes"},
    {"d3 q0 q0xffffffffffffffff z64", "keys do not fit into the 64 bytes"},
    {"d3 q0x1000000000000000 q0 z64", "tensors do not fit"},
    {"d3 q2 q0 z65", "2 tensors do not fit into the 65 bytes"},
    {"d3 q0 q2 z27", "2 keys do not fit into the 27 bytes"},
    {"d3 q0 q2 sk d0 b1 z14", "length 0, expected 1 to 65535"},
    /* strings */
    {"d3 q0 q1 q0xffffffffffffffff z32", "length 18446744073709551615, but only 32 bytes"},
    {"d3 q0 q1 q0xfffffffffffffff8 z32", "but only 32 bytes follow"},
    {"d3 q0 q1 q33 z32", "length 33, but only 32"},
    {"d3 q0 q1 sk d8 q1 z0", "length 1, but only 0"},
    {"d3 q0 q1 sk d8 q0xfffffffffffffff0 z9", "but only 9"},
    /* values and arrays */
    {"d3 q0 q1 sk d13 q0", "type 13, expected 0 to 12"},
    {"d3 q0 q1 sk d-1 q0", "type 4294967295"},
    {"d3 q0 q1 sk d10 d5", "expected the value of a key (8 bytes), but the file ends after 4"},
    {"d3 q0 q1 sk d7 b2", "bool 2, expected 0 or 1"},
    {"d3 q0 q1 sk d9 d4 q3 q0", "array of 3 values of u32, but 8 bytes follow"},
    {"d3 q0 q1 sk d9 d4 q0x4000000000000001 d0", "but 4 bytes follow"},
    {"d3 q0 q1 sk d9 d10 q0x2000000000000000 q0", "but 8 bytes follow"},
    {"d3 q0 q1 sk d9 d0 q0xffffffffffffffff d0", "but 4 bytes follow"},
    {"d3 q0 q1 sk d9 d8 q0x2000000000000000 q0", "strings, but 8 bytes follow"},
    {"d3 q0 q1 sk d9 d8 q2 q0 q1", "length 1, but only 0"},
    {"d3 q0 q1 sk d9 d8 q2 q0xffffffffffffffff q1", "but only 8 bytes"},
    {"d3 q0 q1 sk d9 d9 q1 d4 q1 d0", "array of type 9 (array), expected strings or numbers"},
    {"d3 q0 q1 sk d9 d13 q1 q0", "array of type 13 (unknown)"},
    {"d3 q0 q1 sk d9 d-1 q1 q0", "array of type 4294967295"},
    {"d3 q0 q3 ssame d0 b1 sother d0 b2 ssame d0 b3", "another key 'same'"},
    {"d3 q0 q1 s\x1b[2J\x07 d13 q0", "key '?[2J?' has"},
    /* alignment */
    {"d3 q0 q1 sgeneral.alignment d4 d0", "alignment is 0, expected a power of two"},
    {"d3 q0 q1 sgeneral.alignment d4 d3", "alignment is 3"},
    {"d3 q0 q1 sgeneral.alignment d4 d4", "alignment is 4"},
    {"d3 q0 q1 sgeneral.alignment d4 d48", "alignment is 48"},
    {"d3 q0 q1 sgeneral.alignment d4 d131072", "alignment is 131072"},
    {"d3 q0 q1 sgeneral.alignment d4 d0x80000000", "alignment is 2147483648"},
    {"d3 q0 q1 sgeneral.alignment d5 d-32", "alignment is 4294967264"},
    {"d3 q0 q1 sgeneral.alignment d10 q0x8000000000000000", "alignment is 9223372036854775808"},
    {"d3 q0 q1 sgeneral.alignment d10 q0x100000020", "alignment is 4294967328"},
    {"d3 q0 q1 sgeneral.alignment d11 q32", "is of type i64, expected u32, i32 or u64"},
    {"d3 q0 q1 sgeneral.alignment d2 h32", "is of type u16"},
    {"d3 q0 q1 sgeneral.alignment d8 s32", "is of type string"},
    {"d3 q0 q1 sgeneral.alignment d9 d4 q1 d32", "is of type array"},
    /* tensors */
    {"d3 q1 q0 stensor d0 d0 q0 p32 z64", "'tensor' has 0 dimensions, expected 1 to 4"},
    {"d3 q1 q0 st d5 q1 q1 q1 q1 q1 d0 q0 p32 z64", "has 5 dimensions"},
    {"d3 q1 q0 st d-1 q1 d0 q0 p32 z64", "has 4294967295 dimensions"},
    {"d3 q1 q0 st d1 q0 d0 q0 p32 z64", "has a dimension of 0"},
    {"d3 q1 q0 st d3 q8 q0 q2 d0 q0 p32 z64", "has a dimension of 0"},
    {"d3 q1 q0 st d2 q0x8000000000000000 q2 d0 q0 p32 z64", "size beyond 2^63"},
    {"d3 q1 q0 st d2 q0x100000001 q0x100000000 d24 q0 p32 z64", "size beyond 2^63"},
    {"d3 q1 q0 st d1 q0x4000000000000001 d0 q0 p32 z64", "size beyond 2^63"},
    {"d3 q1 q0 st d4 q0x10000 q0x10000 q0x10000 q0x10000 d24 q0 p32 z64", "size beyond 2^63"},
    {"d3 q1 q0 st d2 q0x4000000000000000 q1 d0 q0 p32 z64", "size beyond 2^63"},
    {"d3 q1 q0 st d1 q0x7fffffffffffffff d24 q0 p32 z64", "the file is cut short"},
    {"d3 q1 q0 st d2 q48 q1 d8 q0 p32 z64", "not a whole number of blocks"},
    {"d3 q1 q0 sodd.weight d1 q32 d43 q0 p32 z64",
     "'odd.weight' of type 43 (unknown), shape [32, 1, 1, 1], has a type that is not supported"},
    {"d3 q1 q0 st d1 q32 d-1 q0 p32 z64", "a type that is not supported"},
    {"d3 q1 q0 st d1 q16 d0 q8 p32 z96", "at 8, expected a multiple of 32"},
    {"d3 q1 q0 st d1 q16 d0 q32 p32 z95", "64 bytes at 32 of the tensor data, which ends at 95"},
    {"d3 q1 q0 st d1 q16 d0 q96 p32 z64", "the file is cut short"},
    {"d3 q1 q0 st d1 q16 d0 q0xffffffffffffffe0 p32 z64", "the file is cut short"},
    {"d3 q1 q0 st d1 q1 d0 q0", "expected tensor data, but the file ends here"},
    {"d3 q2 q0 sa d1 q16 d0 q0 sb d1 q8 d0 q32 p32 z64", "tensor 'b' at 128 overlaps tensor 'a'"},
    {"d3 q2 q0 sa d1 q8 d0 q32 sb d1 q9 d0 q0 p32 z64", "tensor 'a' at 128 overlaps tensor 'b'"},
    {"d3 q2 q0 sa d1 q8 d0 q0 sa d1 q8 d0 q32 p32 z64", "another tensor 'a'"},
};

Test(gguf, refuses_damaged_files)
{
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
        struct image image = assemble(refused[i].words);
        struct ts_error error;
        uint8_t *copy;
        struct ts_gguf *g = open_copy(image.data, image.length, &copy, &error);
        cr_expect_null(g, "'%s' was accepted, expected: %s", refused[i].words, refused[i].expected);
        cr_expect_eq(error.code, TS_ERR_INPUT, "'%s'", refused[i].words);
        cr_expect(strstr(error.message, refused[i].expected), "'%s': %s\nexpected: %s",
                  refused[i].words, error.message, refused[i].expected);
        cr_expect(strncmp(error.message, "image: offset ", 14) == 0, "%s", error.message);
        ts_gguf_close(g);
        free(copy);
    }
}

/* The neighbours of what is refused above: the reader must not refuse too much. */
static const char *const accepted[] = {
    "d2 q0 q0",
    "d3 q0 q1 sk d9 d4 q2 q0",
    "d3 q0 q1 sk d9 d8 q2 q0 q0",
    "d3 q0 q1 sgeneral.alignment d4 d8",
    "d3 q0 q1 sgeneral.alignment d5 d64",
    "d3 q0 q1 sgeneral.alignment d10 q65536",
    "d3 q1 q1 sgeneral.alignment d4 d8 sa d1 q2 d0 q8 p8 z16",
    "d3 q1 q0 sa d4 q1 q1 q1 q1 d0 q0 p32 z4",
    "d3 q1 q0 sa d1 q16 d0 q32 p32 z96",
    "d3 q1 q0 sa d2 q32 q1 d8 q0 p32 z34",
    "d3 q2 q0 sa d1 q8 d0 q32 sb d1 q8 d0 q0 p32 z64",
    "d3 q1 q1 sa d0 b1 sa d1 q8 d0 q0 p32 z32",
};

Test(gguf, accepts_what_is_just_right)
{
    for (size_t i = 0; i < sizeof accepted / sizeof accepted[0]; i++) {
        struct image image = assemble(accepted[i]);
        struct ts_error error;
        uint8_t *copy;
        struct ts_gguf *g = open_copy(image.data, image.length, &copy, &error);
        cr_expect(g, "'%s': %s", accepted[i], error.message);
        ts_gguf_close(g);
        free(copy);
    }
}

static void expect_unopened(const char *path, const char *expected)
{
    struct ts_error error = {.code = TS_OK};
    struct ts_gguf *g = ts_gguf_open(path, &error);
    cr_expect_null(g, "%s", path);
    cr_expect_eq(error.code, TS_ERR_INPUT, "%s", path);
    cr_expect(strstr(error.message, path) && strstr(error.message, expected), "%s: %s\nexpected %s",
              path, error.message, expected);
    ts_gguf_close(g);
}

Test(gguf, refuses_what_is_no_gguf_file)
{
    char path[64];
    mkdir("build", 0777);
    mkdir("build/tmp", 0777);
    snprintf(path, sizeof path, "build/tmp/gguf-%d", (int)getpid());
    expect_unopened(path, "cannot be opened: No such file");
    expect_unopened("tests/data", "is a directory");
    expect_unopened("/dev/null", "is not a regular file");
    expect_unopened("tests/data/README.md", "offset 0: not a GGUF file");
    cr_assert_eq(mkfifo(path, 0600), 0);
    expect_unopened(path, "is not a regular file");
    unlink(path);
    FILE *file = fopen(path, "wb");
    cr_assert(file);
    expect_unopened(path, "the file is empty");
    cr_assert_eq(fwrite("GGU", 1, 3, file), 3);
    cr_assert_eq(fclose(file), 0);
    expect_unopened(path, "expected the magic 'GGUF' (4 bytes), but the file ends after 3");
    unlink(path);
}
