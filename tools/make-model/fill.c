/* Random data with the statistics of the golden models: matrices of standard deviation
 * gain / sqrt(inputs), norm weights near 1. Codes of the block formats are drawn, not quantised. */
#include "tools/make-model/make_model.h"

#include "base/format.h"
#include "reference/quant.h"

#include <math.h>
#include <string.h>

/* Standard deviation of a block format's values with codes as drawn below and scale 1. */
static const double DEVIATION_Q8_0 = 52.2526;    /* sum of two numbers below 128, minus 127 */
static const double DEVIATION_Q2_K = 13.9821;    /* sc q - 1.5 m; sc and m in 8..15, q in 0..3 */
static const double DEVIATION_Q4_K = 243.6134;   /* sc q - 7.5 m; sc and m in 32..63, q in 0..15 */
static const double DEVIATION_IQ2_XXS = 53.3621; /* every code alike */

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

static double unit_deviation(uint32_t format)
{
    switch (format) {
    case TS_Q8_0: return DEVIATION_Q8_0;
    case TS_Q2_K: return DEVIATION_Q2_K;
    case TS_Q4_K: return DEVIATION_Q4_K;
    case TS_IQ2_XXS: return DEVIATION_IQ2_XXS;
    default: return 1;
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
    double scale = fill->deviation / (unit_deviation(format) * SCALE_RMS);
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

static void put_random(struct ts_rng *rng, uint8_t *data, unsigned bytes)
{
    for (unsigned i = 0; i < bytes; i += 8) {
        uint64_t bits = ts_rng_next(rng);
        memcpy(data + i, &bits, bytes - i < 8 ? bytes - i : 8);
    }
}

/* d, 32 codes. Each code is the sum of two random 7-bit numbers minus 127, eight at a time. */
static void make_q8_0(struct ts_fill *fill, uint8_t *block)
{
    const uint64_t low = 0x7f7f7f7f7f7f7f7fu, one = 0x0101010101010101u, top = one << 7;
    uint64_t draw = 0;
    for (int i = 0; i < 32; i += 8) {
        draw = ts_rng_next(&fill->rng);
        uint64_t sum = (draw & low) + (ts_rng_next(&fill->rng) >> 1 & low);
        /* adds 129, which is -127, to each byte without carrying into the next */
        uint64_t codes = ((sum & low) + one) ^ ((sum ^ top) & top);
        memcpy(block + 2 + i, &codes, sizeof codes);
    }
    unsigned pick = (unsigned)(draw >> 7 & 1) | (unsigned)(draw >> 15 & 1) << 1 |
                    (unsigned)(draw >> 23 & 1) << 2 | (unsigned)(draw >> 31 & 1) << 3;
    put_u16(block, fill->scales[pick]); /* the codes do not use these four bits */
}

/* sc[16], qs[64], d, dmin. The minimum is what centres the values: 1.5 d. */
static void make_q2_k(struct ts_fill *fill, uint8_t *block)
{
    put_random(&fill->rng, block, 80);
    for (int i = 0; i < 16; i++) {
        block[i] |= 0x88;
    }
    uint16_t d = fill->scales[ts_rng_next(&fill->rng) >> 60];
    put_u16(block + 80, d);
    put_u16(block + 82, ts_real_to_half(1.5 * ts_half_to_real(d)));
}

/* d, dmin, s[12], qs[128]. The bits set make all scales and minima 32 or more. */
static void make_q4_k(struct ts_fill *fill, uint8_t *block)
{
    put_random(&fill->rng, block + 4, 140);
    for (int i = 0; i < 8; i++) {
        block[4 + i] |= 0xA0;
    }
    uint16_t d = fill->scales[ts_rng_next(&fill->rng) >> 60];
    put_u16(block, d);
    put_u16(block + 2, ts_real_to_half(7.5 * ts_half_to_real(d)));
}

/* d, 8 groups of 8 bytes, all of whose values are valid. */
static void make_iq2_xxs(struct ts_fill *fill, uint8_t *block)
{
    put_random(&fill->rng, block + 2, 64);
    put_u16(block, fill->scales[ts_rng_next(&fill->rng) >> 60]);
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

void ts_fill_next(struct ts_fill *fill, uint8_t *data, uint64_t bytes)
{
    void (*make)(struct ts_fill *, uint8_t *) = NULL;
    switch (fill->format) {
    case TS_F16:
    case TS_BF16: fill_f16(fill, data, bytes); return;
    case TS_F32: make = make_f32; break;
    case TS_I32: make = make_ids; break;
    case TS_Q8_0: make = make_q8_0; break;
    case TS_Q2_K: make = make_q2_k; break;
    case TS_Q4_K: make = make_q4_k; break;
    default: make = make_iq2_xxs; break;
    }
    uint64_t unit = ts_fill_unit(fill);
    for (uint64_t i = 0; i < bytes; i += unit) {
        make(fill, data + i);
    }
}
