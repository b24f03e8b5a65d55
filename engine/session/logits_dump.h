/* Writes the logits of a run as a trace file (format: engine/check/trace.h): `tokens` I32 [n] and
 * `logits` F32 [vocab, n] for every position, so that another run or engine can be compared with
 * it. How many positions there will be is known only at the end, and the file must say it first: the
 * logits are spooled to disk beside the file meanwhile, and need twice their size there. */
#ifndef TS_ENGINE_SESSION_LOGITS_DUMP_H
#define TS_ENGINE_SESSION_LOGITS_DUMP_H

#include "engine/session/session.h"

struct ts_logits_dump;

/* Checks that the file can be written and opens the spool, which has no name: nothing stays behind
 * if the process is killed. An existing file is left alone until finish. NULL with *error
 * (TS_ERR_ENVIRONMENT); the caller closes it. */
struct ts_logits_dump *ts_logits_dump_open(const char *path, uint32_t vocab,
                                           struct ts_error *error);
void ts_logits_dump_close(struct ts_logits_dump *dump); /* NULL is allowed */

/* A ts_logits_fn for a session with every_logit; context is the dump. Positions must come in order
 * from 0. TS_ERR_CHECK for NaN. */
bool ts_logits_dump_add(void *dump, uint64_t position, const double *logits,
                        struct ts_error *error);

/* Writes the file: `tokens` are those of the positions added, at least one. Written as FILE.tmp and
 * renamed when it is complete. golden.class is the class that the model, the length and the rounding
 * make it: "selection" if some token had more compressed rows than it may select, else "rounding"
 * with KV rounding, else "exact". */
bool ts_logits_dump_finish(struct ts_logits_dump *dump, const struct ts_model *model,
                           bool kv_rounding, const int32_t *tokens, struct ts_error *error);

#endif
