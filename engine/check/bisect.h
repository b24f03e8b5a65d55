/* Which operation of a model goes wrong on a device? Runs the model on the reference, and gives every
 * operation with the reference's own inputs to the device as well. */
#ifndef TS_ENGINE_CHECK_BISECT_H
#define TS_ENGINE_CHECK_BISECT_H

#include "engine/check/kernel_case.h"
#include "engine/check/trace.h"

struct ts_bisect_options {
    const char *device;  /* under test; NULL: metal */
    const char *kernels; /* folder of kernel sources, or NULL */
    uint32_t chunk;      /* tokens of a step; 0: 128 */
    unsigned threads;    /* of the reference; 0: all cores */
    unsigned mutant;
    bool unfused;
};

struct ts_bisect_result {
    uint64_t operations; /* that were compared */
    uint64_t compared;   /* elements */
    double rho;          /* largest of those within their budget */
    bool found;
    /* the first operation outside its budget */
    enum ts_op op;
    uint64_t position; /* of the step's first token */
    uint64_t place;    /* among the step's operations, from 1 */
    char tensor[128];  /* its first weight of the model; "" if it has none */
    char kernels[256]; /* what the device ran for it */
    char what[512];
};

/* False with *error where it could not be run. Nothing compared is such an error (TS_ERR_CHECK). */
bool ts_bisect(const struct ts_model *model, const struct ts_trace *trace,
               const struct ts_bisect_options *options, struct ts_bisect_result *result,
               struct ts_error *error);

#endif
