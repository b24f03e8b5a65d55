/* The forward pass, written once over engine/device/device.h: n tokens at any position of a sequence, one
 * chunk a call (spec section 2). */
#ifndef TS_ENGINE_GRAPH_GRAPH_H
#define TS_ENGINE_GRAPH_GRAPH_H

#include "engine/device/device.h"
#include "engine/kv/kv.h"
#include "engine/model/model.h"

enum ts_tap {
#define TS_TAP(id, name, type) TS_TAP_##id,
#include "engine/graph/taps.def"
#undef TS_TAP
    TS_TAP_COUNT
};

const char *ts_tap_name(enum ts_tap tap); /* its name in trace files: "attn.hc_pre" */
bool ts_tap_is_index(enum ts_tap tap);

/* An intermediate, complete and in the host's hands. Rows are tokens, but for compressor_rows and
 * indexer_rows, where they are compressed blocks. */
struct ts_tap_event {
    enum ts_tap tap;
    uint32_t layer;
    uint64_t first; /* position (or block) of row 0 */
    uint64_t rows;
    uint64_t width;
    struct ts_slice slice; /* rows x width numbers; the callback may change them */
};
/* False ends the run with *error. */
typedef bool ts_tap_fn(void *context, const struct ts_tap_event *event, struct ts_error *error);

struct ts_graph_options {
    uint64_t context;    /* tokens that a sequence may have */
    uint32_t chunk;      /* most tokens of one call */
    uint32_t logit_rows; /* most tokens of one call whose logits are wanted; 1 .. chunk */
    bool kv_rounding;    /* the FP8 and FP4 round trips of spec 2.12 */
};

struct ts_graph;

/* Bytes of activations that a graph allocates (a part of the memory plan). */
uint64_t ts_graph_bytes(const struct ts_config *config, const struct ts_graph_options *options,
                        uint32_t real_format);

/* model and device must outlive the graph. NULL with *error; the caller closes it. */
struct ts_graph *ts_graph_open(const struct ts_model *model, struct ts_device *device,
                               const struct ts_graph_options *options, struct ts_error *error);
void ts_graph_close(struct ts_graph *graph); /* NULL is allowed */

/* Calls fn with every intermediate from now on; NULL ends it. Each call splits the work in two, so
 * this is for checking only. What lies inside an operation (attn_out, ffn_out) is shown only where the
 * device runs it expanded. */
void ts_graph_set_tap(struct ts_graph *graph, ts_tap_fn *fn, void *context);

/* Runs `count` (1 .. chunk) tokens at `position` and appends to kv what they leave behind; all
 * tokens before `position` must have been run into it. Logits of the last `logit_rows` tokens are
 * at ts_graph_logits afterwards (0: none are computed). Ids must be below the vocabulary size and
 * position + count within the context: the caller checks. Errors are the device's and the tap's;
 * after one, kv holds a part of what these tokens leave behind. */
bool ts_graph_run(struct ts_graph *graph, struct ts_kv *kv, const int32_t *tokens, uint32_t count,
                  uint64_t position, uint32_t logit_rows, struct ts_error *error);

/* [logit_rows, vocab] of the last run, in the device's real format; valid until the next run. */
/* Encodes such a step and runs nothing: afterwards the device has the code that it needs. */
bool ts_graph_prepare(struct ts_graph *graph, struct ts_kv *kv, uint32_t count, uint64_t position,
                      uint32_t logit_rows, struct ts_error *error);
struct ts_slice ts_graph_logits(const struct ts_graph *graph);

#endif
