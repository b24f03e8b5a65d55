/* Mutants: small mistakes that checks and tests must find. Reads sources (flat ones of kernel families, from
 * tools/embed-kernels.sh, or C files), finds places for mistakes and chooses some from a seed; kernels/ and
 * c/ run them. It reads tokens, not the language: what it does not understand it leaves alone. */
#ifndef TS_TOOLS_MUTATE_H
#define TS_TOOLS_MUTATE_H

#include "base/error.h"

#include <stddef.h>
#include <stdint.h>

enum { MU_NAME = 64, MU_ID = 80, MU_REASON = 512 };

/* A line of a flat source, and where it comes from. */
struct mu_line {
    size_t begin, end; /* bytes; end is that of its '\n' */
    const char *file;  /* not ended by '\0': file_length */
    int file_length;
    unsigned number;
};

enum mu_token_kind { MU_WORD, MU_NUMBER, MU_PUNCTUATION };

struct mu_token {
    enum mu_token_kind kind;
    size_t begin, end; /* bytes of the text */
    size_t line;
    size_t partner; /* of a bracket, the other one; else itself */
};

/* A bug planted by hand, and the file that it stands in: a header's may be of several families. */
struct mu_planted {
    unsigned number;
    const char *file; /* not ended by '\0': file_length */
    int file_length;
};

struct mu_macro {
    const char *name;
    int name_length;
    size_t begin, end; /* of its body in the text */
    bool reached;
};

struct mu_function {
    size_t name;              /* token */
    char owner[MU_NAME];      /* its struct, or "" */
    size_t head, open, close; /* tokens: begin of the declaration, braces of the body */
    bool reached;             /* a kernel, or called by one */
};

/* A place for a mistake. */
struct mu_point {
    char id[MU_ID]; /* family-hash; stays while the line and its function's name do */
    size_t function;
    const char *kind;
    size_t line;
    size_t begin, end; /* what is replaced */
    char *is;          /* by what */
    uint64_t key;      /* as the id, but the same in every family */
    uint64_t rank;     /* the seed's order */
};

struct mu_source {
    char family[MU_NAME]; /* of C: the file's name without its folder and ending */
    char *text;
    char *code; /* the same bytes; spaces in place of comments, directives and what they exclude */
    size_t size;
    const char *const *defined;
    struct mu_line *lines;
    struct mu_token *tokens;
    struct mu_macro *macros;
    struct mu_function *functions;
    struct mu_point *points;
    size_t line_count, token_count, macro_count, function_count, point_count;
    struct mu_planted *planted; /* bugs in code that runs */
    size_t planted_count;
    uint64_t *known; /* keys of the points that count for this family, also those not chosen */
    size_t known_count;
};

/* source.c, then structure.c. `defined`: the names that conditions of the preprocessor find defined, ended by
 * NULL. Memory that runs out ends the program. */
void mu_source_read(struct mu_source *source, const char *family, const char *text,
                    const char *const *defined);
/* `all`: every function counts as reached, not only what kernels call. */
void mu_source_structure(struct mu_source *source, bool all);
void mu_source_free(struct mu_source *source);

/* Room for one element more of an array of `count`. */
void *mu_grow(void *array, size_t count, size_t element);
bool mu_is(const struct mu_source *source, size_t token, const char *text);
/* True where the spaces around a token make it an operator: a < b, not a<b>. */
bool mu_is_spaced(const struct mu_source *source, size_t token);
/* The token behind the template arguments that begin at `token`, which is a '<'. */
size_t mu_skip_angles(const struct mu_source *source, size_t token);
bool mu_is_keyword(const struct mu_source *source, size_t token);

/* ranges.c: the operand that ends or begins at a token. False if it is no plain one. */
bool mu_operand_before(const struct mu_source *source, size_t operator_, size_t *first);
bool mu_operand_behind(const struct mu_source *source, size_t operator_, size_t *last);

/* The hash of texts, one after another, ended by NULL. */
uint64_t mu_hash(uint64_t seed, ...);

/* choose.c: the points of every family, sorted by rank, cut to `count` in all: the same number a family,
 * and each line of a family once before any twice. A place in a header counts for one family. */
void mu_choose(struct mu_source *sources, size_t families, uint64_t seed, size_t count);

/* From all sources that are chosen together, without quota. */
void mu_choose_any(struct mu_source *sources, size_t count_of_sources, const bool *chosen,
                   uint64_t seed, size_t count);

/* The text of a line without spaces. */
void mu_squeeze(const struct mu_source *source, size_t line, char *text, size_t capacity);

/* The id of a point: MU_ID bytes. */
void mu_id(const struct mu_source *source, uint64_t key, char *id);

/* `was -> is` and the line, on one line. */
void mu_describe(const struct mu_source *source, const struct mu_point *point, char *text,
                 size_t capacity);
/* The source with the mistake, or without one if point is NULL. */
bool mu_write(const struct mu_source *source, const struct mu_point *point, const char *path,
              struct ts_error *error);

/* explained.c: survivors that are no gap, `id reason` a line. */
struct mu_explanation {
    char id[MU_ID], reason[MU_REASON];
    bool used;
};
struct mu_explained {
    struct mu_explanation *list;
    size_t count;
};
bool mu_explained_read(const char *path, struct mu_explained *explained, struct ts_error *error);
struct mu_explanation *mu_explained_find(const struct mu_explained *explained, const char *id);

#endif
