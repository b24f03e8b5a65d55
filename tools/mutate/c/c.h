/* Mutants of C files: mistakes that the test suites must find. A mutant is one file changed, compiled by
 * itself, linked with a suite in front of the library, and run in a folder that looks like the root of the
 * tree; the tree itself is never changed. Which suites run a line is measured (tools/mutants-c-map.sh). */
#ifndef TS_TOOLS_MUTATE_C_H
#define TS_TOOLS_MUTATE_C_H

#include "tools/mutate/mutate.h"

enum {
    MC_MOST_SUITES = 64,
    MC_MOST_FILES = 512,
    MC_NAME = 64,
    MC_PATH = 256,
    MC_MOST_PROGRAMS = 8
};

/* files.c: the C files below folders, sorted by path; sources[i] is of paths[i]. */
struct mc_tree {
    char (*paths)[MC_PATH];
    struct mu_source *sources;
    size_t count;
};
bool mc_tree_read(struct mc_tree *tree, const char *const *folders, const char *ending,
                  struct ts_error *error);
void mc_tree_free(struct mc_tree *tree);

/* signatures.c: functions and the types of their parameters, from declarations and definitions. */
struct mc_signature {
    const struct mu_source *source; /* of the definition or declaration */
    size_t name;                    /* token */
    uint32_t like_next;             /* bit k: parameters k and k + 1 have like types */
};
struct mc_signatures {
    struct mc_signature *list;
    size_t count;
};
void mc_signatures_add(struct mc_signatures *signatures, const struct mu_source *source);
/* The one that a call at `token` means: of the same file first. NULL if there is none. */
const struct mc_signature *mc_signatures_find(const struct mc_signatures *signatures,
                                              const struct mu_source *source, size_t token);

/* points.c: after mu_source_structure. `salt`: the file's name. */
void mc_source_points(struct mu_source *source, const struct mc_signatures *signatures,
                      const char *salt);

/* suites.c: the suites, quickest first, and what each runs. */
struct mc_suite {
    char name[MC_NAME];
    double seconds;    /* when the map was made */
    uint32_t programs; /* bit p: it runs programs[p] of the options */
};
struct mc_suites {
    struct mc_suite suites[MC_MOST_SUITES];
    size_t count;
    struct mc_place *places; /* hash table */
};
bool mc_suites_read(struct mc_suites *suites, const char *folder, const char *const *programs,
                    struct ts_error *error);
void mc_suites_free(struct mc_suites *suites);
/* Bit s: suites[s] runs the line of a point, or if the line is new, its function or file. False if the file
 * is not in the build. */
bool mc_suites_of(const struct mc_suites *suites, const struct mu_source *source,
                  const struct mu_point *point, uint64_t *which);
/* Reads `path line` of standard input, prints the places of the map that are there. */
bool mc_print_places(const struct mc_tree *tree, struct ts_error *error);

/* run.c */
struct mc_options {
    const char *filter;    /* file or folder, or NULL: all */
    const char *folder;    /* for what is written; removed in the end */
    const char *build;     /* with the objects of the suites */
    const char *map;       /* folder of the map */
    const char *compile;   /* command, without input and output */
    const char *link;      /* command, without objects and output */
    const char *libraries; /* behind the objects */
    const char *tests;     /* objects and libraries that each suite needs besides */
    const char *explained; /* file, or NULL */
    const char *programs[MC_MOST_PROGRAMS + 1]; /* names, ended by NULL */
    const char *objects[MC_MOST_PROGRAMS];      /* theirs */
    uint64_t seed, count, jobs;
    uint64_t
        deadline;     /* seconds that a suite may take more than five times what it usually takes */
    uint64_t seconds; /* suites of a mutant that take longer than this together are not run */
};
int mc_run(const struct mc_options *options, const struct mc_tree *tree);
/* Where the filter lets a file through: a folder, a path, or a name with or without ending. */
bool mc_is_chosen(const char *filter, const char *path);

#endif
