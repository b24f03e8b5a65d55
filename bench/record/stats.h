/* Statistics of repeated durations. Nothing is assumed about their distribution, and nothing is
 * thrown away: outliers stay in the samples and show in p95. */
#ifndef TS_BENCH_RECORD_STATS_H
#define TS_BENCH_RECORD_STATS_H

#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>

struct ts_stats {
    size_t n;
    double median;
    double p5, p95; /* quantiles, see ts_quantile */
    double mad;     /* median of the absolute deviations from the median, not scaled */
    double ci[2];   /* of the median, only if has_ci */
    bool has_ci;
};

/* The quantile p (0 to 1) of n (at least 1) ascending values: linear between the values next to
 * p * (n - 1), as R's type 7 and NumPy's default. */
double ts_quantile(const double *sorted, size_t n, double p);

/* Ranks (from 0) of the pair of ascending values that covers the median with a probability of at
 * least 95 %, whatever the distribution: the narrowest [k, n - 1 - k] with
 * P(k < Binomial(n, 1/2) < n - k) >= 0.95. False if even the smallest and the largest value do not
 * (n below 6). */
bool ts_median_ranks(size_t n, size_t *low, size_t *high);

/* Statistics of values [n] in any order. TS_ERR_CHECK if there is none or one is NaN or infinite. */
bool ts_stats_of(const double *values, size_t n, struct ts_stats *stats, struct ts_error *error);

#endif
