/* Hyperparameters of a DeepSeek V4 model, read from GGUF metadata (spec 1.1 and 4.3). */
#ifndef TS_ENGINE_MODEL_CONFIG_H
#define TS_ENGINE_MODEL_CONFIG_H

#include "engine/gguf/gguf.h"
#include "kernels/rope.h"

#include <stdint.h>

/* Layers of the overlap ratio have blocks that overlap by one, and an indexer (spec 2.8, 2.9). */
enum { TS_MAX_LAYERS = 256, TS_COMPRESS_OVERLAP_RATIO = 4 };

struct ts_config {
    uint32_t layers; /* of a pass */
    uint32_t drafts; /* draft (MTP) blocks that the file has behind them; no pass runs them */
    uint32_t width;  /* hidden size */
    uint32_t vocab;
    uint64_t context; /* longest context the model was made for, tokens */
    uint32_t heads;
    uint32_t head_width; /* of query heads and KV rows */
    uint32_t rotary;     /* rotated dims, the last of a head */
    uint32_t query_rank;
    uint32_t output_rank; /* of one group */
    uint32_t output_groups;
    uint32_t window; /* tokens, the current one included */
    uint32_t index_heads;
    uint32_t index_width;
    uint32_t index_top_k; /* compressed rows a token selects in ratio-4 layers */
    uint32_t experts;
    uint32_t experts_used;
    uint32_t expert_width;
    uint32_t shared_width; /* of all shared experts together */
    uint32_t hash_layers;  /* leading layers whose experts follow from the token id */
    uint32_t streams;      /* residual streams of the hyper-connection */
    uint32_t sinkhorn_iterations;
    float hc_epsilon;
    float norm_epsilon;
    float expert_scale;                    /* of the routed experts' weights */
    struct ts_rope_policy rope_plain;      /* layers of ratio 0 */
    struct ts_rope_policy rope_compressed; /* all others */
    uint32_t ratio[TS_MAX_LAYERS];         /* 0, 4 or 128: tokens a compressed row */
    float clamp_routed[TS_MAX_LAYERS];     /* SwiGLU limit; 0: none */
    float clamp_shared[TS_MAX_LAYERS];
};

/* Refuses every architecture but deepseek4, by name; the key must be there. TS_ERR_INPUT. */
bool ts_config_check_architecture(const struct ts_gguf *gguf, struct ts_error *error);

/* Reads and checks every key; refuses other architectures by name. TS_ERR_INPUT on failure. */
bool ts_config_read(const struct ts_gguf *gguf, struct ts_config *config, struct ts_error *error);

/* True where compressed rows overlap two blocks and an indexer selects among them (ratio 4). */
bool ts_config_indexed(const struct ts_config *config, uint32_t layer);

#endif
