/* Mutants of the Metal kernels: bugs that the check must find. */
#ifndef TS_TOOLS_MUTATE_KERNELS_H
#define TS_TOOLS_MUTATE_KERNELS_H

#include "tools/mutate/mutate.h"

/* points.c: after mu_source_structure */
void mu_source_points(struct mu_source *source);

/* result.c: why a check failed, from what it printed: the kernel and its worst element or its reason, or
 * what the checking mode reported. */
void mu_check_detail(const char *output, char *text, size_t capacity);
/* The smallest share of outputs that a kernel of the check had wrong; 1 where it counted none. */
double mu_check_share(const char *output);

/* run.c */
struct mu_options {
    const char *touchstone; /* the program */
    const char *folder;     /* for what is written; removed in the end */
    const char *sources;    /* folder of flat sources, or NULL: those in the program */
    const char *family;     /* or NULL: all */
    const char *explained;  /* file, or NULL */
    uint64_t seed, count;
    uint64_t jobs; /* mutants at a time */
    bool by_hand;  /* the planted ones too */
};
/* Runs all; the last line on standard output counts them. Returns the exit code. */
int mu_run(const struct mu_options *options, struct mu_source *sources, size_t families);

#endif
