/* Inputs of a case, from a seed. */
#include "engine/check/kernel_case.h"

#include "engine/check/kernel_values.h"
#include "reference/quant.h"

#include <stdlib.h>
#include <string.h>

const char *ts_regime_name(enum ts_regime regime)
{
    static const char *const names[TS_REGIME_COUNT] = {"exact",    "random",  "outliers",
                                                       "constant", "extreme", "special"};
    return names[regime];
}

/* The kernel's own format of a weight; small ones are F32, F16 and BF16 in turn, optional operands are left
 * out of every fourth case. */
static uint32_t format_of(const struct ts_kernel *kernel, unsigned index, unsigned place)
{
    enum ts_operand_kind kind = ts_op_info(kernel->op)->operands[place].kind;
    uint32_t format = ts_kernel_format(kernel, place);
    if (!ts_operand_is_weight(kind)) {
        return ts_operand_is_index(kind) ? TS_I32 : TS_F32;
    }
    if (format != TS_ANY_FORMAT) {
        return format;
    }
    static const uint32_t small[] = {TS_F32, TS_F16, TS_BF16};
    return small[(index + place) % 3];
}

bool ts_kernel_case_is_first(const struct ts_kernel *kernel, unsigned index)
{
    const struct ts_op_info *info = ts_op_info(kernel->op);
    uint32_t formats[TS_MAX_OPERANDS];
    for (unsigned i = 0; i < info->operand_count; i++) {
        formats[i] = format_of(kernel, index, i);
    }
    return ts_kernel_find(kernel->op, ts_case_args(info, index), formats) == kernel;
}

uint64_t ts_kernel_case_largest(const struct ts_kernel *kernel, unsigned index)
{
    const struct ts_op_info *info = ts_op_info(kernel->op);
    uint64_t elements[TS_MAX_OPERANDS] = {0}, largest = 0, bytes = 0;
    info->extent(ts_case_args(info, index), elements);
    for (unsigned i = 0; i < info->operand_count; i++) {
        if (ts_format_row_bytes(format_of(kernel, index, i), elements[i], &bytes)) {
            largest = bytes > largest ? bytes : largest;
        }
    }
    return largest;
}

static double real_of(enum ts_regime regime, struct ts_rng *rng)
{
    if (regime == TS_REGIME_EXACT) {
        return (double)ts_rng_below(rng, 3) - 1.0;
    }
    if (regime == TS_REGIME_CONSTANT) {
        return 0.75;
    }
    double value = ts_rng_bell(rng);
    if (regime == TS_REGIME_OUTLIERS) {
        switch (ts_rng_below(rng, 64)) {
        case 0: value *= 100.0; break;
        case 1: value = 1e-40; break;
        case 2:
        case 3: value = 0.0; break;
        default: break;
        }
    }
    return (double)(float)value;
}

static void fill_plain(uint8_t *bytes, uint32_t format, uint64_t elements, enum ts_regime regime,
                       struct ts_rng *rng)
{
    for (uint64_t i = 0; i < elements; i++) {
        double value = real_of(regime, rng);
        if (format == TS_F16) {
            uint16_t half = ts_real_to_half(value);
            memcpy(bytes + i * sizeof half, &half, sizeof half);
        } else if (format == TS_BF16) {
            uint16_t upper = ts_real_to_bfloat(value);
            memcpy(bytes + i * sizeof upper, &upper, sizeof upper);
        } else {
            float single = (float)value;
            memcpy(bytes + i * sizeof single, &single, sizeof single);
        }
    }
}

/* False for a format of which nobody knows random blocks. */
static bool fill_weights(const struct ts_kernel_case *c, unsigned place, uint8_t *bytes,
                         uint64_t elements, struct ts_rng *rng, struct ts_error *error)
{
    uint32_t format = c->operands[place].format;
    bool plain = ts_format_is_plain(format);
    if (plain && c->regime < TS_REGIME_EXTREME) {
        fill_plain(bytes, format, elements, c->regime, rng);
        return true;
    }
    return ts_values_weights(c, place, bytes, elements, rng) ||
           ts_fail(error, TS_ERR_CHECK, NULL, "case %u: no random %s are known, for operand %s",
                   c->index, ts_format_name(format), c->info->operands[place].name);
}

/* An input of which only a piece is made. */
static bool make_repeated(struct ts_kernel_case *c, unsigned place, struct ts_rng *rng,
                          struct ts_error *error)
{
    struct ts_kernel_operand *o = &c->operands[place];
    uint64_t unit = ts_format_block_bytes(o->format);
    if (!ts_repeated_open(&o->repeated, o->bytes, unit, error)) {
        return false;
    }
    uint64_t elements = o->repeated.piece / unit * ts_format_block_elements(o->format);
    if (!fill_weights(c, place, o->repeated.contents, elements, rng, error)) {
        return false;
    }
    ts_repeated_keep(&o->repeated);
    return true;
}

static bool make_input(struct ts_kernel_case *c, unsigned place, struct ts_rng *rng,
                       struct ts_error *error)
{
    struct ts_kernel_operand *o = &c->operands[place];
    enum ts_operand_kind kind = c->info->operands[place].kind;
    ts_inputs_fn *hook = c->info->cases->inputs;
    if (ts_operand_is_weight(kind)) {
        o->weights = malloc(o->bytes);
        return o->weights ? fill_weights(c, place, o->weights, o->elements, rng, error)
                          : ts_fail_memory(error, "a check's operand", o->bytes);
    }
    if (ts_operand_is_index(kind)) {
        o->indices = calloc(o->elements, sizeof *o->indices);
        if (o->indices && hook) {
            hook(c->args, place, rng, o->elements, o->indices, NULL);
        }
        return o->indices || ts_fail_memory(error, "a check's operand", o->bytes);
    }
    o->reals = malloc(o->elements * sizeof *o->reals);
    for (uint64_t i = 0; o->reals && i < o->elements; i++) {
        o->reals[i] = ts_values_scale(c) * real_of(c->regime, rng);
    }
    if (o->reals && hook && c->regime != TS_REGIME_EXACT) {
        hook(c->args, place, rng, o->elements, NULL, o->reals);
        for (uint64_t i = 0; i < o->elements; i++) {
            o->reals[i] = (double)(float)o->reals[i];
        }
    }
    if (o->reals) {
        ts_values_reals(c, place, rng);
    }
    return o->reals || ts_fail_memory(error, "a check's operand", o->bytes);
}

/* Room for what the reference says and for what the device leaves. */
static bool make_output(struct ts_kernel_case *c, unsigned place, struct ts_rng *rng)
{
    struct ts_kernel_operand *o = &c->operands[place];
    o->got = malloc(o->bytes);
    if (ts_operand_is_index(c->info->operands[place].kind)) {
        o->index = calloc(o->elements, sizeof *o->index);
        return o->got && o->index;
    }
    o->value = calloc(o->elements, sizeof *o->value);
    o->err = calloc(o->elements, sizeof *o->err);
    if (o->reals && o->value) { /* updated in place */
        memcpy(o->value, o->reals, o->elements * sizeof *o->value);
    }
    return o->got && o->value && o->err && ts_kernel_case_want(c, o, rng);
}

/* An operand of random numbers. */
static bool make_operand(struct ts_kernel_case *c, unsigned place, struct ts_rng *rng,
                         struct ts_error *error)
{
    enum ts_operand_kind kind = c->info->operands[place].kind;
    uint64_t bytes = c->operands[place].bytes;
    bool written = ts_operand_is_written(kind);
    if (!written && !ts_operand_is_index(kind) && bytes > TS_REPEATED_BYTES) {
        return make_repeated(c, place, rng, error);
    }
    if ((!written || kind == TS_OPERAND_MIO) && !make_input(c, place, rng, error)) {
        return false;
    }
    return !written || make_output(c, place, rng) ||
           ts_fail_memory(error, "a check's operand", bytes);
}

bool ts_kernel_case_make(struct ts_kernel_case *c, const struct ts_kernel *kernel, unsigned index,
                         const struct ts_case_inputs *inputs, struct ts_rng *rng,
                         struct ts_error *error)
{
    const struct ts_op_info *info = ts_op_info(kernel->op);
    const void *args = ts_case_args(info, index);
    uint64_t elements[TS_MAX_OPERANDS] = {0};
    *c = (struct ts_kernel_case){.op = kernel->op,
                                 .info = info,
                                 .claim = kernel->claim,
                                 .args = args,
                                 .index = index,
                                 .regime = inputs->regime,
                                 .variant = inputs->variant,
                                 .attempt = inputs->attempt,
                                 .axis = kernel->formats[0]};
    info->extent(args, elements);
    for (unsigned i = 0; i < info->operand_count; i++) {
        struct ts_kernel_operand *o = &c->operands[i];
        o->elements = elements[i];
        o->format = format_of(kernel, index, i);
        if ((info->cases->optional >> i & 1) != 0 && index % 4 == 3) {
            o->elements = 0;
        }
        if (!ts_format_row_bytes(o->format, o->elements, &o->bytes)) {
            return ts_fail(error, TS_ERR_CHECK, NULL,
                           "kernel %s, case %u: operand %s is no whole number of blocks",
                           kernel->function, index, info->operands[i].name);
        }
        if (o->elements > 0 && !make_operand(c, i, rng, error)) {
            return false;
        }
    }
    return true;
}

/* Copies what a slice holds, unless all of it is about to be written. */
static bool take_operand(struct ts_kernel_case *c, unsigned place, struct ts_slice slice)
{
    struct ts_kernel_operand *o = &c->operands[place];
    enum ts_operand_kind kind = c->info->operands[place].kind;
    if (ts_operand_is_written(kind) && kind != TS_OPERAND_MIO) {
        return true;
    }
    if (ts_operand_is_weight(kind)) {
        o->weights = malloc(o->bytes);
        return o->weights && memcpy(o->weights, ts_slice_contents(slice), o->bytes);
    }
    if (ts_operand_is_index(kind)) {
        o->indices = malloc(o->bytes);
        return o->indices && memcpy(o->indices, ts_slice_contents(slice), o->bytes);
    }
    o->reals = malloc(o->elements * sizeof *o->reals);
    if (o->reals) {
        ts_slice_read(slice, 0, o->elements, o->reals);
    }
    for (uint64_t i = 0; o->reals && i < o->elements; i++) {
        o->reals[i] = (double)(float)o->reals[i];
    }
    return o->reals != NULL;
}

bool ts_kernel_case_take(struct ts_kernel_case *c, enum ts_op op, const void *args,
                         const struct ts_slice *slices, const struct ts_precision *claim,
                         struct ts_rng *rng, struct ts_error *error)
{
    const struct ts_op_info *info = ts_op_info(op);
    uint64_t elements[TS_MAX_OPERANDS] = {0};
    *c = (struct ts_kernel_case){
        .op = op, .info = info, .claim = *claim, .args = args, .regime = TS_REGIME_RANDOM};
    info->extent(args, elements);
    for (unsigned i = 0; i < info->operand_count; i++) {
        struct ts_kernel_operand *o = &c->operands[i];
        enum ts_operand_kind kind = info->operands[i].kind;
        bool real = !ts_operand_is_weight(kind) && !ts_operand_is_index(kind);
        o->elements = slices[i].buffer ? elements[i] : 0;
        o->format = real ? TS_F32 : slices[i].format;
        if (o->elements == 0) {
            continue;
        }
        if (!ts_format_row_bytes(o->format, o->elements, &o->bytes) ||
            !take_operand(c, i, slices[i]) ||
            (ts_operand_is_written(kind) && !make_output(c, i, rng))) {
            return ts_fail_memory(error, "a check's operand", o->bytes);
        }
    }
    return true;
}

void ts_kernel_case_free(struct ts_kernel_case *c)
{
    for (unsigned i = 0; i < TS_MAX_OPERANDS; i++) {
        struct ts_kernel_operand *o = &c->operands[i];
        free(o->reals);
        free(o->indices);
        free(o->weights);
        ts_repeated_close(&o->repeated);
        free(o->value);
        free(o->err);
        free(o->index);
        free(o->want);
        free(o->got);
    }
}
