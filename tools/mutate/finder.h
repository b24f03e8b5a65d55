/* For those who look for places: they walk a function's tokens, switch off what they leave alone, and add
 * what they find. The kinds here are those of both languages. */
#ifndef TS_TOOLS_MUTATE_FINDER_H
#define TS_TOOLS_MUTATE_FINDER_H

#include "tools/mutate/mutate.h"

struct mu_finder {
    struct mu_source *source;
    const struct mu_function *function;
    bool *off; /* by token: left alone */
};

/* The memory, or the program ends. */
void *mu_need(void *memory);

/* `is` is copied. What replaces something by itself is no place. */
void mu_add_point(struct mu_finder *f, const char *kind, size_t first_token, size_t begin,
                  size_t end, const char *is);
/* Replaces the tokens from first to last. */
void mu_add_range(struct mu_finder *f, const char *kind, size_t first, size_t last, const char *is);
/* Two ranges of tokens change places; what is between them stays. */
void mu_add_swap(struct mu_finder *f, size_t a_first, size_t a_last, size_t b_first, size_t b_last);
/* Ids of the points from `first` on, all of f->function. `salt` tells files apart whose lines are the same. */
void mu_name_points(struct mu_finder *f, size_t first, const char *salt);

void mu_switch_off(struct mu_finder *f, size_t begin, size_t end);
size_t mu_argument_end(const struct mu_source *source, size_t i);
bool mu_is_bound(const struct mu_finder *f, size_t bracket, size_t statement);
bool mu_is_block(const struct mu_source *source, size_t i);
/* One of a list that ends with NULL. */
bool mu_is_any(const struct mu_source *source, size_t token, const char *const *texts);

/* kinds.c: what may be at token i */
void mu_find_comparison(struct mu_finder *f, size_t i);
void mu_find_number(struct mu_finder *f, size_t i);
void mu_find_subscript(struct mu_finder *f, size_t i);
void mu_find_swap(struct mu_finder *f, size_t i);
void mu_find_choice(struct mu_finder *f, size_t i);

#endif
