/* Kernels that are wrong on purpose, one a weight format: each must be reported as what it is
 * (tests/metal_planted_test.c). What embed does, and one fault; planted bug 1 chooses the second
 * list. */
#include "kernels/weights.h"

#include "kernels/embed.h"

enum fault {
    NOTHING,
    BEFORE,       /* the byte before the output */
    BEFORE_ODD,   /* one further away */
    BEHIND,       /* the first byte behind it */
    BEHIND_ODD,   /* one further away */
    BEHIND_INDEX, /* the byte behind an input */
    INDEX,        /* an input of ids */
    WEIGHT,       /* an input of weights, its last byte */
    UNWRITTEN,    /* one element is left as it was */
    ONE_ULP,      /* one element is the float beside the right one */
    NAN_MADE,
    INFINITY_MADE,
    ENDLESS
};

template <typename F> struct planted;
#if MUTANT == 1
#define PLANT(format, first, second)                                                               \
    template <> struct planted<format> {                                                           \
        enum : uint { kind = second };                                                             \
    };
#else
#define PLANT(format, first, second)                                                               \
    template <> struct planted<format> {                                                           \
        enum : uint { kind = first };                                                              \
    };
#endif
PLANT(weight_f32, BEFORE, NAN_MADE)
PLANT(weight_f16, BEHIND, ENDLESS)
PLANT(weight_bf16, NOTHING, NOTHING)
PLANT(weight_q8_0, BEHIND_ODD, INFINITY_MADE)
PLANT(weight_q2_k, INDEX, BEFORE_ODD)
PLANT(weight_q4_k, WEIGHT, BEHIND_INDEX)
PLANT(weight_iq2_xxs, UNWRITTEN, ENDLESS)
PLANT(weight_mxfp4, ONE_ULP, NOTHING)

static void change(device void *memory, long byte)
{
    ((device uchar *)memory)[byte] ^= 1;
}

template <typename F>
static void stray(constant ts_embed_args &a, device const int *tokens, device const uchar *table,
                  device float *streams)
{
    const uint kind = planted<F>::kind;
    long bytes = 4 * long(a.tokens) * a.streams * a.width;
    if (kind == BEFORE || kind == BEFORE_ODD) {
        change(streams, kind == BEFORE ? -1 : -77);
    } else if (kind == BEHIND || kind == BEHIND_ODD) {
        change(streams, bytes + (kind == BEHIND ? 0 : 77));
    } else if (kind == BEHIND_INDEX) {
        change((device int *)tokens, 4 * long(a.tokens));
    } else if (kind == INDEX) {
        change((device int *)tokens, 0);
    } else if (kind == WEIGHT) {
        change((device uchar *)table, long(a.vocab) * long(F::row_bytes(a.width)) - 1);
    } else if (kind == ENDLESS) {
        device volatile float *wait = streams;
        while (wait[0] != -12345.0f) {
        }
    }
}

template <typename F>
kernel void embed(constant ts_embed_args &a [[buffer(0)]],
                  device const int *tokens [[buffer(1)]],
                  device const uchar *table [[buffer(2)]],
                  device float *streams [[buffer(3)]],
                  uint2 group [[threadgroup_position_in_grid]],
                  uint index [[thread_index_in_threadgroup]])
{
    const uint kind = planted<F>::kind;
    uint chunk = 64 * group.x + index;
    if (16 * chunk >= a.width) {
        return;
    }
    float values[16];
    F::decode(table + uint(tokens[group.y]) * F::row_bytes(a.width), chunk, a.width, values);
    uint count = min(16u, a.width - 16 * chunk);
    bool chosen = group.y == 0 && 16 * chunk + count == a.width;
    if (chosen && kind == ONE_ULP) {
        values[count - 1] = as_type<float>(as_type<uint>(values[count - 1]) ^ 1);
    } else if (chosen && (kind == NAN_MADE || kind == INFINITY_MADE)) {
        values[count - 1] = kind == NAN_MADE ? NAN : INFINITY;
    }
    for (uint s = 0; s < a.streams; s++) {
        device float *to = streams + (ulong(group.y) * a.streams + s) * a.width + 16 * chunk;
        for (uint i = 0; i < count; i++) {
            if (kind != UNWRITTEN || !chosen || s > 0 || i + 1 < count) {
                to[i] = values[i];
            }
        }
    }
    if (group.x == 0 && group.y == 0 && index == 0) {
        stray<F>(a, tokens, table, streams);
    }
}
TS_INSTANTIATE(embed)
