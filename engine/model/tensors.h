/* The inventory of a model's tensors, from engine/model/tensors.def. */
#ifndef TS_ENGINE_MODEL_TENSORS_H
#define TS_ENGINE_MODEL_TENSORS_H

#include "engine/model/config.h"

enum ts_role {
    TS_ROLE_EMBEDDING,
    TS_ROLE_OUTPUT,
    TS_ROLE_NORM,
    TS_ROLE_VECTOR,
    TS_ROLE_HYPER,
    TS_ROLE_ATTENTION,
    TS_ROLE_COMPRESSOR,
    TS_ROLE_INDEXER,
    TS_ROLE_ROUTER,
    TS_ROLE_EXPERT_IDS, /* I32 */
    TS_ROLE_EXPERT_IN,  /* gate and up of the routed experts */
    TS_ROLE_EXPERT_DOWN,
    TS_ROLE_SHARED,
    TS_ROLE_COUNT
};

enum ts_tensor_id {
#define TS_TENSOR(field, scope, name, role, d0, d1, d2) TS_TENSOR_##field,
#include "engine/model/tensors.def"
#undef TS_TENSOR
    TS_TENSOR_COUNT
};

/* What a tensor of a given model must be. */
struct ts_tensor_spec {
    enum ts_tensor_id id;
    enum ts_role role;
    char name[64];
    uint64_t shape[3]; /* shape[0] contiguous; unused ones are 1 */
};

enum { TS_GLOBAL_TENSORS = -1 };

/* Fills specs with the tensors of one layer (0 ..), or the global ones (TS_GLOBAL_TENSORS), in the
 * order of the table; returns how many, at most TS_TENSOR_COUNT. */
unsigned ts_tensor_specs(const struct ts_config *config, int layer, struct ts_tensor_spec *specs);

/* Whether the tensor may be of this format (enum ts_format): what every device has kernels for. Matrices
 * take every weight format but F64; norms, vectors, hyper-connections and position tables, which the
 * published files never quantise, F32, F16 and BF16. */
bool ts_tensor_takes(const struct ts_tensor_spec *spec, uint32_t format);
/* The formats that it takes, for messages. */
const char *ts_tensor_formats(const struct ts_tensor_spec *spec);

/* "attention", "routed experts" ... for people. */
const char *ts_role_name(enum ts_role role);

#endif
