/* The reference: every PLAIN operation of kernels/ops.def in plain C and float64. Each returns the
 * value of its outputs and, when asked, an error budget for each element: how far a kernel that
 * claims a given precision may be from it. */
#ifndef TS_REFERENCE_REFERENCE_H
#define TS_REFERENCE_REFERENCE_H

#include "base/error.h"
#include "base/format.h"
#include "base/pool.h"
#include "kernels/ops.h"

#include <stdint.h>

/* An operand that is read. */
struct ts_ref_in {
    const void *data;  /* NULL where an optional operand is empty */
    uint32_t format;   /* TS_F64 or TS_F32 for real numbers, TS_I32 for indices, any for weights */
    const double *err; /* error carried in, one a (real) element, or NULL for none */
};

/* An operand that is written. Indices go to `index`, real numbers to `value`. All arrays are as
 * large as the whole operand; `want` says which elements must be filled, and others may be. */
struct ts_ref_out {
    double *value;
    int32_t *index;
    double *err;          /* where the budget goes, one an element; NULL: not wanted */
    const uint64_t *want; /* ascending indices of the elements to compute; NULL: all */
    uint64_t want_count;
};

/* What the kernel under test claims, as unit roundoffs; 0 means exact. */
struct ts_ref_claim {
    double u_in;  /* rounding of inputs before use (0 if they are used as given) */
    double u_acc; /* of every step of an accumulation */
    double u_out; /* of the stored output */
    /* Where above 0: no number of a sum of n goes through more than short_chain + n / 128 additions. Else
     * a sum may be one chain of n. */
    double short_chain;
};

/* Operands by kind, each in the order of ops.def: `in` holds the ones read (IN OPT WGT WGP IDX IDP),
 * `out` the ones written (OUT MIO IDO). An MIO value arrives with its old content.
 * claim is read only where some out has err; it may be NULL otherwise. Sizes must agree with the
 * operation's extents; the caller checks them. Fails only on data that has no meaning (an id out of
 * range), as TS_ERR_INPUT, or when memory for a twin is lacking. Without err it allocates nothing.
 *
 * The budget of an element with value r (design: an error budget, computed):
 *   e = u_out*|r| + u_in*S + min(gamma_d*S, lambda*sqrt(d*T)*u_acc) + p + tiny
 * S the sum of |a_j * b_j| of its own reduction, T the largest sum of squares of the sums of groups of
 * these products (reference/spread.h), d the additions that one of them goes through (n if the claim
 * says no less), lambda = sqrt(2 ln(2M/1e-6)) for M outputs, p the error carried in plus the bounds of
 * functions used. */
typedef bool ts_ref_fn(const void *args, const struct ts_ref_in *in, struct ts_ref_out *out,
                       const struct ts_ref_claim *claim, struct ts_pool *pool,
                       struct ts_error *error);

/* NULL for FUSED operations: their reference is their expansion. */
ts_ref_fn *ts_ref_op(enum ts_op op);

/* s = sqrt(softplus(logit)), the router's score before bias and normalisation (spec 2.13). */
double ts_ref_affinity(double logit);

/* By what the router chooses: s + bias, and how far off a kernel's may be that claims `claim`. */
double ts_ref_route_score(double logit, double bias, const struct ts_ref_claim *claim,
                          double *error);

/* The weights of a token's experts ids [used], whoever chose them: what router_top_k gives those that it
 * chooses. logits [tokens, experts]; err NULL: no budget, and claim is not read. */
void ts_ref_route_weights(const struct ts_router_top_k_args *args, const struct ts_ref_in *logits,
                          uint64_t token, const int32_t *ids, const struct ts_ref_claim *claim,
                          double *weights, double *err);

#define TS_REF_PLAIN(name)                                                                         \
    bool ts_ref_##name(const void *args, const struct ts_ref_in *in, struct ts_ref_out *out,       \
                       const struct ts_ref_claim *claim, struct ts_pool *pool,                     \
                       struct ts_error *error);
#define TS_REF_FUSED(name)
#define TS_OP(name, family, operands, shape, kind) TS_REF_##kind(name)
#include "kernels/ops.def"
#undef TS_OP
#undef TS_REF_PLAIN
#undef TS_REF_FUSED

#endif
