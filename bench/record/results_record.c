/* One record of runs.jsonl, checked and taken apart. */
#include "bench/record/results_record.h"

#include <cjson/cJSON.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const char *const status_names[] = {"pass", "marginal", "fail", "skip", "error", "timeout"};
static const char *const phase_names[] = {"prefill", "generation"};

const char *ts_status_name(enum ts_result_status status)
{
    return status_names[status];
}

const char *ts_phase_name(enum ts_result_phase phase)
{
    return phase_names[phase];
}

bool ts_result_measured(const struct ts_result *result)
{
    return result->kind == TS_RESULT_SWEEP && result->has_stats && !result->superseded;
}

bool ts_result_drifted(const struct ts_result *result)
{
    return fabs(result->canary_drift) > 0.02; /* false if it was not measured */
}

bool ts_result_doubtful(const struct ts_result *result)
{
    return result->busy || ts_result_drifted(result);
}

bool ts_result_short(const struct ts_results *results, const struct ts_result *result)
{
    return ts_result_measured(result) && result->stats.n < results->planned;
}

/* Where a record stands, for messages. */
struct place {
    const char *path;
    unsigned line;
    struct ts_error *error;
};

static bool damaged(const struct place *at, const char *key, const char *expected)
{
    return ts_fail(at->error, TS_ERR_INPUT, NULL, "%s line %u: \"%s\" must be %s", at->path,
                   at->line, key, expected);
}

static const char *text_of(const cJSON *object, const char *key)
{
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(object, key);
    return cJSON_IsString(item) ? item->valuestring : "";
}

static double number_of(const cJSON *object, const char *key)
{
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(object, key);
    return cJSON_IsNumber(item) && isfinite(item->valuedouble) ? item->valuedouble : NAN;
}

/* A whole number that a double holds exactly. */
static bool whole_of(const struct place *at, const cJSON *object, const char *key, uint64_t least,
                     uint64_t *value)
{
    double number = number_of(object, key);
    if (!(number >= (double)least && number <= 9007199254740992.0) || number != floor(number)) {
        return damaged(at, key, least == 0 ? "a whole number" : "a positive whole number");
    }
    *value = (uint64_t)number;
    return true;
}

/* The index of a text in a table of names; `expected` lists them for the message. */
static bool choice_of(const struct place *at, const cJSON *object, const char *key,
                      const char *const *names, unsigned count, const char *expected,
                      unsigned *index)
{
    const char *text = text_of(object, key);
    for (*index = 0; *index < count; ++*index) {
        if (strcmp(text, names[*index]) == 0) {
            return true;
        }
    }
    return damaged(at, key, expected);
}

static bool read_axes(const struct place *at, struct ts_result *r)
{
    const cJSON *axes = cJSON_GetObjectItemCaseSensitive(r->json, "axes");
    if (!cJSON_IsObject(axes)) {
        return damaged(at, "axes", "an object");
    }
    r->device = text_of(axes, "device");
    r->model = text_of(axes, "model");
    r->quant = text_of(axes, "quant");
    r->against = text_of(axes, "against");
    if (!r->model[0]) {
        return damaged(at, "model", "a text");
    }
    if (r->kind != TS_RESULT_SWEEP) {
        return true;
    }
    unsigned phase = 0;
    if (!choice_of(at, axes, "phase", phase_names, 2, "prefill or generation", &phase) ||
        !whole_of(at, axes, "prompt", 1, &r->prompt) ||
        !whole_of(at, axes, "tokens", 0, &r->tokens)) {
        return false;
    }
    r->phase = (enum ts_result_phase)phase;
    return (!cJSON_HasObjectItem(axes, "depth") || whole_of(at, axes, "depth", 0, &r->depth)) &&
           (!cJSON_HasObjectItem(axes, "chunk") || whole_of(at, axes, "chunk", 0, &r->chunk));
}

/* tokens/s of a duration; the record keeps nanoseconds. */
static double speed(const struct ts_result *r, double ns)
{
    return (double)r->tokens * 1e9 / ns;
}

static bool read_samples(const struct place *at, struct ts_result *r)
{
    const cJSON *list = cJSON_GetObjectItemCaseSensitive(r->json, "samples_ns"), *item;
    int count = cJSON_IsArray(list) ? cJSON_GetArraySize(list) : 0;
    if (count == 0 || r->tokens == 0) {
        return true;
    }
    r->samples = malloc((size_t)count * sizeof *r->samples);
    if (!r->samples) {
        return ts_fail_memory(at->error, "samples", (size_t)count * sizeof *r->samples);
    }
    cJSON_ArrayForEach(item, list)
    {
        if (!cJSON_IsNumber(item) || !isfinite(item->valuedouble) || !(item->valuedouble > 0)) {
            return damaged(at, "samples_ns", "a list of positive numbers");
        }
        r->samples[r->sample_count++] = speed(r, item->valuedouble);
    }
    return true;
}

/* Durations turn into speeds: the slow end of the one is the low end of the other. */
static bool read_stats(const struct place *at, struct ts_result *r)
{
    const cJSON *stats = cJSON_GetObjectItemCaseSensitive(r->json, "stats");
    bool measured = r->status == TS_STATUS_PASS || r->status == TS_STATUS_MARGINAL;
    if (!measured) {
        return !cJSON_IsObject(stats) || damaged(at, "stats", "absent: its status gives no speed");
    }
    if (!cJSON_IsObject(stats)) {
        return damaged(at, "stats", "an object");
    }
    double median = number_of(stats, "tps_median"), ns = number_of(stats, "median");
    double p5 = number_of(stats, "p5"), p95 = number_of(stats, "p95");
    if (r->tokens == 0 || !(ns > 0) || !(p5 > 0) || !(p95 >= p5)) {
        return damaged(at, "stats", "of durations above zero, p5 <= p95, of at least one token");
    }
    r->stats.median = median > 0 ? median : speed(r, ns);
    r->stats.p5 = speed(r, p95);
    r->stats.p95 = speed(r, p5);
    r->stats.stop = text_of(stats, "stop");
    const cJSON *ci = cJSON_GetObjectItemCaseSensitive(stats, "ci95");
    if (cJSON_IsArray(ci)) {
        const cJSON *low = cJSON_GetArrayItem(ci, 0), *high = cJSON_GetArrayItem(ci, 1);
        if (!cJSON_IsNumber(low) || !cJSON_IsNumber(high) || !(low->valuedouble > 0) ||
            !(high->valuedouble >= low->valuedouble) || !isfinite(high->valuedouble)) {
            return damaged(at, "ci95", "null or two durations, the lower first");
        }
        r->stats.has_ci = true;
        r->stats.ci_low = speed(r, high->valuedouble);
        r->stats.ci_high = speed(r, low->valuedouble);
    }
    r->has_stats = true;
    r->stats.low = r->stats.high = r->sample_count > 0 ? r->samples[0] : NAN;
    for (size_t i = 1; i < r->sample_count; i++) {
        r->stats.low = fmin(r->stats.low, r->samples[i]);
        r->stats.high = fmax(r->stats.high, r->samples[i]);
    }
    return whole_of(at, stats, "n", 1, &r->stats.n);
}

static bool read_agreement(const struct place *at, struct ts_result *r)
{
    const cJSON *a = cJSON_GetObjectItemCaseSensitive(r->json, "agreement");
    if (!cJSON_IsObject(a)) {
        /* a comparison that could not be made says so by its status */
        bool made = r->status == TS_STATUS_PASS || r->status == TS_STATUS_MARGINAL;
        return r->kind != TS_RESULT_AGREEMENT || !made || damaged(at, "agreement", "an object");
    }
    r->has_agreement = true;
    r->agreement = (struct ts_result_agreement){
        .rel_l2_worst = number_of(a, "rel_l2_worst"),
        .rel_l2_median = number_of(a, "rel_l2_median"),
        .kl_mean = number_of(a, "kl_mean"),
        .kl_max = number_of(a, "kl_max"),
        .bound = number_of(a, "bound"),
        .top_ten = number_of(a, "top_ten"),
        .noise_rel_l2_median = number_of(a, "noise_rel_l2_median"),
        .noise_kl_mean = number_of(a, "noise_kl_mean"),
        .exact = cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(a, "exact")),
    };
    return r->kind != TS_RESULT_AGREEMENT ||
           (whole_of(at, a, "compared", 0, &r->agreement.compared) &&
            whole_of(at, a, "argmax_equal", 0, &r->agreement.argmax_equal));
}

/* A kernel that was not checked has no numbers, and a status that says so. */
static bool read_kernel(const struct place *at, struct ts_result *r)
{
    const cJSON *axes = cJSON_GetObjectItemCaseSensitive(r->json, "axes");
    const cJSON *a = cJSON_GetObjectItemCaseSensitive(r->json, "agreement");
    struct ts_result_kernel *k = &r->kernel;
    bool checked = r->status == TS_STATUS_PASS || r->status == TS_STATUS_MARGINAL;
    r->device = text_of(axes, "device");
    *k = (struct ts_result_kernel){
        .name = text_of(axes, "kernel"),
        .operation = text_of(axes, "operation"),
        .format = text_of(axes, "format"),
        .beside = text_of(axes, "beside"),
        .worst = text_of(a, "worst"),
        .max_ulp = text_of(a, "max_ulp"),
        .rho = number_of(a, "rho"),
        .nmse = number_of(a, "nmse"),
        .exact = cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(a, "exact")),
        .over_claimed = cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(a, "over_claimed")),
    };
    if (!k->name[0] || !k->operation[0]) {
        return damaged(at, k->name[0] ? "operation" : "kernel", "a text");
    }
    if (!whole_of(at, axes, "version", 0, &k->version)) {
        return false;
    }
    if (!cJSON_IsObject(a)) {
        return !checked || damaged(at, "agreement", "an object");
    }
    if (checked && !(k->rho >= 0)) {
        return damaged(at, "rho", "a number");
    }
    return whole_of(at, a, "compared", checked ? 1 : 0, &k->compared) &&
           whole_of(at, a, "cases", 0, &k->cases);
}

/* The device's own time of all samples as a share of the wall's. */
static double gpu_share(const cJSON *json)
{
    const cJSON *gpu = cJSON_GetObjectItemCaseSensitive(json, "gpu_ns"), *item;
    const cJSON *wall = cJSON_GetObjectItemCaseSensitive(json, "samples_ns");
    double gpu_sum = 0, wall_sum = 0;
    cJSON_ArrayForEach(item, gpu)
    {
        gpu_sum += cJSON_IsNumber(item) ? item->valuedouble : NAN;
    }
    cJSON_ArrayForEach(item, wall)
    {
        wall_sum += cJSON_IsNumber(item) ? item->valuedouble : NAN;
    }
    return gpu_sum > 0 && wall_sum > 0 ? gpu_sum / wall_sum : NAN;
}

static void read_rest(struct ts_result *r)
{
    const cJSON *provenance = cJSON_GetObjectItemCaseSensitive(r->json, "provenance");
    const cJSON *canary = cJSON_GetObjectItemCaseSensitive(r->json, "canary");
    const cJSON *before = cJSON_GetArrayItem(canary, 0), *after = cJSON_GetArrayItem(canary, 1);
    r->id = text_of(r->json, "id");
    r->reason = text_of(r->json, "reason");
    r->temperature = text_of(r->json, "temperature");
    r->provenance.device = text_of(provenance, "device");
    r->provenance.model = text_of(provenance, "model");
    r->provenance.projection =
        cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(provenance, "projection"));
    r->gpu_share = gpu_share(r->json);
    r->ttft = number_of(r->json, "ttft_ns") / 1e9;
    if (!(r->ttft > 0)) {
        r->ttft = NAN;
    }
    r->load = number_of(r->json, "load");
    r->canary_drift = NAN;
    if (cJSON_IsNumber(before) && cJSON_IsNumber(after) && before->valuedouble > 0) {
        r->canary_drift = after->valuedouble / before->valuedouble - 1.0;
    }
}

bool ts_result_read(const char *path, unsigned line, struct cJSON *json, struct ts_result *r,
                    struct ts_error *error)
{
    struct place place = {path, line, error};
    const struct place *at = &place;
    r->json = json;
    r->line = line;
    if (!cJSON_IsObject(r->json)) {
        return ts_fail(at->error, TS_ERR_INPUT, NULL, "%s line %u: not a JSON object", at->path,
                       at->line);
    }
    if (number_of(r->json, "schema") != 1.0) {
        return damaged(at, "schema", "1");
    }
    const char *kind = text_of(r->json, "kind");
    r->kind = strcmp(kind, "sweep") == 0       ? TS_RESULT_SWEEP
              : strcmp(kind, "agreement") == 0 ? TS_RESULT_AGREEMENT
              : strcmp(kind, "kernel") == 0    ? TS_RESULT_KERNEL
                                               : TS_RESULT_OTHER;
    r->device = r->model = r->quant = r->against = r->stats.stop = "";
    unsigned status = 0;
    if (!kind[0]) {
        return damaged(at, "kind", "a text");
    }
    if (!choice_of(at, r->json, "status", status_names, 6,
                   "pass, marginal, fail, skip, error or timeout", &status)) {
        return false;
    }
    r->status = (enum ts_result_status)status;
    read_rest(r);
    if (r->kind == TS_RESULT_OTHER) {
        return true;
    }
    if (r->kind == TS_RESULT_KERNEL) {
        return read_kernel(at, r);
    }
    return read_axes(at, r) && read_agreement(at, r) &&
           (r->kind != TS_RESULT_SWEEP || (read_samples(at, r) && read_stats(at, r)));
}
