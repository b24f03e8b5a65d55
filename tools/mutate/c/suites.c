/* Which suites run a line. A place is a file's name, a function and the line's text: it stays when lines
 * move, and when files do. */
#include "tools/mutate/c/c.h"

#include "tools/mutate/finder.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uthash.h>

enum { PLACE = 512 };

struct mc_place {
    char *key;
    uint64_t suites;
    UT_hash_handle hh;
};

static const char *name_of(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

/* depth 0: of the file; 1: of the function; 2: of the line. */
static void write_key(const struct mu_source *s, size_t function, size_t line, int depth, char *key)
{
    char text[PLACE / 2] = "";
    const struct mu_token *name = &s->tokens[s->functions[function].name];
    if (depth == 2) {
        mu_squeeze(s, line, text, sizeof text);
    }
    char file[MC_PATH];
    snprintf(file, sizeof file, "%.*s", s->lines[0].file_length, s->lines[0].file);
    snprintf(key, PLACE, "%.64s:%.*s:%s", name_of(file),
             depth > 0 ? (int)(name->end - name->begin) : 0, s->code + name->begin, text);
}

/* ---- making ------------------------------------------------------------------------------------ */

static void print_place(const struct mu_source *s, size_t line)
{
    char key[PLACE];
    for (size_t f = 0; f < s->function_count; f++) {
        size_t first = s->tokens[s->functions[f].head].line;
        size_t last = s->tokens[s->functions[f].close].line;
        for (int depth = 0; first <= line && line <= last && depth <= 2; depth++) {
            write_key(s, f, line, depth, key);
            puts(key);
        }
    }
}

bool mc_print_places(const struct mc_tree *tree, struct ts_error *error)
{
    char input[MC_PATH + 32];
    while (fgets(input, sizeof input, stdin)) {
        char *space = strrchr(input, ' ');
        unsigned long line = space ? strtoul(space + 1, NULL, 10) : 0;
        if (line == 0) {
            return ts_fail(error, TS_ERR_INPUT, NULL, "expected `path line`: %s", input);
        }
        *space = '\0';
        for (size_t i = 0; i < tree->count; i++) {
            if (strcmp(tree->paths[i], input) == 0 && line <= tree->sources[i].line_count) {
                print_place(&tree->sources[i], line - 1);
            }
        }
    }
    return true;
}

/* ---- reading ----------------------------------------------------------------------------------- */

static void note(struct mc_suites *m, const char *key, uint64_t suites)
{
    struct mc_place *place;
    HASH_FIND_STR(m->places, key, place);
    if (!place) {
        place = mu_need(calloc(1, sizeof *place));
        place->key = mu_need(strdup(key));
        HASH_ADD_KEYPTR(hh, m->places, place->key, strlen(place->key), place);
    }
    place->suites |= suites;
}

static void read_word(struct mc_suite *suite, const char *line, const char *const *programs)
{
    char program[MC_NAME] = "";
    if (sscanf(line, "program %63s", program) == 1) {
        for (unsigned p = 0; programs[p]; p++) {
            suite->programs |= strcmp(programs[p], program) == 0 ? 1u << p : 0;
        }
    }
    sscanf(line, "seconds %lf", &suite->seconds);
}

/* `suite` < 0: the file `known`, of all lines that there are. */
static bool read_places(struct mc_suites *m, const char *folder, const char *name, int suite,
                        const char *const *programs, struct ts_error *error)
{
    char path[700], line[PLACE + 16];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen(path, "r");
    if (!file) {
        return ts_fail(error, TS_ERR_INPUT, "make mutants-c writes the map", "%s: %s", path,
                       strerror(errno));
    }
    while (fgets(line, sizeof line, file)) {
        line[strcspn(line, "\n")] = '\0';
        if (strchr(line, ':')) {
            note(m, line, suite < 0 ? 0 : 1ull << suite);
        } else if (suite >= 0) {
            read_word(&m->suites[suite], line, programs);
        }
    }
    fclose(file);
    return true;
}

static int by_seconds(const void *a, const void *b)
{
    const struct mc_suite *x = a, *y = b;
    return x->seconds < y->seconds ? -1 : x->seconds > y->seconds ? 1 : strcmp(x->name, y->name);
}

/* Names and seconds first: the order decides which bit is whose. */
static bool read_heads(struct mc_suites *m, const char *folder, const char *const *programs,
                       struct ts_error *error)
{
    DIR *entries = opendir(folder);
    if (!entries) {
        return ts_fail(error, TS_ERR_INPUT, "make mutants-c writes the map", "%s: %s", folder,
                       strerror(errno));
    }
    for (struct dirent *e; (e = readdir(entries)) && m->count < MC_MOST_SUITES;) {
        struct mc_suite *suite = &m->suites[m->count];
        size_t length = strlen(e->d_name);
        char path[700], line[PLACE];
        if (length < 6 || length >= MC_NAME || strcmp(e->d_name + length - 5, "_test") != 0) {
            continue;
        }
        snprintf(suite->name, sizeof suite->name, "%.63s", e->d_name);
        snprintf(path, sizeof path, "%s/%s", folder, e->d_name);
        FILE *file = fopen(path, "r");
        for (int i = 0; file && i < 16 && fgets(line, sizeof line, file); i++) {
            read_word(suite, line, programs);
        }
        m->count += file != NULL;
        if (file) {
            fclose(file);
        }
    }
    closedir(entries);
    qsort(m->suites, m->count, sizeof *m->suites, by_seconds);
    return m->count > 0 || ts_fail(error, TS_ERR_INPUT, NULL, "%s: no suite in it", folder);
}

bool mc_suites_read(struct mc_suites *m, const char *folder, const char *const *programs,
                    struct ts_error *error)
{
    bool ok = read_heads(m, folder, programs, error) &&
              read_places(m, folder, "known", -1, programs, error);
    for (size_t i = 0; ok && i < m->count; i++) {
        ok = read_places(m, folder, m->suites[i].name, (int)i, programs, error);
    }
    return ok;
}

void mc_suites_free(struct mc_suites *m)
{
    struct mc_place *place, *next;
    HASH_ITER(hh, m->places, place, next)
    {
        HASH_DEL(m->places, place);
        free(place->key);
        free(place);
    }
}

/* A line without an entry is the rest of a statement that began above it. */
bool mc_suites_of(const struct mc_suites *m, const struct mu_source *s, const struct mu_point *p,
                  uint64_t *which)
{
    char key[PLACE];
    struct mc_place *place = NULL;
    size_t head = s->tokens[s->functions[p->function].head].line;
    for (size_t line = p->line + 1; !place && line-- > head;) {
        write_key(s, p->function, line, 2, key);
        HASH_FIND_STR(m->places, key, place);
    }
    for (int depth = 1; !place && depth >= 0; depth--) {
        write_key(s, p->function, p->line, depth, key);
        HASH_FIND_STR(m->places, key, place);
    }
    *which = place ? place->suites : 0;
    return place != NULL;
}
