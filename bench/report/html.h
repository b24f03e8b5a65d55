/* Text that others chose (names of models, machines, reasons) on its way into HTML and charts. */
#ifndef TS_BENCH_REPORT_HTML_H
#define TS_BENCH_REPORT_HTML_H

#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

/* Writes text so that it is text in an element and in a quoted attribute; what is no valid UTF-8
 * or may not stand in XML becomes U+FFFD. */
void ts_html_text(FILE *out, const char *text);

/* The same for the first `length` bytes, which end between characters. */
void ts_html_span(FILE *out, const char *text, size_t length);

/* Copies text on one line: bad UTF-8 and control characters become U+FFFD, and what is longer than
 * `most` characters, or than size - 4 bytes, ends in an ellipsis. size is at least 8. */
void ts_clean_text(char *clean, size_t size, size_t most, const char *text);

/* Copies an SVG file into a page: from its <svg on, with `prefix` before every id, because a page
 * holds several charts that define the same ones, and with each colour #rrggbb as the value of
 * --crrggbb where the page's style sets that, as it does for a dark page. Errors: TS_ERR_ENVIRONMENT. */
bool ts_html_svg(FILE *out, const char *path, const char *prefix, struct ts_error *error);

/* tokens/s with about four digits, and a duration in the unit that fits it; NaN is a dash.
 * The buffer is returned. */
const char *ts_speed_text(char *buffer, size_t size, double tokens_per_second);
const char *ts_seconds_text(char *buffer, size_t size, double seconds);

#endif
