/* Error budgets to the digit, where the formula can be written out: twins cannot tell a budget that is
 * somewhat too small or too large from the right one. */
#include "reference/sigmoid.h"
#include "tests/support/trial.h"

TestSuite(reference_budget, .fini = test_free_all);

static const struct ts_ref_claim claim = {.u_in = 0x1p-12, .u_acc = 0x1p-24, .u_out = 0x1p-23};

static void expect_close(double got, double wanted, const char *what)
{
    cr_expect(fabs(got - wanted) <= 1e-12 * fabs(wanted), "%s: budget %.17g, by hand %.17g", what,
              got, wanted);
}

/* lambda of one output, and of n. */
static double lambda_of(double outputs)
{
    return sqrt(2 * log(2 * outputs / 1e-6));
}

/* min(gamma_n, lambda sqrt(n) u) */
static double chain_of(double n, double outputs)
{
    double u = claim.u_acc;
    return fmin(n * u / (1 - n * u), lambda_of(outputs) * sqrt(n) * u);
}

/* e = u_out |r| + (u_in + chain) S + p + tiny */
static double error_of(double r, double n, double S, double p, double outputs)
{
    return claim.u_out * fabs(r) + (claim.u_in + chain_of(n, outputs)) * S + p + (n + 1) * 0x1p-126;
}

/* Gates below, at and above the limit; the steeper side of silu decides. */
Test(reference_budget, swiglu)
{
    enum { COUNT = 5 };
    const double gates[COUNT] = {1.0, -1.0, 5.0, -90.0, -1.2784645427610738};
    const double ups[COUNT] = {2.0, -0.5, 7.0, 1.0, 1.5}, weight = -0.75, weight_error = 2e-6;
    const double limit = 3, u = claim.u_acc;
    struct ts_swiglu_args a = {.rows = 1, .width = COUNT, .limit = 3};
    double value[COUNT], err[COUNT], gate_errors[COUNT], up_errors[COUNT];
    for (int i = 0; i < COUNT; i++) {
        gate_errors[i] = 1e-3 * (i + 1);
        up_errors[i] = 1e-4 * (i + 1);
    }
    struct ts_ref_in in[3] = {test_in(gates), test_in(ups), test_in(&weight)};
    in[0].err = gate_errors;
    in[1].err = up_errors;
    in[2].err = &weight_error;
    struct ts_ref_out out = {.value = value, .err = err};
    struct ts_error error = {0};
    cr_assert(ts_ref_swiglu(&a, in, &out, &claim, NULL, &error), "%s", error.message);
    for (int i = 0; i < COUNT; i++) {
        double dx = claim.u_in * fabs(gates[i]) + gate_errors[i], moved[2];
        double dy = claim.u_in * fabs(ups[i]) + up_errors[i];
        double x = fmin(gates[i], limit), silu = x / (1 + exp(-x)), up = fmin(ups[i], limit);
        for (int side = 0; side < 2; side++) {
            double at = fmin(gates[i] + (side ? dx : -dx), limit);
            moved[side] = fabs(at / (1 + exp(-at)) - silu);
        }
        double relative = 1 / (1 + exp(x)) * ts_bound_exp(x, u) + u + ts_bound_divide(u);
        double silu_error = fmax(moved[0], moved[1]) + fabs(silu) * relative +
                            (x < -87 ? fabs(silu) : 0) + 0x1p-126;
        double up_moves = ups[i] > limit ? 0 : dy;
        double p = silu_error * fabs(up * weight) + fabs(silu * weight) * up_moves +
                   fabs(silu * up) * weight_error + 0x1p-126 * fabs(weight);
        double r = silu * up * weight;
        cr_expect(fabs(value[i] - r) <= 1e-15 * fabs(r));
        expect_close(err[i], error_of(r, 3, fabs(r), p, COUNT), "swiglu");
    }
}

/* One iteration on a matrix of 2 x 2, every step rounded to u. */
static void balance(double *c, double epsilon, double u)
{
    for (int i = 0; i < 2; i++) {
        double *row = c + 2 * i, largest = fmax(row[0], row[1]), parts[2];
        parts[0] = ts_round_to(exp(row[0] - largest), u);
        parts[1] = ts_round_to(exp(row[1] - largest), u);
        double sum = ts_round_to(parts[0] + parts[1], u);
        for (int j = 0; j < 2; j++) {
            row[j] = ts_round_to(ts_round_to(parts[j] / sum, u) + epsilon, u);
        }
    }
    for (int j = 0; j < 2; j++) {
        double sum = ts_round_to(ts_round_to(c[j] + c[2 + j], u) + epsilon, u);
        c[j] = ts_round_to(c[j] / sum, u);
        c[2 + j] = ts_round_to(c[2 + j] / sum, u);
    }
}

/* The matrix of two streams after one iteration. Its rows differ by much, so that the error of one's logits
 * is not the other's. Each output has the same budget when it alone is asked for one. */
Test(reference_budget, mixing_matrix)
{
    const double mix[8] = {0.5, -0.25, 0.125, 1.5, 2.0, -1.0, 9.0, 11.0}, carried = 1e-6;
    const double base[8] = {0.1, 0.2, 0.3, 0.4, -0.5, 0.25, 0.125, 0.0},
                 scale[3] = {0.5, 0.75, 0.625};
    const double epsilon = 0x1p-20, u = claim.u_acc;
    double errors[8], logits[4], c[4], twin[4], error[4], spread[4] = {0}, largest = 0;
    double value[3][4], err[3][4], alone[4];
    struct ts_hc_weights_args a = {.tokens = 1, .streams = 2, .iterations = 1, .epsilon = 0x1p-20f};
    for (int i = 0; i < 8; i++) {
        errors[i] = carried * i;
    }
    struct ts_ref_in in[3] = {test_in(mix), test_in(base), test_in(scale)};
    in[0].err = errors;
    struct ts_ref_out out[3];
    struct ts_error refused = {0};
    for (int i = 0; i < 3; i++) {
        out[i] = (struct ts_ref_out){.value = value[i], .err = err[i]};
    }
    cr_assert(ts_ref_hc_weights(&a, in, out, &claim, NULL, &refused), "%s", refused.message);
    struct ts_budget budget = {
        .u_in = claim.u_in, .u_acc = claim.u_acc, .u_out = claim.u_out, .lambda = lambda_of(4)};
    for (int i = 0; i < 4; i++) {
        logits[i] = mix[4 + i] * scale[2] + base[4 + i];
    }
    for (int i = 0; i < 4; i++) {
        double below = fmax(logits[i], logits[i ^ 1]) - logits[i];
        error[i] = ts_gate_input_error(mix[4 + i], scale[2], base[4 + i], errors[4 + i], &budget) +
                   u * below + ts_bound_exp(below, u);
        c[i] = twin[i] = logits[i];
    }
    balance(c, epsilon, 0);
    balance(twin, epsilon, u);
    for (int k = 0; k < 4; k++) {
        double up[4], down[4];
        memcpy(up, logits, sizeof up);
        memcpy(down, logits, sizeof down);
        up[k] += error[k];
        down[k] -= error[k];
        balance(up, epsilon, 0);
        balance(down, epsilon, 0);
        largest = fmax(largest, fabs(twin[k] - c[k]));
        for (int i = 0; i < 4; i++) {
            spread[i] += fmax(fabs(up[i] - c[i]), fabs(down[i] - c[i]));
        }
    }
    cr_assert(largest > 0);
    for (int i = 0; i < 4; i++) {
        double p = spread[i] + 2 * largest + 2 * ts_bound_divide(u) * c[i];
        cr_expect(fabs(value[2][i] - c[i]) <= 1e-15, "%d: %g", i, value[2][i]);
        /* differences of nearly equal numbers in float64 */
        double wanted = error_of(c[i], 1, 0, p, 4);
        cr_expect(fabs(err[2][i] - wanted) <= 1e-7 * wanted, "%d: %.17g, by hand %.17g", i,
                  err[2][i], wanted);
    }
    for (int i = 0; i < 3; i++) {
        for (int k = 0; k < 3; k++) {
            out[k].err = k == i ? alone : NULL;
        }
        cr_assert(ts_ref_hc_weights(&a, in, out, &claim, NULL, &refused), "%s", refused.message);
        test_same(alone, err[i], i == 2 ? 4 : 2, "alone", (uint64_t)i);
    }
}
