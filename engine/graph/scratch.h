/* The arena of activations: every slot of engine/graph/scratch.def, planned once at open. */
#ifndef TS_ENGINE_GRAPH_SCRATCH_H
#define TS_ENGINE_GRAPH_SCRATCH_H

#include "engine/graph/graph.h"

enum ts_slot {
#define TS_SLOT(name, phase, type, elements) TS_SLOT_##name,
#include "engine/graph/scratch.def"
#undef TS_SLOT
    TS_SLOT_COUNT
};

struct ts_scratch {
    struct ts_buffer *buffer;
    struct ts_slice slots[TS_SLOT_COUNT];
};

/* Bytes of the arena on a device that stores reals in real_format. */
uint64_t ts_scratch_bytes(const struct ts_config *config, const struct ts_graph_options *options,
                          uint32_t real_format);

/* Allocates the arena. On failure nothing is held. */
bool ts_scratch_open(struct ts_scratch *scratch, const struct ts_config *config,
                     const struct ts_graph_options *options, struct ts_device *device,
                     struct ts_error *error);
void ts_scratch_close(struct ts_scratch *scratch);

/* Ids that a token selects at most in a ratio-4 layer, given the context. At least 1. */
uint32_t ts_scratch_selected(const struct ts_config *config, uint64_t context);

#endif
