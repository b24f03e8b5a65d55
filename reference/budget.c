#include "reference/budget.h"

uint64_t ts_want_find(const struct ts_ref_out *out, uint64_t element)
{
    if (!out->want) {
        return element;
    }
    uint64_t low = 0, high = out->want_count;
    while (low < high) {
        uint64_t middle = low + (high - low) / 2;
        if (out->want[middle] < element) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

bool ts_want_any(const struct ts_ref_out *out, uint64_t begin, uint64_t end)
{
    if (!out->want) {
        return begin < end;
    }
    uint64_t i = ts_want_find(out, begin);
    return i < out->want_count && out->want[i] < end;
}

double ts_lambda(uint64_t outputs)
{
    return sqrt(2.0 * log(2.0 * (double)(outputs > 0 ? outputs : 1) / 1e-6));
}

struct ts_budget ts_budget_of(const struct ts_ref_claim *claim, uint64_t outputs)
{
    struct ts_budget budget = {claim->u_in, claim->u_acc, claim->u_out, ts_lambda(outputs),
                               claim->short_chain};
    return budget;
}
