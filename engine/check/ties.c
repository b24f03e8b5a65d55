#include "engine/check/ties.h"

#include "engine/check/verdict.h"
#include "reference/quant.h"
#include "reference/reference.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* What the device chose, of one kind in one layer. */
struct choices {
    uint64_t width;
    int32_t *ids; /* [tokens, width]; NULL before the first */
};

struct settle {
    const struct ts_model *model;
    const struct ts_trace *trace;
    struct choices *choices; /* [layers][2]: rows, experts */
    uint64_t failed;         /* positions above the bound */
    uint64_t *place;         /* [tokens]: of a failed position among them, else UINT64_MAX */
    double *logits;          /* [failed, vocab] of the device */
    float *row;              /* [vocab] */
    double *distances;       /* [failed] */
    bool proved;             /* the reference itself has the trace's logits there */
    struct ts_ties *ties;
    /* of the last operation on the reference that chooses */
    struct ts_step last;
    struct ts_slice slices[TS_MAX_OPERANDS];
};

static struct choices *choices_of(struct settle *s, const struct ts_tap_event *event)
{
    return &s->choices[2 * event->layer + (event->tap == TS_TAP_router_ids)];
}

static const int32_t *ids_of(const struct ts_tap_event *event, uint64_t row)
{
    return (const int32_t *)ts_slice_contents(event->slice) + row * event->width;
}

static bool record(void *context, const struct ts_tap_event *event, struct ts_error *error)
{
    struct settle *s = context;
    struct choices *c = choices_of(s, event);
    uint64_t tokens = s->trace->tokens;
    if (event->tap != TS_TAP_indexer_topk && event->tap != TS_TAP_router_ids) {
        return true;
    }
    if (!c->ids) {
        c->width = event->width;
        c->ids = calloc(tokens * c->width, sizeof *c->ids);
        if (!c->ids) {
            return ts_fail_memory(error, "a device's choices", tokens * c->width * sizeof *c->ids);
        }
    }
    memcpy(c->ids + event->first * c->width, ids_of(event, 0),
           event->rows * c->width * sizeof *c->ids);
    return true;
}

/* The trace's own numbers must be right where they will not be used. */
static bool prove(void *context, uint64_t position, const double *logits, struct ts_error *error)
{
    struct settle *s = context;
    uint64_t vocab = s->trace->vocab;
    double bound = ts_trace_bound(s->trace->class, TS_F64).worst;
    (void)error;
    if (s->place[position] != UINT64_MAX) {
        double distance = ts_relative_l2(logits, s->trace->logits + position * vocab, vocab);
        s->proved = s->proved && distance <= bound;
    }
    return true;
}

static bool keep(void *context, uint64_t position, const double *logits, struct ts_error *error)
{
    struct settle *s = context;
    uint64_t vocab = s->trace->vocab;
    (void)error;
    if (s->place[position] != UINT64_MAX) {
        memcpy(s->logits + s->place[position] * vocab, logits, vocab * sizeof *logits);
    }
    return true;
}

static bool measure(void *context, uint64_t position, const double *logits, struct ts_error *error)
{
    struct settle *s = context;
    uint64_t vocab = s->trace->vocab, place = s->place[position];
    (void)error;
    for (uint64_t i = 0; i < vocab && place != UINT64_MAX; i++) {
        s->row[i] = (float)logits[i];
    }
    if (place != UINT64_MAX) {
        s->distances[place] = ts_relative_l2(s->logits + place * vocab, s->row, vocab);
    }
    return true;
}

bool ts_ids_contain(const int32_t *ids, uint64_t count, int32_t id)
{
    for (uint64_t i = 0; i < count; i++) {
        if (ids[i] == id) {
            return true;
        }
    }
    return false;
}

bool ts_choice_differs(const double *scores, uint64_t rows, const int32_t *chosen,
                       const int32_t *reference, uint64_t count, int32_t *worst, double *gap)
{
    double cut = INFINITY, largest = 0;
    uint64_t chosen_none = 0, none = 0;
    bool differs = false;
    for (uint64_t i = 0; i < rows; i++) {
        largest = fmax(largest, fabs(scores[i]));
    }
    for (uint64_t i = 0; i < count; i++) {
        chosen_none += chosen[i] == -1;
        none += reference[i] == -1;
        cut = reference[i] == -1 ? cut : fmin(cut, scores[reference[i]]);
    }
    for (uint64_t i = 0; i < count; i++) {
        int32_t id = chosen[i];
        bool known = id >= 0 && (uint64_t)id < rows && !ts_ids_contain(chosen, i, id);
        if (chosen_none == none && (id == -1 || (known && ts_ids_contain(reference, count, id)))) {
            continue;
        }
        double below = known && chosen_none == none ? (cut - scores[id]) / largest : INFINITY;
        if (!differs || !(below <= *gap)) {
            *gap = isnan(below) ? INFINITY : below;
            *worst = id;
        }
        differs = true;
    }
    return differs;
}

/* True where the device's choice may take the place of the reference's. */
static bool is_tie(struct settle *s, const struct ts_tap_event *event, uint64_t row,
                   const double *scores, uint64_t count)
{
    struct choices *c = choices_of(s, event);
    struct ts_tie tie = {.tap = event->tap, .layer = event->layer, .position = event->first + row};
    if (!ts_choice_differs(scores, count, c->ids + tie.position * c->width, ids_of(event, row),
                           event->width, &tie.chosen, &tie.gap)) {
        return false;
    }
    if (!(tie.gap <= TS_TIE_GAP)) {
        s->ties->first_wrong = s->ties->wrong ? s->ties->first_wrong : tie;
        s->ties->wrong = true;
        return false;
    }
    s->ties->wide = s->ties->count == 0 || tie.gap > s->ties->wide.gap ? tie : s->ties->wide;
    s->ties->count++;
    return true;
}

static void take_rows(struct settle *s, const struct ts_tap_event *event, uint64_t row,
                      double *scores)
{
    const struct ts_index_top_k_args *a = (const void *)s->last.args.bytes;
    const struct choices *c = choices_of(s, event);
    uint64_t position = event->first + row, visible = (position + 1) / a->ratio;
    if (a->rows == 0) { /* every visible row is selected: no scores */
        for (uint64_t i = 0; i < visible; i++) {
            scores[i] = 0;
        }
    } else {
        visible = visible < a->rows ? visible : a->rows;
        ts_slice_read(s->slices[0], row * a->rows, visible, scores);
    }
    if (is_tie(s, event, row, scores, visible)) {
        memcpy((int32_t *)ts_slice_contents(event->slice) + row * event->width,
               c->ids + position * c->width, c->width * sizeof *c->ids);
    }
}

/* The device's experts and the weights that they have by the reference's logits. */
static void take_experts(struct settle *s, const struct ts_tap_event *event, uint64_t row,
                         double *scores)
{
    enum { LOGITS, BIAS, IDS, WEIGHTS };
    const struct ts_router_top_k_args *a = (const void *)s->last.args.bytes;
    const struct choices *c = choices_of(s, event);
    const int32_t *ids = c->ids + (event->first + row) * c->width;
    const uint8_t *bias = ts_slice_contents(s->slices[BIAS]);
    const struct ts_ref_in logits = {.data = ts_slice_contents(s->slices[LOGITS]),
                                     .format = s->slices[LOGITS].format};
    double *weights = ts_slice_contents(s->slices[WEIGHTS]); /* the reference stores doubles */
    ts_slice_read(s->slices[LOGITS], row * a->experts, a->experts, scores);
    for (uint64_t e = 0; e < a->experts; e++) {
        double value = 0;
        ts_decode_range(s->slices[BIAS].format, bias, e, 1, &value);
        scores[e] = ts_ref_affinity(scores[e]) + value;
    }
    if (is_tie(s, event, row, scores, a->experts)) {
        memcpy((int32_t *)ts_slice_contents(event->slice) + row * event->width, ids,
               a->used * sizeof *ids);
        ts_ref_route_weights(a, &logits, row, ids, NULL, weights + row * a->used, NULL);
    }
}

static bool follow(void *context, const struct ts_tap_event *event, struct ts_error *error)
{
    struct settle *s = context;
    bool rows = event->tap == TS_TAP_indexer_topk && s->last.op == TS_OP_index_top_k;
    bool experts = event->tap == TS_TAP_router_ids && s->last.op == TS_OP_router_top_k;
    const struct ts_config *config = &s->model->config;
    uint64_t most = s->trace->tokens > config->experts ? s->trace->tokens : config->experts;
    if (!rows && !experts) {
        return true;
    }
    double *scores = malloc(most * sizeof *scores);
    if (!scores) {
        return ts_fail_memory(error, "scores", most * sizeof *scores);
    }
    for (uint64_t row = 0; row < event->rows; row++) {
        (rows ? take_rows : take_experts)(s, event, row, scores);
    }
    free(scores);
    return true;
}

static bool observe(void *context, enum ts_op op, const void *args, const struct ts_slice *slices,
                    struct ts_error *error)
{
    struct settle *s = context;
    const struct ts_op_info *info = ts_op_info(op);
    (void)error;
    if (op == TS_OP_index_top_k || op == TS_OP_router_top_k || op == TS_OP_router_hash) {
        s->last.op = op;
        memcpy(s->last.args.bytes, args, info->args_bytes);
        memcpy(s->slices, slices, info->operand_count * sizeof *slices);
    }
    return true;
}

static bool run(struct settle *s, const struct ts_session_options *options, ts_tap_fn *tap,
                ts_logits_fn *logits, struct ts_error *error)
{
    struct ts_session *session = ts_session_open(s->model, options, error);
    if (!session) {
        return false;
    }
    ts_session_set_tap(session, tap, s);
    ts_session_set_logits_fn(session, logits, s);
    if (tap == follow) {
        ts_device_set_observer(ts_session_device(session), observe, s);
    }
    bool ok = ts_session_feed(session, s->trace->ids, s->trace->tokens, error);
    ts_session_close(session);
    return ok;
}

static bool allocate(struct settle *s, const double *errors, double bound, struct ts_error *error)
{
    uint64_t tokens = s->trace->tokens, vocab = s->trace->vocab;
    s->place = malloc(tokens * sizeof *s->place);
    for (uint64_t p = 0; s->place && p < tokens; p++) {
        s->place[p] = errors[p] <= bound ? UINT64_MAX : s->failed++;
    }
    s->choices = calloc(2 * (uint64_t)s->model->config.layers, sizeof *s->choices);
    s->logits = calloc(s->failed * vocab, sizeof *s->logits);
    s->row = malloc(vocab * sizeof *s->row);
    s->distances = calloc(s->failed, sizeof *s->distances);
    return (s->place && s->choices && s->logits && s->row && s->distances) ||
           ts_fail_memory(error, "logits beyond the bound", s->failed * vocab * sizeof *s->logits);
}

static void release(struct settle *s)
{
    for (uint32_t i = 0; s->choices && i < 2 * s->model->config.layers; i++) {
        free(s->choices[i].ids);
    }
    free(s->choices);
    free(s->place);
    free(s->logits);
    free(s->row);
    free(s->distances);
}

bool ts_ties_settle(const struct ts_model *model, const struct ts_trace *trace,
                    const struct ts_session_options *options, double bound, double *errors,
                    struct ts_ties *ties, struct ts_error *error)
{
    struct settle s = {
        .model = model, .trace = trace, .ties = ties, .proved = true, .last = {.op = TS_OP_COUNT}};
    struct ts_session_options reference = *options;
    reference.device = NULL;
    memset(ties, 0, sizeof *ties);
    bool ok = allocate(&s, errors, bound, error) && run(&s, &reference, NULL, prove, error) &&
              (!s.proved || (run(&s, options, record, keep, error) &&
                             run(&s, &reference, follow, measure, error)));
    for (uint64_t p = 0; ok && ties->count > 0 && !ties->wrong && p < trace->tokens; p++) {
        if (s.place[p] != UINT64_MAX) {
            ties->positions++;
            ties->before = fmax(ties->before, errors[p]);
            errors[p] = s.distances[s.place[p]];
        }
    }
    release(&s);
    return ok;
}
