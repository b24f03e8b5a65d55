#include "reference/budget.h"
#include "reference/sigmoid.h"

bool ts_ref_head_weights(const void *args, const struct ts_ref_in *in, struct ts_ref_out *out,
                         const struct ts_ref_claim *claim, struct ts_pool *pool,
                         struct ts_error *error)
{
    const struct ts_head_weights_args *a = args;
    uint64_t outputs = (uint64_t)a->tokens * a->streams;
    struct ts_budget budget = {0.0, 0.0, 0.0, 0.0, 0.0};
    double scale;
    (void)pool;
    (void)error;
    if (out->err) {
        budget = ts_budget_of(claim, outputs);
    }
    ts_ref_load(&in[2], 0, 1, &scale);
    for (uint64_t i = 0; i < ts_want_count(out, outputs); i++) {
        uint64_t element = ts_want_at(out, i);
        double mix = ts_ref_real(&in[0], element), base;
        ts_ref_load(&in[1], element % a->streams, 1, &base);
        double z = mix * scale + base;
        out->value[element] = ts_ref_sigmoid(z) + (double)a->epsilon;
        if (out->err) {
            double carried = ts_ref_carried(&in[0], element);
            double z_error = ts_gate_input_error(mix, scale, base, carried, &budget);
            out->err[element] = ts_gate_error(z, z_error, 1.0, (double)a->epsilon, &budget);
        }
    }
    return true;
}
