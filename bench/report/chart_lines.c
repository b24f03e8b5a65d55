/* Which cells make a line of a chart, and what the line is called. */
#include "bench/report/chart.h"
#include "bench/report/html.h"

#include <stdlib.h>
#include <string.h>

static bool same_series(const struct ts_result *a, const struct ts_result *b)
{
    /* generation's depth follows from the prompt; two prefills differ in theirs */
    bool same_depth =
        a->phase != b->phase || a->phase == TS_PHASE_GENERATION || a->depth == b->depth;
    return strcmp(a->model, b->model) == 0 && strcmp(a->quant, b->quant) == 0 &&
           strcmp(a->device, b->device) == 0 && a->chunk == b->chunk && same_depth;
}

bool ts_chart_line_has(const struct ts_chart_line *series, const struct ts_result *result)
{
    return result->kind == TS_RESULT_SWEEP && same_series(series->first, result);
}

/* Which of the further axes take more than one value in this run. */
struct varies {
    bool device, chunk, depth, model_kind;
};

static struct varies find_varying(const struct ts_results *results)
{
    struct varies varies = {false, false, false, false};
    const struct ts_result *first = NULL, *first_prefill = NULL;
    for (size_t i = 0; i < results->count; i++) {
        const struct ts_result *r = &results->items[i];
        if (r->kind != TS_RESULT_SWEEP) {
            continue;
        }
        first = first ? first : r;
        varies.device |= strcmp(r->device, first->device) != 0;
        varies.chunk |= r->chunk != first->chunk;
        varies.model_kind |= strcmp(r->provenance.model, first->provenance.model) != 0;
        if (r->phase == TS_PHASE_PREFILL) {
            first_prefill = first_prefill ? first_prefill : r;
            varies.depth |= r->depth != first_prefill->depth;
        }
    }
    return varies;
}

void ts_chart_line_label(const struct ts_results *results, const struct ts_result *r, char *label,
                         size_t size)
{
    struct varies varies = find_varying(results);
    char more[3][64] = {"", "", ""};
    /* a model's name often ends in its quant already */
    bool named = !r->quant[0] || strstr(r->model, r->quant) != NULL;
    if (varies.device) {
        snprintf(more[0], sizeof more[0], ", %s%s", r->device,
                 strcmp(r->provenance.device, "software") == 0 ? " (software)" : "");
    }
    if (varies.chunk) {
        snprintf(more[1], sizeof more[1], ", chunk %llu", (unsigned long long)r->chunk);
    }
    if (varies.depth && r->phase == TS_PHASE_PREFILL) {
        snprintf(more[2], sizeof more[2], ", depth %llu", (unsigned long long)r->depth);
    }
    snprintf(label, size, "%s%s%s%s%s%s%s", r->model, named ? "" : ", ", named ? "" : r->quant,
             more[0], more[1], more[2],
             varies.model_kind && strcmp(r->provenance.model, "synthetic") == 0 ? " (synthetic)"
                                                                                : "");
}

static unsigned dash_of(const struct ts_chart_lines *list, size_t index)
{
    unsigned dash = 0;
    for (size_t i = 0; i < index; i++) {
        if (strcmp(list->items[i].first->quant, list->items[index].first->quant) == 0) {
            return list->items[i].dash;
        }
        dash = list->items[i].dash >= dash ? list->items[i].dash + 1 : dash;
    }
    return dash;
}

bool ts_chart_lines_collect(const struct ts_results *results, struct ts_chart_lines *list,
                            struct ts_error *error)
{
    *list = (struct ts_chart_lines){NULL, 0};
    list->items = calloc(results->count + 1, sizeof *list->items);
    if (!list->items) {
        return ts_fail_memory(error, "series", results->count * sizeof *list->items);
    }
    for (size_t i = 0; i < results->count; i++) {
        const struct ts_result *r = &results->items[i];
        bool known = r->kind != TS_RESULT_SWEEP;
        for (size_t k = 0; k < list->count && !known; k++) {
            known = same_series(list->items[k].first, r);
        }
        if (known) {
            continue;
        }
        struct ts_chart_line *series = &list->items[list->count];
        char label[512];
        series->first = r;
        series->colour = (unsigned)list->count;
        series->dash = dash_of(list, list->count);
        list->count++;
        ts_chart_line_label(results, r, label, sizeof label);
        ts_clean_text(series->name, sizeof series->name, 56, label);
    }
    return true;
}

void ts_chart_lines_free(struct ts_chart_lines *list)
{
    free(list->items);
    *list = (struct ts_chart_lines){NULL, 0};
}
