/* The tokenizer against the vectors of the original one, its rules one by one, and what it must
 * refuse. */
#include "base/rng.h"
#include "engine/gguf/write.h"
#include "engine/tokenizer/internal.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define VOCAB "tests/data/vocab.gguf"
#define TINY "tests/data/tiny-q2.gguf"
#define VECTORS "tests/data/vectors.jsonl"

static struct ts_error error;

static struct ts_gguf *open_gguf(const char *path)
{
    struct ts_gguf *gguf = ts_gguf_open(path, &error);
    cr_assert(gguf, "%s", error.message);
    return gguf;
}

static struct ts_tokenizer *open_tokenizer(const struct ts_gguf *gguf)
{
    struct ts_tokenizer *tokenizer = ts_tokenizer_open(gguf, &error);
    cr_assert(tokenizer, "%s", error.message);
    return tokenizer;
}

static char *read_vectors(size_t *length)
{
    FILE *file = fopen(VECTORS, "rb");
    cr_assert(file, "%s", VECTORS);
    cr_assert_eq(fseek(file, 0, SEEK_END), 0);
    *length = (size_t)ftell(file);
    rewind(file);
    char *data = malloc(*length + 1);
    cr_assert(data && fread(data, 1, *length, file) == *length);
    data[*length] = '\0';
    fclose(file);
    return data;
}

static struct ts_ids encode(struct ts_tokenizer *tokenizer, const char *text, size_t length,
                            bool specials)
{
    struct ts_ids ids = {NULL, 0, 0};
    bool ok = ts_tokenizer_encode(tokenizer, text, length, specials, &ids, &error);
    cr_assert(ok, "%s", error.message);
    return ids;
}

/* The text must come back from decoding, at once and as a stream; every chunk of the stream but the
 * last must end where no sequence is open. */
static void expect_round_trip(const struct ts_tokenizer *tokenizer, const struct ts_ids *ids,
                              const char *text, size_t length, const char *what)
{
    char *back = NULL;
    size_t back_length = 0;
    cr_assert(ts_tokenizer_decode(tokenizer, ids->data, ids->count, &back, &back_length, &error));
    cr_expect(back_length == length && memcmp(back, text, length) == 0, "decode: %s", what);
    struct ts_decoder *decoder = ts_decoder_open(tokenizer, &error);
    cr_assert(decoder);
    size_t at = 0;
    for (size_t i = 0; i <= ids->count; i++) {
        struct ts_text chunk = {NULL, 0};
        if (i == ids->count) {
            chunk = ts_decoder_flush(decoder);
            cr_expect(chunk.length <= 3, "%zu bytes were held back: %s", chunk.length, what);
        } else {
            cr_assert(ts_decoder_push(decoder, ids->data[i], &chunk, &error));
        }
        cr_assert(chunk.length <= length - at, "stream: %s", what);
        cr_assert(memcmp(chunk.data, text + at, chunk.length) == 0, "stream: %s", what);
        at += chunk.length;
    }
    cr_expect_eq(at, length, "stream: %s", what);
    cr_expect_eq(ts_decoder_flush(decoder).length, 0);
    ts_decoder_close(decoder);
    free(back);
}

Test(tokenizer, all_vectors_both_ways)
{
    struct ts_gguf *gguf = open_gguf(VOCAB);
    struct ts_tokenizer *tokenizer = open_tokenizer(gguf);
    size_t length = 0;
    char *data = read_vectors(&length);
    struct ts_vector_counts counts;
    bool ok = ts_tokenizer_check_vectors(tokenizer, VECTORS, data, length, stderr, &counts, &error);
    cr_expect(ok, "%s", error.message);
    cr_expect_eq(counts.passed, 1768);
    cr_expect_eq(counts.failed, 0);
    cr_expect_eq(ts_tokenizer_vocab(tokenizer), 129280);
    cr_expect_eq(ts_tokenizer_bos(tokenizer), 0);
    cr_expect_eq(ts_tokenizer_eos(tokenizer), 1);
    cr_expect_eq(ts_tokenizer_find(tokenizer, "<think>"), 128821);
    cr_expect_eq(ts_tokenizer_find(tokenizer, "no such token"), -1);
    free(data);
    ts_tokenizer_close(tokenizer);
    ts_gguf_close(gguf);
}

Test(tokenizer, a_wrong_vector_is_found)
{
    static const struct {
        const char *lines;
        unsigned passed, failed;
        enum ts_code code;
        const char *says;
    } cases[] = {
        {"{\"text\":\"a\",\"ids\":[67]}\n", 1, 0, TS_OK, ""},
        {"{\"text\":\"a\",\"ids\":[67]}", 1, 0, TS_OK, ""},
        {"{\"text\":\"\",\"ids\":[]}\n", 1, 0, TS_OK, ""},
        {"{\"text\":\"a  1\",\"ids\":[67,262,19]}\n", 1, 0, TS_OK, ""},
        {"{\"text\":\"\\u0000\\u0001\\u0002\",\"ids\":[191,192,193]}", 1, 0, TS_OK, ""},
        /* a zero beside characters that could stand for it, and a backslash before u0000 */
        {"{\"text\":\"\\u0000\\ufdd0\xEF\xB7\x91\",\"ids\":[191,174,118,241,174,118,242]}", 1, 0,
         TS_OK, ""},
        {"{\"text\":\"\\\\u0000\",\"ids\":[17360,1320,18]}", 1, 0, TS_OK, ""},
        {"{\"text\":\"a\",\"ids\":[68]}\n{\"text\":\"a\",\"ids\":[67]}\n", 1, 1, TS_ERR_CHECK,
         "x:1: encodes to 67 at index 0, expected 68"},
        {"{\"text\":\"a\",\"ids\":[67,67]}\n", 0, 1, TS_ERR_CHECK, "x:1: encodes to 1 ids"},
        {"{\"text\":\"a\",\"ids\":[]}\n", 0, 1, TS_ERR_CHECK, "x:1: encodes to 1 ids"},
        {"{\"text\":\"ab\",\"ids\":[67]}\n", 0, 1, TS_ERR_CHECK, "decode to another text"},
        {"{\"text\":\"a\",\"ids\":[129280]}\n", 0, 1, TS_ERR_CHECK, "not in the vocabulary"},
        {"\n{\"text\":\"a\",\"ids\":[67]\n", 0, 1, TS_ERR_DATA, "x:2: damaged"},
        {"{\"text\":\"a\",\"ids\":[67]} 1\n", 0, 1, TS_ERR_DATA, "damaged"},
        {"{\"text\":\"a\",\"ids\":[-1]}\n", 0, 1, TS_ERR_DATA, "damaged"},
        {"{\"text\":\"a\",\"ids\":[67.5]}\n", 0, 1, TS_ERR_DATA, "damaged"},
        {"{\"text\":\"a\"}\n", 0, 1, TS_ERR_DATA, "damaged"},
        {"[]\n{\"text\":\"a\",\"ids\":[67]}\n", 1, 1, TS_ERR_DATA, "damaged"},
        {"", 0, 0, TS_ERR_DATA, ""},
        {"\n \n\n", 0, 0, TS_ERR_DATA, ""},
    };
    struct ts_gguf *gguf = open_gguf(VOCAB);
    struct ts_tokenizer *tokenizer = open_tokenizer(gguf);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char said[512] = "";
        FILE *report = fmemopen(said, sizeof said, "w");
        cr_assert(report);
        struct ts_vector_counts counts;
        bool ok = ts_tokenizer_check_vectors(tokenizer, "x", cases[i].lines, strlen(cases[i].lines),
                                             report, &counts, &error);
        fclose(report);
        cr_expect_eq(ok, cases[i].code == TS_OK, "case %zu: %s", i, said);
        cr_expect(ok || error.code == cases[i].code, "case %zu: %s", i, error.message);
        cr_expect_eq(counts.passed, cases[i].passed, "case %zu: %s", i, said);
        cr_expect_eq(counts.failed, cases[i].failed, "case %zu: %s", i, said);
        cr_expect(strstr(said, cases[i].says), "case %zu says '%s'", i, said);
    }
    ts_tokenizer_close(tokenizer);
    ts_gguf_close(gguf);
}

static bool join_piece(void *context, const uint8_t *piece, size_t length, struct ts_error *unused)
{
    (void)unused;
    char *out = context;
    snprintf(out + strlen(out), 256 - strlen(out), "%s%.*s", out[0] ? "|" : "", (int)length,
             (const char *)piece);
    return true;
}

Test(tokenizer, splits)
{
    static const struct {
        const char *text, *pieces;
    } cases[] = {
        {"a  1", "a|  |1"}, /* one pattern for all steps would give "a", " ", " ", "1" */
        {"a  b", "a| | b"},
        {"a  ", "a|  "},
        {"1234567", "123|456|7"},
        {"x12y", "x|12|y"},
        {"中文123英文", "中文|123|英文"},
        {"a中b", "a|中|b"},
        {"   中", "   |中"}, /* the end of a piece is the end of its text */
        {"foo.bar", "foo|.bar"},
        {"foo. bar", "foo|.| bar"},
        {"hi!!\n\nyou", "hi|!!\n\n|you"}, /* line ends belong to the punctuation before them */
        {"hi !\r\n x", "hi| !\r\n| x"},
        {"a \n \n  b", "a| \n \n| | b"},
        {"a\n\n", "a|\n\n"},
        {"\t\tx", "\t|\tx"},
        {"$x ~y", "$x| ~|y"},
        {"e\xCC\x81t\xC3\xA9", "e\xCC\x81t\xC3\xA9"},             /* marks continue letters */
        {"\xE1\xA0\x8E\xE1\xA0\x8E", "\xE1\xA0\x8E\xE1\xA0\x8E"}, /* U+180E is no space: a gap */
        {"\xE1\xA0\x8E\xE1\xA0\x8E.", "\xE1\xA0\x8E\xE1\xA0\x8E|."},
        {"a\xC2\x85\xC2\x85"
         "b",
         "a|\xC2\x85|\xC2\x85"
         "b"}, /* U+0085 is one */
        {"", ""},
    };
    struct ts_splitter *splitter = ts_splitter_open(&error);
    cr_assert(splitter, "%s", error.message);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char pieces[256] = "";
        cr_assert(ts_splitter_run(splitter, (const uint8_t *)cases[i].text, strlen(cases[i].text),
                                  join_piece, pieces, &error));
        cr_expect_str_eq(pieces, cases[i].pieces, "'%s' became '%s', expected '%s'", cases[i].text,
                         pieces, cases[i].pieces);
    }
    ts_splitter_close(splitter);
}

Test(tokenizer, added_tokens)
{
    static const char *const files[] = {VOCAB, TINY};
    for (size_t f = 0; f < 2; f++) {
        struct ts_gguf *gguf = open_gguf(files[f]);
        struct ts_tokenizer *tokenizer = open_tokenizer(gguf);
        int32_t think = ts_tokenizer_find(tokenizer, "<think>");
        int32_t end = ts_tokenizer_find(tokenizer, "</think>");
        cr_assert(think >= 0 && end >= 0);
        const char *text = "<<think></think><think";
        struct ts_ids ids = encode(tokenizer, text, strlen(text), true);
        cr_assert_geq(ids.count, 4);
        cr_expect_eq(ids.data[1], think);
        cr_expect_eq(ids.data[2], end);
        cr_expect_neq(ids.data[3], think);
        expect_round_trip(tokenizer, &ids, text, strlen(text), text);
        ts_ids_free(&ids);
        ids = encode(tokenizer, text, strlen(text), false);
        for (size_t i = 0; i < ids.count; i++) {
            cr_expect(ids.data[i] != think && ids.data[i] != end, "%s index %zu", files[f], i);
        }
        expect_round_trip(tokenizer, &ids, text, strlen(text), text);
        ts_ids_free(&ids);
        ts_tokenizer_close(tokenizer);
        ts_gguf_close(gguf);
    }
}

/* Every pushed byte, and what the decoder lets out at once. */
Test(tokenizer, stream_holds_back_incomplete_sequences)
{
    static const struct {
        const char *bytes;
        size_t out[6];
    } cases[] = {
        {"\xF0\x9F\x99\x82", {0, 0, 0, 4}},
        {"\xE4\xB8\xAD"
         "a",
         {0, 0, 3, 1}},
        {"\xC3\xC3\xA9", {0, 1, 2}}, /* a lead after a lead lets go of the first */
        {"\xE4\xB8"
         "a",
         {0, 0, 3}},                               /* cannot become valid any more */
        {"\xED\xA0\x80", {0, 2, 1}},               /* a surrogate */
        {"\xF4\x90\x80\x80", {0, 2, 1, 1}},        /* above U+10FFFF */
        {"\xC0\x80\xFF", {1, 1, 1}},               /* never valid */
        {"\xE0\x9F\xE0\xA0\x80", {0, 2, 0, 0, 3}}, /* overlong, then valid */
    };
    struct ts_gguf *gguf = open_gguf(TINY);
    struct ts_tokenizer *tokenizer = open_tokenizer(gguf);
    struct ts_decoder *decoder = ts_decoder_open(tokenizer, &error);
    struct ts_text text;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        for (size_t j = 0; j < strlen(cases[i].bytes); j++) {
            int32_t id = tokenizer->byte_ids[(uint8_t)cases[i].bytes[j]];
            cr_assert(ts_decoder_push(decoder, id, &text, &error));
            cr_expect_eq(text.length, cases[i].out[j], "case %zu byte %zu: %zu came out", i, j,
                         text.length);
        }
        cr_expect_eq(ts_decoder_flush(decoder).length, 0, "case %zu", i);
    }
    cr_assert(ts_decoder_push(decoder, tokenizer->byte_ids[0xE4], &text, &error));
    cr_expect_eq(ts_decoder_flush(decoder).length, 1);
    cr_expect_not(ts_decoder_push(decoder, (int32_t)ts_tokenizer_vocab(tokenizer), &text, &error));
    cr_expect_not(ts_decoder_push(decoder, -1, &text, &error));
    cr_expect_eq(error.code, TS_ERR_INPUT);
    int32_t ids[] = {3, -5};
    char *out = NULL;
    size_t length = 0;
    cr_expect_not(ts_tokenizer_decode(tokenizer, ids, 2, &out, &length, &error));
    cr_expect(strstr(error.message, "-5 at index 1"), "%s", error.message);
    ts_decoder_close(decoder);
    ts_tokenizer_close(tokenizer);
    ts_gguf_close(gguf);
}

Test(tokenizer, any_bytes_come_back)
{
    static const char *const files[] = {VOCAB, TINY};
    static const char *const parts[] = {" ",  "\n",   "a",       "the ", "é",
                                        "中", "🙂", "<think>", "<",    "12"};
    for (size_t f = 0; f < 2; f++) {
        struct ts_gguf *gguf = open_gguf(files[f]);
        struct ts_tokenizer *tokenizer = open_tokenizer(gguf);
        for (uint64_t seed = 1; seed <= 300; seed++) {
            char text[600], what[80];
            size_t length = 0, count = 0;
            struct ts_rng rng;
            ts_rng_seed(&rng, seed);
            for (count = ts_rng_below(&rng, 60); count > 0; count--) {
                const char *part = parts[ts_rng_below(&rng, sizeof parts / sizeof parts[0])];
                size_t size = ts_rng_below(&rng, strlen(part) + 1); /* often a torn sequence */
                memcpy(text + length, part, size);
                length += size;
                if (ts_rng_below(&rng, 3) == 0) {
                    text[length++] = (char)ts_rng_below(&rng, 256);
                }
            }
            snprintf(what, sizeof what, "%s seed %llu", files[f], (unsigned long long)seed);
            struct ts_ids ids = encode(tokenizer, text, length, seed % 2 == 0);
            expect_round_trip(tokenizer, &ids, text, length, what);
            ts_ids_free(&ids);
        }
        struct ts_ids ids = encode(tokenizer, "a\xFF\xE4\0", 4, true);
        cr_assert_eq(ids.count, 4, "a bad byte is a token of its own, and so is a zero");
        for (size_t i = 0; i < 4; i++) {
            cr_expect_eq(ids.data[i], tokenizer->byte_ids[(uint8_t) "a\xFF\xE4\0"[i]]);
        }
        ts_ids_free(&ids);
        ts_tokenizer_close(tokenizer);
        ts_gguf_close(gguf);
    }
}

/* The number of merge steps, not the clock: twice the text, twice the work. */
Test(tokenizer, work_is_linear)
{
    static const char *const units[] = {"a", " ",  "  a", "\n", " \n",
                                        "!", "中", "<｜", "0",  "\xFF"};
    struct ts_gguf *gguf = open_gguf(VOCAB);
    struct ts_tokenizer *tokenizer = open_tokenizer(gguf);
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++) {
        uint64_t work[2] = {0, 0};
        for (size_t twice = 0; twice < 2; twice++) {
            size_t unit = strlen(units[i]);
            size_t length = (30000u << twice) / unit * unit;
            char *text = malloc(length);
            cr_assert(text);
            for (size_t at = 0; at < length; at++) {
                text[at] = units[i][at % unit];
            }
            uint64_t before = ts_tokenizer_work(tokenizer);
            struct ts_ids ids = encode(tokenizer, text, length, true);
            work[twice] = ts_tokenizer_work(tokenizer) - before;
            cr_expect_leq(work[twice], 4 * length, "unit %zu", i);
            expect_round_trip(tokenizer, &ids, text, length, units[i]);
            ts_ids_free(&ids);
            free(text);
        }
        cr_expect_leq(work[1], 2 * work[0] + 2 * work[0] / 100 + 64, "unit %zu: %llu then %llu", i,
                      (unsigned long long)work[0], (unsigned long long)work[1]);
    }
    ts_tokenizer_close(tokenizer);
    ts_gguf_close(gguf);
}

/* More different pieces than the cache holds; the second time they are found in it, or no more. */
Test(tokenizer, cache_changes_nothing)
{
    enum { WORDS = 50000, WORD = 5 };
    struct ts_gguf *gguf = open_gguf(TINY);
    struct ts_tokenizer *tokenizer = open_tokenizer(gguf);
    static char text[WORDS * WORD];
    for (size_t i = 0; i < WORDS; i++) {
        size_t number = i;
        text[i * WORD] = ' ';
        for (size_t j = 1; j < WORD; j++, number /= 26) {
            text[i * WORD + j] = (char)('a' + number % 26);
        }
    }
    struct ts_ids first = encode(tokenizer, text, sizeof text, true);
    struct ts_ids again = encode(tokenizer, text, sizeof text, true);
    cr_assert_eq(first.count, again.count);
    cr_expect(memcmp(first.data, again.data, first.count * sizeof *first.data) == 0);
    expect_round_trip(tokenizer, &again, text, sizeof text, "50000 words");
    uint64_t before = ts_tokenizer_work(tokenizer);
    struct ts_ids last = encode(tokenizer, text + sizeof text - WORD, WORD, true);
    cr_expect_eq(ts_tokenizer_work(tokenizer), before, "the last word is not in the cache");
    ts_ids_free(&first);
    ts_ids_free(&again);
    ts_ids_free(&last);
    ts_tokenizer_close(tokenizer);
    ts_gguf_close(gguf);
}

enum { BYTES = 256, EXTRA = 3 };

/* A vocabulary of all bytes, "ab" and two added tokens, with one thing wrong. */
struct broken {
    const char *model, *pre, *merge;
    uint64_t tokens, types, merges;
    uint32_t bos;
    bool no_byte;
    const char *says; /* NULL: nothing is wrong */
};

static void write_vocabulary(const char *path, const struct broken *broken)
{
    static char names[BYTES][3];
    struct ts_text tokens[BYTES + EXTRA];
    int32_t types[BYTES + EXTRA];
    unsigned other = 256;
    for (unsigned byte = 0; byte < BYTES; byte++) {
        bool printable = (byte >= 33 && byte <= 126) || (byte >= 161 && byte <= 172) || byte >= 174;
        unsigned point = printable ? byte : other++;
        bool wide = point >= 0x80;
        names[byte][0] = (char)(wide ? 0xC0 | point >> 6 : point);
        names[byte][1] = (char)(0x80 | (point & 0x3F));
        tokens[byte] = (struct ts_text){names[byte], wide ? 2 : 1};
        types[byte] = 1;
    }
    if (broken->no_byte) {
        tokens[7] = tokens[8];
    }
    tokens[BYTES] = (struct ts_text){"ab", 2};
    tokens[BYTES + 1] = (struct ts_text){"<a>", 3};
    tokens[BYTES + 2] = (struct ts_text){"<a>b", 4};
    types[BYTES] = 1;
    types[BYTES + 1] = types[BYTES + 2] = 4;
    struct ts_text merges[2] = {{"a b", 3}, {broken->merge, strlen(broken->merge)}};
    struct ts_gguf_writer *writer = ts_gguf_writer_open(path, &error);
    cr_assert(writer, "%s", error.message);
    ts_gguf_put_text(writer, "tokenizer.ggml.model", broken->model);
    ts_gguf_put_text(writer, "tokenizer.ggml.pre", broken->pre);
    if (broken->tokens > 0) {
        ts_gguf_put_text_array(writer, "tokenizer.ggml.tokens", tokens, broken->tokens);
    }
    if (broken->types > 0) {
        ts_gguf_put_array(writer, "tokenizer.ggml.token_type", TS_GGUF_I32, types, broken->types);
    }
    ts_gguf_put_text_array(writer, "tokenizer.ggml.merges", merges, broken->merges);
    ts_gguf_put_u32(writer, "tokenizer.ggml.bos_token_id", broken->bos);
    cr_assert(ts_gguf_writer_close(writer, &error), "%s", error.message);
}

Test(tokenizer, refuses_broken_vocabularies)
{
    enum { ALL = BYTES + EXTRA };
    static const struct broken cases[] = {
        {"gpt2", "joyai-llm", "", ALL, ALL, 1, 0, false, NULL},
        {"gpt2", "deepseek-v3", "", ALL, ALL, 0, 0, false, NULL},
        {"llama", "joyai-llm", "", ALL, ALL, 1, 0, false, "tokenizer.ggml.model is 'llama'"},
        {"gpt2", "qwen2", "", ALL, ALL, 1, 0, false, "tokenizer.ggml.pre is 'qwen2'"},
        {"gpt2", "joyai-llm", "", 0, ALL, 1, 0, false, "tokenizer.ggml.tokens is missing"},
        {"gpt2", "joyai-llm", "", ALL, 0, 1, 0, false, "tokenizer.ggml.token_type is missing"},
        {"gpt2", "joyai-llm", "", ALL, ALL - 1, 1, 0, false, "has 258 entries"},
        {"gpt2", "joyai-llm", "a c", ALL, ALL, 2, 0, false, "entry 1, 'a c': the merged token"},
        {"gpt2", "joyai-llm", "ax b", ALL, ALL, 2, 0, false, "entry 1, 'ax b': the left token"},
        {"gpt2", "joyai-llm", "a bx", ALL, ALL, 2, 0, false, "entry 1, 'a bx': the right token"},
        {"gpt2", "joyai-llm", "ab", ALL, ALL, 2, 0, false, "entry 1, 'ab': expected two tokens"},
        {"gpt2", "joyai-llm", "ab ", ALL, ALL, 2, 0, false, "entry 1, 'ab ': expected two tokens"},
        {"gpt2", "joyai-llm", "", ALL, ALL, 1, ALL, false, "bos_token_id is 259"},
        {"gpt2", "joyai-llm", "", ALL, ALL, 1, 0, true, "no token for the byte 0x07"},
    };
    char path[80];
    mkdir("build", 0777);
    mkdir("build/tmp", 0777);
    snprintf(path, sizeof path, "build/tmp/tokenizer-%ld.gguf", (long)getpid());
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        write_vocabulary(path, &cases[i]);
        struct ts_gguf *gguf = open_gguf(path);
        struct ts_tokenizer *tokenizer = ts_tokenizer_open(gguf, &error);
        if (!cases[i].says) {
            cr_assert(tokenizer, "case %zu: %s", i, error.message);
            cr_expect(ts_tokenizer_bos(tokenizer) == 0 && ts_tokenizer_eos(tokenizer) == -1);
            /* the longest added token wins, the leftmost before it */
            struct ts_ids ids = encode(tokenizer, "<a><a>bab", 9, true);
            cr_expect_eq(ids.count, cases[i].merges ? 3 : 4, "case %zu", i);
            cr_expect_eq(ids.data[0], BYTES + 1);
            cr_expect_eq(ids.data[1], BYTES + 2);
            ts_ids_free(&ids);
        } else {
            cr_expect_null(tokenizer, "case %zu (%s) was accepted", i, cases[i].says);
            cr_expect_eq(error.code, TS_ERR_INPUT, "case %zu", i);
            cr_expect(strstr(error.message, cases[i].says), "case %zu: %s", i, error.message);
            cr_expect(strstr(error.message, path), "case %zu: %s", i, error.message);
        }
        ts_tokenizer_close(tokenizer);
        ts_gguf_close(gguf);
    }
    remove(path);
}
