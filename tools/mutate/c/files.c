/* C files below folders. */
#include "tools/mutate/c/c.h"

#include <errno.h>
#include <fts.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LARGEST = 1 << 20 };

/* What conditions of the preprocessor find defined in the build that is tested. */
static const char *const defined[] = {
#ifdef __APPLE__
    "__APPLE__",
#else
    "__linux__",
#endif
#ifdef TS_METAL
    "TS_METAL",
#endif
    "__GNUC__", NULL};

static bool read_text(const char *path, char *text, struct ts_error *error)
{
    FILE *file = fopen(path, "r");
    if (!file) {
        return ts_fail(error, TS_ERR_INPUT, NULL, "%s: %s", path, strerror(errno));
    }
    size_t size = fread(text, 1, LARGEST - 1, file);
    bool bad = ferror(file) || size == LARGEST - 1;
    fclose(file);
    text[size] = '\0';
    return !bad || ts_fail(error, TS_ERR_INPUT, NULL, "%s: unreadable or too large", path);
}

static bool add_file(struct mc_tree *tree, const char *path, char *text, struct ts_error *error)
{
    const char *name = strrchr(path, '/') ? strrchr(path, '/') + 1 : path;
    char stem[MU_NAME];
    if (tree->count == MC_MOST_FILES || strlen(path) >= MC_PATH) {
        return ts_fail(error, TS_ERR_INPUT, NULL, "%s: too many files, or too long a path", path);
    }
    if (!read_text(path, text, error)) {
        return false;
    }
    snprintf(tree->paths[tree->count], MC_PATH, "%s", path);
    snprintf(stem, sizeof stem, "%.*s", (int)strcspn(name, "."), name);
    struct mu_source *s = &tree->sources[tree->count++];
    mu_source_read(s, stem, text, defined);
    mu_source_structure(s, true);
    for (size_t i = 0; i < s->line_count; i++) {
        s->lines[i].file = tree->paths[tree->count - 1];
        s->lines[i].file_length = (int)strlen(s->lines[i].file);
    }
    return true;
}

static int by_name(const FTSENT **a, const FTSENT **b)
{
    return strcmp((*a)->fts_name, (*b)->fts_name);
}

bool mc_tree_read(struct mc_tree *tree, const char *const *folders, const char *ending,
                  struct ts_error *error)
{
    char *roots[16] = {NULL}, *text = malloc(LARGEST);
    bool ok = true;
    *tree = (struct mc_tree){.paths = calloc(MC_MOST_FILES, sizeof *tree->paths),
                             .sources = calloc(MC_MOST_FILES, sizeof *tree->sources)};
    for (size_t i = 0; folders[i] && i < 15; i++) {
        roots[i] = strdup(folders[i]);
    }
    FTS *walk = roots[0] ? fts_open(roots, FTS_PHYSICAL | FTS_NOCHDIR, by_name) : NULL;
    if (!walk || !text || !tree->paths || !tree->sources) {
        ok = ts_fail(error, TS_ERR_INPUT, NULL, "folders cannot be read");
    }
    for (FTSENT *e; ok && (e = fts_read(walk));) {
        size_t length = strlen(e->fts_name), tail = strlen(ending);
        if (e->fts_info == FTS_NS || e->fts_info == FTS_DNR) {
            ok = ts_fail(error, TS_ERR_INPUT, NULL, "%s: %s", e->fts_path, strerror(e->fts_errno));
        } else if (e->fts_info == FTS_F && length > tail &&
                   strcmp(e->fts_name + length - tail, ending) == 0) {
            ok = add_file(tree, e->fts_path, text, error);
        }
    }
    if (walk) {
        fts_close(walk);
    }
    for (size_t i = 0; roots[i]; i++) {
        free(roots[i]);
    }
    free(text);
    return ok;
}

void mc_tree_free(struct mc_tree *tree)
{
    for (size_t i = 0; i < tree->count; i++) {
        mu_source_free(&tree->sources[i]);
    }
    free(tree->sources);
    free(tree->paths);
}
