#include "base/text.h"

#include <string.h>

int ts_utf8_sequence(const uint8_t *bytes, size_t length)
{
    uint8_t lead = bytes[0];
    if (lead < 0x80) {
        return 1;
    }
    if (lead < 0xC2 || lead > 0xF4) {
        return 0;
    }
    int size = lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
    /* the second byte is bounded more tightly after the leads at the edges of the code space */
    uint8_t low = lead == 0xE0 ? 0xA0 : lead == 0xF0 ? 0x90 : 0x80;
    uint8_t high = lead == 0xED ? 0x9F : lead == 0xF4 ? 0x8F : 0xBF;
    for (int i = 1; i < size; i++) {
        if ((size_t)i == length) {
            return -1;
        }
        if (bytes[i] < low || bytes[i] > high) {
            return 0;
        }
        low = 0x80;
        high = 0xBF;
    }
    return size;
}

bool ts_text_equals(struct ts_text text, const char *string)
{
    size_t length = strlen(string);
    return text.length == length && memcmp(text.data, string, length) == 0;
}

struct ts_shown ts_text_show(struct ts_text text)
{
    struct ts_shown shown;
    size_t at = 0;
    for (size_t i = 0; i < text.length;) {
        const uint8_t *byte = (const uint8_t *)text.data + i;
        int bytes = ts_utf8_sequence(byte, text.length - i);
        /* C1, U+0080 to U+009F, moves a terminal's cursor as C0 does */
        bool control =
            byte[0] < 32 || byte[0] == 127 || (bytes == 2 && byte[0] == 0xC2 && byte[1] < 0xA0);
        size_t used = bytes > 0 ? (size_t)bytes : 1;
        if (at + used > TS_TEXT_SHOWN) {
            break;
        }
        if (bytes < 1 || control) {
            shown.text[at++] = '?';
        } else {
            memcpy(shown.text + at, byte, used);
            at += used;
        }
        i += used;
    }
    shown.text[at] = '\0';
    return shown;
}

int ts_text_compare(struct ts_text a, struct ts_text b)
{
    int order = memcmp(a.data, b.data, a.length < b.length ? a.length : b.length);
    return order ? order : (a.length > b.length) - (a.length < b.length);
}
