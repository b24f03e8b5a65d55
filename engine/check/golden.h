/* Files of operation vectors (GGUF; docs/golden-files.md): inputs of single operations and what the
 * reference must make of them. Groups, each as a whole or not at all:
 *   quant.<FORMAT>.{blocks,values,source}   rope.{plain,yarn}.{in,out,inverse} with rope.positions
 *   fp8.{in,out}  fp4.{in,out}  hadamard.{in,out}  router.{logits,bias,scores,ids,weights}
 *   hc.{fn,base,scale,streams,mixes,pre,post,comb,reduced,sublayer,expanded}
 *   attention.{q,kv,sink,rows,out} */
#ifndef TS_ENGINE_CHECK_GOLDEN_H
#define TS_ENGINE_CHECK_GOLDEN_H

#include "engine/gguf/gguf.h"

/* One comparison: an output of one group. */
struct ts_golden_item {
    char name[48];     /* "quant.Q2_K.values" */
    uint64_t rows;     /* compared */
    uint64_t elements; /* compared */
    bool exact;        /* bit for bit (worst is then 0 or 1), else relative L2 of a row */
    double worst;
    double bound;      /* the most that worst may be */
    uint64_t worst_at; /* row; where bits are compared, the first that differs */
    bool pass;
};

enum { TS_GOLDEN_MAX_ITEMS = 64 };

struct ts_golden_result {
    unsigned count;
    struct ts_golden_item items[TS_GOLDEN_MAX_ITEMS];
    uint64_t elements; /* compared in all */
    bool pass;         /* false also where nothing was compared */
};

/* Runs every group of a file through the reference. False (TS_ERR_DATA) for a file that cannot be
 * opened, is damaged, has a tensor that belongs to no group, or lacks one that its group needs;
 * TS_ERR_ENVIRONMENT without memory. A disagreement is result->pass false. */
bool ts_golden_check(const char *path, struct ts_golden_result *result, struct ts_error *error);
/* The same for a file that is open already, and stays open. */
bool ts_golden_check_gguf(const struct ts_gguf *gguf, struct ts_golden_result *result,
                          struct ts_error *error);

#endif
