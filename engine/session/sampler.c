#include "engine/session/sampler.h"

#include "base/rng.h"

#include <math.h>
#include <stdlib.h>

struct ts_sampler {
    struct ts_sampling sampling;
    uint32_t vocab;
    struct ts_rng rng;
    int32_t *ids;    /* [vocab]: candidates */
    double *weights; /* [vocab] */
};

static bool check_sampling(const struct ts_sampling *sampling, uint32_t vocab,
                           struct ts_error *error)
{
    if (!(sampling->temperature >= 0) || isinf(sampling->temperature)) {
        return ts_fail(error, TS_ERR_USAGE, NULL, "temperature is %g, expected a number from 0",
                       sampling->temperature);
    }
    if (!(sampling->top_p >= 0 && sampling->top_p <= 1)) {
        return ts_fail(error, TS_ERR_USAGE, "1 switches it off",
                       "top-p is %g, expected a number from 0 to 1", sampling->top_p);
    }
    if (!(sampling->min_p >= 0 && sampling->min_p <= 1)) {
        return ts_fail(error, TS_ERR_USAGE, "0 switches it off",
                       "min-p is %g, expected a number from 0 to 1", sampling->min_p);
    }
    if (vocab == 0 || vocab > INT32_MAX) {
        return ts_fail(error, TS_ERR_USAGE, NULL, "a vocabulary of %u tokens, expected 1 to %d",
                       vocab, INT32_MAX);
    }
    return true;
}

struct ts_sampler *ts_sampler_open(const struct ts_sampling *sampling, uint32_t vocab,
                                   struct ts_error *error)
{
    if (!check_sampling(sampling, vocab, error)) {
        return NULL;
    }
    struct ts_sampler *sampler = calloc(1, sizeof *sampler);
    if (sampler) {
        sampler->ids = calloc(vocab, sizeof *sampler->ids);
        sampler->weights = calloc(vocab, sizeof *sampler->weights);
    }
    if (!sampler || !sampler->ids || !sampler->weights) {
        ts_sampler_close(sampler);
        ts_fail_memory(error, "the sampler", vocab * 12ull);
        return NULL;
    }
    sampler->sampling = *sampling;
    sampler->vocab = vocab;
    ts_sampler_reset(sampler, sampling->seed);
    return sampler;
}

void ts_sampler_close(struct ts_sampler *sampler)
{
    if (sampler) {
        free(sampler->ids);
        free(sampler->weights);
        free(sampler);
    }
}

void ts_sampler_reset(struct ts_sampler *sampler, uint64_t seed)
{
    ts_rng_seed(&sampler->rng, seed);
}

/* The index of the largest logit, the lowest of equal ones; refuses what has no softmax. */
static bool find_largest(const double *logits, uint32_t vocab, int32_t *largest,
                         struct ts_error *error)
{
    uint32_t best = 0;
    for (uint32_t i = 0; i < vocab; i++) {
        if (isnan(logits[i]) || logits[i] == INFINITY) {
            return ts_fail(error, TS_ERR_CHECK, NULL,
                           "logit %u of %u is %s, so there is no distribution to sample from", i,
                           vocab, isnan(logits[i]) ? "NaN" : "infinite");
        }
        if (logits[i] > logits[best]) {
            best = i;
        }
    }
    if (isinf(logits[best])) {
        return ts_fail(error, TS_ERR_CHECK, NULL,
                       "logit 0 and all others of %u are -Inf: no token can be sampled", vocab);
    }
    *largest = (int32_t)best;
    return true;
}

/* The order of tokens everywhere: by logit, equal ones by id. */
static bool before(const double *logits, int32_t a, int32_t b)
{
    return logits[a] > logits[b] || (logits[a] == logits[b] && a < b);
}

/* Restores a heap of ids [count] from `at` down: at its root is the first token in the order, or,
 * with `last`, the last one. */
static void sift_down(const double *logits, int32_t *ids, uint32_t count, uint32_t at, bool last)
{
    int32_t id = ids[at];
    for (;;) {
        uint64_t child = 2ull * at + 1;
        if (child >= count) {
            break;
        }
        if (child + 1 < count && before(logits, ids[child + 1], ids[child]) != last) {
            child++;
        }
        if (before(logits, id, ids[child]) != last) {
            break;
        }
        ids[at] = ids[child];
        at = (uint32_t)child;
    }
    ids[at] = id;
}

static void make_heap(const double *logits, int32_t *ids, uint32_t count, bool last)
{
    for (uint32_t i = count / 2; i-- > 0;) {
        sift_down(logits, ids, count, i, last);
    }
}

/* Leaves the first k <= vocab tokens of the order in ids [k], in no order: a heap with the last of
 * them at its root, where a better one replaces it. */
static void select_top(const double *logits, uint32_t vocab, uint32_t k, int32_t *ids)
{
    for (uint32_t i = 0; i < k; i++) {
        ids[i] = (int32_t)i;
    }
    make_heap(logits, ids, k, true);
    for (uint32_t i = k; k > 0 && i < vocab; i++) {
        if (before(logits, (int32_t)i, ids[0])) {
            ids[0] = (int32_t)i;
            sift_down(logits, ids, k, 0, true);
        }
    }
}

/* Moves the shortest prefix of the order that holds `wanted` (a part of the sum of
 * exp(logit - largest)) to the end of ids [count], which is left as a heap before it; returns the
 * length of the prefix, at least 1. */
static uint32_t select_mass(const double *logits, double largest, double wanted, int32_t *ids,
                            uint32_t count)
{
    uint32_t rest = count;
    double sum = 0;
    make_heap(logits, ids, count, false);
    do {
        int32_t first = ids[0];
        ids[0] = ids[--rest];
        ids[rest] = first;
        if (rest > 0) {
            sift_down(logits, ids, rest, 0, false);
        }
        sum += exp(logits[first] - largest);
    } while (rest > 0 && sum < wanted);
    return count - rest;
}

/* Leaves the candidates that the filters keep in *kept [*count], inside the sampler's ids. All
 * filters keep a prefix of the same order, so they may be applied in any order, if each one's cut
 * is computed from the set that it is meant to see. */
static void filter(struct ts_sampler *sampler, const double *logits, double largest, int32_t **kept,
                   uint32_t *count)
{
    const struct ts_sampling *sampling = &sampler->sampling;
    int32_t *ids = sampler->ids;
    uint32_t k = sampler->vocab;
    if (sampling->top_k > 0 && sampling->top_k < sampler->vocab) {
        k = sampling->top_k;
        select_top(logits, sampler->vocab, k, ids);
    } else {
        for (uint32_t i = 0; i < k; i++) {
            ids[i] = (int32_t)i;
        }
    }
    double wanted = 0;
    for (uint32_t i = 0; sampling->top_p < 1 && i < k; i++) {
        wanted += sampling->top_p * exp(logits[ids[i]] - largest);
    }
    if (sampling->min_p > 0) {
        double least = largest + log(sampling->min_p);
        uint32_t out = 0;
        for (uint32_t i = 0; i < k; i++) {
            if (logits[ids[i]] >= least) {
                ids[out++] = ids[i];
            }
        }
        k = out;
    }
    *kept = ids;
    *count = k;
    if (sampling->top_p < 1) {
        *count = select_mass(logits, largest, wanted, ids, k);
        *kept = ids + (k - *count);
    }
}

bool ts_sampler_next(struct ts_sampler *sampler, const double *logits, int32_t *id,
                     struct ts_error *error)
{
    int32_t first = 0;
    if (!find_largest(logits, sampler->vocab, &first, error)) {
        return false;
    }
    *id = first;
    if (sampler->sampling.temperature == 0) {
        return true;
    }
    int32_t *kept = NULL;
    uint32_t count = 0;
    double total = 0;
    filter(sampler, logits, logits[first], &kept, &count);
    for (uint32_t i = 0; i < count; i++) {
        double gap = logits[kept[i]] - logits[first];
        sampler->weights[i] = exp(gap / sampler->sampling.temperature);
        total += sampler->weights[i];
    }
    double drawn = ts_rng_uniform(&sampler->rng) * total;
    double sum = 0;
    for (uint32_t i = 0; i < count; i++) {
        sum += sampler->weights[i];
        if (sum > drawn) {
            *id = kept[i];
            break;
        }
    }
    return true;
}

bool ts_sampler_top(const double *logits, uint32_t vocab, uint32_t k, int32_t *ids,
                    double *logprobs, struct ts_error *error)
{
    int32_t first = 0;
    if (vocab == 0 || vocab > INT32_MAX || k > vocab) {
        return ts_fail(error, TS_ERR_USAGE, NULL, "the top %u of a vocabulary of %u tokens", k,
                       vocab);
    }
    if (!find_largest(logits, vocab, &first, error)) {
        return false;
    }
    double total = 0;
    for (uint32_t i = 0; i < vocab; i++) {
        total += exp(logits[i] - logits[first]);
    }
    select_top(logits, vocab, k, ids);
    for (uint32_t rest = k; rest > 1;
         rest--) { /* the last of a heap's ids goes behind the others */
        int32_t last = ids[0];
        ids[0] = ids[rest - 1];
        ids[rest - 1] = last;
        sift_down(logits, ids, rest - 1, 0, true);
    }
    for (uint32_t i = 0; i < k; i++) {
        logprobs[i] = logits[ids[i]] - logits[first] - log(total);
    }
    return true;
}
