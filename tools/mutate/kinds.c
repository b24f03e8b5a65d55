/* Kinds of mistakes that both languages know. */
#include "tools/mutate/finder.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void mu_find_comparison(struct mu_finder *f, size_t i)
{
    static const char *const pairs[][2] = {{"<", "<="}, {"<=", "<"}, {">", ">="}, {">=", ">"}};
    for (size_t p = 0; p < 4; p++) {
        if (mu_is(f->source, i, pairs[p][0]) && mu_is_spaced(f->source, i)) {
            mu_add_range(f, "less", i, i, pairs[p][1]);
        }
    }
}

void mu_find_number(struct mu_finder *f, size_t i)
{
    /* what may make a step 0, and a loop endless */
    static const char *const steps[] = {
        "/", "%", ">>", "/=", "%=", ">>=", "<<=", "*=", "+=", "-=", NULL};
    const struct mu_source *s = f->source;
    const struct mu_token *t = &s->tokens[i];
    char text[64], is[96];
    if (t->kind != MU_NUMBER || t->end - t->begin >= sizeof text) {
        return;
    }
    snprintf(text, sizeof text, "%.*s", (int)(t->end - t->begin), s->code + t->begin);
    bool hex = strncmp(text, "0x", 2) == 0;
    if (strpbrk(text, hex ? "pP." : "eE.") || (!hex && strpbrk(text, "fhFH"))) {
        const char *suffix =
            text + strlen(text) - (isalpha((unsigned char)text[strlen(text) - 1]) != 0);
        snprintf(is, sizeof is, "(%s + 1.0%s)", text, suffix);
        mu_add_range(f, "plus-one", i, i, is);
        return;
    }
    char *suffix;
    unsigned long long value = strtoull(text, &suffix, 0);
    snprintf(is, sizeof is, hex ? "0x%llx%s" : "%llu%s", value + 1, suffix);
    mu_add_range(f, "plus-one", i, i, is);
    if (value > 0 && !mu_is_any(s, i - 1, steps)) {
        snprintf(is, sizeof is, hex ? "0x%llx%s" : "%llu%s", value - 1, suffix);
        mu_add_range(f, "minus-one", i, i, is);
    }
}

static bool is_subscript(const struct mu_finder *f, size_t i)
{
    const struct mu_source *s = f->source;
    return mu_is(s, i, "[") && !f->off[i] && s->tokens[i].partner > i + 1 &&
           (s->tokens[i - 1].kind == MU_WORD || mu_is(s, i - 1, "]") || mu_is(s, i - 1, ")"));
}

void mu_find_subscript(struct mu_finder *f, size_t i)
{
    const struct mu_source *s = f->source;
    if (!is_subscript(f, i)) {
        return;
    }
    size_t close = s->tokens[i].partner, begin = s->tokens[i].end, end = s->tokens[close].begin;
    char is[512];
    if (end - begin < sizeof is - 16 && !memchr(s->text + begin, '#', end - begin)) {
        snprintf(is, sizeof is, "(%.*s) + 1", (int)(end - begin), s->text + begin);
        mu_add_point(f, "index", i + 1, begin, end, is);
    }
    if (is_subscript(f, close + 1)) {
        mu_add_swap(f, i + 1, close - 1, close + 2, s->tokens[close + 1].partner - 1);
    }
}

/* A pointer's name: swapped with a number it would not compile. */
static bool is_pointer(const struct mu_source *s, size_t first, size_t last)
{
    const struct mu_token *name = &s->tokens[first];
    if (first != last || name->kind != MU_WORD) {
        return false;
    }
    for (size_t i = 0; i < s->token_count; i++) {
        static const char *const spaces[] = {"device", "constant", "threadgroup", "thread", NULL};
        if (!mu_is_any(s, i, spaces)) {
            continue;
        }
        for (size_t k = i + 1; k < i + 6 && k + 1 < s->token_count; k++) {
            const struct mu_token *t = &s->tokens[k + 1];
            if (mu_is(s, k, "*") && t->end - t->begin == name->end - name->begin &&
                strncmp(s->code + t->begin, s->code + name->begin, t->end - t->begin) == 0) {
                return true;
            }
        }
    }
    return false;
}

/* In a subscript a + b * c: which of both is multiplied. */
static bool is_matrix_index(const struct mu_finder *f, size_t i, size_t left, size_t right)
{
    static const char *const products[] = {"*", "/", "%", NULL};
    const struct mu_source *s = f->source;
    int depth = 0;
    if (!mu_is_any(s, left - 1, products) && !mu_is_any(s, right + 1, products)) {
        return false;
    }
    for (size_t k = i; k > f->function->open && !mu_is(s, k, ";"); k--) {
        depth += mu_is(s, k, "]") || mu_is(s, k, ")");
        depth -= mu_is(s, k, "[") || mu_is(s, k, "(");
        if (depth < 0) {
            return mu_is(s, k, "[");
        }
    }
    return false;
}

void mu_find_swap(struct mu_finder *f, size_t i)
{
    static const char *const ordered[] = {"-", "/", "%", "<<", ">>", NULL};
    static const char *const compared[] = {"<", ">", "<=", ">=", NULL};
    const struct mu_source *s = f->source;
    size_t left, right;
    bool wanted = mu_is_any(s, i, ordered) || (mu_is_any(s, i, compared) && mu_is_spaced(s, i));
    if ((!wanted && !mu_is(s, i, "+")) || !mu_operand_before(s, i, &left) ||
        !mu_operand_behind(s, i, &right)) {
        return;
    }
    if ((wanted && !is_pointer(s, left, i - 1) && !is_pointer(s, i + 1, right)) ||
        (mu_is(s, i, "+") && is_matrix_index(f, i, left, right))) {
        mu_add_swap(f, left, i - 1, i + 1, right);
    }
}

/* condition ? a : b */
void mu_find_choice(struct mu_finder *f, size_t i)
{
    const struct mu_source *s = f->source;
    size_t colon = i + 1, end;
    int nested = 0;
    if (!mu_is(s, i, "?")) {
        return;
    }
    for (; colon < f->function->close; colon++) {
        if (s->tokens[colon].partner > colon) {
            colon = s->tokens[colon].partner;
        } else if (mu_is(s, colon, "?")) {
            nested++;
        } else if (mu_is(s, colon, ":") && nested-- == 0) {
            break;
        } else if (mu_is(s, colon, ";")) {
            return;
        }
    }
    end = mu_argument_end(s, colon + 1);
    for (size_t k = colon + 1, open = 0; k < end; k++) { /* or the colon of a choice around it */
        if (s->tokens[k].partner > k) {
            k = s->tokens[k].partner;
        } else if (mu_is(s, k, "?")) {
            open++;
        } else if (mu_is(s, k, ":") && open-- == 0) {
            end = k;
        }
    }
    const struct mu_token *t = s->tokens;
    size_t begin = t[i + 1].begin, stop = t[end - 1].end;
    char is[768];
    if (stop - begin < sizeof is - 16) {
        snprintf(is, sizeof is, "(%.*s) : (%.*s)", (int)(stop - t[colon + 1].begin),
                 s->text + t[colon + 1].begin, (int)(t[colon - 1].end - begin), s->text + begin);
        mu_add_point(f, "swap", i + 1, begin, stop, is);
    }
}
