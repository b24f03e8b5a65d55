#include "bench/record/stats.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const double CONFIDENCE = 0.95;

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

double ts_quantile(const double *sorted, size_t n, double p)
{
    double place = p * (double)(n - 1);
    size_t below = (size_t)place;
    if (below + 1 >= n) {
        return sorted[n - 1];
    }
    return sorted[below] + (place - (double)below) * (sorted[below + 1] - sorted[below]);
}

bool ts_median_ranks(size_t n, size_t *low, size_t *high)
{
    /* outside = P(Binomial(n, 1/2) <= k), added up in logarithms because 2^-n underflows */
    double outside = 0;
    bool found = false;
    for (size_t k = 0; 2 * k + 1 < n; k++) {
        double log_term = lgamma((double)n + 1) - lgamma((double)k + 1) -
                          lgamma((double)(n - k) + 1) - (double)n * log(2);
        outside += exp(log_term);
        if (1 - 2 * outside < CONFIDENCE) {
            break;
        }
        *low = k;
        *high = n - 1 - k;
        found = true;
    }
    return found;
}

bool ts_stats_of(const double *values, size_t n, struct ts_stats *stats, struct ts_error *error)
{
    memset(stats, 0, sizeof *stats);
    if (n == 0) {
        return ts_fail(error, TS_ERR_CHECK, NULL, "statistics of no samples");
    }
    for (size_t i = 0; i < n; i++) {
        if (!isfinite(values[i])) {
            return ts_fail(error, TS_ERR_CHECK, NULL, "sample %zu of %zu is not a number", i, n);
        }
    }
    double *sorted = malloc(n * sizeof *sorted);
    if (!sorted) {
        return ts_fail_memory(error, "statistics", n * sizeof *sorted);
    }
    size_t low, high;
    memcpy(sorted, values, n * sizeof *sorted);
    qsort(sorted, n, sizeof *sorted, compare);
    stats->n = n;
    stats->median = ts_quantile(sorted, n, 0.5);
    stats->p5 = ts_quantile(sorted, n, 0.05);
    stats->p95 = ts_quantile(sorted, n, 0.95);
    stats->has_ci = ts_median_ranks(n, &low, &high);
    if (stats->has_ci) {
        stats->ci[0] = sorted[low];
        stats->ci[1] = sorted[high];
    }
    for (size_t i = 0; i < n; i++) {
        sorted[i] = fabs(sorted[i] - stats->median);
    }
    qsort(sorted, n, sizeof *sorted, compare);
    stats->mad = ts_quantile(sorted, n, 0.5);
    free(sorted);
    return true;
}
