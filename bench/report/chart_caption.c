/* The words on a chart: what its numbers are, and of which machine. */
#include "bench/report/chart.h"
#include "bench/report/html.h"

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

void ts_sample_text(const struct ts_results *results, enum ts_result_phase phase, char *text,
                    size_t size)
{
    uint64_t least = UINT64_MAX, most = 0;
    size_t with_dots = 0, doubtful = 0;
    char part[96];
    for (size_t i = 0; i < results->count; i++) {
        const struct ts_result *r = &results->items[i];
        if (of_phase(r, phase) && ts_result_measured(r)) {
            least = r->stats.n < least ? r->stats.n : least;
            most = r->stats.n > most ? r->stats.n : most;
            with_dots += r->sample_count > 0 && r->sample_count <= 20 ? 1 : 0;
            doubtful += ts_result_doubtful(r) ? 1 : 0;
        }
    }
    text[0] = '\0';
    if (most > 0) {
        append(text, size, "median of ");
        snprintf(part, sizeof part, least == most ? "n = %llu" : "n = %llu to %llu",
                 (unsigned long long)least, (unsigned long long)most);
        append(text, size, part);
        append(text, size,
               ts_chart_has_intervals(results, phase) ? DOT "bars: 95 % interval of the median"
                                                      : DOT "bars: 5th to 95th percentile");
        append(text, size, with_dots > 0 ? DOT "dots: samples" : "");
    }
    add_count(doubtful, "cell while the machine's speed moved",
              "cells while the machine's speed moved", text, size);
    add_count(ts_chart_cells_missing(results, phase), "cell not drawn: see report.html",
              "cells not drawn: see report.html", text, size);
}
