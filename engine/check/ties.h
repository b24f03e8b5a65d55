/* Choices that float32 leaves open.
 *
 * An indexer selects the rows with the highest scores and a router the best experts. Where two scores
 * lie closer than a device that stores float32 can tell, either choice is right, but the logits behind
 * them differ by far more than rounding. Such a position is judged by the reference that takes the
 * device's choices: within the same bound as all others. A choice is a tie only if the reference's own
 * scores say so; any other leaves the trace failed, and is named. */
#ifndef TS_ENGINE_CHECK_TIES_H
#define TS_ENGINE_CHECK_TIES_H

#include "engine/check/trace.h"
#include "engine/session/session.h"

struct ts_tie {
    enum ts_tap tap; /* indexer_topk or router_ids */
    uint32_t layer;
    uint64_t position;
    int32_t chosen; /* the row or expert that the device has and the reference has not */
    double gap; /* by which its score is below the least of the reference's choice, of the largest
                       score there */
};

struct ts_ties {
    uint64_t count;     /* choices of the device's that are ties */
    struct ts_tie wide; /* the one with the widest gap */
    uint64_t positions; /* beyond the bound, judged by the reference with the device's choices */
    double before;      /* the largest error of these positions, from the trace's logits */
    bool wrong;         /* a choice was no tie: the first one is in `first_wrong` */
    struct ts_tie first_wrong;
};

/* For positions where errors[p], [tokens], is above bound: if the reference itself has the trace's logits
 * there, runs the trace on the device again and then on the reference, which takes the device's choices
 * where they are ties, and puts the distance between the two in errors[p]. Without ties, or with a wrong
 * choice, errors stay as they were. The options are those of the device's session. False with *error
 * where it could not be run. */
bool ts_ties_settle(const struct ts_model *model, const struct ts_trace *trace,
                    const struct ts_session_options *options, double bound, double *errors,
                    struct ts_ties *ties, struct ts_error *error);

/* The largest gap of a tie. A device whose logits may be off by 1e-5 has scores that are as far off. */
#define TS_TIE_GAP 1e-5

bool ts_ids_contain(const int32_t *ids, uint64_t count, int32_t id);

/* True where the chosen ids [count] are another set than the reference's; -1 is none. *worst is then the
 * worst of them and *gap by how much its score is below the least of the reference's choice, in units of
 * the largest magnitude of the scores [rows]: infinite where ids repeat, are none of the rows, or are
 * fewer. */
bool ts_choice_differs(const double *scores, uint64_t rows, const int32_t *chosen,
                       const int32_t *reference, uint64_t count, int32_t *worst, double *gap);

#endif
