// Kernels in the style of ggml: blocks of quantised weights, templates with host names, buffers
// numbered by position, function constants, a dequantiser as template argument, 8x8 matrices.
#include "ggml_args.h"

#include <metal_stdlib>

using namespace metal;

#define MIN(x, y) ((x) < (y) ? (x) : (y))
#define MAX(x, y) ((x) > (y) ? (x) : (y))
#define FOR_UNROLL(x) _Pragma("clang loop unroll(full)") for (x)
#define QK 32

typedef struct {
    half d;
    uint8_t qs[QK / 2];
} block_nibble;

typedef struct {
    half d;
    int8_t qs[QK];
} block_byte;

constexpr constant static float scale_table[4] = {
    1.f, .5f, 2.f, -1.f,
};

template <typename type4x4>
void dequantize_f32(device const float4x4 * src, short il, thread type4x4 & reg) {
    reg = (type4x4)(*src);
}

template <typename type4x4>
void dequantize_nibble(device const block_nibble * xb, short il, thread type4x4 & reg) {
    device const uint16_t * qs = ((device const uint16_t *)xb + 1);
    const float d = xb->d;
    FOR_UNROLL (int i = 0; i < 8; i++) {
        const uint16_t q = il ? qs[i] >> 4 : qs[i];
        reg[i/2][2*(i%2) + 0] = d * ((q & 0x000F) - 8);
        reg[i/2][2*(i%2) + 1] = d * (((q & 0x0F00) >> 8) - 8);
    }
}

constant bool  FC_scaled [[function_constant(FC_MATVEC + 0)]];
constant short FC_table  [[function_constant(FC_MATVEC + 1)]];
constant short FC_offset [[function_constant(FC_MATVEC + 2)]];
constant float FC_bias = is_function_constant_defined(FC_offset) ? FC_offset * 0.5 : 0.25;

// il-th half of a block of 32 against 16 values
template <typename block_t>
inline float block_dot(device const block_t * qb, float sumy, thread float * yl, int il);

template <>
inline float block_dot<block_byte>(device const block_byte * qb, float sumy, thread float * yl, int il) {
    float sum = 0.f;
    for (int i = 0; i < 16; i++) {
        sum += qb->qs[16*il + i] * yl[i];
    }
    return qb->d * sum;
}

template <>
inline float block_dot<block_nibble>(device const block_nibble * qb, float sumy, thread float * yl, int il) {
    float sum = 0.f;
    FOR_UNROLL (int i = 0; i < 16; i++) {
        sum += ((qb->qs[i] >> (4*il)) & 0xF) * yl[i];
    }
    return qb->d * (sum - 8.f * sumy);
}

template <typename block_t, short NR>
void matvec_impl(
        constant matvec_args & args,
        device const char * src0,
        device const char * src1,
        device       char * dst,
        threadgroup  char * shmem,
        uint3 tgpig, ushort tiisg, ushort sgitg) {
    const int nb = args.columns / QK;
    const int r0 = (tgpig.x * 2 + sgitg) * NR;

    device const float * y = (device const float *) src1;
    float yl[16];
    float sumf[NR] = { 0.f };

    for (int ib = tiisg / 2; ib < nb; ib += 16) {
        const short il = tiisg % 2;
        float sumy = 0;
        for (short i = 0; i < 16; i++) {
            yl[i] = y[ib*QK + il*16 + i];
            sumy += yl[i];
        }
#pragma unroll(MIN(NR, 4))
        for (short row = 0; row < NR && r0 + row < args.rows; row++) {
            device const block_t * x = (device const block_t *)(src0 + (r0 + row) * args.row_bytes);
            sumf[row] += block_dot(x + ib, sumy, yl, il);
        }
    }

    threadgroup float * sums = (threadgroup float *) shmem + sgitg * NR;
    for (int row = 0; row < NR; ++row) {
        const float total = simd_sum(sumf[row]);
        if (tiisg == 0) {
            sums[row] = total;
        }
    }
    simdgroup_barrier(mem_flags::mem_threadgroup);
    if (tiisg < NR && r0 + tiisg < args.rows) {
        const float factor = FC_scaled ? scale_table[FC_table] : 1.f;
        ((device float *) dst)[r0 + tiisg] = sums[tiisg] * factor + FC_bias;
    }
}

template <typename block_t, short NR>
kernel void kernel_matvec(
        constant matvec_args & args,
        device const char * src0,
        device const char * src1,
        device       char * dst,
        threadgroup  char * shmem [[threadgroup(0)]],
        uint3  tgpig[[threadgroup_position_in_grid]],
        ushort tiisg[[thread_index_in_simdgroup]],
        ushort sgitg[[simdgroup_index_in_threadgroup]]) {
    matvec_impl<block_t, NR>(args, src0, src1, dst, shmem, tgpig, tiisg, sgitg);
}

typedef decltype(kernel_matvec<block_byte, 2>) matvec_t;

template [[host_name("kernel_matvec_nibble")]] kernel matvec_t kernel_matvec<block_nibble, 4>;
template [[host_name("kernel_matvec_byte")]]   kernel matvec_t kernel_matvec<block_byte, 2>;

constant bool FC_bounds [[function_constant(FC_MATMUL + 0)]];

// C[n][m] = sum over k of A[m][k] * B[n][k], a 16x16 tile a threadgroup of 64
template <typename S0, typename S0_4x4, typename S0_8x8, typename block_q, short nl,
          void (*dequantize_func)(device const block_q *, short, thread S0_4x4 &)>
kernel void kernel_matmul(
        constant matmul_args & args,
        device const char * src0,
        device const char * src1,
        device       char * dst,
        threadgroup  char * shmem [[threadgroup(0)]],
        uint3  tgpig[[threadgroup_position_in_grid]],
        ushort tiitg[[thread_index_in_threadgroup]],
        ushort sgitg[[simdgroup_index_in_threadgroup]]) {
    threadgroup S0    * sa = (threadgroup S0    *)(shmem);
    threadgroup float * sb = (threadgroup float *)(shmem + 16*16*sizeof(S0));
    const int r0 = tgpig.y * 16;
    const int r1 = tgpig.x * 16;

    S0_8x8 ma[2];
    simdgroup_float8x8 mb;
    simdgroup_float8x8 mc[2];
    for (short i = 0; i < 2; i++) {
        mc[i] = make_filled_simdgroup_matrix<float, 8>(0.f);
    }

    for (int k = 0; k < args.k; k += 16) {
        if (tiitg < 16) {
            S0_4x4 temp;
            device const block_q * x =
                (device const block_q *)(src0 + args.row_bytes * MIN(r0 + tiitg, args.m - 1)) + (k/16)/nl;
            dequantize_func(x, (k/16)%nl, temp);
            FOR_UNROLL (short i = 0; i < 16; i++) {
                *(sa + tiitg + 16*i) = temp[i/4][i%4];
            }
        } else if (tiitg >= 32 && tiitg < 48) {
            const int row = r1 + tiitg - 32;
            for (short i = 0; i < 16; i++) {
                sb[(tiitg - 32)*16 + i] = !FC_bounds || row < args.n ?
                    *((device const float *) src1 + row*args.k + k + i) : 0;
            }
        }
        threadgroup_barrier(mem_flags::mem_threadgroup);
        FOR_UNROLL (short ik = 0; ik < 2; ik++) {
            simdgroup_barrier(mem_flags::mem_none);
            for (short i = 0; i < 2; i++) {
                simdgroup_load(ma[i], sa + 8*16*ik + 8*i, 16, 0, false);
            }
            simdgroup_load(mb, sb + 8*ik + 8*16*sgitg, 16, 0, false);
            simdgroup_barrier(mem_flags::mem_none);
            for (short i = 0; i < 2; i++) {
                simdgroup_multiply_accumulate(mc[i], mb, ma[i], mc[i]);
            }
        }
        threadgroup_barrier(mem_flags::mem_threadgroup);
    }
    threadgroup float * temp = (threadgroup float *) shmem;
    for (short i = 0; i < 2; i++) {
        simdgroup_store(mc[i], temp + 8*i + 8*16*sgitg, 16, 0, false);
    }
    threadgroup_barrier(mem_flags::mem_threadgroup);
    for (int i = tiitg; i < 256; i += 64) {
        if (!FC_bounds || (r0 + i%16 < args.m && r1 + i/16 < args.n)) {
            ((device float *) dst)[(r1 + i/16)*args.m + r0 + i%16] = temp[i];
        }
    }
}

typedef decltype(kernel_matmul<half, half4x4, simdgroup_half8x8, float4x4, 1, dequantize_f32>) matmul_t;

template [[host_name("kernel_matmul_f32")]]    kernel matmul_t kernel_matmul<half, half4x4, simdgroup_half8x8, float4x4, 1, dequantize_f32>;
template [[host_name("kernel_matmul_nibble")]] kernel matmul_t kernel_matmul<half, half4x4, simdgroup_half8x8, block_nibble, 2, dequantize_nibble>;

// softmax of a row, with an optional mask
template <typename T>
kernel void kernel_soft_max(
        constant int & ne00,
        device const float * src0,
        device const T     * mask,
        device       float * dst,
        threadgroup  float * buf [[threadgroup(0)]],
        uint  tgpig[[threadgroup_position_in_grid]],
        uint  tpitg[[thread_position_in_threadgroup]],
        uint  sgitg[[simdgroup_index_in_threadgroup]],
        uint  tiisg[[thread_index_in_simdgroup]],
        uint  tptg[[threads_per_threadgroup]]) {
    device const float * row = src0 + tgpig*ne00;
    float lmax = -INFINITY;
    for (int i = tpitg; i < ne00; i += tptg) {
        lmax = MAX(lmax, row[i] + (float) mask[i]);
    }
    float max_val = simd_max(lmax);
    if (tptg > 32) {
        if (sgitg == 0) {
            buf[tiisg] = -INFINITY;
        }
        threadgroup_barrier(mem_flags::mem_threadgroup);
        if (tiisg == 0) {
            buf[sgitg] = max_val;
        }
        threadgroup_barrier(mem_flags::mem_threadgroup);
        max_val = simd_max(buf[tiisg]);
    }
    float lsum = 0.0f;
    for (int i = tpitg; i < ne00; i += tptg) {
        const float e = exp(row[i] + (float) mask[i] - max_val);
        lsum += e;
        dst[tgpig*ne00 + i] = e;
    }
    threadgroup_barrier(mem_flags::mem_none);
    float sum = simd_sum(lsum);
    if (tptg > 32) {
        if (sgitg == 0) {
            buf[tiisg] = 0.0f;
        }
        threadgroup_barrier(mem_flags::mem_threadgroup);
        if (tiisg == 0) {
            buf[sgitg] = sum;
        }
        threadgroup_barrier(mem_flags::mem_threadgroup);
        sum = simd_sum(buf[tiisg]);
    }
    const float inv = 1.0f/sum;
    for (int i = tpitg; i < ne00; i += tptg) {
        dst[tgpig*ne00 + i] *= inv;
    }
}

typedef decltype(kernel_soft_max<float>) kernel_soft_max_t;
template [[host_name("kernel_soft_max_f32")]] kernel kernel_soft_max_t kernel_soft_max<float>;
template [[host_name("kernel_soft_max_f16")]] kernel kernel_soft_max_t kernel_soft_max<half>;
