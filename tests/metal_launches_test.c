/* How many kernels a decode step launches: each costs about as much as the weights of a small matrix, so
 * a fused operation that silently runs as its parts is a loss of speed that no other test sees. */
#include "tests/support/golden.h"

TestSuite(metal_launches, .fini = test_free_all);

/* Launches of a layer that decodes the token at `position`, at most. */
static unsigned layer_launches(const struct ts_config *c, uint32_t layer, uint64_t position)
{
    /* hc_pre_norm, both first projections, norm, query projection and row, KV row, attention, two output
     * projections; hc_pre_norm, router's product and choice, two of the experts */
    unsigned count = 14;
    uint32_t ratio = c->ratio[layer];
    unsigned emission = ratio > 0 && (position + 1) % ratio == 0;
    if (ratio > 0) {
        count += 1 + emission; /* the compressor's step */
    }
    if (ratio > 0 && ts_config_indexed(c, layer)) {
        count += 1 + emission; /* the indexer's */
        count += 5;            /* projection and row of its query, weights, scores, choice */
    }
    return count;
}

static uint64_t launches_since(struct ts_device *device, bool tell)
{
    struct ts_device_counters counters;
    uint64_t sum = 0;
    ts_device_counters(device, &counters);
    for (unsigned i = 0; i < TS_KERNEL_COUNT; i++) {
        sum += counters.kernel_launches[i];
        if (tell && counters.kernel_launches[i] > 0) {
            cr_log_info("%4llu %s\n", (unsigned long long)counters.kernel_launches[i],
                        ts_kernel_at(i)->function);
        }
    }
    cr_expect(counters.copies == 0 && counters.submits == 1, "%llu copies, %llu submits",
              (unsigned long long)counters.copies, (unsigned long long)counters.submits);
    ts_device_reset_counters(device);
    return sum;
}

struct steps {
    uint64_t prefill, decode;
    bool unfused;
};

/* Decode steps behind a prefill that launch more than they may. */
static unsigned slow_steps(const struct steps *steps)
{
    struct test_golden golden = test_golden_open("topk-q2", "topk-q2");
    struct ts_session_options options = {
        .device = "metal", .context = 256, .unfused = steps->unfused};
    struct ts_error error = {0};
    struct ts_session *session = ts_session_open(golden.model, &options, &error);
    cr_assert(session != NULL, "%s", error.message);
    const struct ts_config *c = &golden.model->config;
    struct ts_device *device = ts_session_device(session);
    unsigned slow = 0;
    cr_assert(golden.count >= steps->prefill + steps->decode);
    cr_assert(ts_session_feed(session, golden.tokens, steps->prefill, &error), "%s", error.message);
    ts_device_reset_counters(device);
    for (uint64_t p = steps->prefill; p < steps->prefill + steps->decode; p++) {
        unsigned most = 3; /* embed, head_collapse, logits */
        for (uint32_t layer = 0; layer < c->layers; layer++) {
            most += layer_launches(c, layer, p);
        }
        cr_assert(ts_session_feed(session, golden.tokens + p, 1, &error), "%s", error.message);
        uint64_t launches = launches_since(device, p == steps->prefill);
        cr_assert(launches > 0);
        cr_log_info("position %llu: %llu launches, at most %u\n", (unsigned long long)p,
                    (unsigned long long)launches, most);
        slow += launches > most;
    }
    ts_session_close(session);
    test_golden_close(&golden);
    return slow;
}

Test(metal_launches, a_decode_step_launches_few_kernels)
{
    /* more blocks than a token may select, and a step that ends a block of 128 */
    cr_expect(slow_steps(&(struct steps){.prefill = 126, .decode = 6}) == 0);
    cr_expect(slow_steps(&(struct steps){.prefill = 1, .decode = 3}) == 0);
}

Test(metal_launches, more_are_noticed)
{
    cr_expect(slow_steps(&(struct steps){.prefill = 1, .decode = 1, .unfused = true}) == 1);
}
