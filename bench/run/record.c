#include "bench/run/record.h"

#include "base/json.h"

#include "bench/record/stats.h"

#include <cjson/cJSON.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Numbers that JSON cannot hold are null. */
static void add_number(cJSON *object, const char *name, double value)
{
    if (isfinite(value)) {
        cJSON_AddNumberToObject(object, name, value);
    } else {
        cJSON_AddNullToObject(object, name);
    }
}

static void add_count(cJSON *object, const char *name, uint64_t value)
{
    cJSON_AddNumberToObject(object, name, (double)value);
}

static void add_big(cJSON *object, const char *name, uint64_t value)
{
    char text[24];
    snprintf(text, sizeof text, "%" PRIu64, value);
    ts_json_add_text(object, name, text);
}

static void add_list(cJSON *object, const char *name, const uint64_t *values, uint64_t count)
{
    cJSON *list = cJSON_AddArrayToObject(object, name);
    for (uint64_t i = 0; i < count; i++) {
        cJSON_AddItemToArray(list, cJSON_CreateNumber((double)values[i]));
    }
}

static cJSON *add_axes(cJSON *record, const struct ts_subject *subject)
{
    cJSON *axes = cJSON_AddObjectToObject(record, "axes");
    ts_json_add_text(axes, "device", subject->device);
    ts_json_add_text(axes, "model", subject->label);
    ts_json_add_text(axes, "quant", subject->quant);
    return axes;
}

/* The id of a record: equal for the same question asked again. */
static void set_id(cJSON *record, const char *kind, const cJSON *axes)
{
    char *text = cJSON_PrintUnformatted(axes);
    size_t size = text ? strlen(kind) + strlen(text) + 1 : 0;
    char *both = size ? malloc(size) : NULL;
    if (both) {
        char id[TS_HASH_TEXT];
        snprintf(both, size, "%s%s", kind, text);
        ts_hash_bytes(both, size - 1, id);
        cJSON_SetValuestring(cJSON_GetObjectItemCaseSensitive(record, "id"), id);
    }
    free(both);
    cJSON_free(text);
}

static cJSON *start(const char *kind, const char *env)
{
    cJSON *record = cJSON_CreateObject();
    cJSON_AddNumberToObject(record, "schema", 1);
    ts_json_add_text(record, "kind", kind);
    ts_json_add_text(record, "id", "0000000000000000"); /* set when the axes are known */
    ts_json_add_text(record, "env", env);
    return record;
}

static void add_provenance(cJSON *record, const struct ts_subject *subject)
{
    cJSON *provenance = cJSON_AddObjectToObject(record, "provenance");
    ts_json_add_text(provenance, "device", subject->provenance);
    ts_json_add_text(provenance, "model", ts_subject_provenance(subject));
    cJSON_AddBoolToObject(provenance, "projection", false);
}

static cJSON *finish(cJSON *record, enum ts_result_status status, const char *reason)
{
    ts_json_add_text(record, "status", ts_status_name(status));
    if (!ts_json_add_text(record, "reason", reason)) {
        cJSON_Delete(record);
        return NULL;
    }
    return record;
}

/* The beginning of both records of agreement. against: NULL for a model's own two passes. */
static cJSON *start_agreement(const struct ts_plan *plan, const struct ts_subject *subject,
                              const char *against, const char *env)
{
    cJSON *record = start("agreement", env);
    cJSON *axes = add_axes(record, subject);
    if (against) {
        ts_json_add_text(axes, "against", against);
    }
    add_count(axes, "prompt", ts_plan_agreement(plan, ts_subject_software(subject)));
    add_count(axes, "chunk", plan->chunk);
    set_id(record, "agreement", axes);
    add_provenance(record, subject);
    return record;
}

static cJSON *add_agreement(cJSON *record, const struct ts_agreement *a, uint32_t real_format)
{
    cJSON *agreement = cJSON_AddObjectToObject(record, "agreement");
    add_number(agreement, "rel_l2_worst", a->rel_l2_worst);
    add_number(agreement, "rel_l2_median", a->rel_l2_median);
    add_count(agreement, "argmax_equal", a->argmax_equal);
    add_number(agreement, "top_ten", a->top_ten);
    add_count(agreement, "compared", a->compared);
    add_number(agreement, "kl_mean", a->kl_mean);
    add_number(agreement, "kl_max", a->kl_max);
    add_number(agreement, "bound", ts_agreement_bound(real_format));
    cJSON_AddBoolToObject(agreement, "exact", a->exact);
    return agreement;
}

cJSON *ts_record_agreement(const struct ts_plan *plan, const struct ts_subject *subject,
                           const char *env)
{
    cJSON *record = start_agreement(plan, subject, NULL, env);
    if (subject->compared) {
        add_agreement(record, &subject->agreement, subject->real_format);
    }
    return finish(record, subject->status, subject->reason);
}

cJSON *ts_record_crossed(const struct ts_plan *plan, const struct ts_subject *subject,
                         const char *env)
{
    cJSON *record = start_agreement(plan, subject, subject->against, env);
    cJSON *agreement = add_agreement(record, &subject->crossed, subject->real_format);
    /* how far the device's own two passes differ, which add the same sums in other orders */
    add_number(agreement, "noise_rel_l2_median", subject->agreement.rel_l2_median);
    add_number(agreement, "noise_kl_mean", subject->agreement.kl_mean);
    return finish(record, subject->crossed_reason[0] ? TS_STATUS_FAIL : TS_STATUS_PASS,
                  subject->crossed_reason);
}

/* The format axis of a kernel; "" where it has none. */
static const char *format_name(uint32_t format)
{
    return format == TS_ANY_FORMAT ? "" : ts_format_name(format);
}

static void add_kernel_axes(cJSON *record, const struct ts_subject *subject,
                            const struct ts_kernel *kernel)
{
    cJSON *axes = cJSON_AddObjectToObject(record, "axes");
    uint32_t last = kernel->formats[kernel->format_count - 1];
    ts_json_add_text(axes, "device", subject->device);
    ts_json_add_text(axes, "kernel", kernel->function);
    ts_json_add_text(axes, "operation", ts_op_info(kernel->op)->name);
    cJSON_AddNumberToObject(axes, "version", kernel->version);
    ts_json_add_text(axes, "format", format_name(kernel->formats[0]));
    /* of further weights, where it is another one */
    ts_json_add_text(axes, "beside", last == kernel->formats[0] ? "" : format_name(last));
    set_id(record, "kernel", axes);
}

cJSON *ts_record_kernel(const struct ts_plan *plan, const struct ts_subject *subject,
                        const struct ts_kernel *kernel, const struct ts_kernel_result *result,
                        const char *unchecked, const char *env)
{
    cJSON *record = start("kernel", env);
    add_kernel_axes(record, subject, kernel);
    cJSON *provenance = cJSON_AddObjectToObject(record, "provenance");
    ts_json_add_text(provenance, "device", subject->provenance);
    if (!result) {
        return finish(record, TS_STATUS_SKIP, unchecked);
    }
    const struct ts_kernel_score *score = &result->score;
    cJSON *agreement = cJSON_AddObjectToObject(record, "agreement");
    ts_json_add_text(agreement, "verdict", ts_kernel_verdict_name(result->verdict));
    add_number(agreement, "rho", score->rho);
    ts_json_add_text(agreement, "worst", score->worst);
    add_number(agreement, "recorded", result->recorded > 0 ? result->recorded : NAN);
    add_number(agreement, "nmse", result->nmse);
    add_big(agreement, "max_ulp", score->max_ulp);
    cJSON_AddBoolToObject(agreement, "exact", result->verdict == TS_KERNEL_EXACT);
    cJSON_AddBoolToObject(agreement, "over_claimed", result->over_claimed);
    add_count(agreement, "compared", score->compared);
    add_count(agreement, "cases", result->cases);
    add_number(agreement, "seconds", result->seconds);
    add_big(agreement, "seed", plan->seed);
    bool right = result->verdict == TS_KERNEL_EXACT || result->verdict == TS_KERNEL_PASS;
    return finish(record, ts_kernel_result_status(result),
                  right               ? ""
                  : result->reason[0] ? result->reason
                                      : score->worst);
}

static const char *stop_name(enum ts_cell_stop stop)
{
    static const char *const names[] = {"reps", "time", "interrupted"};
    return names[stop];
}

bool ts_series_stats(const struct ts_series *series, struct ts_stats *stats)
{
    double *values = series->count ? malloc(series->count * sizeof *values) : NULL;
    for (uint64_t i = 0; values && i < series->count; i++) {
        values[i] = (double)series->samples_ns[i];
    }
    bool ok = values && ts_stats_of(values, series->count, stats, NULL);
    free(values);
    return ok;
}

static void add_stats(cJSON *record, const struct ts_stats *s, uint64_t tokens,
                      enum ts_cell_stop stop)
{
    cJSON *stats = cJSON_AddObjectToObject(record, "stats");
    add_number(stats, "median", s->median);
    if (s->has_ci) {
        cJSON_AddItemToObject(stats, "ci95", cJSON_CreateDoubleArray(s->ci, 2));
    } else {
        cJSON_AddNullToObject(stats, "ci95");
    }
    add_number(stats, "p5", s->p5);
    add_number(stats, "p95", s->p95);
    add_number(stats, "mad", s->mad);
    add_count(stats, "n", s->n);
    ts_json_add_text(stats, "stop", stop_name(stop));
    add_number(stats, "tps_median", (double)tokens * 1e9 / s->median);
}

static void add_kernel(cJSON *kernels, const char *name, unsigned version, uint64_t launches)
{
    cJSON *kernel = launches > 0 ? cJSON_CreateObject() : NULL;
    if (kernel) {
        ts_json_add_text(kernel, "name", name);
        cJSON_AddNumberToObject(kernel, "version", version);
        add_count(kernel, "launches", launches);
        cJSON_AddItemToArray(kernels, kernel);
    }
}

/* Kernels by their function; of a device without kernels its operations, as version 0. */
static void add_work(cJSON *record, const struct ts_device_counters *counters, bool has_kernels)
{
    cJSON *work = cJSON_AddObjectToObject(record, "work");
    add_big(work, "flops", counters->flops);
    add_big(work, "bytes", counters->bytes);
    add_big(work, "bytes_min", counters->bytes_min);
    cJSON *kernels = cJSON_AddArrayToObject(record, "kernels");
    for (unsigned i = 0; has_kernels && i < TS_KERNEL_COUNT; i++) {
        const struct ts_kernel *kernel = ts_kernel_at(i);
        add_kernel(kernels, kernel->function, kernel->version, counters->kernel_launches[i]);
    }
    for (int op = 0; !has_kernels && op < TS_OP_COUNT; op++) {
        add_kernel(kernels, ts_op_info((enum ts_op)op)->name, 0, counters->launches[op]);
    }
}

/* Axes and id of one phase of a cell. */
static void add_cell_axes(cJSON *record, const struct ts_sweep *sweep, const struct ts_cell *cell,
                          enum ts_result_phase phase)
{
    const struct ts_plan *plan = sweep->plan;
    cJSON *axes = add_axes(record, &sweep->subjects[cell->subject]);
    ts_json_add_text(axes, "phase", ts_phase_name(phase));
    add_count(axes, "prompt", cell->prompt);
    add_count(axes, "depth", phase == TS_PHASE_PREFILL ? 0 : cell->prompt + 1);
    add_count(axes, "tokens", ts_cell_tokens(plan, cell, phase));
    add_count(axes, "chunk", plan->chunk);
    set_id(record, "sweep", axes);
}

static void add_ttft(cJSON *record, const struct ts_cell *cell)
{
    struct ts_series series = {.samples_ns = cell->ttft_ns, .count = cell->ttft_count};
    struct ts_stats stats;
    if (ts_series_stats(&series, &stats)) {
        add_number(record, "ttft_ns", stats.median);
    } else {
        cJSON_AddNullToObject(record, "ttft_ns");
    }
}

cJSON *ts_record_sweep(const struct ts_sweep *sweep, const struct ts_cell *cell,
                       enum ts_result_phase phase, const char *env)
{
    const struct ts_series *series = &cell->series[phase];
    const struct ts_subject *subject = &sweep->subjects[cell->subject];
    char reason[TS_REASON];
    enum ts_result_status status = ts_cell_status(sweep, cell, phase, reason);
    /* samples of what failed half way stay; a speed that a wrong kernel had part in does not */
    bool withheld = !cell->failed && series->count > 0 && status != TS_STATUS_PASS &&
                    status != TS_STATUS_MARGINAL;
    uint64_t shown = withheld ? 0 : series->count;
    struct ts_stats stats;
    cJSON *record = start("sweep", env);
    add_cell_axes(record, sweep, cell, phase);
    add_list(record, "samples_ns", series->samples_ns, shown);
    add_list(record, "order", series->order, shown);
    if (ts_subject_has_kernels(subject)) {
        add_list(record, "gpu_ns", series->gpu_ns, shown);
    }
    if (series->count > 0) {
        add_list(record, "canary", cell->canary, 2);
        add_number(record, "load", cell->load);
    }
    if ((status == TS_STATUS_PASS || status == TS_STATUS_MARGINAL) &&
        ts_series_stats(series, &stats)) {
        add_stats(record, &stats, ts_cell_tokens(sweep->plan, cell, phase), cell->stop);
    }
    if (series->count > 0) {
        add_work(record, &series->work, ts_subject_has_kernels(subject));
    }
    if (phase == TS_PHASE_PREFILL && withheld) {
        cJSON_AddNullToObject(record, "ttft_ns");
    } else if (phase == TS_PHASE_PREFILL) {
        add_ttft(record, cell);
    }
    add_provenance(record, subject);
    ts_json_add_text(record, "temperature", "hot");
    return finish(record, status, reason);
}

cJSON *ts_record_sample(const struct ts_sweep *sweep, const struct ts_cell *cell,
                        enum ts_result_phase phase)
{
    const struct ts_series *series = &cell->series[phase];
    cJSON *record = cJSON_CreateObject();
    ts_json_add_text(record, "id", "0000000000000000");
    add_cell_axes(record, sweep, cell, phase);
    add_count(record, "order", series->order[series->count - 1]);
    if (!cJSON_AddNumberToObject(record, "ns", (double)series->samples_ns[series->count - 1])) {
        cJSON_Delete(record);
        return NULL;
    }
    return record;
}
