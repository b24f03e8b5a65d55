/* Which mistakes: an order from a seed that does not change where the source does not. */
#include "tools/mutate/mutate.h"

#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <xxhash.h>

uint64_t mu_hash(uint64_t seed, ...)
{
    va_list list;
    va_start(list, seed);
    for (const char *text; (text = va_arg(list, const char *));) {
        seed = XXH3_64bits_withSeed(text, strlen(text) + 1, seed);
    }
    va_end(list);
    return seed;
}

/* A place in a header belongs to the family that its hash prefers, of those that have it. */
static bool is_home(const struct mu_source *sources, size_t families, size_t family, uint64_t key)
{
    uint64_t own = mu_hash(key, sources[family].family, NULL);
    for (size_t f = 0; f < families; f++) {
        bool has = false;
        for (size_t i = 0; f != family && i < sources[f].point_count && !has; i++) {
            has = sources[f].points[i].key == key;
        }
        if (has && mu_hash(key, sources[f].family, NULL) < own) {
            return false;
        }
    }
    return true;
}

static void leave_home_only(struct mu_source *sources, size_t families)
{
    bool **home = calloc(families, sizeof *home);
    for (size_t f = 0; home && f < families; f++) {
        home[f] = calloc(sources[f].point_count + 1, sizeof **home);
        for (size_t i = 0; home[f] && i < sources[f].point_count; i++) {
            home[f][i] = is_home(sources, families, f, sources[f].points[i].key);
        }
    }
    for (size_t f = 0; home && f < families; f++) {
        struct mu_source *s = &sources[f];
        size_t kept = 0;
        for (size_t i = 0; i < s->point_count; i++) {
            if (home[f] && home[f][i]) {
                s->known = mu_grow(s->known, kept, sizeof *s->known);
                s->known[kept] = s->points[i].key;
                s->points[kept++] = s->points[i];
            } else {
                free(s->points[i].is);
            }
        }
        s->point_count = s->known_count = kept;
        free(home[f]);
    }
    free(home);
}

static int by_rank(const void *a, const void *b)
{
    const struct mu_point *x = a, *y = b;
    return x->rank < y->rank ? -1 : x->rank > y->rank ? 1 : 0;
}

/* The first of each line come before all second ones; within a round the lines are in random order. */
static void rank_points(struct mu_source *s, uint64_t seed)
{
    char text[32];
    snprintf(text, sizeof text, "%llu", (unsigned long long)seed);
    for (size_t i = 0; i < s->point_count; i++) {
        s->points[i].rank = mu_hash(s->points[i].key, text, NULL);
    }
    qsort(s->points, s->point_count, sizeof *s->points, by_rank);
    uint64_t *rounds = calloc(s->line_count + 1, sizeof *rounds);
    for (size_t i = 0; rounds && i < s->point_count; i++) {
        struct mu_point *p = &s->points[i];
        p->rank = rounds[p->line]++ << 48 | p->rank >> 16;
    }
    free(rounds);
    qsort(s->points, s->point_count, sizeof *s->points, by_rank);
}

static void cut(struct mu_source *s, size_t count)
{
    for (size_t i = count; i < s->point_count; i++) {
        free(s->points[i].is);
    }
    s->point_count = count;
}

void mu_choose(struct mu_source *sources, size_t families, uint64_t seed, size_t count)
{
    leave_home_only(sources, families);
    size_t *quota = calloc(families + 1, sizeof *quota);
    bool more = quota != NULL;
    for (size_t f = 0; f < families; f++) {
        rank_points(&sources[f], seed);
    }
    while (more && count > 0) {
        more = false;
        for (size_t f = 0; f < families && count > 0; f++) {
            if (quota[f] < sources[f].point_count) {
                quota[f]++;
                count--;
                more = true;
            }
        }
    }
    for (size_t f = 0; quota && f < families; f++) {
        cut(&sources[f], quota[f]);
    }
    free(quota);
}

static int by_value(const void *a, const void *b)
{
    const uint64_t *x = a, *y = b;
    return *x < *y ? -1 : *x > *y ? 1 : 0;
}

void mu_choose_any(struct mu_source *sources, size_t families, const bool *chosen, uint64_t seed,
                   size_t count)
{
    uint64_t *ranks = NULL;
    size_t all = 0;
    leave_home_only(sources, families);
    for (size_t f = 0; f < families; f++) {
        rank_points(&sources[f], seed);
        cut(&sources[f], chosen[f] ? sources[f].point_count : 0);
        for (size_t i = 0; i < sources[f].point_count; i++) {
            ranks = mu_grow(ranks, all, sizeof *ranks);
            ranks[all++] = sources[f].points[i].rank;
        }
    }
    if (count < all) {
        qsort(ranks, all, sizeof *ranks, by_value);
        for (size_t f = 0; f < families; f++) {
            size_t kept = 0;
            while (kept < sources[f].point_count && sources[f].points[kept].rank < ranks[count]) {
                kept++;
            }
            cut(&sources[f], kept);
        }
    }
    free(ranks);
}

/* ---- words and files --------------------------------------------------------------------------- */

/* Appends text with each run of spaces as one. */
static void append(char *text, size_t capacity, const char *more, size_t length)
{
    size_t used = strlen(text);
    for (size_t i = 0; i < length && used + 1 < capacity; i++) {
        bool space = isspace((unsigned char)more[i]) != 0;
        if (!space || (used > 0 && text[used - 1] != ' ')) {
            text[used++] = space ? ' ' : more[i];
        }
    }
    text[used] = '\0';
}

void mu_describe(const struct mu_source *s, const struct mu_point *p, char *text, size_t capacity)
{
    const struct mu_line *line = &s->lines[p->line];
    size_t end = p->end > line->end ? p->end : line->end;
    snprintf(text, capacity, "%.*s:%u: ", line->file_length, line->file, line->number);
    append(text, capacity, s->text + p->begin, p->end - p->begin);
    append(text, capacity, " -> ", 4);
    append(text, capacity, p->is[0] ? p->is : "nothing", strlen(p->is[0] ? p->is : "nothing"));
    append(text, capacity, " in ", 4);
    append(text, capacity, s->text + line->begin, p->begin - line->begin);
    append(text, capacity, "[", 1);
    append(text, capacity, s->text + p->begin, p->end - p->begin);
    append(text, capacity, "]", 1);
    append(text, capacity, s->text + p->end, end - p->end);
}

bool mu_write(const struct mu_source *s, const struct mu_point *p, const char *path,
              struct ts_error *error)
{
    FILE *file = fopen(path, "w");
    if (!file) {
        return ts_fail(error, TS_ERR_ENVIRONMENT, NULL, "%s: %s", path, strerror(errno));
    }
    size_t begin = p ? p->begin : s->size, end = p ? p->end : s->size;
    fwrite(s->text, 1, begin, file);
    fputs(p ? p->is : "", file);
    fwrite(s->text + end, 1, s->size - end, file);
    bool bad = ferror(file) != 0;
    bad |= fclose(file) != 0;
    return !bad || ts_fail(error, TS_ERR_ENVIRONMENT, NULL, "%s: cannot be written", path);
}
