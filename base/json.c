#include "base/json.h"

#include "base/text.h"

#include <cjson/cJSON.h>
#include <stdlib.h>
#include <string.h>

/* The caller frees it. */
static char *valid_text(const char *bytes, size_t length)
{
    char *out = length < SIZE_MAX / 3 ? malloc(3 * length + 1) : NULL;
    if (!out) {
        return NULL;
    }
    char *end = out;
    for (size_t i = 0; i < length;) {
        int sequence = ts_utf8_sequence((const uint8_t *)bytes + i, length - i);
        if (sequence > 0 && bytes[i] != '\0') {
            memcpy(end, bytes + i, (size_t)sequence);
            end += sequence;
            i += (size_t)sequence;
        } else {
            memcpy(end, "\xEF\xBF\xBD", 3);
            end += 3;
            i++;
        }
    }
    *end = '\0';
    return out;
}

static cJSON *create(const char *bytes, size_t length)
{
    char *text = valid_text(bytes, length);
    cJSON *string = text ? cJSON_CreateString(text) : NULL;
    free(text);
    return string;
}

cJSON *ts_json_string(const char *text)
{
    return create(text, strlen(text));
}

cJSON *ts_json_add_bytes(cJSON *object, const char *name, const char *bytes, size_t length)
{
    cJSON *string = create(bytes, length);
    if (string && !cJSON_AddItemToObject(object, name, string)) {
        cJSON_Delete(string);
        return NULL;
    }
    return string;
}

cJSON *ts_json_add_text(cJSON *object, const char *name, const char *text)
{
    return ts_json_add_bytes(object, name, text, strlen(text));
}
