#include "engine/model/recipe.h"

#include "base/format.h"

#include <string.h>

static const char *const names[TS_RECIPE_MIXED + 1] = {"q2",   "q4",    "q2-q4", "q8",   "f16",
                                                       "bf16", "mxfp4", "f32",   "mixed"};

const char *ts_recipe_name(enum ts_recipe recipe)
{
    return names[recipe <= TS_RECIPE_MIXED ? recipe : TS_RECIPE_MIXED];
}

bool ts_recipe_parse(const char *name, enum ts_recipe *recipe)
{
    for (int i = 0; i < TS_RECIPE_COUNT; i++) {
        if (strcmp(name, names[i]) == 0) {
            *recipe = (enum ts_recipe)i;
            return true;
        }
    }
    return false;
}

/* The first layer whose experts are q4 in the recipe q2-q4. */
static uint32_t changeover(uint32_t layers)
{
    if (layers == 43) {
        return 37; /* the published file */
    }
    return layers - (layers / 4 > 0 ? layers / 4 : 1);
}

static uint32_t expert_format(enum ts_recipe recipe, enum ts_role role, uint32_t layer,
                              uint32_t layers)
{
    switch (recipe) {
    case TS_RECIPE_Q4: return TS_Q4_K;
    case TS_RECIPE_Q8: return TS_Q8_0;
    case TS_RECIPE_F16: return TS_F16;
    case TS_RECIPE_BF16: return TS_BF16;
    case TS_RECIPE_MXFP4: return TS_MXFP4;
    case TS_RECIPE_F32: return TS_F32;
    case TS_RECIPE_Q2_Q4:
        if (layer >= changeover(layers)) {
            return TS_Q4_K;
        }
        break;
    default: break;
    }
    return role == TS_ROLE_EXPERT_DOWN ? TS_Q2_K : TS_IQ2_XXS;
}

uint32_t ts_recipe_format(enum ts_recipe recipe, enum ts_role role, uint32_t layer, uint32_t layers)
{
    switch (role) {
    case TS_ROLE_EXPERT_IDS: return TS_I32;
    case TS_ROLE_NORM:
    case TS_ROLE_VECTOR: return TS_F32;
    case TS_ROLE_EXPERT_IN:
    case TS_ROLE_EXPERT_DOWN: return expert_format(recipe, role, layer, layers);
    case TS_ROLE_OUTPUT:
    case TS_ROLE_ATTENTION:
    case TS_ROLE_SHARED:
        if (recipe != TS_RECIPE_F16 && recipe != TS_RECIPE_BF16) {
            return TS_Q8_0;
        }
        break;
    default: break;
    }
    return recipe == TS_RECIPE_BF16 ? TS_BF16 : TS_F16;
}

/* The recipe whose experts a layer has, q2-q4 not counted; mixed if none. */
static enum ts_recipe recipe_of_layer(const struct ts_model *model, uint32_t layer)
{
    const struct ts_gguf_tensor *const *tensors = model->layers[layer];
    for (int i = 0; i < TS_RECIPE_MIXED; i++) {
        enum ts_recipe recipe = (enum ts_recipe)i;
        uint32_t in = expert_format(recipe, TS_ROLE_EXPERT_IN, layer, model->config.layers);
        uint32_t down = expert_format(recipe, TS_ROLE_EXPERT_DOWN, layer, model->config.layers);
        if (recipe != TS_RECIPE_Q2_Q4 && tensors[TS_TENSOR_ffn_gate_exps]->format == in &&
            tensors[TS_TENSOR_ffn_up_exps]->format == in &&
            tensors[TS_TENSOR_ffn_down_exps]->format == down) {
            return recipe;
        }
    }
    return TS_RECIPE_MIXED;
}

enum ts_recipe ts_recipe_of(const struct ts_model *model)
{
    enum ts_recipe recipe = recipe_of_layer(model, 0);
    for (uint32_t layer = 1; layer < model->config.layers; layer++) {
        enum ts_recipe here = recipe_of_layer(model, layer);
        if (recipe == TS_RECIPE_Q2 && here == TS_RECIPE_Q4) {
            recipe = TS_RECIPE_Q2_Q4;
        } else if (here != (recipe == TS_RECIPE_Q2_Q4 ? TS_RECIPE_Q4 : recipe)) {
            return TS_RECIPE_MIXED;
        }
    }
    return recipe;
}
