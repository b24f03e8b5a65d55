/* Functions of a flat source, and which of them a kernel reaches. */
#include "tools/mutate/mutate.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool mu_is(const struct mu_source *s, size_t token, const char *text)
{
    if (token >= s->token_count) {
        return false;
    }
    const struct mu_token *t = &s->tokens[token];
    return t->end - t->begin == strlen(text) &&
           strncmp(s->code + t->begin, text, t->end - t->begin) == 0;
}

bool mu_is_spaced(const struct mu_source *s, size_t token)
{
    const struct mu_token *t = &s->tokens[token];
    return t->begin > 0 && isspace((unsigned char)s->code[t->begin - 1]) &&
           isspace((unsigned char)s->code[t->end]);
}

size_t mu_skip_angles(const struct mu_source *s, size_t token)
{
    int depth = 0;
    for (size_t i = token; i < s->token_count; i++) {
        depth += mu_is(s, i, "<");
        depth -= mu_is(s, i, ">") ? 1 : mu_is(s, i, ">>") ? 2 : 0;
        if (depth <= 0) {
            return i + 1;
        }
        if (mu_is(s, i, ";") || mu_is(s, i, "{")) {
            break; /* it was none */
        }
    }
    return token + 1;
}

bool mu_is_keyword(const struct mu_source *s, size_t token)
{
    static const char *const words[] = {"return", "case", "else", "if",     "while", "for",
                                        "do",     "goto", "new",  "switch", "using", "typedef"};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        if (mu_is(s, token, words[i])) {
            return true;
        }
    }
    return false;
}

/* ---- functions --------------------------------------------------------------------------------- */

struct scan {
    struct mu_source *source;
    bool *root; /* by token: words at file scope, which name what is used */
};

static void add_function(struct mu_source *s, size_t head, size_t name, size_t open,
                         const char *owner)
{
    struct mu_function f = {.name = name, .head = head, .open = open};
    f.close = s->tokens[open].partner;
    snprintf(f.owner, sizeof f.owner, "%s", owner);
    for (size_t i = head; i < name; i++) {
        f.reached = f.reached || mu_is(s, i, "kernel");
    }
    s->functions = mu_grow(s->functions, s->function_count, sizeof *s->functions);
    s->functions[s->function_count++] = f;
}

/* The name of the type or namespace whose body begins at `open`, or the end of the tokens. */
static size_t type_name(const struct mu_source *s, size_t head, size_t open)
{
    for (size_t i = head; i < open; i++) {
        if (mu_is(s, i, "<")) {
            i = mu_skip_angles(s, i) - 1;
        } else if (mu_is(s, i, "struct") || mu_is(s, i, "class") || mu_is(s, i, "union") ||
                   mu_is(s, i, "namespace")) {
            return i + 1;
        }
    }
    return s->token_count;
}

static void scan_scope(struct scan *scan, size_t begin, size_t end, const char *owner)
{
    struct mu_source *s = scan->source;
    size_t head = begin;
    for (size_t i = begin; i < end; i++) {
        size_t partner = s->tokens[i].partner;
        if (mu_is(s, i, ";")) {
            memset(scan->root + head, true, (i - head) * sizeof *scan->root);
            head = i + 1;
        } else if (mu_is(s, i, "(") || mu_is(s, i, "[")) {
            i = partner > i ? partner : i;
        } else if (mu_is(s, i, "{") && partner > i) {
            size_t close = i > 0 && mu_is(s, i - 1, "const") ? i - 2 : i - 1;
            size_t type = type_name(s, head, i);
            if (i > head + 1 && mu_is(s, close, ")")) {
                add_function(s, head, s->tokens[close].partner - 1, i, owner);
                head = partner + 1;
            } else if (type < i) {
                char name[MU_NAME];
                const struct mu_token *t = &s->tokens[type];
                snprintf(name, sizeof name, "%.*s", (int)(t->end - t->begin), s->code + t->begin);
                scan_scope(scan, i + 1, partner, name);
                head = partner + 1;
            }
            i = partner; /* else the values of a table */
        }
    }
}

/* ---- reach ------------------------------------------------------------------------------------- */

/* Marks what a word names. True if that is new. */
static bool mention(struct mu_source *s, const char *word, size_t length)
{
    bool news = false;
    for (size_t i = 0; i < s->function_count; i++) {
        struct mu_function *f = &s->functions[i];
        const struct mu_token *name = &s->tokens[f->name];
        if (!f->reached && name->end - name->begin == length &&
            strncmp(s->code + name->begin, word, length) == 0) {
            f->reached = news = true;
        }
    }
    for (size_t i = 0; i < s->macro_count; i++) {
        struct mu_macro *m = &s->macros[i];
        if (!m->reached && (size_t)m->name_length == length &&
            strncmp(m->name, word, length) == 0) {
            m->reached = news = true;
        }
    }
    return news;
}

static bool mention_tokens(struct mu_source *s, size_t begin, size_t end, const bool *only)
{
    bool news = false;
    for (size_t i = begin; i < end; i++) {
        const struct mu_token *t = &s->tokens[i];
        if (t->kind == MU_WORD && (!only || only[i])) {
            news |= mention(s, s->code + t->begin, t->end - t->begin);
        }
    }
    return news;
}

static bool mention_text(struct mu_source *s, size_t begin, size_t end)
{
    bool news = false;
    for (size_t i = begin; i < end;) {
        size_t length = 0;
        while (i + length < end &&
               (isalnum((unsigned char)s->text[i + length]) || s->text[i + length] == '_')) {
            length++;
        }
        news |= length > 0 && mention(s, s->text + i, length);
        i += length > 0 ? length : 1;
    }
    return news;
}

static void reach(struct mu_source *s, const bool *root)
{
    bool news = mention_tokens(s, 0, s->token_count, root);
    for (news = true; news;) {
        news = false;
        for (size_t i = 0; i < s->function_count; i++) {
            if (s->functions[i].reached) {
                news |= mention_tokens(s, s->functions[i].head, s->functions[i].close, NULL);
            }
        }
        for (size_t i = 0; i < s->macro_count; i++) {
            if (s->macros[i].reached) {
                news |= mention_text(s, s->macros[i].begin, s->macros[i].end);
            }
        }
    }
}

/* ---- planted bugs ------------------------------------------------------------------------------ */

static void note_planted(struct mu_source *s, size_t at)
{
    size_t line = 0;
    long number = strtol(s->text + at, NULL, 10);
    while (line + 1 < s->line_count && s->lines[line].end < at) {
        line++;
    }
    struct mu_planted p = {(unsigned)number, s->lines[line].file, s->lines[line].file_length};
    if (number > 0 && number < 256) {
        s->planted = mu_grow(s->planted, s->planted_count, sizeof *s->planted);
        s->planted[s->planted_count++] = p;
    }
}

/* TS_MUTANT(k, ...), and directives that compare MUTANT with k. */
static void find_planted(struct mu_source *s)
{
    for (size_t f = 0; f < s->function_count; f++) {
        size_t begin = s->tokens[s->functions[f].open].begin;
        size_t end = s->tokens[s->functions[f].close].begin;
        const char *at = s->text + begin;
        while (s->functions[f].reached && (at = strstr(at, "MUTANT")) && at < s->text + end) {
            at += strlen("MUTANT");
            at += strspn(at, " =!(");
            note_planted(s, (size_t)(at - s->text));
        }
    }
}

void mu_source_structure(struct mu_source *s, bool all)
{
    struct scan scan = {.source = s, .root = calloc(s->token_count + 1, sizeof *scan.root)};
    if (!scan.root) {
        fputs("mutate: out of memory\n", stderr);
        exit(4);
    }
    scan_scope(&scan, 0, s->token_count, "");
    for (size_t i = 0; all && i < s->function_count; i++) {
        s->functions[i].reached = true;
    }
    reach(s, scan.root);
    find_planted(s);
    free(scan.root);
}
