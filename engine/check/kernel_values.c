#include "engine/check/kernel_values.h"

#include "reference/quant_random.h"

#include <math.h>
#include <string.h>

/* An EXTREME variant: weights of a kind, under inputs of a size. `gain` is for inputs that meet weights of
 * the format axis: operand 0. */
struct extreme {
    enum ts_random_kind kind;
    bool gain;
    double scale; /* of all real inputs */
    bool weights; /* wants weights */
    bool curved;  /* only for operations that are not LINEAR */
};

static const struct extreme extremes[] = {
    {TS_RANDOM_TINY, true, 1, true, false},        {TS_RANDOM_HUGE, true, 1, true, false},
    {TS_RANDOM_SIGNED, false, 1, true, false},     {TS_RANDOM_SANE, false, 0x1p-27, false, true},
    {TS_RANDOM_SANE, false, 0x1p-10, false, true}, {TS_RANDOM_SANE, false, 8, false, true},
};
enum { EXTREMES = sizeof extremes / sizeof extremes[0] };

static bool has_weights(const struct ts_op_info *info)
{
    for (unsigned i = 0; i < info->operand_count; i++) {
        if (ts_operand_is_weight(info->operands[i].kind)) {
            return true;
        }
    }
    return false;
}

/* Whether an operand can hold a special number: it is read, and no index. */
static bool takes_special(enum ts_operand_kind kind)
{
    bool read = !ts_operand_is_written(kind) || kind == TS_OPERAND_MIO;
    return read && !ts_operand_is_index(kind);
}

static unsigned specials_of(const struct ts_op_info *info)
{
    unsigned count = 0;
    for (unsigned i = 0; i < info->operand_count; i++) {
        count += takes_special(info->operands[i].kind) ? TS_SPECIAL_COUNT : 0;
    }
    return count;
}

/* The EXTREME variant of that number among those that apply to an operation; NULL: there are no more. */
static const struct extreme *extreme_of(const struct ts_op_info *info, unsigned variant)
{
    for (unsigned i = 0; i < EXTREMES; i++) {
        const struct extreme *e = &extremes[i];
        bool applies = (!e->weights || has_weights(info)) && (!e->curved || !info->linear);
        if (applies && variant-- == 0) {
            return e;
        }
    }
    return NULL;
}

unsigned ts_regime_variants(const struct ts_kernel *kernel, enum ts_regime regime)
{
    const struct ts_op_info *info = ts_op_info(kernel->op);
    unsigned count = 0;
    if (regime == TS_REGIME_SPECIAL) {
        return specials_of(info);
    }
    if (regime != TS_REGIME_EXTREME) {
        return 1;
    }
    while (extreme_of(info, count)) {
        count++;
    }
    return count;
}

/* Whether operand `place` is the one with the special number, and which. */
static bool is_special(const struct ts_kernel_case *c, unsigned place, enum ts_special *special)
{
    unsigned target = c->variant / TS_SPECIAL_COUNT;
    *special = (enum ts_special)(c->variant % TS_SPECIAL_COUNT);
    for (unsigned i = 0; i < place; i++) {
        target -= takes_special(c->info->operands[i].kind) ? 1 : 0;
    }
    return c->regime == TS_REGIME_SPECIAL && target == 0 &&
           takes_special(c->info->operands[place].kind);
}

/* Plus infinity stands at the very end first. */
static uint64_t place_of(const struct ts_kernel_case *c, enum ts_special special, uint64_t count,
                         struct ts_rng *rng)
{
    uint64_t draw = ts_rng_below(rng, count);
    return special == TS_SPECIAL_PLUS && c->attempt == 0 ? count - 1 : draw;
}

bool ts_values_weights(const struct ts_kernel_case *c, unsigned place, uint8_t *bytes,
                       uint64_t elements, struct ts_rng *rng)
{
    const struct ts_kernel_operand *o = &c->operands[place];
    enum ts_random_kind kind = TS_RANDOM_SANE;
    enum ts_special special;
    if (c->regime == TS_REGIME_EXACT) {
        kind = TS_RANDOM_UNIT;
    } else if (c->regime == TS_REGIME_EXTREME) {
        kind = extreme_of(c->info, c->variant)->kind;
    }
    if (!ts_random_weights(o->format, kind, rng, elements, bytes)) {
        return false;
    }
    if (is_special(c, place, &special)) {
        uint64_t blocks = elements / ts_format_block_elements(o->format);
        uint64_t block = place_of(c, special, blocks, rng);
        ts_random_special(o->format, special, rng,
                          bytes + block * ts_format_block_bytes(o->format));
    }
    return true;
}

double ts_values_scale(const struct ts_kernel_case *c)
{
    double scale = c->regime == TS_REGIME_EXTREME ? extreme_of(c->info, c->variant)->scale : 1;
    return scale > 1 ? scale : 1;
}

void ts_values_reals(const struct ts_kernel_case *c, unsigned place, struct ts_rng *rng)
{
    const struct ts_kernel_operand *o = &c->operands[place];
    enum ts_special special;
    if (c->regime == TS_REGIME_EXTREME) {
        const struct extreme *e = extreme_of(c->info, c->variant);
        double gain = e->gain && place == 0 ? ts_random_gain(c->axis, e->kind) : 1;
        double scale = e->scale < 1 ? e->scale : 1;
        for (uint64_t i = 0; i < o->elements; i++) {
            o->reals[i] = (double)(float)(o->reals[i] * scale * gain);
        }
    }
    for (uint64_t i = 0; c->regime == TS_REGIME_SPECIAL && i < o->elements; i++) {
        o->reals[i] = ts_rng_below(rng, 16) == 0 ? -0.0 : o->reals[i];
    }
    if (is_special(c, place, &special)) {
        o->reals[place_of(c, special, o->elements, rng)] = special == TS_SPECIAL_NAN ? (double)NAN
                                                           : special == TS_SPECIAL_PLUS
                                                               ? (double)INFINITY
                                                               : (double)-INFINITY;
    }
}

bool ts_values_mixed(const struct ts_kernel_case *c)
{
    uint64_t finite = 0, others = 0;
    for (unsigned i = 0; i < c->info->operand_count; i++) {
        const struct ts_kernel_operand *o = &c->operands[i];
        enum ts_operand_kind kind = c->info->operands[i].kind;
        if (!ts_operand_is_written(kind) || kind == TS_OPERAND_TMP || !o->value) {
            continue;
        }
        uint64_t count = o->want ? o->want_count : o->elements;
        for (uint64_t k = 0; k < count; k++) {
            bool number = isfinite((float)o->value[o->want ? o->want[k] : k]);
            finite += number;
            others += !number;
        }
    }
    return finite > 0 && others > 0;
}
