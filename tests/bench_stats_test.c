/* Statistics against values worked out by hand, and the coverage of the interval by simulation. */
#include "base/rng.h"
#include "bench/record/stats.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>

static void expect_close(double got, double want, const char *what)
{
    cr_expect(fabs(got - want) <= 1e-12 * fmax(1, fabs(want)), "%s: %.17g, expected %.17g", what,
              got, want);
}

Test(bench_stats, by_hand)
{
    const struct {
        double values[8];
        size_t n;
        double median, p5, p95, mad;
    } cases[] = {
        {{7}, 1, 7, 7, 7, 0},
        {{4, 2}, 2, 3, 2.1, 3.9, 1},
        {{5, 1, 4, 2, 3}, 5, 3, 1.2, 4.8, 1},
        {{1, 100, 2, 3}, 4, 2.5, 1.15, 85.45, 1},
        {{3, 3, 3, 3, 3, 3, 3, 9}, 8, 3, 3, 6.9, 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct ts_stats stats;
        struct ts_error error;
        cr_assert(ts_stats_of(cases[i].values, cases[i].n, &stats, &error), "%s", error.message);
        cr_expect(stats.n == cases[i].n, "case %zu: n", i);
        expect_close(stats.median, cases[i].median, "median");
        expect_close(stats.p5, cases[i].p5, "p5");
        expect_close(stats.p95, cases[i].p95, "p95");
        expect_close(stats.mad, cases[i].mad, "mad");
        cr_expect(stats.has_ci == (cases[i].n >= 6), "case %zu: interval", i);
    }
    const double nine[] = {90, 10, 80, 20, 70, 30, 60, 40, 50};
    struct ts_stats stats;
    cr_assert(ts_stats_of(nine, 9, &stats, NULL));
    cr_expect(stats.has_ci && stats.ci[0] == 20 && stats.ci[1] == 80, "interval of nine: %g to %g",
              stats.ci[0], stats.ci[1]);
}

Test(bench_stats, refused)
{
    const double bad[][3] = {{1, NAN, 3}, {INFINITY, 1, 2}, {1, 2, -INFINITY}};
    struct ts_stats stats;
    struct ts_error error = {.code = TS_OK};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        cr_expect(!ts_stats_of(bad[i], 3, &stats, &error), "case %zu was taken", i);
        cr_expect(error.code == TS_ERR_CHECK, "case %zu: code %d", i, error.code);
    }
    cr_expect(!ts_stats_of(bad[0], 0, &stats, &error), "statistics of nothing");
    cr_expect(error.code == TS_ERR_CHECK);
    cr_expect(!ts_stats_of(bad[0], 0, &stats, NULL), "without an error to fill");
}

/* Ranks worked out from binomial coefficients, and those of the usual tables. */
Test(bench_stats, ranks)
{
    const struct {
        size_t n, low, high;
    } cases[] = {{6, 0, 5},   {7, 0, 6},   {8, 0, 7},   {9, 1, 7},    {10, 1, 8},
                 {15, 3, 11}, {20, 5, 14}, {30, 9, 20}, {50, 17, 32}, {100, 39, 60}};
    for (size_t n = 0; n < 6; n++) {
        size_t low, high;
        cr_expect(!ts_median_ranks(n, &low, &high), "an interval of %zu samples", n);
    }
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        size_t low = 0, high = 0;
        cr_expect(ts_median_ranks(cases[i].n, &low, &high), "n %zu", cases[i].n);
        cr_expect(low == cases[i].low && high == cases[i].high, "n %zu: %zu to %zu", cases[i].n,
                  low, high);
    }
    size_t low, high;
    cr_assert(ts_median_ranks(10000, &low, &high), "2^-10000 is no double");
    cr_expect(low > 4895 && low < 4910 && high == 9999 - low, "n 10000: %zu to %zu", low, high);
}

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Share of experiments whose interval holds the true median of an exponential distribution, which is
 * as skewed as durations are. `narrower` takes that many ranks off each side. */
static double coverage(size_t n, size_t narrower, int experiments, struct ts_rng *rng)
{
    double values[64];
    int hits = 0;
    size_t low = 0, high = 0;
    cr_assert(ts_median_ranks(n, &low, &high));
    for (int e = 0; e < experiments; e++) {
        for (size_t i = 0; i < n; i++) {
            values[i] = -log(1 - ts_rng_uniform(rng));
        }
        qsort(values, n, sizeof values[0], ascending);
        hits += values[low + narrower] <= log(2) && log(2) <= values[high - narrower];
    }
    return (double)hits / experiments;
}

Test(bench_stats, coverage)
{
    enum { SEED = 20261, EXPERIMENTS = 20000 };
    const size_t counts[] = {9, 12, 25, 50};
    struct ts_rng rng;
    ts_rng_seed(&rng, SEED);
    for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++) {
        double share = coverage(counts[i], 0, EXPERIMENTS, &rng);
        cr_expect(share >= 0.945, "n %zu covers %.4f (seed %d)", counts[i], share, SEED);
        cr_expect(share <= 0.99, "n %zu covers %.4f: wider than needed (seed %d)", counts[i], share,
                  SEED);
        share = coverage(counts[i], 1, EXPERIMENTS, &rng);
        cr_expect(share < 0.94, "n %zu, a rank narrower, covers %.4f (seed %d)", counts[i], share,
                  SEED);
    }
}
