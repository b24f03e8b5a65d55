#include "engine/prompt/json.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

struct reader {
    struct ts_arena *arena;
    const char *name;
    const char *data;
    size_t length, at;
    unsigned depth;
    size_t *offset; /* of an error */
    struct ts_error *error;
};

static bool read_value(struct reader *r, struct ts_json *value);

static bool fail_at(struct reader *r, size_t at, const char *what)
{
    *r->offset = at;
    return ts_fail(r->error, TS_ERR_INPUT, NULL, "%s: byte %zu: %s", r->name, at, what);
}

static bool fail_here(struct reader *r, const char *what)
{
    return fail_at(r, r->at, what);
}

static int peek(const struct reader *r)
{
    return r->at < r->length ? (unsigned char)r->data[r->at] : -1;
}

static void skip_space(struct reader *r)
{
    for (int c = peek(r); c == ' ' || c == '\t' || c == '\n' || c == '\r'; c = peek(r)) {
        r->at++;
    }
}

static bool take_word(struct reader *r, const char *word)
{
    size_t length = strlen(word);
    if (r->length - r->at < length || memcmp(r->data + r->at, word, length) != 0) {
        return false;
    }
    r->at += length;
    return true;
}

/* ---- strings ---- */

static int hex_digit(int c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

/* The four digits behind \u. */
static bool read_unit(struct reader *r, uint32_t *unit)
{
    *unit = 0;
    for (int i = 0; i < 4; i++, r->at++) {
        int digit = hex_digit(peek(r));
        if (digit < 0) {
            return fail_here(r, "expected four hexadecimal digits behind \\u");
        }
        *unit = *unit * 16 + (uint32_t)digit;
    }
    return true;
}

static char *put_utf8(char *out, uint32_t code)
{
    if (code < 0x80) {
        *out++ = (char)code;
    } else if (code < 0x800) {
        *out++ = (char)(0xc0 | code >> 6);
        *out++ = (char)(0x80 | (code & 0x3f));
    } else if (code < 0x10000) {
        *out++ = (char)(0xe0 | code >> 12);
        *out++ = (char)(0x80 | (code >> 6 & 0x3f));
        *out++ = (char)(0x80 | (code & 0x3f));
    } else {
        *out++ = (char)(0xf0 | code >> 18);
        *out++ = (char)(0x80 | (code >> 12 & 0x3f));
        *out++ = (char)(0x80 | (code >> 6 & 0x3f));
        *out++ = (char)(0x80 | (code & 0x3f));
    }
    return out;
}

/* An escape at r->at, which is a backslash. The text that it becomes is never longer than it. */
static bool read_escape(struct reader *r, char **out)
{
    static const char letters[] = "\"\\/bfnrt", meanings[] = "\"\\/\b\f\n\r\t";
    size_t start = r->at++;
    int c = peek(r);
    const char *letter = c > 0 ? strchr(letters, c) : NULL;
    if (letter) {
        *(*out)++ = meanings[letter - letters];
        r->at++;
        return true;
    }
    if (c != 'u') {
        return fail_at(r, start, "expected one of \\\" \\\\ \\/ \\b \\f \\n \\r \\t \\u");
    }
    uint32_t code = 0, low = 0;
    r->at++;
    if (!read_unit(r, &code)) {
        return false;
    }
    if (code >= 0xd800 && code < 0xdc00 && take_word(r, "\\u")) {
        if (!read_unit(r, &low)) {
            return false;
        }
        if (low >= 0xdc00 && low < 0xe000) {
            code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
        }
    }
    if (code >= 0xd800 && code < 0xe000) {
        return fail_at(r, start, "half of a surrogate pair, which is no character");
    }
    *out = put_utf8(*out, code);
    return true;
}

/* Checks a string up to its closing quote and tells whether it has escapes; r->at is behind the
 * opening quote before and at the closing one after. */
static bool scan_string(struct reader *r, bool *escapes)
{
    size_t start = r->at - 1;
    for (int c = peek(r); c != '"'; c = peek(r)) {
        if (c < 0) {
            return fail_at(r, start, "a string without its closing quote");
        }
        if (c < 0x20) {
            return fail_here(r, "a control character in a string; expected it as an escape");
        }
        if (c < 0x80) {
            *escapes = *escapes || c == '\\';
            r->at++;
            if (c == '\\' && (peek(r) == '"' || peek(r) == '\\')) {
                r->at++;
            }
            continue;
        }
        int bytes = ts_utf8_sequence((const uint8_t *)r->data + r->at, r->length - r->at);
        if (bytes <= 0) {
            return fail_here(r, "invalid UTF-8");
        }
        r->at += (size_t)bytes;
    }
    return true;
}

static bool read_string(struct reader *r, struct ts_text *text)
{
    size_t start = ++r->at;
    bool escapes = false;
    if (!scan_string(r, &escapes)) {
        return false;
    }
    size_t end = r->at;
    *text = (struct ts_text){r->data + start, end - start};
    if (escapes) {
        char *data = ts_arena_take(r->arena, end - start, r->error);
        char *out = data;
        if (!data) {
            return false;
        }
        for (r->at = start; r->at < end;) {
            if (r->data[r->at] != '\\') {
                *out++ = r->data[r->at++];
            } else if (!read_escape(r, &out)) {
                return false;
            }
        }
        *text = (struct ts_text){data, (size_t)(out - data)};
    }
    r->at = end + 1;
    return true;
}

/* ---- numbers ---- */

static size_t skip_digits(struct reader *r)
{
    size_t start = r->at;
    for (int c = peek(r); c >= '0' && c <= '9'; c = peek(r)) {
        r->at++;
    }
    return r->at - start;
}

static bool read_float(struct reader *r, size_t start, struct ts_json *value)
{
    struct ts_text digits;
    if (!ts_arena_copy(r->arena, (struct ts_text){r->data + start, r->at - start}, &digits,
                       r->error)) {
        return false;
    }
    value->kind = TS_JSON_FLOAT;
    value->as.number = strtod(digits.data, NULL); /* beyond the range: infinite or zero */
    return true;
}

static bool read_number(struct reader *r, struct ts_json *value)
{
    size_t start = r->at;
    bool minus = take_word(r, "-"), fraction = false;
    if (take_word(r, "Infinity")) {
        value->kind = TS_JSON_FLOAT;
        value->as.number = minus ? -strtod("inf", NULL) : strtod("inf", NULL);
        return true;
    }
    size_t first = r->at;
    size_t digits = skip_digits(r);
    if (digits == 0) {
        return fail_here(r, minus ? "expected a digit behind -" : "expected a value");
    }
    if (digits > 1 && r->data[first] == '0') {
        return fail_at(r, first, "a number that begins with 0; expected no more digits behind it");
    }
    if (peek(r) == '.') {
        r->at++;
        fraction = true;
        if (skip_digits(r) == 0) {
            return fail_here(r, "expected a digit behind the point");
        }
    }
    if (peek(r) == 'e' || peek(r) == 'E') {
        r->at++;
        fraction = true;
        if (peek(r) == '+' || peek(r) == '-') {
            r->at++;
        }
        if (skip_digits(r) == 0) {
            return fail_here(r, "expected a digit of the exponent");
        }
    }
    if (r->at - first > TS_JSON_MOST_DIGITS) {
        return fail_at(r, start, "a number of more than 4300 digits");
    }
    if (fraction) {
        return read_float(r, start, value);
    }
    value->kind = TS_JSON_INTEGER;
    start = minus && r->data[first] == '0' ? first : start; /* Python has no integer -0 */
    value->as.text = (struct ts_text){r->data + start, r->at - start};
    return true;
}

/* ---- arrays and objects ---- */

static struct ts_json *new_value(struct reader *r)
{
    if (r->arena->taken > TS_ARENA_MOST - 2 * sizeof(struct ts_json)) {
        fail_here(r, "more values than 40 MiB hold");
        return NULL;
    }
    struct ts_json *value = ts_arena_take(r->arena, sizeof *value, r->error);
    if (value) {
        *value = (struct ts_json){.kind = TS_JSON_NULL, .offset = r->at};
    }
    return value;
}

static bool read_key(struct reader *r, struct ts_text *key)
{
    if (peek(r) != '"') {
        return fail_here(r, "expected a key in quotes");
    }
    if (!read_string(r, key)) {
        return false;
    }
    skip_space(r);
    if (!take_word(r, ":")) {
        return fail_here(r, "expected ':' behind the key");
    }
    skip_space(r);
    return true;
}

static bool refuse_duplicate(struct reader *r, const struct ts_json *object)
{
    bool memory = true;
    const struct ts_json *twice = ts_json_duplicate(object, &memory);
    if (!memory) {
        return ts_fail_memory(r->error, "the keys of an object", 0);
    }
    if (!twice) {
        return true;
    }
    int shown = twice->key.length > 64 ? 64 : (int)twice->key.length;
    *r->offset = twice->offset;
    return ts_fail(r->error, TS_ERR_INPUT, NULL,
                   "%s: byte %zu: value of the key \"%.*s\", which the object has twice", r->name,
                   twice->offset, shown, twice->key.data);
}

static bool read_list(struct reader *r, struct ts_json *list, char close)
{
    const bool object = close == '}';
    const char end[] = {close, '\0'};
    const struct ts_json **link = &list->as.list.first;
    list->kind = object ? TS_JSON_OBJECT : TS_JSON_ARRAY;
    list->as.list.count = 0;
    *link = NULL;
    r->at++;
    skip_space(r);
    for (bool more = !take_word(r, end); more;) {
        struct ts_text key = {NULL, 0};
        if (object && !read_key(r, &key)) {
            return false;
        }
        struct ts_json *value = new_value(r);
        if (!value || !read_value(r, value)) {
            return false;
        }
        value->key = key;
        *link = value;
        link = &value->next;
        list->as.list.count++;
        skip_space(r);
        more = !take_word(r, end);
        if (more && !take_word(r, ",")) {
            return fail_here(r, object ? "expected ',' or '}'" : "expected ',' or ']'");
        }
        skip_space(r);
    }
    return !object || refuse_duplicate(r, list);
}

/* The recursion is as deep as TS_JSON_MOST_DEPTH. */
static bool read_value(struct reader *r, struct ts_json *value)
{
    int c = peek(r);
    if (c == '{' || c == '[') {
        if (r->depth == TS_JSON_MOST_DEPTH) {
            return fail_here(r, "more than 512 arrays and objects in each other");
        }
        r->depth++;
        bool ok = read_list(r, value, c == '{' ? '}' : ']');
        r->depth--;
        return ok;
    }
    if (c == '"') {
        value->kind = TS_JSON_STRING;
        return read_string(r, &value->as.text);
    }
    if (take_word(r, "NaN")) {
        value->kind = TS_JSON_FLOAT;
        value->as.number = strtod("nan", NULL);
        return true;
    }
    if (take_word(r, "null")) {
        return true;
    }
    bool is_true = take_word(r, "true");
    if (is_true || take_word(r, "false")) {
        value->kind = is_true ? TS_JSON_TRUE : TS_JSON_FALSE;
        return true;
    }
    return read_number(r, value);
}

const struct ts_json *ts_json_read(struct ts_arena *arena, const char *name, struct ts_text data,
                                   size_t *offset, struct ts_error *error)
{
    size_t unused = 0;
    struct reader r = {.arena = arena,
                       .name = name,
                       .data = data.data,
                       .length = data.length,
                       .offset = offset ? offset : &unused,
                       .error = error};
    *r.offset = 0;
    if (data.length > TS_JSON_MOST_BYTES) {
        ts_fail(error, TS_ERR_INPUT, NULL, "%s: %zu bytes of JSON; expected at most %d", name,
                data.length, (int)TS_JSON_MOST_BYTES);
        return NULL;
    }
    skip_space(&r);
    struct ts_json *value = new_value(&r);
    if (!value || !read_value(&r, value)) {
        return NULL;
    }
    skip_space(&r);
    if (r.at < r.length) {
        fail_here(&r, "expected nothing behind the value");
        return NULL;
    }
    return value;
}
