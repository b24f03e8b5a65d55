/* Long contexts without a prefill: a KV state filled from a seed as if `position` tokens had been run, then
 * one decode step on a device and on the reference. Every layer kind of the model takes part, and every
 * offset is as large as it gets. */
#ifndef TS_ENGINE_CHECK_FAR_H
#define TS_ENGINE_CHECK_FAR_H

#include "engine/graph/graph.h"

struct ts_far_options {
    const char *device; /* under test; NULL: metal */
    unsigned threads;   /* of the reference; 0: all cores */
    bool unfused;
    uint64_t position; /* of the step's token, below the model's context */
    uint64_t seed;
};

struct ts_far_result {
    uint64_t compared; /* numbers */
    double logits;     /* relative L2 */
    double bound;      /* of each position's logits, as of a trace of class exact */
    double worst_layer_error;
    uint32_t worst_layer; /* of all streams behind a layer */
    uint64_t kv_bytes;    /* of the device under test */
    bool pass;
};

/* The round trips of KV rows are off: a code that falls to the other side says nothing. False with
 * *error where a step could not be run. */
bool ts_far_check(const struct ts_model *model, const struct ts_far_options *options,
                  struct ts_far_result *result, struct ts_error *error);

#endif
