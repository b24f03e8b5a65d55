/* Choices of the router that the arithmetic leaves open. An expert is wrong only if its score lies below
 * the least that was rightly chosen by more than both may be off (design: index results). */
#include "engine/check/kernel_case.h"

#include "reference/quant.h"
#include "reference/reference.h"

#include <math.h>
#include <string.h>

enum { LOGITS, BIAS, IDS, WEIGHTS };

struct route {
    const struct ts_router_top_k_args *a;
    struct ts_kernel_case *c;
    struct ts_ref_claim claim;
    uint64_t token;
};

static double score_of(const struct route *r, int32_t id, double *error)
{
    const struct ts_kernel_operand *bias = &r->c->operands[BIAS];
    double value = 0;
    double logit = r->c->operands[LOGITS].reals[r->token * r->a->experts + (uint64_t)id];
    ts_decode_range(bias->format, bias->weights, (uint64_t)id, 1, &value);
    return ts_ref_route_score(logit, value, &r->claim, error);
}

static bool repeats(const int32_t *ids, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        if (ids[i] == ids[count]) {
            return true;
        }
    }
    return false;
}

/* Distinct experts, each as good as the one that the reference has in its place. */
static bool is_open(const struct route *r, const int32_t *got, const int32_t *want)
{
    for (uint32_t i = 0; i < r->a->used; i++) {
        double error = 0, want_error = 0;
        if (got[i] < 0 || (uint32_t)got[i] >= r->a->experts || repeats(got, i)) {
            return false;
        }
        double score = score_of(r, got[i], &error), least = score_of(r, want[i], &want_error);
        if (got[i] != want[i] && !(fabs(score - least) <= error + want_error)) {
            return false;
        }
    }
    return true;
}

/* These experts in place of the reference's, with the weights that they have. */
static void take(const struct route *r, const int32_t *got)
{
    const struct ts_router_top_k_args *a = r->a;
    struct ts_kernel_operand *weights = &r->c->operands[WEIGHTS];
    const struct ts_ref_in logits = {.data = r->c->operands[LOGITS].reals, .format = TS_F64};
    memcpy(r->c->operands[IDS].index + r->token * a->used, got, a->used * sizeof *got);
    ts_ref_route_weights(a, &logits, r->token, got, &r->claim, weights->value + r->token * a->used,
                         weights->err + r->token * a->used);
}

void ts_kernel_case_settle_routes(struct ts_kernel_case *c)
{
    struct route r = {.a = c->args, .c = c};
    r.claim =
        (struct ts_ref_claim){c->claim.u_in, c->claim.u_acc, c->claim.u_out, c->claim.short_chain};
    if (c->op != TS_OP_router_top_k) {
        return;
    }
    for (r.token = 0; r.token < r.a->tokens; r.token++) {
        const int32_t *want = c->operands[IDS].index + r.token * r.a->used;
        const int32_t *got =
            (const int32_t *)(const void *)c->operands[IDS].got + r.token * r.a->used;
        if (memcmp(got, want, r.a->used * sizeof *got) != 0 && is_open(&r, got, want)) {
            take(&r, got);
        }
    }
}
