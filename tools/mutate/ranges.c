/* Operands around an operator: names with their members, subscripts, calls and template arguments,
 * numbers, and what is in brackets. */
#include "tools/mutate/mutate.h"

#include <string.h>

static bool is_operand_end(const struct mu_source *s, size_t i)
{
    return (s->tokens[i].kind != MU_PUNCTUATION && !mu_is_keyword(s, i)) || mu_is(s, i, ")") ||
           mu_is(s, i, "]");
}

/* The '<' of template arguments that end at `close`, or `close`. */
static size_t angle_open(const struct mu_source *s, size_t close)
{
    for (size_t i = close; i-- > 0 && close - i < 32;) {
        if (mu_is(s, i, "<") && !mu_is_spaced(s, i) && mu_skip_angles(s, i) == close + 1) {
            return i;
        }
    }
    return close;
}

bool mu_operand_before(const struct mu_source *s, size_t operator_, size_t *first)
{
    static const char *const unary[] = {"-", "+", "*", "&", "!", "~"};
    size_t i = operator_ - 1;
    if (!is_operand_end(s, i)) {
        return false;
    }
    for (;;) {
        while (mu_is(s, i, ")") || mu_is(s, i, "]")) {
            size_t open = s->tokens[i].partner;
            bool call = is_operand_end(s, open - 1) ||
                        (mu_is(s, open - 1, ">") && angle_open(s, open - 1) < open - 1);
            if (mu_is(s, i, ")") && !call) {
                *first = open;
                goto found;
            }
            i = open - 1;
        }
        if (mu_is(s, i, ">")) {
            i = angle_open(s, i) - 1;
        }
        if (!mu_is(s, i - 1, ".") && !mu_is(s, i - 1, "->") && !mu_is(s, i - 1, "::")) {
            *first = i;
            break;
        }
        i -= 2;
    }
found:
    for (size_t k = 0; k < sizeof unary / sizeof *unary; k++) {
        if (mu_is(s, *first - 1, unary[k]) && !is_operand_end(s, *first - 2)) {
            return false;
        }
    }
    return !mu_is(s, *first - 1, "++") && !mu_is(s, *first - 1, "--");
}

bool mu_operand_behind(const struct mu_source *s, size_t operator_, size_t *last)
{
    size_t i = operator_ + 1;
    if (mu_is(s, i, "(")) {
        *last = s->tokens[i].partner;
        size_t next = *last + 1;
        /* else a cast */
        return s->tokens[next].kind == MU_PUNCTUATION && !mu_is(s, next, "(");
    }
    if (s->tokens[i].kind == MU_PUNCTUATION || mu_is_keyword(s, i)) {
        return false;
    }
    for (;;) {
        if (mu_is(s, i + 1, "<") && !mu_is_spaced(s, i + 1)) {
            i = mu_skip_angles(s, i + 1) - 1;
        }
        while (mu_is(s, i + 1, "(") || mu_is(s, i + 1, "[")) {
            i = s->tokens[i + 1].partner;
        }
        if (!mu_is(s, i + 1, ".") && !mu_is(s, i + 1, "->") && !mu_is(s, i + 1, "::")) {
            break;
        }
        i += 2;
    }
    *last = i;
    return !mu_is(s, i + 1, "++") && !mu_is(s, i + 1, "--");
}
