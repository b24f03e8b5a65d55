#include "engine/model/inventory.h"

#include "engine/model/draft.h"

#include <string.h>

static void tally(struct ts_tally *tally, const struct ts_gguf_tensor *tensor)
{
    tally->count++;
    tally->bytes += tensor->bytes;
}

static void add_token_bytes(const struct ts_config *c, enum ts_role role,
                            const struct ts_gguf_tensor *tensor, struct ts_inventory *inventory)
{
    uint64_t bytes = tensor->bytes;
    if (role == TS_ROLE_EMBEDDING || role == TS_ROLE_EXPERT_IDS) {
        bytes /= tensor->shape[1];
    } else if (role == TS_ROLE_EXPERT_IN || role == TS_ROLE_EXPERT_DOWN) {
        bytes = bytes / c->experts * c->experts_used;
        inventory->token_expert_bytes += bytes;
    }
    inventory->token_bytes += bytes;
}

/* The tensors of one layer, or the global ones. */
static void count_layer(const struct ts_model *model, int layer, struct ts_inventory *inventory)
{
    struct ts_tensor_spec specs[TS_TENSOR_COUNT];
    unsigned count = ts_tensor_specs(&model->config, layer, specs);
    for (unsigned i = 0; i < count; i++) {
        const struct ts_gguf_tensor *tensor = layer == TS_GLOBAL_TENSORS
                                                  ? model->global[specs[i].id]
                                                  : model->layers[layer][specs[i].id];
        tally(&inventory->roles[specs[i].role][tensor->format], tensor);
        add_token_bytes(&model->config, specs[i].role, tensor, inventory);
    }
}

/* What is in the file but in no role. */
static void count_others(struct ts_inventory *inventory)
{
    for (int format = 0; format < TS_INVENTORY_FORMATS; format++) {
        struct ts_tally rest = inventory->formats[format];
        for (int role = 0; role < TS_INVENTORY_OTHER; role++) {
            rest.count -= inventory->roles[role][format].count;
            rest.bytes -= inventory->roles[role][format].bytes;
        }
        inventory->roles[TS_INVENTORY_OTHER][format] = rest;
    }
}

void ts_inventory_count(const struct ts_gguf *gguf, const struct ts_model *model,
                        struct ts_inventory *inventory)
{
    memset(inventory, 0, sizeof *inventory);
    inventory->recipe = model ? ts_recipe_of(model) : TS_RECIPE_MIXED;
    inventory->tensors = gguf->tensor_count;
    for (uint64_t i = 0; i < gguf->tensor_count; i++) {
        const struct ts_gguf_tensor *tensor = &gguf->tensors[i];
        uint64_t over = tensor->bytes % gguf->alignment;
        inventory->data_bytes += tensor->bytes + (over ? gguf->alignment - over : 0);
        tally(&inventory->formats[tensor->format], tensor);
        if (model && ts_draft_owns(model->config.layers, model->config.drafts, tensor->name)) {
            tally(&inventory->roles[TS_INVENTORY_DRAFT][tensor->format], tensor);
        }
    }
    for (int layer = TS_GLOBAL_TENSORS; model && layer < (int)model->config.layers; layer++) {
        count_layer(model, layer, inventory);
    }
    count_others(inventory);
}

const char *ts_inventory_role_name(int role)
{
    return role < TS_ROLE_COUNT         ? ts_role_name((enum ts_role)role)
           : role == TS_INVENTORY_DRAFT ? "draft block"
                                        : "other";
}
