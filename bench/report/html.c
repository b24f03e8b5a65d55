#include "bench/report/html.h"

#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define REPLACEMENT "\xef\xbf\xbd"
#define ELLIPSIS "\xe2\x80\xa6"

/* Bytes of the character at text; 0 where it is no UTF-8 or no character of XML. */
static size_t character(const char *text)
{
    const unsigned char *s = (const unsigned char *)text;
    size_t length = s[0] < 0x80 ? 1 : s[0] < 0xc2 ? 0 : s[0] < 0xe0 ? 2 : s[0] < 0xf0 ? 3 : 4;
    if (length <= 1 || s[0] > 0xf4) {
        bool control = s[0] == 0x7f || (s[0] < 0x20 && s[0] != '\t' && s[0] != '\n');
        return s[0] >= 0x80 || control ? 0 : 1;
    }
    uint32_t code = s[0] & (0x7fu >> length);
    for (size_t i = 1; i < length; i++) {
        if ((s[i] & 0xc0) != 0x80) {
            return 0;
        }
        code = code << 6 | (s[i] & 0x3f);
    }
    bool overlong = (length == 3 && code < 0x800) || (length == 4 && code < 0x10000);
    bool banned = (code >= 0xd800 && code < 0xe000) || code == 0xfffe || code == 0xffff ||
                  code > 0x10ffff || (code >= 0x80 && code < 0xa0);
    return overlong || banned ? 0 : length;
}

void ts_html_text(FILE *out, const char *text)
{
    ts_html_span(out, text, strlen(text));
}

void ts_html_span(FILE *out, const char *text, size_t span)
{
    for (const char *end = text + span; text < end;) {
        size_t length = character(text);
        switch (length == 1 ? *text : '\0') {
        case '&': fputs("&amp;", out); break;
        case '<': fputs("&lt;", out); break;
        case '>': fputs("&gt;", out); break;
        case '"': fputs("&quot;", out); break;
        case '\'': fputs("&#39;", out); break;
        default:
            if (length == 0) {
                fputs(REPLACEMENT, out);
            } else {
                fwrite(text, 1, length, out);
            }
        }
        text += length ? length : 1;
    }
}

void ts_clean_text(char *clean, size_t size, size_t most, const char *text)
{
    size_t used = 0, characters = 0, kept = 0;
    while (*text) {
        size_t length = character(text);
        bool bad = length == 0 || *text == '\n' || *text == '\t';
        size_t bytes = bad ? strlen(REPLACEMENT) : length;
        if (characters == most || used + bytes >= size - strlen(ELLIPSIS)) {
            memcpy(clean + kept, ELLIPSIS, strlen(ELLIPSIS));
            used = kept + strlen(ELLIPSIS);
            break;
        }
        kept = characters + 1 < most ? used + bytes : kept; /* the ellipsis is the last one */
        memcpy(clean + used, bad ? REPLACEMENT : text, bytes);
        used += bytes;
        characters++;
        text += length ? length : 1;
    }
    clean[used] = '\0';
}

/* Bytes of a title at text that gnuplot invents for lines without one, such as
 * <title>prefill_plot_1</title>: a page would show it under the mouse. */
static size_t invented_title(const char *text)
{
    const char *name = text + strlen("<title>"), *end = strstr(text, "</title>");
    if (strncmp(text, "<title>", strlen("<title>")) != 0 || !end) {
        return 0;
    }
    const char *plot = strstr(name, "_plot_");
    return plot && plot < end ? (size_t)(end - text) + strlen("</title>") : 0;
}

/* Bytes of a quoted colour at the quote `at`, as #rrggbb or rgb(r, g, b), without its end; 0 if it is
 * none. */
static size_t colour_of(const char *at, unsigned colour[3])
{
    int length = 0;
    if (*at != '"' && *at != '\'') {
        return 0;
    }
    if (sscanf(at + 1, "rgb( %3u , %3u , %3u )%n", &colour[0], &colour[1], &colour[2], &length) <
            3 &&
        (strspn(at + 1, "#0123456789abcdefABCDEF") != 7 ||
         sscanf(at + 1, "#%2x%2x%2x%n", &colour[0], &colour[1], &colour[2], &length) < 3)) {
        return 0;
    }
    return length > 0 && at[length + 1] == *at ? (size_t)length + 1 : 0;
}

/* Within tags: names are given as id=, and referred to by href and url. */
static void write_renamed(FILE *out, const char *svg, const char *prefix)
{
    static const char *const before[] = {" id=\"", " id='", "href=\"#", "href='#", "url(#"};
    bool tag = false;
    for (const char *at = svg; *at;) {
        unsigned c[3];
        size_t length = invented_title(at);
        if (length > 0) {
            at += length;
            continue;
        }
        tag = *at == '<' || (tag && *at != '>');
        length = tag ? colour_of(at, c) : 0;
        if (length > 0) {
            fprintf(out, "%cvar(--c%02x%02x%02x,#%02x%02x%02x)", *at, c[0], c[1], c[2], c[0], c[1],
                    c[2]);
            at += length;
            continue;
        }
        for (unsigned i = 0; tag && i < sizeof before / sizeof *before && length == 0; i++) {
            bool here = strncmp(at, before[i], strlen(before[i])) == 0;
            length = here ? strlen(before[i]) : 0;
        }
        if (length > 0) {
            fprintf(out, "%.*s%s-", (int)length, at, prefix);
        } else {
            fputc(*at, out);
        }
        at += length ? length : 1;
    }
}

bool ts_html_svg(FILE *out, const char *path, const char *prefix, struct ts_error *error)
{
    FILE *file = fopen(path, "rb");
    long length = -1;
    if (file && fseek(file, 0, SEEK_END) == 0) {
        length = ftell(file);
        rewind(file);
    }
    char *data = length >= 0 ? malloc((size_t)length + 1) : NULL;
    size_t got = data ? fread(data, 1, (size_t)length, file) : 0;
    bool ok = data && got == (size_t)length;
    if (!ok) {
        ts_fail(error, TS_ERR_ENVIRONMENT, NULL, "%s: %s", path, strerror(errno));
    }
    if (file) {
        fclose(file);
    }
    if (ok) {
        data[got] = '\0';
        const char *begin = strstr(data, "<svg");
        ok = begin || ts_fail(error, TS_ERR_ENVIRONMENT, NULL, "%s: holds no <svg", path);
        if (ok) {
            write_renamed(out, begin, prefix);
        }
    }
    free(data);
    return ok;
}

const char *ts_speed_text(char *buffer, size_t size, double speed)
{
    if (isnan(speed)) {
        snprintf(buffer, size, "\xe2\x80\x93");
        return buffer;
    }
    int digits = speed < 0.1    ? 5
                 : speed < 1    ? 4
                 : speed < 10   ? 3
                 : speed < 100  ? 2
                 : speed < 1000 ? 1
                                : 0;
    snprintf(buffer, size, "%.*f", digits, speed);
    return buffer;
}

const char *ts_seconds_text(char *buffer, size_t size, double seconds)
{
    if (isnan(seconds)) {
        snprintf(buffer, size, "\xe2\x80\x93");
    } else if (seconds < 1e-3) {
        snprintf(buffer, size, "%.1f \xc2\xb5s", seconds * 1e6);
    } else if (seconds < 1) {
        snprintf(buffer, size, "%.1f ms", seconds * 1e3);
    } else {
        snprintf(buffer, size, "%.2f s", seconds);
    }
    return buffer;
}
