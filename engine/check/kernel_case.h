/* One kernel on one set of arguments and inputs: what goes in, what the reference makes of it, and what
 * the device made. Shared by the files that check the table of kernels. */
#ifndef TS_ENGINE_CHECK_KERNEL_CASE_H
#define TS_ENGINE_CHECK_KERNEL_CASE_H

#include "base/pool.h"
#include "base/rng.h"
#include "engine/check/repeated.h"
#include "engine/device/device.h"

/* What inputs are made of. EXACT: small integers and scales that are powers of two, so that every order
 * of summation gives the same float, for LINEAR operations. The last two have variants (kernel_values.h). */
enum ts_regime {
    TS_REGIME_EXACT,
    TS_REGIME_RANDOM,
    TS_REGIME_OUTLIERS,
    TS_REGIME_CONSTANT,
    TS_REGIME_EXTREME,
    TS_REGIME_SPECIAL
};
enum { TS_REGIME_COUNT = TS_REGIME_SPECIAL + 1 };
const char *ts_regime_name(enum ts_regime regime);

struct ts_kernel_operand {
    uint32_t format;   /* as the device stores it */
    uint64_t elements; /* 0: empty */
    uint64_t bytes;
    double *reals;    /* inputs and, updated in place, outputs; else NULL */
    int32_t *indices; /* the same for integers */
    uint8_t *weights; /* raw */
    struct ts_repeated
        repeated; /* an input of more than TS_REPEATED_BYTES, as the device stores it */
    /* of operands that are written: what the reference says */
    double *value, *err;
    int32_t *index;
    uint64_t *want; /* the elements that are compared; NULL: all */
    uint64_t want_count;
    /* and what the device left there; guards not included */
    uint8_t *got;
};

struct ts_kernel_case {
    enum ts_op op;
    const struct ts_op_info *info;
    struct ts_precision claim;
    const void *args;
    unsigned index; /* in the operation's list */
    enum ts_regime regime;
    unsigned variant; /* of the regime */
    unsigned attempt; /* from 0 on: others put special numbers elsewhere */
    uint32_t axis;    /* the format of the kernel's line, or TS_ANY_FORMAT */
    bool bare;        /* without guards: the device itself sees what is outside of a buffer */
    struct ts_kernel_operand operands[TS_MAX_OPERANDS];
};

/* What a case's inputs are made by. */
struct ts_case_inputs {
    enum ts_regime regime;
    unsigned variant, attempt;
};

/* Makes the inputs of case `index` from `rng`. False with *error (memory, a format without random weights). The caller frees the case,
 * also after an error. */
bool ts_kernel_case_make(struct ts_kernel_case *c, const struct ts_kernel *kernel, unsigned index,
                         const struct ts_case_inputs *inputs, struct ts_rng *rng,
                         struct ts_error *error);
/* The same from what stands in the memory of a device that is idle, rounded to float32: an operation as
 * a model runs it. */
bool ts_kernel_case_take(struct ts_kernel_case *c, enum ts_op op, const void *args,
                         const struct ts_slice *slices, const struct ts_precision *claim,
                         struct ts_rng *rng, struct ts_error *error);
void ts_kernel_case_free(struct ts_kernel_case *c);

/* Chooses the elements of an output that are compared: all of a small one, of a large one both ends, both
 * sides of powers of two among tokens and columns, and a sample. False: no memory. */
bool ts_kernel_case_want(const struct ts_kernel_case *c, struct ts_kernel_operand *operand,
                         struct ts_rng *rng);

/* Whether a kernel is the one that runs case `index` in the formats that it is checked with, where none is
 * preferred. */
bool ts_kernel_case_is_first(const struct ts_kernel *kernel, unsigned index);

/* The bytes of the largest operand of case `index` in the formats that a kernel is checked with. */
uint64_t ts_kernel_case_largest(const struct ts_kernel *kernel, unsigned index);

/* Fills value, err and index of what is written, by the reference and the kernel's claim; a fused
 * operation as its expansion. */
bool ts_kernel_case_reference(struct ts_kernel_case *c, struct ts_pool *pool,
                              struct ts_error *error);

/* Runs the operation twice (sizes once) and fills got. False with *error: the device failed, wrote around an operand
 * or to an input, left an element out, or gave other bits the second time (TS_ERR_CHECK), which is
 * allowed where sums come in any_order. */
bool ts_kernel_case_run(struct ts_kernel_case *c, struct ts_device *device, bool any_order,
                        struct ts_error *error);

/* What comparing a kernel's cases found so far. */
struct ts_kernel_score {
    uint64_t compared;
    uint64_t wrong;              /* of them outside their budget */
    double rho;                  /* largest |y - r| / e of the regimes that round; above 1 fails */
    double square, error_square; /* for the NMSE: sums of r^2 and of (y - r)^2 */
    uint64_t max_ulp;
    bool exact; /* everything compared was equal */
    /* where rho was largest, or the first failure */
    unsigned worst_case;
    enum ts_regime worst_regime;
    const char *worst_operand; /* NULL: nothing was off */
    uint64_t worst_element;
    char worst[160]; /* all of this, and the values */
};

/* Experts whose scores are closer than the kernel's arithmetic can tell may be chosen either way: where
 * the device chose so, its choice takes the place of the reference's, with the weights that belong to it.
 * Other choices stay, to be judged wrong. Nothing for other operations than the router's. */
void ts_kernel_case_settle_routes(struct ts_kernel_case *c);

/* Adds the comparison of got with the reference; false if something is outside its budget, which
 * score->worst then tells. */
bool ts_kernel_case_judge(const struct ts_kernel_case *c, struct ts_kernel_score *score);

#endif
