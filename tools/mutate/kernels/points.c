/* Places for mistakes: in the bodies of functions that kernels reach, outside of what is not code there
 * (template arguments, attributes, the sizes of arrays, the wrong half of a planted bug). Every mistake
 * compiles. */
#include "tools/mutate/kernels/kernels.h"

#include "tools/mutate/finder.h"

#include <stdlib.h>
#include <string.h>

static void find_off(struct mu_finder *f)
{
    struct mu_source *s = f->source;
    size_t statement = f->function->open + 1;
    for (size_t i = f->function->open + 1; i < f->function->close; i++) {
        size_t partner = s->tokens[i].partner;
        if (mu_is(s, i, ";") || mu_is_block(s, i)) {
            statement = i + 1;
        } else if (mu_is(s, i, "TS_MUTANT")) {
            size_t wrong = mu_argument_end(s, i + 2) + 1;
            mu_switch_off(f, i, mu_argument_end(s, wrong) + 1);
        } else if (mu_is(s, i, "MUTANT")) { /* MUTANT != k */
            mu_switch_off(f, i, i + 3);
        } else if (mu_is(s, i, "case")) {
            mu_switch_off(f, i, i + 2);
        } else if (mu_is(s, i, "static_assert") || mu_is(s, i, "sizeof") ||
                   mu_is(s, i, "alignas")) {
            mu_switch_off(f, i, s->tokens[i + 1].partner + 1);
        } else if (mu_is(s, i, "constexpr")) {
            size_t end = i;
            while (!mu_is(s, end, ";") && !mu_is(s, end, "{") && end < f->function->close) {
                end++;
            }
            mu_switch_off(f, i, end);
        } else if (mu_is(s, i, "[") && mu_is(s, i + 1, "[")) {
            mu_switch_off(f, i, partner + 1);
        } else if (mu_is(s, i, "[") && mu_is_bound(f, i, statement)) {
            mu_switch_off(f, i, partner + 1);
        } else if (mu_is(s, i, "<") && !mu_is_spaced(s, i)) {
            mu_switch_off(f, i, mu_skip_angles(s, i));
        }
    }
}

static void find_barrier(struct mu_finder *f, size_t i)
{
    const struct mu_source *s = f->source;
    if (mu_is(s, i, "threadgroup_barrier") || mu_is(s, i, "simdgroup_barrier")) {
        mu_add_range(f, "barrier", i, s->tokens[i + 1].partner, "");
    }
}

/* Functions with two arguments of one type that are not the same. */
static void find_arguments(struct mu_finder *f, size_t i)
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
            first = mu_argument_end(s, first) + 1;
        }
        size_t comma = mu_argument_end(s, first), end = mu_argument_end(s, comma + 1);
        if (mu_is(s, comma, ",")) {
            mu_add_swap(f, first, comma - 1, comma + 1, end - 1);
        }
    }
}

void mu_source_points(struct mu_source *s)
{
    struct mu_finder f = {.source = s};
    f.off = mu_need(calloc(s->token_count + 1, sizeof *f.off));
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
            mu_find_comparison(&f, i);
            mu_find_number(&f, i);
            mu_find_subscript(&f, i);
            find_barrier(&f, i);
            mu_find_swap(&f, i);
            mu_find_choice(&f, i);
            find_arguments(&f, i);
        }
        mu_name_points(&f, first, NULL);
    }
    free(f.off);
}
