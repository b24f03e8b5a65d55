/* Error budgets, and the small things that every reference operation needs: reading operands, going
 * through the wanted elements, rounding to a claimed precision.
 *
 * Sources: gamma_n and the bound |error of a sum| <= gamma_n * S: Higham, Accuracy and Stability of
 * Numerical Algorithms, 2nd ed. 2002, section 3.1. lambda * sqrt(n) * u in place of gamma_n, which
 * holds with probability at least 1 - 2 exp(-lambda^2 / 2) for one output: Higham and Mary, A New
 * Approach to Probabilistic Rounding Error Analysis, SIAM J. Sci. Comput. 41 (2019); lambda is
 * chosen so that all outputs of a call together fail with probability 1e-6. */
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
    double u_in, u_acc, u_out, lambda;
};
struct ts_budget ts_budget_of(const struct ts_ref_claim *claim, uint64_t outputs);

/* Relative error of a sum whose longest chain has n roundings:
 * min(gamma_n, lambda sqrt(n) u_acc). */
static inline double ts_budget_chain(const struct ts_budget *budget, double n)
{
    double worst = ts_gamma(n, budget->u_acc);
    double likely = budget->lambda * sqrt(n) * budget->u_acc;
    return worst < likely ? worst : likely;
}

/* What may be lost below the least normal number: products and sums of a chain of n that a device
 * flushes to zero (2^-126, float32), and the spacing of stored subnormals where half is stored. */
static inline double ts_budget_tiny(const struct ts_budget *budget, double n)
{
    return (n + 1.0) * 0x1p-126 + (budget->u_out == 0x1p-11 ? 0x1p-25 : 0.0);
}

/* The budget of an element: value r, chain n, S = sum |a_j * b_j| of its own reduction, p the error
 * carried in plus bounds of functions:
 *   e = u_out |r| + (u_in + min(gamma_n, lambda sqrt(n) u_acc)) S + p + tiny.
 * A rounded p or S of first order is enough: terms of second order are far below. */
static inline double ts_budget_error(const struct ts_budget *budget, double r, double n, double S,
                                     double p)
{
    return budget->u_out * fabs(r) + (budget->u_in + ts_budget_chain(budget, n)) * S + p +
           ts_budget_tiny(budget, n);
}

/* Relative bounds of functions computed with unit roundoff u (0 gives 0): of Metal's fast math
 * (Metal Shading Language Specification, "Relative Error and ULPs"), with one ulp = 2u. */
static inline double ts_bound_exp(double x, double u) /* 3 + floor(|2x|) ulp */
{
    return 2.0 * u * (3.0 + floor(fabs(2.0 * x)));
}
static inline double ts_bound_rsqrt(double u) /* 2 ulp */
{
    return 4.0 * u;
}
static inline double ts_bound_sqrt(double u) /* 3 ulp: x * rsqrt(x) */
{
    return 6.0 * u;
}
static inline double ts_bound_divide(double u) /* 2.5 ulp */
{
    return 5.0 * u;
}
/* ABSOLUTE bound of log(x): 2^-21 near x = 1 (float32), 3 ulp elsewhere. */
static inline double ts_bound_log(double x, double u)
{
    double relative = 6.0 * u * fabs(log(x));
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
