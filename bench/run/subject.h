/* A model under test on a device: the file, what it is, its prompt, and whether its passes agree. */
#ifndef TS_BENCH_RUN_SUBJECT_H
#define TS_BENCH_RUN_SUBJECT_H

#include "bench/run/agreement.h"
#include "bench/run/hash.h"
#include "bench/run/plan.h"
#include "bench/record/results.h"
#include "engine/session/sampler.h"

enum { TS_LABEL = 128, TS_REASON = 400 };

struct ts_subject {
    const char *path;
    char label[TS_LABEL]; /* its name in records: the file's, without folder and .gguf */
    char name[TS_LABEL];  /* general.name, "" if it has none */
    const char *quant;    /* name of its recipe */
    bool synthetic;       /* made, not trained: random weights */
    char hash[TS_HASH_TEXT];
    const char *hashed;     /* what the hash covers */
    struct ts_model *model; /* of the first subject of the model, which closes it */
    bool borrowed;          /* model and prompt are another subject's */
    const char *device;
    const char *provenance; /* of the device: "cpu", "software", "apple" */
    uint32_t real_format;
    struct ts_session *session; /* NULL: it cannot be opened on this device; see failure */
    struct ts_sampler *sampler; /* greedy */
    int32_t *prompt;            /* [prompt_count] of the longest; a shorter one is its beginning */
    uint64_t prompt_count;
    char prompt_hash[TS_HASH_TEXT];
    struct ts_error failure; /* of opening the session; code TS_OK if none */
    /* set by the agreement pass */
    enum ts_result_status status;
    char reason[TS_REASON]; /* of a status other than pass */
    bool compared;          /* agreement holds numbers: of its two passes */
    struct ts_agreement agreement;
    const char *against;            /* the device of `crossed`; NULL: compared with none */
    struct ts_agreement crossed;    /* its chunked pass against the reference device's */
    char crossed_reason[TS_REASON]; /* why that is no agreement; "" if it is one */
};

/* Opens subject `index` of the plan with a session that fits it, hashes the model and makes its
 * prompt: random ids of ordinary tokens, which depend on the seed and the vocabulary only. Models of
 * one file name get labels of their own by a number. Subjects are opened in their order and closed
 * in the reverse one. A device that is not there, or on which the model does not fit (TS_ERR_ENVIRONMENT), is no
 * failure: the session stays NULL. ts_subject_close also after a failure. */
bool ts_subject_open(struct ts_subject *subjects, unsigned index, const struct ts_plan *plan,
                     struct ts_error *error);
void ts_subject_close(struct ts_subject *subject);

/* "synthetic" or "real", as records say it. */
const char *ts_subject_provenance(const struct ts_subject *subject);

/* True on a device whose speeds are of no use but to compare with each other. */
bool ts_subject_software(const struct ts_subject *subject);

/* True where the device runs kernels of the table, which can be wrong by themselves. */
bool ts_subject_has_kernels(const struct ts_subject *subject);

#endif
