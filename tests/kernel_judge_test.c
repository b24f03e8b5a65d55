/* What the check of kernels makes of an output: the verdicts on single numbers, where a wrong sign in the
 * judge would let every kernel pass. */
#include "engine/check/kernels.h"

#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

enum { COUNT = 6 };

/* y = rms_norm(x), as far as the judge looks: operand 2 is written. */
struct judged {
    struct ts_kernel_case c;
    float got[COUNT];
    double value[COUNT], err[COUNT];
    struct ts_kernel_score score;
};

static struct judged *judged_of(struct judged *j, enum ts_regime regime)
{
    *j = (struct judged){.score.exact = true};
    j->c = (struct ts_kernel_case){
        .op = TS_OP_rms_norm, .info = ts_op_info(TS_OP_rms_norm), .index = 7, .regime = regime};
    for (int i = 0; i < COUNT; i++) {
        j->value[i] = j->got[i] = (float)i - 2.5f;
        j->err[i] = ldexp(1, -20);
    }
    j->c.operands[2] = (struct ts_kernel_operand){.format = TS_F32,
                                                  .elements = COUNT,
                                                  .bytes = sizeof j->got,
                                                  .value = j->value,
                                                  .err = j->err,
                                                  .got = (uint8_t *)j->got};
    return j;
}

struct number {
    double r, e;
    float y;
    double rho; /* above 1: wrong */
    enum ts_regime regime;
};

/* One number among right ones. */
static void expect_number(const struct number *n, size_t line)
{
    struct judged j;
    judged_of(&j, n->regime);
    j.value[3] = n->r;
    j.err[3] = n->e;
    j.got[3] = n->y;
    bool right = n->rho <= 1, equal = n->y == (float)n->r || (isnan(n->y) && isnan(n->r));
    cr_expect(ts_kernel_case_judge(&j.c, &j.score) == right, "%zu: %.9g for %.17g passes: %d", line,
              (double)n->y, n->r, !right);
    cr_expect(j.score.rho == n->rho, "%zu: rho %g, expected %g", line, j.score.rho, n->rho);
    cr_expect(j.score.wrong == (right ? 0 : 1) && j.score.compared == COUNT, "%zu", line);
    cr_expect(j.score.exact == equal, "%zu: exact", line);
    if (n->rho > 0) {
        cr_expect(j.score.worst_operand && j.score.worst_element == 3 && j.score.worst_case == 7,
                  "%zu: the worst is %s", line, j.score.worst);
    }
}

Test(kernel_judge, numbers)
{
    const enum ts_regime rounds = TS_REGIME_RANDOM, exact = TS_REGIME_EXACT;
    const double e = ldexp(1, -20), inf = INFINITY, none = NAN;
    const float ulp = ldexpf(1, -23), nan = NAN;
    const struct number list[] = {
        {1, e, 1, 0, rounds},
        {1, e, 1 + 8 * ulp, 1, rounds}, /* all of the budget is within it */
        {1, e, 1 - 8 * ulp, 1, rounds},
        {1, e, 1 + 4 * ulp, 0.5, rounds},
        {1, e, 1 + 9 * ulp, 1.125, rounds},
        {1, e, 1 - 9 * ulp, 1.125, rounds},
        {1, e, 1 + 12 * ulp, 1.5, rounds},
        {-1, e, -1 - 12 * ulp, 1.5, rounds},
        {1, e, 1 + 24 * ulp, 3, rounds},
        {1, e, 1 + 28 * ulp, 3.5, rounds},
        {1 + ldexp(1, -25), e, 1 + 8 * ulp, 0.96875, rounds}, /* from r, not from its float */
        {1 - ldexp(1, -26), e, 1 + 8 * ulp, 1.015625, rounds},
        {1 + ldexp(1, -24), 0, 1, 0, rounds}, /* no budget: the float itself, rounded once */
        {1, 0, 1 + ulp, inf, rounds},
        {1, none, 1 + ulp, inf, rounds},
        {1, none, 1, 0, rounds},
        {1, -1, 1 + ulp, inf, rounds},
        {1, e, 1 + ulp, inf, exact}, /* within the budget, and wrong all the same */
        {1, e, 1, 0, exact},
        {0, e, -0.0f, 0, exact},
        {none, e, nan, 0, rounds},
        {none, e, 0, inf, rounds}, /* a lost NaN */
        {none, e, 1e30f, inf, rounds},
        {none, inf, 0, inf, rounds},
        {1, e, nan, inf, rounds}, /* one that was made */
        {1, inf, nan, inf, rounds},
        {none, e, nan, 0, exact},
        {none, none, 0, inf, exact},
        {inf, e, INFINITY, 0, rounds},
        {inf, e, -INFINITY, inf, rounds},
        {inf, e, 3e38f, inf, rounds},
        {-inf, inf, -3e38f, inf, rounds},
        {inf, e, nan, inf, rounds},
        {none, e, INFINITY, inf, rounds},
        {1, e, INFINITY, inf, rounds},
        {1, inf, INFINITY, inf, rounds},
        {1e39, 1e37, INFINITY, 0, rounds}, /* beyond float32 */
        {1e39, 1e37, 3e38f, inf, rounds},
    };
    for (size_t i = 0; i < sizeof list / sizeof *list; i++) {
        expect_number(&list[i], i);
    }
}

/* The first that is wrong is told, or else the worst; later ones are counted. */
Test(kernel_judge, which_is_told)
{
    struct judged j;
    judged_of(&j, TS_REGIME_RANDOM);
    j.got[1] += 2 * (float)j.err[1];
    j.got[2] += 4 * (float)j.err[2];
    j.got[4] += 8 * (float)j.err[4];
    cr_expect(!ts_kernel_case_judge(&j.c, &j.score));
    cr_expect(j.score.wrong == 3 && j.score.rho == 8 && j.score.worst_element == 1, "%s",
              j.score.worst);
    cr_expect(strncmp(j.score.worst, "case 7, random: y[1]: ", 22) == 0, "%s", j.score.worst);
    judged_of(&j, TS_REGIME_RANDOM);
    j.got[1] += 0.5f * (float)j.err[1];
    j.got[2] += 0.75f * (float)j.err[2];
    j.got[4] += 0.25f * (float)j.err[4];
    cr_expect(ts_kernel_case_judge(&j.c, &j.score));
    cr_expect(j.score.rho == 0.75 && j.score.worst_element == 2 && j.score.wrong == 0);
    /* a later case that is right changes nothing of it, one that is wrong is no less so for the first */
    struct ts_kernel_score before = j.score;
    judged_of(&j, TS_REGIME_RANDOM);
    cr_expect(ts_kernel_case_judge(&j.c, &before) && before.worst_element == 2 &&
              before.rho == 0.75);
    cr_expect(before.compared == 2 * COUNT && !before.exact);
    j.got[5] = 0;
    cr_expect(!ts_kernel_case_judge(&j.c, &before) && before.worst_element == 5);
    j.got[5] = (float)j.value[5];
    cr_expect(ts_kernel_case_judge(&j.c, &before) && before.wrong == 1);
}

/* Only what is asked for is compared, and what is no output is not. */
Test(kernel_judge, what_is_compared)
{
    struct judged j;
    uint64_t want[] = {4, 1};
    judged_of(&j, TS_REGIME_RANDOM);
    j.c.operands[2].want = want;
    j.c.operands[2].want_count = 2;
    j.got[0] = j.got[2] = 1e9f;
    cr_expect(ts_kernel_case_judge(&j.c, &j.score) && j.score.compared == 2 && j.score.exact);
    j.got[4] = 1e9f;
    cr_expect(!ts_kernel_case_judge(&j.c, &j.score) && j.score.compared == 4);
    cr_expect(j.score.worst_element == 4, "%s", j.score.worst);
    judged_of(&j, TS_REGIME_RANDOM);
    j.c.operands[2].elements = 0;
    cr_expect(ts_kernel_case_judge(&j.c, &j.score) && j.score.compared == 0);
    judged_of(&j, TS_REGIME_RANDOM);
    j.c.operands[0] = j.c.operands[2];
    j.c.operands[1] = j.c.operands[2];
    cr_expect(ts_kernel_case_judge(&j.c, &j.score) && j.score.compared == COUNT);
}

/* Floats between two, across 0 too; NMSE's sums. */
Test(kernel_judge, distances)
{
    struct judged j;
    judged_of(&j, TS_REGIME_RANDOM);
    j.value[0] = 0;
    j.got[0] = -ldexpf(3, -149);
    j.value[1] = ldexp(1, -149);
    j.got[1] = -ldexpf(1, -149);
    ts_kernel_case_judge(&j.c, &j.score);
    cr_expect(j.score.max_ulp == 3, "%llu", (unsigned long long)j.score.max_ulp);
    judged_of(&j, TS_REGIME_RANDOM);
    j.value[0] = -1;
    j.got[0] = -1 - ldexpf(5, -23);
    j.value[1] = 1;
    j.got[1] = 1 - ldexpf(1, -24);
    ts_kernel_case_judge(&j.c, &j.score);
    cr_expect(j.score.max_ulp == 5);
    double square = 2 + 0.25 * (1 + 1 + 9 + 25); /* -1, 1, -0.5, 0.5, 1.5, 2.5 */
    cr_expect(j.score.square == square, "%g, expected %g", j.score.square, square);
    cr_expect(j.score.error_square == ldexp(25, -46) + ldexp(1, -48));
}

Test(kernel_judge, indices)
{
    struct judged j;
    int32_t right[COUNT] = {3, 0, -1, 2147483647, 5, 6}, got[COUNT];
    judged_of(&j, TS_REGIME_EXACT);
    j.c.operands[2].index = right;
    j.c.operands[2].got = (uint8_t *)got;
    memcpy(got, right, sizeof got);
    cr_expect(ts_kernel_case_judge(&j.c, &j.score) && j.score.compared == COUNT && j.score.exact);
    cr_expect(j.score.rho == 0 && j.score.wrong == 0);
    got[2] = 0;
    got[5] = 7;
    cr_expect(!ts_kernel_case_judge(&j.c, &j.score) && j.score.wrong == 2 && !j.score.exact);
    cr_expect(isinf(j.score.rho) && j.score.worst_element == 2, "%s", j.score.worst);
    cr_expect(strstr(j.score.worst, "0, expected -1") != NULL, "%s", j.score.worst);
}

static void expect_verdict(struct ts_kernel_result result, bool ok, enum ts_kernel_verdict verdict,
                           const char *reason)
{
    ts_kernel_settle(&result, ok);
    cr_expect(result.verdict == verdict, "%s, expected %s", ts_kernel_verdict_name(result.verdict),
              ts_kernel_verdict_name(verdict));
    cr_expect(strstr(result.reason, reason) && !*reason == !*result.reason, "'%s'", result.reason);
    cr_expect(result.over_claimed == (verdict == TS_KERNEL_PASS && result.score.rho < 0.001));
}

Test(kernel_judge, verdicts)
{
    const struct ts_kernel_result passes = {.score = {.compared = 9, .rho = 0.5}};
    struct ts_kernel_result result = {.score = {.exact = true}};
    expect_verdict(result, true, TS_KERNEL_FAIL, "none of the operation's cases reaches it");
    expect_verdict(result, false, TS_KERNEL_FAIL, "");
    result.score.compared = 1;
    expect_verdict(result, true, TS_KERNEL_EXACT, "");
    expect_verdict(result, false, TS_KERNEL_FAIL, "");
    expect_verdict(passes, true, TS_KERNEL_PASS, "");
    expect_verdict(passes, false, TS_KERNEL_FAIL, "");
    result = passes;
    result.recorded = 0.125;
    expect_verdict(result, true, TS_KERNEL_PASS, "");
    result.recorded = 0.124;
    expect_verdict(result, true, TS_KERNEL_MARGINAL, "");
    result = passes;
    result.score.rho = 0.0009;
    expect_verdict(result, true, TS_KERNEL_PASS, "");
    result.score.rho = 0.001;
    expect_verdict(result, true, TS_KERNEL_PASS, "");
}
