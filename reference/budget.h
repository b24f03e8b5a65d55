/* Error budgets, and the small things that every reference operation needs: reading operands, going
 * through the wanted elements, rounding to a claimed precision.
 *
 * Sources: gamma_n and the bound |error of a sum| <= gamma_n * S: Higham, Accuracy and Stability of
 * Numerical Algorithms, 2nd ed. 2002, section 3.1. lambda * u * sqrt(sum of squares of the partial
 * sums) in its place, which holds with probability at least 1 - 2 exp(-lambda^2 / 2) for one output:
 * Higham and Mary, A New Approach to Probabilistic Rounding Error Analysis, SIAM J. Sci. Comput. 41
 * (2019); how large partial sums are: reference/spread.h. lambda is chosen so that all outputs of a
 * call together fail with probability 1e-6. */
#ifndef TS_REFERENCE_BUDGET_H
#define TS_REFERENCE_BUDGET_H

#include "base/thread_sanitizer.h"
#include "reference/quant.h"
#include "reference/reference.h"

#include <math.h>
#include <stdbool.h>
#include <stdint.h>

/* ---- operands ------------------------------------------------------------------------------- */

/* Decodes elements [first, first + count) of a whole operand: real numbers or weights of any format
 * (rows are whole blocks, so elements are numbered through all rows). */
static inline void ts_ref_load(const struct ts_ref_in *in, uint64_t first, uint64_t count,
                               double *values)
{
    ts_will_write(values, count * sizeof *values);
    ts_decode_range(in->format, in->data, first, count, values);
}

/* One element of an operand of TS_F64 or TS_F32 that is aligned (IN and OPT are). */
static inline double ts_ref_real(const struct ts_ref_in *in, uint64_t element)
{
    return in->format == TS_F64 ? ((const double *)in->data)[element]
                                : (double)((const float *)in->data)[element];
}

/* The error carried in with an element. */
static inline double ts_ref_carried(const struct ts_ref_in *in, uint64_t element)
{
    return in->err ? in->err[element] : 0.0;
}

/* ---- wanted elements ------------------------------------------------------------------------ */

/* value, index and err of an out are as large as the whole operand and indexed by element; `want`
 * only says which elements must be filled. An operation may fill more (a whole row). Typical:
 *
 *   for (uint64_t i = 0; i < ts_want_count(out, elements); i++) {
 *       uint64_t element = ts_want_at(out, i); ...
 */
static inline uint64_t ts_want_count(const struct ts_ref_out *out, uint64_t elements)
{
    return out->want ? out->want_count : elements;
}

static inline uint64_t ts_want_at(const struct ts_ref_out *out, uint64_t i)
{
    return out->want ? out->want[i] : i;
}

/* The least i with ts_want_at(out, i) >= element (binary search). */
uint64_t ts_want_find(const struct ts_ref_out *out, uint64_t element);

/* True if an element of [begin, end) is wanted: for operations that compute a row at a time. */
bool ts_want_any(const struct ts_ref_out *out, uint64_t begin, uint64_t end);

/* ---- budgets -------------------------------------------------------------------------------- */

/* gamma_n = n u / (1 - n u); infinite where n u >= 1. */
static inline double ts_gamma(double n, double u)
{
    return n * u < 1.0 ? n * u / (1.0 - n * u) : INFINITY;
}

/* sqrt(2 ln(2 outputs / 1e-6)): the probabilistic bound holds for all outputs but with 1e-6. */
double ts_lambda(uint64_t outputs);

/* A claim, with lambda worked out once for the `outputs` elements of one operand. */
struct ts_budget {
    double u_in, u_acc, u_out, lambda, short_chain;
};
struct ts_budget ts_budget_of(const struct ts_ref_claim *claim, uint64_t outputs);

/* The additions, at most, that a number of a sum of n goes through. */
static inline double ts_budget_depth(const struct ts_budget *budget, double n)
{
    double claimed = budget->short_chain + n / 128.0;
    return budget->short_chain > 0.0 && claimed < n ? claimed : n;
}

/* The error of a sum of n numbers, S the sum of their magnitudes and T as of reference/spread.h, by the
 * roundings of its additions: min(gamma_d S, lambda sqrt(d T) u_acc). */
static inline double ts_budget_sum(const struct ts_budget *budget, double n, double S, double T)
{
    double depth = ts_budget_depth(budget, n);
    double worst = S > 0.0 ? ts_gamma(depth, budget->u_acc) * S : 0.0;
    double likely = budget->lambda * sqrt(depth * T) * budget->u_acc;
    return worst < likely ? worst : likely;
}

/* The same, relative to S, where all numbers may have one sign: T = S^2. */
static inline double ts_budget_chain(const struct ts_budget *budget, double n)
{
    return ts_budget_sum(budget, n, 1.0, 1.0);
}

/* What may be lost below the least normal number: products and sums of a chain of n that a device
 * flushes to zero (2^-126, float32), and the spacing of stored subnormals where half is stored. */
static inline double ts_budget_tiny(const struct ts_budget *budget, double n)
{
    return (n + 1.0) * 0x1p-126 + (budget->u_out == 0x1p-11 ? 0x1p-25 : 0.0);
}

/* The budget of an element: value r, a sum of n, S = sum |a_j * b_j| of its own reduction, p the error
 * carried in plus bounds of functions:
 *   e = u_out |r| + (u_in + min(gamma_d, lambda sqrt(d) u_acc)) S + p + tiny.
 * Long sums put ts_budget_sum into p, and 0 here for S. A rounded p or S of first order is enough:
 * terms of second order are far below. */
static inline double ts_budget_error(const struct ts_budget *budget, double r, double n, double S,
                                     double p)
{
    return budget->u_out * fabs(r) + (budget->u_in + ts_budget_chain(budget, n)) * S + p +
           ts_budget_tiny(budget, n);
}

/* Relative bounds of functions computed with unit roundoff u (0 gives 0), one ulp = 2u: the larger of
 * what the Metal Shading Language Specification ("Relative Error and ULPs") grants with fast math and
 * without, for a kernel may be compiled either way. */
static inline double ts_bound_exp(double x, double u) /* 3 + floor(|2x|) ulp, or 4 */
{
    double ulps = 3.0 + floor(fabs(2.0 * x));
    return 2.0 * u * (ulps > 4.0 ? ulps : 4.0);
}
static inline double ts_bound_rsqrt(double u) /* 2 ulp, or rounded correctly */
{
    return 4.0 * u;
}
static inline double ts_bound_sqrt(double u) /* 3 ulp: x * rsqrt(x), or rounded correctly */
{
    return 6.0 * u;
}
static inline double ts_bound_divide(double u) /* 2.5 ulp, or rounded correctly */
{
    return 5.0 * u;
}
/* ABSOLUTE bound of log(x): 2^-21 near x = 1 (float32), 3 ulp elsewhere, or 4 everywhere. */
static inline double ts_bound_log(double x, double u)
{
    double relative = 8.0 * u * fabs(log(x));
    return relative > 8.0 * u ? relative : 8.0 * u;
}

/* ---- twins ---------------------------------------------------------------------------------- */

/* A twin is the reference run in the claimed precision: every step is passed through this. Rounds x
 * to the nearest number of the precision with unit roundoff u (2^-24 float, 2^-11 half, 2^-8
 * bfloat; 0 leaves x alone), without a limit to the exponent. Veltkamp's splitting (Dekker 1971);
 * needs arithmetic without contraction. */
static inline double ts_round_to(double x, double u)
{
    double c = (0x1p53 * u + 1.0) * x;
    return u != 0.0 && isfinite(c) ? c - (c - x) : x;
}

#endif
