/* The weights of a hyper-connection: gates of the streams and the mixing matrix, made nearly doubly
 * stochastic by Sinkhorn's iteration (Sinkhorn and Knopp 1967; spec 2.3). */
#include "reference/budget.h"
#include "reference/sigmoid.h"

#include <string.h>

/* Scratch for budgets is on the stack. */
enum { MAX_STREAMS = 8, MAX_ENTRIES = MAX_STREAMS * MAX_STREAMS };

struct job {
    const struct ts_hc_weights_args *a;
    const struct ts_ref_in *in;
    const struct ts_ref_out *out;
    struct ts_budget gates, matrix; /* of pre and post, and of comb */
    double scale[3];
};

/* Divides each of the n rows (stride n, step 1) or columns (stride 1, step n) of c by its sum +
 * epsilon. u: unit roundoff of every step, for the twin; 0 leaves float64. */
static void divide_by_sums(double *c, uint32_t n, uint32_t stride, uint32_t step, double epsilon,
                           double u)
{
    for (uint32_t line = 0; line < n; line++) {
        double *entry = c + line * stride, sum = 0.0;
        for (uint32_t i = 0; i < n; i++) {
            sum = ts_round_to(sum + entry[i * step], u);
        }
        sum = ts_round_to(sum + epsilon, u);
        for (uint32_t i = 0; i < n; i++) {
            entry[i * step] = ts_round_to(entry[i * step] / sum, u);
        }
    }
}

static void softmax(double *row, uint32_t n, double epsilon, double u)
{
    double largest = row[0], sum = 0.0;
    for (uint32_t i = 1; i < n; i++) {
        largest = row[i] > largest ? row[i] : largest;
    }
    for (uint32_t i = 0; i < n; i++) {
        row[i] = ts_round_to(exp(row[i] - largest), u);
        sum = ts_round_to(sum + row[i], u);
    }
    for (uint32_t i = 0; i < n; i++) {
        row[i] = ts_round_to(ts_round_to(row[i] / sum, u) + epsilon, u);
    }
}

/* c [n, n]: logits in, mixing matrix out. The first iteration is the softmax and a column step; the
 * last operation is always a column step. */
static void sinkhorn(double *c, uint32_t n, uint32_t iterations, double epsilon, double u)
{
    for (uint32_t i = 0; i < n; i++) {
        softmax(c + i * n, n, epsilon, u);
    }
    divide_by_sums(c, n, 1, n, epsilon, u);
    for (uint32_t k = 1; k < iterations; k++) {
        divide_by_sums(c, n, n, 1, epsilon, u);
        divide_by_sums(c, n, 1, n, epsilon, u);
    }
}

static double base_of(const struct job *job, uint64_t i)
{
    double base;
    ts_ref_load(&job->in[1], i, 1, &base);
    return base;
}

/* One stream's pre (which = 0) or post (which = 1). */
static void gate(const struct job *job, uint64_t token, uint64_t stream, uint64_t which)
{
    uint64_t streams = job->a->streams, mixes = streams * (2 + streams);
    uint64_t mix = token * mixes + which * streams + stream;
    double m = ts_ref_real(&job->in[0], mix), base = base_of(job, which * streams + stream);
    double factor = which == 0 ? 1.0 : 2.0, shift = which == 0 ? (double)job->a->epsilon : 0.0;
    double z = m * job->scale[which] + base;
    const struct ts_ref_out *out = &job->out[which];
    out->value[token * streams + stream] = factor * ts_ref_sigmoid(z) + shift;
    if (out->err) {
        double z_error = ts_gate_input_error(m, job->scale[which], base,
                                             ts_ref_carried(&job->in[0], mix), &job->gates);
        out->err[token * streams + stream] = ts_gate_error(z, z_error, factor, shift, &job->gates);
    }
}

/* The logits of a token's matrix and, where error is not NULL, how far off they may be. The bound
 * of the exponential counts as an error of its argument, and so does subtracting the largest. */
static void logits_of(const struct job *job, uint64_t token, double *logits, double *error)
{
    uint32_t n = job->a->streams;
    uint64_t mixes = n * (2ull + n), mix = token * mixes + 2ull * n;
    for (uint32_t i = 0; i < n * n; i++) {
        logits[i] = ts_ref_real(&job->in[0], mix + i) * job->scale[2] + base_of(job, 2ull * n + i);
    }
    for (uint32_t i = 0; error && i < n * n; i++) {
        double largest = logits[i];
        for (uint32_t j = i / n * n; j < (i / n + 1) * n; j++) {
            largest = logits[j] > largest ? logits[j] : largest;
        }
        double m = ts_ref_real(&job->in[0], mix + i),
               carried = ts_ref_carried(&job->in[0], mix + i);
        double below = largest - logits[i], u = job->matrix.u_acc;
        error[i] = ts_gate_input_error(m, job->scale[2], base_of(job, 2ull * n + i), carried,
                                       &job->matrix) +
                   u * below + ts_bound_exp(below, u);
    }
}

/* Adds to spread how far entry k's error can move the matrix c. */
static void add_spread(const struct job *job, const double *logits, uint32_t k, double error,
                       const double *c, double *spread)
{
    uint32_t n = job->a->streams;
    double up[MAX_ENTRIES], down[MAX_ENTRIES];
    memcpy(up, logits, n * n * sizeof *up);
    memcpy(down, logits, n * n * sizeof *down);
    up[k] += error;
    down[k] -= error;
    sinkhorn(up, n, job->a->iterations, (double)job->a->epsilon, 0.0);
    sinkhorn(down, n, job->a->iterations, (double)job->a->epsilon, 0.0);
    for (uint32_t i = 0; i < n * n; i++) {
        spread[i] += fmax(fabs(up[i] - c[i]), fabs(down[i] - c[i]));
    }
}

/* Sinkhorn's arithmetic has no closed form: twice the largest error of a twin in the claimed
 * precision, the spread of the logits' errors, and the bound of the last two divisions (what the
 * earlier ones do to a whole row or column is divided out again). */
static void matrix_budget(const struct job *job, uint64_t token, const double *c, double *err)
{
    uint32_t n = job->a->streams;
    double logits[MAX_ENTRIES], error[MAX_ENTRIES], twin[MAX_ENTRIES], spread[MAX_ENTRIES] = {0.0};
    double largest = 0.0;
    logits_of(job, token, logits, error);
    for (uint32_t k = 0; k < n * n; k++) {
        if (error[k] > 0.0) {
            add_spread(job, logits, k, error[k], c, spread);
        }
    }
    memcpy(twin, logits, n * n * sizeof *twin);
    sinkhorn(twin, n, job->a->iterations, (double)job->a->epsilon, job->matrix.u_acc);
    for (uint32_t i = 0; i < n * n; i++) {
        largest = fmax(largest, fabs(twin[i] - c[i]));
    }
    for (uint32_t i = 0; i < n * n; i++) {
        double p = spread[i] + 2.0 * largest + 2.0 * ts_bound_divide(job->matrix.u_acc) * c[i];
        err[i] = ts_budget_error(&job->matrix, c[i], 1.0, 0.0, p);
    }
}

static void weigh_tokens(void *context, uint64_t begin, uint64_t end)
{
    const struct job *job = context;
    uint32_t n = job->a->streams;
    uint64_t entries = (uint64_t)n * n;
    for (uint64_t t = begin; t < end; t++) {
        for (uint32_t which = 0; which < 2; which++) {
            bool wanted = ts_want_any(&job->out[which], t * n, (t + 1) * n);
            for (uint32_t stream = 0; wanted && stream < n; stream++) {
                gate(job, t, stream, which);
            }
        }
        const struct ts_ref_out *comb = &job->out[2];
        if (ts_want_any(comb, t * entries, (t + 1) * entries)) {
            double *c = comb->value + t * entries;
            logits_of(job, t, c, NULL);
            sinkhorn(c, n, job->a->iterations, (double)job->a->epsilon, 0.0);
            if (comb->err) {
                matrix_budget(job, t, c, comb->err + t * entries);
            }
        }
    }
}

bool ts_ref_hc_weights(const void *args, const struct ts_ref_in *in, struct ts_ref_out *out,
                       const struct ts_ref_claim *claim, struct ts_pool *pool,
                       struct ts_error *error)
{
    const struct ts_hc_weights_args *a = args;
    struct job job = {.a = a, .in = in, .out = out};
    if (a->streams > MAX_STREAMS) {
        return ts_fail(error, TS_ERR_INPUT, NULL,
                       "hyper-connections of %u streams; at most %d are known here", a->streams,
                       MAX_STREAMS);
    }
    ts_ref_load(&in[2], 0, 3, job.scale);
    if (out[0].err || out[1].err || out[2].err) {
        job.gates = ts_budget_of(claim, (uint64_t)a->tokens * a->streams);
        job.matrix = ts_budget_of(claim, (uint64_t)a->tokens * a->streams * a->streams);
    }
    ts_pool_run(pool, a->tokens, 16, weigh_tokens, &job);
    return true;
}
