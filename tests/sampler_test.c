/* The sampler against exact distributions, computed here from a full sort. */
#include "base/rng.h"
#include "engine/session/sampler.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { SMALL = 40, DRAWS = 200000, REAL = 129280 };

static struct ts_error error;

/* Logits [vocab] with a spread of `scale`; some of them equal, and one -Inf if there is room. */
static void fill(double *logits, uint32_t vocab, double scale, uint64_t seed)
{
    struct ts_rng rng;
    ts_rng_seed(&rng, seed);
    for (uint32_t i = 0; i < vocab; i++) {
        logits[i] = i % 5 == 4 ? logits[i - 1] : scale * ts_rng_gauss(&rng);
    }
    if (vocab > 10) {
        logits[7] = -INFINITY;
    }
}

static const double *sorting;

static int by_logit(const void *a, const void *b)
{
    int32_t x = *(const int32_t *)a, y = *(const int32_t *)b;
    if (sorting[x] != sorting[y]) {
        return sorting[x] > sorting[y] ? -1 : 1;
    }
    return x < y ? -1 : 1;
}

static void sort_ids(const double *logits, uint32_t vocab, int32_t *ids)
{
    for (uint32_t i = 0; i < vocab; i++) {
        ids[i] = (int32_t)i;
    }
    sorting = logits;
    qsort(ids, vocab, sizeof *ids, by_logit);
}

/* The definition in sampler.h, step by step on explicit probabilities: how many are kept. */
static uint32_t exact(const struct ts_sampling *s, const double *logits, uint32_t vocab,
                      double *probability)
{
    int32_t ids[SMALL];
    double p[SMALL], sum = 0;
    sort_ids(logits, vocab, ids);
    uint32_t kept = s->top_k > 0 && s->top_k < vocab ? s->top_k : vocab;
    for (uint32_t i = 0; i < kept; i++) {
        sum += p[i] = exp(logits[ids[i]]);
    }
    for (uint32_t i = 0; i < kept; i++) {
        p[i] /= sum;
    }
    if (s->top_p < 1) {
        uint32_t n = 0;
        for (sum = 0; n < kept && (n == 0 || sum < s->top_p); n++) {
            sum += p[n];
        }
        kept = n;
    }
    while (kept > 1 && p[kept - 1] < s->min_p * p[0]) {
        kept--;
    }
    memset(probability, 0, vocab * sizeof *probability);
    sum = 0;
    for (uint32_t i = 0; i < kept; i++) {
        sum += probability[ids[i]] = pow(p[i], 1 / s->temperature);
    }
    for (uint32_t i = 0; i < vocab; i++) {
        probability[i] /= sum;
    }
    return kept;
}

/* Chi-square of the counts, with tokens that are expected less than 5 times in one class, in
 * standard deviations above its mean (Wilson and Hilferty). Infinite if a token was drawn that
 * must not be. */
static double excess(const uint32_t *counts, const double *probability, uint32_t vocab)
{
    double chi = 0, rare = 0, rare_count = 0;
    int classes = 0;
    for (uint32_t i = 0; i < vocab; i++) {
        double expected = probability[i] * DRAWS;
        if (expected == 0 && counts[i] > 0) {
            return INFINITY;
        }
        if (expected < 5) {
            rare += expected;
            rare_count += counts[i];
            continue;
        }
        chi += (counts[i] - expected) * (counts[i] - expected) / expected;
        classes++;
    }
    if (rare > 0.5) {
        chi += (rare_count - rare) * (rare_count - rare) / rare;
        classes++;
    }
    if (classes < 2) {
        return 0;
    }
    double v = 2.0 / (9.0 * (classes - 1));
    return (cbrt(chi / (classes - 1)) - (1 - v)) / sqrt(v);
}

static void draw(const struct ts_sampling *sampling, const double *logits, uint32_t *counts)
{
    struct ts_sampler *sampler = ts_sampler_open(sampling, SMALL, &error);
    cr_assert(sampler, "%s", error.message);
    memset(counts, 0, SMALL * sizeof *counts);
    for (int i = 0; i < DRAWS; i++) {
        int32_t id = -1;
        cr_assert(ts_sampler_next(sampler, logits, &id, &error), "%s", error.message);
        cr_assert(id >= 0 && id < SMALL);
        counts[id]++;
    }
    ts_sampler_close(sampler);
}

static const struct ts_sampling settings[] = {
    {1, 0, 1, 0, 11},       {0.7, 0, 1, 0, 12},      {1.6, 0, 1, 0, 13},
    {1, 5, 1, 0, 14},       {0.6, 8, 1, 0, 15},      {1, 0, 0.9, 0, 16},
    {1.5, 0, 0.6, 0, 17},   {1, 0, 0, 0, 18},        {1, 0, 1, 0.05, 19},
    {1.4, 0, 1, 0.2, 20},   {1, 20, 0.8, 0, 21},     {1, 20, 1, 0.1, 22},
    {2, 0, 0.95, 0.05, 23}, {0.8, 12, 0.9, 0.1, 24}, {0.5, 39, 0.999, 0.001, 25},
    {1, 1, 1, 0, 26},       {3, 100, 1, 0, 27},      {1, 0, 1, 1, 28},
};
enum { SETTINGS = sizeof settings / sizeof settings[0] };

Test(sampler, distributions_are_exact)
{
    for (size_t s = 0; s < SETTINGS; s++) {
        double logits[SMALL], probability[SMALL];
        uint32_t counts[SMALL], drawn = 0;
        fill(logits, SMALL, 1.5, 100 + s);
        uint32_t kept = exact(&settings[s], logits, SMALL, probability);
        draw(&settings[s], logits, counts);
        for (uint32_t i = 0; i < SMALL; i++) {
            drawn += counts[i] > 0;
        }
        double deviations = excess(counts, probability, SMALL);
        cr_expect(deviations < 4, "setting %zu (seed %llu): chi-square %.1f deviations above", s,
                  (unsigned long long)settings[s].seed, deviations);
        cr_expect(drawn <= kept, "setting %zu: %u tokens drawn, %u kept", s, drawn, kept);
    }
}

/* The same statistic must see a wrong temperature, and each filter missing or off by little. */
Test(sampler, wrong_distributions_are_seen)
{
    static const struct {
        struct ts_sampling used, claimed;
    } cases[] = {
        {{1, 0, 1, 0, 31}, {1.05, 0, 1, 0, 0}},   {{1, 5, 1, 0, 32}, {1, 6, 1, 0, 0}},
        {{1, 6, 1, 0, 33}, {1, 5, 1, 0, 0}},      {{1, 0, 0.9, 0, 34}, {1, 0, 0.85, 0, 0}},
        {{1, 0, 0.85, 0, 35}, {1, 0, 0.9, 0, 0}}, {{1, 0, 1, 0.1, 36}, {1, 0, 1, 0.2, 0}},
        {{1, 0, 1, 0.2, 37}, {1, 0, 1, 0.1, 0}},
    };
    for (size_t c = 0; c < sizeof cases / sizeof cases[0]; c++) {
        double logits[SMALL], probability[SMALL];
        uint32_t counts[SMALL];
        fill(logits, SMALL, 1.5, 200);
        exact(&cases[c].claimed, logits, SMALL, probability);
        draw(&cases[c].used, logits, counts);
        double deviations = excess(counts, probability, SMALL);
        cr_expect(deviations > 10, "case %zu: only %.1f deviations", c, deviations);
    }
}

Test(sampler, filters_come_before_the_temperature)
{
    /* probabilities 0.6, 0.3, 0.1: top-p 0.8 keeps two at any temperature; applied to the tempered
     * softmax it would keep all three here */
    const double logits[3] = {log(0.6), log(0.3), log(0.1)};
    struct ts_sampling sampling = {100, 0, 0.8, 0, 5};
    struct ts_sampler *sampler = ts_sampler_open(&sampling, 3, &error);
    int counts[3] = {0, 0, 0};
    for (int i = 0; i < 1000; i++) {
        int32_t id = -1;
        cr_assert(ts_sampler_next(sampler, logits, &id, &error));
        counts[id]++;
    }
    cr_expect(counts[0] > 400 && counts[1] > 400 && counts[2] == 0, "%d %d %d", counts[0],
              counts[1], counts[2]);
    ts_sampler_close(sampler);
}

static void sequence(struct ts_sampler *sampler, const double *logits, int32_t *ids, int count)
{
    for (int i = 0; i < count; i++) {
        cr_assert(ts_sampler_next(sampler, logits, &ids[i], &error), "%s", error.message);
    }
}

Test(sampler, the_seed_gives_the_sequence)
{
    enum { N = 200 };
    double logits[SMALL];
    fill(logits, SMALL, 2, 41);
    for (size_t s = 0; s < SETTINGS; s += 3) {
        int32_t first[N], second[N], other[N];
        struct ts_sampling sampling = settings[s];
        struct ts_sampler *sampler = ts_sampler_open(&sampling, SMALL, &error);
        sequence(sampler, logits, first, N);
        ts_sampler_reset(sampler, sampling.seed);
        sequence(sampler, logits, second, N);
        cr_expect(memcmp(first, second, sizeof first) == 0, "setting %zu after a reset", s);
        ts_sampler_close(sampler);
        sampler = ts_sampler_open(&sampling, SMALL, &error);
        sequence(sampler, logits, second, N);
        cr_expect(memcmp(first, second, sizeof first) == 0, "setting %zu in a new sampler", s);
        ts_sampler_reset(sampler, sampling.seed + 1);
        sequence(sampler, logits, other, N);
        cr_expect(sampling.top_k == 1 || memcmp(first, other, sizeof first) != 0,
                  "setting %zu with another seed", s);
        ts_sampler_close(sampler);
    }
}

Test(sampler, greedy_takes_the_first_of_the_largest)
{
    double logits[] = {-INFINITY, -2, 3, 3, 1, 3};
    struct ts_sampling sampling = {0, 3, 0.1, 0.5, 1};
    int32_t id = -1;
    struct ts_sampler *sampler = ts_sampler_open(&sampling, 6, &error);
    cr_assert(ts_sampler_next(sampler, logits, &id, &error));
    cr_expect_eq(id, 2);
    ts_sampler_close(sampler);
    /* a temperature that leaves only the largest, and filters that cut between equal logits */
    static const struct ts_sampling narrow[] = {
        {1, 1, 1, 0, 2}, {1, 0, 0, 0, 3}, {1e-300, 1, 1, 0, 4}, {5e-324, 0, 0.2, 0, 5}};
    for (size_t s = 0; s < sizeof narrow / sizeof narrow[0]; s++) {
        sampler = ts_sampler_open(&narrow[s], 6, &error);
        for (int i = 0; i < 100; i++) {
            cr_assert(ts_sampler_next(sampler, logits, &id, &error));
            cr_expect_eq(id, 2, "setting %zu drew %d", s, id);
        }
        ts_sampler_close(sampler);
    }
}

Test(sampler, refuses_what_has_no_distribution)
{
    static const struct {
        double bad;
        uint32_t at;
        const char *says;
    } cases[] = {{NAN, 0, "logit 0 of 6 is NaN"},
                 {NAN, 5, "logit 5 of 6 is NaN"},
                 {INFINITY, 3, "logit 3 of 6 is infinite"}};
    for (int temperature = 0; temperature < 2; temperature++) {
        struct ts_sampling sampling = {temperature, 2, 0.9, 0.1, 1};
        struct ts_sampler *sampler = ts_sampler_open(&sampling, 6, &error);
        int32_t id = -1, ids[2];
        double logprobs[2];
        for (size_t c = 0; c < sizeof cases / sizeof cases[0]; c++) {
            double logits[6] = {1, 2, 3, 4, 5, 6};
            logits[cases[c].at] = cases[c].bad;
            cr_expect_not(ts_sampler_next(sampler, logits, &id, &error), "case %zu", c);
            cr_expect_eq(error.code, TS_ERR_CHECK);
            cr_expect(strstr(error.message, cases[c].says), "%s", error.message);
            cr_expect_not(ts_sampler_top(logits, 6, 2, ids, logprobs, &error), "case %zu", c);
            cr_expect_eq(error.code, TS_ERR_CHECK);
        }
        double none[6] = {-INFINITY, -INFINITY, -INFINITY, -INFINITY, -INFINITY, -INFINITY};
        cr_expect_not(ts_sampler_next(sampler, none, &id, &error));
        cr_expect_eq(error.code, TS_ERR_CHECK);
        none[4] = -1e308;
        cr_assert(ts_sampler_next(sampler, none, &id, &error));
        cr_expect_eq(id, 4);
        ts_sampler_close(sampler);
    }
    static const struct ts_sampling wrong[] = {
        {-1, 0, 1, 0, 0},   {NAN, 0, 1, 0, 0}, {INFINITY, 0, 1, 0, 0}, {1, 0, 1.1, 0, 0},
        {1, 0, -0.1, 0, 0}, {1, 0, NAN, 0, 0}, {1, 0, 1, -0.1, 0},     {1, 0, 1, 1.1, 0}};
    for (size_t w = 0; w < sizeof wrong / sizeof wrong[0]; w++) {
        cr_expect_null(ts_sampler_open(&wrong[w], 6, &error), "setting %zu", w);
        cr_expect_eq(error.code, TS_ERR_USAGE);
    }
    cr_expect_null(ts_sampler_open(&settings[0], 0, &error));
}

Test(sampler, top_is_the_head_of_a_sort)
{
    static double logits[REAL], logprobs[REAL];
    static int32_t ids[REAL], sorted[REAL];
    static const uint32_t sizes[][2] = {{1, 1},     {6, 6},     {40, 10},     {1000, 999},
                                        {1000, 20}, {REAL, 20}, {REAL, REAL}, {40, 0}};
    for (size_t s = 0; s < sizeof sizes / sizeof sizes[0]; s++) {
        uint32_t vocab = sizes[s][0], k = sizes[s][1];
        fill(logits, vocab, 3, 300 + s);
        sort_ids(logits, vocab, sorted);
        bool ok = ts_sampler_top(logits, vocab, k, ids, logprobs, &error);
        cr_assert(ok, "%s", error.message);
        cr_expect(memcmp(ids, sorted, k * sizeof *ids) == 0, "%u of %u", k, vocab);
        double sum = 0, mass = 0;
        for (uint32_t i = 0; i < vocab; i++) {
            sum += exp(logits[i]);
        }
        for (uint32_t i = 0; i < k; i++) {
            double expected = logits[ids[i]] - log(sum);
            cr_expect(logprobs[i] == expected || fabs(logprobs[i] - expected) < 1e-11,
                      "%u of %u: rank %u is %g, expected %g", k, vocab, i, logprobs[i], expected);
            mass += exp(logprobs[i]);
        }
        cr_expect(k < vocab || fabs(mass - 1) < 1e-9, "%u of %u sum to %g", k, vocab, mass);
    }
    cr_expect_not(ts_sampler_top(logits, 6, 7, ids, logprobs, &error));
    cr_expect_eq(error.code, TS_ERR_USAGE);
}

/* The real vocabulary's size: every filter keeps what a full sort keeps. */
Test(sampler, filters_at_full_size)
{
    static double logits[REAL];
    static int32_t sorted[REAL];
    static const struct ts_sampling cases[] = {
        {1, 40, 1, 0, 51}, {1, 0, 0.9, 0, 52}, {1, 0, 1, 0.05, 53}, {1, 1000, 0.95, 0.01, 54}};
    for (size_t c = 0; c < sizeof cases / sizeof cases[0]; c++) {
        const struct ts_sampling *s = &cases[c];
        fill(logits, REAL, 4, 400 + c);
        sort_ids(logits, REAL, sorted);
        uint32_t in = s->top_k ? s->top_k : REAL, kept = 0;
        double total = 0, sum = 0;
        for (uint32_t i = 0; i < in; i++) {
            total += exp(logits[sorted[i]]);
        }
        double floor = logits[sorted[0]] + (s->min_p > 0 ? log(s->min_p) : -INFINITY);
        while (kept < in && (kept == 0 || s->top_p == 1 || sum < s->top_p * total) &&
               logits[sorted[kept]] >= floor) {
            sum += exp(logits[sorted[kept++]]);
        }
        struct ts_sampler *sampler = ts_sampler_open(s, REAL, &error);
        double lowest = logits[sorted[0]];
        for (int i = 0; i < 300; i++) {
            int32_t id = -1;
            cr_assert(ts_sampler_next(sampler, logits, &id, &error));
            cr_expect(logits[id] >= logits[sorted[kept - 1]], "case %zu drew beyond %u", c, kept);
            lowest = fmin(lowest, logits[id]);
        }
        uint32_t deep = kept < 300 ? kept / 2 : 100;
        cr_expect(lowest < logits[sorted[deep]], "case %zu: nothing beyond rank %u of %u", c, deep,
                  kept);
        ts_sampler_close(sampler);
    }
}
