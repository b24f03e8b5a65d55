/* Random data with the statistics of the golden models: matrices of standard deviation
 * gain / sqrt(inputs), norm weights near 1. Codes of the block formats are drawn, not quantised. */
#include "tools/make-model/make_model.h"

#include "base/format.h"
#include "reference/quant.h"
#include "reference/quant_random.h"

#include <math.h>
#include <string.h>

/* The scales of a tensor's blocks lie evenly between 0.75 and 1.25 times the wanted one, so that a
 * block decoded with its neighbour's scale is wrong; their root mean square is this. */
static const double SCALE_RMS = 1.01174;

/* What a matrix's deviation is, times the square root of its inputs. Gate and up are large and down
 * is small in the golden models: the SwiGLU limit of 10 must take effect now and then. */
static double gain(const struct ts_tensor_spec *spec)
{
    switch (spec->id) {
    case TS_TENSOR_ffn_gate_exps:
    case TS_TENSOR_ffn_up_exps:
    case TS_TENSOR_ffn_gate_shexp:
    case TS_TENSOR_ffn_up_shexp: return 4;
    case TS_TENSOR_ffn_down_exps:
    case TS_TENSOR_ffn_down_shexp: return 0.3;
    case TS_TENSOR_ffn_gate_inp: return 3;
    case TS_TENSOR_output_hc_fn:
    case TS_TENSOR_hc_attn_fn:
    case TS_TENSOR_hc_ffn_fn:
    case TS_TENSOR_attn_output_b: return 1.5;
    default: return 1;
    }
}

static void statistics(const struct ts_tensor_spec *spec, double *mean, double *deviation)
{
    *mean = spec->role == TS_ROLE_NORM ? 1 : 0;
    switch (spec->id) {
    case TS_TENSOR_output_hc_scale:
    case TS_TENSOR_hc_attn_scale:
    case TS_TENSOR_hc_ffn_scale:
        *mean = 1;
        *deviation = 0.15;
        return;
    case TS_TENSOR_attn_compressor_ape:
    case TS_TENSOR_indexer_compressor_ape: *deviation = 0.5; return;
    case TS_TENSOR_exp_probs_b: *deviation = 0.3; return;
    default: break;
    }
    switch (spec->role) {
    case TS_ROLE_NORM: *deviation = 0.1; return;
    case TS_ROLE_VECTOR:
    case TS_ROLE_EMBEDDING: *deviation = 1; return;
    default: *deviation = gain(spec) / sqrt((double)spec->shape[0]); return;
    }
}

/* FNV-1a (Fowler, Noll, Vo). */
static uint64_t name_hash(const char *name)
{
    uint64_t hash = 0xcbf29ce484222325u;
    for (; *name; name++) {
        hash = (hash ^ (uint8_t)*name) * 0x100000001b3u;
    }
    return hash;
}

void ts_fill_start(struct ts_fill *fill, const struct ts_tensor_spec *spec, uint32_t format,
                   uint32_t experts, uint64_t seed, uint16_t *halves)
{
    memset(fill, 0, sizeof *fill);
    fill->spec = spec;
    fill->format = format;
    fill->experts = experts;
    fill->halves = halves;
    ts_rng_seed(&fill->rng, seed * 0x9e3779b97f4a7c15u ^ name_hash(spec->name));
    statistics(spec, &fill->mean, &fill->deviation);
    double unit = ts_random_deviation(format); /* plain numbers have none */
    double scale = fill->deviation / ((unit > 0 ? unit : 1) * SCALE_RMS);
    for (int i = 0; i < 16; i++) {
        fill->scales[i] = ts_real_to_half(scale * (0.75 + 0.5 * i / 15));
    }
    if (format == TS_F16 || format == TS_BF16) { /* in pairs around the mean, so that it is exact */
        for (int i = 0; i < TS_FILL_HALVES; i += 2) {
            double value = fill->deviation * ts_rng_gauss(&fill->rng);
            bool upper = format == TS_BF16;
            double pair[] = {fill->mean + value, fill->mean - value};
            for (int k = 0; k < 2; k++) {
                halves[i + k] = upper ? ts_real_to_bfloat(pair[k]) : ts_real_to_half(pair[k]);
            }
        }
    }
}

uint64_t ts_fill_unit(const struct ts_fill *fill)
{
    uint64_t block = ts_format_block_bytes(fill->format);
    return fill->spec->role == TS_ROLE_EXPERT_IDS ? block * fill->spec->shape[0] : block;
}

static void put_u16(uint8_t *data, uint16_t value)
{
    data[0] = (uint8_t)value;
    data[1] = (uint8_t)(value >> 8);
}

static void make_f32(struct ts_fill *fill, uint8_t *data)
{
    float value = (float)(fill->mean + fill->deviation * ts_rng_gauss(&fill->rng));
    memcpy(data, &value, sizeof value);
}

/* A row of different experts. */
static void make_ids(struct ts_fill *fill, uint8_t *data)
{
    int32_t ids[64];
    for (uint64_t i = 0; i < fill->spec->shape[0]; i++) {
        uint64_t seen;
        do {
            ids[i] = (int32_t)ts_rng_below(&fill->rng, fill->experts);
            for (seen = 0; ids[seen] != ids[i]; seen++) {
            }
        } while (seen < i);
    }
    memcpy(data, ids, fill->spec->shape[0] * sizeof ids[0]);
}

static void fill_f16(struct ts_fill *fill, uint8_t *data, uint64_t bytes)
{
    const unsigned bits = 12; /* five indices of a draw */
    _Static_assert(TS_FILL_HALVES == 1 << 12, "indices are 12 bits");
    for (uint64_t i = 0; i < bytes;) {
        uint64_t draw = ts_rng_next(&fill->rng);
        for (int k = 0; k < 5 && i < bytes; k++, i += 2, draw >>= bits) {
            put_u16(data + i, fill->halves[draw & (TS_FILL_HALVES - 1)]);
        }
    }
}

bool ts_fill_next(struct ts_fill *fill, uint8_t *data, uint64_t bytes)
{
    uint64_t unit = ts_fill_unit(fill);
    bool known = true;
    if (fill->format == TS_F16 || fill->format == TS_BF16) {
        fill_f16(fill, data, bytes);
        return true;
    }
    for (uint64_t i = 0; known && i < bytes; i += unit) {
        if (fill->format == TS_F32) {
            make_f32(fill, data + i);
        } else if (fill->format == TS_I32) {
            make_ids(fill, data + i);
        } else {
            known = ts_random_centred(fill->format, &fill->rng, fill->scales, data + i);
        }
    }
    return known;
}
