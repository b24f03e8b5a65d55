/* RoPE tables: frequencies to the bit, angles up to the last position, no magnitude, one policy a
 * layer. */
#include "tests/support/golden.h"

TestSuite(rope, .fini = test_free_all);

enum { ROTARY = 64, PAIRS = ROTARY / 2 };

static const struct ts_rope_policy plain = {.base = 10000, .factor = 1};
static const struct ts_rope_policy yarn = {
    .base = 160000, .factor = 16, .original_context = 65536, .beta_fast = 32, .beta_slow = 1};

/* Spec 2.6: the float32 bit patterns. */
static const uint32_t plain_bits[PAIRS] = {
    0x3f800000, 0x3f3ff911, 0x3f0ff59a, 0x3ed7e89b, 0x3ea1e89b, 0x3e72d423, 0x3e361887, 0x3e088d77,
    0x3dcccccd, 0x3d99940d, 0x3d6655c2, 0x3d2cba15, 0x3d0186e3, 0x3cc2434f, 0x3c91ad39, 0x3c5a7bf2,
    0x3c23d70a, 0x3bf5b9b0, 0x3bb8449c, 0x3b8a2e77, 0x3b4f3e38, 0x3b1b690d, 0x3ae91528, 0x3aaec98e,
    0x3a83126f, 0x3a44948c, 0x3a136a16, 0x39dd1725, 0x39a5cb60, 0x3978a815, 0x393a7753, 0x390bd472};
static const uint32_t yarn_bits[PAIRS] = {
    0x3f800000, 0x3f300a3a, 0x3ef21c1f, 0x3ea67d01, 0x3e64f92e, 0x3e1d7475, 0x3dd88cb4, 0x3d94e963,
    0x3d4ccccd, 0x3d0cd4fb, 0x3cc1b019, 0x3c8530ce, 0x3c372dbf, 0x3bfbed88, 0x3bad3d5e, 0x3b6e4237,
    0x3b147ae1, 0x3ab714e0, 0x3a5ebdb6, 0x3a0530ce, 0x399bb3af, 0x39305978, 0x38be904d, 0x383e9b5f,
    0x37a3d70c, 0x36b443d0, 0x3677eba6, 0x362a7be8, 0x35ea77ff, 0x35a13bdc, 0x355dbf30, 0x35187c4d};

static unsigned differing(const float *frequencies, const uint32_t *bits)
{
    unsigned count = 0;
    for (unsigned k = 0; k < PAIRS; k++) {
        uint32_t found;
        memcpy(&found, &frequencies[k], sizeof found);
        count += found != bits[k];
    }
    return count;
}

Test(rope, frequencies_have_the_official_bits)
{
    float frequencies[PAIRS];
    ts_rope_frequencies(&plain, ROTARY, frequencies);
    cr_assert(differing(frequencies, plain_bits) == 0, "%u plain ones differ",
              differing(frequencies, plain_bits));
    ts_rope_frequencies(&yarn, ROTARY, frequencies);
    cr_assert(differing(frequencies, yarn_bits) == 0, "%u compressed ones differ",
              differing(frequencies, yarn_bits));
    for (unsigned k = 0; k < PAIRS; k++) { /* what others compute is found out */
        frequencies[k] = (float)pow(10000.0, -2.0 * k / ROTARY);
    }
    cr_assert(differing(frequencies, plain_bits) >= 5, "a rounded float64 power has the same bits");
}

/* Every model of tests/data asks for these two policies; a policy without a factor is plain. */
Test(rope, policies_of_the_models)
{
    static const char *const models[] = {"tiny-q2", "topk-q2"};
    float frequencies[PAIRS];
    for (int i = 0; i < 2; i++) {
        struct test_golden golden = test_golden_open(models[i], models[i]);
        ts_rope_frequencies(&golden.model->config.rope_plain, ROTARY, frequencies);
        cr_assert(differing(frequencies, plain_bits) == 0, "%s: plain", models[i]);
        ts_rope_frequencies(&golden.model->config.rope_compressed, ROTARY, frequencies);
        cr_assert(differing(frequencies, yarn_bits) == 0, "%s: compressed", models[i]);
        test_golden_close(&golden);
    }
    struct ts_rope_policy unscaled = yarn;
    unscaled.base = 10000;
    for (int factor = 0; factor <= 1; factor++) {
        unscaled.factor = factor;
        ts_rope_frequencies(&unscaled, ROTARY, frequencies);
        cr_assert(differing(frequencies, plain_bits) == 0, "factor %d", factor);
    }
}

/* Edges of float32, of the window and of the context, and random positions between. */
static uint64_t position_at(struct ts_rng *rng, unsigned i)
{
    static const uint64_t edges[] = {0,      1,      2,       3,      127,    128,
                                     129,    4095,   65535,   65536,  131072, 524287,
                                     524288, 999999, 1048574, 1048575};
    enum { EDGES = sizeof edges / sizeof edges[0] };
    return i < EDGES ? edges[i] : ts_rng_below(rng, 1048576);
}

/* cos and sin of ONE float32 product, by the long double functions; and no magnitude: the pair lies
 * on the unit circle, where YaRN's mscale would put it at 1.277. */
Test(rope, angles)
{
    struct ts_rng rng;
    double worst = 0, worst_radius = 0, doubled = 0;
    ts_rng_seed(&rng, 1);
    for (unsigned i = 0; i < 600; i++) {
        uint64_t position = position_at(&rng, i);
        float frequencies[PAIRS];
        double angles[ROTARY];
        ts_rope_frequencies(i % 2 ? &yarn : &plain, ROTARY, frequencies);
        ts_rope_angles(frequencies, ROTARY, position, 1, 1, angles);
        for (unsigned k = 0; k < PAIRS; k++) {
            float product = (float)position * frequencies[k];
            long double a = (long double)product;
            double c = angles[2 * k], s = angles[2 * k + 1];
            double error = (double)fmaxl(fabsl(c - cosl(a)), fabsl(s - sinl(a)));
            worst = error > worst ? error : worst;
            worst_radius = fmax(worst_radius, fabs(c * c + s * s - 1));
            doubled = fmax(doubled, fabs(c - cos((double)position * (double)frequencies[k])));
        }
    }
    cr_assert(worst <= 1.2e-16, "an angle is off by %g", worst);
    cr_assert(worst_radius <= 5e-16, "a radius is off by %g", worst_radius);
    /* a float64 product is another angle: the comparison above would see it */
    cr_assert(doubled > 1e-3, "products in float64 differ by %g only", doubled);
}

Test(rope, rows_of_angles)
{
    float frequencies[PAIRS];
    double rows[9 * ROTARY], row[ROTARY];
    ts_rope_frequencies(&yarn, ROTARY, frequencies);
    for (uint64_t step = 1; step <= 128; step *= 2) {
        ts_rope_angles(frequencies, ROTARY, 1000, step, 9, rows);
        for (uint64_t i = 0; i < 9; i++) {
            ts_rope_angles(frequencies, ROTARY, 1000 + i * step, 1, 1, row);
            test_same(rows + i * ROTARY, row, ROTARY, "step", step);
        }
    }
}

/* ---- one policy a layer ---------------------------------------------------------------------- */

/* Worst difference of the rotated dims of q and of window rows from the trace, by layer. */
struct rotated {
    const struct test_golden *golden;
    double worst[8];
    uint64_t compared[8];
};

static bool compare_rotated(void *context, const struct ts_tap_event *event, struct ts_error *error)
{
    struct rotated *rotated = context;
    const struct ts_gguf *trace = rotated->golden->trace;
    uint64_t head = rotated->golden->model->config.head_width, column = 0;
    (void)error;
    if (event->tap != TS_TAP_attn_q && event->tap != TS_TAP_attn_kv) {
        return true;
    }
    char name[64];
    snprintf(name, sizeof name, "blk.%u.%s", event->layer, ts_tap_name(event->tap));
    const struct ts_gguf_tensor *tensor = ts_gguf_find_tensor(trace, name);
    const struct ts_gguf_key *positions = ts_gguf_find_key(trace, "golden.positions");
    cr_assert(tensor != NULL && positions != NULL && tensor->shape[0] == event->width);
    const float *golden = ts_gguf_tensor_data(trace, tensor);
    for (uint64_t i = 0; i < positions->count; i++, column++) {
        uint64_t position = 0;
        cr_assert(ts_gguf_array_u64(positions, i, &position));
        if (position < event->first || position >= event->first + event->rows) {
            continue;
        }
        for (uint64_t h = 0; h < event->width; h += head) {
            double row[ROTARY], expected[ROTARY];
            uint64_t place = h + head - ROTARY;
            ts_slice_read(event->slice, (position - event->first) * event->width + place, ROTARY,
                          row);
            for (unsigned k = 0; k < ROTARY; k++) {
                expected[k] = (double)golden[column * event->width + place + k];
            }
            double off = test_relative_l2(row, expected, ROTARY);
            rotated->worst[event->layer] = fmax(rotated->worst[event->layer], off);
            rotated->compared[event->layer]++;
        }
    }
    return true;
}

static struct rotated run_rotated(const struct test_golden *golden)
{
    struct rotated rotated = {.golden = golden};
    struct ts_session_options options = {.context = 64};
    struct ts_session *session = test_session_open(golden->model, options);
    ts_session_set_tap(session, compare_rotated, &rotated);
    test_feed(session, golden->tokens, 64);
    ts_session_close(session);
    for (uint32_t layer = 0; layer < golden->model->config.layers; layer++) {
        cr_assert(rotated.compared[layer] == 10 * (1 + golden->model->config.heads), "layer %u",
                  layer);
    }
    return rotated;
}

/* Layer 0 is plain, the others are compressed: each follows its own policy, and only that. */
Test(rope, policy_follows_the_layer)
{
    struct test_golden golden = test_golden_open("tiny-q2", "tiny-q2");
    struct ts_config *config = &golden.model->config;
    struct ts_rope_policy plain_policy = config->rope_plain, other = config->rope_compressed;
    struct rotated right = run_rotated(&golden);
    for (uint32_t layer = 0; layer < config->layers; layer++) {
        cr_assert(right.worst[layer] <= 1e-6, "layer %u: %g", layer, right.worst[layer]);
    }
    config->rope_plain = other;
    struct rotated all_yarn = run_rotated(&golden);
    cr_assert(all_yarn.worst[0] > 0.1, "layer 0 ignores the plain policy");
    config->rope_plain = plain_policy;
    config->rope_compressed = plain_policy;
    struct rotated all_plain = run_rotated(&golden);
    cr_assert(all_plain.worst[0] == right.worst[0], "layer 0 follows the other policy");
    for (uint32_t layer = 1; layer < config->layers; layer++) {
        cr_assert(all_plain.worst[layer] > 0.1, "layer %u: %g", layer, all_plain.worst[layer]);
    }
    test_golden_close(&golden);
}
