/* touchstone tokenize: text to token ids and back. */
#include "tools/touchstone/cli.h"
#include "tools/touchstone/options.h"
#include "engine/tokenizer/tokenizer.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const uint64_t LONGEST_INPUT = INT32_MAX;

struct tokenize_options {
    const char *model;
    const char *prompt;
    const char *file;
    const char *vectors;
    bool decode;
    bool plain;
};

static const char head[] =
    "usage: touchstone tokenize -m FILE [options]\n\n"
    "Prints the token ids of a text on one line, separated by spaces. The text comes from\n"
    "-p, from -f, or from standard input.\n\n";

static const char tail[] =
    "\nexit codes: 0 ok; 1 a vector failed, is damaged, or none was read; 2 usage or refused\n"
    "  input; 4 environment\n";

enum { VECTORS = 1, DECODE = 2, ENCODE = 4 };
static const struct ts_option_mode modes[] = {
    {"vectors", NULL}, {"decode", NULL}, {NULL, "when a text is encoded"}};

static bool read_options(int argc, char **argv, struct tokenize_options *o, int *code)
{
    struct ts_options options = {.verb = "tokenize", .head = head, .tail = tail, .modes = modes};
    const struct ts_option lines[] = {
        TS_TEXT("model", 'm', &o->model, "FILE", "GGUF with the vocabulary; it needs no tensors",
                .needed = VECTORS | DECODE | ENCODE),
        TS_TEXT("prompt", 'p', &o->prompt, "TEXT", "the text", .modes = ENCODE | DECODE,
                .group = 'p'),
        TS_TEXT("file", 'f', &o->file, "FILE", "a file with the text ('-' is standard input)",
                .modes = ENCODE | DECODE, .group = 'p'),
        TS_FLAG("plain", 0, &o->plain, "added tokens such as <think> are ordinary text",
                .modes = ENCODE),
        TS_FLAG("decode", 0, &o->decode, "the input is ids; prints their text, adding nothing",
                .modes = DECODE),
        TS_TEXT("vectors", 0, &o->vectors, "FILE",
                "checks lines of {\"text\": ..., \"ids\": [...]} both ways; the\n"
                "last line is 'N passed, N failed'",
                .modes = VECTORS),
    };
    TS_OPTIONS_ADD(&options, lines);
    return ts_options_read(&options, argc, argv, code);
}

static bool encode(struct ts_tokenizer *tokenizer, const char *text, size_t length, bool specials,
                   struct ts_error *error)
{
    struct ts_ids ids = {NULL, 0, 0};
    bool ok = ts_tokenizer_encode(tokenizer, text, length, specials, &ids, error);
    for (size_t i = 0; ok && i < ids.count; i++) {
        printf("%s%" PRId32, i == 0 ? "" : " ", ids.data[i]);
    }
    if (ok) {
        putchar('\n');
    }
    ts_ids_free(&ids);
    return ok;
}

/* `name` is where the ids come from, for messages. */
static bool decode(const struct ts_tokenizer *tokenizer, const char *name, char *text,
                   size_t length, struct ts_error *error)
{
    struct ts_ids ids = {NULL, 0, 0};
    struct ts_error reason;
    bool ok = true;
    const char *zero = memchr(text, '\0', length);
    if (zero) {
        return ts_fail(error, TS_ERR_INPUT, NULL, "%.300s: offset %zu: a zero byte, expected ids",
                       name, (size_t)(zero - text));
    }
    for (char *at = strtok(text, " \t\r\n"); ok && at; at = strtok(NULL, " \t\r\n")) {
        uint64_t id = 0;
        if (!ts_parse_u64("id", at, 0, INT32_MAX, &id, &reason)) {
            ok = ts_fail(error, TS_ERR_INPUT, NULL, "%.300s: offset %zu: %s", name,
                         (size_t)(at - text), reason.message);
        } else {
            ok = ts_ids_append(&ids, (int32_t)id, error);
        }
    }
    char *out = NULL;
    size_t out_length = 0;
    if (ok && !ts_tokenizer_decode(tokenizer, ids.data, ids.count, &out, &out_length, &reason)) {
        ok = ts_fail(error, reason.code, reason.hint, "%.300s: %s", name, reason.message);
    }
    if (ok) {
        fwrite(out, 1, out_length, stdout);
    }
    free(out);
    ts_ids_free(&ids);
    return ok;
}

/* What went wrong is reported before the count, which is the last line of all. */
static int check_vectors(struct ts_tokenizer *tokenizer, const char *path)
{
    struct ts_error error = {TS_OK, "", ""};
    struct ts_vector_counts counts = {0, 0};
    char *data = NULL;
    uint64_t length = 0;
    int code = 0;
    if (!ts_read_file(path, LONGEST_INPUT, &data, &length, &error)) {
        if (error.code == TS_ERR_INPUT) {
            error.code = TS_ERR_DATA; /* no line was read */
        }
        code = ts_report(&error);
    } else if (!ts_tokenizer_check_vectors(tokenizer, path, data, (size_t)length, stdout, &counts,
                                           &error)) {
        fflush(stdout);
        code = ts_report(&error);
    }
    printf("%" PRIu64 " passed, %" PRIu64 " failed\n", counts.passed, counts.failed);
    free(data);
    return code;
}

static int run(const struct tokenize_options *options, struct ts_tokenizer *tokenizer)
{
    struct ts_error error;
    char *data = NULL;
    uint64_t length = 0;
    if (options->vectors) {
        return check_vectors(tokenizer, options->vectors);
    }
    if (options->prompt) {
        data = strdup(options->prompt);
        if (!data) {
            ts_fail_memory(&error, "the text", strlen(options->prompt));
            return ts_report(&error);
        }
        length = strlen(data);
    } else if (!ts_read_file(options->file ? options->file : "-", LONGEST_INPUT, &data, &length,
                             &error)) {
        return ts_report(&error);
    }
    const char *name = options->prompt ? "-p" : options->file ? options->file : "standard input";
    bool ok = options->decode ? decode(tokenizer, name, data, (size_t)length, &error)
                              : encode(tokenizer, data, (size_t)length, !options->plain, &error);
    free(data);
    return ok ? 0 : ts_report(&error);
}

int ts_verb_tokenize(int argc, char **argv)
{
    struct tokenize_options o = {0};
    struct ts_error error;
    int code;
    if (!read_options(argc, argv, &o, &code)) {
        return code;
    }
    struct ts_gguf *gguf = ts_gguf_open(o.model, &error);
    struct ts_tokenizer *tokenizer = gguf ? ts_tokenizer_open(gguf, &error) : NULL;
    code = tokenizer ? run(&o, tokenizer) : ts_report(&error);
    ts_tokenizer_close(tokenizer);
    ts_gguf_close(gguf);
    return code;
}
