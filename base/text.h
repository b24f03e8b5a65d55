/* Text that is not terminated by a zero: names and values inside a file, pieces of a reply. */
#ifndef TS_BASE_TEXT_H
#define TS_BASE_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Bytes that somebody else owns. */
struct ts_text {
    const char *data;
    size_t length;
};

/* Bytes [begin, end) of a text. */
struct ts_span {
    size_t begin, end;
};

bool ts_text_equals(struct ts_text text, const char *string);

/* A text from a file as it may go into a message: cut (with the rest of a message it stays below
 * what struct ts_error holds), control characters and bytes that are no UTF-8 replaced by '?'. */
enum { TS_TEXT_SHOWN = 80 };
struct ts_shown {
    char text[TS_TEXT_SHOWN + 1];
};
struct ts_shown ts_text_show(struct ts_text text);

/* By bytes, a prefix first: below, equal to or above 0 as strcmp. */
int ts_text_compare(struct ts_text a, struct ts_text b);

/* The UTF-8 sequence at the start of bytes [length > 0] (RFC 3629: no overlong forms, no
 * surrogates, nothing above U+10FFFF): its length, 0 if it is invalid, -1 if it is the beginning of
 * a valid sequence that ends too early. */
int ts_utf8_sequence(const uint8_t *bytes, size_t length);

#endif
