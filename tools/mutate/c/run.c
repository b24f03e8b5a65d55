/* The suites on every mutant: the file compiled, then suite by suite linked and run, up to the first that
 * fails. */
#include "tools/mutate/c/c.h"

#include "base/clock.h"
#include "base/interrupt.h"
#include "tools/mutate/pool.h"
#include "tools/mutate/tally.h"

#include <dirent.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { COMMAND = 1 << 16, LINK_FAILED = 99, COMPILING = -1 };

struct mutant {
    const struct mu_source *source;
    const struct mu_point *point; /* NULL: none, a suite as it is */
    const char *path;
    uint64_t suites; /* still to run */
    int suite;       /* that runs, or COMPILING */
    char ran[MU_REASON - 64], left[128];
};

struct session {
    const struct mc_options *options;
    struct mc_suites map;
    struct mutant *mutants; /* the list that runs */
    size_t count;
    double usual[MC_MOST_SUITES]; /* seconds of a suite as it is */
    char root[PATH_MAX], command[COMMAND];
    struct mu_tally tally;
    struct ts_error error;
};

/* ---- a folder that looks like the root ---------------------------------------------------------- */

static bool is_built_anew(const struct session *s, const char *name)
{
    static const char *const own[] = {".", "..", "tests", "tmp"};
    for (size_t i = 0; i < sizeof own / sizeof *own; i++) {
        if (strcmp(own[i], name) == 0) {
            return true;
        }
    }
    for (size_t p = 0; s->options->programs[p]; p++) {
        if (strcmp(s->options->programs[p], name) == 0) {
            return true;
        }
    }
    return false;
}

static bool link_entries(const struct session *s, const char *from, const char *to, bool root,
                         struct ts_error *error)
{
    DIR *entries = opendir(from);
    char target[2 * PATH_MAX], link[1024];
    if (!entries) {
        return ts_fail(error, TS_ERR_ENVIRONMENT, NULL, "%s: unreadable", from);
    }
    for (struct dirent *e; (e = readdir(entries));) {
        bool skip = root ? e->d_name[0] == '.' || strcmp(e->d_name, "build") == 0
                         : is_built_anew(s, e->d_name);
        snprintf(target, sizeof target, "%s%s%s/%s", from[0] == '/' ? "" : s->root,
                 from[0] == '/' ? "" : "/", from, e->d_name);
        snprintf(link, sizeof link, "%s/%.255s", to, e->d_name);
        if (!skip && symlink(target, link) != 0) {
            closedir(entries);
            return ts_fail(error, TS_ERR_ENVIRONMENT, NULL, "%s: no link can be made", link);
        }
    }
    closedir(entries);
    return true;
}

static bool furnish(const struct session *s, const struct mu_slot *slot, struct ts_error *error)
{
    char path[720], build[700];
    snprintf(build, sizeof build, "%s/build", slot->folder);
    mkdir(build, 0777);
    snprintf(path, sizeof path, "%s/tests", build);
    mkdir(path, 0777);
    snprintf(path, sizeof path, "%s/tmp", build);
    mkdir(path, 0777);
    return link_entries(s, s->root, slot->folder, true, error) &&
           link_entries(s, s->options->build, build, false, error);
}

/* ---- commands ----------------------------------------------------------------------------------- */

/* What links a program of the suite: `objects` and, before the library, the changed object. */
static void append_link(struct session *s, const struct mu_slot *slot, const struct mutant *m,
                        const char *to, const char *objects)
{
    size_t used = strlen(s->command);
    char changed[700] = "";
    if (m->point) {
        snprintf(changed, sizeof changed, "%s/mutant.o", slot->folder);
    }
    snprintf(s->command + used, COMMAND - used, "%s -o %s/build/%s %s %s %s || exit %d; ",
             s->options->link, slot->folder, to, objects, changed, s->options->libraries,
             LINK_FAILED);
}

static bool start_suite(struct session *s, struct mu_slot *slot, struct mutant *m,
                        struct ts_error *error)
{
    const struct mc_options *o = s->options;
    const struct mc_suite *suite = &s->map.suites[m->suite];
    double usual = m->point ? s->usual[m->suite] : 60 + 10 * suite->seconds;
    char to[128], objects[8192];
    s->command[0] = '\0';
    for (unsigned p = 0; o->programs[p]; p++) {
        if (suite->programs >> p & 1) {
            append_link(s, slot, m, o->programs[p], o->objects[p]);
        }
    }
    snprintf(to, sizeof to, "tests/%s", suite->name);
    snprintf(objects, sizeof objects, "%s/tests/%s.o %s", o->build, suite->name, o->tests);
    append_link(s, slot, m, to, objects);
    size_t used = strlen(s->command);
    snprintf(s->command + used, COMMAND - used,
             "cd %s && TS_BUILD=build exec ./build/tests/%s --color=never --ignore-warnings "
             "--fail-fast --jobs 1 --timeout %.0f </dev/null",
             slot->folder, suite->name, 60 + 10 * usual);
    const char *arguments[] = {"sh", "-c", s->command, NULL};
    return mu_process_start(&slot->process, arguments, slot->output,
                            (double)o->deadline + 5 * usual, 120 + 20 * usual, error);
}

/* The next suite; clears `busy` where there is none. */
static bool next(struct session *s, struct mu_slot *slot, struct mutant *m, struct ts_error *error)
{
    m->suite = m->suite == COMPILING ? 0 : m->suite + 1;
    while (m->suite < (int)s->map.count && !(m->suites >> m->suite & 1)) {
        m->suite++;
    }
    if (m->suite < (int)s->map.count) {
        return start_suite(s, slot, m, error);
    }
    slot->busy = false;
    return true;
}

static bool compile(struct session *s, struct mu_slot *slot, struct mutant *m,
                    struct ts_error *error)
{
    char path[700];
    m->suite = COMPILING;
    snprintf(path, sizeof path, "%s/mutant.c", slot->folder);
    if (!mu_write(m->source, m->point, path, error)) {
        return false;
    }
    snprintf(s->command, COMMAND, "exec %s -c -o %s/mutant.o %s", s->options->compile, slot->folder,
             path);
    const char *arguments[] = {"sh", "-c", s->command, NULL};
    return mu_process_start(&slot->process, arguments, slot->output, 120, 1200, error);
}

/* ---- what came of it ---------------------------------------------------------------------------- */

static void count_mutant(struct session *s, struct mutant *m, enum mu_outcome outcome,
                         const char *detail)
{
    char text[512], what[2 * MU_REASON];
    mu_describe(m->source, m->point, text, sizeof text);
    snprintf(what, sizeof what, "%s", detail);
    if (outcome == MU_SURVIVED && !m->ran[0]) {
        snprintf(what, sizeof what, "no suite runs this line%s%s", m->left[0] ? ", or only" : "",
                 m->left);
    } else if (outcome == MU_SURVIVED) {
        snprintf(what, sizeof what, "passes%s%s%s", m->ran, m->left[0] ? "; not run:" : "",
                 m->left);
    }
    mu_tally_count(&s->tally, outcome, m->point->id, text, what);
}

/* Criterion's line of the first test that failed, else the last line. */
static void read_detail(const char *output, char *text, size_t capacity)
{
    char line[1024];
    FILE *file = fopen(output, "r");
    bool found = false;
    snprintf(text, capacity, "it said nothing");
    while (file && !found && fgets(line, sizeof line, file)) {
        line[strcspn(line, "\n")] = '\0';
        found = strstr(line, "::") && (strstr(line, "FAIL") || strstr(line, "CRASH"));
        if (found || line[0]) {
            snprintf(text, capacity, "%.300s", line);
        }
    }
    if (file) {
        fclose(file);
    }
}

static bool finish_as_is(struct session *s, struct mu_slot *slot, struct mutant *m,
                         struct ts_error *error)
{
    const struct mu_process *p = &slot->process;
    const char *name = s->map.suites[m->suite].name;
    char detail[MU_REASON];
    if (p->exit_code != 0) {
        read_detail(slot->output, detail, sizeof detail);
        return ts_fail(error, TS_ERR_CHECK, NULL, "%s fails without a mutant: %s", name, detail);
    }
    s->usual[m->suite] = p->seconds;
    printf("%s passes as it is: %.1f s\n", name, p->seconds);
    fflush(stdout);
    slot->busy = false;
    return true;
}

static bool finish(void *context, struct mu_slot *slot, struct ts_error *error)
{
    struct session *s = context;
    struct mutant *m = &s->mutants[slot->item];
    const struct mu_process *p = &slot->process;
    char detail[MU_REASON - 96] = "", what[MU_REASON], text[512];
    if (m->suite != COMPILING && p->exit_code == LINK_FAILED) {
        read_detail(slot->output, detail, sizeof detail);
        return ts_fail(error, TS_ERR_ENVIRONMENT, NULL, "it does not link: %s", detail);
    }
    if (!m->point) {
        return finish_as_is(s, slot, m, error);
    }
    if (m->suite == COMPILING && p->exit_code != 0) {
        mu_describe(m->source, m->point, text, sizeof text);
        mu_tally_leave(&s->tally, "no program", m->point->id, text, "");
        slot->busy = false;
        return true;
    }
    if (m->suite == COMPILING || p->exit_code == 0) {
        size_t used = strlen(m->ran);
        if (m->suite != COMPILING) {
            snprintf(m->ran + used, sizeof m->ran - used, " %s", s->map.suites[m->suite].name);
        }
        if (!next(s, slot, m, error)) {
            return false;
        }
        if (!slot->busy) {
            count_mutant(s, m, MU_SURVIVED, "");
        }
        return true;
    }
    read_detail(slot->output, detail, sizeof detail);
    if (p->timed_out) {
        snprintf(detail, sizeof detail, "ran on after %.0f s", p->limit);
    } else if (p->signal != 0) {
        snprintf(detail, sizeof detail, "crashed: %s", strsignal(p->signal));
    }
    snprintf(what, sizeof what, "%s: %s", s->map.suites[m->suite].name, detail);
    count_mutant(s, m, MU_KILLED, what);
    slot->busy = false;
    return true;
}

static bool start(void *context, struct mu_slot *slot, struct ts_error *error)
{
    struct session *s = context;
    struct mutant *m = &s->mutants[slot->item];
    if (!m->point) {
        m->suite = COMPILING;
        return next(s, slot, m, error);
    }
    if (m->suites == 0) {
        slot->busy = false;
        count_mutant(s, m, MU_SURVIVED, "");
        return true;
    }
    return compile(s, slot, m, error);
}

/* ---- lists -------------------------------------------------------------------------------------- */

/* Leaves out the suites that make it take longer than the limit, but never the first. */
static void limit_suites(const struct session *s, struct mutant *m)
{
    double seconds = 0;
    bool first = true;
    for (size_t i = 0; i < s->map.count; i++) {
        if (!(m->suites >> i & 1)) {
            continue;
        }
        seconds += s->map.suites[i].seconds;
        if (!first && seconds > (double)s->options->seconds) {
            size_t used = strlen(m->left);
            m->suites &= ~(1ull << i);
            snprintf(m->left + used, sizeof m->left - used, " %s", s->map.suites[i].name);
        }
        first = false;
    }
}

static void list_mutants(struct session *s, const struct mc_tree *tree)
{
    for (size_t f = 0; f < tree->count; f++) {
        const struct mu_source *source = &tree->sources[f];
        for (size_t i = 0; i < source->point_count; i++) {
            struct mutant m = {.source = source, .point = &source->points[i]};
            m.path = tree->paths[f];
            if (!mc_suites_of(&s->map, source, m.point, &m.suites)) {
                printf("%s: not in this build: %s\n", m.path, m.point->id);
                continue;
            }
            limit_suites(s, &m);
            s->mutants = mu_grow(s->mutants, s->count, sizeof *s->mutants);
            s->mutants[s->count++] = m;
        }
    }
}

/* Each suite that a mutant needs must pass without one. */
static bool run_as_is(struct session *s, struct mu_pool *pool)
{
    struct mutant list[MC_MOST_SUITES] = {{.suites = 0}}, *mutants = s->mutants;
    uint64_t needed = 0;
    size_t count = 0;
    for (size_t i = 0; i < s->count; i++) {
        needed |= mutants[i].suites;
    }
    for (size_t i = 0; i < s->map.count; i++) {
        if (needed >> i & 1) {
            list[count++].suites = 1ull << i;
        }
    }
    s->mutants = list;
    bool ok = mu_pool_run(pool, count, &s->error);
    s->mutants = mutants;
    return ok;
}

static bool run_all(struct session *s)
{
    struct mu_pool pool = {
        .jobs = s->options->jobs, .context = s, .start = start, .finish = finish};
    bool ok = mu_pool_open(&pool, s->options->folder, &s->error);
    for (size_t i = 0; ok && i < pool.jobs; i++) {
        ok = furnish(s, &pool.slots[i], &s->error);
    }
    s->tally.total = (unsigned)s->count;
    ok = ok && run_as_is(s, &pool) && mu_pool_run(&pool, s->count, &s->error);
    mu_pool_close(&pool);
    return ok;
}

int mc_run(const struct mc_options *options, const struct mc_tree *tree)
{
    static struct session s;
    struct mu_tally *t = &s.tally;
    uint64_t begun = ts_clock_ns();
    s = (struct session){.options = options};
    ts_catch_interrupts();
    mu_remove_folder(options->folder);
    bool ok = getcwd(s.root, sizeof s.root) != NULL ||
              ts_fail(&s.error, TS_ERR_ENVIRONMENT, NULL, "the folder has no name");
    ok = ok && mc_suites_read(&s.map, options->map, options->programs, &s.error) &&
         (!options->explained || mu_explained_read(options->explained, &t->explained, &s.error));
    if (ok) {
        list_mutants(&s, tree);
        ok = run_all(&s);
        mu_remove_folder(options->folder);
    }
    if (ok) {
        mu_tally_stale(t, tree->sources, tree->count);
    }
    int code = ok ? t->unexplained > 0 : ts_report(&s.error);
    if (ok && t->mutants == 0) {
        code = 1;
        fputs("mutate-c: no mutant: is there a file of this name?\n", stderr);
    }
    mu_tally_end(t, options->seed, (double)(ts_clock_ns() - begun) * 1e-9);
    free(s.mutants);
    free(t->explained.list);
    mc_suites_free(&s.map);
    return code;
}
