/* Is what the device made within its budget? */
#include "engine/check/kernel_case.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* Floats between a and b, which are finite. */
static uint64_t ulps(float a, float b)
{
    int32_t x, y;
    memcpy(&x, &a, sizeof x);
    memcpy(&y, &b, sizeof y);
    int64_t from = x < 0 ? INT32_MIN - (int64_t)x : x, to = y < 0 ? INT32_MIN - (int64_t)y : y;
    return (uint64_t)(from > to ? from - to : to - from);
}

static void note(const struct ts_kernel_case *c, struct ts_kernel_score *score, unsigned place,
                 uint64_t element, const char *values)
{
    score->worst_case = c->index;
    score->worst_regime = c->regime;
    score->worst_operand = c->info->operands[place].name;
    score->worst_element = element;
    int length = snprintf(score->worst, sizeof score->worst, "case %u, %s", c->index,
                          ts_regime_name(c->regime));
    if (c->regime >= TS_REGIME_EXTREME) {
        length += snprintf(score->worst + length, sizeof score->worst - (size_t)length, " %u",
                           c->variant);
    }
    snprintf(score->worst + length, sizeof score->worst - (size_t)length, ": %s[%llu]: %s",
             score->worst_operand, (unsigned long long)element, values);
}

static void judge_index(const struct ts_kernel_case *c, unsigned place,
                        struct ts_kernel_score *score)
{
    const struct ts_kernel_operand *o = &c->operands[place];
    for (uint64_t i = 0; i < o->elements; i++) {
        int32_t got;
        memcpy(&got, o->got + i * sizeof got, sizeof got);
        score->compared++;
        if (got == o->index[i]) {
            continue;
        }
        if (score->wrong == 0) {
            char text[64];
            snprintf(text, sizeof text, "%d, expected %d", got, o->index[i]);
            note(c, score, place, i, text);
        }
        score->wrong++;
        score->exact = false;
        score->rho = INFINITY;
    }
}

/* |y - r| in budgets; infinite where it cannot be right. A budget of 0, or none (NaN), asks for the float
 * itself. */
static double rho_of(float y, double r, double e, bool exact)
{
    float stored = (float)r;
    if (isnan(r) || isnan(y)) {
        return isnan(r) && isnan(y) ? 0 : INFINITY;
    }
    if (isinf(stored) || isinf(y) || exact || !(e > 0)) {
        return y == stored ? 0 : INFINITY;
    }
    return fabs((double)y - r) / e;
}

/* NaN without a sign, which says nothing. */
static double shown(double x)
{
    return isnan(x) ? (double)NAN : x;
}

static void judge_real(const struct ts_kernel_case *c, unsigned place,
                       struct ts_kernel_score *score)
{
    const struct ts_kernel_operand *o = &c->operands[place];
    bool exact = c->regime == TS_REGIME_EXACT;
    uint64_t count = o->want ? o->want_count : o->elements;
    for (uint64_t i = 0; i < count; i++) {
        uint64_t element = o->want ? o->want[i] : i;
        float y;
        memcpy(&y, o->got + element * sizeof y, sizeof y);
        double r = o->value[element], e = o->err[element];
        double rho = rho_of(y, r, e, exact);
        score->compared++;
        if (isfinite(r) && isfinite(y)) {
            uint64_t distance = ulps(y, (float)r);
            score->max_ulp = distance > score->max_ulp ? distance : score->max_ulp;
            score->square += r * r;
            score->error_square += ((double)y - r) * ((double)y - r);
        }
        score->exact = score->exact && (y == (float)r || (isnan(y) && isnan(r)));
        /* the first that is wrong, or else the worst */
        if (score->wrong == 0 && (!(rho <= 1) || rho > score->rho)) {
            char text[96];
            snprintf(text, sizeof text, "%.9g, reference %.9g, budget %.3g", shown((double)y),
                     shown(r), shown(e));
            note(c, score, place, element, text);
        }
        score->rho = rho > score->rho ? rho : score->rho;
        score->wrong += !(rho <= 1);
    }
}

bool ts_kernel_case_judge(const struct ts_kernel_case *c, struct ts_kernel_score *score)
{
    uint64_t before = score->wrong;
    for (unsigned i = 0; i < c->info->operand_count; i++) {
        enum ts_operand_kind kind = c->info->operands[i].kind;
        if (ts_operand_is_written(kind) && kind != TS_OPERAND_TMP && c->operands[i].elements > 0) {
            (c->operands[i].index ? judge_index : judge_real)(c, i, score);
        }
    }
    return score->wrong == before;
}
