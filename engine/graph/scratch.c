#include "engine/graph/scratch.h"

enum { SLOT_ALIGNMENT = 256 };

enum phase { STEP, ATTENTION, FFN, HEAD, PHASE_COUNT };

struct ts_scratch_sizes {
    uint64_t tokens;
    uint64_t logit_rows;
    uint64_t blocks;           /* most compressed rows that one step can emit in a layer */
    uint64_t compressor_width; /* widest row of compressor inputs */
    uint64_t selected;
    uint64_t score_rows; /* 0 where every visible row is always selected */
};

uint32_t ts_scratch_selected(const struct ts_config *config, uint64_t context)
{
    uint64_t rows = context / TS_COMPRESS_OVERLAP_RATIO;
    rows = rows < config->index_top_k ? rows : config->index_top_k;
    return rows > 0 ? (uint32_t)rows : 1;
}

static struct ts_scratch_sizes sizes_of(const struct ts_config *c,
                                        const struct ts_graph_options *options)
{
    struct ts_scratch_sizes m = {.tokens = options->chunk, .logit_rows = options->logit_rows};
    uint64_t rows = options->context / TS_COMPRESS_OVERLAP_RATIO;
    m.blocks = m.tokens / TS_COMPRESS_OVERLAP_RATIO + 1;
    m.selected = ts_scratch_selected(c, options->context);
    m.score_rows = rows > c->index_top_k ? rows : 0;
    for (uint32_t layer = 0; layer < c->layers; layer++) {
        uint64_t parts = ts_config_indexed(c, layer) ? 2 : 1;
        if (c->ratio[layer] != 0 && parts * c->head_width > m.compressor_width) {
            m.compressor_width = parts * c->head_width;
        }
    }
    return m;
}

/* Lays out all slots; slots may be NULL. Returns the arena's bytes. */
static uint64_t layout(const struct ts_config *c, const struct ts_graph_options *options,
                       uint32_t real_format, struct ts_slice *slots)
{
    const struct ts_scratch_sizes sizes = sizes_of(c, options);
    const struct ts_scratch_sizes *m = &sizes;
    enum { REAL, INDEX };
    const struct {
        enum phase phase;
        int type;
        uint64_t elements;
    } table[TS_SLOT_COUNT] = {
#define TS_SLOT(name, phase, type, elements) {phase, type, elements},
#include "engine/graph/scratch.def"
#undef TS_SLOT
    };
    uint64_t end[PHASE_COUNT] = {0}, base = 0, most = 0;
    for (int phase = STEP; phase < PHASE_COUNT; phase++) {
        end[phase] = phase == STEP ? 0 : base;
        for (int i = 0; i < TS_SLOT_COUNT; i++) {
            if (table[i].phase != (enum phase)phase) {
                continue;
            }
            uint32_t format = table[i].type == INDEX ? TS_I32 : real_format;
            uint64_t bytes = table[i].elements * ts_format_block_bytes(format);
            if (slots) {
                slots[i] = (struct ts_slice){NULL, end[phase], bytes, format};
            }
            end[phase] += (bytes + SLOT_ALIGNMENT - 1) / SLOT_ALIGNMENT * SLOT_ALIGNMENT;
        }
        base = phase == STEP ? end[STEP] : base;
        most = end[phase] > most ? end[phase] : most;
    }
    return most;
}

uint64_t ts_scratch_bytes(const struct ts_config *config, const struct ts_graph_options *options,
                          uint32_t real_format)
{
    return layout(config, options, real_format, NULL);
}

bool ts_scratch_open(struct ts_scratch *scratch, const struct ts_config *config,
                     const struct ts_graph_options *options, struct ts_device *device,
                     struct ts_error *error)
{
    uint32_t real = ts_device_limits(device)->real_format;
    uint64_t bytes = layout(config, options, real, scratch->slots);
    scratch->buffer = ts_buffer_alloc(device, bytes, "activations", error);
    if (!scratch->buffer) {
        return false;
    }
    for (int i = 0; i < TS_SLOT_COUNT; i++) {
        scratch->slots[i].buffer = scratch->buffer;
    }
    return true;
}

void ts_scratch_close(struct ts_scratch *scratch)
{
    ts_buffer_free(scratch->buffer);
    scratch->buffer = NULL;
}
