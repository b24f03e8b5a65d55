// Kernels in the style of MLX: [[kernel]], functors, host names glued together by macros, project
// headers, matrices through thread_elements().
#include <metal_integer>
#include <metal_simdgroup>
#include <metal_simdgroup_matrix>

#include "mlx/utils.h"

#pragma METAL internals : enable
template <typename T>
constexpr constant bool has_atomic = _disjunction<is_same<T, int>, is_same<T, float>>::value;
#pragma METAL internals : disable

struct Add {
  template <typename T>
  T operator()(T x, T y) {
    return x + y;
  }
};

struct Multiply {
  template <typename T>
  T operator()(T x, T y) {
    return x * y;
  }
};

struct Remainder {
  template <typename T>
  T operator()(T x, T y) {
    return x % y;
  }
  template <>
  float operator()(float x, float y) {
    return fmod(x, y);
  }
  template <>
  half operator()(half x, half y) {
    return fmod(x, y);
  }
  template <>
  bfloat16_t operator()(bfloat16_t x, bfloat16_t y) {
    return bfloat16_t(fmod(x, y));
  }
  template <>
  complex64 operator()(complex64 x, complex64 y) {
    return {x.norm(), y.norm()};
  }
};

template <typename T, typename U, typename Op>
[[kernel]] void binary_g(
    device const T* a,
    device const T* b,
    device U* c,
    constant const int shape[2],
    constant const size_t a_strides[2],
    constant const size_t* b_strides,
    constant const int& ndim,
    uint3 index [[thread_position_in_grid]],
    uint3 grid_dim [[threads_per_grid]]) {
  uint elem = index.x + grid_dim.x * index.y;
  auto a_idx = elem_to_loc(elem, shape, a_strides, ndim);
  auto b_idx = elem_to_loc(elem, shape, b_strides, ndim);
  c[elem] = Op()(a[a_idx], b[b_idx]);
}

#define instantiate_binary(name, itype, otype, op)    \
  template [[host_name(name)]]                        \
  [[kernel]] void binary_g<itype, otype, op>(         \
      device const itype* a,                          \
      device const itype* b,                          \
      device otype* c,                                \
      constant const int shape[2],                    \
      constant const size_t a_strides[2],             \
      constant const size_t* b_strides,               \
      constant const int& ndim,                       \
      uint3 index [[thread_position_in_grid]],        \
      uint3 grid_dim [[threads_per_grid]]);

#define instantiate_binary_types(name, op)                         \
  instantiate_binary("g_" #name "float32", float, float, op)       \
  instantiate_binary("g_" #name "float16", half, half, op)         \
  instantiate_binary("g_" #name "bfloat16", bfloat16_t, bfloat16_t, op) \
  instantiate_binary("g_" #name "int32", int32_t, int32_t, op)     \
  instantiate_binary("g_" #name "uint8", uint8_t, uint8_t, op)     \
  instantiate_binary("g_" #name "complex64", complex64, complex64, op)

instantiate_binary_types(add, Add)
instantiate_binary_types(mul, Multiply)
instantiate_binary_types(rem, Remainder)

template <typename T, int N_READS = 4>
[[kernel]] void row_max(
    const device T* in [[buffer(0)]],
    device T* out [[buffer(1)]],
    const constant size_t& row_size [[buffer(2)]],
    uint3 gid [[threadgroup_position_in_grid]],
    uint3 lid [[thread_position_in_threadgroup]],
    uint3 lsize [[threads_per_threadgroup]],
    uint simd_lane_id [[thread_index_in_simdgroup]],
    uint simd_group_id [[simdgroup_index_in_threadgroup]]) {
  threadgroup T shared_vals[32];
  in += gid.x * row_size;
  T total = Limits<T>::min;
  for (size_t i = lid.x * N_READS; i < row_size; i += lsize.x * N_READS) {
    for (int j = 0; j < N_READS && i + j < row_size; j++) {
      total = max(total, in[i + j]);
    }
  }
  total = simd_max(total);
  if (simd_lane_id == 0) {
    shared_vals[simd_group_id] = total;
  }
  threadgroup_barrier(mem_flags::mem_threadgroup);
  total = lid.x * 32 < lsize.x ? shared_vals[lid.x] : Limits<T>::min;
  if (simd_group_id == 0) {
    total = simd_max(total);
  }
  if (lid.x == 0) {
    out[gid.x] = total;
  }
}

#define instantiate_row_max(name, itype)            \
  template [[host_name("row_max_" #name)]] [[kernel]] \
  decltype(row_max<itype>) row_max<itype>;

instantiate_row_max(float32, float) instantiate_row_max(float16, half)
instantiate_row_max(bfloat16, bfloat16_t) instantiate_row_max(int32, int32_t)

namespace steel {

template <typename T, int BK>
struct BlockMMA {
  MLX_CONST short tiles = 2;

  simdgroup_matrix<float, 8, 8> Asimd;
  simdgroup_matrix<float, 8, 8> Bsimd[tiles];
  simdgroup_matrix<float, 8, 8> results[tiles] = {simdgroup_matrix<float, 8, 8>(0)};

  short sm;
  short sn;
  const short offset;

  METAL_FUNC BlockMMA(
      ushort simd_group_id [[simdgroup_index_in_threadgroup]],
      ushort simd_lane_id [[thread_index_in_simdgroup]])
      : offset(8 * simd_group_id) {
    short qid = simd_lane_id / 4;
    sm = (qid & 4) + (simd_lane_id / 2) % 4;
    sn = (qid & 2) * 2 + (simd_lane_id % 2) * 2;
  }

  METAL_FUNC void mma(const threadgroup T* As, const threadgroup T* Bs) {
#pragma clang loop unroll(full)
    for (short kk = 0; kk < BK; kk += 8) {
      simdgroup_barrier(mem_flags::mem_none);
      Asimd.thread_elements()[0] = static_cast<float>(As[(offset + sm) * BK + kk + sn]);
      Asimd.thread_elements()[1] = static_cast<float>(As[(offset + sm) * BK + kk + sn + 1]);
      for (short j = 0; j < tiles; j++) {
        reinterpret_cast<thread float2&>(Bsimd[j].thread_elements()) = float2(
            static_cast<float>(Bs[(kk + sm) * 16 + j * 8 + sn]),
            static_cast<float>(Bs[(kk + sm) * 16 + j * 8 + sn + 1]));
      }
      for (short j = 0; j < tiles; j++) {
        simdgroup_multiply_accumulate(results[j], Asimd, Bsimd[j], results[j]);
      }
    }
  }

  METAL_FUNC void store_result(device T* C, const int ldc) const {
    for (short j = 0; j < tiles; j++) {
      thread const auto& accum = results[j].thread_elements();
      C[(offset + sm) * ldc + j * 8 + sn] = static_cast<T>(accum[0]);
      C[(offset + sm) * ldc + j * 8 + sn + 1] = static_cast<T>(accum[1]);
    }
  }
};

} // namespace steel

// C = A * B of 16 x K and K x 16, one threadgroup of two simdgroups
template <typename T, int BK>
[[kernel, max_total_threads_per_threadgroup(64)]] void gemm16(
    const device T* A [[buffer(0)]],
    const device T* B [[buffer(1)]],
    device T* C [[buffer(3)]],
    const constant int& K [[buffer(4)]],
    uint simd_lane_id [[thread_index_in_simdgroup]],
    uint simd_group_id [[simdgroup_index_in_threadgroup]],
    uint lid [[thread_index_in_threadgroup]]) {
  using mma_t = steel::BlockMMA<T, BK>;
  threadgroup T As[16 * BK];
  threadgroup T Bs[BK * 16];
  thread mma_t mma_op(simd_group_id, simd_lane_id);
  for (int k = 0; k < K; k += BK) {
    threadgroup_barrier(mem_flags::mem_threadgroup);
    for (uint i = lid; i < 16 * BK; i += 64) {
      As[i] = A[(i / BK) * K + k + i % BK];
      Bs[i] = B[(k + i / 16) * 16 + i % 16];
    }
    threadgroup_barrier(mem_flags::mem_threadgroup);
    mma_op.mma(As, Bs);
  }
  mma_op.store_result(C, 16);
}

#define instantiate_gemm(name, type) \
  template [[host_name("gemm16_" #name)]] [[kernel]] decltype(gemm16<type, 16>) gemm16<type, 16>;
instantiate_gemm(float32, float) instantiate_gemm(float16, half) instantiate_gemm(bfloat16, bfloat16_t)
