/* What became of mutants: the list that explains survivors, a line for each mutant, and the last one. */
#ifndef TS_TOOLS_MUTATE_TALLY_H
#define TS_TOOLS_MUTATE_TALLY_H

#include "tools/mutate/mutate.h"

/* MU_BROKEN: it does not build, or was not run, though it should. */
enum mu_outcome { MU_WAITING, MU_KILLED, MU_SURVIVED, MU_BROKEN };

struct mu_tally {
    struct mu_explained explained;
    unsigned mutants, killed, explained_count, unexplained, broken;
    unsigned done, total; /* for the lines */
};

/* Counts a mutant and prints its line; `what` says more, or "". A survivor is looked up in the list. */
void mu_tally_count(struct mu_tally *tally, enum mu_outcome outcome, const char *id,
                    const char *description, const char *what);
/* The line of one that does not count. */
void mu_tally_leave(struct mu_tally *tally, const char *word, const char *id,
                    const char *description, const char *what);
/* Names the lines of the list that are of no mutant at all, whatever is chosen: their code is gone. */
void mu_tally_stale(const struct mu_tally *tally, const struct mu_source *sources, size_t count);
/* The last two lines; the second is `N mutants, N killed, N explained, N unexplained`. */
void mu_tally_end(const struct mu_tally *tally, uint64_t seed, double seconds);

#endif
