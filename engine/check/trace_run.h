/* Runs the tokens of a trace through a session and compares everything the trace holds. */
#ifndef TS_ENGINE_CHECK_TRACE_RUN_H
#define TS_ENGINE_CHECK_TRACE_RUN_H

#include "engine/check/ties.h"
#include "engine/check/trace.h"
#include "engine/check/verdict.h"

struct ts_trace_options {
    const char *device;  /* NULL: reference */
    uint32_t chunk;      /* 0: 128 */
    unsigned threads;    /* 0: all cores */
    bool unfused;        /* run expansions instead of fused kernels */
    double noise;        /* deviation relative to each sublayer input's RMS; 0: none */
    uint64_t seed;       /* of the noise */
    ts_stop_fn *stop_fn; /* asked between chunks; NULL: nobody is */
    void *stop_context;
};

/* One kind of intermediate in one layer. Integers count as differing rows, not as distances. */
struct ts_trace_item {
    uint32_t layer;
    enum ts_tap tap;
    uint64_t rows;     /* compared */
    uint64_t expected; /* rows in the trace */
    uint64_t elements; /* compared */
    double worst;      /* relative L2 of a row, infinite for NaN; 1 for integers that differ */
    uint64_t worst_at; /* position, or compressed row */
};

struct ts_trace_result {
    unsigned count;
    struct ts_trace_item *items;    /* [count] in the order of layers and taps */
    uint64_t intermediate_elements; /* compared; 0 with noise */
    double intermediate_worst;
    uint32_t real_format; /* of the device: decides the bound */
    struct ts_trace_bound bound;
    struct ts_logits_summary logits; /* positions judged by ties: as judged */
    struct ts_ties ties;             /* count 0 where the trace's own logits were met */
    uint64_t logit_elements;         /* compared */
    bool intermediates_judged;       /* on devices that store float64 */
    bool pass;
    char reason[160]; /* why not; "" if it passed */
};

/* False on an error that kept the trace from being run; a disagreement is result->pass false. With
 * noise the intermediates are left out and pass says nothing: what counts are the logits' errors.
 * The caller frees with ts_trace_result_free (allowed after a failure too). */
bool ts_trace_run(const struct ts_model *model, const struct ts_trace *trace,
                  const struct ts_trace_options *options, struct ts_trace_result *result,
                  struct ts_error *error);
void ts_trace_result_free(struct ts_trace_result *result);

#endif
