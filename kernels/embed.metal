#include "kernels/weights.h"

#include "kernels/embed.h"

/* A thread for each 16 columns of a token: its row is decoded once, and copied to every stream. */
template <typename F>
kernel void embed(constant ts_embed_args &a [[buffer(0)]],
                  device const int *tokens [[buffer(1)]],
                  device const uchar *table [[buffer(2)]],
                  device float *streams [[buffer(3)]],
                  uint2 group [[threadgroup_position_in_grid]],
                  uint index [[thread_index_in_threadgroup]])
{
    uint chunk = 64 * group.x + index;
    if (16 * chunk >= a.width) {
        return;
    }
    uint token = uint(tokens[TS_MUTANT(1, group.y / 2, group.y)]);
    token = TS_MUTANT(6, ushort(token), token);
    float values[16];
    F::decode(table + token * F::row_bytes(a.width), chunk, a.width, values);
    uint count = min(16u, a.width - 16 * chunk);
    for (uint i = 0; i < 16; i++) {
        values[i] = TS_MUTANT(4, fabs(values[i]) < 0x1p-14f ? 0.0f : values[i], values[i]);
        values[i] = TS_MUTANT(5, max(values[i], -FLT_MAX), values[i]);
    }
    for (uint s = 0; s < a.streams; s++) {
        device float *to = streams + (ulong(group.y) * a.streams + s) * a.width + 16 * chunk;
        for (uint i = 0; i < count; i++) {
            uint from = TS_MUTANT(2, s + 1 == a.streams && 16 * chunk + i == 1 ? 0 : i, i);
            to[i] = values[TS_MUTANT(3, i == 15 ? 7 : i, from)];
        }
    }
}
TS_INSTANTIATE(embed)
