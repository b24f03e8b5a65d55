/* Recipes: which number format the tensors of a published file have. One definition for writing
 * synthetic models and for naming what a file is. */
#ifndef TS_ENGINE_MODEL_RECIPE_H
#define TS_ENGINE_MODEL_RECIPE_H

#include "engine/model/model.h"

enum ts_recipe {
    TS_RECIPE_Q2,    /* routed experts IQ2_XXS (gate, up) and Q2_K (down) */
    TS_RECIPE_Q4,    /* routed experts Q4_K */
    TS_RECIPE_Q2_Q4, /* q2, but q4 in the last layers */
    TS_RECIPE_Q8,    /* routed experts Q8_0 */
    TS_RECIPE_F16,   /* every matrix F16 */
    TS_RECIPE_BF16,  /* every matrix BF16 */
    TS_RECIPE_COUNT, /* of those that make-model writes; the others are only recognised */
    TS_RECIPE_MXFP4 = TS_RECIPE_COUNT, /* routed experts MXFP4 */
    TS_RECIPE_F32,                     /* routed experts F32 */
    TS_RECIPE_MIXED                    /* none of these */
};

/* "q2", "q4", "q2-q4", "q8", "f16", "bf16", "mxfp4", "f32" and "mixed". */
const char *ts_recipe_name(enum ts_recipe recipe);

/* False if there is no recipe of that name, or none that is written, such as "mixed". */
bool ts_recipe_parse(const char *name, enum ts_recipe *recipe);

/* The format (enum ts_format) of a tensor of `role` in `layer` of a model of `layers` layers (spec
 * 4.2). Of q2-q4 the last layers are 37 to 42 of 43, else the last quarter, at least one. */
uint32_t ts_recipe_format(enum ts_recipe recipe, enum ts_role role, uint32_t layer,
                          uint32_t layers);

/* The recipe of a file: judged by its routed experts alone, because converters differ in what they
 * do with the small tensors. q2-q4 may change over at any layer. */
enum ts_recipe ts_recipe_of(const struct ts_model *model);

#endif
