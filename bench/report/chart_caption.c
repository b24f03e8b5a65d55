/* The words on a chart: what its numbers are, and of which machine. */
#include "bench/report/chart.h"
#include "bench/report/html.h"

#include <math.h>
#include <string.h>

#define DOT " \xc2\xb7 "

static bool of_phase(const struct ts_result *r, enum ts_result_phase phase)
{
    return r->kind == TS_RESULT_SWEEP && !r->superseded && r->phase == phase;
}

size_t ts_chart_cells_measured(const struct ts_results *results, enum ts_result_phase phase)
{
    size_t count = 0;
    for (size_t i = 0; i < results->count; i++) {
        const struct ts_result *r = &results->items[i];
        count += of_phase(r, phase) && ts_result_measured(r) ? 1 : 0;
    }
    return count;
}

size_t ts_chart_cells_missing(const struct ts_results *results, enum ts_result_phase phase)
{
    size_t count = 0;
    for (size_t i = 0; i < results->count; i++) {
        const struct ts_result *r = &results->items[i];
        count += of_phase(r, phase) && !ts_result_measured(r) ? 1 : 0;
    }
    return count;
}

/* Appends to a text of `size` bytes; what does not fit is left out. */
static void append(char *text, size_t size, const char *more)
{
    size_t used = strlen(text);
    snprintf(text + used, size - used, "%s", more);
}

/* The index of text in names[0..count); count if it is none of them. */
static unsigned index_of(const char *const *names, unsigned count, const char *text)
{
    unsigned index = 0;
    while (index < count && strcmp(names[index], text) != 0) {
        index++;
    }
    return index;
}

bool ts_provenance_text(const struct ts_results *results, char *text, size_t size)
{
    static const char *const devices[] = {"apple", "software", "cpu"};
    static const char *const device_words[] = {"Apple GPU", "software Metal device",
                                               "CPU reference", "device not stated"};
    static const char *const models[] = {"real", "synthetic"};
    static const char *const model_words[] = {"real model", "synthetic model", "model not stated"};
    unsigned device_set = 0, model_set = 0;
    bool projection = false, first = true;
    for (size_t i = 0; i < results->count; i++) {
        const struct ts_result *r = &results->items[i];
        bool absent = r->status == TS_STATUS_SKIP && !r->provenance.device[0];
        if (r->kind == TS_RESULT_SWEEP && !absent) {
            device_set |= 1u << index_of(devices, 3, r->provenance.device);
            model_set |= 1u << index_of(models, 2, r->provenance.model);
            projection |= r->provenance.projection;
        }
    }
    text[0] = '\0';
    if (device_set == 0) {
        append(text, size, "nothing was measured");
        return true;
    }
    for (unsigned i = 0; i < 4; i++) {
        if (device_set & 1u << i) {
            append(text, size, first ? "" : " and ");
            append(text, size, device_words[i]);
            first = false;
        }
    }
    for (unsigned i = 0; i < 3; i++) {
        if (model_set & 1u << i) {
            append(text, size, ", ");
            append(text, size, model_words[i]);
        }
    }
    append(text, size, projection ? ", partly projected" : "");
    bool apple = device_set == 1;
    bool warning = !apple || model_set != 1 || projection;
    append(text, size,
           !warning ? ""
           : apple  ? ": not a measurement of the real model"
                    : ": not an Apple figure");
    return warning;
}

/* Appends a clean text of the environment with what stands around it, if there is one. */
static bool add_fact(const struct ts_results *results, const char *path, const char *before,
                     const char *after, char *text, size_t size)
{
    char raw[256], clean[256];
    ts_results_environment(results, path, raw, sizeof raw);
    ts_clean_text(clean, sizeof clean, 60, raw);
    if (!clean[0]) {
        return false;
    }
    append(text, size, before);
    append(text, size, clean);
    append(text, size, after);
    return true;
}

/* 20261123T170000Z as people write it; any other date stays as it is. */
static void add_date(const struct ts_results *results, char *text, size_t size)
{
    char date[64], part[96];
    unsigned year, month, day, hour, minute, second;
    ts_results_environment(results, "date", date, sizeof date);
    if (strlen(date) == 16 &&
        sscanf(date, "%4u%2u%2uT%2u%2u%2uZ", &year, &month, &day, &hour, &minute, &second) == 6) {
        snprintf(part, sizeof part, DOT "%04u-%02u-%02u %02u:%02u UTC", year, month, day, hour,
                 minute);
        append(text, size, part);
    } else {
        add_fact(results, "date", DOT, "", text, size);
    }
}

void ts_machine_text(const struct ts_results *results, char *text, size_t size)
{
    static const char dirty[] = ".dirty";
    char commit[80], state[16], system[64];
    text[0] = '\0';
    if (!add_fact(results, "machine.chip", "", "", text, size) &&
        !add_fact(results, "machine.name", "", "", text, size)) {
        ts_clean_text(text, size < 200 ? size : 200, 60, results->folder);
    }
    add_fact(results, "machine.cores", ", ", " cores", text, size);
    ts_results_environment(results, "os.name", system, sizeof system);
    add_fact(results, "os.version", strcmp(system, "Darwin") == 0 ? DOT "macOS " : DOT, "", text,
             size);
    ts_results_environment(results, "build.commit", commit, sizeof commit);
    ts_results_environment(results, "build.dirty", state, sizeof state);
    if (commit[0]) {
        char part[160], clean[96];
        size_t length = strlen(commit);
        bool marked = length > strlen(dirty) && strcmp(commit + length - strlen(dirty), dirty) == 0;
        commit[marked ? length - strlen(dirty) : length] = '\0';
        ts_clean_text(clean, sizeof clean, 16, commit);
        snprintf(part, sizeof part, DOT "commit %s%s", clean,
                 marked || strcmp(state, "true") == 0 ? " with changes" : "");
        append(text, size, part);
    }
    add_date(results, text, size);
}

bool ts_chart_has_intervals(const struct ts_results *results, enum ts_result_phase phase)
{
    bool all = true;
    for (size_t i = 0; i < results->count; i++) {
        const struct ts_result *r = &results->items[i];
        all = all && (!of_phase(r, phase) || !ts_result_measured(r) || r->stats.has_ci);
    }
    return all;
}

/* Appends "DOT count one" or "DOT count many" if there are any. */
static void add_count(size_t count, const char *one, const char *many, char *text, size_t size)
{
    char part[128];
    if (count > 0) {
        snprintf(part, sizeof part, "%s%zu %s", text[0] ? DOT : "", count, count == 1 ? one : many);
        append(text, size, part);
    }
}

/* What the cells of a phase have in common. */
struct shared {
    uint64_t least, most; /* samples */
    size_t with_dots, doubtful, with_short;
    double least_load, most_load; /* NaN: none is known */
};

static struct shared find_shared(const struct ts_results *results, enum ts_result_phase phase)
{
    struct shared s = {.least = UINT64_MAX, .least_load = NAN, .most_load = NAN};
    for (size_t i = 0; i < results->count; i++) {
        const struct ts_result *r = &results->items[i];
        if (of_phase(r, phase) && ts_result_measured(r)) {
            s.least = r->stats.n < s.least ? r->stats.n : s.least;
            s.most = r->stats.n > s.most ? r->stats.n : s.most;
            s.with_dots += r->sample_count > 0 && r->sample_count <= 20 ? 1 : 0;
            s.doubtful += ts_result_doubtful(r) ? 1 : 0;
            s.with_short += ts_result_short(results, r) ? 1 : 0;
            s.least_load = fmin(s.least_load, r->load);
            s.most_load = fmax(s.most_load, r->load);
        }
    }
    return s;
}

static void add_load(const struct ts_results *results, const struct shared *s, char *text,
                     size_t size)
{
    char part[96];
    if (isnan(s->most_load)) {
        return;
    }
    snprintf(part, sizeof part, DOT "load %.1f", s->least_load);
    append(text, size, part);
    snprintf(part, sizeof part, " to %.1f", s->most_load);
    append(text, size, s->most_load > s->least_load ? part : "");
    snprintf(part, sizeof part, " on %llu cores", (unsigned long long)results->cores);
    append(text, size, results->cores > 0 ? part : "");
}

void ts_sample_text(const struct ts_results *results, enum ts_result_phase phase, char *text,
                    size_t size)
{
    struct shared s = find_shared(results, phase);
    char part[96];
    text[0] = '\0';
    if (s.most > 0) {
        append(text, size, "median of ");
        snprintf(part, sizeof part, s.least == s.most ? "n = %llu" : "n = %llu to %llu",
                 (unsigned long long)s.least, (unsigned long long)s.most);
        append(text, size, part);
        if (s.with_short > 0) {
            snprintf(part, sizeof part, " of %llu planned", (unsigned long long)results->planned);
            append(text, size, part);
        }
        append(text, size,
               s.most == 1                              ? ""
               : ts_chart_has_intervals(results, phase) ? DOT "bars: 95 % interval"
                                                        : DOT "bars: range of the samples");
        append(text, size, s.with_dots > 0 ? DOT "dots: samples" : "");
        add_load(results, &s, text, size);
    }
    add_count(s.doubtful, "doubtful cell", "doubtful cells", text, size);
    add_count(ts_chart_cells_missing(results, phase), "cell not drawn: see report.html",
              "cells not drawn: see report.html", text, size);
}

/* ---- warnings about the whole run ---- */

static void busy_text(const struct ts_results *results, size_t measured, char *text, size_t size)
{
    size_t doubtful = 0, busy = 0;
    double load = NAN, drift = 0;
    for (size_t i = 0; i < results->count; i++) {
        const struct ts_result *r = &results->items[i];
        if (ts_result_measured(r)) {
            doubtful += ts_result_doubtful(r) ? 1 : 0;
            busy += r->busy ? 1 : 0;
            load = r->busy ? fmax(load, isnan(r->load) ? results->load : r->load) : load;
            drift = ts_result_drifted(r) ? fmax(drift, fabs(r->canary_drift)) : drift;
        }
    }
    if (doubtful == 0) {
        return;
    }
    char part[160];
    snprintf(text, size, "%s: %zu of %zu speeds %s doubtful",
             busy > 0 ? "The machine was busy" : "The machine's own speed moved", doubtful,
             measured, doubtful == 1 ? "is" : "are");
    if (busy > 0) {
        snprintf(part, sizeof part, "; load average up to %.1f on %llu core%s", load,
                 (unsigned long long)results->cores, results->cores == 1 ? "" : "s");
        append(text, size, part);
    }
    if (drift > 0) {
        snprintf(part, sizeof part,
                 "; a fixed loop took up to %.1f %% more or less time after a "
                 "cell than before it",
                 100 * drift);
        append(text, size, part);
    }
    append(text, size, ".");
}

static void short_text(const struct ts_results *results, size_t measured, char *text, size_t size)
{
    size_t with_less = 0;
    for (size_t i = 0; i < results->count; i++) {
        with_less += ts_result_short(results, &results->items[i]) ? 1 : 0;
    }
    if (with_less > 0) {
        snprintf(text, size, "%zu of %zu speeds %s from fewer samples than the %llu planned.",
                 with_less, measured, with_less == 1 ? "is" : "are",
                 (unsigned long long)results->planned);
    }
}

bool ts_warning_text(const struct ts_results *results, enum ts_warning warning, char *text,
                     size_t size)
{
    size_t measured = ts_chart_cells_measured(results, TS_PHASE_PREFILL) +
                      ts_chart_cells_measured(results, TS_PHASE_GENERATION);
    text[0] = '\0';
    switch (warning) {
    case TS_WARNING_BUSY: busy_text(results, measured, text, size); break;
    case TS_WARNING_SHORT: short_text(results, measured, text, size); break;
    case TS_WARNING_UNFINISHED:
        if (results->unfinished_samples > 0) {
            snprintf(text, size,
                     "samples.jsonl holds %zu sample%s of %zu cell%s without a record: the sweep "
                     "ended before %s finished. No table or chart shows them.",
                     results->unfinished_samples, results->unfinished_samples == 1 ? "" : "s",
                     results->unfinished_cells, results->unfinished_cells == 1 ? "" : "s",
                     results->unfinished_cells == 1 ? "it was" : "they were");
        }
        break;
    }
    return text[0] != '\0';
}

void ts_stop_text(const struct ts_results *results, const struct ts_result *r, char *text,
                  size_t size)
{
    bool time = strcmp(r->stats.stop, "time") == 0, reps = strcmp(r->stats.stop, "reps") == 0;
    bool interrupted = strcmp(r->stats.stop, "interrupted") == 0;
    char of[40] = "";
    if (results->planned > 0) {
        snprintf(of, sizeof of, " of %llu", (unsigned long long)results->planned);
    }
    if (reps && !ts_result_short(results, r)) {
        snprintf(text, size, "all repetitions done");
    } else if (time || interrupted) {
        snprintf(text, size, "stopped: %s after %llu%s repetitions",
                 time ? "time ran out" : "interrupted", (unsigned long long)r->stats.n, of);
    } else {
        ts_clean_text(text, size, 60, r->stats.stop);
    }
}
