/* Checks the kernels of the table against the reference, each by its error budget. */
#ifndef TS_ENGINE_CHECK_KERNELS_H
#define TS_ENGINE_CHECK_KERNELS_H

#include "engine/check/kernel_case.h"

enum ts_kernel_verdict {
    TS_KERNEL_EXACT,    /* everything equal to the reference, rounded once */
    TS_KERNEL_PASS,     /* within its budget */
    TS_KERNEL_MARGINAL, /* within it, but more than 4 times as far as recorded */
    TS_KERNEL_FAIL      /* outside, or nothing was compared, or the device failed */
};
const char *ts_kernel_verdict_name(enum ts_kernel_verdict verdict);

struct ts_kernel_check_options {
    const char *device; /* NULL: metal */
    /* Kernels of the family or operation of this name, or where none has it, those whose function
     * contains it; NULL: all. */
    const char *filter;
    const bool *only;    /* [TS_KERNEL_COUNT] those of them to check; NULL: all */
    const char *kernels; /* folder of kernel sources, or NULL */
    const char *records; /* file of recorded rhos (JSONL), or NULL */
    uint64_t seed;
    unsigned mutant;
    unsigned threads; /* of the reference; 0: all cores */
    bool long_cases;  /* also those of more than 64 tokens */
    bool small_cases; /* only those of at most four million operations */
    bool unfused;     /* run fused operations as their parts */
    bool bare;        /* no guards: the device itself sees stray accesses, also those that read */
    bool any_order;   /* the device adds in another order each time */
    bool stop;        /* end a kernel at its first case that fails; else all are counted */
    struct ts_software_options software;
};

struct ts_kernel_result {
    const struct ts_kernel *kernel;
    enum ts_kernel_verdict verdict;
    struct ts_kernel_score score;
    unsigned cases;
    bool over_claimed; /* rho below 0.001 where it rounds: it claims less than it does */
    double recorded;   /* rho that was recorded for it; 0: none */
    bool unbuilt;      /* FAIL because the kernel does not compile */
    double nmse, seconds;
    char reason[512]; /* of a FAIL that is no number; else empty */
};

/* The verdict on a kernel from its score: `ok` where nothing in its cases failed. Nothing compared is a
 * failure. */
void ts_kernel_settle(struct ts_kernel_result *result, bool ok);

/* Called after each kernel; false stops the check. */
typedef bool ts_kernel_result_fn(void *context, const struct ts_kernel_result *result);

struct ts_kernel_totals {
    unsigned kernels, exact, pass, marginal, fail, over_claimed, unbuilt;
    bool recorded; /* these very cases were: MARGINAL is a change, not another draw of inputs */
    uint64_t compared;
};

/* Checks every kernel that the filter takes. False with *error where the check itself cannot run (no
 * device, no memory, or what ts_kernels_can_check refuses); kernels that fail are in *totals. */
bool ts_kernels_check(const struct ts_kernel_check_options *options, ts_kernel_result_fn *fn,
                      void *context, struct ts_kernel_totals *totals, struct ts_error *error);

/* Whether a check of those kernels with planted bug `mutant` (0: none) and the sources of folder
 * `kernels` (NULL: the program's own) can find anything. False (TS_ERR_USAGE) where the filter is empty
 * or takes no kernel, no kernel that it takes has the bug, or the folder is none or has no source of
 * theirs. */
bool ts_kernels_can_check(const char *filter, unsigned mutant, const char *kernels,
                          struct ts_error *error);

/* True where the filter takes the kernel. */
bool ts_kernel_matches(const struct ts_kernel *kernel, const char *filter);

#endif
