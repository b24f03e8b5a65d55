/* Text on its way into JSON, which takes valid UTF-8 without zeros: names of files are any bytes. What
 * is neither becomes U+FFFD. */
#ifndef TS_BASE_JSON_H
#define TS_BASE_JSON_H

#include <stddef.h>

struct cJSON;

/* NULL without memory. */
struct cJSON *ts_json_string(const char *text);

/* Adds a text to an object, ended by a zero or of a length; returns what was added, NULL without memory
 * or without an object. */
struct cJSON *ts_json_add_text(struct cJSON *object, const char *name, const char *text);
struct cJSON *ts_json_add_bytes(struct cJSON *object, const char *name, const char *bytes,
                                size_t length);

#endif
