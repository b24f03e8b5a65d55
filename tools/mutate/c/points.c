/* Places for mistakes in C: those of both languages, and relations, logic, negations, statements and
 * returns left out, arguments of like types swapped. What frees memory is not left out: that is for the
 * address sanitizer. A mistake need not compile: then it does not count. */
#include "tools/mutate/c/c.h"

#include "tools/mutate/finder.h"

#include <stdlib.h>
#include <string.h>

/* A brace around statements: of the function, or behind a head, a word or another statement. */
static bool is_block(const struct mu_source *s, size_t i)
{
    static const char *const before[] = {";", "{", "}", "else", "do", ":", NULL};
    if (!mu_is(s, i, "{") && !mu_is(s, i, "}")) {
        return false;
    }
    size_t open = mu_is(s, i, "{") ? i : s->tokens[i].partner;
    if (open == 0 ||
        !mu_is(s, open - 1, ")")) { /* what follows a bracket is a literal's or a block */
        return open == 0 || (mu_is_any(s, open - 1, before) && mu_is_block(s, i));
    }
    size_t word = s->tokens[open - 1].partner - 1;
    return s->tokens[word].kind == MU_WORD && !mu_is(s, word, "return");
}

static void find_off(struct mu_finder *f)
{
    static const char *const bracketed[] = {"_Static_assert", "static_assert", "__attribute__",
                                            NULL};
    struct mu_source *s = f->source;
    size_t statement = f->function->open + 1, last;
    for (size_t i = f->function->open + 1; i < f->function->close; i++) {
        size_t partner = s->tokens[i].partner;
        if (mu_is(s, i, ";") || is_block(s, i)) {
            statement = i + 1;
        } else if (mu_is(s, i, "case") || mu_is(s, i, "goto")) {
            mu_switch_off(f, i, i + 2);
        } else if (mu_is_any(s, i, bracketed)) {
            mu_switch_off(f, i, s->tokens[i + 1].partner + 1);
        } else if (mu_is(s, i, "sizeof") && mu_is(s, i + 1, "(")) {
            mu_switch_off(f, i, s->tokens[i + 1].partner + 1);
        } else if (mu_is(s, i, "sizeof")) {
            size_t operand = mu_is(s, i + 1, "*") ? i + 1 : i;
            mu_switch_off(f, i, mu_operand_behind(s, operand, &last) ? last + 1 : i + 2);
        } else if (mu_is(s, i, "enum") && mu_is(s, i + 1, "{")) {
            mu_switch_off(f, i, s->tokens[i + 1].partner + 1);
        } else if (mu_is(s, i, "[") && mu_is_bound(f, i, statement)) {
            mu_switch_off(f, i, partner + 1);
        }
    }
}

static void find_logic(struct mu_finder *f, size_t i)
{
    static const char *const pairs[][3] = {
        {"equal", "==", "!="}, {"equal", "!=", "=="}, {"logic", "&&", "||"}, {"logic", "||", "&&"}};
    for (size_t p = 0; p < sizeof pairs / sizeof *pairs; p++) {
        if (mu_is(f->source, i, pairs[p][1])) {
            mu_add_range(f, pairs[p][0], i, i, pairs[p][2]);
        }
    }
    if (mu_is(f->source, i, "!")) {
        mu_add_range(f, "negation", i, i, "");
    }
}

/* The head that a closing bracket ends: if (...), while (...) */
static bool is_head(const struct mu_source *s, size_t close)
{
    static const char *const heads[] = {"if", "for", "while", "switch", NULL};
    return mu_is(s, close, ")") && mu_is_any(s, s->tokens[close].partner - 1, heads);
}

/* Whether a statement begins at i; `round`: brackets open around it within its block. */
static bool is_statement(const struct mu_source *s, size_t i, unsigned round)
{
    static const char *const before[] = {";", "else", "do", NULL};
    if (round > 0 || s->tokens[i].kind == MU_NUMBER) {
        return false;
    }
    bool label = mu_is(s, i - 1, ":") && (mu_is(s, i - 3, "case") || mu_is(s, i - 2, "default"));
    return mu_is_any(s, i - 1, before) || is_block(s, i - 1) || is_head(s, i - 1) || label;
}

static bool is_declaration(const struct mu_source *s, size_t i)
{
    static const char *const kinds[] = {"struct", "enum",    "union",  "static",
                                        "const",  "typedef", "extern", NULL};
    size_t next = i + 1;
    if (mu_is_any(s, i, kinds)) {
        return true;
    }
    while (mu_is(s, next, "*")) {
        next++;
    }
    return s->tokens[i].kind == MU_WORD && s->tokens[next].kind == MU_WORD;
}

/* A call that frees or closes. */
static bool is_release(const struct mu_source *s, size_t i)
{
    static const char *const names[] = {"free", "close", "fclose", "unmap", "munmap", "destroy"};
    const struct mu_token *t = &s->tokens[i];
    size_t length = t->end - t->begin;
    for (size_t k = 0; k < sizeof names / sizeof *names && mu_is(s, i + 1, "("); k++) {
        size_t tail = strlen(names[k]);
        if (length >= tail && strncmp(s->code + t->end - tail, names[k], tail) == 0) {
            return true;
        }
    }
    return false;
}

/* Statements: a call, an assignment, a return that is not the function's last. */
static void find_statement(struct mu_finder *f, size_t i, unsigned round)
{
    static const char *const other[] = {"if",   "for",   "while",   "switch", "do", "else", "case",
                                        "goto", "break", "default", ";",      "{",  "}",    NULL};
    const struct mu_source *s = f->source;
    if (!is_statement(s, i, round)) {
        return;
    }
    size_t end = i;
    while (end < f->function->close && !mu_is(s, end, ";")) {
        end = s->tokens[end].partner > end ? s->tokens[end].partner + 1 : end + 1;
    }
    if (mu_is(s, i, "return")) {
        if (end + 1 != f->function->close) {
            mu_add_range(f, "return", i, end - 1, "");
        }
        return;
    }
    bool breaks = mu_is(s, i, "break") || mu_is(s, i, "continue");
    bool nothing = mu_is(s, i, "(") && mu_is(s, i + 1, "void"); /* (void)x */
    if (breaks || (!nothing && !mu_is_any(s, i, other) && !is_declaration(s, i) &&
                   !is_release(s, i) && end > i)) {
        mu_add_range(f, "statement", i, end - 1, "");
    }
}

static void find_arguments(struct mu_finder *f, size_t i, const struct mc_signatures *signatures)
{
    const struct mu_source *s = f->source;
    if (s->tokens[i].kind != MU_WORD || !mu_is(s, i + 1, "(") || mu_is_keyword(s, i)) {
        return;
    }
    const struct mc_signature *g = mc_signatures_find(signatures, s, i);
    size_t close = s->tokens[i + 1].partner, begin = i + 2;
    for (unsigned k = 0; g && begin < close && k < 32; k++) {
        size_t comma = mu_argument_end(s, begin);
        if (!mu_is(s, comma, ",")) {
            break;
        }
        size_t end = mu_argument_end(s, comma + 1);
        if (g->like_next >> k & 1 && comma > begin && end > comma + 1) {
            mu_add_swap(f, begin, comma - 1, comma + 1, end - 1);
        }
        begin = comma + 1;
    }
}

static void find_points(struct mu_finder *f, const struct mc_signatures *signatures)
{
    const struct mu_source *s = f->source;
    unsigned round = 0, outer[64], depth = 0;
    for (size_t i = f->function->open + 1; i < f->function->close; i++) {
        bool open = mu_is(s, i, "{"), close = mu_is(s, i, "}");
        if (!f->off[i]) {
            find_statement(f, i, round);
        }
        if (open && depth < 64) { /* a block inside of brackets has none around its statements */
            outer[depth++] = round;
            round = is_block(s, i) ? 0 : round + 1;
        } else if (close && depth > 0) {
            round = outer[--depth];
        }
        round += mu_is(s, i, "(") || mu_is(s, i, "[");
        round -= round > 0 && (mu_is(s, i, ")") || mu_is(s, i, "]"));
        if (f->off[i]) {
            continue;
        }
        mu_find_comparison(f, i);
        find_logic(f, i);
        mu_find_number(f, i);
        mu_find_subscript(f, i);
        mu_find_swap(f, i);
        mu_find_choice(f, i);
        find_arguments(f, i, signatures);
    }
}

void mc_source_points(struct mu_source *s, const struct mc_signatures *signatures, const char *salt)
{
    struct mu_finder f = {.source = s};
    f.off = mu_need(calloc(s->token_count + 1, sizeof *f.off));
    for (size_t n = 0; n < s->function_count; n++) {
        size_t first = s->point_count;
        f.function = &s->functions[n];
        find_off(&f);
        find_points(&f, signatures);
        mu_name_points(&f, first, salt);
    }
    free(f.off);
}
