/* Which kernels make a row of the map, and what its cells say. */
#include "bench/report/heatmap.h"

#include "base/format.h"
#include "bench/report/html.h"
#include "kernels/ops.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const double LEAST_RHO = 1e-4;

static bool is_kernel(const struct ts_result *r)
{
    return r->kind == TS_RESULT_KERNEL && !r->superseded;
}

enum ts_heat_verdict ts_heat_verdict_of(const struct ts_result *r)
{
    if (!r) {
        return TS_HEAT_NONE;
    }
    switch (r->status) {
    case TS_STATUS_PASS: return r->kernel.exact ? TS_HEAT_EXACT : TS_HEAT_PASS;
    case TS_STATUS_MARGINAL: return TS_HEAT_MARGINAL;
    case TS_STATUS_FAIL: return TS_HEAT_FAIL;
    default: return TS_HEAT_UNCHECKED;
    }
}

/* The place of an operation in the table; those that it does not know come last. */
static unsigned place_of(const char *operation)
{
    unsigned place = 0;
    while (place < TS_OP_COUNT && strcmp(ts_op_info((enum ts_op)place)->name, operation) != 0) {
        place++;
    }
    return place;
}

static int by_row(const void *one, const void *other)
{
    const struct ts_result *a = *(const struct ts_result *const *)one;
    const struct ts_result *b = *(const struct ts_result *const *)other;
    const struct ts_result_kernel *x = &a->kernel, *y = &b->kernel;
    unsigned p = place_of(x->operation), q = place_of(y->operation);
    int device = strcmp(a->device, b->device), operation = strcmp(x->operation, y->operation);
    int beside = strcmp(x->beside, y->beside);
    if (device != 0) {
        return device;
    }
    if (p != q) {
        return p < q ? -1 : 1;
    }
    if (operation != 0) {
        return operation;
    }
    return x->version != y->version ? (x->version < y->version ? -1 : 1) : beside;
}

static bool same_row(const struct ts_result *a, const struct ts_result *b)
{
    return by_row(&a, &b) == 0;
}

/* GGUF's number of a format by its name; names that it does not have come last. */
static uint32_t format_number(const char *name)
{
    enum { MOST_FORMATS = 64 };
    uint32_t number = 0;
    while (name[0] && number < MOST_FORMATS &&
           (!ts_format_known(number) || strcmp(ts_format_name(number), name) != 0)) {
        number++;
    }
    return name[0] ? number + 1 : 0;
}

static int by_format(const void *one, const void *other)
{
    const char *a = *(const char *const *)one, *b = *(const char *const *)other;
    uint32_t x = format_number(a), y = format_number(b);
    return x != y ? (x < y ? -1 : 1) : strcmp(a, b);
}

static void name_row(struct ts_heat_row *row, bool devices)
{
    const struct ts_result *r = row->first;
    char label[512];
    snprintf(label, sizeof label, "%s%s%s v%llu%s%s", devices ? r->device : "", devices ? ": " : "",
             r->kernel.operation, (unsigned long long)r->kernel.version,
             r->kernel.beside[0] ? " + " : "", r->kernel.beside);
    ts_clean_text(row->label, sizeof row->label, 29, label);
}

/* Of two kernels in one cell the one that is further off is shown. */
static const struct ts_result *worse(const struct ts_result *a, const struct ts_result *b)
{
    enum ts_heat_verdict x = ts_heat_verdict_of(a), y = ts_heat_verdict_of(b);
    return x != y ? (x > y ? a : b) : !b || (a && a->kernel.rho >= b->kernel.rho) ? a : b;
}

static void fill(struct ts_heatmap *map, const struct ts_result **kernels, size_t count)
{
    bool devices = count > 0 && strcmp(kernels[0]->device, kernels[count - 1]->device) != 0;
    for (size_t i = 0; i < count; i++) {
        const struct ts_result *r = kernels[i];
        size_t column = 0;
        map->kernels[ts_heat_verdict_of(r)]++;
        if (i == 0 || !same_row(map->rows[map->row_count - 1].first, r)) {
            map->rows[map->row_count].first = r;
            name_row(&map->rows[map->row_count++], devices);
        }
        while (strcmp(map->formats[column], r->kernel.format) != 0) {
            column++;
        }
        const struct ts_result **cell =
            &map->cells[(map->row_count - 1) * map->format_count + column];
        *cell = worse(*cell, r);
    }
}

bool ts_heatmap_collect(const struct ts_results *results, struct ts_heatmap *map,
                        struct ts_error *error)
{
    size_t count = 0, most = results->count + 1;
    const struct ts_result **kernels = calloc(most, sizeof *kernels);
    *map = (struct ts_heatmap){.results = results};
    map->rows = calloc(most, sizeof *map->rows);
    map->formats = calloc(most, sizeof *map->formats);
    bool ok = kernels && map->rows && map->formats;
    for (size_t i = 0; ok && i < results->count; i++) {
        if (is_kernel(&results->items[i])) {
            map->formats[count] = results->items[i].kernel.format;
            kernels[count++] = &results->items[i];
        }
    }
    if (ok && count > 0) {
        qsort(kernels, count, sizeof *kernels, by_row);
        qsort(map->formats, count, sizeof *map->formats, by_format);
        for (size_t i = 0; i < count; i++) {
            if (i == 0 || strcmp(map->formats[i], map->formats[map->format_count - 1]) != 0) {
                map->formats[map->format_count++] = map->formats[i];
            }
        }
        map->cells = calloc(count * map->format_count, sizeof *map->cells);
        ok = map->cells != NULL;
        if (ok) {
            fill(map, kernels, count);
        }
    }
    free(kernels);
    return ok || ts_fail_memory(error, "a map of kernels", most * sizeof *map->rows);
}

void ts_heatmap_free(struct ts_heatmap *map)
{
    free(map->rows);
    free(map->formats);
    free(map->cells);
    *map = (struct ts_heatmap){.results = NULL};
}

const char *ts_heat_text(const struct ts_result *r, char *buffer, size_t size)
{
    switch (ts_heat_verdict_of(r)) {
    case TS_HEAT_NONE: snprintf(buffer, size, "%s", ""); break;
    case TS_HEAT_UNCHECKED: snprintf(buffer, size, "%s", "\xe2\x80\x93"); break;
    case TS_HEAT_EXACT: snprintf(buffer, size, "exact"); break;
    case TS_HEAT_PASS: snprintf(buffer, size, "%.2g", r->kernel.rho); break;
    case TS_HEAT_MARGINAL: snprintf(buffer, size, "%.2g !", r->kernel.rho); break;
    case TS_HEAT_FAIL:
        snprintf(buffer, size, r->kernel.rho > 1 ? "FAIL %.2g" : "FAIL", r->kernel.rho);
        break;
    }
    return buffer;
}

void ts_heat_colour(double rho, char colour[7], bool *dark)
{
    static const double stops[3][3] = {{230, 241, 250}, {107, 174, 214}, {8, 48, 107}};
    double t = rho > LEAST_RHO ? 1 - log10(fmin(rho, 1)) / log10(LEAST_RHO) : 0;
    int from = t < 0.5 ? 0 : 1;
    unsigned mixed[3];
    for (int i = 0; i < 3; i++) {
        double share = 2 * t - from;
        mixed[i] = (unsigned)(stops[from][i] + share * (stops[from + 1][i] - stops[from][i]) + 0.5);
    }
    snprintf(colour, 7, "%02x%02x%02x", mixed[0] & 255, mixed[1] & 255, mixed[2] & 255);
    *dark = t > 0.6;
}

bool ts_heat_provenance(const struct ts_heatmap *map, char *text, size_t size)
{
    bool apple = false, software = false, other = false;
    for (size_t i = 0; i < map->row_count; i++) {
        const char *device = map->rows[i].first->provenance.device;
        bool is_apple = strcmp(device, "apple") == 0, is_software = strcmp(device, "software") == 0;
        apple = apple || is_apple;
        software = software || is_software;
        other = other || (!is_apple && !is_software);
    }
    snprintf(text, size, "%s%s%s%s%s", apple ? "Apple GPU" : "", apple && software ? " and " : "",
             software ? "software Metal device" : "",
             other ? (apple || software ? " and a device not stated" : "device not stated") : "",
             software || other ? ": not what an Apple GPU computes" : "");
    return software || other;
}

void ts_heat_counts(const struct ts_heatmap *map, char *text, size_t size)
{
    size_t all = 0;
    for (int i = 0; i < TS_HEAT_VERDICTS; i++) {
        all += map->kernels[i];
    }
    snprintf(text, size,
             "%zu kernel%s: %zu exact, %zu pass, %zu marginal, %zu fail, %zu not checked", all,
             all == 1 ? "" : "s", map->kernels[TS_HEAT_EXACT], map->kernels[TS_HEAT_PASS],
             map->kernels[TS_HEAT_MARGINAL], map->kernels[TS_HEAT_FAIL],
             map->kernels[TS_HEAT_UNCHECKED]);
}
