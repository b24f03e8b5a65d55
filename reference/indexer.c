/* Reference of the lightning indexer: scores of compressed rows and their selection (spec 2.9). */
#include "reference/row.h"

struct scores_job {
    const struct ts_index_scores_args *args;
    const struct ts_ref_in *query, *weights, *keys;
    struct ts_ref_out *out;
    struct ts_budget budget;
};

/* query . key, of any width. */
static double score_dot(const struct scores_job *job, uint64_t query, uint64_t key)
{
    double sums[TS_ROW_LANES] = {0}, a[TS_ROW_TILE], b[TS_ROW_TILE];
    uint64_t width = job->args->width;
    ts_row_name(job->query, query, width);
    ts_row_name(job->keys, key, width);
    for (uint64_t at = 0; at < width; at += TS_ROW_TILE) {
        uint64_t count = width - at < TS_ROW_TILE ? width - at : TS_ROW_TILE;
        ts_row_dot_add(ts_row(job->query, query + at, count, a),
                       ts_row(job->keys, key + at, count, b), count, sums);
    }
    return ts_row_dot_total(sums);
}

/* Both roots come from shapes; as float32 they would cost three digits of what is proved here. */
static double scale_of(const struct ts_index_scores_args *a)
{
    return 1 / sqrt((double)a->width * a->heads);
}

static double score(const struct scores_job *job, uint64_t t, uint64_t b)
{
    const struct ts_index_scores_args *a = job->args;
    double sum = 0;
    for (uint64_t h = 0; h < a->heads; h++) {
        uint64_t head = t * a->heads + h;
        double dot = score_dot(job, head * a->width, b * a->width);
        /* Written so that NaN stays NaN. */
        double relu = dot < 0 ? 0 : dot;
        sum += scale_of(a) * ts_ref_real(job->weights, head) * relu;
    }
    return sum;
}

/* S and T (reference/spread.h) of one product, and the error carried into it. */
static double score_magnitude(const struct scores_job *job, uint64_t query, uint64_t key, double *T,
                              double *carried)
{
    struct ts_spread spread;
    double products[TS_SPREAD_PIECE];
    memset(&spread, 0, sizeof spread);
    *carried = 0;
    for (uint64_t at = 0; at < job->args->width; at += TS_SPREAD_PIECE) {
        uint64_t rest = job->args->width - at;
        uint64_t count = rest < TS_SPREAD_PIECE ? rest : TS_SPREAD_PIECE;
        for (uint64_t i = 0; i < count; i++) {
            double q = ts_ref_real(job->query, query + at + i);
            double k = ts_ref_real(job->keys, key + at + i);
            products[i] = q * k;
            *carried += fabs(q) * ts_ref_carried(job->keys, key + at + i) +
                        fabs(k) * ts_ref_carried(job->query, query + at + i);
        }
        ts_spread_add(&spread, products, count);
    }
    *T = ts_spread_largest(&spread);
    return spread.S;
}

/* Each head's product has an error of its own, so they add up as independent ones do: the root of
 * the sum of squares, with the lambda of all outputs. Where relu may clip the error it has a mean and
 * is added in full; where the product is surely negative there is none. */
static double score_bound(const struct scores_job *job, uint64_t t, uint64_t b, double value)
{
    const struct ts_index_scores_args *a = job->args;
    const struct ts_budget *budget = &job->budget;
    double n = a->width, linear = 0, squares = 0, S = 0, p = 0;
    for (uint64_t h = 0; h < a->heads; h++) {
        uint64_t head = t * a->heads + h;
        double T, carried;
        double magnitude = score_magnitude(job, head * a->width, b * a->width, &T, &carried);
        double dot = score_dot(job, head * a->width, b * a->width);
        double error = 2 * budget->u_in * magnitude + carried;
        double all = error + ts_budget_sum(budget, n, magnitude, T);
        double weight = fabs(scale_of(a) * ts_ref_real(job->weights, head));
        if (dot < -all || dot == -INFINITY) {
            continue;
        }
        if (dot > all) {
            linear += weight * magnitude;
            squares += weight * weight * T;
            p += weight * error;
        } else {
            p += weight * all;
        }
        dot = dot > 0 ? dot : 0;
        S += weight * dot;
        p += scale_of(a) * ts_ref_carried(job->weights, head) * dot;
    }
    p += ts_budget_sum(budget, n, linear, squares);
    return ts_budget_error(budget, value, a->heads + 2.0, S, p);
}

static void scores_range(void *context, uint64_t begin, uint64_t end)
{
    const struct scores_job *job = context;
    const struct ts_index_scores_args *a = job->args;
    for (uint64_t i = begin; i < end; i++) {
        uint64_t element = ts_want_at(job->out, i);
        uint64_t t = element / a->rows, b = element % a->rows;
        bool visible = b < ts_row_visible(a->position + t, a->ratio, a->rows);
        double value = visible ? score(job, t, b) : -INFINITY;
        job->out->value[element] = value;
        if (job->out->err) {
            job->out->err[element] = visible ? score_bound(job, t, b, value) : 0;
        }
    }
}

bool ts_ref_index_scores(const void *args, const struct ts_ref_in *in, struct ts_ref_out *out,
                         const struct ts_ref_claim *claim, struct ts_pool *pool,
                         struct ts_error *error)
{
    const struct ts_index_scores_args *a = args;
    if (a->ratio == 0) {
        return ts_fail(error, TS_ERR_INPUT, NULL, "index_scores: blocks of 0 tokens");
    }
    uint64_t elements = (uint64_t)a->tokens * a->rows;
    struct scores_job job = {
        .args = a, .query = &in[0], .weights = &in[1], .keys = &in[2], .out = out};
    if (out->err) {
        job.budget = ts_budget_of(claim, elements);
    }
    ts_pool_run(pool, ts_want_count(out, elements), 4, scores_range, &job);
    return true;
}

/* ---- selection ------------------------------------------------------------------------------ */

/* True if row a goes before row b in the selection: higher score, then lower index; NaN behind every
 * number. */
static bool before(const struct ts_ref_in *scores, uint64_t row, int32_t a, int32_t b)
{
    double x = ts_ref_real(scores, row + (uint64_t)a), y = ts_ref_real(scores, row + (uint64_t)b);
    if (x > y || (isnan(y) && !isnan(x))) {
        return true;
    }
    return (x == y || (isnan(x) && isnan(y))) && a < b;
}

/* Which of two ids stands higher in the heap: the row selected last, or without scores the greatest
 * id. */
static bool above(const struct ts_ref_in *scores, uint64_t row, int32_t a, int32_t b)
{
    return scores ? before(scores, row, b, a) : a > b;
}

/* Sifts heap[at] down. */
static void sift(int32_t *heap, uint64_t count, uint64_t at, const struct ts_ref_in *scores,
                 uint64_t row)
{
    int32_t moving = heap[at];
    for (;;) {
        uint64_t child = 2 * at + 1;
        if (child >= count) {
            break;
        }
        if (child + 1 < count && above(scores, row, heap[child + 1], heap[child])) {
            child++;
        }
        if (!above(scores, row, heap[child], moving)) {
            break;
        }
        heap[at] = heap[child];
        at = child;
    }
    heap[at] = moving;
}

struct top_k_job {
    const struct ts_index_top_k_args *args;
    const struct ts_ref_in *scores;
    struct ts_ref_out *out;
};

/* A heap of the best rows so far, in the output itself, with the worst of them on top: O(visible log
 * selected). Then a heap sort by id. */
static void select_rows(const struct top_k_job *job, uint64_t t, uint64_t visible)
{
    uint64_t selected = job->args->selected, row = t * job->args->rows;
    int32_t *ids = job->out->index + t * selected;
    for (uint64_t i = 0; i < selected; i++) {
        ids[i] = (int32_t)i;
    }
    for (uint64_t at = selected / 2; at-- > 0;) {
        sift(ids, selected, at, job->scores, row);
    }
    for (uint64_t b = selected; b < visible; b++) {
        if (before(job->scores, row, (int32_t)b, ids[0])) {
            ids[0] = (int32_t)b;
            sift(ids, selected, 0, job->scores, row);
        }
    }
    for (uint64_t at = selected / 2; at-- > 0;) {
        sift(ids, selected, at, NULL, 0);
    }
    for (uint64_t count = selected; count-- > 1;) {
        int32_t greatest = ids[0];
        ids[0] = ids[count];
        ids[count] = greatest;
        sift(ids, count, 0, NULL, 0);
    }
}

static uint64_t top_k_visible(const struct ts_index_top_k_args *a, uint64_t t)
{
    return ts_row_visible(a->position + t, a->ratio, a->rows ? a->rows : INT32_MAX);
}

static void top_k_range(void *context, uint64_t begin, uint64_t end)
{
    const struct top_k_job *job = context;
    uint64_t selected = job->args->selected;
    for (uint64_t t = begin; t < end; t++) {
        uint64_t visible = top_k_visible(job->args, t);
        if (!ts_want_any(job->out, t * selected, (t + 1) * selected)) {
            continue;
        }
        if (visible > selected) {
            select_rows(job, t, visible);
            continue;
        }
        for (uint64_t i = 0; i < selected; i++) {
            job->out->index[t * selected + i] = i < visible ? (int32_t)i : -1;
        }
    }
}

bool ts_ref_index_top_k(const void *args, const struct ts_ref_in *in, struct ts_ref_out *out,
                        const struct ts_ref_claim *claim, struct ts_pool *pool,
                        struct ts_error *error)
{
    const struct ts_index_top_k_args *a = args;
    (void)claim;
    if (a->tokens == 0 || a->selected == 0) {
        return true;
    }
    if (a->ratio == 0 || a->rows > INT32_MAX) {
        return ts_fail(error, TS_ERR_INPUT, NULL, "index_top_k: ratio %u, %u rows", a->ratio,
                       a->rows);
    }
    uint64_t visible = top_k_visible(a, a->tokens - 1ull);
    if (visible > a->selected && (a->rows == 0 || !in[0].data)) {
        return ts_fail(error, TS_ERR_INPUT, NULL,
                       "index_top_k: no scores to select %u of %llu visible rows", a->selected,
                       (unsigned long long)visible);
    }
    struct top_k_job job = {.args = a, .scores = &in[0], .out = out};
    ts_pool_run(pool, a->tokens, 1, top_k_range, &job);
    return true;
}
