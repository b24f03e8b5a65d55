/* Checking a tokenizer against a file of {"text": ..., "ids": [...]} lines. */
#include "engine/tokenizer/tokenizer.h"

#include <cjson/cJSON.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* cJSON's strings end at a zero, so the escape of U+0000 is replaced, in place, by that of one of
 * the 32 noncharacters U+FDD0..U+FDEF that the line does not use, and put back after parsing. */
enum { STAND_INS = 32 };

struct line {
    char *text; /* [length + 1], modified and terminated by a zero */
    size_t length;
    bool replaced;
    uint8_t stand_in[3]; /* what the escape became, as UTF-8 */
};

/* The escape \uXXXX at text, or -1. Whoever calls has seen the backslash. */
static long read_escape(const char *text, size_t length)
{
    char digits[5] = {0};
    if (length < 6 || text[1] != 'u') {
        return -1;
    }
    memcpy(digits, text + 2, 4);
    if (strspn(digits, "0123456789abcdefABCDEF") != 4) {
        return -1;
    }
    return strtol(digits, NULL, 16);
}

/* The first stand-in that occurs in the line neither as UTF-8 nor escaped, or -1. */
static int unused_stand_in(const struct line *line)
{
    bool used[STAND_INS] = {false};
    for (size_t i = 0; i < line->length; i++) {
        size_t rest = line->length - i;
        const uint8_t *at = (const uint8_t *)line->text + i;
        if (at[0] == '\\') {
            long point = read_escape(line->text + i, rest);
            if (point >= 0xFDD0 && point < 0xFDD0 + STAND_INS) {
                used[point - 0xFDD0] = true;
            }
            i++; /* the next character belongs to this escape, also if it is a backslash */
        } else if (rest >= 3 && at[0] == 0xEF && at[1] == 0xB7 && at[2] >= 0x90 && at[2] < 0xB0) {
            used[at[2] - 0x90] = true;
        }
    }
    for (int i = 0; i < STAND_INS; i++) {
        if (!used[i]) {
            return i;
        }
    }
    return -1;
}

static bool replace_zeros(struct line *line)
{
    int stand_in = unused_stand_in(line);
    char escape[] = "\\ufdd0";
    if (stand_in < 0) {
        return false;
    }
    escape[4] = (char)('d' + stand_in / 16);
    escape[5] = "0123456789abcdef"[stand_in % 16];
    line->stand_in[0] = 0xEF;
    line->stand_in[1] = 0xB7;
    line->stand_in[2] = (uint8_t)(0x90 + stand_in);
    line->replaced = false;
    for (size_t i = 0; i < line->length; i++) {
        if (line->text[i] == '\\') {
            if (read_escape(line->text + i, line->length - i) == 0) {
                memcpy(line->text + i, escape, 6);
                line->replaced = true;
            }
            i++;
        }
    }
    return true;
}

/* Puts the zeros back into a parsed string, in place; returns its length. */
static size_t restore_zeros(const struct line *line, char *text)
{
    size_t length = strlen(text), out = 0;
    for (size_t i = 0; line->replaced && i < length; i++) {
        if (length - i >= 3 && memcmp(text + i, line->stand_in, 3) == 0) {
            text[out++] = '\0';
            i += 2;
        } else {
            text[out++] = text[i];
        }
    }
    return line->replaced ? out : length;
}

struct vector {
    cJSON *root;
    char *text; /* inside root */
    size_t length;
    struct ts_ids ids;
};

/* What is wrong with the line, or NULL; "" when memory ended, with *error. */
static const char *parse_vector(struct line *line, struct vector *vector, struct ts_error *error)
{
    const char *end = NULL;
    if (memchr(line->text, '\0', line->length)) {
        return "a raw zero byte";
    }
    if (!replace_zeros(line)) {
        return "it uses all of U+FDD0 to U+FDEF";
    }
    vector->root = cJSON_ParseWithOpts(line->text, &end, 1);
    if (!vector->root) {
        return "not JSON";
    }
    cJSON *text = cJSON_GetObjectItemCaseSensitive(vector->root, "text");
    cJSON *ids = cJSON_GetObjectItemCaseSensitive(vector->root, "ids");
    if (!cJSON_IsString(text) || !cJSON_IsArray(ids)) {
        return "expected an object with a string \"text\" and an array \"ids\"";
    }
    vector->text = text->valuestring;
    vector->length = restore_zeros(line, vector->text);
    const cJSON *id = NULL;
    cJSON_ArrayForEach(id, ids)
    {
        if (!cJSON_IsNumber(id) || !(id->valuedouble >= 0 && id->valuedouble <= INT32_MAX) ||
            floor(id->valuedouble) != id->valuedouble) {
            return "an id is not a whole number from 0";
        }
        if (!ts_ids_append(&vector->ids, (int32_t)id->valuedouble, error)) {
            return "";
        }
    }
    return NULL;
}

/* Compares both ways and describes the first difference. False only on an error other than one. */
static bool compare(struct ts_tokenizer *tokenizer, const struct vector *vector, FILE *report,
                    const char *name, unsigned long long number, bool *passed,
                    struct ts_error *error)
{
    struct ts_ids ids = {NULL, 0, 0};
    if (!ts_tokenizer_encode(tokenizer, vector->text, vector->length, true, &ids, error)) {
        ts_ids_free(&ids);
        return false;
    }
    size_t at = 0;
    while (at < ids.count && at < vector->ids.count && ids.data[at] == vector->ids.data[at]) {
        at++;
    }
    *passed = at == ids.count && at == vector->ids.count;
    if (!*passed && at < ids.count && at < vector->ids.count) {
        fprintf(report, "%s:%llu: encodes to %d at index %zu, expected %d\n", name, number,
                ids.data[at], at, vector->ids.data[at]);
    } else if (!*passed) {
        fprintf(report, "%s:%llu: encodes to %zu ids, expected %zu; they agree up to index %zu\n",
                name, number, ids.count, vector->ids.count, at);
    }
    ts_ids_free(&ids);
    char *text = NULL;
    size_t length = 0;
    struct ts_error reason = {TS_OK, "", ""};
    if (!ts_tokenizer_decode(tokenizer, vector->ids.data, vector->ids.count, &text, &length,
                             &reason)) {
        if (reason.code != TS_ERR_INPUT) {
            return ts_fail(error, reason.code, reason.hint, "%s", reason.message);
        }
        fprintf(report, "%s:%llu: %s\n", name, number, reason.message);
        *passed = false;
        return true;
    }
    if (length != vector->length || memcmp(text, vector->text, length) != 0) {
        fprintf(report, "%s:%llu: the ids decode to another text (%zu bytes, expected %zu)\n", name,
                number, length, vector->length);
        *passed = false;
    }
    free(text);
    return true;
}

struct run {
    struct ts_tokenizer *tokenizer;
    const char *name;
    FILE *report;
    unsigned long long damaged;
    struct ts_vector_counts *counts;
};

static bool check_line(struct run *run, const char *data, size_t length, unsigned long long number,
                       struct ts_error *error)
{
    struct line line = {malloc(length + 1), length, false, {0, 0, 0}};
    struct vector vector = {NULL, NULL, 0, {NULL, 0, 0}};
    if (!line.text) {
        return ts_fail_memory(error, run->name, length + 1ull);
    }
    memcpy(line.text, data, length);
    line.text[length] = '\0';
    const char *damage = parse_vector(&line, &vector, error);
    bool ok = !damage || damage[0] != '\0';
    bool passed = false;
    if (ok && damage) {
        fprintf(run->report, "%s:%llu: damaged: %s\n", run->name, number, damage);
        run->damaged++;
    } else if (ok) {
        ok = compare(run->tokenizer, &vector, run->report, run->name, number, &passed, error);
    }
    if (ok) {
        run->counts->passed += passed;
        run->counts->failed += !passed;
    }
    ts_ids_free(&vector.ids);
    cJSON_Delete(vector.root);
    free(line.text);
    return ok;
}

static bool is_blank(const char *data, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        if (!memchr(" \t\r", data[i], 3)) {
            return false;
        }
    }
    return true;
}

bool ts_tokenizer_check_vectors(struct ts_tokenizer *tokenizer, const char *name, const char *data,
                                size_t length, FILE *report, struct ts_vector_counts *counts,
                                struct ts_error *error)
{
    struct run run = {tokenizer, name, report, 0, counts};
    *counts = (struct ts_vector_counts){0, 0};
    unsigned long long number = 0;
    for (size_t at = 0; at < length;) {
        const char *newline = memchr(data + at, '\n', length - at);
        size_t size = newline ? (size_t)(newline - data) - at : length - at;
        number++;
        if (!is_blank(data + at, size) && !check_line(&run, data + at, size, number, error)) {
            return false;
        }
        at += size + (newline ? 1 : 0);
    }
    if (counts->passed + counts->failed == 0) {
        return ts_fail(error, TS_ERR_DATA, "each line must be {\"text\": ..., \"ids\": [...]}",
                       "%s: no vector was read, so nothing was compared", name);
    }
    if (run.damaged > 0) {
        return ts_fail(error, TS_ERR_DATA, NULL, "%s: %llu of %llu lines are damaged", name,
                       run.damaged, (unsigned long long)(counts->passed + counts->failed));
    }
    if (counts->failed > 0) {
        return ts_fail(error, TS_ERR_CHECK, NULL, "%s: %llu of %llu vectors differ", name,
                       (unsigned long long)counts->failed,
                       (unsigned long long)(counts->passed + counts->failed));
    }
    return true;
}
