#include "engine/check/trace_run.h"

#include "base/rng.h"
#include "engine/session/session.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const double intermediate_bound = 1e-6;

struct run {
    const struct ts_model *model;
    const struct ts_trace *trace;
    const struct ts_trace_options *options;
    struct ts_trace_result *result;
    struct ts_rng rng;
    double *row;    /* [widest intermediate] */
    double *errors; /* [tokens] of the logits */
    uint64_t compared;
};

static struct ts_trace_item *item_of(struct run *run, uint32_t layer, enum ts_tap tap)
{
    return &run->result->items[layer * TS_TAP_COUNT + (unsigned)tap];
}

/* Selections are sets: every id of each side, -1 apart, must be on the other. */
static bool same_set(const int32_t *a, uint64_t a_count, const int32_t *b, uint64_t b_count)
{
    uint64_t a_ids = 0, b_ids = 0;
    for (uint64_t i = 0; i < a_count; i++) {
        a_ids += a[i] != -1;
        if (a[i] != -1 && !ts_ids_contain(b, b_count, a[i])) {
            return false;
        }
    }
    for (uint64_t i = 0; i < b_count; i++) {
        b_ids += b[i] != -1;
    }
    return a_ids == b_ids;
}

static double compare_row(struct run *run, const struct ts_tap_event *event, uint64_t row,
                          const struct ts_gguf_tensor *tensor, uint64_t column)
{
    const void *golden = ts_gguf_tensor_data(run->trace->gguf, tensor);
    uint64_t width = tensor->shape[0];
    if (ts_tap_is_index(event->tap)) {
        const int32_t *want = (const int32_t *)golden + column * width;
        const int32_t *got = (const int32_t *)ts_slice_contents(event->slice) + row * event->width;
        bool same = event->tap == TS_TAP_indexer_topk
                        ? same_set(got, event->width, want, width)
                        : memcmp(got, want, width * sizeof *want) == 0;
        return same ? 0 : 1;
    }
    ts_slice_read(event->slice, row * event->width, event->width, run->row);
    return ts_relative_l2(run->row, (const float *)golden + column * width, width);
}

static void add_noise(struct run *run, const struct ts_tap_event *event)
{
    for (uint64_t row = 0; row < event->rows; row++) {
        double squares = 0;
        ts_slice_read(event->slice, row * event->width, event->width, run->row);
        for (uint64_t i = 0; i < event->width; i++) {
            squares += run->row[i] * run->row[i];
        }
        double deviation = run->options->noise * sqrt(squares / (double)event->width);
        for (uint64_t i = 0; i < event->width; i++) {
            run->row[i] += deviation * ts_rng_gauss(&run->rng);
        }
        ts_slice_write(event->slice, row * event->width, event->width, run->row);
    }
}

static bool on_tap(void *context, const struct ts_tap_event *event, struct ts_error *error)
{
    struct run *run = context;
    (void)error;
    if (run->options->noise > 0) {
        if (event->tap == TS_TAP_attn_norm || event->tap == TS_TAP_ffn_norm) {
            add_noise(run, event);
        }
        return true;
    }
    const struct ts_gguf_tensor *tensor = ts_trace_find(run->trace, event->layer, event->tap);
    struct ts_trace_item *item = item_of(run, event->layer, event->tap);
    for (uint64_t row = 0; tensor && row < event->rows; row++) {
        uint64_t place = event->first + row, column = place;
        if (!ts_trace_is_rows(event->tap) && !ts_trace_column(run->trace, place, &column)) {
            continue;
        }
        double distance = compare_row(run, event, row, tensor, column);
        if (item->rows == 0 || !(distance <= item->worst)) {
            item->worst = isnan(distance) ? INFINITY : distance;
            item->worst_at = place;
        }
        item->rows++;
        item->elements += tensor->shape[0];
    }
    return true;
}

/* The argmax may differ only where the golden gap is within what the position's error explains. */
static void compare_argmax(struct run *run, const double *logits, const float *golden, double error)
{
    uint64_t vocab = run->trace->vocab, best = 0, first = 0;
    double squares = 0, second = -INFINITY;
    for (uint64_t i = 0; i < vocab; i++) {
        best = logits[i] > logits[best] ? i : best;
        first = golden[i] > golden[first] ? i : first;
        squares += logits[i] * logits[i];
    }
    for (uint64_t i = 0; i < vocab; i++) {
        second = i != first && (double)golden[i] > second ? (double)golden[i] : second;
    }
    double gap = (double)golden[first] - second;
    run->result->logits.argmax_equal += best == first;
    run->result->logits.argmax_wrong +=
        best != first && gap > 4 * error * sqrt(squares / (double)vocab);
}

static bool on_logits(void *context, uint64_t position, const double *logits,
                      struct ts_error *error)
{
    struct run *run = context;
    const float *golden = run->trace->logits + position * run->trace->vocab;
    (void)error;
    run->errors[position] = ts_relative_l2(logits, golden, run->trace->vocab);
    compare_argmax(run, logits, golden, run->errors[position]);
    run->compared++;
    return true;
}

static struct ts_session_options session_options(const struct run *run)
{
    const struct ts_trace_options *o = run->options;
    return (struct ts_session_options){.device = o->device,
                                       .threads = o->threads,
                                       .unfused = o->unfused,
                                       .context = run->trace->tokens,
                                       .chunk = o->chunk,
                                       .every_logit = true,
                                       .kv_rounding_off = !run->trace->kv_rounding};
}

static bool feed(struct run *run, struct ts_error *error)
{
    const struct ts_trace_options *o = run->options;
    struct ts_session_options options = session_options(run);
    struct ts_session *session = ts_session_open(run->model, &options, error);
    if (!session) {
        return false;
    }
    if (o->noise > 0 || run->trace->intermediates) {
        ts_session_set_tap(session, on_tap, run);
    }
    ts_session_set_logits_fn(session, on_logits, run);
    run->result->real_format = ts_device_limits(ts_session_device(session))->real_format;
    ts_session_set_stop_fn(session, run->options->stop_fn, run->options->stop_context);
    bool ok = ts_session_feed(session, run->trace->ids, run->trace->tokens, error);
    ts_session_close(session);
    return ok;
}

/* Drops the intermediates that the model does not have, and judges the rest. */
static void judge(struct run *run)
{
    struct ts_trace_result *r = run->result;
    unsigned kept = 0;
    const struct ts_trace_item *bad = NULL;
    for (unsigned i = 0; i < r->count; i++) {
        struct ts_trace_item item = r->items[i];
        const struct ts_gguf_tensor *tensor = ts_trace_find(run->trace, item.layer, item.tap);
        if (!tensor) {
            continue;
        }
        item.expected = tensor->shape[1];
        r->items[kept] = item;
        r->intermediate_elements += item.elements;
        r->intermediate_worst = fmax(r->intermediate_worst, item.worst);
        if ((item.rows != item.expected || !(item.worst <= intermediate_bound)) && !bad) {
            bad = &r->items[kept];
        }
        kept++;
    }
    r->count = kept;
    r->intermediates_judged = r->real_format == TS_F64 && run->options->noise == 0;
    r->pass = ts_logits_pass(&r->logits, &r->bound);
    if (r->logits.compared == 0) {
        snprintf(r->reason, sizeof r->reason, "nothing was compared");
    } else if (r->intermediates_judged && bad && bad->rows != bad->expected) {
        r->pass = false;
        snprintf(r->reason, sizeof r->reason, "blk.%u.%s: %llu of %llu rows were compared",
                 bad->layer, ts_tap_name(bad->tap), (unsigned long long)bad->rows,
                 (unsigned long long)bad->expected);
    } else if (r->intermediates_judged && bad) {
        r->pass = false;
        snprintf(r->reason, sizeof r->reason, "blk.%u.%s is off by %.3g at %s %llu, bound %g",
                 bad->layer, ts_tap_name(bad->tap), bad->worst,
                 ts_trace_is_rows(bad->tap) ? "row" : "position", (unsigned long long)bad->worst_at,
                 intermediate_bound);
    } else if (!r->pass && r->logits.argmax_wrong > 0) {
        snprintf(r->reason, sizeof r->reason, "%llu argmax differ by more than the errors explain",
                 (unsigned long long)r->logits.argmax_wrong);
    } else if (!r->pass && r->ties.wrong) {
        const struct ts_tie *wrong = &r->ties.first_wrong;
        snprintf(r->reason, sizeof r->reason,
                 "logits: worst %.3g; blk.%u.%s chooses %d at position %llu, %.3g below the cut",
                 r->logits.worst, wrong->layer, ts_tap_name(wrong->tap), (int)wrong->chosen,
                 (unsigned long long)wrong->position, wrong->gap);
    } else if (!r->pass) {
        snprintf(r->reason, sizeof r->reason, "logits: worst %.3g, median %.3g; bound: %s",
                 r->logits.worst, r->logits.median, r->bound.text);
    }
}

/* The bound, and the summary of the errors, with those of ties settled. */
static bool settle(struct run *run, struct ts_error *error)
{
    struct ts_trace_result *r = run->result;
    struct ts_session_options options = session_options(run);
    r->bound = ts_trace_bound(run->trace->class, r->real_format);
    if (!ts_logits_summarise(run->errors, run->compared, &r->logits, error)) {
        return false;
    }
    if (run->options->noise > 0 || r->real_format == TS_F64 || !r->bound.every ||
        ts_logits_pass(&r->logits, &r->bound)) {
        return true;
    }
    return ts_ties_settle(run->model, run->trace, &options, r->bound.worst, run->errors, &r->ties,
                          error) &&
           ts_logits_summarise(run->errors, run->compared, &r->logits, error);
}

static uint64_t widest(const struct ts_config *c)
{
    uint64_t heads = (uint64_t)c->heads * c->head_width, streams = (uint64_t)c->streams * c->width;
    return heads > streams ? heads : streams;
}

bool ts_trace_run(const struct ts_model *model, const struct ts_trace *trace,
                  const struct ts_trace_options *options, struct ts_trace_result *result,
                  struct ts_error *error)
{
    struct run run = {.model = model, .trace = trace, .options = options, .result = result};
    memset(result, 0, sizeof *result);
    result->count = model->config.layers * TS_TAP_COUNT;
    result->items = calloc(result->count, sizeof *result->items);
    run.row = calloc(widest(&model->config), sizeof *run.row);
    run.errors = calloc(trace->tokens, sizeof *run.errors);
    bool ok = result->items && run.row && run.errors;
    if (!ok) {
        ts_fail_memory(error, "a comparison", trace->tokens * sizeof *run.errors);
    }
    for (unsigned i = 0; ok && i < result->count; i++) {
        result->items[i].layer = i / TS_TAP_COUNT;
        result->items[i].tap = (enum ts_tap)(i % TS_TAP_COUNT);
    }
    ts_rng_seed(&run.rng, options->seed);
    ok = ok && feed(&run, error) && settle(&run, error);
    if (ok) {
        result->logit_elements = run.compared * trace->vocab;
        judge(&run);
    }
    free(run.row);
    free(run.errors);
    if (!ok) {
        ts_trace_result_free(result);
    }
    return ok;
}

void ts_trace_result_free(struct ts_trace_result *result)
{
    free(result->items);
    result->items = NULL;
    result->count = 0;
}
