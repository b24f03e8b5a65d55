#include "engine/prompt/json.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void ts_json_print_string(struct ts_text text, struct ts_writer *out)
{
    static const char special[] = "\"\\\n\r\t\b\f", letters[] = "\"\\nrtbf";
    size_t from = 0;
    ts_writer_add(out, "\"", 1);
    for (size_t i = 0; i < text.length; i++) {
        unsigned char c = (unsigned char)text.data[i];
        if (c >= 0x20 && c != '"' && c != '\\') {
            continue;
        }
        const char *found = c ? strchr(special, c) : NULL;
        char escape[8];
        if (found) {
            snprintf(escape, sizeof escape, "\\%c", letters[found - special]);
        } else {
            snprintf(escape, sizeof escape, "\\u%04x", (unsigned)c);
        }
        ts_writer_add(out, text.data + from, i - from);
        ts_writer_add_string(out, escape);
        from = i + 1;
    }
    ts_writer_add(out, text.data + from, text.length - from);
    ts_writer_add(out, "\"", 1);
}

/* d.ddde+XX with one more in the last digit, away from zero. */
static void next_decimal(char *text)
{
    char *e = strchr(text, 'e');
    for (char *digit = e - 1; digit >= text; digit--) {
        if (*digit == '9') {
            *digit = '0';
        } else if (*digit != '.') {
            (*digit)++;
            return;
        }
    }
    /* 9.99 became 0.00, which stands for 10.00 */
    int exponent = atoi(e + 1) + 1;
    text[0] = '1';
    snprintf(e, 16, "e%+03d", exponent);
}

/* The shortest d.ddde+XX that reads back as `value` (positive, finite, not 0), and of the shortest
 * the nearest. Any text of 15 digits survives a double unless it is subnormal, so the search begins
 * there. Below a power of two doubles lie twice as dense as above, so that the nearest decimal may
 * fail where the next one up reads back. */
static void shortest(double value, char *text, size_t size)
{
    int exponent;
    bool power = frexp(value, &exponent) == 0.5;
    for (int digits = value < DBL_MIN ? 1 : DBL_DIG; digits <= DBL_DECIMAL_DIG; digits++) {
        snprintf(text, size, "%.*e", digits - 1, value);
        if (strtod(text, NULL) == value) {
            return;
        }
        if (power && strtod(text, NULL) < value) {
            next_decimal(text);
            if (strtod(text, NULL) == value) {
                return;
            }
        }
    }
}

void ts_json_print_float(double number, struct ts_writer *out)
{
    char text[40], digits[24];
    int count = 0;
    if (isnan(number)) {
        ts_writer_add_string(out, "NaN");
        return;
    }
    ts_writer_add_string(out, signbit(number) ? "-" : "");
    if (isinf(number) || number == 0) {
        ts_writer_add_string(out, number == 0 ? "0.0" : "Infinity");
        return;
    }
    shortest(fabs(number), text, sizeof text);
    for (const char *at = text; *at != 'e'; at++) {
        if (*at != '.' && count < (int)sizeof digits) {
            digits[count++] = *at;
        }
    }
    while (count > 1 && digits[count - 1] == '0') {
        count--;
    }
    int point = atoi(strchr(text, 'e') + 1) + 1; /* digits in front of the point */
    if (point > 16 || point < -3) {
        snprintf(text, sizeof text, "%.1s%s%.*se%+03d", digits, count > 1 ? "." : "", count - 1,
                 digits + 1, point - 1);
    } else if (point <= 0) {
        snprintf(text, sizeof text, "0.%.*s%.*s", -point, "000", count, digits);
    } else if (count <= point) {
        snprintf(text, sizeof text, "%.*s%.*s.0", count, digits, point - count, "0000000000000000");
    } else {
        snprintf(text, sizeof text, "%.*s.%.*s", point, digits, count - point, digits + point);
    }
    ts_writer_add_string(out, text);
}

/* As deep as the reader allows. */
void ts_json_print(const struct ts_json *value, struct ts_writer *out)
{
    const bool object = value->kind == TS_JSON_OBJECT;
    switch (value->kind) {
    case TS_JSON_NULL: ts_writer_add_string(out, "null"); return;
    case TS_JSON_FALSE: ts_writer_add_string(out, "false"); return;
    case TS_JSON_TRUE: ts_writer_add_string(out, "true"); return;
    case TS_JSON_INTEGER: ts_writer_add_text(out, value->as.text); return;
    case TS_JSON_FLOAT: ts_json_print_float(value->as.number, out); return;
    case TS_JSON_STRING: ts_json_print_string(value->as.text, out); return;
    case TS_JSON_ARRAY:
    case TS_JSON_OBJECT: break;
    }
    ts_writer_add_string(out, object ? "{" : "[");
    for (const struct ts_json *item = value->as.list.first; item; item = item->next) {
        if (object) {
            ts_json_print_string(item->key, out);
            ts_writer_add_string(out, ": ");
        }
        ts_json_print(item, out);
        ts_writer_add_string(out, item->next ? ", " : "");
    }
    ts_writer_add_string(out, object ? "}" : "]");
}
