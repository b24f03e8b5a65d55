/* What finders of every kind and language share: adding a place, what is left alone, names. */
#include "tools/mutate/finder.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void *mu_need(void *memory)
{
    if (!memory) {
        fputs("mutate: out of memory\n", stderr);
        exit(4);
    }
    return memory;
}

/* `is` is copied. */
void mu_add_point(struct mu_finder *f, const char *kind, size_t first_token, size_t begin,
                  size_t end, const char *is)
{
    struct mu_source *s = f->source;
    if (strlen(is) == end - begin && strncmp(s->text + begin, is, end - begin) == 0) {
        return;
    }
    struct mu_point p = {.kind = kind, .begin = begin, .end = end};
    p.line = s->tokens[first_token].line;
    p.function = (size_t)(f->function - s->functions);
    p.is = mu_need(strdup(is));
    s->points = mu_grow(s->points, s->point_count, sizeof *s->points);
    s->points[s->point_count++] = p;
}

void mu_add_range(struct mu_finder *f, const char *kind, size_t first, size_t last, const char *is)
{
    mu_add_point(f, kind, first, f->source->tokens[first].begin, f->source->tokens[last].end, is);
}

/* Two ranges of tokens change places; what is between them stays. */
void mu_add_swap(struct mu_finder *f, size_t a_first, size_t a_last, size_t b_first, size_t b_last)
{
    struct mu_source *s = f->source;
    const struct mu_token *t = s->tokens;
    size_t begin = t[a_first].begin, a_end = t[a_last].end;
    size_t b_begin = t[b_first].begin, end = t[b_last].end;
    size_t a = a_end - begin, b = end - b_begin;
    if (a == b && strncmp(s->text + begin, s->text + b_begin, a) == 0) {
        return;
    }
    char *is = mu_need(malloc(end - begin + 1));
    snprintf(is, end - begin + 1, "%.*s%.*s%.*s", (int)b, s->text + b_begin, (int)(b_begin - a_end),
             s->text + a_end, (int)a, s->text + begin);
    mu_add_point(f, "swap", a_first, begin, end, is);
    free(is);
}

/* ---- what is left alone ------------------------------------------------------------------------ */

void mu_switch_off(struct mu_finder *f, size_t begin, size_t end)
{
    memset(f->off + begin, true, (end - begin) * sizeof *f->off);
}

/* The comma or closing bracket that ends the argument which begins at `i`. */
size_t mu_argument_end(const struct mu_source *s, size_t i)
{
    while (i < s->token_count && !mu_is(s, i, ",") && !mu_is(s, i, ")") && !mu_is(s, i, "]") &&
           !mu_is(s, i, "}") && !mu_is(s, i, ";")) {
        i = s->tokens[i].partner > i ? s->tokens[i].partner + 1 : i + 1;
    }
    return i;
}

/* A bracket behind a declared name: two words in front of it, or another such bracket, or in a list of
 * declarations a comma and a word. */
bool mu_is_bound(const struct mu_finder *f, size_t bracket, size_t statement)
{
    const struct mu_source *s = f->source;
    if (mu_is(s, bracket - 1, "]")) {
        return f->off[bracket - 1];
    }
    if (s->tokens[bracket - 1].kind != MU_WORD || bracket < statement + 2) {
        return false;
    }
    bool declares = s->tokens[statement].kind == MU_WORD && !mu_is_keyword(s, statement) &&
                    (s->tokens[statement + 1].kind == MU_WORD || mu_is(s, statement + 1, "<"));
    size_t before = bracket - 2;
    bool type = s->tokens[before].kind == MU_WORD && !mu_is_keyword(s, before);
    bool angle = mu_is(s, before, ">") && !mu_is_spaced(s, before);
    return type || (declares && (angle || mu_is(s, before, ",")));
}

bool mu_is_any(const struct mu_source *s, size_t token, const char *const *texts)
{
    for (; *texts; texts++) {
        if (mu_is(s, token, *texts)) {
            return true;
        }
    }
    return false;
}

/* A brace around statements, not around the values of an array. */
bool mu_is_block(const struct mu_source *s, size_t i)
{
    static const char *const in_values[] = {"=", ",", "{", NULL};
    if (!mu_is(s, i, "{") && !mu_is(s, i, "}")) {
        return false;
    }
    size_t open = mu_is(s, i, "{") ? i : s->tokens[i].partner;
    return open == 0 || !mu_is_any(s, open - 1, in_values);
}

/* ---- names ------------------------------------------------------------------------------------- */

/* The text of a line without spaces. */
void mu_squeeze(const struct mu_source *s, size_t line, char *text, size_t capacity)
{
    size_t used = 0;
    for (size_t i = s->lines[line].begin; i < s->lines[line].end && used + 1 < capacity; i++) {
        if (!isspace((unsigned char)s->text[i])) {
            text[used++] = s->text[i];
        }
    }
    text[used] = '\0';
}

void mu_id(const struct mu_source *s, uint64_t key, char *id)
{
    snprintf(id, MU_ID, "%s-%08llx", s->family, (unsigned long long)(key >> 32));
}

void mu_name_points(struct mu_finder *f, size_t first, const char *salt)
{
    struct mu_source *s = f->source;
    const struct mu_token *name = &s->tokens[f->function->name];
    char function[2 * MU_NAME], text[256];
    snprintf(function, sizeof function, "%s::%.*s", f->function->owner,
             (int)(name->end - name->begin), s->code + name->begin);
    for (size_t i = first; i < s->point_count; i++) {
        struct mu_point *p = &s->points[i];
        uint64_t occurrence = 0;
        mu_squeeze(s, p->line, text, sizeof text);
        uint64_t hash = mu_hash(0, function, p->kind, text, salt, NULL);
        for (bool taken = true; taken; occurrence++) {
            p->key = mu_hash(hash + occurrence, "occurrence", NULL);
            taken = false;
            for (size_t k = 0; k < i; k++) {
                taken = taken || s->points[k].key == p->key;
            }
        }
        mu_id(s, p->key, p->id);
    }
}
