#include "bench/record.h"

#include "bench/stats.h"

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
    cJSON_AddStringToObject(object, name, text);
}

static void add_list(cJSON *object, const char *name, const uint64_t *values, uint64_t count)
{
    cJSON *list = cJSON_AddArrayToObject(object, name);
    for (uint64_t i = 0; i < count; i++) {
        cJSON_AddItemToArray(list, cJSON_CreateNumber((double)values[i]));
    }
}

static cJSON *add_axes(cJSON *record, const struct ts_plan *plan, const struct ts_subject *subject)
{
    cJSON *axes = cJSON_AddObjectToObject(record, "axes");
    cJSON_AddStringToObject(axes, "device", plan->device);
    cJSON_AddStringToObject(axes, "model", subject->label);
    cJSON_AddStringToObject(axes, "quant", subject->quant);
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
    cJSON_AddStringToObject(record, "kind", kind);
    cJSON_AddStringToObject(record, "id", "0000000000000000"); /* set when the axes are known */
    cJSON_AddStringToObject(record, "env", env);
    return record;
}

static void add_provenance(cJSON *record, const struct ts_subject *subject)
{
    const struct ts_device *device = ts_session_device(subject->session);
    cJSON *provenance = cJSON_AddObjectToObject(record, "provenance");
    cJSON_AddStringToObject(provenance, "device", ts_device_limits(device)->provenance);
    cJSON_AddStringToObject(provenance, "model", ts_subject_provenance(subject));
    cJSON_AddBoolToObject(provenance, "projection", false);
}

static cJSON *finish(cJSON *record, enum ts_result_status status, const char *reason)
{
    cJSON_AddStringToObject(record, "status", ts_status_name(status));
    if (!cJSON_AddStringToObject(record, "reason", reason)) {
        cJSON_Delete(record);
        return NULL;
    }
    return record;
}

cJSON *ts_record_agreement(const struct ts_plan *plan, const struct ts_subject *subject,
                           const char *env)
{
    const struct ts_agreement *a = &subject->agreement;
    uint32_t format = ts_device_limits(ts_session_device(subject->session))->real_format;
    cJSON *record = start("agreement", env);
    cJSON *axes = add_axes(record, plan, subject);
    add_count(axes, "prompt", ts_plan_agreement(plan));
    add_count(axes, "chunk", plan->chunk);
    set_id(record, "agreement", axes);
    add_provenance(record, subject);
    if (subject->compared) {
        cJSON *agreement = cJSON_AddObjectToObject(record, "agreement");
        add_number(agreement, "rel_l2_worst", a->rel_l2_worst);
        add_number(agreement, "rel_l2_median", a->rel_l2_median);
        add_count(agreement, "argmax_equal", a->argmax_equal);
        add_count(agreement, "compared", a->compared);
        add_number(agreement, "kl_mean", a->kl_mean);
        add_number(agreement, "kl_max", a->kl_max);
        add_number(agreement, "bound", ts_agreement_bound(format));
        cJSON_AddBoolToObject(agreement, "exact", a->exact);
    }
    return finish(record, subject->status, subject->reason);
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
    cJSON_AddStringToObject(stats, "stop", stop_name(stop));
    add_number(stats, "tps_median", (double)tokens * 1e9 / s->median);
}

static void add_work(cJSON *record, const struct ts_device_counters *counters)
{
    cJSON *work = cJSON_AddObjectToObject(record, "work");
    add_big(work, "flops", counters->flops);
    add_big(work, "bytes", counters->bytes);
    add_big(work, "bytes_min", counters->bytes_min);
    cJSON *kernels = cJSON_AddArrayToObject(record, "kernels");
    for (int op = 0; op < TS_OP_COUNT; op++) {
        if (counters->launches[op] > 0) {
            cJSON *kernel = cJSON_CreateObject();
            cJSON_AddStringToObject(kernel, "name", ts_op_info((enum ts_op)op)->name);
            cJSON_AddNumberToObject(kernel, "version", 0); /* 0: the reference operation */
            add_count(kernel, "launches", counters->launches[op]);
            cJSON_AddItemToArray(kernels, kernel);
        }
    }
}

/* Axes and id of one phase of a cell. */
static void add_cell_axes(cJSON *record, const struct ts_sweep *sweep, const struct ts_cell *cell,
                          enum ts_result_phase phase)
{
    const struct ts_plan *plan = sweep->plan;
    cJSON *axes = add_axes(record, plan, &sweep->subjects[cell->subject]);
    cJSON_AddStringToObject(axes, "phase", ts_phase_name(phase));
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
    enum ts_result_status status = ts_cell_status(sweep, cell, phase);
    struct ts_stats stats;
    cJSON *record = start("sweep", env);
    add_cell_axes(record, sweep, cell, phase);
    add_list(record, "samples_ns", series->samples_ns, series->count);
    add_list(record, "order", series->order, series->count);
    if (series->count > 0) {
        add_list(record, "canary", cell->canary, 2);
    }
    if (status == TS_STATUS_PASS && ts_series_stats(series, &stats)) {
        add_stats(record, &stats, ts_cell_tokens(sweep->plan, cell, phase), cell->stop);
    }
    if (series->count > 0) {
        add_work(record, &series->work);
    }
    if (phase == TS_PHASE_PREFILL) {
        add_ttft(record, cell);
    }
    add_provenance(record, subject);
    cJSON_AddStringToObject(record, "temperature", "hot");
    return finish(record, status,
                  subject->status == TS_STATUS_PASS ? cell->reason : subject->reason);
}

cJSON *ts_record_sample(const struct ts_sweep *sweep, const struct ts_cell *cell,
                        enum ts_result_phase phase)
{
    const struct ts_series *series = &cell->series[phase];
    cJSON *record = cJSON_CreateObject();
    cJSON_AddStringToObject(record, "id", "0000000000000000");
    add_cell_axes(record, sweep, cell, phase);
    add_count(record, "order", series->order[series->count - 1]);
    if (!cJSON_AddNumberToObject(record, "ns", (double)series->samples_ns[series->count - 1])) {
        cJSON_Delete(record);
        return NULL;
    }
    return record;
}
