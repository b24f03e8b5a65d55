#include "tools/make-hostile/make_hostile.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

void bytes_add(struct bytes *bytes, const void *data, size_t length)
{
    if (length > bytes->capacity - bytes->length) {
        bytes->capacity = (bytes->length + length) * 2;
        bytes->data = realloc(bytes->data, bytes->capacity);
        if (!bytes->data) {
            fputs("make-hostile: out of memory\n", stderr);
            exit(4);
        }
    }
    if (length > 0) {
        memcpy(bytes->data + bytes->length, data, length);
        bytes->length += length;
    }
}

void bytes_number(struct bytes *bytes, uint64_t value, size_t length)
{
    bytes_add(bytes, &value, length);
}

void bytes_zeros(struct bytes *bytes, size_t length)
{
    static const uint8_t zeros[4096];
    for (; length > sizeof zeros; length -= sizeof zeros) {
        bytes_add(bytes, zeros, sizeof zeros);
    }
    bytes_add(bytes, zeros, length);
}

void bytes_text(struct bytes *bytes, const char *text)
{
    bytes_number(bytes, strlen(text), 8);
    bytes_add(bytes, text, strlen(text));
}

void bytes_free(struct bytes *bytes)
{
    free(bytes->data);
    *bytes = (struct bytes){NULL, 0, 0};
}

static void add_word(struct bytes *bytes, char *word)
{
    char kind = word[0], *text = word + 1;
    double real = strtod(text, NULL);
    float single = (float)real;
    uint64_t value = text[0] == '-' ? (uint64_t)strtoll(text, NULL, 0) : strtoull(text, NULL, 0);
    switch (kind) {
    case 'b': bytes_number(bytes, value, 1); break;
    case 'h': bytes_number(bytes, value, 2); break;
    case 'd': bytes_number(bytes, value, 4); break;
    case 'q': bytes_number(bytes, value, 8); break;
    case 'f': bytes_add(bytes, &single, sizeof single); break;
    case 'g': bytes_add(bytes, &real, sizeof real); break;
    case 'z': bytes_zeros(bytes, value); break;
    case 'p': bytes_zeros(bytes, (value - bytes->length % value) % value); break;
    case 's':
        for (char *at = text; *at; at++) {
            *at = *at == '~' ? ' ' : *at;
        }
        bytes_text(bytes, text);
        break;
    default: fprintf(stderr, "make-hostile: word '%s' is unknown\n", word); exit(2);
    }
}

void bytes_words(struct bytes *bytes, const char *words)
{
    char *copy = strdup(words), *rest = NULL;
    for (char *word = copy ? strtok_r(copy, " ", &rest) : NULL; word;
         word = strtok_r(NULL, " ", &rest)) {
        add_word(bytes, word);
    }
    free(copy);
}
