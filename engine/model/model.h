/* A model file bound to its architecture: hyperparameters and tensors, checked against each other. */
#ifndef TS_ENGINE_MODEL_MODEL_H
#define TS_ENGINE_MODEL_MODEL_H

#include "engine/model/config.h"
#include "engine/model/tensors.h"

struct ts_model {
    struct ts_gguf *gguf;
    struct ts_config config;
    const struct ts_gguf_tensor
        *global[TS_TENSOR_COUNT]; /* by enum ts_tensor_id; NULL: not global */
    const struct ts_gguf_tensor *(
        *layers)[TS_TENSOR_COUNT]; /* [layer][id]; NULL where a layer has none */
};

/* Opens the file, reads the config and binds every tensor of the inventory. All missing tensors are
 * listed in one error; a tensor of another shape, or of a format that its place cannot have, is
 * refused. Tensors that are not in the inventory, and those of draft blocks, are left alone. Reads no tensor
 * data. NULL with *error (TS_ERR_INPUT); the caller closes it. */
struct ts_model *ts_model_open(const char *path, struct ts_error *error);

/* The same for a file that is open; it belongs to the model from now on, also on failure. */
struct ts_model *ts_model_bind(struct ts_gguf *gguf, struct ts_error *error);
void ts_model_close(struct ts_model *model); /* NULL is allowed */

/* Checks what only the data can tell: that every entry of the expert id tables names an expert. To
 * be called before the model runs; sessions do. TS_ERR_INPUT. */
bool ts_model_check_data(const struct ts_model *model, struct ts_error *error);

#endif
