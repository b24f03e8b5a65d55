/* Reads back a folder of measurements: environment.json, runs.jsonl, one record a line, as the bench
 * driver wrote them, and of samples.jsonl how much of it is in no record. Used by the report and by
 * every table of results. */
#ifndef TS_BENCH_RECORD_RESULTS_H
#define TS_BENCH_RECORD_RESULTS_H

#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct cJSON;

enum ts_result_kind { TS_RESULT_SWEEP, TS_RESULT_AGREEMENT, TS_RESULT_KERNEL, TS_RESULT_OTHER };

enum ts_result_phase { TS_PHASE_PREFILL, TS_PHASE_GENERATION };
enum { TS_PHASES = TS_PHASE_GENERATION + 1 };

enum ts_result_status {
    TS_STATUS_PASS,
    TS_STATUS_MARGINAL,
    TS_STATUS_FAIL,
    TS_STATUS_SKIP,
    TS_STATUS_ERROR,
    TS_STATUS_TIMEOUT
};

/* Speeds in tokens/s, so that `low` is what the slow end of the samples gives. */
struct ts_result_stats {
    double median;
    double p5, p95;
    double low, high;       /* of the samples; NaN if the record has none */
    double ci_low, ci_high; /* 95 % interval of the median; only if has_ci */
    bool has_ci;
    uint64_t n;
    const char *stop; /* which condition ended the sampling: reps, time, interrupted */
};

/* What the comparison of two passes of a model gave. Absent numbers are NaN. */
struct ts_result_agreement {
    double rel_l2_worst, rel_l2_median, kl_mean, kl_max, bound;
    double top_ten; /* share of the ten likeliest tokens */
    double noise_rel_l2_median,
        noise_kl_mean; /* of the device's own two passes, beside `against` */
    uint64_t compared, argmax_equal;
    bool exact;
};

/* What the check of a kernel by its error budget gave. Absent numbers are NaN. */
struct ts_result_kernel {
    const char *name, *operation;
    const char *format; /* of its weights; "" where it has no format axis */
    const char *beside; /* of its further weights, where that is another one */
    const char *worst;  /* where rho was largest */
    const char *max_ulp;
    uint64_t version, compared, cases;
    double rho, nmse;
    bool exact, over_claimed;
};

/* Where a number comes from; texts are "" where the record does not say. */
struct ts_result_provenance {
    const char *device; /* apple, software, cpu */
    const char *model;  /* real, synthetic */
    bool projection;
};

/* Every text lives as long as the results; none is NULL. */
struct ts_result {
    unsigned line;       /* in runs.jsonl, from 1 */
    unsigned model_line; /* of the first record of this model */
    enum ts_result_kind kind;
    enum ts_result_status status;
    enum ts_result_phase phase; /* of a sweep */
    const char *id, *reason, *temperature;
    const char *device, *model, *quant;
    const char *against; /* of an agreement: the other device; "" for a model's own two passes */
    uint64_t prompt, depth, tokens, chunk;
    double *samples; /* [sample_count] tokens/s */
    size_t sample_count;
    bool has_stats; /* only where status is pass or marginal */
    struct ts_result_stats stats;
    double ttft;         /* seconds; NaN if not measured */
    double gpu_share;    /* of the samples' time, by the device's own clock; NaN if it has none */
    double canary_drift; /* (after - before) / before; NaN if not measured */
    double load;         /* the highest load average of a minute at a sample; NaN if not known */
    bool busy;           /* more wanted to run, then or around the sweep, than there are cores */
    bool has_agreement;
    struct ts_result_agreement agreement;
    struct ts_result_kernel kernel; /* of kind kernel */
    struct ts_result_provenance provenance;
    bool superseded; /* a later line has the same id */
    struct cJSON *json;
};

struct ts_results {
    struct cJSON *environment; /* the object of environment.json */
    struct ts_result *items;   /* by model as first met, quant, device, chunk, prompt, phase */
    size_t count;
    size_t superseded;
    uint64_t planned;          /* repetitions of each cell; 0 if the environment does not say */
    uint64_t cores;            /* of the machine; 0 if the environment does not say */
    double load;               /* before and after the sweep, the higher one; NaN if not known */
    size_t unfinished_samples; /* of samples.jsonl, of cells that have no record */
    size_t unfinished_cells;   /* cells of one phase each */
    unsigned truncated_line;   /* number of a last line that was cut off and is left out; else 0 */
    char *folder;              /* name of the run's folder, without the path to it */
};

/* Reads the folder, which may lack samples.jsonl. A last line without its end that does not parse is
 * what a crash leaves: it is left out, and noted if it is one of runs.jsonl. Anything else that is damaged, or missing: TS_ERR_INPUT, naming file and
 * line. The caller frees *results with ts_results_free, also after an error. */
bool ts_results_read(const char *dir, struct ts_results *results, struct ts_error *error);
void ts_results_free(struct ts_results *results);

/* A text or number of the environment by its path, such as "git.commit", as text in `buffer`;
 * "" where there is none. */
const char *ts_results_environment(const struct ts_results *results, const char *path, char *buffer,
                                   size_t size);

const char *ts_status_name(enum ts_result_status status);
const char *ts_phase_name(enum ts_result_phase phase);

/* True where a sweep record has a speed. */
bool ts_result_measured(const struct ts_result *result);

/* True where the machine's own speed moved while the cell was measured: the fixed loop after it took
 * over 2 % more or less time than the one before it. */
bool ts_result_drifted(const struct ts_result *result);

/* True where the machine was busy or its speed moved: then the figure tells of more than the cell. */
bool ts_result_doubtful(const struct ts_result *result);

/* True where a cell has fewer samples than were planned. */
bool ts_result_short(const struct ts_results *results, const struct ts_result *result);

#endif
