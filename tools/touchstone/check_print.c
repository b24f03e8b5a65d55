#include "tools/touchstone/check_print.h"

#include "base/json.h"

#include <cjson/cJSON.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>

void ts_print_golden(const struct ts_golden_result *result)
{
    printf("%-24s %6s %9s  %-10s %-10s %s\n", "output", "rows", "elements", "worst", "bound", "");
    for (unsigned i = 0; i < result->count; i++) {
        const struct ts_golden_item *item = &result->items[i];
        char worst[32], bound[32];
        if (item->exact) {
            snprintf(worst, sizeof worst, "%s", item->pass ? "equal" : "differs");
            snprintf(bound, sizeof bound, "bit-exact");
        } else {
            snprintf(worst, sizeof worst, "%.3g", item->worst);
            snprintf(bound, sizeof bound, "%g", item->bound);
        }
        printf("%-24s %6" PRIu64 " %9" PRIu64 "  %-10s %-10s ", item->name, item->rows,
               item->elements, worst, bound);
        if (item->pass) {
            printf("PASS\n");
        } else {
            printf("FAIL at row %" PRIu64 "\n", item->worst_at);
        }
    }
}

void ts_print_golden_verdict(const struct ts_golden_result *result, FILE *out)
{
    unsigned failed = 0;
    for (unsigned i = 0; i < result->count; i++) {
        failed += !result->items[i].pass;
    }
    if (result->elements == 0) {
        fprintf(out, "FAIL: nothing was compared\n");
    } else if (failed > 0) {
        fprintf(out, "FAIL: %u of %u outputs, %" PRIu64 " elements compared\n", failed,
                result->count, result->elements);
    } else {
        fprintf(out, "PASS: %u outputs, %" PRIu64 " elements compared\n", result->count,
                result->elements);
    }
}

static const char *place_name(enum ts_tap tap)
{
    return ts_trace_is_rows(tap) ? "row" : "position";
}

static void print_logits(const struct ts_logits_summary *s)
{
    printf("logits: %" PRIu64 " positions, worst %.3g at %" PRIu64 ", median %.3g, %" PRIu64
           " above 2e-3, %" PRIu64 " above 2e-2\n",
           s->compared, s->worst, s->worst_at, s->median, s->above_2e3, s->above_2e2);
    printf("argmax: equal at %" PRIu64 " of %" PRIu64 ", wrong beyond the error at %" PRIu64 "\n",
           s->argmax_equal, s->compared, s->argmax_wrong);
}

static void print_ties(const struct ts_trace_result *result)
{
    const struct ts_ties *ties = &result->ties;
    if (ties->positions == 0) {
        return;
    }
    printf("ties: at %" PRIu64 " of %" PRIu64 " positions, off by up to %.3g, by choices between "
           "scores that float32 cannot tell apart\n",
           ties->positions, result->logits.compared, ties->before);
    printf("      (%" PRIu64
           " choices; widest gap %.2g of the scores: blk.%u.%s has %d at position "
           "%" PRIu64 "); judged by the reference with the same choices\n",
           ties->count, ties->wide.gap, ties->wide.layer, ts_tap_name(ties->wide.tap),
           (int)ties->wide.chosen, ties->wide.position);
}

void ts_print_trace(const struct ts_trace *trace, const struct ts_trace_options *options,
                    const struct ts_trace_result *result)
{
    printf("trace %s: class %s, kv rounding %s, %" PRIu64 " tokens\n", trace->gguf->path,
           ts_trace_class_name(trace->class), trace->kv_rounding ? "on" : "off", trace->tokens);
    if (options->noise > 0) {
        printf("noise %g at each sublayer input, seed %" PRIu64 "; the floor it sets:\n",
               options->noise, options->seed);
        print_logits(&result->logits);
        return;
    }
    for (unsigned i = 0; i < result->count; i++) {
        const struct ts_trace_item *item = &result->items[i];
        if (i == 0) {
            printf("%-24s %8s %9s  %-9s worst at\n", "intermediate", "rows", "elements", "worst");
        }
        char name[48];
        snprintf(name, sizeof name, "blk.%u.%s", item->layer, ts_tap_name(item->tap));
        printf("%-24s %8" PRIu64 " %9" PRIu64 "  %-9.3g %s %" PRIu64 "\n", name, item->rows,
               item->elements, item->worst, place_name(item->tap), item->worst_at);
    }
    if (!result->intermediates_judged && result->count > 0) {
        printf("(intermediates are reported, not judged, on a device that stores float32)\n");
    }
    print_logits(&result->logits);
    print_ties(result);
    printf("bound: %s\n", result->bound.text);
}

void ts_print_trace_verdict(const struct ts_trace_result *result, FILE *out)
{
    uint64_t elements = result->logit_elements + result->intermediate_elements;
    if (result->pass) {
        fprintf(out, "PASS: %" PRIu64 " elements compared, logits worst %.3g", elements,
                result->logits.worst);
        if (result->ties.positions > 0) {
            fprintf(out, " (ties at %" PRIu64 " of %" PRIu64 " positions)", result->ties.positions,
                    result->logits.compared);
        }
        fputc('\n', out);
    } else {
        fprintf(out, "FAIL: %s (%" PRIu64 " elements compared)\n", result->reason, elements);
    }
}

/* JSON has no infinity: a distance that is none is null. */
static void add_number(cJSON *object, const char *name, double value)
{
    if (isfinite(value)) {
        cJSON_AddNumberToObject(object, name, value);
    } else {
        cJSON_AddNullToObject(object, name);
    }
}

static bool print_json(cJSON *root, struct ts_error *error)
{
    char *text = root ? cJSON_Print(root) : NULL;
    cJSON_Delete(root);
    if (!text) {
        return ts_fail_memory(error, "a JSON report", 0);
    }
    puts(text);
    free(text);
    return true;
}

bool ts_print_golden_json(const char *path, const struct ts_golden_result *result,
                          struct ts_error *error)
{
    cJSON *root = cJSON_CreateObject();
    ts_json_add_text(root, "golden", path);
    ts_json_add_text(root, "verdict", result->pass ? "PASS" : "FAIL");
    cJSON_AddNumberToObject(root, "compared", (double)result->elements);
    cJSON *outputs = cJSON_AddArrayToObject(root, "outputs");
    for (unsigned i = 0; i < result->count; i++) {
        const struct ts_golden_item *item = &result->items[i];
        cJSON *entry = cJSON_CreateObject();
        ts_json_add_text(entry, "name", item->name);
        cJSON_AddNumberToObject(entry, "rows", (double)item->rows);
        cJSON_AddNumberToObject(entry, "compared", (double)item->elements);
        cJSON_AddBoolToObject(entry, "exact", item->exact);
        add_number(entry, "worst", item->worst);
        cJSON_AddNumberToObject(entry, "bound", item->bound);
        cJSON_AddNumberToObject(entry, "worst_at", (double)item->worst_at);
        cJSON_AddBoolToObject(entry, "pass", item->pass);
        cJSON_AddItemToArray(outputs, entry);
    }
    return print_json(root, error);
}

static void add_logits(cJSON *root, const struct ts_trace_result *result)
{
    const struct ts_logits_summary *s = &result->logits;
    cJSON *logits = cJSON_AddObjectToObject(root, "logits");
    cJSON_AddNumberToObject(logits, "positions", (double)s->compared);
    cJSON_AddNumberToObject(logits, "compared", (double)result->logit_elements);
    add_number(logits, "worst", s->worst);
    cJSON_AddNumberToObject(logits, "worst_at", (double)s->worst_at);
    add_number(logits, "median", s->median);
    cJSON_AddNumberToObject(logits, "above_2e-3", (double)s->above_2e3);
    cJSON_AddNumberToObject(logits, "above_2e-2", (double)s->above_2e2);
    cJSON_AddNumberToObject(logits, "argmax_equal", (double)s->argmax_equal);
    cJSON_AddNumberToObject(logits, "argmax_wrong", (double)s->argmax_wrong);
}

static void add_tie(cJSON *object, const char *name, const struct ts_tie *tie)
{
    cJSON *entry = cJSON_AddObjectToObject(object, name);
    cJSON_AddNumberToObject(entry, "layer", tie->layer);
    ts_json_add_text(entry, "kind", ts_tap_name(tie->tap));
    cJSON_AddNumberToObject(entry, "position", (double)tie->position);
    cJSON_AddNumberToObject(entry, "chosen", tie->chosen);
    add_number(entry, "gap", tie->gap);
}

static void add_ties(cJSON *root, const struct ts_ties *ties)
{
    cJSON *object = cJSON_AddObjectToObject(root, "ties");
    cJSON_AddNumberToObject(object, "choices", (double)ties->count);
    cJSON_AddNumberToObject(object, "positions", (double)ties->positions);
    add_number(object, "before", ties->before);
    if (ties->count > 0) {
        add_tie(object, "widest", &ties->wide);
    }
    if (ties->wrong) {
        add_tie(object, "wrong", &ties->first_wrong);
    }
}

bool ts_print_trace_json(const struct ts_trace *trace, const struct ts_trace_options *options,
                         const struct ts_trace_result *result, struct ts_error *error)
{
    cJSON *root = cJSON_CreateObject();
    ts_json_add_text(root, "trace", trace->gguf->path);
    ts_json_add_text(root, "class", ts_trace_class_name(trace->class));
    cJSON_AddBoolToObject(root, "kv_rounding", trace->kv_rounding);
    ts_json_add_text(root, "device", options->device ? options->device : "reference");
    cJSON_AddNumberToObject(root, "chunk", options->chunk ? options->chunk : 128);
    if (options->noise > 0) {
        char seed[24]; /* JSON numbers hold 53 bits */
        snprintf(seed, sizeof seed, "%" PRIu64, options->seed);
        cJSON_AddNumberToObject(root, "noise", options->noise);
        ts_json_add_text(root, "seed", seed);
        add_logits(root, result);
        return print_json(root, error);
    }
    ts_json_add_text(root, "verdict", result->pass ? "PASS" : "FAIL");
    ts_json_add_text(root, "reason", result->reason);
    ts_json_add_text(root, "bound", result->bound.text);
    cJSON_AddNumberToObject(root, "compared",
                            (double)(result->logit_elements + result->intermediate_elements));
    add_logits(root, result);
    add_ties(root, &result->ties);
    cJSON_AddBoolToObject(root, "intermediates_judged", result->intermediates_judged);
    cJSON *list = cJSON_AddArrayToObject(root, "intermediates");
    for (unsigned i = 0; i < result->count; i++) {
        const struct ts_trace_item *item = &result->items[i];
        cJSON *entry = cJSON_CreateObject();
        cJSON_AddNumberToObject(entry, "layer", item->layer);
        ts_json_add_text(entry, "kind", ts_tap_name(item->tap));
        cJSON_AddNumberToObject(entry, "rows", (double)item->rows);
        cJSON_AddNumberToObject(entry, "compared", (double)item->elements);
        add_number(entry, "worst", item->worst);
        cJSON_AddNumberToObject(entry, "worst_at", (double)item->worst_at);
        cJSON_AddItemToArray(list, entry);
    }
    return print_json(root, error);
}

bool ts_print_bisect(const struct ts_bisect_result *r)
{
    if (!r->found) {
        printf("PASS: %" PRIu64 " operations within their budgets, worst rho %.3g, %" PRIu64
               " elements compared\n",
               r->operations, r->rho, r->compared);
        return true;
    }
    const char *name = ts_op_info(r->op)->name;
    printf("operation  %s, number %" PRIu64 " of the step at position %" PRIu64 "\n", name,
           r->place, r->position);
    printf("tensor     %s\n", r->tensor[0] ? r->tensor : "-");
    printf("kernels    %s\n", r->kernels[0] ? r->kernels : "-");
    printf("wrong      %s\n", r->what);
    printf("FAIL: %s is the first operation outside its budget; %" PRIu64 " before it are within\n",
           name, r->operations);
    return false;
}

void ts_print_far(const struct ts_far_result *r)
{
    printf("KV state    %" PRIu64 " bytes on the device\n", r->kv_bytes);
    printf("layers      worst relative L2 of the streams %.3g, behind layer %u\n",
           r->worst_layer_error, r->worst_layer);
    printf("%s: %" PRIu64 " numbers compared, logits %.3g, bound %g\n", r->pass ? "PASS" : "FAIL",
           r->compared, r->logits, r->bound);
}
