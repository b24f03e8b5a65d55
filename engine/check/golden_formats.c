/* Operation vectors of number formats and of rotations: quant, rope, fp8, fp4, hadamard. */
#include "engine/check/golden_internal.h"

#include "reference/quant.h"
#include "reference/reference.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Golden numbers of curved operations agree to float32 rounding of the file. */
static const double curved_bound = 1e-6;

static double *reals(const struct ts_golden *golden, uint64_t count, const char *what)
{
    double *values = calloc(count ? count : 1, sizeof *values);
    if (!values) {
        ts_fail_memory(golden->error, what, count * sizeof *values);
    }
    return values;
}

static bool find_format(const char *name, uint32_t *format)
{
    static const uint32_t formats[] = {TS_F32,  TS_F16,  TS_BF16,    TS_Q8_0,
                                       TS_Q2_K, TS_Q4_K, TS_IQ2_XXS, TS_MXFP4};
    for (size_t i = 0; i < sizeof formats / sizeof formats[0]; i++) {
        if (strcmp(ts_format_name(formats[i]), name) == 0) {
            *format = formats[i];
            return true;
        }
    }
    return false;
}

/* Rows decoded, as float32, against the file's values. */
static bool compare_values(const struct ts_golden *golden, const char *name, uint32_t format,
                           const struct ts_gguf_tensor *blocks, const struct ts_gguf_tensor *values)
{
    uint64_t rows = blocks->shape[1], width = values->shape[0];
    double *row = reals(golden, width, name);
    float *decoded = calloc(rows * width, sizeof *decoded);
    bool ok = row && (decoded || ts_fail_memory(golden->error, name, rows * width * 4));
    for (uint64_t r = 0; ok && r < rows; r++) {
        const uint8_t *from =
            (const uint8_t *)ts_golden_data(golden, blocks) + r * blocks->shape[0];
        ts_decode(format, from, width, row);
        for (uint64_t i = 0; i < width; i++) {
            decoded[r * width + i] = (float)row[i];
        }
    }
    ok = ok && ts_golden_compare_bits(golden, name, decoded, ts_golden_data(golden, values), rows,
                                      width, width * sizeof *decoded);
    free(row);
    free(decoded);
    return ok;
}

/* The first rows of blocks were quantised from source; only Q8_0 has a rule that fixes every bit. */
static bool compare_source(const struct ts_golden *golden, const char *name,
                           const struct ts_gguf_tensor *blocks, const struct ts_gguf_tensor *source)
{
    uint64_t rows = source->shape[1], bytes = blocks->shape[0], width = source->shape[0];
    uint8_t *quantised = calloc(rows, bytes);
    if (!quantised) {
        return ts_fail_memory(golden->error, name, rows * bytes);
    }
    for (uint64_t r = 0; r < rows; r++) {
        ts_quantize_q8_0((const float *)ts_golden_data(golden, source) + r * width, width,
                         quantised + r * bytes);
    }
    bool ok = ts_golden_compare_bits(golden, name, quantised, ts_golden_data(golden, blocks), rows,
                                     width, bytes);
    free(quantised);
    return ok;
}

bool ts_golden_quant(const struct ts_golden *golden, const char *format_name)
{
    char name[3][48];
    uint32_t format;
    uint64_t bytes;
    snprintf(name[0], sizeof name[0], "quant.%s.blocks", format_name);
    snprintf(name[1], sizeof name[1], "quant.%s.values", format_name);
    snprintf(name[2], sizeof name[2], "quant.%s.source", format_name);
    if (!find_format(format_name, &format)) {
        return ts_golden_bad(golden, name[0], "the format is unknown");
    }
    const struct ts_gguf_tensor *blocks = ts_golden_tensor(golden, name[0], TS_I8, 0, 0);
    const struct ts_gguf_tensor *values =
        blocks ? ts_golden_tensor(golden, name[1], TS_F32, 0, blocks->shape[1]) : NULL;
    if (!values) {
        return false;
    }
    if (!ts_format_row_bytes(format, values->shape[0], &bytes) || bytes != blocks->shape[0]) {
        return ts_golden_bad(golden, name[0], "rows of blocks and of values do not agree");
    }
    const struct ts_gguf_tensor *source =
        ts_golden_tensor(golden, name[2], TS_F32, values->shape[0], 0);
    if (!source) {
        return false;
    }
    if (source->shape[1] > blocks->shape[1]) {
        return ts_golden_bad(golden, name[2], "more rows than blocks");
    }
    return compare_values(golden, name[1], format, blocks, values) &&
           (format != TS_Q8_0 || compare_source(golden, name[2], blocks, source));
}

/* One operation from real rows to real rows. */
static bool apply(const struct ts_golden *golden, enum ts_op op, const void *args,
                  const struct ts_ref_in *in, double *values)
{
    struct ts_ref_out out = {.value = values};
    return ts_ref_op(op)(args, in, &out, NULL, NULL, golden->error);
}

/* group.in through the operation, against group.out; bit for bit as float32, or to the bound. */
static bool compare_map(const struct ts_golden *golden, const char *group, enum ts_op op,
                        const void *args, const struct ts_gguf_tensor *in,
                        const struct ts_gguf_tensor *want, bool exact)
{
    char name[48];
    uint64_t rows = in->shape[1], width = in->shape[0], count = rows * width;
    struct ts_ref_in operand = {.data = ts_golden_data(golden, in), .format = TS_F32};
    double *values = reals(golden, count, group);
    float *rounded = exact ? calloc(count, sizeof *rounded) : NULL;
    snprintf(name, sizeof name, "%s.out", group);
    bool ok = values && (!exact || rounded || ts_fail_memory(golden->error, group, count * 4)) &&
              apply(golden, op, args, &operand, values);
    for (uint64_t i = 0; ok && exact && i < count; i++) {
        rounded[i] = (float)values[i];
    }
    if (ok && exact) {
        ok = ts_golden_compare_bits(golden, name, rounded, ts_golden_data(golden, want), rows,
                                    width, width * sizeof *rounded);
    } else if (ok) {
        ok = ts_golden_compare(golden, name, values, ts_golden_data(golden, want), rows, width,
                               curved_bound);
    }
    free(values);
    free(rounded);
    return ok;
}

/* The tensors group.in and group.out, of one shape. */
static bool find_map(const struct ts_golden *golden, const char *group,
                     const struct ts_gguf_tensor **in, const struct ts_gguf_tensor **out)
{
    char name[48];
    snprintf(name, sizeof name, "%s.in", group);
    *in = ts_golden_tensor(golden, name, TS_F32, 0, 0);
    if (!*in) {
        return false;
    }
    snprintf(name, sizeof name, "%s.out", group);
    *out = ts_golden_tensor(golden, name, TS_F32, (*in)->shape[0], (*in)->shape[1]);
    return *out != NULL;
}

bool ts_golden_fp8(const struct ts_golden *golden)
{
    const struct ts_gguf_tensor *in, *out;
    if (!find_map(golden, "fp8", &in, &out)) {
        return false;
    }
    if (in->shape[0] % 64 != 0) {
        return ts_golden_bad(golden, "fp8.in", "rows are no multiple of 64");
    }
    struct ts_fp8_round_args args = {.rows = (uint32_t)in->shape[1],
                                     .width = (uint32_t)in->shape[0],
                                     .rounded = (uint32_t)in->shape[0]};
    return compare_map(golden, "fp8", TS_OP_fp8_round, &args, in, out, true);
}

bool ts_golden_fp4(const struct ts_golden *golden)
{
    const struct ts_gguf_tensor *in, *out;
    if (!find_map(golden, "fp4", &in, &out)) {
        return false;
    }
    if (in->shape[0] % 32 != 0) {
        return ts_golden_bad(golden, "fp4.in", "rows are no multiple of 32");
    }
    struct ts_fp4_round_args args = {.rows = (uint32_t)in->shape[1],
                                     .width = (uint32_t)in->shape[0]};
    return compare_map(golden, "fp4", TS_OP_fp4_round, &args, in, out, true);
}

bool ts_golden_hadamard(const struct ts_golden *golden)
{
    const struct ts_gguf_tensor *in, *out;
    if (!find_map(golden, "hadamard", &in, &out)) {
        return false;
    }
    if ((in->shape[0] & (in->shape[0] - 1)) != 0 || in->shape[0] > 1024) {
        return ts_golden_bad(golden, "hadamard.in", "rows are no power of two up to 1024");
    }
    struct ts_hadamard_args args = {.rows = (uint32_t)in->shape[1],
                                    .width = (uint32_t)in->shape[0]};
    return compare_map(golden, "hadamard", TS_OP_hadamard, &args, in, out, false);
}

/* Angles of each position in the file, by the model's own policy. NULL with an error. */
static double *rope_angles(const struct ts_golden *golden, bool yarn,
                           const struct ts_gguf_tensor *positions, uint32_t rotary)
{
    static const struct ts_rope_policy plain = {.base = 10000};
    static const struct ts_rope_policy compressed = {160000, 16, 65536, 32, 1};
    const int32_t *position = ts_golden_data(golden, positions);
    float frequencies[TS_ROPE_MAX_PAIRS];
    double *angles = reals(golden, positions->shape[0] * rotary, "rope angles");
    ts_rope_frequencies(yarn ? &compressed : &plain, rotary, frequencies);
    for (uint64_t i = 0; angles && i < positions->shape[0]; i++) {
        if (position[i] < 0) {
            ts_golden_bad(golden, "rope.positions", "a negative position");
            free(angles);
            return NULL;
        }
        ts_rope_angles(frequencies, rotary, (uint64_t)position[i], 1, 1, angles + i * rotary);
    }
    return angles;
}

static bool compare_rope(const struct ts_golden *golden, const char *policy, bool inverse,
                         const struct ts_gguf_tensor *in, const double *angles)
{
    char name[48];
    uint64_t rows = in->shape[1], width = in->shape[0];
    struct ts_rope_args args = {.tokens = (uint32_t)rows,
                                .heads = 1,
                                .width = (uint32_t)width,
                                .rotary = (uint32_t)width,
                                .inverse = inverse};
    struct ts_ref_in operands[] = {{.data = ts_golden_data(golden, in), .format = TS_F32},
                                   {.data = angles, .format = TS_F64}};
    snprintf(name, sizeof name, "rope.%s.%s", policy, inverse ? "inverse" : "out");
    const struct ts_gguf_tensor *want = ts_golden_tensor(golden, name, TS_F32, width, rows);
    double *values = want ? reals(golden, rows * width, name) : NULL;
    bool ok = values && apply(golden, TS_OP_rope, &args, operands, values) &&
              ts_golden_compare(golden, name, values, ts_golden_data(golden, want), rows, width,
                                curved_bound);
    free(values);
    return ok;
}

bool ts_golden_rope(const struct ts_golden *golden, const char *policy)
{
    char name[48];
    snprintf(name, sizeof name, "rope.%s.in", policy);
    const struct ts_gguf_tensor *in = ts_golden_tensor(golden, name, TS_F32, 0, 0);
    const struct ts_gguf_tensor *positions =
        in ? ts_golden_tensor(golden, "rope.positions", TS_I32, in->shape[1], 1) : NULL;
    if (!positions) {
        return false;
    }
    if (in->shape[0] % 2 != 0 || in->shape[0] > 2 * TS_ROPE_MAX_PAIRS) {
        return ts_golden_bad(golden, name, "rows are no whole number of pairs, at most 128");
    }
    double *angles =
        rope_angles(golden, strcmp(policy, "yarn") == 0, positions, (uint32_t)in->shape[0]);
    bool ok = angles && compare_rope(golden, policy, false, in, angles) &&
              compare_rope(golden, policy, true, in, angles);
    free(angles);
    return ok;
}
