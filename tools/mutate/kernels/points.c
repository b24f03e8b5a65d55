/* Places for mistakes: in the bodies of functions that kernels reach, outside of what is not code there
 * (template arguments, attributes, the sizes of arrays, the wrong half of a planted bug). Every mistake
 * compiles. */
#include "tools/mutate/mutate.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct finder {
    struct mu_source *source;
    const struct mu_function *function;
    bool *off; /* by token: left alone */
};

static void *out_of_memory(void *memory)
{
    if (!memory) {
        fputs("mutate: out of memory\n", stderr);
        exit(4);
    }
    return memory;
}

/* `is` is copied. */
static void add_point(struct finder *f, const char *kind, size_t first_token, size_t begin,
                      size_t end, const char *is)
{
    struct mu_source *s = f->source;
    if (strlen(is) == end - begin && strncmp(s->text + begin, is, end - begin) == 0) {
        return;
    }
    struct mu_point p = {.kind = kind, .begin = begin, .end = end};
    p.line = s->tokens[first_token].line;
    p.is = out_of_memory(strdup(is));
    s->points = mu_grow(s->points, s->point_count, sizeof *s->points);
    s->points[s->point_count++] = p;
}

static void add_range(struct finder *f, const char *kind, size_t first, size_t last, const char *is)
{
    add_point(f, kind, first, f->source->tokens[first].begin, f->source->tokens[last].end, is);
}

/* Two ranges of tokens change places; what is between them stays. */
static void add_swap(struct finder *f, size_t a_first, size_t a_last, size_t b_first, size_t b_last)
{
    struct mu_source *s = f->source;
    const struct mu_token *t = s->tokens;
    size_t begin = t[a_first].begin, a_end = t[a_last].end;
    size_t b_begin = t[b_first].begin, end = t[b_last].end;
    size_t a = a_end - begin, b = end - b_begin;
    if (a == b && strncmp(s->text + begin, s->text + b_begin, a) == 0) {
        return;
    }
    char *is = out_of_memory(malloc(end - begin + 1));
    snprintf(is, end - begin + 1, "%.*s%.*s%.*s", (int)b, s->text + b_begin, (int)(b_begin - a_end),
             s->text + a_end, (int)a, s->text + begin);
    add_point(f, "swap", a_first, begin, end, is);
    free(is);
}

/* ---- what is left alone ------------------------------------------------------------------------ */

static void switch_off(struct finder *f, size_t begin, size_t end)
{
    memset(f->off + begin, true, (end - begin) * sizeof *f->off);
}

/* The comma or closing bracket that ends the argument which begins at `i`. */
static size_t argument_end(const struct mu_source *s, size_t i)
{
    while (i < s->token_count && !mu_is(s, i, ",") && !mu_is(s, i, ")") && !mu_is(s, i, "]") &&
           !mu_is(s, i, "}") && !mu_is(s, i, ";")) {
        i = s->tokens[i].partner > i ? s->tokens[i].partner + 1 : i + 1;
    }
    return i;
}

/* A bracket behind a declared name: two words in front of it, or another such bracket, or in a list of
 * declarations a comma and a word. */
static bool is_bound(const struct finder *f, size_t bracket, size_t statement)
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

static bool is_any(const struct mu_source *s, size_t token, const char *const *texts)
{
    for (; *texts; texts++) {
        if (mu_is(s, token, *texts)) {
            return true;
        }
    }
    return false;
}

/* A brace around statements, not around the values of an array. */
static bool is_block(const struct mu_source *s, size_t i)
{
    static const char *const in_values[] = {"=", ",", "{", NULL};
    if (!mu_is(s, i, "{") && !mu_is(s, i, "}")) {
        return false;
    }
    size_t open = mu_is(s, i, "{") ? i : s->tokens[i].partner;
    return open == 0 || !is_any(s, open - 1, in_values);
}

static void find_off(struct finder *f)
{
    struct mu_source *s = f->source;
    size_t statement = f->function->open + 1;
    for (size_t i = f->function->open + 1; i < f->function->close; i++) {
        size_t partner = s->tokens[i].partner;
        if (mu_is(s, i, ";") || is_block(s, i)) {
            statement = i + 1;
        } else if (mu_is(s, i, "TS_MUTANT")) {
            size_t wrong = argument_end(s, i + 2) + 1;
            switch_off(f, i, argument_end(s, wrong) + 1);
        } else if (mu_is(s, i, "MUTANT")) { /* MUTANT != k */
            switch_off(f, i, i + 3);
        } else if (mu_is(s, i, "case")) {
            switch_off(f, i, i + 2);
        } else if (mu_is(s, i, "static_assert") || mu_is(s, i, "sizeof") ||
                   mu_is(s, i, "alignas")) {
            switch_off(f, i, s->tokens[i + 1].partner + 1);
        } else if (mu_is(s, i, "constexpr")) {
            size_t end = i;
            while (!mu_is(s, end, ";") && !mu_is(s, end, "{") && end < f->function->close) {
                end++;
            }
            switch_off(f, i, end);
        } else if (mu_is(s, i, "[") && mu_is(s, i + 1, "[")) {
            switch_off(f, i, partner + 1);
        } else if (mu_is(s, i, "[") && is_bound(f, i, statement)) {
            switch_off(f, i, partner + 1);
        } else if (mu_is(s, i, "<") && !mu_is_spaced(s, i)) {
            switch_off(f, i, mu_skip_angles(s, i));
        }
    }
}

/* ---- kinds ------------------------------------------------------------------------------------- */

static void find_comparison(struct finder *f, size_t i)
{
    static const char *const pairs[][2] = {{"<", "<="}, {"<=", "<"}, {">", ">="}, {">=", ">"}};
    for (size_t p = 0; p < 4; p++) {
        if (mu_is(f->source, i, pairs[p][0]) && mu_is_spaced(f->source, i)) {
            add_range(f, "less", i, i, pairs[p][1]);
        }
    }
}

static void find_number(struct finder *f, size_t i)
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
        add_range(f, "plus-one", i, i, is);
        return;
    }
    char *suffix;
    unsigned long long value = strtoull(text, &suffix, 0);
    snprintf(is, sizeof is, hex ? "0x%llx%s" : "%llu%s", value + 1, suffix);
    add_range(f, "plus-one", i, i, is);
    if (value > 0 && !is_any(s, i - 1, steps)) {
        snprintf(is, sizeof is, hex ? "0x%llx%s" : "%llu%s", value - 1, suffix);
        add_range(f, "minus-one", i, i, is);
    }
}

static bool is_subscript(const struct finder *f, size_t i)
{
    const struct mu_source *s = f->source;
    return mu_is(s, i, "[") && !f->off[i] && s->tokens[i].partner > i + 1 &&
           (s->tokens[i - 1].kind == MU_WORD || mu_is(s, i - 1, "]") || mu_is(s, i - 1, ")"));
}

static void find_subscript(struct finder *f, size_t i)
{
    const struct mu_source *s = f->source;
    if (!is_subscript(f, i)) {
        return;
    }
    size_t close = s->tokens[i].partner, begin = s->tokens[i].end, end = s->tokens[close].begin;
    char is[512];
    if (end - begin < sizeof is - 16 && !memchr(s->text + begin, '#', end - begin)) {
        snprintf(is, sizeof is, "(%.*s) + 1", (int)(end - begin), s->text + begin);
        add_point(f, "index", i + 1, begin, end, is);
    }
    if (is_subscript(f, close + 1)) {
        add_swap(f, i + 1, close - 1, close + 2, s->tokens[close + 1].partner - 1);
    }
}

static void find_barrier(struct finder *f, size_t i)
{
    const struct mu_source *s = f->source;
    if (mu_is(s, i, "threadgroup_barrier") || mu_is(s, i, "simdgroup_barrier")) {
        add_range(f, "barrier", i, s->tokens[i + 1].partner, "");
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
        if (!is_any(s, i, spaces)) {
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
static bool is_matrix_index(const struct finder *f, size_t i, size_t left, size_t right)
{
    static const char *const products[] = {"*", "/", "%", NULL};
    const struct mu_source *s = f->source;
    int depth = 0;
    if (!is_any(s, left - 1, products) && !is_any(s, right + 1, products)) {
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

static void find_swap(struct finder *f, size_t i)
{
    static const char *const ordered[] = {"-", "/", "%", "<<", ">>", NULL};
    static const char *const compared[] = {"<", ">", "<=", ">=", NULL};
    const struct mu_source *s = f->source;
    size_t left, right;
    bool wanted = is_any(s, i, ordered) || (is_any(s, i, compared) && mu_is_spaced(s, i));
    if ((!wanted && !mu_is(s, i, "+")) || !mu_operand_before(s, i, &left) ||
        !mu_operand_behind(s, i, &right)) {
        return;
    }
    if ((wanted && !is_pointer(s, left, i - 1) && !is_pointer(s, i + 1, right)) ||
        (mu_is(s, i, "+") && is_matrix_index(f, i, left, right))) {
        add_swap(f, left, i - 1, i + 1, right);
    }
}

/* condition ? a : b */
static void find_choice(struct finder *f, size_t i)
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
    end = argument_end(s, colon + 1);
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
        add_point(f, "swap", i + 1, begin, stop, is);
    }
}

/* Functions with two arguments of one type that are not the same. */
static void find_arguments(struct finder *f, size_t i)
{
    static const struct {
        const char *name;
        int first; /* of the two */
    } calls[] = {{"fma", 1}, {"simdgroup_multiply_accumulate", 1}, {"select", 0}};
    const struct mu_source *s = f->source;
    for (size_t c = 0; c < sizeof calls / sizeof *calls; c++) {
        if (!mu_is(s, i, calls[c].name) || !mu_is(s, i + 1, "(")) {
            continue;
        }
        size_t first = i + 2;
        for (int k = 0; k < calls[c].first; k++) {
            first = argument_end(s, first) + 1;
        }
        size_t comma = argument_end(s, first), end = argument_end(s, comma + 1);
        if (mu_is(s, comma, ",")) {
            add_swap(f, first, comma - 1, comma + 1, end - 1);
        }
    }
}

/* ---- names ------------------------------------------------------------------------------------- */

/* The text of a line without spaces. */
static void squeeze(const struct mu_source *s, size_t line, char *text, size_t capacity)
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

static void name_points(struct finder *f, size_t first)
{
    struct mu_source *s = f->source;
    const struct mu_token *name = &s->tokens[f->function->name];
    char function[2 * MU_NAME], text[256];
    snprintf(function, sizeof function, "%s::%.*s", f->function->owner,
             (int)(name->end - name->begin), s->code + name->begin);
    for (size_t i = first; i < s->point_count; i++) {
        struct mu_point *p = &s->points[i];
        uint64_t occurrence = 0;
        squeeze(s, p->line, text, sizeof text);
        uint64_t hash = mu_hash(0, function, p->kind, text, NULL);
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

void mu_source_points(struct mu_source *s)
{
    struct finder f = {.source = s};
    f.off = out_of_memory(calloc(s->token_count + 1, sizeof *f.off));
    for (size_t n = 0; n < s->function_count; n++) {
        f.function = &s->functions[n];
        size_t first = s->point_count;
        if (!f.function->reached) {
            continue;
        }
        find_off(&f);
        for (size_t i = f.function->open + 1; i < f.function->close; i++) {
            if (f.off[i]) {
                continue;
            }
            find_comparison(&f, i);
            find_number(&f, i);
            find_subscript(&f, i);
            find_barrier(&f, i);
            find_swap(&f, i);
            find_choice(&f, i);
            find_arguments(&f, i);
        }
        name_points(&f, first);
    }
    free(f.off);
}
