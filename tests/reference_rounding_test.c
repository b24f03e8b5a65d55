/* Round trips near the floors of their scales, by direct formulas: what a block's largest number makes of
 * all the others. */
#include "tests/support/operand.h"

TestSuite(reference_rounding, .fini = test_free_all);

/* A block of 64 (E4M3) or 32 (E2M1), of zeros but for the first numbers. */
static double *rounded(bool fp4, const double *x, unsigned count)
{
    unsigned block = fp4 ? 32 : 64;
    struct ts_fp8_round_args fp8 = {.rows = 1, .width = 64, .rounded = 64};
    struct ts_fp4_round_args four = {.rows = 1, .width = 32};
    double *in = test_reals(block);
    memcpy(in, x, count * sizeof *x);
    struct ts_ref_in operand = test_in(in);
    struct ts_ref_out out = {.value = test_reals(block)};
    test_run(fp4 ? ts_ref_fp4_round : ts_ref_fp8_round, fp4 ? (const void *)&four : &fp8, &operand,
             &out, NULL);
    for (unsigned i = count; i < block; i++) {
        cr_expect(out.value[i] == 0, "0 becomes %g", out.value[i]);
    }
    return out.value;
}

/* The scale is seen by its smallest code: scale * code is kept, a little under half of it is lost, a
 * little more becomes it. */
static void expect_scale(bool fp4, double largest, int exponent)
{
    double least = ldexp(fp4 ? 0.5 : 0x1p-9, exponent);
    const double x[] = {largest, least, -least, 0.49 * least, 0.51 * least, 1.49 * least};
    const double right[] = {0, least, -least, 0, least, least};
    double *y = rounded(fp4, x, 6);
    for (int i = 1; i < 6; i++) {
        cr_expect(y[i] == right[i], "%s, largest %a: %a becomes %a, expected %a",
                  fp4 ? "fp4" : "fp8", largest, x[i], y[i], right[i]);
    }
    double most = ldexp(fp4 ? 6.0 : 448.0, exponent);
    cr_expect(fabs(y[0]) <= most, "%a becomes %a, beyond %a", largest, y[0], most);
}

/* max(largest, 1e-4) / 448 up to a power of two: 1e-4 / 448 lies between 2^-23 and 2^-22. */
Test(reference_rounding, fp8_scales)
{
    const float floor_of = 1e-4f;
    expect_scale(false, 448, 0);
    expect_scale(false, -448, 0);
    expect_scale(false, (double)nextafterf(448, 1e9f), 1);
    expect_scale(false, 447, 0);
    expect_scale(false, 224, -1);
    expect_scale(false, 448 * 0x1p-22, -22); /* 1.07e-4 */
    expect_scale(false, (double)nextafterf(448 * 0x1p-22f, 1), -21);
    expect_scale(false, (double)floor_of, -22);
    expect_scale(false, 0.9e-4, -22);
    expect_scale(false, 448 * 0x1p-23, -22); /* 5.3e-5: from here on the floor alone keeps it */
    expect_scale(false, 5e-5, -22);
    expect_scale(false, 1.01e-5, -22);
    expect_scale(false, 1e-6, -22);
    expect_scale(false, 1e-8, -22);
}

/* The floor is 6 * 2^-126, the smallest whose scale is a normal float. */
Test(reference_rounding, fp4_scales)
{
    expect_scale(true, 6, 0);
    expect_scale(true, -6, 0);
    expect_scale(true, 6.001, 1);
    expect_scale(true, 5.9, 0);
    expect_scale(true, 3, -1);
    expect_scale(true, 6 * 0x1p-125, -125);
    expect_scale(true, 3.1 * 0x1p-125, -125);
    expect_scale(true, 6 * 0x1p-126, -126);
    expect_scale(true, 3 * 0x1p-126, -126);
    expect_scale(true, 2 * 0x1p-126, -126);
    expect_scale(true, 0x1p-140, -126);
}

/* Zeros stay zeros, with their signs; what is not finite takes its block along, and no other. */
Test(reference_rounding, zeros_and_what_is_no_number)
{
    const double zeros[] = {0.0, -0.0}, wrong[] = {NAN, INFINITY, -INFINITY};
    for (int fp4 = 0; fp4 < 2; fp4++) {
        double *y = rounded(fp4 == 1, zeros, 2);
        cr_expect(y[0] == 0 && y[1] == 0);
        for (int i = 0; i < 3; i++) {
            unsigned width = fp4 ? 64 : 192, block = fp4 ? 32 : 64;
            struct ts_fp8_round_args fp8 = {.rows = 1, .width = width, .rounded = 128};
            struct ts_fp4_round_args four = {.rows = 1, .width = width};
            double *in = test_reals(width);
            for (unsigned k = 0; k < width; k++) {
                in[k] = 1;
            }
            in[block - 1] = wrong[i];
            struct ts_ref_in operand = test_in(in);
            struct ts_ref_out out = {.value = test_reals(width)};
            test_run(fp4 ? ts_ref_fp4_round : ts_ref_fp8_round, fp4 ? (const void *)&four : &fp8,
                     &operand, &out, NULL);
            for (unsigned k = 0; k < width; k++) {
                cr_expect(k < block ? isnan(out.value[k]) : out.value[k] == 1, "[%u] is %g", k,
                          out.value[k]);
            }
        }
    }
}
