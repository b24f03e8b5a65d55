/* A model under test: the file, what it is, its prompt, and whether its passes agree. */
#ifndef TS_BENCH_SUBJECT_H
#define TS_BENCH_SUBJECT_H

#include "bench/agreement.h"
#include "bench/hash.h"
#include "bench/plan.h"
#include "bench/results.h"
#include "engine/sampler.h"

enum { TS_LABEL = 128, TS_REASON = 400 };

struct ts_subject {
    const char *path;
    char label[TS_LABEL]; /* its name in records: the file's, without folder and .gguf */
    char name[TS_LABEL];  /* general.name, "" if it has none */
    const char *quant;    /* name of its recipe */
    bool synthetic;       /* made, not trained: random weights */
    char hash[TS_HASH_TEXT];
    const char *hashed; /* what the hash covers */
    struct ts_model *model;
    struct ts_session *session;
    struct ts_sampler *sampler; /* greedy */
    int32_t *prompt;            /* [prompt_count] of the longest; a shorter one is its beginning */
    uint64_t prompt_count;
    char prompt_hash[TS_HASH_TEXT];
    /* set by the agreement pass */
    enum ts_result_status status;
    char reason[TS_REASON]; /* of a status other than pass */
    bool compared;          /* agreement holds numbers */
    struct ts_agreement agreement;
};

/* Opens model plan->paths[index] with a session that fits the plan, hashes it and makes its prompt:
 * random ids of ordinary tokens, which depend on the seed and the vocabulary only. Models of one
 * file name get labels of their own by a number. ts_subject_close also after a failure. */
bool ts_subject_open(struct ts_subject *subjects, unsigned index, const struct ts_plan *plan,
                     struct ts_error *error);
void ts_subject_close(struct ts_subject *subject);

/* "synthetic" or "real", as records say it. */
const char *ts_subject_provenance(const struct ts_subject *subject);

#endif
