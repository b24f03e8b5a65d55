/* The check on every mutant: first small cases, up to the first failure; a survivor then in the checking
 * mode, which sees races, and on all cases. */
#include "tools/mutate/kernels/kernels.h"

#include "base/clock.h"
#include "base/interrupt.h"
#include "kernels/kernels.h"
#include "tools/mutate/pool.h"
#include "tools/mutate/tally.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum stage { SMALL, RACES, ALL, STAGES };

struct mutant {
    const struct mu_source *source;
    const struct mu_point *point; /* NULL: a planted bug, or none */
    unsigned planted;             /* its number; 0 with no point: the kernels as they are */
    char id[MU_ID];
    enum stage stage;
    enum mu_outcome outcome;
    double seconds; /* of processors */
    double
        share; /* of outputs that a planted bug makes wrong, where it does least; 1: not counted */
    char what[MU_REASON];
};

struct session {
    const struct mu_options *options;
    struct mu_source *sources;
    size_t families;
    struct mutant *running;     /* the list that runs */
    double usual[64][STAGES];   /* seconds of a family as it is */
    struct mutant smallest[64]; /* of a family's planted bugs the one with the smallest share */
    struct mu_tally tally;
    struct ts_error error;
};

static size_t family_of(const struct session *s, const struct mutant *m)
{
    return (size_t)(m->source - s->sources);
}

static bool start(void *context, struct mu_slot *slot, struct ts_error *error)
{
    struct session *s = context;
    struct mutant *m = &s->running[slot->item];
    const struct mu_options *o = s->options;
    const char *arguments[24], *sources = o->sources;
    char number[16], path[700];
    size_t n = 0, family = family_of(s, m);
    snprintf(path, sizeof path, "%s/%s.metal", slot->folder, m->source->family);
    if (m->point && m->stage == SMALL && !mu_write(m->source, m->point, path, error)) {
        return false;
    }
    sources = m->point ? slot->folder : sources;
    arguments[n++] = o->touchstone;
    arguments[n++] = "check";
    arguments[n++] = "--filter";
    arguments[n++] = m->source->family;
    arguments[n++] = "--threads";
    arguments[n++] = "1";
    arguments[n++] = "--json";
    if (!m->planted ||
        m->stage == ALL) { /* among small cases all that a planted bug does is counted */
        arguments[n++] = "--stop";
    }
    if (m->planted) {
        snprintf(number, sizeof number, "%u", m->planted);
        arguments[n++] = "--mutant";
        arguments[n++] = number;
    }
    if (sources) {
        arguments[n++] = "--kernels";
        arguments[n++] = sources;
    }
    if (m->stage != ALL) {
        arguments[n++] = m->stage == SMALL ? "--small" : "--races";
    }
    arguments[n] = NULL;
    bool as_is = !m->point && !m->planted;
    double limit = as_is ? 3600 : 10 + 10 * s->usual[family][m->stage];
    return mu_process_start(&slot->process, arguments, slot->output, limit, 100 * limit, error);
}

static void count_mutant(struct session *s, struct mutant *m)
{
    char text[512];
    struct mutant *smallest = &s->smallest[family_of(s, m)];
    if (m->point) {
        mu_describe(m->source, m->point, text, sizeof text);
    } else {
        snprintf(text, sizeof text, "planted bug %u of kernels/%s.metal", m->planted,
                 m->source->family);
    }
    if (m->outcome == MU_KILLED && m->planted &&
        (!smallest->planted || m->share < smallest->share)) {
        *smallest = *m;
    }
    mu_tally_count(&s->tally, m->outcome, m->id, text, m->what);
}

/* Reads how a process ended. True when the mutant needs another one. */
static bool judge(struct session *s, struct mu_slot *slot)
{
    struct mutant *m = &s->running[slot->item];
    const struct mu_process *p = &slot->process;
    static const char *const names[STAGES] = {"small cases", "checking mode", "all cases"};
    char detail[MU_REASON - 64] = "";
    m->seconds += p->seconds;
    if (!m->point && !m->planted) {
        s->usual[family_of(s, m)][m->stage] = p->seconds;
    }
    mu_check_detail(slot->output, detail, sizeof detail);
    if (p->exit_code == 0) {
        m->outcome = m->stage == ALL ? MU_SURVIVED : MU_WAITING;
        m->stage++;
        return m->outcome == MU_WAITING;
    }
    m->outcome = p->exit_code == 1 || p->timed_out || p->signal != 0 ? MU_KILLED : MU_BROKEN;
    m->share = m->planted ? mu_check_share(slot->output) : 1;
    if (p->timed_out) {
        snprintf(detail, sizeof detail, "ran on after %.0f s", p->limit);
    } else if (p->signal != 0) {
        snprintf(detail, sizeof detail, "crashed: %s", strsignal(p->signal));
    }
    snprintf(m->what, sizeof m->what, "%s: %s", names[m->stage], detail);
    return false;
}

static bool finish(void *context, struct mu_slot *slot, struct ts_error *error)
{
    struct session *s = context;
    struct mutant *m = &s->running[slot->item];
    if (judge(s, slot)) {
        return start(s, slot, error);
    }
    slot->busy = false;
    if (m->point || m->planted) {
        count_mutant(s, m);
    } else if (m->outcome != MU_SURVIVED) {
        ts_fail(error, TS_ERR_CHECK, NULL, "kernels/%s.metal fails without a mutant: %s",
                m->source->family, m->what);
        return false;
    } else {
        const double *usual = s->usual[family_of(s, m)];
        printf(
            "kernels/%s.metal passes as it is: %.1f s of small cases, %.1f in the checking mode, "
            "%.1f of all\n",
            m->source->family, usual[SMALL], usual[RACES], usual[ALL]);
        fflush(stdout);
    }
    return true;
}

/* ---- lists ------------------------------------------------------------------------------------- */

struct list {
    struct mutant *mutants;
    size_t count;
};

static struct mutant *add(struct list *list, const struct mu_source *source)
{
    list->mutants = mu_grow(list->mutants, list->count, sizeof *list->mutants);
    struct mutant *m = &list->mutants[list->count++];
    memset(m, 0, sizeof *m);
    m->source = source;
    return m;
}

static bool is_chosen(const struct session *s, const struct mu_source *source)
{
    return !s->options->family || strcmp(s->options->family, source->family) == 0;
}

/* Whether a line of the table names a family's planted bug. */
static bool is_named(const char *family, unsigned number)
{
    for (unsigned i = 0; i < TS_KERNEL_COUNT; i++) {
        const struct ts_kernel *k = ts_kernel_at(i);
        if (k->first_mutant > 0 && k->first_mutant <= number && number <= k->last_mutant &&
            strcmp(ts_op_info(k->op)->family, family) == 0) {
            return true;
        }
    }
    return false;
}

/* The same in any family that has it from the same file. */
static bool is_named_somewhere(const struct session *s, const struct mu_planted *p)
{
    for (size_t f = 0; f < s->families; f++) {
        const struct mu_source *source = &s->sources[f];
        for (size_t i = 0; i < source->planted_count; i++) {
            const struct mu_planted *q = &source->planted[i];
            if (q->number == p->number && q->file_length == p->file_length &&
                strncmp(q->file, p->file, (size_t)p->file_length) == 0 &&
                is_named(source->family, p->number)) {
                return true;
            }
        }
    }
    return false;
}

/* The planted bugs that the table names. One that only the sources have is never run: an error. */
static void add_planted(struct session *s, struct list *list, const struct mu_source *source)
{
    for (unsigned k = 1; k < 256; k++) {
        if (is_named(source->family, k)) {
            struct mutant *m = add(list, source);
            m->planted = k;
            snprintf(m->id, sizeof m->id, "%s-planted-%u", source->family, k);
        }
    }
    for (size_t i = 0; i < source->planted_count; i++) {
        const struct mu_planted *p = &source->planted[i];
        if (!is_named_somewhere(s, p)) {
            printf("ERROR: planted bug %u of %.*s: no line of kernels/ops.def names it\n",
                   p->number, p->file_length, p->file);
            s->tally.broken++;
        }
    }
}

static struct list list_of(struct session *s, bool as_is)
{
    struct list list = {NULL, 0};
    for (size_t f = 0; f < s->families; f++) {
        struct mu_source *source = &s->sources[f];
        if (!is_chosen(s, source)) {
            continue;
        }
        if (as_is) {
            snprintf(add(&list, source)->id, MU_ID, "%s", source->family);
            continue;
        }
        if (s->options->by_hand) {
            add_planted(s, &list, source);
        }
        for (size_t i = 0; i < source->point_count; i++) {
            struct mutant *m = add(&list, source);
            m->point = &source->points[i];
            snprintf(m->id, sizeof m->id, "%s", m->point->id);
        }
    }
    return list;
}

static bool run_list(struct session *s, struct mu_pool *pool, const struct list *list)
{
    s->running = list->mutants;
    return mu_pool_run(pool, list->count, &s->error);
}

static bool run_all(struct session *s)
{
    struct list as_is = list_of(s, true), list = list_of(s, false);
    struct mu_pool pool = {
        .jobs = s->options->jobs, .context = s, .start = start, .finish = finish};
    char cache[600];
    snprintf(cache, sizeof cache, "%s/cache", s->options->folder);
    setenv("SOFTMETAL_CACHE", cache, 1);
    s->tally.total = (unsigned)list.count;
    bool ok = mu_pool_open(&pool, s->options->folder, &s->error) && run_list(s, &pool, &as_is) &&
              run_list(s, &pool, &list);
    mu_pool_close(&pool);
    free(as_is.mutants);
    free(list.mutants);
    return ok;
}

/* A check that finds bugs in all outputs only proves little: each family has a planted one in under
 * 0.1 % of them. False where one has not. */
static bool name_smallest(const struct session *s)
{
    bool ok = true;
    for (size_t f = 0; f < s->families; f++) {
        const struct mutant *m = &s->smallest[f];
        if (m->planted) {
            bool small = m->share < 0.001;
            printf("%s%s touches %.2g %% of the outputs%s\n", small ? "" : "ERROR: ", m->id,
                   100 * m->share, small ? "" : ", and no planted bug of the family fewer");
            ok &= small;
        }
    }
    return ok;
}

int mu_run(const struct mu_options *options, struct mu_source *sources, size_t families)
{
    struct session s = {.options = options, .sources = sources, .families = families};
    struct mu_tally *t = &s.tally;
    uint64_t begun = ts_clock_ns();
    ts_catch_interrupts();
    bool ok =
        (!options->explained || mu_explained_read(options->explained, &t->explained, &s.error)) &&
        run_all(&s);
    mu_remove_folder(options->folder);
    if (ok && !options->family) {
        mu_tally_stale(t, sources, families);
    }
    int code = ok ? 0 : ts_report(&s.error);
    if (ok && !name_smallest(&s)) {
        code = 1;
    }
    if (ok && t->mutants == 0) {
        code = 1;
        fputs("mutate: no mutant: is there a family of this name?\n", stderr);
    }
    if (t->broken > 0 || t->unexplained > 0) {
        code = code ? code : 1;
    }
    if (ok && t->broken > 0) {
        printf("%u planted bugs or mutants were not run or do not build\n", t->broken);
    }
    mu_tally_end(t, options->seed, (double)(ts_clock_ns() - begun) * 1e-9);
    free(t->explained.list);
    return code;
}
