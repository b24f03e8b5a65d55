/* sigmoid(m * scale + base), the gate of hyper-connections and head, with its budget. */
#ifndef TS_REFERENCE_SIGMOID_H
#define TS_REFERENCE_SIGMOID_H

#include "reference/budget.h"

#include <math.h>

/* Without overflow for either sign. */
static inline double ts_ref_sigmoid(double z)
{
    double e = exp(-fabs(z));
    return z < 0.0 ? e / (1.0 + e) : 1.0 / (1.0 + e);
}

/* Error of z = m * scale + base as computed with the claim; `carried` is the error of m. */
static inline double ts_gate_input_error(double m, double scale, double base, double carried,
                                         const struct ts_budget *budget)
{
    double product = fabs(m * scale);
    return fabs(scale) * carried + (budget->u_in + budget->u_acc) * product +
           budget->u_acc * fabs(m * scale + base);
}

/* Budget of factor * sigmoid(z) + shift, given the error of z. The sigmoid is 1 / (1 + exp(-z)):
 * the error of the exponential reaches it as an error of z does. */
static inline double ts_gate_error(double z, double z_error, double factor, double shift,
                                   const struct ts_budget *budget)
{
    double value = ts_ref_sigmoid(z), u = budget->u_acc;
    /* an infinite z is that or wrong, and its sigmoid 0 or 1 */
    double around = isinf(z) ? 0 : z_error + ts_bound_exp(z, u);
    double up = ts_ref_sigmoid(z + around) - value, down = value - ts_ref_sigmoid(z - around);
    double p = factor * ((up > down ? up : down) + value * (u + ts_bound_divide(u)));
    /* Then the factor and the shift: two roundings of the result. */
    double result = factor * value + shift;
    return (budget->u_out + 2.0 * u) * result + p + ts_budget_tiny(budget, 2.0);
}

#endif
