/* For tests of error budgets: honest float32 twins, which add in other orders than the reference,
 * must stay within the budget (rho <= 1); planted bugs must not. */
#ifndef TS_TESTS_BUDGET_H
#define TS_TESTS_BUDGET_H

#include "reference/quant.h"
#include "reference/quant_random.h"
#include "tests/support/operand.h"

/* A kernel of float32 arithmetic and outputs, which uses its inputs as they are. */
static const struct ts_ref_claim test_float_claim = {0.0, 0x1p-24, 0x1p-24, 0.0};

/* An output of `count` elements with room for its budget. */
static inline struct ts_ref_out test_out(uint64_t count)
{
    return (struct ts_ref_out){.value = test_reals(count), .err = test_reals(count)};
}

/* Runs an operation that must succeed, with budgets for a claim. */
static inline void test_run_claim(ts_ref_fn *fn, const void *args, const struct ts_ref_in *in,
                                  struct ts_ref_out *out, const struct ts_ref_claim *claim)
{
    struct ts_error error = {0};
    bool done = fn(args, in, out, claim, NULL, &error);
    cr_assert(done, "refused: %s", error.message);
}

/* max |y - value| / err. */
static inline double test_rho(const struct ts_ref_out *out, const float *y, uint64_t count)
{
    double worst = 0;
    for (uint64_t i = 0; i < count; i++) {
        cr_assert(out->err[i] > 0 && isfinite(out->err[i]), "budget of element %llu: %g",
                  (unsigned long long)i, out->err[i]);
        double rho = fabs((double)y[i] - out->value[i]) / out->err[i];
        worst = rho > worst || isnan(rho) ? rho : worst;
    }
    return worst;
}

/* Rhos of the honest twins of one operation; `worst` must end within (0.001, 1]. */
static inline void test_pass(double rho, double *worst, const char *what, uint64_t seed)
{
    cr_expect(rho <= 1.0, "%s, seed %llu: an honest twin has rho %g", what,
              (unsigned long long)seed, rho);
    *worst = rho > *worst ? rho : *worst;
}

static inline void test_not_absurd(double worst, const char *what)
{
    cr_expect(worst > 0.001, "%s: the honest twins use only %g of the budget", what, worst);
}

static inline void test_caught(double rho, const char *what, const char *bug, uint64_t seed)
{
    cr_expect(!(rho <= 1.0), "%s, seed %llu: the bug '%s' passes with rho %g", what,
              (unsigned long long)seed, bug, rho);
}

/* Numbers as float32. */
static inline float *test_floats(const double *values, uint64_t count)
{
    float *floats = test_alloc(count * sizeof *floats);
    for (uint64_t i = 0; i < count; i++) {
        floats[i] = (float)values[i];
    }
    return floats;
}

static inline float test_to_half(float x)
{
    return (float)ts_half_to_real(ts_real_to_half((double)x));
}

/* The operand with errors carried in, of relative size `size`. `moved` receives an input anywhere
 * within them. */
static inline struct ts_ref_in test_carrying(struct ts_rng *rng, const double *values,
                                             uint64_t count, double size, double **moved)
{
    double *err = test_reals(count);
    *moved = test_reals(count);
    for (uint64_t i = 0; i < count; i++) {
        double direction = 2.0 * ts_rng_uniform(rng) - 1.0;
        err[i] = size * (fabs(values[i]) + 0.1);
        (*moved)[i] = values[i] + 0.999 * direction * err[i];
    }
    return (struct ts_ref_in){values, TS_F64, err};
}

/* Orders of summation, in float32; the last is a bug: it adds in half precision. */
enum test_order { REVERSED, PAIRWISE, BLOCKED, HONEST_ORDERS, HALF = HONEST_ORDERS };

static inline float test_sum(float *terms, uint64_t count, enum test_order order)
{
    float sum = 0.0f, block = 0.0f;
    for (uint64_t n = count; order == PAIRWISE && n > 1; n = (n + 1) / 2) {
        for (uint64_t i = 0; i < n / 2; i++) {
            terms[i] += terms[n - 1 - i];
        }
    }
    for (uint64_t i = 0; i < count; i++) {
        switch (order) {
        case REVERSED: sum += terms[count - 1 - i]; break;
        case PAIRWISE: return terms[0];
        case BLOCKED:
            block += terms[i];
            if (i % 32 == 31 || i + 1 == count) {
                sum += block;
                block = 0.0f;
            }
            break;
        default: sum = test_to_half(sum + terms[i]); break;
        }
    }
    return sum;
}

static inline float test_dot(const float *a, const float *b, uint64_t count, enum test_order order)
{
    float *terms = malloc(count * sizeof *terms);
    cr_assert(terms != NULL);
    for (uint64_t i = 0; i < count; i++) {
        terms[i] = a[i] * b[i];
    }
    float sum = test_sum(terms, count, order);
    free(terms);
    return sum;
}

/* Random weights with sane scales; count is a multiple of the format's block. */
static inline uint8_t *test_weights(struct ts_rng *rng, uint32_t format, uint64_t count)
{
    uint64_t elements = ts_format_block_elements(format), size = ts_format_block_bytes(format);
    uint8_t *bytes = test_alloc(count / elements * size);
    bool known = ts_random_weights(format, TS_RANDOM_SANE, rng, count, bytes);
    cr_assert(known, "no random weights of format %u are known", format);
    return bytes;
}

static inline float *test_decoded(uint32_t format, const uint8_t *bytes, uint64_t count)
{
    double *values = test_reals(count);
    ts_decode(format, bytes, count, values);
    return test_floats(values, count);
}

#endif
