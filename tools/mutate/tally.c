#include "tools/mutate/tally.h"

#include <stdio.h>
#include <string.h>

static void print_line(const struct mu_tally *t, const char *word, const char *id,
                       const char *description, const char *what)
{
    printf("[%u/%u] %-11s %s %s", t->done, t->total, word, id, description);
    printf("\n%s%s%s", what[0] ? "            " : "", what, what[0] ? "\n" : "");
    fflush(stdout);
}

void mu_tally_count(struct mu_tally *t, enum mu_outcome outcome, const char *id,
                    const char *description, const char *what)
{
    struct mu_explanation *e = mu_explained_find(&t->explained, id);
    const char *word = "killed";
    t->mutants++;
    t->done++;
    if (e) {
        e->used = true;
    }
    if (outcome == MU_KILLED) {
        t->killed++;
    } else if (outcome == MU_BROKEN) {
        t->broken++;
        t->unexplained++;
        word = "ERROR";
    } else if (e) {
        t->explained_count++;
        word = "explained";
        what = e->reason;
    } else {
        t->unexplained++;
        word = "UNEXPLAINED";
    }
    print_line(t, word, id, description, what);
}

void mu_tally_leave(struct mu_tally *t, const char *word, const char *id, const char *description,
                    const char *what)
{
    t->done++;
    print_line(t, word, id, description, what);
}

void mu_tally_stale(const struct mu_tally *t, const struct mu_source *sources, size_t count)
{
    for (size_t i = 0; i < t->explained.count; i++) {
        const struct mu_explanation *e = &t->explained.list[i];
        bool known = e->used;
        for (size_t f = 0; f < count && !known; f++) {
            const struct mu_source *source = &sources[f];
            for (size_t k = 0; k < source->known_count && !known; k++) {
                char id[MU_ID];
                mu_id(source, source->known[k], id);
                known = strcmp(id, e->id) == 0;
            }
        }
        if (!known) {
            printf("explained, but gone: %s\n", e->id);
        }
    }
}

void mu_tally_end(const struct mu_tally *t, uint64_t seed, double seconds)
{
    printf("seed %llu, %.0f s\n", (unsigned long long)seed, seconds);
    printf("%u mutants, %u killed, %u explained, %u unexplained\n", t->mutants, t->killed,
           t->explained_count, t->unexplained);
}
