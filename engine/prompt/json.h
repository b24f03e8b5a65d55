/* JSON as Python's json module reads it and prints it again, which is what the model was trained
 * on: members keep their order, integers keep their digits (-0 becomes 0), floats become the
 * shortest text that reads back as the same double (1.0, 1e-05, 1e+16), separators are ", " and
 * ": ", and nothing but quotes, backslashes and control characters is escaped. As in Python, NaN,
 * Infinity and -Infinity are read and printed, and 1e400 is read as Infinity.
 *
 * Stricter than Python: a key that an object has twice, surrogates that form no pair, and whatever
 * exceeds the limits below are refused. Text must be UTF-8. */
#ifndef TS_ENGINE_PROMPT_JSON_H
#define TS_ENGINE_PROMPT_JSON_H

#include "engine/prompt/arena.h"
#include "engine/prompt/writer.h"

/* More than a conversation that fills the model's million tokens needs. TS_ARENA_MOST limits the
 * values. Python too reads no integer of more than 4300 digits. */
enum {
    TS_JSON_MOST_BYTES = 1 << 24,
    TS_JSON_MOST_DEPTH = 512, /* arrays and objects around a value */
    TS_JSON_MOST_DIGITS = 4300
};

enum ts_json_kind {
    TS_JSON_NULL,
    TS_JSON_FALSE,
    TS_JSON_TRUE,
    TS_JSON_INTEGER,
    TS_JSON_FLOAT,
    TS_JSON_STRING,
    TS_JSON_ARRAY,
    TS_JSON_OBJECT
};

/* A value; members and elements are a list. */
struct ts_json {
    enum ts_json_kind kind;
    size_t offset;              /* where it begins in the text */
    struct ts_text key;         /* of a member of an object */
    const struct ts_json *next; /* the next member or element; NULL behind the last */
    union {
        struct ts_text text; /* of a string: decoded; of an integer: its digits with the sign */
        double number;       /* of a float */
        struct {
            const struct ts_json *first;
            size_t count;
        } list; /* of an array or object */
    } as;
};

/* Reads one value, with nothing but white space around it. Strings without escapes stay in `data`,
 * which must live as long as the tree; the rest is in the arena. Linear up to a logarithm.
 * Returns NULL with *error: TS_ERR_INPUT as "NAME: byte N: expected ...", N from 0 also in *offset
 * (which may be NULL), or TS_ERR_ENVIRONMENT without memory. */
const struct ts_json *ts_json_read(struct ts_arena *arena, const char *name, struct ts_text data,
                                   size_t *offset, struct ts_error *error);

/* The first member whose key an earlier one has too (in the order of the text); NULL if none or
 * not an object. Sorts: n log n. *memory receives false if there was none for that. */
const struct ts_json *ts_json_duplicate(const struct ts_json *object, bool *memory);

/* The member of an object; NULL if it has none, or is no object, or is NULL. Linear. */
const struct ts_json *ts_json_find(const struct ts_json *object, const char *key);

/* True unless NULL, null, false, a zero, or an empty string, array or object: Python's bool(). */
bool ts_json_truth(const struct ts_json *value);

/* "null", "a boolean", "a number", "a string", "an array" or "an object"; "missing" for NULL. */
const char *ts_json_kind_name(const struct ts_json *value);

/* Appends the value as Python prints it. */
void ts_json_print(const struct ts_json *value, struct ts_writer *out);

/* Appends a string: quoted and escaped. */
void ts_json_print_string(struct ts_text text, struct ts_writer *out);

/* Appends repr() of a double; NaN, Infinity and -Infinity as Python's json writes them. The
 * process's locale must be "C" for numbers, as it is unless a program changes it. */
void ts_json_print_float(double number, struct ts_writer *out);

#endif
