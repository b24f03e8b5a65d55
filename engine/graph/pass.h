/* Shared by the files of the graph. */
#ifndef TS_ENGINE_GRAPH_PASS_H
#define TS_ENGINE_GRAPH_PASS_H

#include "engine/graph/graph.h"
#include "engine/graph/scratch.h"

struct ts_graph {
    const struct ts_model *model;
    const struct ts_config *config;
    struct ts_device *device;
    struct ts_graph_options options;
    struct ts_scratch scratch;
    struct ts_buffer **weights; /* [parts] the mapped files; NULL of one without tensors */
    ts_tap_fn *tap;
    void *tap_context;
    float frequencies_plain[TS_ROPE_MAX_PAIRS];
    float frequencies_compressed[TS_ROPE_MAX_PAIRS];
};

/* One call of ts_graph_run. */
struct ts_pass {
    struct ts_graph *graph;
    const struct ts_config *c;
    struct ts_kv *kv;
    struct ts_slice *s; /* the scratch slots, by enum ts_slot */
    uint32_t tokens;
    uint64_t position;
    struct ts_error *error;
};

/* Slices of the layer's tensor `id`, or of a global one. */
struct ts_slice ts_weight(const struct ts_pass *pass, uint32_t layer, enum ts_tensor_id id);
struct ts_slice ts_global_weight(const struct ts_pass *pass, enum ts_tensor_id id);

/* Encodes an operation whose slices are given as a list in the order of ops.def. */
#define TS_ENCODE(pass, op, args, ...)                                                             \
    ts_device_encode((pass)->graph->device, TS_OP_##op, args, (struct ts_slice[]){__VA_ARGS__},    \
                     sizeof((struct ts_slice[]){__VA_ARGS__}) / sizeof(struct ts_slice),           \
                     (pass)->error)

/* y = w x for the tokens of the pass. */
bool ts_encode_matmul(const struct ts_pass *pass, struct ts_slice x, struct ts_slice w,
                      struct ts_slice y, uint64_t rows, uint64_t columns);

/* Shows rows x width numbers of slice to the tap, if there is one; first is the number of row 0. */
bool ts_show(const struct ts_pass *pass, enum ts_tap tap, uint32_t layer, struct ts_slice slice,
             uint64_t first, uint64_t rows, uint64_t width);

/* Whether rows go into rings before the pass reads these. Tokens of a pass must still see the rows that it
 * overwrites, so they are stored at the end; but a single token does not see those that it replaces. */
static inline bool ts_stored_early(const struct ts_pass *pass)
{
    return pass->tokens == 1;
}

/* Encodes a fused operation. If the device runs it expanded, its TMP operand `inner` [tokens, ...] is
 * shown between the step that writes it and the next; a fused kernel does not write it. */
bool ts_encode_shown(const struct ts_pass *pass, enum ts_op op, const void *args,
                     const struct ts_slice *slices, unsigned count, enum ts_tap tap, uint32_t layer,
                     struct ts_slice inner);

/* Hyper-connection "pre" and norm of a sublayer: streams to reduced, normed, post, comb. */
bool ts_encode_pre(const struct ts_pass *pass, uint32_t layer, bool ffn, struct ts_slice streams);

/* The sublayers: read slot normed (and post, comb, the streams), write the new streams. */
bool ts_encode_attention(const struct ts_pass *pass, uint32_t layer, struct ts_slice streams,
                         struct ts_slice result);
bool ts_encode_ffn(const struct ts_pass *pass, uint32_t layer, struct ts_slice streams,
                   struct ts_slice result);

/* Keys of the attention core that lie outside the window (engine/graph/compressed.c). */
struct ts_selection {
    struct ts_slice rows; /* empty: none */
    struct ts_slice ids;  /* empty: all visible rows */
    uint32_t row_count;
    uint32_t selected; /* ids a token; 0: all visible rows */
};
/* Appends the compressed rows that end in this pass and, in ratio-4 layers, selects. */
bool ts_encode_compressed(const struct ts_pass *pass, uint32_t layer,
                          struct ts_selection *selection);

#endif
