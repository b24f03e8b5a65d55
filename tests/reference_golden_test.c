/* Dense reference operations (norm, RoPE, hyper-connections, round trips) and golden vectors. */
#include "engine/gguf/gguf.h"
#include "tests/support/operand.h"

#include <stdio.h>

TestSuite(reference_golden, .fini = test_free_all);

static struct ts_gguf *gguf;

static void open_golden(void)
{
    struct ts_error error = {0};
    gguf = ts_gguf_open("tests/data/ops.gguf", &error);
    cr_assert(gguf != NULL, "%s", error.message);
}

static const struct ts_gguf_tensor *tensor(const char *name)
{
    const struct ts_gguf_tensor *found = ts_gguf_find_tensor(gguf, name);
    cr_assert(found != NULL, "no tensor %s", name);
    return found;
}

static struct ts_ref_in golden(const char *name)
{
    const struct ts_gguf_tensor *t = tensor(name);
    return (struct ts_ref_in){.data = ts_gguf_tensor_data(gguf, t), .format = t->format};
}

/* Fails if a row is farther than 1e-6 from golden. */
static void near_golden(const double *values, const char *name, uint64_t width)
{
    const float *expected = golden(name).data;
    uint64_t count = tensor(name)->shape[0] * tensor(name)->shape[1];
    double *row = test_reals(width);
    cr_assert(count > 0 && count % width == 0);
    for (uint64_t first = 0; first < count; first += width) {
        for (uint64_t i = 0; i < width; i++) {
            row[i] = (double)expected[first + i];
        }
        double error = test_relative_l2(values + first, row, width);
        cr_assert(error <= 1e-6, "%s, row %llu: relative L2 %g", name,
                  (unsigned long long)(first / width), error);
    }
}

static void same_as_golden(const double *values, const char *name)
{
    const float *expected = golden(name).data;
    uint64_t count = tensor(name)->shape[0] * tensor(name)->shape[1];
    for (uint64_t i = 0; i < count; i++) {
        float value = (float)values[i];
        cr_assert(memcmp(&value, &expected[i], sizeof value) == 0,
                  "%s, element %llu: %.9g, golden %.9g", name, (unsigned long long)i, (double)value,
                  (double)expected[i]);
    }
}

/* Runs an operation with one output of `count` elements. */
static double *run_one(ts_ref_fn *fn, const void *args, const struct ts_ref_in *in, uint64_t count)
{
    struct ts_ref_out out = {.value = test_reals(count)};
    test_run(fn, args, in, &out, NULL);
    test_wanted(fn, args, in, &out, 0, count);
    return out.value;
}

Test(reference_golden, rope)
{
    static const struct {
        const char *name;
        struct ts_rope_policy policy;
    } kinds[2] = {{"plain", {.base = 10000.0, .factor = 1.0}},
                  {"yarn", {160000.0, 16.0, 65536.0, 32.0, 1.0}}};
    open_golden();
    const int32_t *positions = golden("rope.positions").data;
    for (int k = 0; k < 2; k++) {
        char in_name[32], out_name[32], inverse_name[32];
        snprintf(in_name, sizeof in_name, "rope.%s.in", kinds[k].name);
        snprintf(out_name, sizeof out_name, "rope.%s.out", kinds[k].name);
        snprintf(inverse_name, sizeof inverse_name, "rope.%s.inverse", kinds[k].name);
        float frequencies[32];
        ts_rope_frequencies(&kinds[k].policy, 64, frequencies);
        double *angles = test_reals(17 * 64);
        for (int t = 0; t < 17; t++) {
            ts_rope_angles(frequencies, 64, (uint64_t)positions[t], 1, 1, angles + 64 * t);
        }
        struct ts_ref_in in[] = {golden(in_name), test_in(angles)};
        struct ts_rope_args args = {.tokens = 17, .heads = 1, .width = 64, .rotary = 64};
        near_golden(run_one(ts_ref_rope, &args, in, 17 * 64), out_name, 64);
        args.inverse = 1;
        near_golden(run_one(ts_ref_rope, &args, in, 17 * 64), inverse_name, 64);
    }
    ts_gguf_close(gguf);
}

/* The golden inputs are float32 numbers; as float64 operands they must give the same bits. */
Test(reference_golden, round_trips_are_bit_exact)
{
    open_golden();
    struct ts_fp8_round_args fp8 = {.rows = 24, .width = 448, .rounded = 448};
    struct ts_fp4_round_args fp4 = {.rows = 24, .width = 128};
    for (int wide = 0; wide < 2; wide++) {
        struct ts_ref_in in8 = golden("fp8.in"), in4 = golden("fp4.in");
        if (wide) {
            double *copy8 = test_reals(24 * 448), *copy4 = test_reals(24 * 128);
            for (int i = 0; i < 24 * 448; i++) {
                copy8[i] = (double)((const float *)in8.data)[i];
            }
            for (int i = 0; i < 24 * 128; i++) {
                copy4[i] = (double)((const float *)in4.data)[i];
            }
            in8 = test_in(copy8);
            in4 = test_in(copy4);
        }
        same_as_golden(run_one(ts_ref_fp8_round, &fp8, &in8, 24 * 448), "fp8.out");
        same_as_golden(run_one(ts_ref_fp4_round, &fp4, &in4, 24 * 128), "fp4.out");
    }
    ts_gguf_close(gguf);
}

Test(reference_golden, hadamard)
{
    open_golden();
    struct ts_hadamard_args args = {.rows = 8, .width = 128};
    struct ts_ref_in in = golden("hadamard.in");
    near_golden(run_one(ts_ref_hadamard, &args, &in, 8 * 128), "hadamard.out", 128);
    ts_gguf_close(gguf);
}

Test(reference_golden, hyper_connection)
{
    enum { T = 12, S = 4, W = 512 };
    open_golden();
    struct ts_hc_mix_args mix_args = {T, W, S, S * (2 + S), 1e-6f};
    struct ts_ref_in mix_in[] = {golden("hc.streams"), golden("hc.fn")};
    double *mix = run_one(ts_ref_hc_mix, &mix_args, mix_in, (uint64_t)T * 24);
    near_golden(mix, "hc.mixes", 24);

    struct ts_hc_weights_args args = {T, S, 20, 1e-6f};
    struct ts_ref_in in[] = {test_in(mix), golden("hc.base"), golden("hc.scale")};
    struct ts_ref_out out[3] = {{.value = test_reals(T * S)},
                                {.value = test_reals(T * S)},
                                {.value = test_reals(T * S * S)}};
    test_run(ts_ref_hc_weights, &args, in, out, NULL);
    near_golden(out[0].value, "hc.pre", S);
    near_golden(out[1].value, "hc.post", S);
    near_golden(out[2].value, "hc.comb", S * S);
    for (unsigned i = 0; i < 3; i++) {
        test_wanted(ts_ref_hc_weights, &args, in, out, i, (uint64_t)T * S * (i == 2 ? S : 1));
    }

    struct ts_hc_reduce_args reduce = {T, W, S};
    struct ts_ref_in reduce_in[] = {golden("hc.streams"), test_in(out[0].value)};
    near_golden(run_one(ts_ref_hc_reduce, &reduce, reduce_in, (uint64_t)T * W), "hc.reduced", W);

    struct ts_hc_expand_args expand = {T, W, S};
    struct ts_ref_in expand_in[] = {golden("hc.sublayer"), golden("hc.streams"),
                                    test_in(out[1].value), test_in(out[2].value)};
    double *expanded = run_one(ts_ref_hc_expand, &expand, expand_in, (uint64_t)T * S * W);
    near_golden(expanded, "hc.expanded", (uint64_t)S * W);
    ts_gguf_close(gguf);
}
