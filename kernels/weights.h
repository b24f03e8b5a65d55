/* Weight formats, as types for templates. Each decodes 16 elements at a time, what one thread does
 * between two loads of activations:
 *   BLOCK, BYTES             elements and bytes of a block
 *   row_bytes(columns)       bytes of a row
 *   decode(row, chunk, columns, values)   elements [16 chunk, 16 chunk + 16) of a row
 * Values are those of the reference to the bit: products and sums in its order, rounded once. Formats
 * of blocks have whole chunks; behind the end of a row of plain numbers values are 0. */
#ifndef TS_KERNELS_WEIGHTS_H
#define TS_KERNELS_WEIGHTS_H

#include "kernels/shader.h"

constant ushort ts_iq2_grid[256] = {
#include "base/iq2_grid.def"
};

struct weight_f32 {
    static ulong row_bytes(uint columns)
    {
        return ulong(columns) * 4;
    }
    static void decode(device const uchar *row, uint chunk, uint columns, thread float *values)
    {
        device const float *from = (device const float *)row;
        for (uint i = 0, at = 16 * chunk; i < 16; i++, at++) {
            values[i] = at < columns ? from[at] : 0.0f;
        }
    }
};

struct weight_f16 {
    static ulong row_bytes(uint columns)
    {
        return ulong(columns) * 2;
    }
    static void decode(device const uchar *row, uint chunk, uint columns, thread float *values)
    {
        device const half *from = (device const half *)row;
        for (uint i = 0, at = 16 * chunk; i < 16; i++, at++) {
            values[i] = at < columns ? float(from[at]) : 0.0f;
        }
    }
};

struct weight_bf16 {
    static ulong row_bytes(uint columns)
    {
        return ulong(columns) * 2;
    }
    static void decode(device const uchar *row, uint chunk, uint columns, thread float *values)
    {
        device const ushort *from = (device const ushort *)row;
        for (uint i = 0, at = 16 * chunk; i < 16; i++, at++) {
            values[i] = at < columns ? ts_from_bfloat(from[at]) : 0.0f;
        }
    }
};

/* Blocks of 32: half d, int8 q[32]; d * q. */
struct weight_q8_0 {
    static ulong row_bytes(uint columns)
    {
        return ulong(columns / 32) * 34;
    }
    static void decode(device const uchar *row, uint chunk, uint, thread float *values)
    {
        device const uchar *block = row + ulong(chunk / 2) * 34;
        device const char *codes = (device const char *)(block + 2 + 16 * (chunk % 2));
        float d = float(*(device const half *)block);
        for (uint i = 0; i < 16; i++) {
            values[i] = d * float(codes[i]);
        }
    }
};

/* Blocks of 256: a byte of scale and minimum (4 bits each) for each 16, 64 bytes of 2-bit codes, half
 * d, half dmin; d * scale * q - dmin * minimum. Codes of 128 values share 32 bytes. */
struct weight_q2_k {
    static ulong row_bytes(uint columns)
    {
        return ulong(columns / 256) * 84;
    }
    static void decode(device const uchar *row, uint chunk, uint, thread float *values)
    {
        device const uchar *block = row + ulong(chunk / 16) * 84;
        uint group = chunk % 16;
        device const uchar *codes = block + 16 + 32 * (group / 8) + 16 * (group % 2);
        device const half *d = (device const half *)(block + 80);
        uint shift = 2 * (group % 8 / 2);
        float scale = float(d[0]) * float(block[group] & 15);
        float least = float(d[1]) * float(block[group] >> 4);
        for (uint i = 0; i < 16; i++) {
            values[i] = fma(scale, float(codes[i] >> shift & 3), -least);
        }
    }
};

/* Blocks of 256: half d, half dmin, 12 bytes of 6-bit scales and minimums of 8 groups of 32, 128 bytes
 * of 4-bit codes; d * scale * q - dmin * minimum. Codes of 64 values share 32 bytes. */
struct weight_q4_k {
    static ulong row_bytes(uint columns)
    {
        return ulong(columns / 256) * 144;
    }
    static void decode(device const uchar *row, uint chunk, uint, thread float *values)
    {
        device const uchar *block = row + ulong(chunk / 16) * 144;
        device const half *d = (device const half *)block;
        device const uchar *s = block + 4;
        uint group = chunk % 16 / 2;
        uint scale = group < 4 ? s[group] & 63 : (s[group + 4] & 15) | (s[group - 4] >> 6) << 4;
        uint least = group < 4 ? s[group + 4] & 63 : s[group + 4] >> 4 | (s[group] >> 6) << 4;
        device const uchar *codes = block + 16 + 32 * (group / 2) + 16 * (chunk % 2);
        uint shift = 4 * (group % 2);
        float step = float(d[0]) * float(scale), offset = float(d[1]) * float(least);
        for (uint i = 0; i < 16; i++) {
            values[i] = fma(step, float(codes[i] >> shift & 15), -offset);
        }
    }
};

/* Blocks of 256: half d, then for each 32 four grid indices of a byte and a word of four 7-bit sign
 * indices and a 4-bit scale; d * (scale + 1/2) / 4 * (+-grid). Words have an alignment of 2. */
struct weight_iq2_xxs {
    static ulong row_bytes(uint columns)
    {
        return ulong(columns / 256) * 66;
    }
    static void decode(device const uchar *row, uint chunk, uint, thread float *values)
    {
        device const uchar *block = row + ulong(chunk / 16) * 66;
        device const ushort *group = (device const ushort *)(block + 2 + 8 * (chunk % 16 / 2));
        uint first = 2 * (chunk % 2);
        uint points = group[chunk % 2];
        uint signs = uint(group[2]) | uint(group[3]) << 16;
        float d = float(*(device const half *)block) * (0.5f + float(signs >> 28)) * 0.25f;
        for (uint k = 0; k < 2; k++) {
            uint point = ts_iq2_grid[points >> 8 * k & 255];
            uint sign = signs >> 7 * (first + k) & 127;
            sign |= (popcount(sign) & 1) << 7; /* the eighth makes their number even */
            for (uint i = 0; i < 8; i++) {
                uint code = point >> 2 * i & 3;
                float magnitude = d * float(code == 0 ? 8 : code == 1 ? 25 : 43);
                values[8 * k + i] = (sign >> i & 1) != 0 ? -magnitude : magnitude;
            }
        }
    }
};

/* Blocks of 32: an exponent byte (2^(e - 127)), 16 bytes of E2M1 codes: low halves are the first 16. */
struct weight_mxfp4 {
    static ulong row_bytes(uint columns)
    {
        return ulong(columns / 32) * 17;
    }
    static void decode(device const uchar *row, uint chunk, uint, thread float *values)
    {
        device const uchar *block = row + ulong(chunk / 2) * 17;
        uint exponent = block[0], shift = 4 * (chunk % 2);
        /* half of the power of two, which a float has as a subnormal where the exponent is 0 or 1 */
        float scale = exponent < 2 ? as_type<float>(0x00200000u << exponent)
                                   : as_type<float>((exponent - 1) << 23);
        scale = exponent == 255 ? NAN : scale;
        for (uint i = 0; i < 16; i++) {
            uint code = block[1 + i] >> shift & 15, m = code & 7;
            float twice = float(m < 5 ? m : m == 5 ? 6 : m == 6 ? 8 : 12);
            values[i] = (code & 8) != 0 && m != 0 ? -twice * scale : twice * scale;
        }
    }
};

/* A kernel template for each format; names[] are those of TS_KERNELS in ops.def. */
#define TS_INSTANTIATE(name)                                                                       \
    typedef decltype(name<weight_f32>) name##_function;                                            \
    template [[host_name(#name "_f32")]] kernel name##_function name<weight_f32>;                  \
    template [[host_name(#name "_f16")]] kernel name##_function name<weight_f16>;                  \
    template [[host_name(#name "_bf16")]] kernel name##_function name<weight_bf16>;                \
    template [[host_name(#name "_q8_0")]] kernel name##_function name<weight_q8_0>;                \
    template [[host_name(#name "_q2_k")]] kernel name##_function name<weight_q2_k>;                \
    template [[host_name(#name "_q4_k")]] kernel name##_function name<weight_q4_k>;                \
    template [[host_name(#name "_iq2_xxs")]] kernel name##_function name<weight_iq2_xxs>;          \
    template [[host_name(#name "_mxfp4")]] kernel name##_function name<weight_mxfp4>;

#endif
