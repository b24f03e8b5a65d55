/* Reference of attention over window, compressed rows and sink (spec 2.10). */
#include "reference/row.h"

/* The widest row: query, result and a converted row stand on the stack. Rows handled at a time. */
enum { MAX_WIDTH = 1024, BLOCK = 32, RUN = 16 };

struct attention_job {
    const struct ts_attention_args *args;
    const struct ts_ref_in *q, *kv, *ring, *rows, *ids, *sink;
    struct ts_ref_out *out;
    struct ts_budget budget;
};

/* A row of K. */
struct key_row {
    const struct ts_ref_in *in;
    uint64_t first; /* element */
};

/* What token t may see: window rows, and candidates among the compressed rows. */
struct span {
    uint64_t first; /* position of the window's first row */
    uint64_t window, compressed;
};

static struct span span_of(const struct attention_job *job, uint64_t t)
{
    const struct ts_attention_args *a = job->args;
    uint64_t position = a->position + t;
    struct span span = {.window = position < a->window ? position + 1 : a->window};
    span.first = position + 1 - span.window;
    if (a->ratio) {
        uint64_t visible = ts_row_visible(position, a->ratio, a->rows);
        span.compressed = a->selected ? a->selected : visible;
    }
    return span;
}

/* Key i of token t: the window by position, then the compressed rows, so that the order of summation
 * does not depend on where a row lies. False where ids holds none. */
static bool key_at(const struct attention_job *job, uint64_t t, const struct span *span, uint64_t i,
                   struct key_row *key)
{
    const struct ts_attention_args *a = job->args;
    if (i < span->window) {
        uint64_t position = span->first + i;
        bool here = position >= a->position;
        key->in = here ? job->kv : job->ring;
        key->first = (here ? position - a->position : position % a->window) * a->width;
        return true;
    }
    uint64_t row = i - span->window;
    if (a->selected) {
        int32_t id = ts_row_index(job->ids, t * a->selected + row);
        if (id < 0) {
            return false;
        }
        row = (uint64_t)id;
    }
    key->in = job->rows;
    key->first = row * a->width;
    return true;
}

/* ---- budget --------------------------------------------------------------------------------- */

/* What the errors of the weights do to each channel: see bound_head. */
struct head_bound {
    double linear[MAX_WIDTH], squares[MAX_WIDTH]; /* by the errors of q . K */
    double p[MAX_WIDTH];                          /* by all others, and what is carried in */
    double S[MAX_WIDTH];                          /* sum of share * |K| */
    /* Sums of squares: of share * K, and of its sums over RUN keys, of which run is the last. */
    double terms[MAX_WIDTH], runs[MAX_WIDTH], run[MAX_WIDTH];
};

/* A logit, S and the root of T of its product (reference/spread.h), and the error that is not its
 * accumulation's: that of the inputs. */
struct logit {
    double value, S, root, error;
};

static struct logit logit_of(const struct attention_job *job, uint64_t q, const struct key_row *key)
{
    double scale = 1 / sqrt((double)job->args->width), value = 0, carried = 0;
    double products[TS_SPREAD_PIECE];
    struct ts_spread spread;
    memset(&spread, 0, sizeof spread);
    for (uint64_t at = 0; at < job->args->width; at += TS_SPREAD_PIECE) {
        uint64_t rest = job->args->width - at;
        uint64_t count = rest < TS_SPREAD_PIECE ? rest : TS_SPREAD_PIECE;
        for (uint64_t c = 0; c < count; c++) {
            uint64_t from = q + at + c, row = key->first + at + c;
            double x = ts_ref_real(job->q, from), k = ts_ref_real(key->in, row);
            products[c] = x * k;
            value += x * k;
            carried +=
                fabs(x) * ts_ref_carried(key->in, row) + fabs(k) * ts_ref_carried(job->q, from);
        }
        ts_spread_add(&spread, products, count);
    }
    return (struct logit){.value = value * scale,
                          .S = scale * spread.S,
                          .root = scale * sqrt(ts_spread_largest(&spread)),
                          .error = scale * (2 * job->budget.u_in * spread.S + carried)};
}

/* One key, of weight exp(logit - max) / sum. Half of precision also means weights that are stored as
 * half, of which the small ones are lost. */
static void bound_key(const struct attention_job *job, struct head_bound *bound, const double *o,
                      const struct key_row *key, const struct logit *logit, double max, double sum,
                      uint64_t number)
{
    const struct ts_budget *b = &job->budget;
    double below = logit->value - max, share = exp(below) / sum;
    if (below == -INFINITY) { /* no weight, whatever the errors */
        return;
    }
    double flush = b->u_in >= 0x1p-11 || b->u_acc >= 0x1p-11 ? 0x1p-25 : 0x1p-126;
    double weight = logit->error + b->u_acc * (fabs(logit->value) + fabs(below)) +
                    2 * ts_bound_exp(below, b->u_acc);
    for (uint64_t c = 0; c < job->args->width; c++) {
        double k = ts_ref_real(key->in, key->first + c);
        double lever = share * fabs(k - o[c]), random = lever * logit->root;
        bound->linear[c] += lever * logit->S;
        bound->squares[c] += random * random;
        bound->p[c] +=
            lever * weight + share * ts_ref_carried(key->in, key->first + c) + flush * fabs(k);
        bound->S[c] += share * fabs(k);
        bound->terms[c] += share * k * share * k;
        bound->run[c] += share * k;
        if ((number + 1) % RUN == 0) {
            bound->runs[c] += bound->run[c] * bound->run[c];
            bound->run[c] = 0;
        }
    }
}

/* A relative error w of a key's weight moves the result by w * share * (K - result). An error of a
 * logit is one of its weight. Those of the products q . K are independent from key to key, so they
 * add up as the root of the sum of squares, with the lambda of all outputs; those of inputs and
 * functions are added in full (exp twice, for kernels that rescale as they go). Then the sums above
 * and below, and the division. The design has a twin for softmax; but where two keys share the
 * weight, a twin has one random error, and a correct kernel another that is often more than twice
 * as large. */
static void bound_head(const struct attention_job *job, uint64_t t, uint64_t h, double max,
                       double sum)
{
    const struct ts_attention_args *a = job->args;
    const struct ts_budget *b = &job->budget;
    struct span span = span_of(job, t);
    uint64_t first = (t * a->heads + h) * a->width, keys = 0;
    const double *o = job->out->value + first;
    struct head_bound bound;
    memset(&bound, 0, sizeof bound);
    for (uint64_t i = 0; i < span.window + span.compressed; i++) {
        struct key_row key;
        if (key_at(job, t, &span, i, &key)) {
            struct logit logit = logit_of(job, first, &key);
            bound_key(job, &bound, o, &key, &logit, max, sum, keys);
            keys++;
        }
    }
    double sink = ts_row_weight(job->sink, h), width = a->width, n = (double)keys + 1;
    double sink_error = 0;
    if (sink > -INFINITY) {
        sink_error = exp(sink - max) / sum *
                     (b->u_acc * fabs(sink - max) + 2 * ts_bound_exp(sink - max, b->u_acc));
    }
    for (uint64_t c = 0; c < a->width; c++) {
        double T =
            fmax(fmax(bound.terms[c], o[c] * o[c]), bound.runs[c] + bound.run[c] * bound.run[c]);
        double p = ts_budget_sum(b, width, bound.linear[c], bound.squares[c]) + bound.p[c] +
                   ts_budget_sum(b, n, bound.S[c], T) + b->u_in * bound.S[c] +
                   fabs(o[c]) * (sink_error + ts_budget_chain(b, n) + ts_bound_divide(b->u_acc));
        job->out->err[first + c] = ts_budget_error(b, o[c], n, 0, p);
    }
}

/* ---- value ---------------------------------------------------------------------------------- */

/* Softmax so far: everything is relative to exp(max). */
struct online {
    double max, sum;
    double weighted[MAX_WIDTH];
};

TS_UNWATCHED static void add_row(double *sums, double weight, const double *row, uint64_t width)
{
    for (uint64_t c = 0; c < width; c++) {
        sums[c] += weight * row[c];
    }
}

static void add_block(const struct attention_job *job, struct online *o, const struct key_row *keys,
                      const double *logits, unsigned count)
{
    uint64_t width = job->args->width;
    double scratch[MAX_WIDTH], max = o->max;
    for (unsigned i = 0; i < count; i++) {
        max = logits[i] > max ? logits[i] : max;
    }
    if (max > o->max) {
        double factor = exp(o->max - max);
        o->sum *= factor;
        for (uint64_t c = 0; c < width; c++) {
            o->weighted[c] *= factor;
        }
        o->max = max;
    }
    for (unsigned i = 0; i < count; i++) {
        const double *row = ts_row(keys[i].in, keys[i].first, width, scratch);
        double weight = exp(logits[i] - max);
        o->sum += weight;
        add_row(o->weighted, weight, row, width);
    }
}

/* Rows are taken BLOCK at a time, their logits first, so that the running maximum is raised seldom.
 * The sink takes part in maximum and sum, not in the weighted rows. */
static void attend(const struct attention_job *job, uint64_t t, uint64_t h)
{
    const struct ts_attention_args *a = job->args;
    struct span span = span_of(job, t);
    uint64_t first = (t * a->heads + h) * a->width, total = span.window + span.compressed;
    double q_scratch[MAX_WIDTH], scratch[MAX_WIDTH], logits[BLOCK];
    struct key_row keys[BLOCK];
    struct online o = {.max = ts_row_weight(job->sink, h)};
    /* A sink of -infinity is none; one of infinity leaves no numbers, as exp(sink - max) says. */
    o.sum = o.max == -INFINITY ? 0 : exp(o.max - o.max);
    memset(o.weighted, 0, a->width * sizeof o.weighted[0]);
    const double *q = ts_row(job->q, first, a->width, q_scratch);
    double scale = 1 / sqrt((double)a->width);
    unsigned count = 0;
    for (uint64_t i = 0; i < total; i++) {
        if (key_at(job, t, &span, i, &keys[count])) {
            const double *row = ts_row(keys[count].in, keys[count].first, a->width, scratch);
            logits[count++] = scale * ts_row_dot(q, row, a->width);
        }
        if (count == BLOCK || i + 1 == total) {
            add_block(job, &o, keys, logits, count);
            count = 0;
        }
    }
    for (uint64_t c = 0; c < a->width; c++) {
        job->out->value[first + c] = o.weighted[c] / o.sum;
    }
    if (job->out->err) {
        bound_head(job, t, h, o.max, o.sum);
    }
}

#ifdef TS_THREAD_SANITIZER
/* For attend, which does not watch what it reads: all heads read the same keys. */
static void name_token(const struct attention_job *job, uint64_t t)
{
    const struct ts_attention_args *a = job->args;
    struct span span = span_of(job, t);
    struct key_row key;
    for (uint64_t i = 0; i < span.window + span.compressed; i++) {
        if (key_at(job, t, &span, i, &key)) {
            ts_row_name(key.in, key.first, a->width);
        }
    }
    ts_row_name(job->q, t * a->heads * a->width, (uint64_t)a->heads * a->width);
}
#endif

static void attention_range(void *context, uint64_t begin, uint64_t end)
{
    const struct attention_job *job = context;
    const struct ts_attention_args *a = job->args;
    for (uint64_t i = begin; i < end; i++) {
#ifdef TS_THREAD_SANITIZER
        if (i == begin || i % a->heads == 0) {
            name_token(job, i / a->heads);
        }
#endif
        if (ts_want_any(job->out, i * a->width, (i + 1) * a->width)) {
            attend(job, i / a->heads, i % a->heads);
        }
    }
}

static bool check_ids(const struct attention_job *job, struct ts_error *error)
{
    const struct ts_attention_args *a = job->args;
    if (a->ratio == 0 || a->selected == 0) {
        return true;
    }
    for (uint64_t t = 0; t < a->tokens; t++) {
        uint64_t visible = ts_row_visible(a->position + t, a->ratio, a->rows);
        for (uint64_t i = 0; i < a->selected; i++) {
            int32_t id = ts_row_index(job->ids, t * a->selected + i);
            if (id < -1 || (id >= 0 && (uint64_t)id >= visible)) {
                return ts_fail(error, TS_ERR_INPUT, NULL,
                               "attention: token %llu: row %d is not one of the %llu visible rows",
                               (unsigned long long)t, (int)id, (unsigned long long)visible);
            }
        }
    }
    return true;
}

bool ts_ref_attention(const void *args, const struct ts_ref_in *in, struct ts_ref_out *out,
                      const struct ts_ref_claim *claim, struct ts_pool *pool,
                      struct ts_error *error)
{
    const struct ts_attention_args *a = args;
    struct attention_job job = {.args = a,
                                .q = &in[0],
                                .kv = &in[1],
                                .ring = &in[2],
                                .rows = &in[3],
                                .ids = &in[4],
                                .sink = &in[5],
                                .out = out};
    if (a->width > MAX_WIDTH || a->window == 0) {
        return ts_fail(error, TS_ERR_INPUT, NULL,
                       "attention: rows of %u (at most %d), a window of %u (at least 1)", a->width,
                       MAX_WIDTH, a->window);
    }
    if (!check_ids(&job, error)) {
        return false;
    }
    if (out->err) {
        job.budget = ts_budget_of(claim, (uint64_t)a->tokens * a->heads * a->width);
    }
    ts_pool_run(pool, (uint64_t)a->tokens * a->heads, 1, attention_range, &job);
    return true;
}
