/* What a model file lacks, for the message that refuses it. */
#ifndef TS_ENGINE_MODEL_MISSING_H
#define TS_ENGINE_MODEL_MISSING_H

#include "engine/model/model.h"

#include <stddef.h>

/* Writes the names of the tensors that the model should have and that were not bound into
 * text[size], in the order of the file; returns how many they are. Where the list is too long, the
 * layers are put together: "blk.{0-2,5}.attn_q_a.weight". ", ..." ends a text that is still cut. */
unsigned ts_model_missing(const struct ts_model *model, char *text, size_t size);

#endif
