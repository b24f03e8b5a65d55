/* touchstone tokenize: text to token ids and back. */
#include "engine/cli/cli.h"
#include "engine/tokenizer.h"

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const uint64_t LONGEST_INPUT = INT32_MAX;

/* options without a letter */
enum { PLAIN = 256, DECODE, VECTORS };

struct options {
    const char *model;
    const char *prompt;
    const char *file;
    const char *vectors;
    bool decode;
    bool plain;
    bool help;
};

static void print_help(void)
{
    fputs("usage: touchstone tokenize -m FILE [options]\n\n"
          "Prints the token ids of a text on one line, separated by spaces. The text comes from\n"
          "-p, from -f, or from standard input.\n\n"
          "  -m, --model FILE     GGUF with the vocabulary; it needs no tensors\n"
          "  -p, --prompt TEXT    the text\n"
          "  -f, --file FILE      a file with the text ('-' is standard input)\n"
          "      --plain          added tokens such as <think> are ordinary text\n"
          "      --decode         the input is ids; prints their text, adding nothing\n"
          "      --vectors FILE   checks lines of {\"text\": ..., \"ids\": [...]} both ways; the "
          "last\n"
          "                       line is 'N passed, N failed'\n"
          "  -h, --help           this text\n\n"
          "exit codes: 0 ok; 1 a vector failed, is damaged, or none was read; 2 usage or refused\n"
          "  input; 4 environment\n",
          stdout);
}

/* Returns 0, or the exit code after a message. */
static int parse_options(int argc, char **argv, struct options *options)
{
    static const struct option longs[] = {
        {"model", required_argument, NULL, 'm'}, {"prompt", required_argument, NULL, 'p'},
        {"file", required_argument, NULL, 'f'},  {"plain", no_argument, NULL, PLAIN},
        {"decode", no_argument, NULL, DECODE},   {"vectors", required_argument, NULL, VECTORS},
        {"help", no_argument, NULL, 'h'},        {NULL, 0, NULL, 0}};
    struct ts_error error;
    opterr = 0;
    for (int option; (option = getopt_long(argc, argv, ":m:p:f:h", longs, NULL)) != -1;) {
        switch (option) {
        case 'm': options->model = optarg; break;
        case 'p': options->prompt = optarg; break;
        case 'f': options->file = optarg; break;
        case PLAIN: options->plain = true; break;
        case DECODE: options->decode = true; break;
        case VECTORS: options->vectors = optarg; break;
        case 'h': options->help = true; return 0;
        default: return ts_usage_error("tokenize", argv);
        }
    }
    const char *wrong = NULL;
    if (optind < argc) {
        wrong = "takes no arguments besides its options";
    } else if (!options->model) {
        wrong = "needs a vocabulary: -m FILE";
    } else if (options->prompt && options->file) {
        wrong = "takes its input from one of -p and -f";
    } else if (options->vectors && (options->prompt || options->file || options->decode)) {
        wrong = "--vectors brings its own input: leave out -p, -f and --decode";
    } else if (options->plain && (options->vectors || options->decode)) {
        wrong = "--plain is about encoding a text: leave it out with --vectors and --decode";
    }
    if (!wrong) {
        return 0;
    }
    ts_fail(&error, TS_ERR_USAGE, "see touchstone tokenize --help", "tokenize: %s", wrong);
    return ts_report(&error);
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

static int run(const struct options *options, struct ts_tokenizer *tokenizer)
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
    struct options options = {0};
    struct ts_error error;
    int code = parse_options(argc, argv, &options);
    if (code != 0) {
        return code;
    }
    if (options.help) {
        print_help();
        return 0;
    }
    struct ts_gguf *gguf = ts_gguf_open(options.model, &error);
    struct ts_tokenizer *tokenizer = gguf ? ts_tokenizer_open(gguf, &error) : NULL;
    code = tokenizer ? run(&options, tokenizer) : ts_report(&error);
    ts_tokenizer_close(tokenizer);
    ts_gguf_close(gguf);
    if (fflush(stdout) != 0 && code == 0) {
        ts_fail(&error, TS_ERR_ENVIRONMENT, NULL, "standard output: %s", strerror(errno));
        code = ts_report(&error);
    }
    return code;
}
