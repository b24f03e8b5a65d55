/* Lines, directives and tokens of a flat source. */
#include "tools/mutate/mutate.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void *mu_grow(void *array, size_t count, size_t element)
{
    if (count != 0 && (count & (count - 1)) != 0) {
        return array; /* room was made for the next power of two */
    }
    void *grown = realloc(array, (count ? 2 * count : 1) * element);
    if (!grown) {
        fputs("mutate: out of memory\n", stderr);
        exit(4);
    }
    return grown;
}

static void add_lines(struct mu_source *s)
{
    for (size_t begin = 0; begin < s->size;) {
        const char *stop = memchr(s->text + begin, '\n', s->size - begin);
        size_t end = stop ? (size_t)(stop - s->text) : s->size;
        s->lines = mu_grow(s->lines, s->line_count, sizeof *s->lines);
        s->lines[s->line_count++] = (struct mu_line){.begin = begin, .end = end};
        begin = end + 1;
    }
}

static void blank(struct mu_source *s, size_t begin, size_t end)
{
    for (size_t i = begin; i < end; i++) {
        s->code[i] = s->code[i] == '\n' ? '\n' : ' ';
    }
}

/* Comments and what stands between quotes. */
static void blank_comments(struct mu_source *s)
{
    for (size_t i = 0; i < s->size; i++) {
        size_t end = i;
        if (strncmp(s->text + i, "//", 2) == 0) {
            end = i + strcspn(s->text + i, "\n");
        } else if (strncmp(s->text + i, "/*", 2) == 0) {
            const char *stop = strstr(s->text + i + 2, "*/");
            end = stop ? (size_t)(stop - s->text) + 2 : s->size;
        } else if (s->text[i] == '"' || s->text[i] == '\'') {
            char quote = s->text[i];
            for (end = i + 1; end < s->size && s->text[end] != quote && s->text[end] != '\n';) {
                end += s->text[end] == '\\' ? 2 : 1;
            }
            end = end < s->size ? end + 1 : s->size;
        } else {
            continue;
        }
        /* the name in a #line is still to be read: its line is blanked later */
        blank(s, i, s->text[i] == '/' ? end : i);
        i = end - 1;
    }
}

/* ---- conditions ------------------------------------------------------------------------------- */

/* What the preprocessor makes of an expression in which MUTANT is 0. */
struct condition {
    const struct mu_source *source;
    const char *at, *end;
};

static const struct mu_macro *find_macro(const struct mu_source *s, const char *name, int length)
{
    for (size_t i = s->macro_count; i-- > 0;) {
        const struct mu_macro *m = &s->macros[i];
        if (m->name_length == length && strncmp(m->name, name, (size_t)length) == 0) {
            return m;
        }
    }
    return NULL;
}

static bool is_defined(const struct mu_source *s, const char *name, int length)
{
    for (const char *const *known = s->defined; *known; known++) {
        if ((int)strlen(*known) == length && strncmp(*known, name, (size_t)length) == 0) {
            return true;
        }
    }
    return find_macro(s, name, length) != NULL;
}

static void skip_space(struct condition *c)
{
    while (c->at < c->end && (isspace((unsigned char)*c->at) || *c->at == '\\')) {
        c->at++;
    }
}

static bool take(struct condition *c, const char *text)
{
    size_t length = strlen(text);
    skip_space(c);
    if ((size_t)(c->end - c->at) < length || strncmp(c->at, text, length) != 0) {
        return false;
    }
    c->at += length;
    return true;
}

static int take_word(struct condition *c, const char **word)
{
    skip_space(c);
    *word = c->at;
    while (c->at < c->end && (isalnum((unsigned char)*c->at) || *c->at == '_')) {
        c->at++;
    }
    return (int)(c->at - *word);
}

static long any(struct condition *c);

static long primary(struct condition *c)
{
    const char *word;
    if (take(c, "!")) {
        return !primary(c);
    }
    if (take(c, "(")) {
        long value = any(c);
        take(c, ")");
        return value;
    }
    int length = take_word(c, &word);
    if (length == 7 && strncmp(word, "defined", 7) == 0) {
        bool bracket = take(c, "(");
        length = take_word(c, &word);
        if (bracket) {
            take(c, ")");
        }
        return is_defined(c->source, word, length);
    }
    if (length == 0) {
        c->at = c->end;
        return 0;
    }
    if (isdigit((unsigned char)*word)) {
        return strtol(word, NULL, 0);
    }
    const struct mu_macro *m = find_macro(c->source, word, length);
    return m && strncmp(word, "MUTANT", 6) != 0 ? strtol(c->source->text + m->begin, NULL, 0) : 0;
}

static long comparison(struct condition *c)
{
    long value = primary(c);
    for (;;) {
        if (take(c, "==")) {
            value = value == primary(c);
        } else if (take(c, "!=")) {
            value = value != primary(c);
        } else if (take(c, "<=")) {
            value = value <= primary(c);
        } else if (take(c, ">=")) {
            value = value >= primary(c);
        } else if (take(c, "<")) {
            value = value < primary(c);
        } else if (take(c, ">")) {
            value = value > primary(c);
        } else {
            return value;
        }
    }
}

static long all(struct condition *c)
{
    long value = comparison(c);
    while (take(c, "&&")) {
        long other = comparison(c);
        value = value && other;
    }
    return value;
}

static long any(struct condition *c)
{
    long value = all(c);
    while (take(c, "||")) {
        long other = all(c);
        value = value || other;
    }
    return value;
}

/* ---- directives -------------------------------------------------------------------------------- */

enum { DEEPEST = 64 };

struct directives {
    struct mu_source *source;
    bool live[DEEPEST]; /* of each open condition; [0]: the file */
    bool done[DEEPEST]; /* one of its branches was live */
    int depth;
    const char *file;
    int file_length;
    unsigned number;
};

static void define(struct directives *d, struct condition *c)
{
    struct mu_source *s = d->source;
    struct mu_macro macro = {.name = NULL};
    macro.name_length = take_word(c, &macro.name);
    macro.begin = (size_t)(c->at - s->text);
    macro.end = (size_t)(c->end - s->text);
    s->macros = mu_grow(s->macros, s->macro_count, sizeof *s->macros);
    s->macros[s->macro_count++] = macro;
}

static void open_condition(struct directives *d, bool value)
{
    if (d->depth + 1 < DEEPEST) {
        d->depth++;
    }
    d->live[d->depth] = d->live[d->depth - 1] && value;
    d->done[d->depth] = value;
}

static void other_branch(struct directives *d, bool value)
{
    if (d->depth > 0) {
        d->live[d->depth] = d->live[d->depth - 1] && !d->done[d->depth] && value;
        d->done[d->depth] = d->done[d->depth] || value;
    }
}

static void set_origin(struct directives *d, struct condition *c)
{
    d->number = (unsigned)strtoul(c->at, NULL, 10);
    const char *quote = memchr(c->at, '"', (size_t)(c->end - c->at));
    const char *close = quote ? memchr(quote + 1, '"', (size_t)(c->end - quote - 1)) : NULL;
    if (close) {
        d->file = quote + 1;
        d->file_length = (int)(close - quote - 1);
    }
}

/* The directive in the lines that `c` spans. */
static void obey(struct directives *d, struct condition *c)
{
    const char *word, *name;
    take(c, "#");
    int length = take_word(c, &word);
#define IS(text) (length == (int)strlen(text) && strncmp(word, text, strlen(text)) == 0)
    if (IS("line")) {
        set_origin(d, c);
    } else if (IS("if")) {
        open_condition(d, any(c) != 0);
    } else if (IS("ifdef") || IS("ifndef")) {
        bool wanted = IS("ifdef");
        length = take_word(c, &name);
        open_condition(d, is_defined(d->source, name, length) == wanted);
    } else if (IS("elif")) {
        other_branch(d, any(c) != 0);
    } else if (IS("else")) {
        other_branch(d, true);
    } else if (IS("endif")) {
        d->depth -= d->depth > 0;
    } else if (IS("define") && d->live[d->depth]) {
        define(d, c);
    }
#undef IS
}

static void read_directives(struct mu_source *s)
{
    struct directives d = {.source = s, .live = {true}, .file = s->family, .number = 1};
    d.file_length = (int)strlen(s->family);
    for (size_t i = 0; i < s->line_count; i++) {
        struct mu_line *line = &s->lines[i];
        size_t text = line->begin + strspn(s->code + line->begin, " \t");
        size_t last = i;
        line->file = d.file;
        line->file_length = d.file_length;
        line->number = d.number++;
        if (s->code[text] != '#') {
            if (!d.live[d.depth]) {
                blank(s, line->begin, line->end);
            }
            continue;
        }
        while (s->text[s->lines[last].end - 1] == '\\' && last + 1 < s->line_count) {
            last++;
            s->lines[last].file = d.file;
            s->lines[last].file_length = d.file_length;
            s->lines[last].number = d.number++;
        }
        struct condition c = {s, s->text + text, s->text + s->lines[last].end};
        obey(&d, &c);
        blank(s, line->begin, s->lines[last].end);
        i = last;
    }
}

/* ---- tokens ------------------------------------------------------------------------------------ */

static size_t number_length(const char *text)
{
    size_t i = 0;
    bool hex = text[0] == '0' && (text[1] == 'x' || text[1] == 'X');
    while (isalnum((unsigned char)text[i]) || text[i] == '.' || text[i] == '_' || text[i] == '\'' ||
           ((text[i] == '+' || text[i] == '-') && i > 0 &&
            strchr(hex ? "pP" : "eE", text[i - 1]) != NULL)) {
        i++;
    }
    return i;
}

static size_t punctuation_length(const char *text)
{
    static const char *const marks[] = {
        "<<=", ">>=", "...", "<<", ">>", "<=", ">=", "==", "!=", "&&", "||", "+=",
        "-=",  "*=",  "/=",  "%=", "&=", "|=", "^=", "++", "--", "->", "::", "##"};
    for (size_t i = 0; i < sizeof marks / sizeof *marks; i++) {
        if (strncmp(text, marks[i], strlen(marks[i])) == 0) {
            return strlen(marks[i]);
        }
    }
    return 1;
}

static void add_tokens(struct mu_source *s)
{
    size_t line = 0;
    for (size_t i = 0; i < s->size;) {
        const char *at = s->code + i;
        struct mu_token token = {.begin = i, .partner = s->token_count};
        size_t length;
        while (line + 1 < s->line_count && s->lines[line].end < i) {
            line++;
        }
        if (isspace((unsigned char)*at)) {
            i++;
            continue;
        }
        token.line = line;
        if (*at == '"' || *at == '\'') {
            const char *close = strchr(at + 1, *at);
            length = close ? (size_t)(close - at) + 1 : 1;
            token.kind = MU_PUNCTUATION;
        } else if (isdigit((unsigned char)*at) || (*at == '.' && isdigit((unsigned char)at[1]))) {
            length = number_length(at);
            token.kind = MU_NUMBER;
        } else if (isalpha((unsigned char)*at) || *at == '_') {
            length = 1;
            while (isalnum((unsigned char)at[length]) || at[length] == '_') {
                length++;
            }
            token.kind = MU_WORD;
        } else {
            length = punctuation_length(at);
            token.kind = MU_PUNCTUATION;
        }
        i += length;
        token.end = i;
        s->tokens = mu_grow(s->tokens, s->token_count, sizeof *s->tokens);
        s->tokens[s->token_count++] = token;
    }
}

static void match_brackets(struct mu_source *s)
{
    size_t *open = NULL, depth = 0;
    for (size_t i = 0; i < s->token_count; i++) {
        char c = s->code[s->tokens[i].begin];
        bool single = s->tokens[i].end - s->tokens[i].begin == 1;
        if (single && strchr("([{", c)) {
            open = mu_grow(open, depth, sizeof *open);
            open[depth++] = i;
        } else if (single && strchr(")]}", c) && depth > 0) {
            size_t other = open[--depth];
            s->tokens[i].partner = other;
            s->tokens[other].partner = i;
        }
    }
    free(open);
}

void mu_source_read(struct mu_source *s, const char *family, const char *text,
                    const char *const *defined)
{
    memset(s, 0, sizeof *s);
    s->defined = defined;
    snprintf(s->family, sizeof s->family, "%s", family);
    s->text = strdup(text);
    s->code = strdup(text);
    if (!s->text || !s->code) {
        fputs("mutate: out of memory\n", stderr);
        exit(4);
    }
    s->size = strlen(text);
    add_lines(s);
    blank_comments(s);
    read_directives(s);
    add_tokens(s);
    match_brackets(s);
}

void mu_source_free(struct mu_source *s)
{
    for (size_t i = 0; i < s->point_count; i++) {
        free(s->points[i].is);
    }
    free(s->text);
    free(s->code);
    free(s->lines);
    free(s->tokens);
    free(s->macros);
    free(s->functions);
    free(s->planted);
    free(s->known);
    free(s->points);
}
