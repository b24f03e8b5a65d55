/* Trace files: what a model must produce for a sequence of tokens (GGUF; docs/golden-files.md).
 *
 * `tokens` I32 [n], `logits` F32 [vocab, n], and, unless the file has logits only, intermediates
 * "blk.L.<tap name>" of every layer at `golden.positions` (compressor.rows and indexer.rows: all
 * rows). Keys: golden.kv_rounding (bool), golden.class (exact, rounding or selection). */
#ifndef TS_ENGINE_CHECK_TRACE_H
#define TS_ENGINE_CHECK_TRACE_H

#include "engine/graph/graph.h"
#include "engine/model/model.h"

enum ts_trace_class { TS_TRACE_EXACT, TS_TRACE_ROUNDING, TS_TRACE_SELECTION };

struct ts_trace {
    struct ts_gguf *gguf;
    enum ts_trace_class class;
    bool kv_rounding;
    uint64_t tokens;
    uint64_t vocab;
    const int32_t *ids;  /* [tokens] */
    const float *logits; /* [tokens, vocab] */
    uint64_t positions;  /* of the intermediates; 0: the file names none */
    uint64_t *column;    /* [tokens]: where a position stands among them, or UINT64_MAX; or NULL */
    bool intermediates;  /* false: the file has tokens and logits only */
};

/* Opens a trace and checks it against the model: if there are intermediates, every one that the
 * model has must be there, in its shape, and nothing that is unknown. NULL with *error:
 * TS_ERR_DATA, or TS_ERR_ENVIRONMENT without memory. The caller closes it. */
struct ts_trace *ts_trace_open(const char *path, const struct ts_model *model,
                               struct ts_error *error);
void ts_trace_close(struct ts_trace *trace); /* NULL is allowed */

/* The same for a file that is open already; takes it over: it is closed with the trace, and also
 * when this fails. */
struct ts_trace *ts_trace_bind(struct ts_gguf *gguf, const struct ts_model *model,
                               struct ts_error *error);

/* "exact", "rounding" or "selection" */
const char *ts_trace_class_name(enum ts_trace_class class);

/* True where a layer of the model has this intermediate. */
bool ts_trace_expects(const struct ts_config *config, uint32_t layer, enum ts_tap tap);
/* True for intermediates whose rows are compressed blocks, all of them, not positions. */
bool ts_trace_is_rows(enum ts_tap tap);
/* The golden tensor of an intermediate; NULL where the trace has none. */
const struct ts_gguf_tensor *ts_trace_find(const struct ts_trace *trace, uint32_t layer,
                                           enum ts_tap tap);
/* The column of a position, below `tokens`, among the trace's positions; false if it is not one of
 * them. */
bool ts_trace_column(const struct ts_trace *trace, uint64_t position, uint64_t *column);

#endif
