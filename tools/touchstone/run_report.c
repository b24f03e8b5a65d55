#include "tools/touchstone/run_report.h"

#include "base/json.h"

#include <cjson/cJSON.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void ts_run_print_summary(const struct ts_run_report *report)
{
    const struct ts_generation *done = &report->done;
    fprintf(stderr, "device %s (%s), ", report->device, report->provenance);
    if (report->kernels > 0) {
        fprintf(stderr, "kernels compiled in %.1f s, ", (double)report->kernels_ns / 1e9);
    }
    fprintf(stderr, "prompt %" PRIu64 " %s, prefill %.2f t/s, ", done->prompt_tokens,
            done->prompt_tokens == 1 ? "token" : "tokens", ts_generation_prefill_speed(done));
    if (done->tokens > 0) {
        fprintf(stderr, "first token %.0f ms, ", (double)done->first_ns / 1e6);
    } else {
        fputs("first token none, ", stderr);
    }
    if (done->tokens > 1) {
        fprintf(stderr, "generation %.2f t/s (%" PRIu64 " %s), ", ts_generation_speed(done),
                done->tokens - 1, done->tokens == 2 ? "token" : "tokens");
    } else {
        fputs("generation none, ", stderr);
    }
    if (report->files > 1) {
        fprintf(stderr, "model split into %u files, ", report->files);
    }
    fprintf(stderr, "memory peak %" PRIu64 " of %" PRIu64 " bytes planned, finish %s\n",
            report->peak, report->plan, ts_finish_name(done->finish));
}

static void print_bytes(struct ts_text text)
{
    for (size_t i = 0; i < text.length; i++) {
        unsigned char byte = (unsigned char)text.data[i];
        if (byte == '"' || byte == '\\') {
            fprintf(stderr, "\\%c", byte);
        } else if (byte < ' ' || byte >= 127) {
            fprintf(stderr, "\\x%02x", byte);
        } else {
            fputc(byte, stderr);
        }
    }
}

void ts_run_print_top(const struct ts_run_report *report)
{
    for (size_t i = 0; i < report->ids.count && report->top > 0; i++) {
        fprintf(stderr, "%zu: %" PRId32 ", likeliest", i, report->ids.data[i]);
        for (size_t j = i * report->top; j < (i + 1) * report->top; j++) {
            int32_t id = report->top_ids.data[j];
            fprintf(stderr, " %" PRId32 " \"", id);
            print_bytes(ts_tokenizer_bytes(report->tokenizer, id));
            fprintf(stderr, "\" %.6f", report->top_logprobs[j]);
        }
        fputc('\n', stderr);
    }
}

/* null for what was not measured, and for -Inf */
static bool add_number(cJSON *object, const char *name, double value, bool known)
{
    return known && isfinite(value) ? cJSON_AddNumberToObject(object, name, value) != NULL
                                    : cJSON_AddNullToObject(object, name) != NULL;
}

static bool add_ids(cJSON *record, const struct ts_run_report *report)
{
    cJSON *ids = cJSON_AddArrayToObject(record, "ids");
    bool ok = ids != NULL;
    for (size_t i = 0; ok && i < report->ids.count; i++) {
        ok = cJSON_AddItemToArray(ids, cJSON_CreateNumber(report->ids.data[i]));
    }
    return ok;
}

static bool add_candidate(cJSON *list, const struct ts_run_report *report, size_t index)
{
    int32_t id = report->top_ids.data[index];
    struct ts_text text = ts_tokenizer_bytes(report->tokenizer, id);
    cJSON *candidate = cJSON_CreateObject();
    return cJSON_AddItemToArray(list, candidate) &&
           cJSON_AddNumberToObject(candidate, "id", id) != NULL &&
           ts_json_add_bytes(candidate, "token", text.data, text.length) &&
           add_number(candidate, "logprob", report->top_logprobs[index], true);
}

static bool add_top(cJSON *record, const struct ts_run_report *report)
{
    cJSON *all = cJSON_AddArrayToObject(record, "top_logprobs");
    bool ok = all != NULL;
    for (size_t i = 0; ok && report->top > 0 && i < report->ids.count; i++) {
        cJSON *list = cJSON_CreateArray();
        ok = cJSON_AddItemToArray(all, list);
        for (size_t j = i * report->top; ok && j < (i + 1) * report->top; j++) {
            ok = add_candidate(list, report, j);
        }
    }
    return ok;
}

static bool add_memory(cJSON *record, const struct ts_run_report *report)
{
    cJSON *memory = cJSON_AddObjectToObject(record, "memory");
    return memory && add_number(memory, "plan", (double)report->plan, true) &&
           add_number(memory, "peak", (double)report->peak, report->peak > 0);
}

static bool fill(cJSON *record, const struct ts_run_report *report)
{
    const struct ts_generation *done = &report->done;
    char seed[24];
    snprintf(seed, sizeof seed, "%" PRIu64, report->seed);
    return ts_json_add_bytes(record, "model", report->model, strlen(report->model)) &&
           ts_json_add_text(record, "device", report->device) &&
           ts_json_add_text(record, "provenance", report->provenance) &&
           ts_json_add_bytes(record, "text", report->text, report->text_length) &&
           add_ids(record, report) &&
           add_number(record, "prompt_tokens", (double)done->prompt_tokens, true) &&
           add_number(record, "generated_tokens", (double)done->tokens, true) &&
           add_number(record, "compile_ms", (double)report->kernels_ns / 1e6,
                      report->kernels > 0) &&
           add_number(record, "prefill_tps", ts_generation_prefill_speed(done),
                      done->prefill_ns > 0) &&
           add_number(record, "ttft_ms", (double)done->first_ns / 1e6, done->tokens > 0) &&
           add_number(record, "generation_tps", ts_generation_speed(done), done->tokens > 1) &&
           add_memory(record, report) &&
           ts_json_add_text(record, "finish_reason", ts_finish_name(done->finish)) &&
           ts_json_add_text(record, "seed", seed) && add_top(record, report);
}

bool ts_run_print_json(const struct ts_run_report *report, struct ts_error *error)
{
    cJSON *record = cJSON_CreateObject();
    char *line = record && fill(record, report) ? cJSON_PrintUnformatted(record) : NULL;
    cJSON_Delete(record);
    if (!line) {
        return ts_fail_memory(error, "the record", report->text_length);
    }
    puts(line);
    cJSON_free(line);
    return true;
}
