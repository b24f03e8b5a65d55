/* What is in a file, counted: tensors by role and format, and what a decoded token reads of them. */
#ifndef TS_ENGINE_MODEL_INVENTORY_H
#define TS_ENGINE_MODEL_INVENTORY_H

#include "base/format.h"
#include "engine/model/model.h"
#include "engine/model/recipe.h"

enum {
    TS_INVENTORY_FORMATS = TS_FORMAT_IDS,
    TS_INVENTORY_DRAFT = TS_ROLE_COUNT, /* draft (MTP) blocks */
    TS_INVENTORY_OTHER,                 /* tensors that no model of this kind needs */
    TS_INVENTORY_ROLES
};

struct ts_tally {
    uint64_t count;
    uint64_t bytes; /* without padding */
};

struct ts_inventory {
    uint64_t tensors;
    uint64_t data_bytes;                           /* each tensor padded to the file's alignment */
    struct ts_tally formats[TS_INVENTORY_FORMATS]; /* by enum ts_format */
    struct ts_tally roles[TS_INVENTORY_ROLES][TS_INVENTORY_FORMATS];
    enum ts_recipe recipe;
    /* Weights that decoding one token reads: every matrix and vector once, of the embedding and the
     * expert id tables one row, of the routed experts those that are used. */
    uint64_t token_bytes;        /* in all */
    uint64_t token_expert_bytes; /* of these, the routed experts */
};

/* Counts the tensors of a file. model is that file bound, or NULL if it is not a model: then all
 * tensors are TS_INVENTORY_OTHER, the recipe is mixed and a token reads nothing. */
void ts_inventory_count(const struct ts_gguf *gguf, const struct ts_model *model,
                        struct ts_inventory *inventory);

/* ts_role_name, "draft block" and "other". */
const char *ts_inventory_role_name(int role);

#endif
