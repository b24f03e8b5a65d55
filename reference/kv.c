/* Reference of the window's ring (spec 2.7). */
#include "reference/row.h"

bool ts_ref_ring_store(const void *args, const struct ts_ref_in *in, struct ts_ref_out *out,
                       const struct ts_ref_claim *claim, struct ts_pool *pool,
                       struct ts_error *error)
{
    const struct ts_ring_store_args *a = args;
    (void)pool;
    if (a->capacity == 0) {
        return ts_fail(error, TS_ERR_INPUT, NULL, "ring_store: a ring of 0 rows");
    }
    struct ts_budget budget = {0};
    if (out[0].err) {
        budget = ts_budget_of(claim, (uint64_t)a->capacity * a->width);
    }
    /* Of rows that share a slot only the last may be stored. */
    for (uint64_t t = a->tokens > a->capacity ? a->tokens - a->capacity : 0; t < a->tokens; t++) {
        uint64_t from = t * a->width, to = (a->position + t) % a->capacity * a->width;
        for (uint64_t c = 0; c < a->width; c++) {
            double r = ts_ref_real(&in[0], from + c);
            out[0].value[to + c] = r;
            if (out[0].err) {
                out[0].err[to + c] =
                    ts_budget_error(&budget, r, 0, fabs(r), ts_ref_carried(&in[0], from + c));
            }
        }
    }
    return true;
}
