/* Draft (MTP) blocks: which blocks of a file are layers of the model, and which only draft for it.
 *
 * A file's block_count may count its draft blocks (then they are the last nextn_predict_layers) or leave
 * them out (then they stand behind). What tells is where the tensors blk.N.nextn.* are. */
#ifndef TS_ENGINE_MODEL_DRAFT_H
#define TS_ENGINE_MODEL_DRAFT_H

#include "engine/gguf/gguf.h"

enum {
    TS_MOST_BLOCKS = 512
}; /* layers and draft blocks of a file; one of a larger number is neither */

/* Splits a file's `blocks` into layers and draft blocks. A file without blk.N.nextn.* has none,
 * whatever nextn_predict_layers says: its draft blocks are in a file of their own. Refuses
 * (TS_ERR_INPUT) nextn_predict_layers that leaves no layer, or that the tensors contradict. */
bool ts_draft_split(const struct ts_gguf *gguf, uint32_t blocks, uint32_t *layers, uint32_t *drafts,
                    struct ts_error *error);

/* True where a tensor of this name is of a draft block: blk.N.* of one, or mtp.*. */
bool ts_draft_owns(uint32_t layers, uint32_t drafts, struct ts_text name);

#endif
