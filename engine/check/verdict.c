#include "engine/check/verdict.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct ts_trace_bound ts_trace_bound(enum ts_trace_class class, uint32_t real_format)
{
    struct ts_trace_bound bound = {.every = true};
    if (real_format == TS_F64 || class == TS_TRACE_EXACT) {
        bound.worst = real_format == TS_F64 ? 1e-6 : 1e-5;
        snprintf(bound.text, sizeof bound.text, "every position <= %g", bound.worst);
        return bound;
    }
    bound.every = false;
    bound.median = 1.5e-3;
    bound.share_2e3 = 0.25;
    bound.share_2e2 = 0.02;
    snprintf(bound.text, sizeof bound.text,
             "median <= %g, at most 25 %% above 2e-3, at most 2 %% above 2e-2", bound.median);
    return bound;
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

bool ts_logits_summarise(const double *errors, uint64_t count, struct ts_logits_summary *summary,
                         struct ts_error *error)
{
    summary->compared = count;
    summary->worst = summary->median = 0;
    summary->worst_at = summary->above_2e3 = summary->above_2e2 = 0;
    if (count == 0) {
        return true;
    }
    double *sorted = malloc(count * sizeof *sorted);
    if (!sorted) {
        return ts_fail_memory(error, "a list of errors", count * sizeof *sorted);
    }
    for (uint64_t i = 0; i < count; i++) {
        /* written so that a NaN is the worst there is, and above every threshold */
        sorted[i] = isnan(errors[i]) ? INFINITY : errors[i];
        summary->above_2e3 += sorted[i] > 2e-3;
        summary->above_2e2 += sorted[i] > 2e-2;
        if (i == 0 || sorted[i] > summary->worst) {
            summary->worst = sorted[i];
            summary->worst_at = i;
        }
    }
    qsort(sorted, count, sizeof *sorted, compare);
    summary->median =
        count % 2 ? sorted[count / 2] : (sorted[count / 2 - 1] + sorted[count / 2]) / 2;
    free(sorted);
    return true;
}

bool ts_logits_pass(const struct ts_logits_summary *summary, const struct ts_trace_bound *bound)
{
    double count = (double)summary->compared;
    if (summary->compared == 0 || summary->argmax_wrong > 0) {
        return false;
    }
    if (bound->every) {
        return summary->worst <= bound->worst;
    }
    return summary->median <= bound->median &&
           (double)summary->above_2e3 <= bound->share_2e3 * count &&
           (double)summary->above_2e2 <= bound->share_2e2 * count;
}

double ts_relative_l2(const double *values, const float *golden, uint64_t count)
{
    double distance = 0, norm = 0;
    for (uint64_t i = 0; i < count; i++) {
        double difference = values[i] - (double)golden[i];
        distance += difference * difference;
        norm += (double)golden[i] * (double)golden[i];
    }
    if (norm == 0) {
        return distance == 0 ? 0 : INFINITY;
    }
    return sqrt(distance / norm);
}
