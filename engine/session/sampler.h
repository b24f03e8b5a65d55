/* Choosing the next token from logits.
 *
 * The order is the one that users of llama.cpp know: top-k, then top-p on the softmax of what is
 * left, then min-p, and the temperature last. So the filters look at the model's own distribution
 * (temperature 1), whatever the temperature; at temperature 1 every order of these gives the same.
 * All three keep a prefix of the tokens sorted by logit, equal logits by id, lowest first:
 *
 *   top-k  the first k
 *   top-p  the shortest prefix whose probabilities sum to at least p; never less than one token
 *   min-p  those of at least min_p times the probability of the first
 *
 * and then token i is drawn with a probability proportional to exp(logit[i] / temperature). */
#ifndef TS_ENGINE_SESSION_SAMPLER_H
#define TS_ENGINE_SESSION_SAMPLER_H

#include "base/error.h"

#include <stdbool.h>
#include <stdint.h>

struct ts_sampling {
    double temperature; /* from 0; 0 takes the largest logit, and nothing below matters */
    uint32_t top_k;     /* 0: off */
    double top_p;       /* 0 to 1; 1: off */
    double min_p;       /* 0 to 1; 0: off */
    uint64_t seed;
};

struct ts_sampler;

/* A sampler for logits of `vocab` tokens (1 to INT32_MAX); it allocates 12 bytes a token, and
 * nothing later. TS_ERR_USAGE names a setting out of its range. The caller closes it. */
struct ts_sampler *ts_sampler_open(const struct ts_sampling *sampling, uint32_t vocab,
                                   struct ts_error *error);
void ts_sampler_close(struct ts_sampler *sampler); /* NULL is allowed */

/* Starts the sequence of random numbers again: the same seed and logits give the same ids. */
void ts_sampler_reset(struct ts_sampler *sampler, uint64_t seed);

/* Draws an id from logits [vocab]. -Inf is a token that is never drawn. TS_ERR_CHECK, naming the
 * index, for a NaN or +Inf, and if all are -Inf. One random number a call, none at temperature 0.
 * O(vocab), with top-k O(vocab log k), with top-p alone O(vocab + kept log vocab). */
bool ts_sampler_next(struct ts_sampler *sampler, const double *logits, int32_t *id,
                     struct ts_error *error);

/* The k largest of logits [vocab], in descending order, equal ones lowest id first: ids [k] and
 * their natural-log probabilities logprobs [k] under the softmax of all logits (temperature 1);
 * -Inf where the logit is. Errors as in ts_sampler_next; TS_ERR_USAGE if k exceeds vocab.
 * Allocates nothing; O(vocab log k). */
bool ts_sampler_top(const double *logits, uint32_t vocab, uint32_t k, int32_t *ids,
                    double *logprobs, struct ts_error *error);

#endif
