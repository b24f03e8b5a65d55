/* What both attention kernels share: which rows a token sees, and the inverse RoPE of a result. */
#ifndef TS_KERNELS_ATTENTION_SHADER_H
#define TS_KERNELS_ATTENTION_SHADER_H

#include "kernels/shader.h"

#include "kernels/attention.h"

/* The widest head. */
enum { MAX_WIDTH = 512 };

/* The rows of one token: those of its window that lie in the ring, those of this call, compressed
 * ones. */
struct token_keys {
    device const float *kv, *ring, *rows;
    device const int *ids; /* of the token */
    uint width, window;    /* of a row; rows of the ring */
    uint slot, old;        /* the first row's place in the ring; rows there */
    uint recent;           /* rows of the window, old ones included */
    uint count;            /* all rows, and ids that are none */
    uint selected;
};

/* A is one of the two argument structs. */
template <typename A>
inline token_keys keys_of(constant A &a, device const float *kv, device const float *ring,
                          device const float *rows, device const int *ids, uint token)
{
    token_keys keys;
    ulong seen = a.position + token + 1; /* positions from 0 on */
    keys.recent = uint(min(seen, ulong(a.window)));
    ulong first = seen - keys.recent;
    keys.old = first < a.position ? uint(a.position - first) : 0;
    keys.slot = uint(first % a.window);
    keys.kv = kv + (keys.old > 0 ? 0 : first - a.position) * a.width;
    keys.ring = ring;
    keys.rows = rows;
    keys.ids = ids + ulong(token) * a.selected;
    keys.width = a.width;
    keys.window = a.window;
    keys.selected = a.selected;
    keys.count = keys.recent;
    if (a.ratio != 0) {
        ulong visible = min((seen - TS_MUTANT(4, 1, 0)) / a.ratio, ulong(a.rows));
        keys.count += a.selected != 0 ? a.selected : uint(visible);
    }
    return keys;
}

/* Row i of a token, or null where ids has none. */
inline device const float *key_at(thread const token_keys &keys, uint i)
{
    if (i < keys.old) {
        uint slot = keys.slot + i; /* below 2 window, which is no large number */
        slot -= slot >= keys.window ? TS_MUTANT(5, keys.window - 1, keys.window) : 0;
        return keys.ring + ulong(slot) * keys.width;
    }
    if (i < keys.recent) {
        return keys.kv + ulong(i - keys.old) * keys.width;
    }
    i -= keys.recent;
    if (keys.selected != 0) {
        int id = TS_MUTANT(14, int(short(keys.ids[i])), keys.ids[i]);
        return id < 0 ? nullptr : keys.rows + ulong(id) * keys.width;
    }
    return keys.rows + ulong(i) * keys.width;
}

/* 1 / sqrt(width). */
inline float logit_scale(uint width)
{
    return TS_MUTANT(6, 1.0f, 1.0f / precise::sqrt(float(width)));
}

/* The sink's logit, or -FLT_MAX for none, which no difference makes infinite. A comparison, because max
 * drops a NaN. */
inline float sink_of(device const uchar *sink, uint head)
{
    float logit = ts_weight(sink, 5, head);
    return logit < -FLT_MAX ? -FLT_MAX : logit;
}

inline float sink_weight(float sink, float best)
{
    return sink != -FLT_MAX ? TS_MUTANT(7, 0.0f, precise::exp(sink - best)) : 0.0f;
}

inline uint rotary_of(constant ts_attention_args &)
{
    return 0;
}

inline uint rotary_of(constant ts_attention_unrotate_args &a)
{
    return a.rotary;
}

/* Element c of a head that was rotated, from it and the other of its pair; angles of the token. */
inline float unrotated(float value, float other, uint pair, bool second, device const float *angles)
{
    float cosine = angles[pair], sine = angles[pair + 1];
#if MUTANT == 1 || MUTANT == 11
    sine = -sine;
#endif
    return second ? value * cosine - other * sine : value * cosine + other * sine;
}

#endif
